/* 注意力显微镜：点一块，看它的那一行权重，逐层逐头；旋钮是锐度、窗口、打乱的位置。数字与照片各一个网络。 */
import { bars, choice, element, largest, number, slider, spoken, toggle, tones } from "./parts/dom.js";
import { album } from "./parts/album.js";
import { decoded, pad } from "./parts/pad.js";
import { load } from "./engine/safetensors.js";
import { distance, vit } from "./engine/vit.js";

const [LAYERS, HEADS] = [4, 4];
const WINDOWS = [["0", "看全图"], ["3", "3×3"], ["1", "只看自己"]];
const stored = (name) => load(new URL(`weights/${name}.safetensors`, import.meta.url));
/* 每边几块，一块在画板上多宽，画几档深浅（块多的少画几档，慢手机才跟得上），十类的名字，准确率是哪些图上的，画板 */
const KINDS = {
  digits: {
    prefix: "vit", grid: 4, block: 2, levels: 16, classes: [..."0123456789"], tested: "500 张测试图",
    board: (figure, on) => pad(figure, decoded(figure.dataset.digits), { ...on, picked: (row, column) => on.picked(row >> 1, column >> 1) }),
  },
  photos: {
    prefix: "photo", grid: 8, block: 1, levels: 4, classes: "飞机 汽车 鸟 猫 鹿 狗 蛙 马 船 卡车".split(" "), tested: "10,000 张测试照片",
    board: async (figure, on) => album(figure, (await stored("photos")).tensors.photos, KINDS.photos.classes, on),
  },
};
/** 深浅看倍数：一视同仁（1/N）是一半深，每多一倍再深四分之一，4 倍到顶，四分之一就空 */
const level = (weight, count, levels) => Math.min(levels, Math.max(0, Math.round((levels / 4) * (2 + Math.log2(weight * count))))) - 1;

/** 一个头的一格：每块一格的权重，下面写平均看多远、给分类 token 多少 */
function lens(layer, head, { grid, levels }) {
  const { paths, draw: paint } = tones(grid, levels);
  const lines = Array.from({ length: grid }, (_, i) => `M0 ${i}h${grid}M${i} 0v${grid}`).join("");
  const svg = element("svg", { class: "living-sheet", viewBox: `0 0 ${grid} ${grid}`, role: "img", "aria-label": `第 ${layer + 1} 层第 ${head + 1} 头` },
    element("rect", { class: "living-ground", width: grid, height: grid }), ...paths, element("path", { class: "living-lines", d: lines }));
  const words = new Text(); // 只换字，不换节点，排得快
  const node = element("div", { class: "living-head" }, svg, element("span", { class: "living-small" }, words));
  function draw(row, far) {
    paint(row.subarray(1), (weight) => level(weight, row.length, levels));
    words.data = `${number(far, 1)} · ${number(row[0], 2)}`;
  }
  return { node, draw };
}

