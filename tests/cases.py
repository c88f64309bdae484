"""每个类、每个开关一个用例：两翼的对齐、形状、参数个数都按这张表检查。

加一种门，在 KINDS 里加一行：怎样判（门的式子、范围、该拒绝的参数）与它的用例。

尺寸故意取得互不相同、也不取方形：写错轴的代码在方形上看不出来。
B 2，C 12，H 7，W 13；token N 11，D 15，头 A 3，每头宽 K 5；瓶颈缩减 4 倍，宽 3。
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formulas import batch_norm, conv, conv_of, linear, mlp, relu
from scipy.special import expit

import vision_attention
from vision_attention import geometry, specs

MAP = (2, 12, 7, 13)
TOKENS = (2, 11, 15)
IMAGES = (2, 3, 12, 12)
DIGITS = (8, 1, 8, 8)
PHOTOS = (4, 3, 65, 50)


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


# ---- 门的式子：照论文写，不看 src ----


def channel_gate(x, weights, pooling="both", prefix=""):
    scores = 0.0
    if pooling != "max":
        scores = scores + mlp(x.mean((2, 3)), weights, prefix)
    if pooling != "avg":
        scores = scores + mlp(x.max((2, 3)), weights, prefix)
    return expit(scores)[:, :, None, None]


def separate_gate(x, weights, prefix=""):
    average, maximum = x.mean((2, 3)), x.max((2, 3))
    hidden = relu(linear(maximum, weights, f"{prefix}max_fc1"))
    second = linear(hidden, weights, f"{prefix}max_fc2")
    return expit(mlp(average, weights, prefix) + second)[:, :, None, None]


def concat_gate(x, weights, prefix=""):
    both = np.concatenate([x.mean((2, 3)), x.max((2, 3))], 1)
    return expit(mlp(both, weights, prefix))[:, :, None, None]


def spatial_gate(x, weights, pooling="both", spatial_norm=False, prefix=""):
    maps = []
    if pooling != "max":
        maps.append(x.mean(1, keepdims=True))
    if pooling != "avg":
        maps.append(x.max(1, keepdims=True))
    kernel = weights[f"{prefix}conv.weight"]
    bias = 0.0 if spatial_norm else weights[f"{prefix}conv.bias"]
    score = conv(np.concatenate(maps, 1), kernel, bias, kernel.shape[2] // 2)
    score = batch_norm(score, weights, f"{prefix}norm") if spatial_norm else score
    return expit(score)


def multiscale_gate(x, weights, prefix=""):
    small = conv_of(x, weights, f"{prefix}conv1")
    large = conv_of(x, weights, f"{prefix}conv3", padding=1)
    both = np.concatenate([small, large], 1)
    return expit(both.mean(1, keepdims=True) + both.max(1, keepdims=True))


def cbam_gate(
    x,
    weights,
    *,
    order="channel-spatial",
    pooling="both",
    mlp="shared",
    spatial="conv",
    spatial_norm=False,
):
    channels = {
        "shared": channel_gate,
        "separate": separate_gate,
        "concat": concat_gate,
    }

    def channel(x):
        extra = {"pooling": pooling} if mlp == "shared" else {}
        return channels[mlp](x, weights, prefix="channel.", **extra)

    def space(x):
        if spatial == "multiscale":
            return multiscale_gate(x, weights, "spatial.")
        return spatial_gate(x, weights, pooling, spatial_norm, "spatial.")

    if order == "parallel":
        return channel(x) * space(x)
    first, second = (channel, space) if order[0] == "c" else (space, channel)
    gate = first(x)
    return gate * second(x * gate)


def se_gate(x, weights):
    return expit(mlp(x.mean((2, 3)), weights))[:, :, None, None]


def eca_gate(x, weights):
    kernel = weights["conv.weight"].ravel()
    reach = len(kernel) // 2
    padded = np.pad(x.mean((2, 3)), ((0, 0), (reach, reach)))
    channels = x.shape[1]
    score = sum(w * padded[:, i : i + channels] for i, w in enumerate(kernel))
    return expit(score)[:, :, None, None]


def bam_gate(x, weights, combine="add", dilation=4):
    channel = conv_of(x.mean((2, 3), keepdims=True), weights, "channel.0")
    channel = relu(batch_norm(channel, weights, "channel.1"))
    channel = conv_of(channel, weights, "channel.3")
    space = relu(batch_norm(conv_of(x, weights, "spatial.0"), weights, "spatial.1"))
    for i in (3, 6):
        space = conv_of(
            space, weights, f"spatial.{i}", padding=dilation, dilation=dilation
        )
        space = relu(batch_norm(space, weights, f"spatial.{i + 1}"))
    space = conv_of(space, weights, "spatial.9")
    score = channel * space if combine == "multiply" else channel + space
    return 1 + expit(score)


def coordinate_gate(x, weights):
    height = x.shape[2]
    lines = np.concatenate([x.mean(3), x.mean(2)], 2)[..., None]
    lines = batch_norm(conv_of(lines, weights, "shared"), weights, "norm")
    lines = lines * np.clip(lines + 3, 0, 6) / 6
    rows = expit(conv_of(lines[:, :, :height], weights, "to_height"))
    columns = expit(conv_of(lines[:, :, height:], weights, "to_width"))
    return rows * columns.transpose(0, 1, 3, 2)


def simam_gate(x, weights, energy_lambda=1e-4):
    mean = x.mean((2, 3), keepdims=True)
    variance = x.var((2, 3), keepdims=True, ddof=1)
    return expit((x - mean) ** 2 / (4 * (variance + energy_lambda)) + 0.5)


def own_value(x, weights):
    """不看输入的门：就是那一个数。"""
    return weights["value"]


# ---- 一种门一行 ----


@dataclass(frozen=True)
class Kind:
    """一种门怎样判。

    build 为类的名字；formula 收 x、weights 与它自己写明的开关，返回门；cases 为用例。
    门在 least 与 most 之间；closes 为假时，输入放大 9 倍门也低不到 0.49；sees 为假时
    门不看输入；loose 为真时没有权重可对照，数据类型跟着 x 走；bad 从报错里该有的话
    （正则）到惹来它的参数。
    """

    build: str
    formula: Callable[..., np.ndarray]
    cases: list[Case]
    bad: dict[str, dict[str, Any]] = field(default_factory=dict)
    least: float = 0.0
    most: float = 1.0
    closes: bool = True
    sees: bool = True
    loose: bool = False


NAN = float("nan")
# 通道门：12·3 + 3 + 3·12 + 12 = 87；空间门：2·7·7 + 1 = 99
KINDS = [
    Kind(
        "ChannelAttention",
        channel_gate,
        [
            gate("ChannelAttention", 87, reduction_ratio=4),
            gate("ChannelAttention", 87, reduction_ratio=4, pooling="avg"),
            gate("ChannelAttention", 87, reduction_ratio=4, pooling="max"),
            gate("ChannelAttention", 137, min_hidden=5),
        ],
    ),
    Kind(
        "SeparateChannelAttention",
        separate_gate,
        [gate("SeparateChannelAttention", 174, reduction_ratio=4)],
    ),
    Kind(
        "ConcatChannelAttention",
        concat_gate,
        [gate("ConcatChannelAttention", 123, reduction_ratio=4)],
    ),
    Kind(
        "SpatialAttention",
        spatial_gate,
        [
            Case("SpatialAttention", "SpatialAttention", (), {}, MAP, 99),
            Case("SpatialAttention-k3", "SpatialAttention", (3,), {}, MAP, 19),
            Case(
                "SpatialAttention-avg",
                "SpatialAttention",
                (5,),
                {"pooling": "avg"},
                MAP,
                26,
            ),
            Case(
                "SpatialAttention-max",
                "SpatialAttention",
                (5,),
                {"pooling": "max"},
                MAP,
                26,
            ),
            Case(
                "SpatialAttention-norm",
                "SpatialAttention",
                (),
                {"spatial_norm": True},
                MAP,
                100,
            ),
        ],
        {
            "kernel_size=4 是偶数.*例如 3 或 5": {"kernel_size": 4},
            "spatial_norm=1 应为": {"spatial_norm": 1},
        },
    ),
    Kind(
        "MultiScaleSpatialAttention",
        multiscale_gate,
        [gate("MultiScaleSpatialAttention", 366, reduction_ratio=4)],
    ),
    Kind(
        "CBAM",
        cbam_gate,
        [
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
        ],
        {
            "kernel_size=6 是偶数": {"kernel_size": 6},
            "reduction_ratio=16 大于 in_channels=12.*min_hidden=1": {
                "reduction_ratio": 16
            },
            "reduction_ratio=0 应为正整数": {"reduction_ratio": 0},
            "order='spatial' 不认识。是不是 'spatial-channel'？": {"order": "spatial"},
            "pooling='mean' 不认识": {"pooling": "mean"},
            "pooling='avg' 与 mlp='concat' 不相容": {"mlp": "concat", "pooling": "avg"},
            "pooling='max' 与 mlp='separate' 不相容": {
                "mlp": "separate",
                "pooling": "max",
            },
            "mlp='share' 不认识。是不是 'shared'": {"mlp": "share"},
            "min_hidden=-1 不合适；应为不小于 0 的整数": {"min_hidden": -1},
            "spatial_norm='no' 应为": {"spatial_norm": "no"},
            "identity_init='no' 应为 True 或 False": {"identity_init": "no"},
            "spatial_norm=True 与 spatial='multiscale' 不相容.*请去掉": {
                "spatial": "multiscale",
                "spatial_norm": True,
            },
            "kernel_size=4 与 spatial='multiscale' 不相容": {
                "spatial": "multiscale",
                "kernel_size": 4,
            },
        },
    ),
    Kind(
        "SqueezeExcitation",
        se_gate,
        [
            gate("SqueezeExcitation", 87, reduction_ratio=4),
            gate("SqueezeExcitation", 137, reduction_ratio=16, min_hidden=5),
        ],
        {"reduction_ratio=16 大于 in_channels=12": {"reduction_ratio": 16}},
    ),
    Kind(
        "ECA",
        eca_gate,
        [gate("ECA", 3), gate("ECA", 5, kernel_size=5)],
        {"kernel_size=6 是偶数": {"kernel_size": 6}},
    ),
    Kind(
        "BAM",
        bam_gate,
        [
            gate("BAM", 322, reduction_ratio=4),
            gate("BAM", 322, reduction_ratio=4, combine="multiply"),
            gate("BAM", 322, reduction_ratio=4, dilation=2),
        ],
        {
            "combine='sum' 不认识": {"combine": "sum"},
            "dilation=0 应为正整数": {"dilation": 0},
            "min_hidden=2.5 不合适": {"min_hidden": 2.5},
        },
        least=1.0,
        most=2.0,
        closes=False,
    ),
    Kind(
        "CoordinateAttention",
        coordinate_gate,
        [
            gate("CoordinateAttention", 336),
            gate("CoordinateAttention", 141, reduction_ratio=4, min_hidden=3),
        ],
        {"min_hidden='8' 不合适": {"min_hidden": "8"}},
    ),
    Kind(
        "SimAM",
        simam_gate,
        [gate("SimAM", 0), gate("SimAM", 0, energy_lambda=0.1)],
        {
            "in_channels=-1 应为正整数": {"in_channels": -1},
            "energy_lambda=0 不合适；应为正数": {"energy_lambda": 0},
            "energy_lambda=nan 不合适": {"energy_lambda": NAN},
            "energy_lambda='a' 不合适": {"energy_lambda": "a"},
        },
        least=expit(0.5),
        closes=False,
        loose=True,
    ),
    Kind(
        "ConstantGate",
        own_value,
        [gate("ConstantGate", 0), gate("ConstantGate", 0, value=0.5)],
        {
            "value=nan 不合适": {"value": NAN},
            r"value=\[1, 2\] 不合适": {"value": [1, 2]},
        },
        closes=False,
        sees=False,
        loose=True,
    ),
    Kind(
        "ScalarGate",
        own_value,
        [gate("ScalarGate", 1)],
        {"value=None 不合适": {"value": None}},
        closes=False,
        sees=False,
        loose=True,
    ),
]


def written(wing: str) -> set[str]:
    """一翼的 gates 公开的类；只读源文件，少了哪个也不出错。"""
    source = Path(vision_attention.__file__).parent / wing / "gates" / "__init__.py"
    for node in ast.parse(source.read_text("utf8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names = ast.literal_eval(node.value)
    return {name for name in names if name[0].isupper() and name != "GATES"}


# 写了一半的门先不判：缺哪一处，由 test_new_gate 一句话说出
HALF = {kind.build for kind in KINDS} - (written("torch") & written("paddle"))
GATES = [case for kind in KINDS if kind.build not in HALF for case in kind.cases]

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
    model("resnet18", PHOTOS, width=4),
    model("resnet18", PHOTOS, width=4, attention="eca", placement="output"),
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
