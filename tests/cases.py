"""每个类、每个开关一个用例：两翼的对齐、形状、参数个数都按这张表检查。

尺寸故意取得互不相同、也不取方形：写错轴的代码在方形上看不出来。
B 2，C 12，H 7，W 13；token N 11，D 15，头 A 3，每头宽 K 5；瓶颈缩减 4 倍，宽 3。
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from vision_attention import geometry, specs

MAP = (2, 12, 7, 13)
TOKENS = (2, 11, 15)
IMAGES = (2, 3, 12, 12)
DIGITS = (8, 1, 8, 8)


@dataclass(frozen=True)
class Case:
    """一个类的一种构造。"""

    name: str
    build: str
    arguments: tuple = ()
    options: dict[str, Any] = field(default_factory=dict)
    shape: tuple[int, ...] = MAP
    parameters: int | None = None

    def make(self, wing):
        """在一翼里构造。"""
        return getattr(wing, self.build)(*self.arguments, **self.options)

    def values(self, seed: int = 0) -> np.ndarray:
        """输入：固定的随机数。"""
        return np.random.default_rng(seed).standard_normal(self.shape).astype("float32")


@dataclass(frozen=True)
class Tied(Case):
    """同一个用例，输入取整：处处有并列的最大值，梯度给谁就看得出来。"""

    def values(self, seed: int = 0) -> np.ndarray:
        return np.round(super().values(seed))


def gate(build: str, parameters: int, **options) -> Case:
    """一种门：C = 12。"""
    name = "-".join([build, *(f"{k}={v}" for k, v in options.items())])
    return Case(name, build, (12,), options, MAP, parameters)


def cbam(parameters: int, **options) -> Case:
    """CBAM 的一个开关：r = 4，其余默认。"""
    return gate("CBAM", parameters, **{"reduction_ratio": 4, **options})


def tokens(build: str, parameters: int, **options) -> Case:
    """一种 token 上的注意力：D = 15，A = 3。"""
    shown = {k: "…" if isinstance(v, np.ndarray) else v for k, v in options.items()}
    name = "-".join([build, *(f"{k}={v}" for k, v in shown.items())])
    return Case(name, build, (15,), {"num_heads": 3, **options}, TOKENS, parameters)


def model(name: str, shape: tuple[int, ...] = DIGITS, **overrides) -> Case:
    """一种模型。"""
    label = "-".join([name, *(f"{k}={v}" for k, v in overrides.items())])
    return Case(label, "build", (specs.named(name, **overrides),), {}, shape)


# 通道门：12·3 + 3 + 3·12 + 12 = 87；空间门：2·7·7 + 1 = 99
GATES = [
    gate("ChannelAttention", 87, reduction_ratio=4),
    gate("ChannelAttention", 87, reduction_ratio=4, pooling="avg"),
    gate("ChannelAttention", 87, reduction_ratio=4, pooling="max"),
    gate("ChannelAttention", 137, min_hidden=5),
    gate("SeparateChannelAttention", 174, reduction_ratio=4),
    gate("ConcatChannelAttention", 123, reduction_ratio=4),
    Case("SpatialAttention", "SpatialAttention", (), {}, MAP, 99),
    Case("SpatialAttention-k3", "SpatialAttention", (3,), {}, MAP, 19),
    Case("SpatialAttention-avg", "SpatialAttention", (5,), {"pooling": "avg"}, MAP, 26),
    Case("SpatialAttention-max", "SpatialAttention", (5,), {"pooling": "max"}, MAP, 26),
    Case(
        "SpatialAttention-norm",
        "SpatialAttention",
        (),
        {"spatial_norm": True},
        MAP,
        100,
    ),
    gate("MultiScaleSpatialAttention", 366, reduction_ratio=4),
    cbam(186),
    cbam(186, order="spatial-channel"),
    cbam(186, order="parallel"),
    cbam(106, kernel_size=3),
    cbam(137, pooling="avg"),
    cbam(137, pooling="max"),
    cbam(273, mlp="separate"),
    cbam(222, mlp="concat"),
    cbam(453, spatial="multiscale"),
    cbam(187, spatial_norm=True),
    cbam(186, identity_init=True),
    cbam(186, identity_init=True, order="parallel"),
    cbam(386, reduction_ratio=16, min_hidden=11),
    gate("SqueezeExcitation", 87, reduction_ratio=4),
    gate("SqueezeExcitation", 137, reduction_ratio=16, min_hidden=5),
    gate("ECA", 3),
    gate("ECA", 5, kernel_size=5),
    gate("BAM", 322, reduction_ratio=4),
    gate("BAM", 322, reduction_ratio=4, combine="multiply"),
    gate("BAM", 322, reduction_ratio=4, dilation=2),
    gate("CoordinateAttention", 336),
    gate("CoordinateAttention", 141, reduction_ratio=4, min_hidden=3),
    gate("SimAM", 0),
    gate("SimAM", 0, energy_lambda=0.1),
    gate("ConstantGate", 0),
    gate("ConstantGate", 0, value=0.5),
    gate("ScalarGate", 1),
]

# 序列：15·45 + 45 + 15·15 + 15 = 960；特征图：3·(12·12 + 12) + 1 = 469
ATTENTION = [
    tokens("MultiHeadSelfAttention", 960),
    tokens("MultiHeadSelfAttention", 960, fused=False),
    tokens("MultiHeadSelfAttention", 915, qkv_bias=False),
    tokens("MultiHeadSelfAttention", 960, scale=False),
    tokens("MultiHeadSelfAttention", 960, num_heads=5),
    tokens("MultiHeadSelfAttention", 960, softmax_axis="queries", fused=False),
    tokens("MultiHeadSelfAttention", 960, mask=geometry.self_excluded(11)),
    tokens("LocalitySelfAttention", 963, num_tokens=11),
    tokens("LocalitySelfAttention", 963, num_tokens=11, fused=False),
    tokens("LocalitySelfAttention", 918, num_tokens=11, qkv_bias=False),
    Case("SelfAttention2d", "SelfAttention2d", (12,), {"gamma": 0.7}, MAP, 469),
    Case("SelfAttention2d-start", "SelfAttention2d", (12,), {}, MAP, 469),
    Case(
        "SelfAttention2d-explicit",
        "SelfAttention2d",
        (12, 3),
        {"gamma": 0.7, "fused": False},
        MAP,
        469,
    ),
    Case(
        "SelfAttention2d-heads", "SelfAttention2d", (12, 4), {"gamma": None}, MAP, 468
    ),
    Case(
        "SelfAttention2d-unscaled",
        "SelfAttention2d",
        (12,),
        {"gamma": 0.7, "scale": False},
        MAP,
        469,
    ),
    Case(
        "SelfAttention2d-queries",
        "SelfAttention2d",
        (12,),
        {"gamma": 0.7, "softmax_axis": "queries", "fused": False},
        MAP,
        469,
    ),
]

TRANSFORMER = [
    Case("PatchEmbedding", "PatchEmbedding", (12, 4, 3, 15), {}, IMAGES, 735),
    Case(
        "ShiftedPatchEmbedding",
        "ShiftedPatchEmbedding",
        (12, 4, 3, 15),
        {},
        IMAGES,
        4095,
    ),
    Case("ConvTokenizer", "ConvTokenizer", (12, 2, 3, 15), {}, IMAGES, 405),
    Case("ConvTokenizer-twice", "ConvTokenizer", (12, 4, 3, 15), {}, IMAGES, 10368),
    Case("SequencePool", "SequencePool", (15,), {}, TOKENS, 16),
    Case("MLP", "MLP", (15, 22), {}, TOKENS, 697),
    Case("DropPath", "DropPath", (), {}, TOKENS, 0),
]

VIT = {"embed_dim": 24, "depth": 2, "num_heads": 3}
MODELS = [
    model("vit_tiny", **VIT),
    model("vit_tiny", **VIT, pool="mean"),
    model("vit_tiny", **VIT, pool="sequence"),
    model("vit_tiny", **VIT, position="sincos"),
    model("vit_tiny", **VIT, position="none"),
    model("vit_tiny", **VIT, tokenizer="shifted"),
    model("vit_tiny", **VIT, tokenizer="conv"),
    model("vit_tiny", **VIT, tokenizer="conv", patch_size=4),
    model("vit_tiny", **VIT, attention="window"),
    model("vit_tiny", **VIT, attention="window", window=5, pool="mean"),
    model("vit_tiny", **VIT, attention="locality"),
    model("vit_tiny", **VIT, qkv_bias=False),
    model("vit_tiny", **VIT, mlp_ratio=3),
    model("small_cnn"),
    model("small_cnn", attention="cbam", attention_options={"min_hidden": 3}),
    model("small_cnn", attention="se", stages=(2,)),
    model("mlp_small", width=37),
    model("mlp_small", width=37, depth=3),
    model("resnet_narrow"),
    model("resnet_narrow", depth=11, block="bottleneck", attention="cbam"),
    model("resnet_narrow", attention="self_attention", placement="branch"),
    model("resnet_narrow", attention="eca", placement="branch", stages=(3,)),
    model("resnet_narrow", attention="eca", placement="output"),
    model("resnet_narrow", attention="eca", placement="identity", stages=(1, 3)),
    model("resnet_narrow", stage_widths=(9, 17, 32)),
    model("mobile_narrow", stage_widths=(5, 9, 21)),
    model("mobile_narrow"),
    model("mobile_narrow", attention="coordinate", placement="identity"),
]

MODULES = GATES + ATTENTION + TRANSFORMER
ALL = MODULES + MODELS


def per_class(found: list[Case]) -> list:
    """每个类、每种模型的第一个用例每次都做；它的别的开关，make matrix 才做。"""
    first = {case.name.partition("-")[0]: case.name for case in reversed(found)}
    marks = {True: (), False: pytest.mark.matrix}
    return [
        pytest.param(case, marks=marks[case.name in first.values()]) for case in found
    ]
