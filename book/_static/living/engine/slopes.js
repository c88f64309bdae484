/* 输入的一个像素动一点，每一层的输出动多少：沿一个方向的导数，一层一层往前推。
   每一层还你 value（这一层的输出）与 push（输入的动静 → 输出的动静）。 */
import { add, channelMax, channelMean, concat, conv2d, linear, map, multiply, placeMax, placeMean, relu, sigmoid, softmax, transposed, zeros } from "./tensor.js";
import { scope } from "./scope.js";

const times = (t, k) => map(t, (value, i) => value * k.data[i]);
const open = (x) => map(x, (value) => +(value > 0));

/** 每一组里最大的是第几个数：组 g 的第 k 个数在 at(g, k)；一样大的取头一个 */
const peaks = (x, groups, count, at) => Array.from({ length: groups }, (_, g) => {
  let best = at(g, 0);
  for (let k = 1; k < count; k += 1) if (x.data[at(g, k)] > x.data[best]) best = at(g, k);
  return best;
});
const picked = (t, places, ...shape) => ({ data: Float32Array.from(places, (i) => t.data[i]), shape });

/** y = x · σ(打分)；score 为打分的 value 与 push */
function gated(x, score) {
  const gate = sigmoid(score.value);
  const steep = map(gate, (value) => value * (1 - value));
  return { value: multiply(x, gate), push: (t) => add(multiply(t, gate), multiply(x, times(score.push(t), steep))) };
}

function mlp(seen, w) {
  const hidden = linear(seen, w["fc1.weight"], w["fc1.bias"]);
  const mask = open(hidden);
  const push = (t) => linear(times(linear(t, w["fc1.weight"]), mask), w["fc2.weight"]);
  return { value: linear(relu(hidden), w["fc2.weight"], w["fc2.bias"]), push };
}

function se(x, w) {
  const { value, push } = mlp(channelMean(x), w);
  return gated(x, { value, push: (t) => push(channelMean(t)) });
}

function cbam(x, w) {
  const [channels, height, width] = x.shape;
  const [shared, kernel, size] = [scope(w, "channel"), w["spatial.conv.weight"], height * width];
  const top = peaks(x, channels, size, (c, place) => c * size + place);
  const [average, maximum] = [channelMean(x), channelMax(x)].map((seen) => mlp(seen, shared));
  const channel = gated(x, {
    value: add(average.value, maximum.value),
    push: (t) => add(average.push(channelMean(t)), maximum.push(picked(t, top, 1, channels))),
  });
  const y = channel.value;
  const crest = peaks(y, size, channels, (place, c) => c * size + place);
  const spatial = gated(y, {
    value: conv2d(concat(placeMean(y), placeMax(y)), kernel, { bias: w["spatial.conv.bias"] }),
    push: (t) => conv2d(concat(placeMean(t), picked(t, crest, 1, height, width)), kernel),
  });
  return { value: spatial.value, push: (t) => spatial.push(channel.push(t)) };
}

/** 特征图上的自注意力，一个头：x + γ P V */
function attention(x, w) {
  const [channels, size] = [x.shape[0], x.shape[1] * x.shape[2]];
  const flat = (y, rows, columns) => transposed({ data: y.data, shape: [rows, columns] });
  const project = (name, y, bias) => linear(y, { data: w[`${name}.weight`].data, shape: [channels, channels] }, bias);
  const [q, k, v] = ["query", "key", "value"].map((name) => project(name, flat(x, channels, size), w[`${name}.bias`]));
  const scaled = (y) => map(y, (value) => value / Math.sqrt(channels));
  const weights = softmax(scaled(linear(q, k)));
  const columns = flat(v, size, channels);
  const mixed = (y, rest) => ({ data: map(flat(y, size, channels), (value, i) => value * w.gamma.data[0] + rest.data[i]).data, shape: x.shape });
  function push(t) {
    const [dq, dk, dv] = ["query", "key", "value"].map((name) => project(name, flat(t, channels, size), null));
    const steep = moved(weights, scaled(add(linear(dq, k), linear(q, dk))));
    return mixed(add(linear(steep, columns), linear(weights, flat(dv, size, channels))), t);
  }
  return { value: mixed(linear(weights, columns), x), push };
}

/** softmax 的导数：P ∘ (t − 这一行按 P 平均的 t) */
function moved({ data, shape }, t) {
  const [y, width] = [zeros(...shape), shape[1]];
  for (let at = 0; at < data.length; at += width) {
    let mean = 0;
    for (let i = at; i < at + width; i += 1) mean += data[i] * t.data[i];
    for (let i = at; i < at + width; i += 1) y.data[i] = data[i] * (t.data[i] - mean);
  }
  return y;
}

/** 3×3 卷积加 ReLU */
const conv = (stride) => (x, w) => {
  const sum = conv2d(x, w.weight, { stride, bias: w.bias });
  const mask = open(sum);
  return { value: relu(sum), push: (t) => times(conv2d(t, w.weight, { stride }), mask) };
};

/** 名字 → 这一层；在第几层，就用第几份权重 */
const LAYERS = { conv: conv(1), stride: conv(2), se, cbam, attention };
const STRIDES = { conv: 1, stride: 2 };
export const GLOBAL = new Set(["se", "cbam", "attention"]);
export const layer = (name, number, x, tensors) => LAYERS[name](x, scope(tensors, `${name === "stride" ? "conv" : name}.${number}`));

/** 一个像素经过 1×1 的起头之后：只有它那里动了 */
export function touched(stem, side, place) {
  const t = zeros(stem.shape[0], side, side);
  stem.data.forEach((value, c) => { t.data[c * side * side + place] = value; });
  return t;
}

/** 每一处：各通道之和动了多少 */
export const slopes = (t) => map(placeMean(t), (value) => Math.abs(value) * t.shape[0]).data;

/** 由结构算：这一层的哪些地方可能看得见 */
export function grown(seen, name) {
  if (GLOBAL.has(name)) return seen.map(() => +seen.includes(1));
  const side = Math.sqrt(seen.length);
  const half = Math.ceil(side / STRIDES[name]);
  return Uint8Array.from({ length: half * half }, (_, at) => {
    const [row, column] = [Math.floor(at / half), at % half].map((n) => n * STRIDES[name]);
    return +seen.some((on, i) => on && Math.abs(Math.floor(i / side) - row) < 2 && Math.abs((i % side) - column) < 2);
  });
}

/** 一处往回看，看得见多宽：过一层 3×3 长一圈，前面的步长把圈放大；过一道全局的，是整张图 */
export function field(names) {
  if (names.some((name) => GLOBAL.has(name))) return Infinity;
  let [width, step] = [1, 1];
  for (const name of names) {
    width += 2 * step;
    step *= STRIDES[name];
  }
  return width;
}
