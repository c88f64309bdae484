"""精度：半精度、双精度进来，或者给出对的数，或者一句我们自己的话。"""

from __future__ import annotations

import cases
import numpy as np
import pytest
from differences import disturb
from frameworks import FRAMEWORKS
from gaps import gap, size
from scipy.special import expit

import vision_attention.paddle
import vision_attention.torch
from vision_attention import specs

WINGS = {"torch": vision_attention.torch, "paddle": vision_attention.paddle}
# 舍入单位 2⁻¹¹ 与 2⁻⁸，乘上网络里几次舍入的累积
COARSE = {"float16": 16 * 2.0**-11, "bfloat16": 16 * 2.0**-8, "float64": 1e-5}
# 没有权重可对照的：数据类型跟着 x 走
FREE = {"DropPath"} | {kind.build for kind in cases.KINDS if kind.loose}
HALF_OF_PADDLE = {("paddle", "float16"), ("paddle", "bfloat16")}
everything = pytest.mark.parametrize("case", cases.ALL, ids=lambda c: c.name)


def made(wing, case, dtype):
    """同一个种子的模型，与它的输入，换成 dtype。"""
    WINGS[wing].init.seed(1)
    model = case.make(WINGS[wing])
    disturb(model)
    model.eval()
    return cast(wing, model, dtype), cast(wing, tensor(wing, case.values()), dtype)


def tensor(wing, values):
    return FRAMEWORKS[wing].tensor(values)


def cast(wing, value, dtype):
    """张量或模型换一种数据类型。"""
    framework = __import__(wing)
    return value.to(dtype=getattr(framework, dtype))


def numbers(y):
    return y.detach().to(dtype=__import__(module(y)).float64).numpy()


def module(y):
    return type(y).__module__.partition(".")[0]


def plain(case):
    """torch 一翼在 float32 里的答案。"""
    model, x = made("torch", case, "float32")
    return numbers(model(x))


@pytest.mark.parametrize("dtype", COARSE)
@everything
def test_torch_answers_in_the_precision_asked(case, dtype):
    model, x = made("torch", case, dtype)
    y = model(x)
    assert str(y.dtype) == f"torch.{dtype}"
    assert gap(plain(case), numbers(y)) <= COARSE[dtype]


@everything
def test_paddle_answers_in_float64(case):
    model, x = made("paddle", case, "float64")
    y = model(x)
    assert str(y.dtype) == "paddle.float64"
    assert gap(plain(case), numbers(y)) <= COARSE["float64"]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@everything
def test_paddle_says_that_the_processor_has_no_half_precision(case, dtype):
    if case.build == "DropPath":
        pytest.skip("评估时原样返回，什么也不算")
    model, x = made("paddle", case, dtype)
    with pytest.raises(ValueError, match=f"是 {dtype}.*没有它的核.*float32"):
        model(x)


@pytest.mark.parametrize("name", ["TransformerBlock", "DropPath"])
def test_paddle_says_so_for_the_parts_of_a_vit_too(name):
    wing = WINGS["paddle"]
    part = (
        wing.DropPath(0.5)
        if name == "DropPath"
        else wing.TransformerBlock(15, wing.MultiHeadSelfAttention(15, 3))
    )
    x = cast("paddle", tensor("paddle", cases.ATTENTION[0].values()), "float16")
    with pytest.raises(ValueError, match=r"是 float16.*没有它的核"):
        cast("paddle", part, "float16")(x)


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
@pytest.mark.parametrize("wing", WINGS)
@everything
def test_another_precision_than_the_weights(case, wing, dtype):
    model, _ = made(wing, case, "float32")
    x = cast(wing, tensor(wing, case.values()), dtype)
    if case.build in FREE and (wing, dtype) not in HALF_OF_PADDLE:
        y = model(x)
        assert y.dtype == x.dtype
        assert gap(plain(case), numbers(y)) <= COARSE[dtype]
    elif case.build != "DropPath":
        with pytest.raises(ValueError, match=f"x 的数据类型是 {dtype}.*请换成"):
            model(x)


@pytest.mark.parametrize("height", [1.0, 300.0, 30000.0])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_simam_does_not_overflow_in_half_precision(height, dtype):
    wing = WINGS["torch"]
    x = cast(
        "torch", tensor("torch", height * cases.GATES[0].values().clip(-2, 2)), dtype
    )
    given = numbers(x)
    distance = (given - given.mean((2, 3), keepdims=True)) ** 2
    pixels = given.shape[2] * given.shape[3]
    variance = distance.sum((2, 3), keepdims=True) / (pixels - 1)
    expected = expit(distance / (4 * (variance + 1e-4)) + 0.5)
    gate = wing.SimAM(12).gate(x)
    assert gate.dtype == x.dtype
    assert gap(expected, numbers(gate)) <= COARSE[dtype]


@pytest.mark.parametrize("case", cases.GATES, ids=lambda c: c.name)
def test_mixed_precision_is_the_frameworks_own_affair(case):
    import torch

    model, _ = made("torch", case, "float32")
    x = cast("torch", tensor("torch", case.values()), "bfloat16")
    with torch.autocast("cpu", torch.bfloat16):
        y = model(x)
    assert 0 < size(numbers(y)) < 100
    assert gap(plain(case), numbers(y)) <= COARSE["bfloat16"]


@pytest.mark.parametrize("height", [1e18, 1e19, 1e20, 1e30, 3e38])
@pytest.mark.parametrize("wing", WINGS)
def test_simam_answers_when_a_square_does_not_fit(wing, height):
    """有一个通道装不下平方：它的门照双精度的算，别的通道不受牵连。"""
    values = cases.GATES[0].values().clip(-1, 1).astype("f8")
    values[0, :2] *= height
    values[1, 3] = height / 2  # 处处一样：门是 σ(½)
    given = values.astype("f4")
    wide = given.astype("f8")
    distance = (wide - wide.mean((2, 3), keepdims=True)) ** 2
    variance = distance.sum((2, 3), keepdims=True) / (wide[0, 0].size - 1)
    expected = expit(distance / (4 * (variance + 1e-4)) + 0.5)
    expected[1, 3] = expit(0.5)
    x = FRAMEWORKS[wing].tensor(given, grad=True)
    gate = WINGS[wing].SimAM(12).gate(x)
    found, kept = numbers(gate), np.ones((2, 12), bool)
    kept[1, 3] = height > 1e19  # 还装得下平方的，处处一样的一格里是舍入
    assert gap(expected[kept], found[kept]) <= 1e-5
    gate.sum().backward()
    assert np.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize(
    "name", ["small_cnn", "resnet_narrow", "resnet18", "mobile_narrow", "mlp_small"]
)
@pytest.mark.parametrize("wing", WINGS)
def test_a_network_without_its_head_says_so_too(wing, name):
    """取特征时常把分类头换成空的：照样算得出，数据类型不符也照样说。"""
    nn = __import__(wing).nn
    spec = specs.named(name, image_size=8, in_channels=1)
    for empty in (nn.Identity(), nn.Sequential()):
        model = WINGS[wing].build(spec)
        model.eval()
        model.head = empty
        x = tensor(wing, np.ones((2, 1, 8, 8), "f4"))
        assert model(x).shape[0] == 2
        with pytest.raises(ValueError, match="x 的数据类型是 float64，而模块的权重是"):
            model(cast(wing, x, "float64"))
