/* 注意力显微镜：点一块，看它的那一行权重，逐层逐头；旋钮是锐度、窗口、打乱的位置。
   数字与照片共用：各有各的画板、权重与类名（world）。 */
import { bars, choice, element, heat, largest, number, slider, spoken, toggle } from "./parts/dom.js";
import { decoded, pad } from "./parts/pad.js";
import { load } from "./engine/safetensors.js";
import { distance, vit } from "./engine/vit.js";

const DIGITS = {
  weights: "vit", names: { untrained: "没训练", early: "第 100 步", late: "练完" }, short: [..."0123456789"], classes: [..."0123456789"],
  tested: "500 张测试图", board: async (figure, heard) => pad(decoded(figure.dataset.digits), heard),
};
const WINDOWS = { 0: "看全图", 3: "3×3", 1: "只看自己" };
const [GRID, LAYERS, HEADS] = [4, 4, 4];
/** 浓淡看倍数：一视同仁（1/N）是一半浓，每多一倍浓一档，4 倍到顶，四分之一就空 */
const shade = (weight, count) => Math.min(1, Math.max(0, 0.5 + Math.log2(weight * count) / 4));

/** 一个头的一格：4×4 的权重，下面写平均看多远、给分类 token 多少 */
function lens(layer, head) {
  const { node: svg, draw: paint } = heat(GRID, GRID, `第 ${layer + 1} 层第 ${head + 1} 头`);
  const words = element("span", { class: "living-small" });
  const node = element("div", { class: "living-head" }, svg, words);
  function draw(row, far) {
    paint(row.subarray(1).map((weight) => shade(weight, row.length)));
    words.textContent = `${number(far, 1)} · ${number(row[0], 2)}`;
  }
  return { node, draw };
}

/** 打乱 16 个位置；每按一次重洗 */
function shuffled() {
  const order = Array.from({ length: GRID * GRID }, (_, i) => i);
  for (let i = order.length - 1; i > 0; i -= 1) {
    const j = Math.floor(Math.random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

const named = (token) => (token ? `第 ${Math.floor((token - 1) / GRID) + 1} 行第 ${((token - 1) % GRID) + 1} 列那一块` : "分类 token");

export async function picture(figure, world = DIGITS) {
  const facts = JSON.parse(figure.dataset.facts);
  const state = { name: "late", run: null, seen: null, query: 6, knobs: { sharpness: 1, window: 0, order: null } };
  const said = spoken();
  const trouble = element("p", { class: "living-trouble", role: "alert" });
  const classes = bars(10, "十类各自的概率", world.short);
  const lenses = Array.from({ length: LAYERS }, (_, layer) => Array.from({ length: HEADS }, (_, head) => lens(layer, head)));
  const frame = element("rect", { class: "living-token", width: 2, height: 2 });
  const board = await world.board(figure, {
    changed: () => { trouble.textContent = ""; update(); },
    picked: (row, column) => look(1 + (row >> 1) * GRID + (column >> 1)),
    failed: (why) => { trouble.textContent = why; },
  });
  board.svg.append(frame);
  const query = toggle("看分类 token 的一行", false, (on) => look(on ? 0 : 6));

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
    frame.setAttribute("x", 2 * ((state.query - 1) % GRID));
    frame.setAttribute("y", 2 * Math.floor((state.query - 1) / GRID));
  }
  /** 这一块在每层每头的一行 */
  function rows({ attention }) {
    return attention.flatMap((heads, layer) => heads.map((weights, head) => {
      const count = weights.shape[0];
      const row = weights.data.subarray(state.query * count, (state.query + 1) * count);
      return { layer, head, row, far: state.query ? distance(weights, GRID, state.query) : 0 };
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
    const wide = touched ? "动了旋钮，网络没有这样练过" : `${world.tested}上对 ${number(facts[state.name].test_accuracy_16)}`;
    return `${world.names[state.name]}的网络说是 ${world.classes[largest(shares)]}（概率 ${number(Math.max(...shares), 2)}）；${wide}。`;
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
      const run = vit(await load(new URL(`weights/${world.weights}-${name}.safetensors`, import.meta.url)));
      if (name !== asked) return;
      Object.assign(state, { name, run });
      trouble.textContent = "";
    } catch (error) {
      if (name !== asked) return;
      trouble.textContent = `${error.message}图还是原来的网络，可以再按一次。`;
      models.press(state.name);
    }
    update();
  }

  const models = choice("哪个网络", world.names, state.name, choose);
  const windows = choice("窗口", WINDOWS, 0, (value) => turn("window", +value));
  const order = toggle("打乱位置", false, (on) => turn("order", on ? shuffled() : null));
  const times = (value) => `1/√K × ${Number((2 ** value).toFixed(2))}`;
  const sharpness = slider("打分乘", { min: -4, max: 4, step: 0.5, value: 0 }, times, (value) => turn("sharpness", 2 ** value));
  const knobs = element("div", { class: "living-tools" }, models.node, sharpness, windows.node, element("div", { class: "living-choice" }, order, query));
  const table = element("div", { class: "living-heads" }, element("span"), ...Array.from({ length: HEADS }, (_, head) => element("b", {}, `头 ${head + 1}`)),
    ...lenses.flatMap((line, layer) => [element("b", {}, `层 ${layer + 1}`), ...line.map(({ node }) => node)]));
  // 先画好再换上：静止的一幅变成会动的，版面不跳
  board.start();
  await choose(state.name);
  if (!state.run) throw new Error(trouble.textContent);
  figure.querySelector(".living-stage").replaceChildren(
    knobs,
    element("div", { class: "living-split" }, board.node, table),
    element("div", { class: "living-result" }, classes.node, said), trouble,
  );
}
