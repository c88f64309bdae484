/* 数组上的几种算子。一个张量是 { data: Float32Array, shape }，按行排；每个算子还你一个新的。 */

const tensor = (data, ...shape) => ({ data, shape });
export const zeros = (...shape) => tensor(new Float32Array(shape.reduce((a, b) => a * b)), ...shape);

/** 逐个数；自己写循环，比数组自带的 map 快一倍 */
export function map(x, f) {
  const y = zeros(...x.shape);
  const from = x.data, into = y.data;
  for (let i = 0; i < into.length; i += 1) into[i] = f(from[i], i);
  return y;
}
export function add(x, y) {
  const sum = zeros(...x.shape);
  const left = x.data, right = y.data, into = sum.data;
  for (let i = 0; i < into.length; i += 1) into[i] = left[i] + right[i];
  return sum;
}

/** 全连接：x (N, 入)，weight (出, 入) → (N, 出)；时间几乎都花在这里，所以一次算四行、两个输出：
 *  取一次权重用四回，八个和都放得进寄存器；写法照量出来最快的（比两行、四个输出快四分之一）。凑不满的，最后一行、最后一个输出重算几遍，写在同一处 */
export function linear({ data: x, shape: [rows] }, { data: w, shape: [outs, ins] }, bias = null) {
  const y = zeros(rows, outs);
  const into = y.data;
  const start = (out) => (bias ? bias.data[out] : 0);
  for (let i = 0; i < outs; i += 2) {
    const j = Math.min(i + 1, outs - 1);
    const p = w.subarray(i * ins, (i + 1) * ins), q = w.subarray(j * ins, (j + 1) * ins);
    for (let row = 0; row < rows; row += 4) {
      const second = Math.min(row + 1, rows - 1), third = Math.min(row + 2, rows - 1), fourth = Math.min(row + 3, rows - 1);
      const k = row * ins, l = second * ins, m = third * ins, o = fourth * ins;
      let a = start(i), b = a, c = a, d = a, e = start(j), f = e, g = e, h = e;
      for (let n = 0; n < ins; n += 1) {
        const u = p[n], v = q[n];
        const r = x[k + n]; a += r * u; e += r * v;
        const s = x[l + n]; b += s * u; f += s * v;
        const t = x[m + n]; c += t * u; g += t * v;
        const z = x[o + n]; d += z * u; h += z * v;
      }
      into[row * outs + i] = a; into[second * outs + i] = b; into[third * outs + i] = c; into[fourth * outs + i] = d;
      into[row * outs + j] = e; into[second * outs + j] = f; into[third * outs + j] = g; into[fourth * outs + j] = h;
    }
  }
  return y;
}

/** 行与列对调：(N, D) → (D, N) */
export function transposed({ data, shape: [rows, columns] }) {
  const y = zeros(columns, rows);
  const into = y.data;
  for (let row = 0, at = 0; row < rows; row += 1)
    for (let column = 0; column < columns; column += 1, at += 1) into[column * rows + row] = data[at];
  return y;
}

/** 卷积：x (C, H, W)，weight (C', C, k, k) → (C', H', W')，四周补 0；把每处盖住的排成一行，就是全连接 */
export function conv2d(x, weight, { stride = 1, padding = weight.shape[2] >> 1, bias } = {}) {
  const [outs, channels, size] = weight.shape;
  const [rows, columns] = x.shape.slice(1).map((n) => Math.floor((n + 2 * padding - size) / stride) + 1);
  const seen = zeros(rows * columns, channels * size * size);
  for (let place = 0; place < rows * columns; place += 1) {
    const [top, left] = [Math.floor(place / columns), place % columns].map((n) => n * stride - padding);
    seen.data.set(patch(x, size, top, left), place * seen.shape[1]);
  }
  const y = linear(seen, { data: weight.data, shape: [outs, seen.shape[1]] }, bias);
  return tensor(transposed(y).data, outs, rows, columns);
}

/** 卷积核盖住的那一块，排成与核相同的次序；伸到图外的是 0 */
function patch({ data, shape: [channels, height, width] }, size, top, left) {
  const seen = new Float32Array(channels * size * size);
  for (let c = 0, at = 0; c < channels; c += 1) {
    for (let h = top; h < top + size; h += 1) {
      for (let w = left; w < left + size; w += 1, at += 1) {
        if (h >= 0 && h < height && w >= 0 && w < width) seen[at] = data[(c * height + h) * width + w];
      }
    }
  }
  return seen;
}

