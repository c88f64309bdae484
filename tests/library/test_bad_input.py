"""坏输入：两翼说同一句话，点出参数、收到的值与该怎么改。"""

from __future__ import annotations

import importlib
import inspect

import cases
import numpy as np
import pytest
import torch
from frameworks import FRAMEWORKS

import vision_attention.paddle
import vision_attention.torch
from vision_attention import geometry, specs


def tensor(wing, values):
    return FRAMEWORKS[wing.__name__.rpartition(".")[2]].tensor(values)


def zeros(*shape):
    return np.zeros(shape, "f4")


# 每种门的第一个用例，加上特征图上的自注意力
FIRST = [*cases.GATES, *[c for c in cases.ATTENTION if c.shape == cases.MAP]]
FIRST = {case.build: case for case in reversed(FIRST)}.values()
every_gate = pytest.mark.parametrize("case", FIRST, ids=lambda c: c.build)
# 第一个参数是通道数的
every_counted = pytest.mark.parametrize(
    "case", [c for c in FIRST if c.arguments[:1] == (12,)], ids=lambda c: c.build
)


@every_gate
def test_maps_without_a_single_pixel(wing, case):
    module = case.make(wing)
    for shape in ((2, 12, 7, 0), (2, 12, 0, 7)):
        with pytest.raises(ValueError, match="里面一个数也没有"):
            module(tensor(wing, zeros(*shape)))
    assert tuple(module(tensor(wing, zeros(0, 12, 7, 5))).shape) == (0, 12, 7, 5)


def test_the_spatial_gate_wants_a_channel(wing):
    with pytest.raises(ValueError, match="里面一个数也没有"):
        wing.SpatialAttention()(tensor(wing, zeros(2, 0, 7, 5)))


@every_gate
@pytest.mark.parametrize("shape", [(12, 7, 13), (2, 12, 3, 7, 13)])
def test_three_or_five_dimensions(wing, case, shape):
    module = case.make(wing)
    with pytest.raises(ValueError, match=r"x 的形状是 .*应为四维 \(B, C, H, W\)"):
        module(tensor(wing, zeros(*shape)))


@every_counted
def test_wrong_channels(wing, case):
    module = case.make(wing)
    with pytest.raises(ValueError, match="x 有 5 个通道，而构造时 in_channels=12"):
        module(tensor(wing, zeros(2, 5, 7, 13)))


@every_gate
def test_integers_are_refused(wing, case):
    module = case.make(wing)
    with pytest.raises(ValueError, match=r"x 的数据类型是 .*应为浮点"):
        module(tensor(wing, np.zeros((2, 12, 7, 13), "int64")))


@every_gate
def test_nan_is_never_swallowed(wing, case):
    # 一个坏像素不能变成一张看似正常的输出
    module = case.make(wing)
    module.eval()
    x = np.random.default_rng(0).standard_normal((2, 12, 7, 13)).astype("f4")
    x[1, 3, 4, 5] = np.nan
    y = module(tensor(wing, x)).detach().numpy()
    assert np.isnan(y[1, 3, 4, 5])
    assert not np.isnan(y[0]).any()


NAN = float("nan")


def block(wing, mlp_ratio):
    return wing.TransformerBlock(8, wing.MultiHeadSelfAttention(8), mlp_ratio)


def masked(wing, mask, softmax_axis="keys"):
    return wing.MultiHeadSelfAttention(
        8, 2, mask=mask, softmax_axis=softmax_axis, fused=False
    )


def without_row(size, row):
    """第 row 个查询谁也看不见的掩码。"""
    mask = np.ones((size, size), bool)
    mask[row] = False
    return mask


def refused(message, build):
    return pytest.param(build, message, id=message[:24])


