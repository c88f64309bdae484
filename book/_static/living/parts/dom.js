/* 搭页面的几块料：元素、按钮组、滑块、念给读屏的一句话、一格格的色块、一排条。 */

const SHAPES = new Set(["svg", "g", "rect", "circle", "text", "line", "path", "title", "image"]);

/** 一个元素；属性的值为 null 就不写，以 on 开头的是监听 */
export function element(tag, attributes = {}, ...children) {
  const made = SHAPES.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** 一组按钮，按下的只有一个；names 为取值 → 名字，取值是整数而次序要紧的给一串 [取值, 名字] */
export function choice(label, names, chosen, changed) {
  const press = (value) => buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.value === value)));
  const pairs = Array.isArray(names) ? names : Object.entries(names);
  const buttons = pairs.map(([value, name]) => element("button", {
    type: "button", "data-value": value, onclick: () => { press(value); changed(value); },
  }, name));
  press(String(chosen));
  const node = element("div", { class: "living-choice", role: "group", "aria-label": label }, ...buttons);
  return { node, press };
}

/** 开与关的一个按钮 */
export function toggle(name, on, changed) {
  const node = element("button", { type: "button", "aria-pressed": String(on) }, name);
  node.addEventListener("click", () => {
    const now = node.getAttribute("aria-pressed") !== "true";
    node.setAttribute("aria-pressed", String(now));
    changed(now);
  });
  return node;
}

/** 一个滑块；told 把值写成读得出的话 */
export function slider(label, { min, max, step, value }, told, changed) {
  const input = element("input", { type: "range", min, max, step, value, "aria-label": label, "aria-valuetext": told(value) });
  const shown = element("output", {}, told(value));
  input.addEventListener("input", () => {
    input.setAttribute("aria-valuetext", told(+input.value));
    shown.textContent = told(+input.value);
    changed(+input.value);
  });
  return element("label", { class: "living-slider" }, label, input, shown);
}

/** 结果的那句话：变了就由读屏念出来 */
export const spoken = () => element("p", { class: "living-say", role: "status" });

/** 一格格的色块，越满越浓；draw(数) 重画，数在 0 与 1 之间 */
export function heat(rows, columns, label) {
  const cells = Array.from({ length: rows * columns }, (_, i) =>
    element("rect", { x: i % columns, y: Math.floor(i / columns), width: 1, height: 1 }));
  const node = element("svg", { class: "living-heat", viewBox: `0 0 ${columns} ${rows}`, role: "img", "aria-label": label }, ...cells);
  const draw = (values) => cells.forEach((cell, i) => {
    const now = (0.06 + 0.94 * values[i]).toFixed(2);
    if (cell.getAttribute("fill-opacity") !== now) cell.setAttribute("fill-opacity", now); // 没变的不动，排版就快
  });
  return { node, draw, cells };
}

/** 方图分几档深浅，一档一条路径：格子再多，重画的也只有这几条。draw(数, 第几档)，档从 0 起，负的不画 */
export function tones(side, levels) {
  const paths = Array.from({ length: levels }, (_, level) => element("path", { "fill-opacity": ((level + 1) / levels).toFixed(2) }));
  /** 一行里相邻的同一档并成一条，路径就短 */
  function draw(values, level) {
    const [found, cells] = [values.map(level), paths.map(() => "")];
    for (let from = 0, to = 0; from < found.length; from = to) {
      for (to += 1; to % side && found[to] === found[from];) to += 1;
      if (found[from] >= 0) cells[found[from]] += `M${from % side} ${Math.floor(from / side)}h${to - from}v1h${from - to}z`;
    }
    paths.forEach((path, i) => { if (path.getAttribute("d") !== cells[i]) path.setAttribute("d", cells[i]); });
  }
  return { paths, draw };
}

/** 一排竖条，高 0 到 1；names 为条下的字，几个字的竖着排 */
export function bars(count, label, names = null) {
  const step = 100 / count;
  const under = names ? 1 + 8 * Math.max(...names.map((name) => name.length)) : 1;
  const pieces = Array.from({ length: count }, (_, i) => element("rect", { x: ((i + 0.1) * step).toFixed(2), width: (0.8 * step).toFixed(2) }));
  const words = (names ?? []).flatMap((name, i) => [...name].map((one, k) => element("text", { x: (i + 0.5) * step, y: 48 + 8 * k, "text-anchor": "middle" }, one)));
  const floor = element("line", { x1: 0, x2: 100, y1: 40, y2: 40 });
  const node = element("svg", { class: "living-bars", viewBox: `0 0 100 ${40 + under}`, role: "img", "aria-label": label }, floor, ...pieces, ...words);
  const draw = (values) => pieces.forEach((piece, i) => {
    piece.setAttribute("y", (40 - 40 * values[i]).toFixed(1));
    piece.setAttribute("height", Math.max(0.5, 40 * values[i]).toFixed(1));
  });
  return { node, draw };
}

/** 0–1 的数写三位，与正文的表相同 */
export const number = (value, digits = 3) => value.toFixed(digits);

/** 最大的是第几个 */
export const largest = (values) => values.indexOf(Math.max(...values));
