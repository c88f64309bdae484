"""对照组：看起来像注意力、其实不看输入的两道门。"""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from vision_attention import checks

from .. import init
from ..precision import match


class ConstantGate(nn.Module):
    """常数门：乘一个固定的数，没有参数，也不看输入。

    形状: x (B, C, H, W) → (B, C, H, W)；gate(x) (1,)
    参数: in_channels 即 C，只用来检查；value 为这个数，默认 0.25：
        刚插入的 CBAM 平均把支路缩到约四分之一
    错误: value 不是有限的数、x 不是 (B, C, H, W) 浮点时抛出 ValueError
    出处: 本书的对照，检验「收益来自缩小支路，还是来自注意力」
    """

    def __init__(self, in_channels: int, value: float = 0.25):
        super().__init__()
        self.in_channels = checks.positive("in_channels", in_channels)
        checks.number("value", value)
        self.register_buffer("value", init.buffer(np.float32([value])))

    def gate(self, x: Tensor) -> Tensor:
        checks.feature_map(x, self.in_channels)
        # 这道门不做矩阵乘，数据类型跟着 x 走
        match(x)
        return self.value.to(x.dtype)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


class ScalarGate(nn.Module):
    """标量门：整个支路只有一个可学习的数，不看输入。

    形状: x (B, C, H, W) → (B, C, H, W)；gate(x) (1,)
    参数: in_channels 即 C，只用来检查；value 为起步的数，默认 0.25
    错误: value 不是有限的数、x 不是 (B, C, H, W) 浮点时抛出 ValueError
    出处: 本书的对照，检验「学一个缩放就够了吗」
    """

    def __init__(self, in_channels: int, value: float = 0.25):
        super().__init__()
        self.in_channels = checks.positive("in_channels", in_channels)
        self.value = init.parameter([checks.number("value", value)])

    def gate(self, x: Tensor) -> Tensor:
        checks.feature_map(x, self.in_channels)
        # 这道门不做矩阵乘，数据类型跟着 x 走
        match(x)
        return self.value.to(x.dtype)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)