CONSTRUCTIONS = [
    refused(
        r"num_heads=3 不能整除 embed_dim=128；可用的取值：1, 2, 4, 8",
        lambda wing: wing.MultiHeadSelfAttention(128, 3),
    ),
    refused(
        "num_heads=5 不能整除 in_channels=12", lambda wing: wing.SelfAttention2d(12, 5)
    ),
    refused(
        "patch_size=5 不能整除 image_size=32",
        lambda wing: wing.PatchEmbedding(32, 5, 3, 8),
    ),
    refused(
        "patch_size=5 不能整除 image_size=32",
        lambda wing: wing.ViT(specs.ViTSpec(patch_size=5)),
    ),
    refused("patch_size=6 应为 2 的幂", lambda wing: wing.ConvTokenizer(12, 6, 3, 8)),
    refused(
        "patch_size=1 没有半块可移", lambda wing: wing.ShiftedPatchEmbedding(8, 1, 3, 8)
    ),
    refused(
        r"attention='cbma' 不认识。是不是 'cbam'？",
        lambda wing: wing.build_gate("cbma", 64),
    ),
    refused(
        r"cbam 的参数='reduction' 不认识。是不是 'reduction_ratio'？",
        lambda wing: wing.build_gate("cbam", 64, {"reduction": 8}),
    ),
    refused(
        r"attention='self_atention' 不认识。是不是 'self_attention'？",
        lambda wing: wing.build(specs.named("resnet20", attention="self_atention")),
    ),
    refused(
        "softmax_axis='key' 不认识。是不是 'keys'",
        lambda wing: wing.SelfAttention2d(4, softmax_axis="key"),
    ),
    refused(
        "softmax_axis='queries' 与 fused=True 矛盾",
        lambda wing: wing.MultiHeadSelfAttention(8, softmax_axis="queries"),
    ),
    refused("drop_path_rate=1.0 超出范围", lambda wing: wing.DropPath(1.0)),
    refused("drop_path_rate='a' 不合适", lambda wing: wing.DropPath("a")),
    refused("drop_path_rate=nan 不合适", lambda wing: wing.DropPath(NAN)),
    refused("spec 的类型=", lambda wing: wing.build("vit_tiny")),
    # 装不下的权重：说出该改小哪一个，不去试
    refused(
        "embed_dim 太大：q、k、v 的权重要有 3,",
        lambda wing: wing.MultiHeadSelfAttention(10**9, 1),
    ),
    refused("in_channels 太大：q、k、v", lambda wing: wing.SelfAttention2d(10**9)),
    refused("hidden_dim 太大：MLP", lambda wing: wing.MLP(8, 10**9)),
    *[
        refused(
            f"{name} 太大：.*请减小 {name}",
            lambda wing, kind=kind, sizes=sizes: getattr(wing, kind)(8, 2, *sizes),
        )
        for kind in ("PatchEmbedding", "ShiftedPatchEmbedding", "ConvTokenizer")
        for name, sizes in (
            ("in_channels", (10**9, 8)),
            ("embed_dim", (8, 10**9)),
        )
    ],
    *[
        refused(f"kernel_size={size} 太大；应不超过 1,023", build)
        for size in (1025, 10**9 + 1)
        for build in (
            lambda wing, size=size: wing.SpatialAttention(size),
            lambda wing, size=size: wing.ECA(12, size),
            lambda wing, size=size: wing.CBAM(12, 4, size),
        )
    ],
    refused(
        "dilation=1000000000 太大；应不超过 1,023",
        lambda wing: wing.BAM(12, 4, dilation=10**9),
    ),
    # 没有宽度的层
    refused("hidden_dim=0 应为正整数", lambda wing: wing.MLP(8, 0)),
    refused("embed_dim=0 应为正整数", lambda wing: wing.MLP(0, 8)),
    refused("embed_dim=0 应为正整数", lambda wing: wing.SequencePool(0)),
    refused("embed_dim=0 应为正整数", lambda wing: wing.PatchEmbedding(8, 2, 1, 0)),
    refused("in_channels=-1 应为正整数", lambda wing: wing.PatchEmbedding(8, 2, -1, 4)),
    refused(
        "embed_dim='4' 应为正整数",
        lambda wing: wing.ShiftedPatchEmbedding(8, 2, 1, "4"),
    ),
    refused("embed_dim=0 应为正整数", lambda wing: wing.ConvTokenizer(8, 2, 1, 0)),
    refused(r"mlp_ratio=0 不合适；应为正数", lambda wing: block(wing, 0)),
    refused(r"mlp_ratio=nan 不合适；应为正数", lambda wing: block(wing, NAN)),
    refused(r"mlp_ratio=0.001 太小.*mlp_ratio ≥ 1/8", lambda wing: block(wing, 0.001)),
    # 不是有限的数
    refused("gamma=nan 不合适", lambda wing: wing.SelfAttention2d(8, gamma=NAN)),
    refused("gamma='a' 不合适", lambda wing: wing.SelfAttention2d(8, gamma="a")),
    # 是与否只能写 True 与 False
    *[
        refused(
            f"{name}='no' 应为 True 或 False",
            lambda wing, name=name: wing.MultiHeadSelfAttention(8, **{name: "no"}),
        )
        for name in ("qkv_bias", "scale", "fused")
    ],
    *[
        refused(
            f"{name}=None 应为 True 或 False",
            lambda wing, name=name: wing.SelfAttention2d(8, **{name: None}),
        )
        for name in ("scale", "fused")
    ],
    # 掩码
    refused(
        "mask 的数据类型是 float64，应为布尔",
        lambda wing: masked(wing, np.triu(np.full((5, 5), -np.inf), 1)),
    ),
    refused(
        r"mask 的形状是 \(5,\)；应为正方形 \(N, N\)",
        lambda wing: masked(wing, np.ones(5, bool)),
    ),
    refused(
        r"mask 的形状是 \(1, 5\)；应为正方形",
        lambda wing: masked(wing, np.ones((1, 5), bool)),
    ),
    refused("mask 的第 2 行全为假", lambda wing: masked(wing, without_row(5, 2))),
    refused(
        "mask 的第 2 列全为假",
        lambda wing: masked(wing, without_row(5, 2).T, "queries"),
    ),
]


