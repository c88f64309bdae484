/* 一张 32×32 的照片：现成的几张，或者读者自己的；点一块，或者用方向键换一块。 */
import { choice, element } from "./dom.js";
import { MOVES, clamp, placed } from "./cursor.js";
import { own, readColor } from "./photo.js";

const [SIDE, GRID, FIRST] = [32, 8, 3];
const SIZE = SIDE * SIDE;

/** 红、绿、蓝三张 0–1 的图 → BMP 的网址：不经画布，不许用画布的浏览器也看得见 */
function bitmap(image) {
  const bytes = new Uint8Array(54 + 3 * SIZE);
  const head = new DataView(bytes.buffer);
  for (const [at, value] of [[0, 0x4d42], [10, 54], [14, 40], [18, SIDE], [22, -SIDE], [26, 1 | (24 << 16)]]) head.setInt32(at, value, true);
  for (let i = 0; i < 3 * SIZE; i += 1) bytes[54 + 3 * (i % SIZE) + 2 - Math.floor(i / SIZE)] = Math.round(255 * image[i]);
  return `data:image/bmp;base64,${btoa(String.fromCharCode(...bytes))}`;
}

/** figure 为整张图，photos 为现成的 (张, 3, 32, 32)，names 为它们的名字；changed(图) 在换了图之后，picked(行, 列) 在选了一块之后，
 *  failed(话) 在照片读不了的时候；truth() 是这一张的标签，自己的没有 */
export function album(figure, { data, shape: [count] }, names, { changed, picked, failed }) {
  const images = Array.from({ length: count }, (_, n) => Float32Array.from(data.subarray(n * 3 * SIZE, (n + 1) * 3 * SIZE), (value) => value / 255));
  const image = new Float32Array(3 * SIZE);
  const state = { row: 3, column: 3, label: null };
  const shown = element("image", { class: "living-photo", width: GRID, height: GRID });
  const svg = element("svg", { class: "living-pad", viewBox: `0 0 ${GRID} ${GRID}`, tabindex: 0, role: "application", "aria-label": `照片，切成 ${GRID}×${GRID} 块。方向键换一块` }, shown);
  function show(values, label = null) {
    image.set(values);
    state.label = label;
    shown.setAttribute("href", bitmap(image));
    changed(image);
  }
  function pick(row, column) {
    Object.assign(state, { row: clamp(row, 0, GRID - 1), column: clamp(column, 0, GRID - 1) });
    picked(state.row, state.column);
  }
  const place = placed(svg, GRID);
  svg.addEventListener("click", (event) => pick(...place(event).map(Math.floor)));
  svg.addEventListener("keydown", (event) => {
    const step = MOVES[event.key];
    if (!step) return;
    pick(state.row + step[0], state.column + step[1]);
    event.preventDefault();
  });
  const thumbs = images.map((one, n) => element("img", { class: "living-photo", src: bitmap(one), alt: names[n], width: SIDE, height: SIDE }));
  const samples = choice("现成的照片", { ...thumbs }, FIRST, (n) => show(images[n], names[n]));
  const board = element("div", { class: "living-board" });
  const mine = own(figure, board, async (file) => { show(await readColor(file, SIDE)); samples.press(""); }, failed);
  board.append(svg, element("div", { class: "living-tools" }, samples.node, element("div", { class: "living-choice" }, mine)));
  return { node: board, svg, image, truth: () => state.label, start: () => show(images[FIRST], names[FIRST]) };
}
