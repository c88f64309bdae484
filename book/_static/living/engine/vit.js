/* ViT：切块、加位置、过几个块、看分类 token；与 vision_attention 的 ViT 同名同算，注意力逐层逐头留给人看。 */
import { add, conv2d, gelu, layerNorm, linear, map, softmax, transposed, zeros } from "./tensor.js";
import { normalized, scope } from "./scope.js";

/** (D, h, w) 的特征图 → 前面空一行留给分类 token 的 (1 + h·w, D) */
function tokens(patches, classToken) {
  const [width, rows, columns] = patches.shape;
  const count = rows * columns;
  const x = zeros(count + 1, width);
  x.data.set(classToken.data);
  for (let n = 0; n < count; n += 1) for (let d = 0; d < width; d += 1) x.data[(n + 1) * width + d] = patches.data[d * count + n];
  return x;
}

/** 前 count 行 */
const top = ({ data, shape: [, width] }, count) => ({ data: data.subarray(0, count * width), shape: [count, width] });

/** 位置打乱：第 n 块领到第 order[n] 块的位置；分类 token 的不动 */
function placed(x, positions, order) {
  const width = x.shape[1];
  const moved = zeros(...x.shape);
  for (let n = 0; n < x.shape[0]; n += 1) {
    const from = n && order ? order[n - 1] + 1 : n;
    moved.data.set(positions.data.subarray(from * width, (from + 1) * width), n * width);
  }
  return add(x, moved);
}

/** 窗口：离得不超过 window >> 1 的块才看得见；分类 token 看得见所有，也被所有看见。还你看不见的那些数的位置 */
function unseen(grid, window) {
  const [count, reach] = [grid * grid + 1, window >> 1];
  const near = (a, b) => Math.abs(a - b) <= reach;
  const seen = (n, m) => !n || !m
    || (near(Math.floor((n - 1) / grid), Math.floor((m - 1) / grid)) && near((n - 1) % grid, (m - 1) % grid));
  const places = window ? Array.from({ length: count * count }, (_, i) => i) : [];
  return places.filter((i) => !seen(Math.floor(i / count), i % count));
}

/** 一份权重 → 一个函数：(图, 旋钮) → { logits, classes, attention }；attention[层][头] 是 (N, N)
 *  旋钮：sharpness 乘在 1/√K 上；window 为 0 看全图；order 为打乱的位置 */
export function vit({ tensors, facts: { spec, normalize } }) {
  const grid = spec.image_size / spec.patch_size;
  const [heads, size] = [spec.num_heads, spec.embed_dim / spec.num_heads];
  const blocks = Array.from({ length: spec.depth }, (_, i) => scope(tensors, `blocks.${i}`));

  /** 一个头的一份：(N, 3D) 里从 from 起的几列 */
  function columns({ data, shape: [count, width] }, from) {
    const part = zeros(count, size);
    for (let n = 0; n < count; n += 1) part.data.set(data.subarray(n * width + from, n * width + from + size), n * size);
    return part;
  }

  /** 一个头：(N, N) 的权重，与前 needed 行混出来的 (needed, D/A) */
  function attendOne(qkv, head, { sharpness, hidden }, needed) {
    const [q, k, v] = [0, 1, 2].map((part) => columns(qkv, part * spec.embed_dim + head * size));
    const scores = linear(map(q, (value) => (value * sharpness) / Math.sqrt(size)), k);
    hidden.forEach((place) => { scores.data[place] = -Infinity; });
    const weights = softmax(scores);
    return { weights, mixed: linear(top(weights, needed), transposed(v)) };
  }

  function attend(x, w, knobs, needed) {
    const qkv = linear(x, w["attn.qkv.weight"], w["attn.qkv.bias"]);
    const found = Array.from({ length: heads }, (_, head) => attendOne(qkv, head, knobs, needed));
    const joined = zeros(needed, spec.embed_dim);
    found.forEach(({ mixed }, head) => mixed.data.forEach((value, i) => {
      joined.data[Math.floor(i / size) * spec.embed_dim + head * size + (i % size)] = value;
    }));
    return [linear(joined, w["attn.proj.weight"], w["attn.proj.bias"]), found.map(({ weights }) => weights)];
  }

  function through(x, w, knobs, needed) {
    const [mixed, attention] = attend(layerNorm(x, scope(w, "norm1")), w, knobs, needed);
    const y = add(top(x, needed), mixed);
    const hidden = gelu(linear(layerNorm(y, scope(w, "norm2")), w["mlp.fc1.weight"], w["mlp.fc1.bias"]));
    return [add(y, linear(hidden, w["mlp.fc2.weight"], w["mlp.fc2.bias"])), attention];
  }

  return (image, { sharpness = 1, window = 0, order = null } = {}) => {
    const proj = scope(tensors, "patch_embed.proj");
    const patches = conv2d(normalized(image, normalize), proj.weight, { stride: spec.patch_size, padding: 0, bias: proj.bias });
    let x = placed(tokens(patches, tensors.cls_token), tensors.pos_embed, order);
    const knobs = { sharpness, hidden: unseen(grid, window) };
    const attention = blocks.map((w, i) => {
      const last = i === blocks.length - 1; // 往后只看分类 token，最后一块就只替它算
      const [y, weights] = through(x, w, knobs, last ? 1 : x.shape[0]);
      x = y;
      return weights;
    });
    const logits = linear(layerNorm(x, scope(tensors, "norm")), tensors["head.weight"], tensors["head.bias"]);
    return { logits: logits.data, classes: softmax(logits).data, attention };
  };
}

/** 一行权重平均看多远（单位：块），分类 token 不算 */
export function distance(weights, grid, query) {
  const count = weights.shape[0];
  let [sum, total] = [0, 0];
  for (let m = 1; m < count; m += 1) {
    const weight = weights.data[query * count + m];
    const [dy, dx] = [Math.floor((query - 1) / grid) - Math.floor((m - 1) / grid), ((query - 1) % grid) - ((m - 1) % grid)];
    sum += weight * Math.hypot(dy, dx);
    total += weight;
  }
  return total ? sum / total : 0;
}

/** 一个头平均看多远：每一块的平均再平均，与书里的 mean_attention_distance 相同 */
export function meanDistance(weights, grid) {
  const queries = Array.from({ length: grid * grid }, (_, i) => i + 1);
  return queries.reduce((sum, query) => sum + distance(weights, grid, query), 0) / queries.length;
}