@pytest.mark.parametrize(("build", "message"), CONSTRUCTIONS)
def test_construction(wing, build, message):
    with pytest.raises(ValueError, match=message):
        build(wing)


BAD_GATES = [
    pytest.param(kind, message, id=f"{kind.build}-{message[:24]}")
    for kind in cases.KINDS
    if kind.build not in cases.HALF
    for message in kind.bad
]


@pytest.mark.parametrize(("kind", "message"), BAD_GATES)
def test_construction_of_a_gate(wing, kind, message):
    make, first = getattr(wing, kind.build), kind.cases[0]
    good = inspect.signature(make).bind(*first.arguments, **first.options).arguments
    with pytest.raises(ValueError, match=message):
        make(**{**good, **kind.bad[message]})


SPECS = [
    ("vit_tny", {}, "model='vit_tny' 不认识。是不是 'vit_tiny'？"),
    ("vit_tiny", {"deepth": 3}, "vit_tiny 的字段='deepth' 不认识。是不是 'depth'？"),
    ("resnet20", {"depth": 21}, r"depth=21 不合 6n\+2"),
    ("resnet20", {"stage_widths": (16, 32)}, "应为三个阶段的宽"),
    ("mobile_narrow", {"stage_widths": (8, 16, 0)}, "stage_widths=0"),
    ("resnet20", {"depth": 21, "block": "bottleneck"}, r"不合 9n\+2"),
    ("resnet18", {"depth": 20}, "depth=20 不认识.*可用的取值：18, 34, 50"),
    ("resnet18", {"stages": (4, 5)}, r"stages=\(4, 5\) 不合要求"),
    ("resnet18", {"stage_widths": (8, 16, 32)}, "应为四个阶段的宽"),
    ("resnet18", {"width": 0}, "width=0 应为正整数"),
    ("resnet", {}, "model='resnet' 不认识。是不是 'resnet"),
    ("resnet20", {"placement": "brunch"}, "placement='brunch' 不认识。是不是 'branch'"),
    ("resnet20", {"stages": (1, 4)}, r"stages=\(1, 4\) 不合要求"),
    ("resnet20", {"stages": (1, 1)}, r"stages=\(1, 1\) 不合要求"),
    ("resnet20", {"num_classes": 0}, "num_classes=0 应为正整数"),
    ("small_cnn", {"placement": "identity"}, "placement='identity' 不认识"),
    ("mlp_smal", {}, "是不是 'mlp_small'？"),
    ("mlp_small", {"depth": 0}, "depth=0 应为正整数"),
    ("mlp_small", {"width": 33.5}, "width=33.5 应为正整数"),
    ("mlp_small", {"attention": "cbam"}, "mlp_small 的字段='attention' 不认识"),
    ("vit_tiny", {"num_heads": 3}, "num_heads=3 不能整除 embed_dim=64"),
    ("vit_tiny", {"window": 4}, "window=4 是偶数"),
    ("vit_tiny", {"pool": "cls"}, "pool='cls' 不认识。是不是 'class'"),
    ("vit_tiny", {"drop_path_rate": -0.1}, "drop_path_rate=-0.1 超出范围"),
    ("vit_tiny", {"drop_path_rate": "x"}, "drop_path_rate='x' 不合适"),
    ("vit_tiny", {"mlp_ratio": 0}, "mlp_ratio=0 不合适；应为正数"),
    ("vit_tiny", {"mlp_ratio": -2}, "mlp_ratio=-2 不合适"),
    ("vit_tiny", {"mlp_ratio": "4"}, "mlp_ratio='4' 不合适"),
    ("vit_tiny", {"mlp_ratio": NAN}, "mlp_ratio=nan 不合适"),
    ("vit_tiny", {"mlp_ratio": 0.001}, "mlp_ratio=0.001 太小.*mlp_ratio ≥ 1/64"),
    ("vit_tiny", {"qkv_bias": "no"}, "qkv_bias='no' 应为 True 或 False"),
    (
        "vit_tiny",
        {"position": "sincos", "embed_dim": 6, "num_heads": 2},
        "embed_dim=6 应为 4 的倍数.*例如 4 或 8",
    ),
    (
        "vit_tiny",
        {"position": "sincos_1d", "embed_dim": 6, "num_heads": 2},
        "embed_dim=6 应为 4 的倍数.*例如 4 或 8",
    ),
    (
        "vit_tiny",
        {"tokenizer": "conv", "image_size": 12, "patch_size": 6},
        "patch_size=6 应为 2 的幂",
    ),
    ("vit_tiny", {"tokenizer": "shifted", "patch_size": 1}, "没有半块可移"),
    (
        "vit_tiny",
        {"attention": "locality", "patch_size": 8, "pool": "mean"},
        "num_tokens=1：去掉自己就没有可看的 token",
    ),
    ("resnet20", {"depth": 20.0}, "depth=20.0 应为正整数"),
    ("resnet20", {"depth": "20"}, "depth='20' 应为正整数"),
    ("resnet20", {"stages": 3}, "stages=3 应为一组数"),
    ("resnet20", {"stages": (1.0, 2)}, r"stages=\(1.0, 2\) 不合要求"),
    ("resnet20", {"stages": ([1], 2)}, r"stages=\(\[1\], 2\) 不合要求"),
    ("resnet20", {"stage_widths": 5}, "stage_widths=5 应为一组数"),
    ("resnet20", {"attention_options": 3}, "attention_options=3 应为「参数: 取值」"),
    ("resnet20", {"attention_options": None}, "attention_options=None 应为"),
]


