/* 按名字取一组张量：scope(tensors, "stem.1") 里的 weight 就是 stem.1.weight。 */
export function scope(tensors, prefix) {
  const start = `${prefix}.`;
  const inside = Object.entries(tensors).filter(([name]) => name.startsWith(start));
  return Object.fromEntries(inside.map(([name, value]) => [name.slice(start.length), value]));
}

/** 图 (0–1)，逐通道排 → 网络的输入：先化到 0–255 的整数，与训练时读到的一样 */
export function normalized(image, { mean, std }) {
  const size = image.length / mean.length;
  const data = image.map((value, i) => (Math.round(value * 255) / 255 - mean[Math.floor(i / size)]) / std[Math.floor(i / size)]);
  return { data, shape: [mean.length, Math.sqrt(size), Math.sqrt(size)] };
}
