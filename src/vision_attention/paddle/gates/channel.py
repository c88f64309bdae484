"""通道注意力：论文的写法，以及两个变体（其一是原笔记的文字）。"""

from __future__ import annotations

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

from vision_attention import checks

from .. import init
from ..pooling import global_max, global_mean
from ..precision import match

POOLS = {
    "avg": (global_mean,),
    "max": (global_max,),
    "both": (global_mean, global_max),
}


class ChannelAttention(nn.Layer):
    """通道注意力：用全局描述给每个通道打一个 0–1 的分。

    形状: x (B, C, H, W) → (B, C, H, W)；gate(x) (B, C, 1, 1)
    参数: in_channels 即 C；reduction_ratio 为瓶颈的缩减倍数 r，瓶颈宽
        max(C // r, min_hidden)；pooling 选全局描述：avg、max 或 both；
        identity_init 为真时门起步恰为 1：插入后输出一位不变
    单位: 门控无量纲，取值 (0, 1)；identity_init 时取值 (0, 2)
    错误: reduction_ratio、min_hidden、identity_init 不合适，瓶颈宽为 0，
        pooling 不认识，x 不是 (B, C, H, W) 浮点时抛出 ValueError
    出处: Woo 等 2018，arXiv:1807.06521，式 (2)；16 是该文的 r
    """

    scale = 1.0

    def __init__(
        self,
        in_channels: int,
        reduction_ratio: int = 16,
        *,
        pooling: str = "both",
        min_hidden: int = 0,
        identity_init: bool = False,
    ):
        super().__init__()
        hidden = checks.bottleneck(in_channels, reduction_ratio, min_hidden)
        self.in_channels = in_channels
        self.pooling = checks.choice("pooling", pooling, POOLS)
        self.fc1 = nn.Linear(in_channels, hidden)
        self.fc2 = nn.Linear(hidden, in_channels)
        init.gates(self)
        if checks.flag("identity_init", identity_init):
            self.scale = 2.0
            self.zero_score()

    def describe(self, x: Tensor) -> list[Tensor]:
        """全局描述：每种池化给出一个 (B, C) 的向量。"""
        checks.feature_map(x, self.in_channels)
        match(x, self.fc1)
        return [pool(x) for pool in POOLS[self.pooling]]

    def score(self, descriptors: list[Tensor]) -> Tensor:
        """同一个两层 MLP 看每个描述，输出相加。"""
        # (B, C) 的一叠 → (1 或 2, B, C) → (B, C)
        return self.fc2(F.relu(self.fc1(paddle.stack(descriptors)))).sum(0)

    def gate(self, x: Tensor) -> Tensor:
        score = self.score(self.describe(x))  # (B, C)
        gate = score.sigmoid().reshape((*score.shape, 1, 1))
        return gate if self.scale == 1 else self.scale * gate

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)

    def zero_score(self) -> None:
        """把打分的最后一层写成 0：门处处为 ½；前一层不动，否则梯度就断了。"""
        init.zeros(self.fc2)


class SeparateChannelAttention(ChannelAttention):
    """通道注意力的变体：平均描述与最大描述各用各的 MLP。

    形状: 同 ChannelAttention
    参数: 同 ChannelAttention，没有 pooling（两个描述都要）与 identity_init；参数是共享
        时的两倍
    错误: 同 ChannelAttention
    出处: 本书的对照，检验「共享 MLP」这一条是否要紧
    """

    def __init__(
        self, in_channels: int, reduction_ratio: int = 16, *, min_hidden: int = 0
    ):
        super().__init__(in_channels, reduction_ratio, min_hidden=min_hidden)
        hidden = checks.bottleneck(in_channels, reduction_ratio, min_hidden)
        # 上面抽的不用，这里重抽：发布的记录是这样抽的，次序改了就重做不出来
        self.max_fc1 = nn.Linear(in_channels, hidden)
        self.max_fc2 = nn.Linear(hidden, in_channels)
        init.gates(self)

    def score(self, descriptors: list[Tensor]) -> Tensor:
        average, maximum = descriptors
        hidden = F.relu(self.max_fc1(maximum))
        return self.fc2(F.relu(self.fc1(average))) + self.max_fc2(hidden)

    def zero_score(self) -> None:
        super().zero_score()
        init.zeros(self.max_fc2)


class ConcatChannelAttention(ChannelAttention):
    """通道注意力的变体：原笔记的文字，先拼接两个描述，再过一个 MLP。

    形状: 同 ChannelAttention
    参数: 同 ChannelAttention，没有 pooling（两个描述都要）与 identity_init；第一层的
        输入是 2C
    错误: 同 ChannelAttention
    出处: 原笔记的文字；论文与原笔记的代码都是「共享 MLP，输出相加」
    """

    def __init__(
        self, in_channels: int, reduction_ratio: int = 16, *, min_hidden: int = 0
    ):
        super().__init__(in_channels, reduction_ratio, min_hidden=min_hidden)
        hidden = checks.bottleneck(in_channels, reduction_ratio, min_hidden)
        # 重抽一遍，缘由同 SeparateChannelAttention
        self.fc1 = nn.Linear(2 * in_channels, hidden)
        init.gates(self)

    def score(self, descriptors: list[Tensor]) -> Tensor:
        joined = paddle.concat(descriptors, 1)  # (B, 2C)
        return self.fc2(F.relu(self.fc1(joined)))
