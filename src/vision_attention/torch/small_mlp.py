"""把图像展平的多层感知机：没有卷积，也没有注意力的对照。"""

from __future__ import annotations

from torch import Tensor, nn

from vision_attention import checks
from vision_attention.specs import MLPSpec

from . import init
from .precision import match


class SmallMLP(nn.Module):
    """图像展平，过若干层同宽的全连接与 ReLU，再分类；不知道哪两个像素相邻。

    形状: x (B, C, S, S) →（B, 类别数）；features(x) (B, width)
    参数: spec 为 MLPSpec，见该类各字段
    错误: x 的形状或数据类型不符时抛出 ValueError；尺寸的错误由 MLPSpec 抛出
    出处: 本书的对照
    """

    def __init__(self, spec: MLPSpec):
        super().__init__()
        self.spec = spec
        width, layers = spec.in_channels * spec.image_size**2, []
        for _ in range(spec.depth):
            layers += [nn.Linear(width, spec.width), nn.ReLU()]
            width = spec.width
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(spec.width, spec.num_classes)
        init.convolutions(self.layers)
        init.transformer(self.head)

    def features(self, x: Tensor) -> Tensor:
        """分类头之前的特征，(B, width)。"""
        checks.image(x, self.spec.in_channels, self.spec.image_size)
        match(x, self.layers)
        return self.layers(x.flatten(1))  # (B, C, S, S) → (B, C·S²) → (B, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))
