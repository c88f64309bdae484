"""三层卷积的小网络：全书最小的对照。"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from vision_attention import checks
from vision_attention.specs import SmallCNNSpec

from . import init
from .placement import insert_attention
from .precision import match
from .resnet import conv_norm


class ConvStage(nn.Module):
    """卷积、批归一化、ReLU，之后可装一个注意力。

    形状: x (B, C, H, W) → (B, C', H/stride, W/stride)
    参数: in_channels 即 C；width 即 C'；stride 为步长
    出处: 本书的对照
    """

    def __init__(self, in_channels: int, width: int, stride: int):
        super().__init__()
        layers = conv_norm(in_channels, width, 3, stride)
        self.layers = nn.Sequential(*layers, nn.ReLU())
        self.branch_attention = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        match(x, self.layers)
        return self.branch_attention(self.layers(x))


class SmallCNN(nn.Module):
    """三层卷积，后两层各缩小一半，平均后分类。

    形状: x (B, C, H, W) →（B, 类别数），图可以是任何大小
    参数: spec 为 SmallCNNSpec，见该类各字段
    错误: x 的形状或数据类型不符，训练时只有一张、又不大于 4×4 时抛出 ValueError；
        尺寸的错误由 SmallCNNSpec 抛出
    出处: 本书的对照
    """

    def __init__(self, spec: SmallCNNSpec):
        super().__init__()
        self.spec = spec
        widths = [spec.width, spec.width, 2 * spec.width]
        before = [spec.in_channels, *widths[:-1]]
        self.stages = nn.Sequential(
            *[
                nn.Sequential(ConvStage(channels, width, stride))
                for channels, width, stride in zip(
                    before, widths, (1, 2, 2), strict=True
                )
            ]
        )
        self.head = nn.Linear(widths[-1], spec.num_classes)
        init.convolutions(self)
        init.transformer(self.head)
        insert_attention(self.stages, widths, spec)

    def features(self, x: Tensor) -> Tensor:
        """最后一张特征图，(B, C', H/4, W/4)。"""
        checks.feature_map(x, self.spec.in_channels)
        checks.batch_norm_input(x, lambda: init.uses_batch_statistics(self), 4)
        return self.stages(x)

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.adaptive_avg_pool2d(self.features(x), 1)  # (B, C', 1, 1)
        return self.head(pooled.flatten(1))
