"""空间注意力：论文的写法，以及原笔记文字里的变体。"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vision_attention import checks

from .. import init
from ..pooling import channel_max
from ..precision import match

POOLINGS = ("avg", "max", "both")


class SpatialAttention(nn.Module):
    """空间注意力：给每个位置打一个 0–1 的分。

    形状: x (B, C, H, W) → (B, C, H, W)；gate(x) (B, 1, H, W)
    参数: kernel_size 为卷积核宽 k（奇数）；pooling 选沿通道的描述：avg、max 或
        both（先平均、后最大，照论文的式子）；spatial_norm 为真时照作者代码：
        卷积不带偏置，后接 momentum 0.01 的批归一化
    单位: 门控无量纲，取值 (0, 1)
    错误: kernel_size 为偶数、pooling 不认识、spatial_norm 不是布尔、x 不是四维
        浮点、spatial_norm 而训练时只有一张 1×1 的图时抛出 ValueError
    出处: Woo 等 2018，arXiv:1807.06521，式 (3)；7 是该文的 k。与作者代码的差别：
        默认没有批归一化；作者代码拼接的次序是先最大、后平均
    """

    def __init__(
        self, kernel_size: int = 7, *, pooling: str = "both", spatial_norm: bool = False
    ):
        super().__init__()
        kernel_size = checks.kernel("kernel_size", kernel_size)
        spatial_norm = checks.flag("spatial_norm", spatial_norm)
        self.pooling = checks.choice("pooling", pooling, POOLINGS)
        maps = 2 if pooling == "both" else 1
        self.conv = nn.Conv2d(
            maps, 1, kernel_size, padding=kernel_size // 2, bias=not spatial_norm
        )
        self.norm = init.batch_norm(1, 0.01) if spatial_norm else nn.Identity()
        init.gates(self)

    def describe(self, x: Tensor) -> Tensor:
        """沿通道的描述：（B, 1 或 2, H, W）。"""
        checks.feature_map(x, 0)
        match(x, self.conv)
        maps = []
        if self.pooling != "max":
            maps.append(x.mean(1, keepdim=True))
        if self.pooling != "avg":
            maps.append(channel_max(x))
        return torch.concat(maps, 1)

    def gate(self, x: Tensor) -> Tensor:
        score = self.conv(self.describe(x))  # (B, 1, H, W)
        checks.batch_norm_input(score, lambda: init.uses_batch_statistics(self.norm))
        return self.norm(score).sigmoid()

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
    单位: 门控无量纲，取值 (0, 1)
    错误: reduction_ratio、min_hidden 不合适，输出通道数为 0，x 不是 (B, C, H, W)
        浮点时抛出 ValueError
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
        match(x, self.conv1)
        features = torch.concat([self.conv1(x), self.conv3(x)], 1)  # (B, 2h, H, W)
        return (features.mean(1, keepdim=True) + channel_max(features)).sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)

    def zero_score(self) -> None:
        """把打分的卷积写成 0：门处处为 ½。"""
        init.zeros(self.conv1)
        init.zeros(self.conv3)