@pytest.mark.parametrize(("name", "overrides", "message"), SPECS)
def test_specs(name, overrides, message):
    with pytest.raises(ValueError, match=message):
        specs.named(name, **overrides)


@pytest.mark.parametrize("model", ["vit_tiny", "mlp_small"])
def test_models_refuse_images_of_another_size(wing, model):
    built = wing.build(specs.named(model))
    with pytest.raises(ValueError, match=r"x 是 9×12 的图，.*image_size=8.*成 8×8$"):
        built(tensor(wing, zeros(2, 1, 9, 12)))
    with pytest.raises(ValueError, match=r"x 是 12×12 的图，.*用 image_size=12 重新"):
        built(tensor(wing, zeros(2, 1, 12, 12)))


def test_a_remedy_that_could_not_be_built_is_not_offered(wing):
    """9 不是 patch_size=2 的倍数：按 9 重新建模型只会再错一次。"""
    built = wing.build(specs.named("vit_tiny"))
    with pytest.raises(ValueError, match=r"x 是 9×9 的图，.*缩放成 8×8$"):
        built(tensor(wing, zeros(2, 1, 9, 9)))


@pytest.mark.parametrize(
    "model", ["vit_tiny", "small_cnn", "mlp_small", "resnet_narrow", "mobile_narrow"]
)
def test_models_refuse_other_channels_and_integers(wing, model):
    built = wing.build(specs.named(model))
    with pytest.raises(ValueError, match="x 有 3 个通道，而构造时 in_channels=1"):
        built(tensor(wing, zeros(2, 3, 8, 8)))
    with pytest.raises(ValueError, match="应为浮点"):
        built(tensor(wing, np.zeros((2, 1, 8, 8), "uint8")))


