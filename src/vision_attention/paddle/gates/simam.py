"""SimAM：没有参数的门，离通道均值越远开得越大。"""

from __future__ import annotations

from paddle import Tensor, nn

from vision_attention import checks

from ..pooling import global_max
from ..precision import match, overflowed, widened


class SimAM(nn.Layer):
    """SimAM：按「与众不同」的程度给每个位置打分，一个参数也没有。

    形状: x (B, C, H, W) → (B, C, H, W)；gate(x) (B, C, H, W)
    参数: in_channels 即 C，只用来检查；energy_lambda 为能量式中的 λ
    单位: 门控无量纲，取值 [0.622, 1)：σ 的自变量不小于 ½，等于均值时恰为 ½
    错误: energy_lambda 不是有限的正数、图只有一个像素、x 不是 (B, C, H, W) 浮点时抛出
        ValueError
    出处: Yang 等 2021(ICML)，式 (5)；1e-4 是作者在 CIFAR 上的 λ
    """

    def __init__(self, in_channels: int, energy_lambda: float = 1e-4):
        super().__init__()
        self.in_channels = checks.positive("in_channels", in_channels)
        self.energy_lambda = checks.number(
            "energy_lambda", energy_lambda, "正数，例如 1e-4", above=0
        )

    def gate(self, x: Tensor) -> Tensor:
        checks.feature_map(x, self.in_channels)
        match(x)
        pixels = checks.several_pixels(x)
        wide = widened(x)  # 平方在 float16 里会溢出
        ratio, variance = self.compare(wide, self.energy_lambda, pixels)
        if overflowed(variance):
            # 大到连 float32 也装不下平方：除以各通道最大的绝对值，比值不变
            reach = global_max(wide.detach().abs()).clip(min=1.0)
            reach = reach.reshape((*reach.shape, 1, 1))  # (B, C, 1, 1)
            small = (self.energy_lambda / reach / reach).clip(min=1e-30)
            ratio, _ = self.compare(wide / reach, small, pixels)
        return (ratio + 0.5).sigmoid().to(x.dtype)

    def compare(
        self, x: Tensor, small: Tensor | float, pixels: int
    ) -> tuple[Tensor, Tensor]:
        """距离的平方 （x − μ）² 与四倍方差之比，方差按 HW − 1 除；连同方差。"""
        distance = (x - x.mean((2, 3), keepdim=True)).square()
        variance = distance.sum((2, 3), keepdim=True) / (pixels - 1)  # (B, C, 1, 1)
        return distance / (4 * (variance + small)), variance

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)
