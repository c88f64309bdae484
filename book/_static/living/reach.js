/* 谁看得见这个像素：点一个像素，一层一层看谁看得见它；层由读者加。框由结构算，深浅是实测的梯度。 */
import { choice, element, heat, spoken, tones } from "./parts/dom.js";
import { decoded } from "./parts/pad.js";
import { MOVES, clamp, placed } from "./parts/cursor.js";
import { conv2d } from "./engine/tensor.js";
import { load } from "./engine/safetensors.js";
import { GLOBAL, field, grown, layer, slopes, touched } from "./engine/slopes.js";

const NAMES = { conv: "3×3 卷积", stride: "3×3，步长 2", se: "SE", cbam: "CBAM", attention: "自注意力" };
const SMALL = ["conv", "stride", "stride"];
const READY = {
  small: ["小卷积网络", SMALL], resnet: ["窄 ResNet 那样的七层", ["conv", "conv", "conv", "stride", "conv", "stride", "conv"]],
  one: ["一层卷积", ["conv"]], se: ["一道 SE", ["se"]], attention: ["一层自注意力", ["attention"]],
};
const [SIDE, MOST] = [16, 7];
const LEVELS = 8; // 深浅的档；每档是 5 / 8 个数量级

/** 一层的一张图：八档深浅各一条路径，再加看得见的边界 */
function sheet(side, label) {
  const { paths, draw: paint } = tones(side, LEVELS);
  const edge = element("path", { class: "living-edge" });
  const rim = side / 40; // 边上的线不被裁掉
  const node = element("svg", { class: "living-sheet", viewBox: `${-rim} ${-rim} ${side + 2 * rim} ${side + 2 * rim}`, role: "img", "aria-label": label },
    element("rect", { class: "living-ground", width: side, height: side }), ...paths, edge);
  function draw(seen, values) {
    const top = Math.max(...values);
    paint(values, (value) => (value > 0 ? Math.max(0, Math.ceil(LEVELS * (1 + Math.log10(value / top) / 5)) - 1) : -1));
    edge.setAttribute("d", border(seen, side));
  }
  return { node, draw };
}

/** 看得见与看不见之间的线 */
function border(seen, side) {
  const inside = (row, column) => row >= 0 && column >= 0 && row < side && column < side && seen[row * side + column];
  let line = "";
  for (let row = 0; row <= side; row += 1) {
    for (let column = 0; column <= side; column += 1) {
      if (!inside(row, column) !== !inside(row - 1, column)) line += `M${column} ${row}h1`;
      if (!inside(row, column) !== !inside(row, column - 1)) line += `M${column} ${row}v1`;
    }
  }
  return line;
}

/** 8×8 的数字放大一倍 */
const doubled = (small) => Float32Array.from({ length: SIDE * SIDE }, (_, i) => small[(Math.floor(i / SIDE) >> 1) * 8 + ((i % SIDE) >> 1)]);
const percent = (value) => (value >= 0.001 ? value.toFixed(3) : value.toExponential(0).replace("-", "−"));