HIDDEN = {"min_hidden": 2}


@pytest.mark.parametrize("size", [(9, 9), (5, 23), (1, 1)])
@pytest.mark.parametrize("model", ["small_cnn", "resnet_narrow", "mobile_narrow"])
def test_convolutional_networks_take_any_size(wing, model, size):
    built = wing.build(specs.named(model, attention="cbam", attention_options=HIDDEN))
    built.eval()
    assert tuple(built(tensor(wing, zeros(2, 1, *size))).shape) == (2, 10)


@pytest.mark.parametrize("shape", [(2, 11), (2, 11, 16), (2, 3, 4, 15)])
def test_attention_refuses_other_token_shapes(wing, shape):
    with pytest.raises(ValueError, match=r"应为三维 \(B, N, D\)，D = embed_dim = 15"):
        wing.MultiHeadSelfAttention(15, 3)(tensor(wing, zeros(*shape)))


TOKEN_MODULES = {
    "SequencePool": lambda wing: wing.SequencePool(8),
    "MLP": lambda wing: wing.MLP(8, 4),
    "DropPath": lambda wing: wing.DropPath(0.5),
    "TransformerBlock": lambda wing: block(wing, 2),
}


@pytest.mark.parametrize("name", TOKEN_MODULES)
def test_token_modules_refuse_what_is_no_row_of_tokens(wing, name):
    module = TOKEN_MODULES[name](wing)
    module.train()
    assert module(tensor(wing, zeros(2, 5, 8))).shape[0] == 2
    for strange in (None, 3, [[0.0]], zeros(2, 5, 8)):
        with pytest.raises(ValueError, match="不是张量"):
            module(strange)
    shapes = [(5, 7)] if name == "DropPath" else [(2, 5, 7), (2, 5, 0)]
    for shape in shapes:
        with pytest.raises(ValueError, match=r"x 的形状是 .*应为"):
            module(tensor(wing, zeros(*shape)))


def test_an_mlp_takes_any_rank(wing):
    y = wing.MLP(8, 4)(tensor(wing, zeros(2, 3, 5, 8)))
    assert tuple(y.shape) == (2, 3, 5, 8)


@pytest.mark.parametrize("fused", [True, False])
def test_attention_refuses_more_tokens_than_the_mask(wing, fused):
    module = wing.MultiHeadSelfAttention(8, 2, mask=np.eye(3, dtype=bool), fused=fused)
    with pytest.raises(ValueError, match="x 有 5 个 token，而掩码是 3×3 的"):
        module(tensor(wing, zeros(2, 5, 8)))
    with pytest.raises(ValueError, match="x 有 5 个 token，而掩码是 7×7 的"):
        wing.LocalitySelfAttention(8, 7, 2, fused=fused)(tensor(wing, zeros(2, 5, 8)))


@every_gate
def test_numpy_arrays_are_refused(wing, case):
    module = case.make(wing)
    with pytest.raises(
        ValueError, match=r"x 是 ndarray，不是张量.*from_numpy.*to_tensor"
    ):
        module(zeros(2, 12, 7, 13))


@pytest.mark.parametrize("model", ["vit_tiny", "small_cnn", "mlp_small"])
def test_models_refuse_what_is_no_tensor(wing, model):
    built = wing.build(specs.named(model))
    for images in (zeros(2, 1, 8, 8), zeros(2, 1, 8, 8).tolist()):
        with pytest.raises(ValueError, match=r"x 是 (ndarray|list)，不是张量"):
            built(images)


