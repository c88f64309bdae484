/* 读者自己的图：只在这一页里缩小，不上传。读不了的，说为什么。 */

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

async function decoded(file) {
  if (file.size > HEAVIEST) throw new Error(`这个文件有 ${Math.round(file.size / 1e6)} MB，太大了；请换一张不到 20 MB 的。`);
  const measured = size(new DataView(await file.slice(0, 1 << 18).arrayBuffer()));
  if (measured && measured[0] * measured[1] > LARGEST) {
    throw new Error(`这张图有 ${Math.round((measured[0] * measured[1]) / 1e6)} 百万像素，太大了；请先缩小到 24 百万以内。`);
  }
  try {
    return await createImageBitmap(file);
  } catch {
    throw new Error("这个文件不是图片，或者浏览器打不开它；请换一张 PNG 或 JPEG。");
  }
}

/** 取正中的方块，缩成 WORK×WORK 的像素 */
function pixels(bitmap) {
  const canvas = Object.assign(document.createElement("canvas"), { width: WORK, height: WORK });
  const side = Math.min(bitmap.width, bitmap.height);
  try {
    const brush = canvas.getContext("2d", { willReadFrequently: true });
    brush.drawImage(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side, 0, 0, WORK, WORK);
    return brush.getImageData(0, 0, WORK, WORK).data;
  } catch {
    throw new Error("浏览器不许这一页读画布，自己的图用不了；画板与现成的数字照常能用。");
  }
}

/** 一张图片 → [3, side, side]，0 到 1：每一格取平均 */
export async function colours(file, side) {
  const data = pixels(await decoded(file));
  const image = new Float32Array(3 * side * side);
  const cell = WORK / side;
  for (let i = 0; i < WORK * WORK; i += 1) {
    const at = Math.floor(Math.floor(i / WORK) / cell) * side + Math.floor((i % WORK) / cell);
    for (let c = 0; c < 3; c += 1) image[c * side * side + at] += data[4 * i + c] / (255 * cell * cell);
  }
  return image;
}

/** 一张图片 → side×side 的灰度，0 是底、1 是笔画 */
export async function gray(file, side) {
  const [image, size] = [await colours(file, side), side * side];
  const mixed = image.subarray(0, size).map((red, i) => 0.299 * red + 0.587 * image[size + i] + 0.114 * image[2 * size + i]);
  return stretched(mixed, side);
}

/** 笔画深的多是黑字白纸：边上亮就反过来；再拉到 0 与 1 之间 */
function stretched(gray, side) {
  const edge = gray.filter((_, i) => i < side || i >= side * (side - 1) || i % side === 0 || i % side === side - 1);
  const light = edge.reduce((a, b) => a + b) / edge.length > 0.5;
  const ink = light ? gray.map((value) => 1 - value) : gray;
  const [low, high] = [Math.min(...ink), Math.max(...ink)];
  return ink.map((value) => (high > low ? (value - low) / (high - low) : 0));
}