export async function picture(figure) {
  const { tensors } = await load(new URL("weights/reach.safetensors", import.meta.url));
  const image = doubled(decoded(figure.dataset.digits)[0]);
  const stem = conv2d({ data: image, shape: [1, SIDE, SIDE] }, tensors["stem.weight"]);
  const state = { names: [], layers: [], sheets: [], place: 7 * SIDE + 6 };
  const said = spoken();
  const list = element("div", { class: "living-sheets" });
  const { node: board, draw: ink } = heat(SIDE, SIDE, "");
  const cursor = element("rect", { class: "living-token", width: 1, height: 1 });
  board.append(cursor);
  ink(image);
  for (const [name, value] of Object.entries({ class: "living-heat living-pad", tabindex: 0, role: "application", "aria-label": `${SIDE}×${SIDE} 的图。方向键换一个像素` })) board.setAttribute(name, value);

  /** 从第几层起重算；前面的值不变 */
  function build(from) {
    state.layers.length = state.sheets.length = from;
    for (let i = from; i < state.names.length; i += 1) {
      const made = layer(state.names[i], i, i ? state.layers[i - 1].value : stem, tensors);
      state.layers.push(made);
      const words = element("span", { class: "living-small" }, `${i + 1}　${NAMES[state.names[i]]}`);
      const { node, draw } = sheet(made.value.shape[1], `第 ${i + 1} 层的输出，谁看得见`);
      state.sheets.push({ draw, node: element("div", { class: "living-layer" }, node, words) });
    }
    list.replaceChildren(...state.sheets.map(({ node }) => node));
    for (const [name, button] of Object.entries(adds)) button.disabled = state.names.length === MOST || (name === "attention" && state.names.includes(name)); // 自注意力只加一层：再多，手机上拖不动
    back.disabled = !state.names.length;
    show();
  }

  function show() {
    cursor.setAttribute("x", state.place % SIDE);
    cursor.setAttribute("y", Math.floor(state.place / SIDE));
    let t = touched(tensors["stem.weight"], SIDE, state.place);
    let seen = Uint8Array.from(image, (_, i) => +(i === state.place));
    let found = slopes(t);
    state.names.forEach((name, i) => {
      t = state.layers[i].push(t);
      seen = grown(seen, name);
      found = slopes(t);
      state.sheets[i].draw(seen, found);
    });
    said.textContent = sentence(seen, found);
  }

  function sentence(seen, found) {
    const width = field(state.names);
    const wide = width < SIDE ? `看得见 ${width}×${width} 个像素，占全图的 ${(width ** 2 / SIDE ** 2).toFixed(3)}` : width < Infinity ? `看得见 ${width}×${width}，已经盖住全图` : "看得见全图";
    const reacts = found.filter((value) => value > 0);
    const [many, able] = [reacts.length, seen.filter(Boolean).length];
    const where = `第 ${Math.floor(state.place / SIDE) + 1} 行第 ${(state.place % SIDE) + 1} 列的像素`;
    const last = state.names.at(-1);
    const side = Math.sqrt(seen.length);
    if (!last) return `还没有层：${where}只有它自己看得见。加一层试试。`;
    const blank = GLOBAL.has(last) && last !== "attention" && able - many;
    return `${state.names.length} 层，正中的一处至多${wide}。${where}：${side}×${side} 处里，结构上看得见它的有 ${able} 处，占 ${(able / seen.length).toFixed(3)}；梯度不是 0 的有 ${many} 处`
      + `${many ? `，最小的是最大的 ${percent(Math.min(...reacts) / Math.max(...reacts))} 倍` : ""}。${blank ? `另外 ${blank} 处是空白：门乘多少都是 0。` : ""}`;
  }

  function choose(place) {
    state.place = place;
    show();
  }
  const at = placed(board, SIDE);
  const pick = (event) => { const [y, x] = at(event); choose(Math.floor(y) * SIDE + Math.floor(x)); };
  board.addEventListener("click", pick);
  board.addEventListener("pointermove", (event) => { if (event.pointerType === "mouse" && event.buttons) pick(event); });
  board.addEventListener("keydown", (event) => {
    const step = MOVES[event.key];
    if (!step) return;
    const [row, column] = [Math.floor(state.place / SIDE) + step[0], (state.place % SIDE) + step[1]].map((n) => clamp(n, 0, SIDE - 1));
    choose(row * SIDE + column);
    event.preventDefault();
  });

  function put(names) {
    state.names = [...names];
    build(0);
  }
  const button = (name, onclick) => element("button", { type: "button", onclick }, name);
  const adds = Object.fromEntries(Object.entries(NAMES).map(([name, told]) => [name, button(`＋ ${told}`, () => { state.names.push(name); ready.press(""); build(state.names.length - 1); })]));
  const back = button("去掉最后一层", () => { state.names.pop(); ready.press(""); build(state.names.length); });
  const ready = choice("现成的", Object.fromEntries(Object.entries(READY).map(([key, [name]]) => [key, name])), "small", (key) => put(READY[key][1]));
  ready.node.classList.add("living-named");
  put(SMALL);
  figure.querySelector(".living-stage").replaceChildren(
    element("div", { class: "living-tools" }, ready.node, element("div", { class: "living-choice", role: "group", "aria-label": "加一层" }, ...Object.values(adds), back)),
    element("div", { class: "living-split" }, board, list), said,
  );
}