SMALLEST = {"image_size": 4, "in_channels": 1}
NORMED = {
    "bam": (lambda wing: wing.BAM(16), (16, 7, 7)),
    "spatial": (lambda wing: wing.SpatialAttention(spatial_norm=True), (16, 1, 1)),
    "cbam": (lambda wing: wing.CBAM(16, spatial_norm=True), (16, 1, 1)),
} | {
    name: (lambda wing, n=name: wing.build(specs.named(n, **SMALLEST)), (1, 4, 4))
    for name in ("small_cnn", "resnet_narrow", "mobile_narrow")
}


@pytest.mark.parametrize("name", NORMED)
def test_batch_norm_refuses_a_single_number(wing, name):
    make, shape = NORMED[name]
    module = make(wing)
    module.train()
    with pytest.raises(ValueError, match=r"训练时 x 只有 1 张图.*model\.eval"):
        module(tensor(wing, zeros(1, *shape)))
    assert module(tensor(wing, zeros(2, *shape))).shape[0] == 2
    module.eval()
    assert module(tensor(wing, zeros(1, *shape))).shape[0] == 1


def test_two_numbers_are_enough_for_batch_norm(wing):
    # 坐标注意力把行与列接在一起，1×1 的图也有两个数；空间门的 1×2 也够
    for module, shape in (
        (wing.CoordinateAttention(16), (1, 16, 1, 1)),
        (wing.SpatialAttention(spatial_norm=True), (1, 16, 1, 2)),
        *(
            (wing.build(specs.named(name, image_size=5)), (1, 1, 5, 5))
            for name in ("small_cnn", "resnet_narrow", "mobile_narrow")
        ),
    ):
        module.train()
        assert module(tensor(wing, zeros(*shape))).shape[0] == 1


def norms_of(module):
    """里面的批归一化。"""
    named = getattr(module, "named_modules", None) or module.named_sublayers
    return [layer for _, layer in named() if "BatchNorm" in type(layer).__name__]


@pytest.mark.parametrize("name", NORMED)
def test_frozen_batch_norm_takes_a_single_picture(wing, name):
    # 微调时常见：模块在训练，批归一化停在评估；反过来，只有批归一化在训练，仍要拒绝
    make, shape = NORMED[name]
    module, x = make(wing), tensor(wing, zeros(1, *shape))
    module.train()
    for norm in norms_of(module):
        norm.eval()
    assert module(x).shape[0] == 1
    module.eval()
    for norm in norms_of(module):
        norm.train()
    with pytest.raises(ValueError, match="训练时 x 只有 1 张图"):
        module(x)


@pytest.mark.parametrize("name", NORMED)
def test_batch_norm_told_which_statistics_to_use(name):
    """Paddle 的 use_global_stats：真，训练时也用移动平均；假，评估时也用这一批的。"""
    wing = vision_attention.paddle
    make, shape = NORMED[name]
    module = make(wing)
    norms = norms_of(module)
    values = np.random.default_rng(0).standard_normal((6, *shape)).astype("f4")
    x = tensor(wing, values)
    module.eval()
    still = module(x).numpy()
    module.train()
    for norm in norms:
        norm._use_global_stats = True
    before = [norm._mean.numpy().copy() for norm in norms]
    np.testing.assert_allclose(module(x).numpy(), still, atol=1e-6)
    for norm, mean in zip(norms, before, strict=True):
        np.testing.assert_array_equal(norm._mean.numpy(), mean)
    assert module(x[:1]).shape[0] == 1
    for norm in norms:
        norm._use_global_stats = None
    moving = module(x).numpy()
    assert abs(moving - still).max() > 1e-3
    module.eval()
    for norm in norms:
        norm._use_global_stats = False
    np.testing.assert_allclose(module(x).numpy(), moving, atol=1e-6)
    with pytest.raises(ValueError, match="x 只有 1 张图"):
        module(x[:1])


def test_batch_norm_without_running_statistics_refuses_a_single_number():
    """没有移动平均的批归一化，评估时也用这一批的。"""
    module = vision_attention.torch.SpatialAttention(spatial_norm=True)
    module.norm = torch.nn.BatchNorm2d(1, track_running_stats=False)
    module.eval()
    with pytest.raises(ValueError, match=r"x 只有 1 张图.*至少有 2 张"):
        module(torch.zeros(1, 16, 1, 1))


