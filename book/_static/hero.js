/* 首页的图：指到哪个像素，就算那个像素的注意力。算法与 tools/site/hero.py 相同。 */
(() => {
  "use strict";
  const SIDE = 8;
  const CELL = 40;
  const ARCS = 9;
  const BOLD = 0.1; // 占到这么多的弧画得最粗
  const LEVELS = "0123456789abcdefg";
  const figure = document.querySelector("figure.hero");
  if (!figure) return;
  const svg = figure.querySelector("svg");
  const [cells, arcs, mark] = ["cells", "arcs", "query"].map((name) => svg.querySelector(`.hero-${name}`));
  const say = figure.querySelector(".hero-say");
  const slider = figure.querySelector("input[type=range]");
  const digits = figure.dataset.digits.split(",").map((code) => [...code].map((c) => LEVELS.indexOf(c) / 16));
  const state = { image: digits[figure.dataset.shown], query: +figure.dataset.query, kind: "attention" };

  const at = (image, row, column) =>
    row < 0 || column < 0 || row >= SIDE || column >= SIDE ? 0 : image[row * SIDE + column];

  function token(image, index) {
    const row = Math.floor(index / SIDE);
    const column = index % SIDE;
    const patch = [];
    for (let i = -1; i <= 1; i += 1) for (let j = -1; j <= 1; j += 1) patch.push(at(image, row + i, column + j));
    const mean = patch.reduce((a, b) => a + b) / 9;
    const deviation = Math.sqrt(patch.reduce((a, b) => a + (b - mean) ** 2, 0) / 9);
    return patch.map((value) => (value - mean) / (deviation + 0.05));
  }

  function attention(image, query, sharpness) {
    const q = token(image, query);
    const scores = image.map((_, i) => (sharpness * token(image, i).reduce((sum, k, n) => sum + k * q[n], 0)) / 3);
    const top = Math.max(...scores);
    const exponents = scores.map((s) => Math.exp(s - top));
    const total = exponents.reduce((a, b) => a + b);
    return exponents.map((e) => e / total);
  }

  const near = (a, b) =>
    Math.abs(Math.floor(a / SIDE) - Math.floor(b / SIDE)) <= 1 && Math.abs((a % SIDE) - (b % SIDE)) <= 1;
  const convolution = (image, query) => image.map((_, i) => (near(i, query) ? 1 / 9 : 0));
  const centre = (index) => [((index % SIDE) + 0.5) * CELL, (Math.floor(index / SIDE) + 0.5) * CELL];

  function draw() {
    const { image, query, kind } = state;
    const seen = kind === "attention" ? attention(image, query, +slider.value) : convolution(image, query);
    [...cells.children].forEach((cell, i) => cell.setAttribute("fill-opacity", (0.06 + 0.94 * image[i]).toFixed(2)));
    const order = seen.map((weight, i) => [weight, i]).filter(([w, i]) => i !== query && w > 1.001 / seen.length)
      .sort((a, b) => b[0] - a[0]).slice(0, ARCS);
    const [x0, y0] = centre(query);
    arcs.innerHTML = order.map(([weight, i]) => {
      const [x1, y1] = centre(i);
      const share = Math.min(1, weight / BOLD);
      const bend = `${(x0 + x1) / 2 - (y1 - y0) / 4} ${(y0 + y1) / 2 + (x1 - x0) / 4}`;
      return `<path d="M${x0} ${y0}Q${bend} ${x1} ${y1}" stroke-width="${1 + 4 * share}" opacity="${0.45 + 0.5 * share}"/>`;
    }).join("");
    mark.firstElementChild.setAttribute("cx", x0);
    mark.firstElementChild.setAttribute("cy", y0);
    const far = order.length ? Math.max(...order.map(([, i]) => Math.hypot(...centre(i).map((v, n) => v - centre(query)[n])) / CELL)) : 0;
    const all = Math.round(100 * order.reduce((sum, [weight]) => sum + weight, 0));
    say.textContent = kind !== "attention"
      ? "3×3 卷积：橙圈里的像素只看得到紧挨着的邻居，权重处处相同。"
      : order.length
        ? `自注意力：橙圈里的像素最看重这 ${order.length} 处，合起来占 ${all} %，最远隔着 ${far.toFixed(1)} 格。`
        : `${+slider.value ? "这一带是空白，q 是 0" : "锐度是 0"}：${seen.length} 个像素各占 1/${seen.length}，没有谁更重，看到的就是整张图的平均。`;
  }

  /* 自己走一走，读者一碰就停；不喜欢动画的读者看到的是静止的图 */
  let walking = 0;
  const stop = () => { clearInterval(walking); walking = 0; };
  function walk() {
    const path = state.image.map((v, i) => [v, i]).filter(([v]) => v > 0.6).map(([, i]) => i);
    let step = path.indexOf(state.query);
    walking = setInterval(() => {
      step = (step + 1) % path.length;
      state.query = path[step];
      draw();
    }, 1500);
  }

  function pick(event) {
    const box = svg.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * SIDE);
    const row = Math.floor(((event.clientY - box.top) / box.height) * SIDE);
    if (row < 0 || column < 0 || row >= SIDE || column >= SIDE) return;
    stop();
    state.query = row * SIDE + column;
    draw();
  }
  svg.addEventListener("pointermove", pick);
  svg.addEventListener("pointerdown", pick);
  svg.tabIndex = 0;
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -SIDE, ArrowDown: SIDE }[event.key];
    if (!step) return;
    event.preventDefault();
    stop();
    state.query = (state.query + step + SIDE * SIDE) % (SIDE * SIDE);
    draw();
  });

  const press = (buttons, chosen) => buttons.forEach((b) => b.setAttribute("aria-pressed", String(b === chosen)));
  const kinds = [...figure.querySelectorAll("[data-kind]")];
  kinds.forEach((button) => button.addEventListener("click", () => {
    state.kind = button.dataset.kind;
    press(kinds, button);
    draw();
  }));
  const choices = [...figure.querySelectorAll("[data-digit]")];
  choices.forEach((button) => button.addEventListener("click", () => {
    state.image = digits[button.dataset.digit];
    press(choices, button);
    draw();
  }));
  slider.addEventListener("input", () => { stop(); draw(); });
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) walk();
})();