/** 打乱几块的位置；每按一次重洗 */
function shuffled(count) {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = order.length - 1; i > 0; i -= 1) {
    const j = Math.floor(Math.random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** 一种图的一幕：画板、旋钮、每层每头；facts 为三个时刻各走了几步、对多少 */
async function scene(figure, kind, facts) {
  const { prefix, grid, block, classes: titles, tested, board: laid } = KINDS[kind];
  const names = { untrained: "没训练", early: `第 ${facts.early.steps} 步`, late: "练完" };
  const middle = 1 + (grid / 2 - 1) * (grid + 1);
  const state = { name: "late", run: null, seen: null, query: middle, knobs: { sharpness: 1, window: 0, order: null } };
  const said = spoken();
  const trouble = element("p", { class: "living-trouble", role: "alert" });
  const classes = bars(10, "十类各自的概率", titles);
  const lenses = Array.from({ length: LAYERS }, (_, layer) => Array.from({ length: HEADS }, (_, head) => lens(layer, head, KINDS[kind])));
  const frame = element("rect", { class: "living-token", width: block, height: block });
  const board = await laid(figure, {
    changed: () => { trouble.textContent = ""; update(); },
    picked: (row, column) => look(1 + row * grid + column),
    failed: (why) => { trouble.textContent = why; },
  });
  board.svg.append(frame);
  const query = toggle("看分类 token 的一行", false, (on) => look(on ? 0 : middle));
  const named = (token) => (token ? `第 ${Math.floor((token - 1) / grid) + 1} 行第 ${((token - 1) % grid) + 1} 列那一块` : "分类 token");

  function look(token) {
    state.query = token;
    query.setAttribute("aria-pressed", String(!token));
    show();
  }
  function turn(knob, value) {
    state.knobs[knob] = value;
    update();
  }
  function mark() {
    frame.setAttribute("visibility", state.query ? "visible" : "hidden");
    frame.setAttribute("x", block * ((state.query - 1) % grid));
    frame.setAttribute("y", block * Math.floor((state.query - 1) / grid));
  }
  /** 这一块在每层每头的一行 */
  function rows({ attention }) {
    return attention.flatMap((heads, layer) => heads.map((weights, head) => {
      const count = weights.shape[0];
      const row = weights.data.subarray(state.query * count, (state.query + 1) * count);
      return { layer, head, row, far: state.query ? distance(weights, grid, state.query) : 0 };
    }));
  }

  function update() {
    if (!state.run) return;
    state.seen = state.run(board.image, state.knobs);
    show();
  }
  /** 换一块来看，网络不用重算 */
  function show() {
    const found = rows(state.seen);
    mark();
    found.forEach(({ layer, head, row, far }) => lenses[layer][head].draw(row, far));
    classes.draw(state.seen.classes);
    said.textContent = `${read(state.seen.classes)}${told(found)}`;
  }
  function read(shares) {
    const { sharpness, window, order } = state.knobs;
    const touched = sharpness !== 1 || window || order;
    const wide = touched ? "动了旋钮，网络没有这样练过" : `${tested}上对 ${number(facts[state.name].test_accuracy_16)}`;
    const truth = board.truth?.();
    return `${names[state.name]}的网络说是“${titles[largest(shares)]}”（概率 ${number(Math.max(...shares), 2)}）${truth ? `，标签是“${truth}”` : ""}；${wide}。`;
  }
  function told(found) {
    const place = ({ layer, head }) => `第 ${layer + 1} 层第 ${head + 1} 头`;
    const peak = (row) => Math.max(...row);
    const heaviest = found.reduce((a, b) => (peak(b.row) > peak(a.row) ? b : a));
    const target = largest(heaviest.row);
    const most = `${named(state.query)}：最看重${target === state.query ? "自己" : named(target)}，占 ${number(peak(heaviest.row), 2)}，在${place(heaviest)}。`;
    if (!state.query) return most;
    const [near, far] = [(a, b) => (b.far < a.far ? b : a), (a, b) => (b.far > a.far ? b : a)].map((pick) => found.reduce(pick));
    return `${most}看得最近的是${place(near)}，平均 ${number(near.far, 1)} 块；最远的是${place(far)}，${number(far.far, 1)} 块。`;
  }

  /* 连按几下，只认最后一下：先按的晚到了也不算 */
  let asked = "";
  async function choose(name) {
    asked = name;
    try {
      const run = vit(await stored(`${prefix}-${name}`));
      if (name !== asked) return;
      Object.assign(state, { name, run });
      trouble.textContent = "";
    } catch (error) {
      if (name !== asked) return;
      if (!state.run) throw error;
      trouble.textContent = `${error.message}图还是原来的网络，可以再按一次。`;
      models.press(state.name);
    }
    update();
  }

  const models = choice("哪个网络", names, state.name, choose);
  const windows = choice("窗口", WINDOWS, 0, (value) => turn("window", +value));
  const order = toggle("打乱位置", false, (on) => turn("order", on ? shuffled(grid * grid) : null));
  const times = (value) => `1/√K × ${Number((2 ** value).toFixed(2))}`;
  const sharpness = slider("打分乘", { min: -4, max: 4, step: 0.5, value: 0 }, times, (value) => turn("sharpness", 2 ** value));
  const knobs = element("div", { class: "living-tools" }, models.node, sharpness, windows.node, element("div", { class: "living-choice" }, order, query));
  const table = element("div", { class: "living-heads" }, element("span"), ...Array.from({ length: HEADS }, (_, head) => element("b", {}, `头 ${head + 1}`)),
    ...lenses.flatMap((line, layer) => [element("b", {}, `层 ${layer + 1}`), ...line.map(({ node }) => node)]));
  board.start();
  await choose(state.name);
  const nodes = [
    knobs,
    element("div", { class: "living-split" }, board.node, table),
    element("div", { class: "living-result" }, classes.node, said), trouble,
  ];
  return { nodes, show };
}

export async function picture(figure) {
  const facts = JSON.parse(figure.dataset.facts);
  const scenes = { digits: await scene(figure, "digits", facts.digits) };
  const trouble = element("p", { class: "living-trouble", role: "alert" });
  const stage = element("div", { class: "living-scene" }, ...scenes.digits.nodes);
  let [asked, shown] = ["digits", "digits"];
  /** 照片的网络大，按了才取；取不到，原来的一幕还在 */
  async function show(kind) {
    asked = kind;
    trouble.textContent = "";
    stage.setAttribute("aria-busy", "true");
    try {
      scenes[kind] ??= await scene(figure, kind, facts[kind]);
      if (kind !== asked) return;
      shown = kind;
      stage.replaceChildren(...scenes[kind].nodes);
      scenes[kind].show(); // 换上之后再说一遍，读屏才念
    } catch (error) {
      if (kind !== asked) return;
      trouble.textContent = `${error.message}图还是原来的，可以再按一次。`;
      kinds.press(shown);
    }
    stage.removeAttribute("aria-busy");
  }
  const kinds = choice("看什么图", { digits: "手写数字", photos: `照片（再取 ${figure.dataset.size}）` }, shown, show);
  // 先画好再换上：静止的一幅变成会动的，版面不跳
  figure.querySelector(".living-stage").replaceChildren(element("div", { class: "living-tools" }, kinds.node), trouble, stage);
}
