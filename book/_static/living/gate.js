/* 画一个数字，看门怎么开：三道门的开度、各类的概率；每道门可以换成它的平均，或者去掉。 */
import { bars, choice, element, heat, largest, number, spoken } from "./parts/dom.js";
import { decoded, pad } from "./parts/pad.js";
import { placeMean, channelMean } from "./engine/tensor.js";
import { load } from "./engine/safetensors.js";
import { resnet } from "./engine/resnet.js";

const NAMES = { none: "不装", se: "SE", eca: "ECA", cbam: "CBAM", simam: "SimAM", constant: "常数" };
const MODES = { open: "照常", mean: "换成平均", off: "去掉" };
const STAGES = [[8, 8], [16, 4], [32, 2]]; // 每道门的通道数与边长
const OPEN = ["open", "open", "open"];

/** 一道门的开度 → 逐通道的条与逐位置的图；SimAM 逐个数开，这里各取平均 */
function opening(gate, channels, side) {
  const same = (count) => new Float32Array(count).fill(gate.value.data[0]);
  if (gate.value) return [same(channels), same(side * side)];
  if (gate.whole) return [channelMean(gate.whole).data, placeMean(gate.whole).data];
  return [gate.channel.data, gate.spatial?.data ?? new Float32Array(side * side).fill(1)];
}

/** 一道门的一栏：条、图、三个选项 */
function column(number_, changed) {
  const [channels, side] = STAGES[number_];
  const title = `第 ${number_ + 1} 道门`;
  const strip = bars(channels, `${title}，${channels} 个通道各开多少`);
  const places = heat(side, side, `${title}，${side}×${side} 个位置各开多少`);
  const modes = choice(title, MODES, "open", changed);
  modes.node.classList.add("living-tools");
  const range = element("p", { class: "living-small" });
  const node = element("div", { class: "living-gate" }, element("b", {}, title), strip.node, places.node, range, modes.node);
  function draw(gate, mode) {
    node.classList.toggle("living-shut", !gate || mode !== "open");
    const [line, map] = gate ? opening(gate, channels, side) : [new Float32Array(channels).fill(1), new Float32Array(side * side).fill(1)];
    strip.draw(line);
    places.draw(map);
    range.textContent = gate ? `通道 ${number(Math.min(...line), 2)}–${number(Math.max(...line), 2)}，位置 ${number(Math.min(...map), 2)}–${number(Math.max(...map), 2)}` : "没有门：处处是 1";
  }
  return { node, draw, modes };
}

export async function picture(figure) {
  const facts = JSON.parse(figure.dataset.facts);
  const state = { name: "cbam", modes: [...OPEN], run: null };
  const said = spoken();
  const trouble = element("p", { class: "living-trouble", role: "alert" });
  const classes = bars(10, "十个数字各自的概率", [..."0123456789"]);
  const columns = STAGES.map((_, i) => column(i, (mode) => { state.modes[i] = mode; update(); }));
  const board = pad(figure, decoded(figure.dataset.digits), {
    changed: () => { trouble.textContent = ""; update(); },
    failed: (why) => { trouble.textContent = why; },
  });

  function update() {
    if (!state.run) return;
    const seen = state.run(board.image, state.modes);
    const usual = state.modes.some((mode) => mode !== "open") ? state.run(board.image, OPEN) : seen;
    columns.forEach(({ draw }, i) => draw(seen.gates[i], state.modes[i]));
    classes.draw(seen.classes);
    said.textContent = sentence(seen, usual) + wide();
  }
  const read = ({ classes: shares }) => `${largest(shares)}（概率 ${number(Math.max(...shares), 2)}）`;
  function sentence(seen, usual) {
    if (state.modes.every((mode) => mode === "open")) return `${NAMES[state.name]}：网络说是 ${read(seen)}。`;
    const same = largest(seen.classes) === largest(usual.classes);
    return `动了门之后，网络${same ? "还" : "改"}说是 ${read(seen)}；照常时是 ${read(usual)}。`;
  }
  /** 一张图是一张图：同一个网络在 500 张测试图上怎样，由记录说 */
  function wide() {
    const { test_accuracy_16: usual, test_accuracy_mean: mean, test_accuracy_off: off } = facts[state.name];
    const parts = [`照常对 ${number(usual)}`];
    if (mean !== undefined) parts.push(`三道门都换成平均对 ${number(mean)}`);
    if (off !== undefined) parts.push(`都去掉对 ${number(off)}`);
    return `500 张测试图上：${parts.join("，")}。`;
  }

  /* 连按几下，只认最后一下：先按的晚到了也不算 */
  let asked = "";
  async function choose(name) {
    asked = name;
    try {
      const run = resnet(await load(new URL(`weights/gate-${name}.safetensors`, import.meta.url)));
      if (name !== asked) return;
      Object.assign(state, { name, run, modes: [...OPEN] });
      trouble.textContent = "";
    } catch (error) {
      if (name !== asked) return;
      trouble.textContent = `${error.message}图还是原来的那种门，可以再按一次。`;
      gates.press(state.name);
    }
    columns.forEach(({ modes }) => {
      modes.press("open");
      [...modes.node.children].forEach((button) => {
        const useless = state.name === "none" || (state.name === "constant" && button.dataset.value === "mean");
        button.disabled = useless;
      });
    });
    update();
  }

  const gates = choice("装哪种门", NAMES, state.name, choose);
  gates.node.classList.add("living-tools");
  // 先画好再换上：静止的一幅变成会动的，版面不跳
  board.start();
  await choose(state.name);
  if (!state.run) throw new Error(trouble.textContent);
  figure.querySelector(".living-stage").replaceChildren(
    gates.node,
    element("div", { class: "living-split" }, board.node, element("div", { class: "living-gates" }, ...columns.map(({ node }) => node))),
    element("div", { class: "living-result" }, classes.node, said), trouble,
  );
}
