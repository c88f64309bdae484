"""ResNet，可在任意位置装注意力：给 32×32 小图的，与 ImageNet 式的 resnet18、34、50。"""

from __future__ import annotations

from collections.abc import Sequence

from paddle import Tensor, nn
from paddle.nn import functional as F

from vision_attention import checks
from vision_attention.specs import ImageNetResNetSpec, ResNetSpec, StageSpec

from . import init
from .placement import Residual, insert_attention
from .precision import match


def conv_norm(
    in_channels: int, out_channels: int, kernel_size: int, stride: int = 1
) -> list[nn.Layer]:
    """卷积（不带偏置）与批归一化。"""
    padding = kernel_size // 2
    return [
        nn.Conv2D(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=padding,
            bias_attr=False,
        ),
        init.batch_norm(out_channels),
    ]


def shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Layer:
    """捷径：形状不变时恒等，否则 1×1 卷积。"""
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(*conv_norm(in_channels, out_channels, 1, stride))


class BasicBlock(Residual):
    """两个 3×3 卷积的残差块。

    形状: x (B, C, H, W) → (B, C', H/stride, W/stride)
    参数: in_channels 即 C；width 即 C'；stride 为第一个卷积的步长
    出处: He 等 2016，arXiv:1512.03385，图 5 左
    """

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int):
        branch = nn.Sequential(
            *conv_norm(in_channels, width, 3, stride),
            nn.ReLU(),
            *conv_norm(width, width, 3),
        )
        super().__init__(branch, shortcut(in_channels, width, stride), nn.ReLU())


class Bottleneck(Residual):
    """1×1、3×3、1×1 的残差块，输出宽是中间宽的 4 倍。

    形状: x (B, C, H, W) → (B, 4·width, H/stride, W/stride)
    参数: in_channels 即 C；width 为中间宽；stride 为 3×3 卷积的步长
    出处: He 等 2016，arXiv:1512.03385，图 5 右；步长放在 3×3 上是后来的通行写法
    """

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int):
        branch = nn.Sequential(
            *conv_norm(in_channels, width, 1),
            nn.ReLU(),
            *conv_norm(width, width, 3, stride),
            nn.ReLU(),
            *conv_norm(width, 4 * width, 1),
        )
        super().__init__(branch, shortcut(in_channels, 4 * width, stride), nn.ReLU())


BLOCKS = {"basic": BasicBlock, "bottleneck": Bottleneck}


def stage_outputs(spec: StageSpec) -> list[int]:
    """各阶段的输出通道数：瓶颈块的是它的宽的 4 倍，门的通道数也是这个数。"""
    return [width * BLOCKS[spec.block].expansion for width in spec.widths]


def build_stages(spec: StageSpec, counts: Sequence[int]) -> nn.Sequential:
    """各个阶段：第二个起，第一块把图缩小一半。

    参数: counts 为各阶段的块数
    """
    block, stages, channels = BLOCKS[spec.block], [], spec.widths[0]
    for number, (width, count) in enumerate(zip(spec.widths, counts, strict=True)):
        blocks = []
        for first in range(count):
            stride = 2 if number > 0 and first == 0 else 1
            blocks.append(block(channels, width, stride))
            channels = width * block.expansion
        stages.append(nn.Sequential(*blocks))
    return nn.Sequential(*stages)


class ResNet(nn.Layer):
    """CIFAR 式 ResNet：一个 3×3 卷积，三个阶段（后两个各缩小一半），平均后分类。

    形状: x (B, C, H, W) →（B, 类别数），图可以是任何大小
    参数: spec 为 ResNetSpec，见该类各字段
    错误: x 的形状或数据类型不符，训练时只有一张、又不大于 4×4 时抛出 ValueError；
        尺寸的错误由 ResNetSpec 抛出
    出处: He 等 2016，arXiv:1512.03385，§4.2；捷径用 1×1 卷积（该文的方案 B）
    """

    def __init__(self, spec: ResNetSpec):
        super().__init__()
        self.spec = spec
        self.stem = nn.Sequential(*conv_norm(spec.in_channels, spec.widths[0], 3))
        widths = stage_outputs(spec)
        self.stages = build_stages(spec, [spec.blocks_per_stage] * 3)
        self.head = nn.Linear(widths[-1], spec.num_classes)
        init.convolutions(self)
        init.transformer(self.head)
        insert_attention(self.stages, widths, spec)

    def features(self, x: Tensor) -> Tensor:
        """最后一张特征图，(B, C', H/4, W/4)。"""
        checks.feature_map(x, self.spec.in_channels)
        match(x, self.stem)
        checks.batch_norm_input(x, lambda: init.uses_batch_statistics(self), 4)
        return self.stages(F.relu(self.stem(x)))

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.adaptive_avg_pool2d(self.features(x), 1)  # (B, C', 1, 1)
        return self.head(pooled.flatten(1))


def close_branches(stages: nn.Sequential) -> None:
    """各块支路最后一个批归一化的 γ 从 0 起步：没有学过时，每块都是捷径，深了也不放大。

    出处: Goyal 等 2017，arXiv:1706.02677，§5.1；timm 的 zero_init_last 也是这样
    """
    for stage in stages:
        for block in stage:
            init.zero_scale(block.branch[-1])


class ImageNetResNet(nn.Layer):
    """ImageNet 式 ResNet：7×7 卷积与最大池化先缩小四倍，四个阶段，平均后分类。

    形状: x (B, C, H, W) →（B, 类别数），图可以是任何大小
    参数: spec 为 ImageNetResNetSpec，见该类各字段
    错误: x 的形状或数据类型不符，训练时只有一张、又不大于 32×32 时抛出 ValueError；
        尺寸的错误由 ImageNetResNetSpec 抛出
    出处: He 等 2016，arXiv:1512.03385，表 1；瓶颈块的步长放在 3×3 上，与 timm、
        torchvision 相同，它们的权重用 interop.load_timm 装
    """

    def __init__(self, spec: ImageNetResNetSpec):
        super().__init__()
        self.spec = spec
        self.stem = nn.Sequential(
            *conv_norm(spec.in_channels, spec.widths[0], 7, 2),
            nn.ReLU(),
            nn.MaxPool2D(3, 2, 1),
        )
        widths = stage_outputs(spec)
        self.stages = build_stages(spec, spec.blocks_per_stage)
        self.head = nn.Linear(widths[-1], spec.num_classes)
        init.convolutions(self)
        init.transformer(self.head)
        close_branches(self.stages)
        insert_attention(self.stages, widths, spec)

    def features(self, x: Tensor) -> Tensor:
        """最后一张特征图，(B, C', H/32, W/32)。"""
        checks.feature_map(x, self.spec.in_channels)
        match(x, self.stem)
        checks.batch_norm_input(x, lambda: init.uses_batch_statistics(self), 32)
        return self.stages(self.stem(x))

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.adaptive_avg_pool2d(self.features(x), 1)  # (B, C', 1, 1)
        return self.head(pooled.flatten(1))
