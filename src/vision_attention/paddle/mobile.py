"""窄的 MobileNetV2 式网络：参数少，注意力占的比重就大。"""

from __future__ import annotations

from paddle import Tensor, nn
from paddle.nn import functional as F

from vision_attention import checks
from vision_attention.specs import MobileNetSpec

from . import init
from .placement import Residual, insert_attention
from .precision import match
from .resnet import conv_norm, shortcut


class InvertedResidual(Residual):
    """倒残差块：1×1 加宽，3×3 逐通道卷积，1×1 收窄；收窄之后没有非线性。

    形状: x (B, C, H, W) → (B, C', H/stride, W/stride)
    参数: in_channels 即 C；width 即 C'；stride 为逐通道卷积的步长；expansion 为加宽倍数
    出处: Sandler 等 2018，arXiv:1801.04381，图 4。与论文的差别：形状改变的块也有
        1×1 卷积的捷径，三个放注意力的位置才处处都在
    """

    def __init__(self, in_channels: int, width: int, stride: int, expansion: int):
        hidden = in_channels * expansion
        branch = nn.Sequential(
            *conv_norm(in_channels, hidden, 1),
            nn.ReLU6(),
            nn.Conv2D(
                hidden,
                hidden,
                3,
                stride=stride,
                padding=1,
                groups=hidden,
                bias_attr=False,
            ),
            init.batch_norm(hidden),
            nn.ReLU6(),
            *conv_norm(hidden, width, 1),
        )
        super().__init__(branch, shortcut(in_channels, width, stride), nn.Identity())


class MobileNet(nn.Layer):
    """窄的移动端网络：一个 3×3 卷积，三个阶段（后两个各缩小一半），平均后分类。

    形状: x (B, C, H, W) →（B, 类别数），图可以是任何大小
    参数: spec 为 MobileNetSpec，见该类各字段
    错误: x 的形状或数据类型不符，训练时只有一张、又不大于 4×4 时抛出 ValueError；
        尺寸的错误由 MobileNetSpec 抛出
    出处: 依 Sandler 等 2018，arXiv:1801.04381，缩到小图的尺寸
    """

    def __init__(self, spec: MobileNetSpec):
        super().__init__()
        self.spec = spec
        self.stem = nn.Sequential(*conv_norm(spec.in_channels, spec.widths[0], 3))
        stages, channels = [], spec.widths[0]
        for width, stride in zip(spec.widths, (1, 2, 2), strict=True):
            blocks = []
            for number in range(spec.depth):
                first = stride if number == 0 else 1
                blocks.append(InvertedResidual(channels, width, first, spec.expansion))
                channels = width
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(channels, spec.num_classes)
        init.convolutions(self)
        init.transformer(self.head)
        insert_attention(self.stages, list(spec.widths), spec)

    def features(self, x: Tensor) -> Tensor:
        """最后一张特征图，(B, C', H/4, W/4)。"""
        checks.feature_map(x, self.spec.in_channels)
        match(x, self.stem)
        checks.batch_norm_input(x, lambda: init.uses_batch_statistics(self), 4)
        return self.stages(F.relu6(self.stem(x)))

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.adaptive_avg_pool2d(self.features(x), 1)  # (B, C', 1, 1)
        return self.head(pooled.flatten(1))
