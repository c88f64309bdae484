"""门控：输入一张特征图，给出一张门，再与输入相乘。

每个类都有 gate(x)（门）与 forward(x)（乘上门的特征图）。加一种门：写一个类，
在 GATES 与 __all__ 里各加一行，在 tests/cases.py 的 KINDS 里加一行。
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from vision_attention import checks

from .bam import BAM
from .cbam import CBAM
from .channel import (
    ChannelAttention,
    ConcatChannelAttention,
    SeparateChannelAttention,
)
from .controls import ConstantGate, ScalarGate
from .coordinate import CoordinateAttention
from .simam import SimAM
from .spatial import MultiScaleSpatialAttention, SpatialAttention
from .squeeze import ECA, SqueezeExcitation

GATES = {
    "cbam": CBAM,
    "channel": ChannelAttention,
    "se": SqueezeExcitation,
    "eca": ECA,
    "bam": BAM,
    "coordinate": CoordinateAttention,
    "simam": SimAM,
    "constant": ConstantGate,
    "scalar": ScalarGate,
}

__all__ = [
    "BAM",
    "CBAM",
    "ECA",
    "GATES",
    "ChannelAttention",
    "ConcatChannelAttention",
    "ConstantGate",
    "CoordinateAttention",
    "MultiScaleSpatialAttention",
    "ScalarGate",
    "SeparateChannelAttention",
    "SimAM",
    "SpatialAttention",
    "SqueezeExcitation",
    "build_gate",
]


def build_gate(
    name: str, in_channels: int, options: Mapping[str, Any] | None = None
) -> nn.Module:
    """按名字建一道门。

    参数: name 为 GATES 里的名字；in_channels 即 C；options 为其余参数
    返回: 一个有 gate(x) 的模块
    错误: 名字或参数不认识时抛出 ValueError，并给出最近的一个
    """
    return checks.construct("attention", name, GATES, in_channels, options or {})