/** 评估模式的批归一化：x (C, H, W)，四组数各 (C) */
export function batchNorm(x, { weight, bias, running_mean: mean, running_var: variance }, eps = 1e-5) {
  const size = x.data.length / x.shape[0];
  return map(x, (value, i) => {
    const c = Math.floor(i / size);
    return ((value - mean.data[c]) / Math.sqrt(variance.data[c] + eps)) * weight.data[c] + bias.data[c];
  });
}

/** 层归一化：x (N, D)，逐行 */
export function layerNorm(x, { weight, bias }, eps = 1e-6) {
  const [y, width] = [zeros(...x.shape), x.shape[1]];
  for (let at = 0; at < x.data.length; at += width) {
    let [sum, squares] = [0, 0];
    for (let i = at; i < at + width; i += 1) sum += x.data[i];
    const mean = sum / width;
    for (let i = at; i < at + width; i += 1) squares += (x.data[i] - mean) ** 2;
    const scale = 1 / Math.sqrt(squares / width + eps);
    for (let i = 0; i < width; i += 1) y.data[at + i] = (x.data[at + i] - mean) * scale * weight.data[i] + bias.data[i];
  }
  return y;
}

/** softmax，沿最后一维；先减最大的，指数才不会溢出。算得最勤，所以一行也不另开数组 */
export function softmax({ data, shape }) {
  const y = zeros(...shape);
  const into = y.data, width = shape.at(-1);
  for (let at = 0; at < data.length; at += width) {
    const end = at + width;
    let top = -Infinity, total = 0;
    for (let i = at; i < end; i += 1) if (data[i] > top) top = data[i];
    for (let i = at; i < end; i += 1) total += into[i] = Math.exp(data[i] - top);
    for (let i = at; i < end; i += 1) into[i] /= total;
  }
  return y;
}

export const relu = (x) => map(x, (value) => Math.max(0, value));
export const sigmoid = (x) => map(x, (value) => 1 / (1 + Math.exp(-value)));

/** 也是自己的循环：每一块里的数几乎都过它 */
export function gelu(x) {
  const y = zeros(...x.shape);
  const from = x.data, into = y.data;
  for (let i = 0; i < into.length; i += 1) into[i] = (from[i] * (1 + erf(from[i] / Math.SQRT2))) / 2;
  return y;
}

/** 误差函数，差不到 1.5e-7：Abramowitz 与 Stegun，式 7.1.26 */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const polynomial = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - polynomial * Math.exp(-x * x));
}

/** 每个通道归成一个数：x (C, H, W) → (1, C) */
const everyChannel = (f) => (x) => {
  const size = x.data.length / x.shape[0];
  return tensor(Float32Array.from({ length: x.shape[0] }, (_, c) => f(x.data.subarray(c * size, (c + 1) * size))), 1, x.shape[0]);
};
export const channelMean = everyChannel((values) => values.reduce((a, b) => a + b) / values.length);
export const channelMax = everyChannel((values) => values.reduce((a, b) => Math.max(a, b)));

/** 每个位置归成一个数：x (C, H, W) → (1, H, W) */
const everyPlace = (f, finish = (value) => value) => (x) => {
  const [channels, height, width] = x.shape;
  const y = zeros(1, height, width);
  y.data.forEach((_, place) => {
    let value = x.data[place];
    for (let c = 1; c < channels; c += 1) value = f(value, x.data[c * height * width + place]);
    y.data[place] = finish(value, channels);
  });
  return y;
};
export const placeMean = everyPlace((a, b) => a + b, (sum, channels) => sum / channels);
export const placeMax = everyPlace(Math.max);

/** 几张图沿通道接起来 */
export function concat(...maps) {
  const channels = maps.reduce((sum, x) => sum + x.shape[0], 0);
  const y = zeros(channels, ...maps[0].shape.slice(1));
  maps.reduce((at, x) => { y.data.set(x.data, at); return at + x.data.length; }, 0);
  return y;
}

/** x (C, H, W) 乘上一道门：(C, H, W) 逐个数，(1, H, W) 逐位置，(1, C) 与 (C, 1, 1) 逐通道，(1) 处处同一个数 */
export function multiply(x, { data, shape }) {
  const size = x.shape[1] * x.shape[2];
  const [whole, perPlace, perChannel] = [(i) => i, (i) => i % size, (i) => Math.floor(i / size)];
  const threefold = shape[0] === 1 ? perPlace : shape[2] === 1 ? perChannel : whole;
  const at = { 1: () => 0, 2: perChannel, 3: threefold }[shape.length];
  return map(x, (value, i) => value * data[at(i)]);
}
