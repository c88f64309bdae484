"""CBAM：通道注意力与空间注意力前后相接。"""

from __future__ import annotations

from paddle import Tensor, nn

from vision_attention import checks

from .channel import (
    ChannelAttention,
    ConcatChannelAttention,
    SeparateChannelAttention,
)
from .spatial import MultiScaleSpatialAttention, SpatialAttention

ORDERS = ("channel-spatial", "spatial-channel", "parallel")
SPATIALS = ("conv", "multiscale")
Bottleneck = tuple[int, int, int]
"""两道门的瓶颈：（C, r, 宽度的下限）。"""
CHANNEL_MLPS = {
    "shared": ChannelAttention,
    "separate": SeparateChannelAttention,
    "concat": ConcatChannelAttention,
}


class CBAM(nn.Layer):
    """CBAM：先问「哪些通道」，再问「哪些位置」，各乘一道门。

    形状: x (B, C, H, W) → (B, C, H, W)；gate(x) (B, C, H, W)
    参数: in_channels 即 C；reduction_ratio 即 r；kernel_size 为空间卷积核宽；
        order 为两道门的次序；pooling 为两道门的描述；mlp 为通道门怎样合并两个
        描述（shared、separate、concat）；spatial 为空间门：conv 照论文，
        multiscale 照原笔记的文字；spatial_norm 照作者代码加批归一化；min_hidden
        为瓶颈宽的下限；separate 与 concat 两个描述都要，pooling 不能改；multiscale
        用不上 kernel_size、spatial_norm，两项不能改，它的描述也只有一种，pooling
        只管通道门；identity_init 为真时两道门起步恰为 1：插入后输出一位不变。前后
        相接时两道门是被调用的，挂得上钩子；parallel 只取它们的 gate
    单位: 门控无量纲，两道相乘取值 (0, 1)；identity_init 时每道 (0, 2)，相乘 (0, 4)
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
        bottleneck = (in_channels, reduction_ratio, min_hidden)
        self.order = checks.choice("order", order, ORDERS)
        self.channel = channel_gate(mlp, bottleneck, pooling)
        self.spatial = spatial_gate(
            spatial, bottleneck, kernel_size, pooling, spatial_norm
        )
        self.scale = 2.0 if checks.flag("identity_init", identity_init) else 1.0
        if identity_init:
            self.channel.zero_score()
            self.spatial.zero_score()

    def parts(self) -> tuple[nn.Layer, nn.Layer]:
        """两道门，按 order 排列。"""
        if self.order == "spatial-channel":
            return self.spatial, self.channel
        return self.channel, self.spatial

    def open(self, part: nn.Layer, x: Tensor) -> Tensor:
        """一道门的开度；identity_init 时乘 2，使起步的 ½ 变成 1。"""
        gate = part.gate(x)
        return gate if self.scale == 1 else self.scale * gate

    def gate(self, x: Tensor) -> Tensor:
        first, second = self.parts()
        gate = self.open(first, x)
        seen = x if self.order == "parallel" else x * gate
        return gate * self.open(second, seen)

    def forward(self, x: Tensor) -> Tensor:
        if self.order == "parallel":
            return x * self.gate(x)
        for part in self.parts():
            # 调用它，而不只取它的 gate：挂得上钩子，也换得下来
            x = part(x) if self.scale == 1 else self.scale * part(x)
        return x


def channel_gate(mlp: str, bottleneck: Bottleneck, pooling: str) -> nn.Layer:
    """通道门；只有共享的 MLP 可以少看一个描述。"""
    in_channels, reduction_ratio, min_hidden = bottleneck
    if checks.choice("mlp", mlp, CHANNEL_MLPS) == "shared":
        return ChannelAttention(
            in_channels, reduction_ratio, pooling=pooling, min_hidden=min_hidden
        )
    checks.unused(f"mlp={mlp!r}", {"pooling": (pooling, "both")})
    return CHANNEL_MLPS[mlp](in_channels, reduction_ratio, min_hidden=min_hidden)


def spatial_gate(
    spatial: str,
    bottleneck: Bottleneck,
    kernel_size: int,
    pooling: str,
    spatial_norm: bool,
) -> nn.Layer:
    """空间门；笔记文字里的那一种，核宽与归一化都没有得选。"""
    if checks.choice("spatial", spatial, SPATIALS) == "conv":
        return SpatialAttention(kernel_size, pooling=pooling, spatial_norm=spatial_norm)
    fixed = {"kernel_size": (kernel_size, 7), "spatial_norm": (spatial_norm, False)}
    checks.unused("spatial='multiscale'", fixed)
    in_channels, reduction_ratio, min_hidden = bottleneck
    return MultiScaleSpatialAttention(
        in_channels, reduction_ratio, min_hidden=min_hidden
    )
