/* 窄 ResNet：三个残差块，支路末端各可装一道门；与 vision_attention 的 ResNet 同名同算。 */
import { add, batchNorm, channelMean, conv2d, linear, relu, softmax } from "./tensor.js";
import { GATES, through } from "./gates.js";
import { normalized, scope } from "./scope.js";

const STRIDES = [1, 2, 2];

/** 一份权重 → 一个函数：(图, 每道门怎样) → { logits, classes, gates }
 *  怎样：open 照常，mean 换成训练图上的平均，off 去掉 */
export function resnet({ tensors, facts: { spec, normalize } }) {
  const block = STRIDES.map((_, i) => scope(tensors, `stages.${i}.0`));
  const gate = GATES[spec.attention];

  function attended(x, number, mode) {
    if (!gate) return [x, null];
    const seen = gate(x, scope(block[number], "branch_attention"));
    if (mode === "off") return [x, seen];
    const average = tensors[`mean_gate.${number}`];
    return [through(x, mode === "mean" && average ? { whole: average } : seen), seen];
  }

  function residual(x, number, mode) {
    const w = block[number];
    const stride = STRIDES[number];
    const inner = relu(batchNorm(conv2d(x, w["branch.0.weight"], { stride }), scope(w, "branch.1")));
    const outer = batchNorm(conv2d(inner, w["branch.3.weight"]), scope(w, "branch.4"));
    const short = w["shortcut.0.weight"];
    const identity = short ? batchNorm(conv2d(x, short, { stride }), scope(w, "shortcut.1")) : x;
    const [branch, seen] = attended(outer, number, mode);
    return [relu(add(branch, identity)), seen];
  }

  return (image, modes = ["open", "open", "open"]) => {
    let x = relu(batchNorm(conv2d(normalized(image, normalize), tensors["stem.0.weight"]), scope(tensors, "stem.1")));
    const gates = modes.map((mode, number) => {
      const [y, seen] = residual(x, number, mode);
      x = y;
      return seen;
    });
    const logits = linear(channelMean(x), tensors["head.weight"], tensors["head.bias"]);
    return { logits: logits.data, classes: softmax(logits).data, gates };
  };
}
