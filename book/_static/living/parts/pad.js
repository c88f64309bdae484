/* 8×8 的画板：鼠标拖着画；手指先按“用手指画”，平时竖着划还是滚页面；键盘用方向键与空格。 */
import { choice, element, heat, toggle } from "./dom.js";
import { MOVES, clamp, placed } from "./cursor.js";
import { own, read } from "./photo.js";

const SIDE = 8;
const LEVELS = "0123456789abcdefg"; // 灰度 0–16，一个字一格

export const decoded = (codes) => codes.split(",").map((code) => Float32Array.from(code, (c) => LEVELS.indexOf(c) / 16));

/** figure 为整张图，digits 为现成的数字；changed(图) 在图变了之后，picked(行, 列) 在选了一格之后（不给就只能画）；
 *  failed(话) 在照片读不了的时候 */
export function pad(figure, digits, { changed, picked = null, failed }) {
  const image = Float32Array.from(digits[3]);
  const state = { row: 3, column: 3, drawing: !picked, touch: false };
  const { node: svg, draw, cells } = heat(SIDE, SIDE, "");
  const cursor = element("rect", { class: "living-cursor", width: 1, height: 1, x: 3, y: 3 });
  svg.append(cursor);
  const set = { class: "living-heat living-pad", tabindex: 0, role: "application", "aria-label": `${SIDE}×${SIDE} 的画板。方向键移动，空格${picked ? "选这一块" : "涂黑"}，Delete 擦掉` };
  for (const [name, value] of Object.entries(set)) svg.setAttribute(name, value);

  const redraw = () => { draw(image); changed(image); };
  function show(values) { image.set(values); redraw(); }
  function move(row, column) {
    Object.assign(state, { row, column });
    cursor.setAttribute("x", column);
    cursor.setAttribute("y", row);
  }
  /** 一笔落在 (y, x)：离笔尖越近越黑，线就不带锯齿 */
  function ink(y, x) {
    cells.forEach((_, i) => {
      const far = Math.hypot(Math.floor(i / SIDE) + 0.5 - y, (i % SIDE) + 0.5 - x);
      image[i] = Math.max(image[i], clamp(1.3 - far, 0, 1));
    });
    redraw();
  }
  function act(y, x) {
    move(Math.floor(y), Math.floor(x));
    if (state.drawing) ink(y, x); else picked(state.row, state.column);
  }
  const place = placed(svg, SIDE);

  /* 手指落下时还不知道是点还是要滚页面：没有按“用手指画”，等浏览器说是点了才算 */
  let [held, tapping] = [false, false];
  svg.addEventListener("pointerdown", (event) => {
    held = event.pointerType === "mouse" || state.touch;
    tapping = !held;
    if (!held) return;
    svg.setPointerCapture(event.pointerId);
    act(...place(event));
  });
  svg.addEventListener("click", (event) => { if (tapping) act(...place(event)); });
  svg.addEventListener("pointermove", (event) => { if (held) act(...place(event)); });
  for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, () => { held = false; });
  svg.addEventListener("keydown", (event) => {
    const { row, column } = state;
    const step = MOVES[event.key];
    if (step) move(clamp(row + step[0], 0, SIDE - 1), clamp(column + step[1], 0, SIDE - 1));
    else if (event.key === " " || event.key === "Enter") act(row + 0.5, column + 0.5);
    else if (event.key === "Delete" || event.key === "Backspace") { image[row * SIDE + column] = 0; redraw(); }
    else return;
    event.preventDefault();
  });

  const node = element("div", { class: "living-board" }, svg);
  const mine = own(figure, node, async (file) => show(await read(file, SIDE)), failed);
  const touch = toggle("用手指画", false, (on) => { state.touch = on; svg.style.touchAction = on ? "none" : ""; });
  touch.classList.add("living-touch");
  const mode = picked && choice("点画板做什么", { pick: "选一块", draw: "画" }, "pick", (value) => { state.drawing = value === "draw"; });
  const samples = choice("现成的数字", Object.fromEntries(digits.map((_, i) => [i, i])), 3, (i) => show(digits[i]));
  const clear = element("button", { type: "button", onclick: () => show(new Float32Array(SIDE * SIDE)) }, "擦净");
  node.append(element("div", { class: "living-tools" }, ...(mode ? [mode.node] : []), samples.node,
    element("div", { class: "living-choice" }, clear, touch, mine)));
  return { node, svg, image, show, start: redraw };
}
