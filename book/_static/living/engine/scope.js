/* 按名字取一组张量：scope(tensors, "stem.1") 里的 weight 就是 stem.1.weight。 */
export function scope(tensors, prefix) {
  const start = `${prefix}.`;
  const inside = Object.entries(tensors).filter(([name]) => name.startsWith(start));
  return Object.fromEntries(inside.map(([name, value]) => [name.slice(start.length), value]));
}

/** 图 (0–1) → 网络的输入：先化到 0–255 的整数，与训练时读到的一样 */
export function normalized(image, { mean: [mean], std: [std] }) {
  const side = Math.sqrt(image.length);
  const data = Float32Array.from(image, (value) => (Math.round(value * 255) / 255 - mean) / std);
  return { data, shape: [1, side, side] };
}
