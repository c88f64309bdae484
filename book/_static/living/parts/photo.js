/* 读者自己的图：只在这一页里变成网络要的大小，不上传。读不了的，说为什么。 */
import { element } from "./dom.js";

const LARGEST = 24e6; // 像素；更大的解开要占一百多兆内存，手机受不了
const HEAVIEST = 20e6; // 字节
const WORK = 64; // 先缩到 64×64，再逐格平均

/** PNG 与 JPEG 开头写着的宽与高；别的格式不知道 */
function size(view) {
  if (view.byteLength > 24 && view.getUint32(0) === 0x89504e47) return [view.getUint32(16), view.getUint32(20)];
  if (view.byteLength < 4 || view.getUint16(0) !== 0xffd8) return null;
  for (let at = 2; at + 9 < view.byteLength;) {
    const mark = view.getUint16(at);
    if (mark >= 0xffc0 && mark <= 0xffcf && ![0xffc4, 0xffc8, 0xffcc].includes(mark)) return [view.getUint16(at + 7), view.getUint16(at + 5)];
    at += 2 + view.getUint16(at + 2);
  }
  return null;
}

/** 太大的不收 */
function fitting(width, height) {
  if (width * height > LARGEST) throw new Error(`这张图有 ${Math.round((width * height) / 1e6)} 百万像素，太大了；请先缩小到 24 百万以内。`);
}

/** 文件的开头；读不到的，有的浏览器报英文的错，有的给一段空的 */
async function start(file) {
  const head = await file.slice(0, 1 << 18).arrayBuffer().catch(() => null);
  if (!head?.byteLength) throw new Error("这个文件读不到，或者是空的：也许是文件夹，也许挪走了、改过了。");
  return new DataView(head);
}

async function decoded(file) {
  if (file.size > HEAVIEST) throw new Error(`这个文件有 ${Math.round(file.size / 1e6)} MB，太大了；请换一张不到 20 MB 的。`);
  fitting(...(size(await start(file)) ?? [0, 0]));
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error("这个文件不是图片，或者浏览器打不开它；请换一张 PNG 或 JPEG。");
  }
  fitting(bitmap.width, bitmap.height); // 别的格式，解开了才知道多大
  return bitmap;
}

/** 取正中的方块，缩成 WORK×WORK 的像素 */
function pixels(bitmap) {
  const canvas = Object.assign(document.createElement("canvas"), { width: WORK, height: WORK });
  const side = Math.min(bitmap.width, bitmap.height);
  try {
    const brush = canvas.getContext("2d", { willReadFrequently: true });
    brush.imageSmoothingQuality = "high"; // 大照片一下缩到几十像素，不平滑就全是锯齿
    brush.drawImage(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side, 0, 0, WORK, WORK);
    return brush.getImageData(0, 0, WORK, WORK).data;
  } catch {
    throw new Error("浏览器不许这一页读画布，自己的图用不了；现成的照常能用。");
  }
}

/** 逐格平均成 side×side；shares 为红、绿、蓝各占多少 */
function averaged(data, side, shares) {
  const y = new Float32Array(side * side);
  const cell = WORK / side;
  for (let i = 0; i < WORK * WORK; i += 1) {
    const value = shares.reduce((sum, share, k) => sum + share * data[4 * i + k], 0);
    y[Math.floor(Math.floor(i / WORK) / cell) * side + Math.floor((i % WORK) / cell)] += value / (255 * cell * cell);
  }
  return y;
}

/** 一张图片 → side×side 的灰度，0 是底、1 是笔画 */
export const read = async (file, side) => stretched(averaged(pixels(await decoded(file)), side, [0.299, 0.587, 0.114]), side);

/** 一张图片 → 红、绿、蓝三张 side×side，0–1 */
export async function readColor(file, side) {
  const data = pixels(await decoded(file));
  return [[1, 0, 0], [0, 1, 0], [0, 0, 1]].flatMap((only) => [...averaged(data, side, only)]);
}

/** “自己的图”的按钮，拖到 figure 里 board 摆着的时候也行，不然浏览器会离开这一页；taken(文件) 读它，读不了就 failed(话) */
export function own(figure, board, taken, failed) {
  const open = (file) => taken(file).catch((error) => failed(error.message));
  const chosen = () => {
    const [file] = input.files;
    if (file) open(file);
    input.value = ""; // 同一个文件再选一次也算
  };
  const input = element("input", { type: "file", accept: "image/*", "aria-label": "用自己的一张图", onchange: chosen });
  figure.addEventListener("dragover", (event) => event.preventDefault());
  figure.addEventListener("drop", (event) => {
    event.preventDefault();
    if (!board.isConnected) return;
    const [dropped] = event.dataTransfer.files;
    if (dropped) open(dropped); else failed("拖来的不是文件；要一张图片。");
  });
  return element("label", { class: "living-file" }, "自己的图", input);
}

/** 笔画深的多是黑字白纸：边上亮就反过来；再拉到 0 与 1 之间 */
function stretched(gray, side) {
  const edge = gray.filter((_, i) => i < side || i >= side * (side - 1) || i % side === 0 || i % side === side - 1);
  const light = edge.reduce((a, b) => a + b) / edge.length > 0.5;
  const ink = light ? gray.map((value) => 1 - value) : gray;
  const [low, high] = [Math.min(...ink), Math.max(...ink)];
  return ink.map((value) => (high > low ? (value - low) / (high - low) : 0));
}