def test_another_norm_takes_a_single_picture(wing):
    module = wing.BAM(16, reduction_ratio=8)
    nn = importlib.import_module(wing.__name__.rpartition(".")[2]).nn
    module.channel[1] = nn.GroupNorm(1, 2)
    module.train()
    assert module(tensor(wing, zeros(1, 16, 7, 7))).shape[0] == 1
    # 空间那一路，1×1 的图也一样
    with pytest.raises(ValueError, match="训练时 x 只有 1 张图"):
        module(tensor(wing, zeros(1, 16, 1, 1)))


def test_simam_refuses_a_single_pixel(wing):
    with pytest.raises(ValueError, match="x 只有一个像素"):
        wing.SimAM(4)(tensor(wing, zeros(2, 4, 1, 1)))


def test_geometry_refuses_what_cannot_be():
    with pytest.raises(ValueError, match="num_tokens=1"):
        geometry.self_excluded(1)
    with pytest.raises(ValueError, match="window=2 是偶数"):
        geometry.window_mask(4, 2)
    with pytest.raises(ValueError, match=r"embed_dim=10 应为 4 的倍数.*例如 8 或 12"):
        geometry.sincos_2d(4, 10)
    with pytest.raises(ValueError, match=r"embed_dim=2 应为 4 的倍数.*例如 4 或 8"):
        geometry.sincos_2d(4, 2)
    with pytest.raises(ValueError, match=r"embed_dim=6 应为 4 的倍数"):
        geometry.sincos_1d(4, 6)


# 由几个尺寸相乘得来的总数：怎样建、该改小的参数、总数是多少（手算）
COUNTED = [
    (lambda wing: wing.MultiHeadSelfAttention(2**15, 1), "embed_dim", 3 * 2**30),
    (lambda wing: wing.SelfAttention2d(2**16), "in_channels", 2**32),
    (lambda _: geometry.self_excluded(50_000), "num_tokens", 2_500_000_000),
    (lambda _: geometry.sincos_2d(2**7, 2**18), "embed_dim", 2**32),
    (lambda _: geometry.sincos_1d(2**7, 2**18), "embed_dim", 2**32),
    (lambda _: geometry.token_distance(2**8), "grid", 2**32),
]
# 网络、哪个尺寸、取多大、总数（缺省时最宽的一层：resnet20 是 64，其余是 32）
SIZED = [
    ("resnet20", "width", 2**13, 9 * 2**30),
    ("resnet_narrow", "in_channels", 2**23, 9 * 32 * 2**23),
    ("resnet20", "num_classes", 2**24, 4 * 64 * 2**24),
    ("mobile_narrow", "expansion", 2**22, 32 * 32 * 2**22),
    ("small_cnn", "image_size", 50_000, 2_500_000_000),
    ("small_cnn", "width", 2**14, 18 * 2**28),
    ("small_cnn", "in_channels", 2**23, 9 * 32 * 2**23),
    ("small_cnn", "num_classes", 2**26, 2 * 32 * 2**26),
    ("mlp_small", "width", 2**16, 2**32),
]


@pytest.mark.parametrize(("build", "name", "count"), COUNTED)
def test_what_is_too_large_says_how_many(wing, build, name, count):
    with pytest.raises(ValueError, match=f"^{name} 太大：.*要有 {count:,} 个数"):
        build(wing)


@pytest.mark.parametrize(("model", "name", "size", "count"), SIZED)
def test_networks_that_are_too_large_say_how_many(model, name, size, count):
    with pytest.raises(ValueError, match=f"^{name} 太大：.*要有 {count:,} 个数"):
        specs.named(model, **{name: size})


@pytest.mark.parametrize("field", ["image_size", "in_channels", "num_classes"])
@pytest.mark.parametrize("model", specs.SPECS)
def test_every_network_has_a_size(model, field):
    with pytest.raises(ValueError, match=f"{field}=0 应为正整数"):
        specs.named(model, **{field: 0})


def test_networks_of_stages_have_a_width():
    for model in ("resnet20", "mobile_narrow", "resnet18", "small_cnn", "mlp_small"):
        with pytest.raises(ValueError, match="width=0 应为正整数"):
            specs.named(model, width=0)
