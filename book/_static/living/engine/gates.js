/* 五道门：收一张特征图，还你它的开度。channel 逐通道，spatial 逐位置，whole 逐个数，value 只有一个。 */
import { channelMax, channelMean, concat, conv2d, linear, map, multiply, placeMax, placeMean, relu, sigmoid } from "./tensor.js";
import { scope } from "./scope.js";

const mlp = (x, w) => linear(relu(linear(x, w["fc1.weight"], w["fc1.bias"])), w["fc2.weight"], w["fc2.bias"]);

const se = (x, w) => ({ channel: sigmoid(mlp(channelMean(x), w)) });

/** 通道排成一行，当作一维的图来卷 */
function eca(x, w) {
  const { data, shape: [, , size] } = w["conv.weight"];
  const line = channelMean(x);
  const score = map(line, (_, c) => data.reduce((sum, k, i) => sum + k * (line.data[c + i - (size >> 1)] ?? 0), 0));
  return { channel: sigmoid(score) };
}

/** 先通道后空间；空间门看的是乘过通道门的图 */
function cbam(x, w) {
  const shared = scope(w, "channel");
  const [average, maximum] = [channelMean(x), channelMax(x)].map((seen) => mlp(seen, shared));
  const channel = sigmoid(map(average, (value, i) => value + maximum.data[i]));
  const seen = multiply(x, channel);
  const described = concat(placeMean(seen), placeMax(seen));
  const score = conv2d(described, w["spatial.conv.weight"], { bias: w["spatial.conv.bias"] });
  return { channel, spatial: sigmoid(score) };
}

/** 没有参数：离本通道的平均越远，开得越大 */
function simam(x) {
  const [mean, size] = [channelMean(x).data, x.shape[1] * x.shape[2]];
  const distance = map(x, (value, i) => (value - mean[Math.floor(i / size)]) ** 2);
  const spread = channelMean(distance).data.map((value) => 4 * ((value * size) / (size - 1) + 1e-4));
  return { whole: sigmoid(map(distance, (value, i) => value / spread[Math.floor(i / size)] + 0.5)) };
}

const constant = (_, w) => ({ value: w.value });

export const GATES = { se, eca, cbam, simam, constant };

/** 依次乘上一道门的各部分 */
export const through = (x, gate) => Object.values(gate).reduce(multiply, x);
