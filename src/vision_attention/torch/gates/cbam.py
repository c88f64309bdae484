"""CBAM 一家：通道注意力、空间注意力，以及原笔记文字里的两个变体。"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vision_attention import checks

from .. import init

POOLS = {
    "avg": (F.adaptive_avg_pool2d,),
    "max": (F.adaptive_max_pool2d,),
    "both": (F.adaptive_avg_pool2d, F.adaptive_max_pool2d),
}
ORDERS = ("channel-spatial", "spatial-channel", "parallel")


class ChannelAttention(nn.Module):
    """通道注意力：用全局描述给每个通道打一个 0–1 的分。

    形状: x (B, C, H, W) → (B, C, H, W)；gate(x) (B, C, 1, 1)
    参数: in_channels 即 C；reduction_ratio 为瓶颈的缩减倍数 r，瓶颈宽
        max(C // r, min_hidden)；pooling 选全局描述：avg、max 或 both
    单位: 门控无量纲，取值 （0, 1）
    错误: 瓶颈宽为 0、pooling 不认识、x 不是 (B, C, H, W) 浮点时抛出 ValueError
    出处: Woo 等 2018，arXiv:1807.06521，式 (2)；16 是该文的 r
    """

    def __init__(
        self,
        in_channels: int,
        reduction_ratio: int = 16,
        *,
        pooling: str = "both",
        min_hidden: int = 0,
    ):
        super().__init__()
        hidden = checks.bottleneck(in_channels, reduction_ratio, min_hidden)
        self.in_channels = in_channels
        self.pools = POOLS[checks.choice("pooling", pooling, POOLS)]
        self.fc1 = nn.Linear(in_channels, hidden)
        self.fc2 = nn.Linear(hidden, in_channels)
        init.gates(self)

    def describe(self, x: Tensor) -> list[Tensor]:
        """全局描述：每种池化给出一个 (B, C) 的向量。"""
        checks.feature_map(x, self.in_channels)
        return [pool(x, 1).flatten(1) for pool in self.pools]

    def score(self, descriptors: list[Tensor]) -> Tensor:
        """同一个两层 MLP 看每个描述，输出相加。"""
        return sum(self.fc2(F.relu(self.fc1(d))) for d in descriptors)

    def gate(self, x: Tensor) -> Tensor:
        return self.score(self.describe(x)).sigmoid().unsqueeze(2).unsqueeze(3)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)

    def zero_score(self) -> None:
        """把打分的最后一层写成 0：门处处为 ½；前一层不动，否则梯度就断了。"""
        init.zeros(self.fc2)


class SeparateChannelAttention(ChannelAttention):
    """通道注意力的变体：平均描述与最大描述各用各的 MLP。

    形状: 同 ChannelAttention
    参数: 同 ChannelAttention；pooling 固定为 both，参数是共享时的两倍
    错误: 同 ChannelAttention
    出处: 本书的对照，检验「共享 MLP」这一条是否要紧
    """

    def __init__(
        self,
        in_channels: int,
        reduction_ratio: int = 16,
        *,
        pooling: str = "both",
        min_hidden: int = 0,
    ):
        checks.choice("pooling", pooling, ("both",))
        super().__init__(in_channels, reduction_ratio, min_hidden=min_hidden)
        hidden = checks.bottleneck(in_channels, reduction_ratio, min_hidden)
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
    参数: 同 ChannelAttention；pooling 固定为 both，第一层的输入是 2C
    错误: 同 ChannelAttention
    出处: 原笔记的文字；论文与原笔记的代码都是「共享 MLP，输出相加」
    """

    def __init__(
        self,
        in_channels: int,
        reduction_ratio: int = 16,
        *,
        pooling: str = "both",
        min_hidden: int = 0,
    ):
        checks.choice("pooling", pooling, ("both",))
        super().__init__(in_channels, reduction_ratio, min_hidden=min_hidden)
        hidden = checks.bottleneck(in_channels, reduction_ratio, min_hidden)
        self.fc1 = nn.Linear(2 * in_channels, hidden)
        init.gates(self)

    def score(self, descriptors: list[Tensor]) -> Tensor:
        return self.fc2(F.relu(self.fc1(torch.concat(descriptors, 1))))


class SpatialAttention(nn.Module):
    """空间注意力：给每个位置打一个 0–1 的分。

    形状: x (B, C, H, W) → (B, C, H, W)；gate(x) (B, 1, H, W)
    参数: kernel_size 为卷积核宽 k（奇数）；pooling 选沿通道的描述：avg、max 或
        both（先平均、后最大，照论文的式子）；spatial_norm 为真时照作者代码：
        卷积不带偏置，后接 momentum 0.01 的批归一化
    单位: 门控无量纲，取值 （0, 1）
    错误: kernel_size 为偶数、pooling 不认识、x 不是四维浮点时抛出 ValueError
    出处: Woo 等 2018，arXiv:1807.06521，式 (3)；7 是该文的 k。与作者代码的差别：
        默认没有批归一化；作者代码拼接的次序是先最大、后平均
    """

    def __init__(
        self, kernel_size: int = 7, *, pooling: str = "both", spatial_norm: bool = False
    ):
        super().__init__()
        padding = checks.odd("kernel_size", kernel_size) // 2
        self.pooling = checks.choice("pooling", pooling, POOLS)
        maps = len(POOLS[pooling])
        self.conv = nn.Conv2d(
            maps, 1, kernel_size, padding=padding, bias=not spatial_norm
        )
        self.norm = init.batch_norm(1, 0.01) if spatial_norm else nn.Identity()
        init.gates(self)

    def describe(self, x: Tensor) -> Tensor:
        """沿通道的描述：（B, 1 或 2, H, W）。"""
        checks.feature_map(x, 0)
        maps = []
        if self.pooling != "max":
            maps.append(x.mean(1, keepdim=True))
        if self.pooling != "avg":
            # topk 与 max 同值；Paddle 的 max 在 CPU 上反向慢几百倍
            maps.append(x.topk(1, 1)[0])
        return torch.concat(maps, 1)

    def gate(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(self.describe(x))).sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)

    def zero_score(self) -> None:
        """把打分的卷积写成 0：门处处为 ½。"""
        init.zeros(self.conv)


