/* 配对差的区间、Holm 校正、四种回答：与 vision_attention.statistics 同样的判法。 */

export const [UP, DOWN, ALIKE, UNSURE, FEW] = ["提高", "降低", "相差不到 δ", "说不准", "次数不够"];
const LEVEL = 0.05;

/** 均值与 95 % t 区间、双侧 p；不足两个时只有均值 */
export function meanInterval(values) {
  const n = values.length;
  const mean = values.reduce((a, b) => a + b, 0) / n;
  if (n < 2) return { n, mean, low: null, high: null, p: null };
  const sd = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / (n - 1));
  if (sd <= 1e-12) return { n, mean, low: mean, high: mean, p: Math.abs(mean) <= 1e-12 ? 1 : 0 };
  const error = sd / Math.sqrt(n);
  const half = critical(n - 1) * error;
  return { n, mean, low: mean - half, high: mean + half, p: twoSided(Math.abs(mean) / error, n - 1) };
}

/** 一族里校正后的 p；null 的不算 */
export function holm(values) {
  const order = values.map((_, i) => i).filter((i) => values[i] !== null).sort((a, b) => values[a] - values[b]);
  const adjusted = values.map(() => null);
  order.reduce((largest, index, rank) => {
    adjusted[index] = Math.max(largest, Math.min(1, values[index] * (order.length - rank)));
    return adjusted[index];
  }, 0);
  return adjusted;
}

/** 校正后的 p 不到 0.05 才说提高或降低；整个区间在 ±δ 之内才说相差不到 δ */
export function answer({ mean, low, high }, p, margin) {
  if (p === null) return FEW;
  if (p < LEVEL) return mean > 0 ? UP : DOWN;
  return -margin < low && high < margin ? ALIKE : UNSURE;
}

/** t 分布两边尾巴的面积：正则化的不完全贝塔函数 I(ν / (ν + t²); ν/2, ½) */
const twoSided = (t, freedom) => beta(freedom / (freedom + t * t), freedom / 2, 0.5);

/** 两边尾巴合起来是 0.05 的 t：面积随 t 单调，对半找 */
function critical(freedom) {
  let [low, high] = [0, 1000];
  for (let i = 0; i < 80; i += 1) {
    const middle = (low + high) / 2;
    if (twoSided(middle, freedom) > LEVEL) low = middle; else high = middle;
  }
  return low;
}

/** 正则化的不完全贝塔函数，连分式；x 偏大时换到另一头，收敛得快 */
function beta(x, a, b) {
  if (x <= 0 || x >= 1) return Math.min(1, Math.max(0, x));
  if (x > (a + 1) / (a + b + 2)) return 1 - beta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x)) / a;
  let [c, d] = [1, 1 / (1 - ((a + b) * x) / (a + 1))];
  let product = d;
  for (let m = 1; m < 300; m += 1) {
    for (const term of [(m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)), (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))]) {
      d = 1 / (1 + term * d);
      c = 1 + term / c;
      product *= c * d;
    }
    if (Math.abs(c * d - 1) < 1e-14) break;
  }
  return front * product;
}

/** ln Γ(x)：先升到 8 以上，再用 Stirling 的级数 */
function logGamma(x) {
  if (x < 8) return logGamma(x + 1) - Math.log(x);
  const r = 1 / (x * x);
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r / 1680))) / x;
}
