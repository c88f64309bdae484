/* 一个种子，一个头条：种子一粒一粒地发，看头条换了几次，看区间与结论怎样定下来。 */
import { choice, element, number, spoken, toggle } from "./parts/dom.js";
import { ALIKE, DOWN, UNSURE, UP, answer, holm, meanInterval } from "./engine/statistics.js";

const [WIDE, TALL] = [200, 16];
/** 带正负号的差；四舍五入之后是 0 的负数不写成 −0.000 */
const signed = (value) => `${Number(number(value)) < 0 ? "−" : "+"}${number(Math.abs(value))}`;
const told = (value) => `${value > 0 ? "提高" : "降低"} ${number(Math.abs(value))}`;

/** 洗牌：次序变了，种子还是那些 */
function shuffled(items) {
  const left = [...items];
  return items.map(() => left.splice(Math.floor(Math.random() * left.length), 1)[0]);
}

/** 一臂的一行：名字、一粒一个点与区间、结论 */
function line(arm, reach, margin) {
  const at = (value) => (WIDE * (1 + value / reach)) / 2;
  const dots = element("g", { class: "living-dots" });
  const span = element("line", { class: "living-span", y1: TALL / 2, y2: TALL / 2 });
  const band = element("rect", { class: "living-band", x: at(-margin), width: at(margin) - at(-margin), y: 0, height: TALL });
  const zero = element("line", { class: "living-zero", x1: WIDE / 2, x2: WIDE / 2, y1: 0, y2: TALL });
  const svg = element("svg", { viewBox: `0 0 ${WIDE} ${TALL}`, "aria-hidden": "true" }, band, zero, span, dots);
  const words = element("span", { class: "living-verdict" });
  const node = element("div", { class: "living-arm" }, element("b", {}, arm.name), words, svg);
  function draw(differences, found, verdict) {
    dots.replaceChildren(...differences.map((value, i) =>
      element("circle", { cx: at(value), cy: TALL / 2, r: i === differences.length - 1 ? 3.5 : 2.2 })));
    span.setAttribute("visibility", found.low === null ? "hidden" : "visible");
    span.setAttribute("x1", Math.max(0, at(found.low ?? 0)));
    span.setAttribute("x2", Math.min(WIDE, at(found.high ?? 0)));
    node.dataset.verdict = verdict;
    const ends = found.low === null ? "" : `（${signed(found.low)}…${signed(found.high)}）`;
    words.textContent = `${signed(found.mean)}${ends} ${verdict.replace("δ", margin)}`;
  }
  return { arm, node, draw };
}

export function picture(figure) {
  const { arms, seeds, margin } = JSON.parse(figure.dataset.records);
  const order = Array.from({ length: seeds }, (_, seed) => seed);
  const state = { order, dealt: 1, control: "none", corrected: true, lines: [] };
  const said = spoken();
  const list = element("div", { class: "living-arms" });
  const control = () => arms.find(({ key }) => key === state.control);
  const differences = (arm) => state.order.slice(0, state.dealt).map((seed) => arm.values[seed] - control().values[seed]);

  /** 与不装比的几种模块是一族，一起校正；与对照比、对照自己，各自单独 */
  function judged(corrected) {
    const rows = state.lines.map(({ arm }) => ({ arm, found: meanInterval(differences(arm)) }));
    const family = rows.filter(({ arm }) => state.control === "none" && !arm.control);
    const adjusted = holm(family.map(({ found }) => found.p));
    return rows.map(({ arm, found }) => {
      const place = family.findIndex((one) => one.arm === arm);
      const p = corrected && place >= 0 ? adjusted[place] : found.p;
      return { arm, found, p, verdict: answer(found, p, margin) };
    });
  }

  /** 只看一粒种子，会写成什么头条：升得最多的一种模块 */
  function headline(seed) {
    const gains = arms.filter((arm) => !arm.control && arm.key !== state.control)
      .map((arm) => ({ name: arm.name, gain: arm.values[seed] - control().values[seed] }));
    return gains.reduce((best, one) => (one.gain > best.gain ? one : best));
  }

  function update() {
    const rows = judged(state.corrected);
    rows.forEach(({ arm, found, verdict }, i) => state.lines[i].draw(differences(arm), found, verdict));
    said.replaceChildren(element("b", {}, `头条：${news()}`), ` ${summary(rows)}`);
    more.disabled = all.disabled = state.dealt === seeds;
  }
  function news() {
    const { name, gain } = headline(state.order[state.dealt - 1]);
    return `“装 ${name}，准确率${told(gain)}！”（种子 ${state.order[state.dealt - 1]}）`;
  }
  function summary(rows) {
    const names = state.order.slice(0, state.dealt).map((seed) => headline(seed).name);
    const parts = [`发了 ${state.dealt} 粒，头条夸过 ${new Set(names).size} 种。`];
    if (state.dealt < 2) return `${parts[0]}一粒没有区间，说不出结论：再发。`;
    const counts = [UP, DOWN, ALIKE, UNSURE].map((word) => [word.replace("δ", margin), rows.filter(({ verdict }) => verdict === word).length]);
    parts.push(`与${control().name}比：${counts.filter(([, n]) => n).map(([word, n]) => `${word} ${n} 行`).join("，")}。`);
    const other = judged(!state.corrected);
    const moved = rows.filter(({ verdict }, i) => verdict !== other[i].verdict).map(({ arm }) => arm.name);
    if (moved.length) parts.push(`校正与不校正，结论不同的是${moved.length > 1 ? "：" : " "}${moved.join("、")}。`);
    return parts.join("");
  }

  /** 换了对照：哪些臂、横轴多宽都要重来 */
  function rebuild() {
    const others = arms.filter(({ key }) => key !== state.control);
    const gaps = others.flatMap((arm) => arm.values.map((value, seed) => Math.abs(value - control().values[seed])));
    const reach = Math.ceil(Math.max(...gaps) * 50) / 50;
    state.lines = others.map((arm) => line(arm, reach, margin));
    list.replaceChildren(...state.lines.map(({ node }) => node));
    update();
  }
  const deal = (count) => { state.dealt = Math.min(seeds, state.dealt + count); update(); };

  const more = element("button", { type: "button", onclick: () => deal(1) }, "再发一粒");
  const all = element("button", { type: "button", onclick: () => deal(seeds) }, "发完");
  const again = element("button", { type: "button", onclick: () => { Object.assign(state, { order: shuffled(state.order), dealt: 1 }); update(); } }, "洗牌重来");
  const controls = choice("和谁比", Object.fromEntries(arms.filter((arm) => arm.control).map(({ key, name }) => [key, name])), state.control, (key) => { state.control = key; rebuild(); });
  controls.node.classList.add("living-named");
  const corrected = toggle("Holm 校正", true, (on) => { state.corrected = on; update(); });
  figure.querySelector(".living-stage").replaceChildren(
    said, list,
    element("div", { class: "living-tools" }, element("div", { class: "living-choice" }, more, all, again, corrected), controls.node),
  );
  rebuild();
}
