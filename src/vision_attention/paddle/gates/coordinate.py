"""坐标注意力：沿高、沿宽各开一道门。"""

from __future__ import annotations

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

from vision_attention import checks

from .. import init
from ..kernels import swapped
from ..precision import match


class CoordinateAttention(nn.Layer):
    """坐标注意力：每一行打一个分，每一列打一个分，两者相乘。

    形状: x (B, C, H, W) → (B, C, H, W)；gate(x) (B, C, H, W)
    参数: in_channels 即 C；reduction_ratio 即 r；min_hidden 为瓶颈宽的下限；
        identity_init 为真时门起步恰为 1：插入后输出一位不变
    单位: 门控无量纲，取值 (0, 1)；identity_init 时取值 (0, 4)
    错误: reduction_ratio、min_hidden、identity_init 不合适，瓶颈宽为 0，
        x 不是 (B, C, H, W) 浮点时抛出 ValueError
    出处: Hou 等 2021，arXiv:2103.02907；32 与 8 是该文的 r 与下限
    """

    scale = 1.0

    def __init__(
        self,
        in_channels: int,
        reduction_ratio: int = 32,
        *,
        min_hidden: int = 8,
        identity_init: bool = False,
    ):
        super().__init__()
        hidden = checks.bottleneck(in_channels, reduction_ratio, min_hidden)
        self.in_channels = in_channels
        self.shared = nn.Conv2D(in_channels, hidden, 1)
        self.norm = init.batch_norm(hidden)
        self.to_height = nn.Conv2D(hidden, in_channels, 1)
        self.to_width = nn.Conv2D(hidden, in_channels, 1)
        init.gates(self)
        if checks.flag("identity_init", identity_init):
            self.scale = 4.0  # 两道门，各是 ½
            init.zeros(self.to_height)
            init.zeros(self.to_width)

    def gate(self, x: Tensor) -> Tensor:
        checks.feature_map(x, self.in_channels)
        match(x, self.shared)
        _, _, height, width = x.shape
        # 行的平均与列的平均首尾相接，共用一个 1×1 卷积：(B, C, H + W, 1)
        lines = paddle.concat([x.mean(3, keepdim=True), x.mean(2).unsqueeze(3)], 2)
        lines = F.hardswish(self.norm(self.shared(lines)))  # (B, h, H + W, 1)
        rows, columns = lines.split([height, width], 2)
        rows = self.to_height(rows).sigmoid()  # (B, C, H, 1)
        columns = self.to_width(columns).sigmoid()  # (B, C, W, 1)
        gate = rows * swapped(columns, 2)  # (B, C, H, 1) · (B, C, 1, W)
        return gate if self.scale == 1 else self.scale * gate

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)
