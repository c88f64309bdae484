"""模型的尺寸：两翼共用一张表。每个尺寸是一个冻结的 dataclass，构造时就检查。"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from vision_attention import checks

PLACEMENTS = ("branch", "output", "identity")
POSITIONS = ("learned", "sincos", "sincos_1d", "none")


@dataclass(frozen=True, kw_only=True)
class ImageSpec:
    """每个模型都有的三项：输入的边长、通道数与类别数。

    参数: image_size 即 S（正方形）；in_channels 即输入通道；num_classes 为类别数
    错误: 不是正整数时抛出 ValueError
    """

    image_size: int = 32
    in_channels: int = 3
    num_classes: int = 10

    def __post_init__(self):
        for item in dataclasses.fields(self):
            value = checks.plain(getattr(self, item.name))
            object.__setattr__(self, item.name, value)
        for name in ("image_size", "in_channels", "num_classes"):
            checks.positive(name, getattr(self, name))
        pixels = self.in_channels * self.image_size**2
        checks.within("image_size", pixels, "一张图")


@dataclass(frozen=True, kw_only=True)
class ViTSpec(ImageSpec):
    """ViT 的尺寸。

    参数: patch_size 即 P；embed_dim 即 D；depth 为块数 L；num_heads 即 A；mlp_ratio 为
        MLP 中间宽与 D 之比；qkv_bias 为投影的偏置；pool 为分类前的汇集（class、
        mean、sequence）；position 为位置编码（learned、sincos、sincos_1d、none，
        sincos 是二维的）；tokenizer 为图像到 token 的方式（patch、shifted、conv）；
        attention 为注意力的范围（global、window、locality）；window 为窗口宽（奇数，
        单位为 token）；drop_path_rate 为最后一块的丢弃率，从 0 线性增加
    错误: 任何一项不认识或不相容时抛出 ValueError
    """

    patch_size: int = 4
    embed_dim: int = 128
    depth: int = 6
    num_heads: int = 4
    mlp_ratio: float = 4.0
    qkv_bias: bool = True
    pool: str = "class"
    position: str = "learned"
    tokenizer: str = "patch"
    attention: str = "global"
    window: int = 3
    drop_path_rate: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        checks.divisible("image_size", self.image_size, "patch_size", self.patch_size)
        checks.divisible("embed_dim", self.embed_dim, "num_heads", self.num_heads)
        checks.deep("depth", self.depth)
        checks.mlp_width(self.embed_dim, self.mlp_ratio)
        checks.flag("qkv_bias", self.qkv_bias)
        checks.choice("pool", self.pool, ("class", "mean", "sequence"))
        checks.choice("position", self.position, POSITIONS)
        checks.choice("tokenizer", self.tokenizer, ("patch", "shifted", "conv"))
        checks.choice("attention", self.attention, ("global", "window", "locality"))
        checks.odd("window", self.window)
        checks.fraction("drop_path_rate", self.drop_path_rate)
        if self.position.startswith("sincos"):
            checks.quarter(self.embed_dim)
        if self.tokenizer == "shifted":
            checks.half_patch(self.patch_size)
        if self.tokenizer == "conv":
            checks.power_of_two("patch_size", self.patch_size)
        if self.attention == "locality":
            checks.not_alone(self.num_tokens)
        checks.vit_fits(self)

    @property
    def grid(self) -> int:
        """每边的 token 数 S / P。"""
        return self.image_size // self.patch_size

    @property
    def num_tokens(self) -> int:
        """N，即 token 数，含分类 token。"""
        return self.grid**2 + (self.pool == "class")

    def drop_path_rates(self) -> list[float]:
        """每一块的丢弃率：从 0 线性增加到 drop_path_rate。"""
        last = max(self.depth - 1, 1)
        return [self.drop_path_rate * i / last for i in range(self.depth)]


@dataclass(frozen=True, kw_only=True)
class AttentionSpec(ImageSpec):
    """卷积网络里注意力的三个问题：用哪种、加在哪里、参数怎么设。

    参数: attention 为 none、任一种门的名字，或 self_attention；attention_options 为
        它的其余参数；placement 为位置：branch（支路末端，相加之前）、output
       （相加之后）、identity（恒等支路上）；stages 为加注意力的阶段编号，从 1 数起
    错误: placement 或 stages 不认识、attention_options 不是对照表时抛出
        ValueError；attention 的名字与参数在建模型时检查
    """

    # 有哪几个阶段
    STAGES: ClassVar[tuple[int, ...]] = (1, 2, 3)
    attention: str = "none"
    attention_options: Mapping[str, Any] = field(default_factory=dict)
    placement: str = "branch"
    stages: tuple[int, ...] = (1, 2, 3)

    def __post_init__(self):
        super().__post_init__()
        checks.options("attention_options", self.attention_options)
        checks.choice("placement", self.placement, PLACEMENTS)
        stages = checks.subset("stages", self.stages, self.STAGES)
        object.__setattr__(self, "stages", stages)


@dataclass(frozen=True, kw_only=True)
class StageSpec(AttentionSpec):
    """分几个阶段的网络：第二个阶段起各把图缩小一半，通常把宽加倍。

    参数: width 为第一阶段的宽，其后依次为 2·width、4·width；stage_widths 逐个写明
        各个阶段的宽，此时不看 width；其余见 AttentionSpec
    错误: 宽不是正整数、stage_widths 的个数不是阶段数时抛出 ValueError
    """

    width: int = 16
    stage_widths: tuple[int, ...] = ()

    def __post_init__(self):
        super().__post_init__()
        checks.positive("width", self.width)
        widths = checks.several("stage_widths", self.stage_widths)
        object.__setattr__(self, "stage_widths", widths)
        checks.stage_widths(widths, len(self.STAGES))
        widest, named = max(self.widths), "stage_widths" if widths else "width"
        checks.within(named, 9 * widest**2, "一层 3×3 卷积的权重")
        checks.within("in_channels", 9 * widest * self.in_channels, "第一层的权重")
        checks.within("num_classes", 4 * widest * self.num_classes, "分类头的权重")

    @property
    def widths(self) -> tuple[int, ...]:
        """各个阶段的宽。"""
        return self.stage_widths or tuple(
            self.width * 2 ** (n - 1) for n in self.STAGES
        )


@dataclass(frozen=True, kw_only=True)
class ResNetSpec(StageSpec):
    """CIFAR 式 ResNet 的尺寸。

    参数: depth 为层数（basic 为 6n+2，bottleneck 为 9n+2）；block 为 basic 或
        bottleneck；其余见 StageSpec
    错误: depth 不是整数或不合式子、block 不认识时抛出 ValueError
    出处: He 等 2016，arXiv:1512.03385，§4.2
    """

    depth: int = 20
    block: str = "basic"

    def __post_init__(self):
        super().__post_init__()
        checks.deep("depth", self.depth)
        checks.choice("block", self.block, ("basic", "bottleneck"))
        self.blocks_per_stage  # noqa: B018  深度不合式子时在这里报错

    @property
    def blocks_per_stage(self) -> int:
        """每个阶段的块数 n。"""
        layers = 6 if self.block == "basic" else 9
        count, rest = divmod(self.depth - 2, layers)
        if rest or count < 1:
            shown = ", ".join(str(layers * n + 2) for n in (1, 2, 3, 5, 9))
            raise checks.ArgumentError(
                f"depth={self.depth} 不合 {layers}n+2（block={self.block!r}）；"
                f"可用的取值：{shown}, …",
                "depth",
                "block",
            )
        return count


# 层数 → 每个阶段几块；50 层起用瓶颈块
IMAGENET_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}


@dataclass(frozen=True, kw_only=True)
class ImageNetResNetSpec(StageSpec):
    """ImageNet 式 ResNet 的尺寸：7×7 卷积、最大池化，四个阶段。

    参数: depth 为层数，取 18、34、50，50 用瓶颈块；stages 可取 1 到 4；stage_widths 是
        四个数；其余见 StageSpec
    错误: depth 不认识时抛出 ValueError
    出处: He 等 2016，arXiv:1512.03385，表 1
    """

    STAGES: ClassVar[tuple[int, ...]] = (1, 2, 3, 4)
    image_size: int = 224
    num_classes: int = 1000
    stages: tuple[int, ...] = (1, 2, 3, 4)
    width: int = 64
    depth: int = 18

    def __post_init__(self):
        super().__post_init__()
        checks.choice("depth", self.depth, IMAGENET_BLOCKS)

    @property
    def block(self) -> str:
        """用哪种块。"""
        return "basic" if self.depth < 50 else "bottleneck"

    @property
    def blocks_per_stage(self) -> tuple[int, ...]:
        """每个阶段的块数。"""
        return IMAGENET_BLOCKS[self.depth]


@dataclass(frozen=True, kw_only=True)
class MobileNetSpec(StageSpec):
    """窄的 MobileNetV2 式网络的尺寸。

    参数: expansion 为倒残差中间宽与输入宽之比；depth 为每个阶段的块数；
        其余见 StageSpec
    出处: Sandler 等 2018，arXiv:1801.04381，图 4
    """

    width: int = 8
    expansion: int = 4
    depth: int = 2

    def __post_init__(self):
        super().__post_init__()
        checks.positive("expansion", self.expansion)
        checks.deep("depth", self.depth)
        middle = self.expansion * max(self.widths)
        checks.within("expansion", middle * max(self.widths), "倒残差的一个权重")


@dataclass(frozen=True, kw_only=True)
class SmallCNNSpec(AttentionSpec):
    """三层卷积的小网络：第二、三层之前各缩小一半。

    参数: width 为前两层的宽，第三层是它的两倍；其余见 AttentionSpec；没有残差，
        所以 placement 只能是 branch
    错误: placement 不是 branch 时抛出 ValueError
    """

    width: int = 32

    def __post_init__(self):
        super().__post_init__()
        checks.positive("width", self.width)
        checks.choice("placement", self.placement, ("branch",))
        checks.within("width", 9 * 2 * self.width**2, "一层 3×3 卷积的权重")
        checks.within("in_channels", 9 * self.width * self.in_channels, "第一层的权重")
        checks.within("num_classes", 2 * self.width * self.num_classes, "分类头的权重")


@dataclass(frozen=True, kw_only=True)
class MLPSpec(ImageSpec):
    """把图像展平的多层感知机。

    参数: width 为隐藏层的宽；depth 为隐藏层数；其余见 ImageSpec
    错误: 不是正整数时抛出 ValueError
    """

    width: int = 333
    depth: int = 2

    def __post_init__(self):
        super().__post_init__()
        checks.positive("width", self.width)
        checks.deep("depth", self.depth)
        pixels = self.in_channels * self.image_size**2
        ends = max(pixels, self.width, self.num_classes)
        checks.within("width", self.width * ends, "一层全连接的权重")


_DIGITS = {"image_size": 8, "in_channels": 1}
_PATCH16 = {"image_size": 224, "patch_size": 16, "depth": 12, "num_classes": 1000}

SPECS: dict[str, ImageSpec] = {
    "small_cnn": SmallCNNSpec(**_DIGITS),
    "mlp_small": MLPSpec(**_DIGITS),
    "vit_tiny": ViTSpec(**_DIGITS, patch_size=2, embed_dim=64, depth=4, mlp_ratio=2),
    "resnet_narrow": ResNetSpec(**_DIGITS, depth=8, width=8),
    "mobile_narrow": MobileNetSpec(**_DIGITS),
    "resnet20": ResNetSpec(depth=20),
    "resnet32": ResNetSpec(depth=32),
    "resnet56": ResNetSpec(depth=56),
    "vit_cifar": ViTSpec(embed_dim=128, depth=6, mlp_ratio=2),
    **{f"resnet{depth}": ImageNetResNetSpec(depth=depth) for depth in IMAGENET_BLOCKS},
    "vit_tiny_patch16_224": ViTSpec(**_PATCH16, embed_dim=192, num_heads=3),
    "vit_small_patch16_224": ViTSpec(**_PATCH16, embed_dim=384, num_heads=6),
    "vit_base_patch16_224": ViTSpec(**_PATCH16, embed_dim=768, num_heads=12),
}


def named(name: str, **overrides: Any) -> ImageSpec:
    """按名字取一组尺寸，并改其中几项。

    参数: name 为 SPECS 里的名字；overrides 为要改的字段
    返回: 冻结的 dataclass
    错误: 名字、字段或取值不对时抛出 ValueError，并给出最近的一个
    """
    spec = SPECS[checks.choice("model", name, SPECS, argument="name")]
    fields = [f.name for f in dataclasses.fields(spec)]
    for key in overrides:
        checks.choice(f"{name} 的字段", key, fields, argument=key)
    return dataclasses.replace(spec, **overrides)
