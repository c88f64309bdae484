/* 哪一种病：换图的张数、增强、步数、种子，看两条曲线与它在诊断平面上落在哪里；数都来自记录。 */
import { choice, element, number, slider, spoken } from "./parts/dom.js";

const MODELS = { vit_tiny: "ViT", small_cnn: "小卷积网络" };
const AUGMENT = { none: "不增强", weak: "弱增强" };
const NAMES = { u: "欠拟合", o: "过拟合", b: "有毛病", f: "都不明显" };
const SIDE = 100;
const grouped = (count) => count.toLocaleString("en-US"); // 千位加逗号，与正文相同

/** 一次运行的一串字 → 每个评估点的训练、测试准确率与诊断：两个两位的三十六进制数，一个字母 */
const decoded = (code) => code.match(/.{5}/g).map((part) => ({
  train: parseInt(part.slice(0, 2), 36) / 1000, test: parseInt(part.slice(2, 4), 36) / 1000, name: NAMES[part[4]],
}));
const path = (points) => `M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}`;
const word = (x, y, text, anchor = "middle") => element("text", { x, y, "text-anchor": anchor }, text);

/** 曲线：训练是实线，测试是虚线，选中的一粒粗；竖线是此刻的一步 */
function curves(last) {
  const x = (step) => 12 + (step / last) * 106;
  const y = (accuracy) => 76 - 70 * accuracy;
  const lines = element("g", { class: "living-curves" });
  const now = element("line", { class: "living-zero", y1: 6, y2: 76 });
  const frame = element("path", { class: "living-frame", d: `M12 6V76H118` });
  const node = element("svg", { class: "living-plot", viewBox: "0 0 120 90", role: "img", "aria-label": "训练与测试准确率随步数的曲线" },
    frame, now, lines, word(10, 9, "1", "end"), word(10, 78, "0", "end"), word(12, 86, "0"), word(116, 86, String(last), "end"));
  function draw(runs, seed, steps, at) {
    now.setAttribute("x1", x(steps[at]));
    now.setAttribute("x2", x(steps[at]));
    const order = [...runs.keys()].sort((a, b) => (a === seed) - (b === seed));
    lines.replaceChildren(...order.flatMap((i) => ["train", "test"].map((side) => element("path", {
      class: `living-${side}`, "data-chosen": i === seed ? "" : null, d: path(runs[i].map((point, k) => [x(steps[k]), y(point[side])])),
    }))));
  }
  return { node, draw };
}

/** 诊断的平面：横是训练，竖是测试；斜线两边是哪一份错大，贴底的一条与瞎猜分不开 */
function plane(chance) {
  const [x, y] = [(train) => 12 + 84 * train, (test) => 90 - 84 * test];
  const area = (name, corners) => element("path", { class: `living-${name}`, d: `${path(corners.map(([a, b]) => [x(a), y(b)]))}Z` });
  const grounds = [
    area("under", [[0, 0], [0.5, 0], [1, 1]]), area("over", [[0.5, 0], [1, 0], [1, 1]]),
    area("broken", [[0.5, 0], [1, 0], [1, chance], [0.5, chance]]), area("fine", [[0.95, 0.9], [1, 0.95], [1, 1], [0.95, 0.95]]),
  ];
  const trail = element("path", { class: "living-trail" });
  const dots = element("g", { class: "living-dots" });
  const node = element("svg", { class: "living-plot", viewBox: `0 0 ${SIDE} ${SIDE}`, role: "img", "aria-label": "诊断的平面：横轴训练准确率，纵轴测试准确率" },
    ...grounds, element("path", { class: "living-frame", d: `M${x(0)} ${y(1)}V${y(0)}H${x(1)}` }), trail, dots,
    word(x(0.28), y(0.08), NAMES.u), word(x(0.83), y(0.3), NAMES.o), word(x(0.75), y(0.04), NAMES.b), word(x(0.5), 98, "训练"), word(2, y(0.5), "测试", "start"));
  function draw(runs, seed, at) {
    const place = ({ train, test }) => [x(train), y(test)];
    trail.setAttribute("d", path(runs[seed].slice(0, at + 1).map(place)));
    const order = [...runs.keys()].filter((i) => i !== seed).concat(seed);
    dots.replaceChildren(...order.map((i) => {
      const [cx, cy] = place(runs[i][at]);
      return element("circle", { cx: cx.toFixed(1), cy: cy.toFixed(1), r: i === seed ? 2.8 : 1.6 });
    }));
  }
  return { node, draw };
}

export function picture(figure) {
  const { runs, sizes, steps, chance } = JSON.parse(figure.dataset.records);
  const state = { model: "vit_tiny", size: 100, augment: "none", seed: 0, at: steps.length - 1 };
  const said = spoken();
  const [left, right] = [curves(steps.at(-1)), plane(chance)];
  const turn = (name, read = String) => (value) => { state[name] = read(value); update(); };

  function update() {
    const arm = runs[[state.model, state.size, state.augment].join(" ")].map(decoded);
    left.draw(arm, state.seed, steps, state.at);
    right.draw(arm, state.seed, state.at);
    said.textContent = sentence(arm.map((run) => run[state.at]));
  }
  function sentence(points) {
    const { train, test, name } = points[state.seed];
    const counts = Object.values(NAMES).map((one) => [one, points.filter((point) => point.name === one).length]).filter(([, n]) => n);
    return `${MODELS[state.model]}，${grouped(state.size)} 张图，${AUGMENT[state.augment]}，种子 ${state.seed} 走到第 ${steps[state.at]} 步：训练 ${number(train, 2)}，测试 ${number(test, 2)}。`
      + `没学会 ${number(1 - train, 2)}，没带过去 ${number(train - test, 2).replace(/^-0\.00$/, "0.00").replace("-", "−")}：${name}。`
      + `${points.length} 粒种子：${counts.map(([one, n]) => `${one} ${n} 粒`).join("，")}。`;
  }

  const options = (items, names = (item) => item) => Object.fromEntries(items.map((item) => [item, names(item)]));
  const seeds = choice("种子", options([...runs[Object.keys(runs)[0]].keys()]), state.seed, turn("seed", Number));
  const counts = choice("训练图", options(sizes, (size) => `${grouped(size)} 张`), state.size, turn("size", Number));
  for (const { node } of [seeds, counts]) node.classList.add("living-named");
  const tools = element("div", { class: "living-tools" },
    element("div", { class: "living-choice" }, choice("模型", MODELS, state.model, turn("model")).node, choice("增强", AUGMENT, state.augment, turn("augment")).node),
    counts.node,
    slider("走到第几步", { min: 0, max: steps.length - 1, step: 1, value: state.at }, (at) => `${steps[at]} 步`, turn("at")), seeds.node);
  figure.querySelector(".living-stage").replaceChildren(tools, element("div", { class: "living-pair" }, left.node, right.node), said);
  update();
}
