/* ViT：切块、加位置、过几个块、看分类 token；与 vision_attention 的 ViT 同名同算，注意力逐层逐头留给人看。 */
import { add, conv2d, dot, gelu, layerNorm, linear, softmax, zeros } from "./tensor.js";
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

/** 窗口：离得不超过 window >> 1 的块才看得见；分类 token 看得见所有，也被所有看见 */
export function visible(grid, window) {
  const reach = window >> 1;
  const near = (a, b) => Math.abs(a - b) <= reach;
  return (n, m) => !window || !n || !m
    || (near(Math.floor((n - 1) / grid), Math.floor((m - 1) / grid)) && near((n - 1) % grid, (m - 1) % grid));
}

/** 一份权重 → 一个函数：(图, 旋钮) → { logits, classes, attention }；attention[层][头] 是 (N, N)
 *  旋钮：sharpness 乘在 1/√K 上；window 为 0 看全图；order 为打乱的位置 */
export function vit({ tensors, facts: { spec, normalize } }) {
  const grid = spec.image_size / spec.patch_size;
  const [heads, size] = [spec.num_heads, spec.embed_dim / spec.num_heads];
  const blocks = Array.from({ length: spec.depth }, (_, i) => scope(tensors, `blocks.${i}`));

  function rows(qkv, head, { sharpness, seen }) {
    const [count, width] = qkv.shape;
    const scores = zeros(count, count);
    for (let n = 0; n < count; n += 1) {
      for (let m = 0; m < count; m += 1) {
        const [q, k] = [n * width + head * size, m * width + spec.embed_dim + head * size];
        const score = dot(qkv.data, q, qkv.data, k, size);
        scores.data[n * count + m] = seen(n, m) ? (score * sharpness) / Math.sqrt(size) : -Infinity;
      }
    }
    return softmax(scores);
  }

  function mix(into, qkv, head, weights) {
    const [count, width] = qkv.shape;
    for (let n = 0; n < count; n += 1) {
      for (let m = 0; m < count; m += 1) {
        const [weight, v] = [weights.data[n * count + m], m * width + 2 * spec.embed_dim + head * size];
        for (let i = 0; i < size; i += 1) into.data[n * spec.embed_dim + head * size + i] += weight * qkv.data[v + i];
      }
    }
  }

  function attend(x, w, knobs) {
    const qkv = linear(x, w["attn.qkv.weight"], w["attn.qkv.bias"]);
    const mixed = zeros(...x.shape);
    const attention = Array.from({ length: heads }, (_, head) => rows(qkv, head, knobs));
    attention.forEach((weights, head) => mix(mixed, qkv, head, weights));
    return [linear(mixed, w["attn.proj.weight"], w["attn.proj.bias"]), attention];
  }

  function through(x, w, knobs) {
    const [mixed, attention] = attend(layerNorm(x, scope(w, "norm1")), w, knobs);
    const y = add(x, mixed);
    const hidden = gelu(linear(layerNorm(y, scope(w, "norm2")), w["mlp.fc1.weight"], w["mlp.fc1.bias"]));
    return [add(y, linear(hidden, w["mlp.fc2.weight"], w["mlp.fc2.bias"])), attention];
  }

  return (image, { sharpness = 1, window = 0, order = null } = {}) => {
    const proj = scope(tensors, "patch_embed.proj");
    const patches = conv2d(normalized(image, normalize), proj.weight, { stride: spec.patch_size, padding: 0, bias: proj.bias });
    let x = placed(tokens(patches, tensors.cls_token), tensors.pos_embed, order);
    const attention = blocks.map((w) => {
      const [y, weights] = through(x, w, { sharpness, seen: visible(grid, window) });
      x = y;
      return weights;
    });
    const summary = layerNorm({ data: x.data.slice(0, spec.embed_dim), shape: [1, spec.embed_dim] }, scope(tensors, "norm"));
    const logits = linear(summary, tensors["head.weight"], tensors["head.bias"]);
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
