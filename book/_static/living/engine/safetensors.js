/* 读 .safetensors：一个文件是 8 个字节的长度、那么长的 JSON、首尾相接的数。 */

const BYTES = { U8: 1, F16: 2, F32: 4 };
const NUMBERS = { U8: (bytes) => new Uint8Array(bytes), F16: (bytes) => widen(new Uint16Array(bytes)), F32: (bytes) => new Float32Array(bytes) };

/** 取回一份权重：{ tensors: { 名字: { data, shape } }, facts: 文件头里的 JSON } */
export async function load(url) {
  let [answer, bytes] = [];
  try {
    answer = await fetch(url);
    bytes = await answer.arrayBuffer(); // 网也会断在半路
  } catch {
    throw new Error("权重没有取到：网断了，或者浏览器不许。");
  }
  if (!answer.ok) throw new Error(`权重没有取到：网站回答 ${answer.status}。`);
  return parse(bytes);
}

/** 字节 → 张量；不完整、不是这种文件的，一个数也不用 */
export function parse(buffer) {
  const { __metadata__: { facts = "{}" } = {}, ...entries } = header(buffer);
  const start = 8 + length(buffer);
  const tensors = {};
  for (const [name, { dtype, shape, data_offsets: [first, last] }] of Object.entries(entries)) {
    const count = shape.reduce((a, b) => a * b, 1);
    if (!BYTES[dtype]) throw new Error(`权重的类型 ${dtype} 读不了。`);
    if (last - first !== count * BYTES[dtype]) throw new Error("权重的文件不对：大小与形状不符。");
    if (start + last > buffer.byteLength) throw new Error("权重只到了一半。");
    const bytes = buffer.slice(start + first, start + last);
    tensors[name] = { data: NUMBERS[dtype](bytes), shape };
  }
  return { tensors, facts: JSON.parse(facts) };
}

function length(buffer) {
  if (buffer.byteLength < 8) throw new Error("权重只到了一半。");
  return Number(new DataView(buffer).getBigUint64(0, true));
}

function header(buffer) {
  const size = length(buffer);
  if (size > buffer.byteLength - 8) throw new Error("权重只到了一半，或者不是权重。");
  try {
    return JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, size)));
  } catch {
    throw new Error("取到的不是权重。");
  }
}

/** 16 位小数 → 32 位：符号 1 位、指数 5 位、尾数 10 位 */
function widen(halves) {
  return Float32Array.from(halves, (bits) => {
    const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
}
