/* 几张现成的照片，与读者自己的一张；点一块就是选它。照片是 [3, 边, 边] 的数，0 到 1。 */
import { choice, element, receiver } from "./dom.js";
import { MOVES, clamp, placed } from "./cursor.js";
import { colours } from "./photo.js";

const [VIEW, BLOCK] = [8, 2]; // 画面的单位：边长 8，一块 2

/** 像素 → 一张 BMP 的网址：不用画布，画布被禁时照样看得见 */
function bitmap(image, side) {
  const head = [0x42, 0x4d, 54 + image.length, 0, 54, 40, side, side, 1, 24, 0, image.length, 0, 0, 0, 0];
  const sizes = [1, 1, 4, 4, 4, 4, 4, 4, 2, 2, 4, 4, 4, 4, 4, 4];
  const bytes = head.flatMap((value, i) => Array.from({ length: sizes[i] }, (_, k) => (value >> (8 * k)) & 255));
  for (let row = side - 1; row >= 0; row -= 1) {
    for (let column = 0; column < side; column += 1) {
      for (const c of [2, 1, 0]) bytes.push(Math.round(255 * image[(c * side + row) * side + column]));
    }
  }
  return `data:image/bmp;base64,${btoa(String.fromCharCode(...bytes))}`;
}

/** changed() 在换了照片之后，picked(行, 列) 在选了一处之后，failed(话) 在照片读不了的时候 */
export function album({ data, shape: [, ...shape] }, names, { changed, picked, failed }) {
  const [side, size] = [shape[1], shape.reduce((a, b) => a * b)];
  const image = data.slice(0, size);
  const shown = element("image", { class: "living-photo", width: VIEW, height: VIEW });
  const svg = element("svg", { class: "living-pad", viewBox: `0 0 ${VIEW} ${VIEW}`, tabindex: 0, role: "application", "aria-label": "一张照片。方向键选一块" }, shown);
  let at = [2, 2];
  function pick(row, column) {
    at = [row, column].map((n) => clamp(n - (n % BLOCK), 0, VIEW - BLOCK));
    picked(...at);
  }
  const place = placed(svg, VIEW);
  svg.addEventListener("click", (event) => pick(...place(event).map(Math.floor)));
  svg.addEventListener("keydown", (event) => {
    const step = MOVES[event.key];
    if (!step) return;
    pick(at[0] + BLOCK * step[0], at[1] + BLOCK * step[1]);
    event.preventDefault();
  });
  function show(values) {
    image.set(values);
    shown.setAttribute("href", bitmap(image, side));
    changed(image);
  }
  const own = receiver("自己的照片", async (file) => {
    try { show(await colours(file, side)); } catch (error) { failed(error.message); }
  }, failed);
  const samples = choice("现成的照片", names, 0, (i) => show(data.subarray(i * size, (i + 1) * size)));
  const node = element("div", { class: "living-board" }, svg, element("div", { class: "living-tools" }, samples.node, element("div", { class: "living-choice" }, own.node)));
  own.drop(node);
  return { node, svg, image, show, start: () => show(image) };
}