class MultiScaleSpatialAttention(nn.Module):
    """空间注意力的变体：原笔记的文字，1×1 与 3×3 卷积，池化后两张图相加。

    形状: x (B, C, H, W) → (B, C, H, W)；gate(x) (B, 1, H, W)
    参数: in_channels 即 C；reduction_ratio 决定每个卷积的输出通道数
        max(C // r, min_hidden)，原笔记没有说这个数，本书取与通道瓶颈相同
    单位: 门控无量纲，取值 （0, 1）
    错误: 输出通道数为 0、x 不是 (B, C, H, W) 浮点时抛出 ValueError
    出处: 原笔记的文字；论文表 2 里 1×1 卷积是被淘汰的方案，也没有并联
    """

    def __init__(
        self, in_channels: int, reduction_ratio: int = 16, *, min_hidden: int = 0
    ):
        super().__init__()
        hidden = checks.bottleneck(in_channels, reduction_ratio, min_hidden)
        self.in_channels = in_channels
        self.conv1 = nn.Conv2d(in_channels, hidden, 1)
        self.conv3 = nn.Conv2d(in_channels, hidden, 3, padding=1)
        init.gates(self)

    def gate(self, x: Tensor) -> Tensor:
        checks.feature_map(x, self.in_channels)
        features = torch.concat([self.conv1(x), self.conv3(x)], 1)
        return (features.mean(1, keepdim=True) + features.topk(1, 1)[0]).sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)

    def zero_score(self) -> None:
        """把打分的卷积写成 0：门处处为 ½。"""
        init.zeros(self.conv1)
        init.zeros(self.conv3)


CHANNEL_MLPS = {
    "shared": ChannelAttention,
    "separate": SeparateChannelAttention,
    "concat": ConcatChannelAttention,
}


class CBAM(nn.Module):
    """CBAM：先问「哪些通道」，再问「哪些位置」，各乘一道门。

    形状: x (B, C, H, W) → (B, C, H, W)；gate(x) (B, C, H, W)
    参数: in_channels 即 C；reduction_ratio 即 r；kernel_size 为空间卷积核宽；
        order 为两道门的次序；pooling 为两道门的描述；mlp 为通道门怎样合并两个
        描述（shared、separate、concat）；spatial 为空间门：conv 照论文，
        multiscale 照原笔记的文字；spatial_norm 照作者代码加批归一化；min_hidden
        为瓶颈宽的下限；identity_init 为真时两道门起步恰为 1：插入后输出一位不变
    单位: 门控无量纲，取值 （0, 1）；identity_init 时取值 （0, 2）
    错误: 任何一项不认识或不相容时抛出 ValueError
    出处: Woo 等 2018，arXiv:1807.06521，式 (1)；默认每个模块 C=64 时 679 个参数，
        spatial_norm 时 680 个，与作者代码相同
    """

    def __init__(
        self,
        in_channels: int,
        reduction_ratio: int = 16,
        kernel_size: int = 7,
        *,
        order: str = "channel-spatial",
        pooling: str = "both",
        mlp: str = "shared",
        spatial: str = "conv",
        spatial_norm: bool = False,
        min_hidden: int = 0,
        identity_init: bool = False,
    ):
        super().__init__()
        channel_class = CHANNEL_MLPS[checks.choice("mlp", mlp, CHANNEL_MLPS)]
        self.order = checks.choice("order", order, ORDERS)
        self.channel = channel_class(
            in_channels, reduction_ratio, pooling=pooling, min_hidden=min_hidden
        )
        if checks.choice("spatial", spatial, ("conv", "multiscale")) == "conv":
            self.spatial = SpatialAttention(
                kernel_size, pooling=pooling, spatial_norm=spatial_norm
            )
        else:
            self.spatial = MultiScaleSpatialAttention(
                in_channels, reduction_ratio, min_hidden=min_hidden
            )
        self.scale = 2.0 if identity_init else 1.0
        if identity_init:
            self.channel.zero_score()
            self.spatial.zero_score()

    def parts(self) -> tuple[nn.Module, nn.Module]:
        """两道门，按 order 排列。"""
        if self.order == "spatial-channel":
            return self.spatial, self.channel
        return self.channel, self.spatial

    def open(self, part: nn.Module, x: Tensor) -> Tensor:
        """一道门的开度；identity_init 时乘 2，使起步的 ½ 变成 1。"""
        return self.scale * part.gate(x)

    def gate(self, x: Tensor) -> Tensor:
        first, second = self.parts()
        gate = self.open(first, x)
        seen = x if self.order == "parallel" else x * gate
        return gate * self.open(second, seen)

    def forward(self, x: Tensor) -> Tensor:
        if self.order == "parallel":
            return x * self.gate(x)
        for part in self.parts():
            x = x * self.open(part, x)
        return x
