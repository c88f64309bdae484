/* 在一张方图上指一处：方向键怎样走，指针落在第几行第几列。 */
export const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** 指针的 [行, 列]，带小数；出了图就算在边上 */
export const placed = (svg, side) => (event) => {
  const box = svg.getBoundingClientRect();
  return [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width].map((share) => clamp(share * side, 0, side - 0.01));
};
