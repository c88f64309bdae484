"""门的各种写法：通道门怎样打分、空间门看什么、两道门怎样接起来。

内容: SCORES、SQUASHES、LOOKS、PLACES、ORDERS 五张表，一行一种写法；
    `channel_attention`、`spatial_attention`、`cbam` 照选中的写法算一遍，给出每一步
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import paddle
from paddle import Tensor
from paddle.nn import functional as F

from ..pooling import channel_max, global_max, global_mean

Weights = Mapping[str, Tensor]
Choice = Mapping[str, str]
Gate = Callable[[Tensor], Tensor]


def dense(w: Weights, name: str, x: Tensor) -> Tensor:
    """全连接，作用在最后一维。"""
    return paddle.einsum("...i,oi->...o", x, w[name]) + w[f"{name}.bias"]


def mlp(w: Weights, x: Tensor, first: str = "fc1", second: str = "fc2") -> Tensor:
    """两层，中间 ReLU。"""
    return dense(w, second, F.relu(dense(w, first, x)))


def plain_mlp(w: Weights, x: Tensor) -> Tensor:
    """两层，中间什么也没有。"""
    return dense(w, "fc2", dense(w, "fc1", x))


# 通道门：权重、平均描述、最大描述 → 要相加的几个打分
SCORES = {
    "shared": lambda w, mean, peak: [mlp(w, mean), mlp(w, peak)],
    "concat": lambda w, mean, peak: [mlp(w, paddle.concat([mean, peak], 1))],
    "concat_swapped": lambda w, mean, peak: [mlp(w, paddle.concat([peak, mean], 1))],
    "sum_first": lambda w, mean, peak: [mlp(w, mean + peak)],
    "separate": lambda w, mean, peak: [
        mlp(w, mean),
        mlp(w, peak, "max_fc1", "max_fc2"),
    ],
    "mean_only": lambda w, mean, peak: [mlp(w, mean)],
    "max_only": lambda w, mean, peak: [mlp(w, peak)],
    "halved": lambda w, mean, peak: [(mlp(w, mean) + mlp(w, peak)) / 2],
    "multiplied": lambda w, mean, peak: [mlp(w, mean) * mlp(w, peak)],
    "no_relu": lambda w, mean, peak: [plain_mlp(w, mean), plain_mlp(w, peak)],
    "relu_last": lambda w, mean, peak: [F.relu(mlp(w, mean)), F.relu(mlp(w, peak))],
}

# 打分 → 门；沿最后一维归一化的，通道门是各通道，空间门是各位置
SQUASHES = {
    "sigmoid": lambda scores: sum(scores).sigmoid(),
    "sigmoid_twice": lambda scores: sum(scores).sigmoid().sigmoid(),
    "sigmoid_each": lambda scores: sum(score.sigmoid() for score in scores),
    "softmax": lambda scores: F.softmax(sum(scores), -1),
    "tanh": lambda scores: sum(scores).tanh(),
    "relu_first": lambda scores: F.relu(sum(scores)).sigmoid(),
    "none": sum,
}


def mean_and_max(x: Tensor) -> list[Tensor]:
    """沿通道的平均与最大，各为 (B, 1, H, W)。"""
    return [x.mean(1, keepdim=True), channel_max(x)]


def convolve(w: Weights, maps: list[Tensor], name: str = "conv") -> Tensor:
    """拼起来，过一个补零到同样大小的卷积。"""
    kernel = w[name]
    x = paddle.concat(maps, 1)
    return F.conv2d(x, kernel, w[f"{name}.bias"], 1, kernel.shape[-1] // 2)


def multiscale(w: Weights, x: Tensor) -> Tensor:
    """原笔记的文字：两个尺寸的卷积，沿通道池化，相加。"""
    features = paddle.concat([convolve(w, [x], "conv1"), convolve(w, [x], "conv3")], 1)
    return sum(mean_and_max(features))


# 空间门：权重、特征图 → 打分 (B, 1, H, W)
LOOKS = {
    "mean_max": lambda w, x: convolve(w, mean_and_max(x)),
    "max_mean": lambda w, x: convolve(w, mean_and_max(x)[::-1]),
    "mean_only": lambda w, x: convolve(w, mean_and_max(x)[:1]),
    "max_only": lambda w, x: convolve(w, mean_and_max(x)[1:]),
    "summed": lambda w, x: convolve(w, [sum(mean_and_max(x))]),
    "multiscale": multiscale,
    "pixelwise": lambda w, x: convolve(w, [x], "pixel"),
}


def normalised(w: Weights, score: Tensor) -> Tensor:
    """评估模式的批归一化，只有一个通道；没有归一化的原样返回。"""
    if "norm" not in w:
        return score
    scaled = (score - w["norm.mean"]) / (w["norm.variance"] + w["norm.eps"]) ** 0.5
    return scaled * w["norm"] + w["norm.bias"]


def channel_gate(w: Weights, x: Tensor, choice: Choice) -> Tensor:
    """通道门，(B, C, 1, 1)。"""
    scores = SCORES[choice["score"]](w, global_mean(x), global_max(x))
    gate = SQUASHES[choice["squash"]](scores)
    return gate.reshape((*gate.shape, 1, 1))


def spatial_gate(w: Weights, x: Tensor, choice: Choice) -> Tensor:
    """空间门，(B, 1, H, W)。"""
    score = normalised(w, LOOKS[choice["look"]](w, x))
    gate = SQUASHES[choice["spatial_squash"]]([score.flatten(1)])
    return gate.reshape(score.shape)


# 门放到哪里：只交门、乘上去、乘完再加原图
PLACES = {
    "gate": lambda x, gate: gate,
    "product": lambda x, gate: x * gate,
    "residual": lambda x, gate: x + x * gate,
}


def channel_attention(w: Weights, x: Tensor, choice: Choice) -> dict[str, Tensor]:
    """通道注意力照选中的写法算一遍。

    形状: x (B, C, H, W) → 每一步的名字到张量，最后一步为 "output"
    参数: w 为通用写法的权重；choice 为各处选中的写法
    """
    gate = channel_gate(w, x, choice)
    return {"通道门": gate, "output": PLACES[choice["place"]](x, gate)}


def spatial_attention(w: Weights, x: Tensor, choice: Choice) -> dict[str, Tensor]:
    """空间注意力照选中的写法算一遍。

    形状: x (B, C, H, W) → 每一步的名字到张量，最后一步为 "output"
    参数: w 为通用写法的权重；choice 为各处选中的写法
    """
    gate = spatial_gate(w, x, choice)
    return {"空间门": gate, "output": PLACES[choice["place"]](x, gate)}


# 两道门怎样接：特征图、算通道门的、算空间门的 → 两道门与结果
def channel_spatial(
    x: Tensor, channel: Gate, spatial: Gate
) -> tuple[Tensor, Tensor, Tensor]:
    """论文：空间门由 F′ 算。"""
    first = channel(x)
    second = spatial(x * first)
    return first, second, x * first * second


def from_input(
    x: Tensor, channel: Gate, spatial: Gate
) -> tuple[Tensor, Tensor, Tensor]:
    """空间门由 F 算，不由 F′ 算。"""
    first, second = channel(x), spatial(x)
    return first, second, x * first * second


def spatial_channel(
    x: Tensor, channel: Gate, spatial: Gate
) -> tuple[Tensor, Tensor, Tensor]:
    """先空间，后通道。"""
    second = spatial(x)
    first = channel(x * second)
    return first, second, x * first * second


def product_lost(
    x: Tensor, channel: Gate, spatial: Gate
) -> tuple[Tensor, Tensor, Tensor]:
    """最后乘的是 F：通道门只用来算空间门。"""
    first = channel(x)
    second = spatial(x * first)
    return first, second, x * second


def added(x: Tensor, channel: Gate, spatial: Gate) -> tuple[Tensor, Tensor, Tensor]:
    """两路各乘各的，再相加。"""
    first, second = channel(x), spatial(x)
    return first, second, x * first + x * second


ORDERS = {
    "channel_spatial": channel_spatial,
    "from_input": from_input,
    "spatial_channel": spatial_channel,
    "product_lost": product_lost,
    "added": added,
}


def cbam(w: Weights, x: Tensor, choice: Choice) -> dict[str, Tensor]:
    """CBAM 照选中的写法算一遍。

    形状: x (B, C, H, W) → 每一步的名字到张量，最后一步为 "output"
    参数: w 为通用写法的权重；choice 为各处选中的写法
    """
    first, second, output = ORDERS[choice["order"]](
        x,
        lambda features: channel_gate(w, features, choice),
        lambda features: spatial_gate(w, features, choice),
    )
    if choice["shortcut"] == "added":
        output = x + output
    return {"通道门": first, "空间门": second, "output": output}
