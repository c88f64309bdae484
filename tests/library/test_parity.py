"""两翼对齐：每个类、每个开关，搬运权重之后，前向、梯度、缓冲区、优化都相同。"""

from __future__ import annotations

import json
from pathlib import Path

import cases
import differences
import gaps
import numpy as np
import paddle
import pytest
from frameworks import Paddle, Torch, count
from gaps import BOUNDS

import vision_attention.paddle
import vision_attention.torch
from vision_attention import interop

everything = pytest.mark.parametrize("case", cases.ALL, ids=lambda c: c.name)
learnable = pytest.mark.parametrize(
    "case", [c for c in cases.ALL if c.parameters != 0], ids=lambda c: c.name
)


@pytest.mark.parametrize("direction", differences.DIRECTIONS)
@everything
def test_eval_forward(case, direction):
    assert differences.forward(case, "eval", direction) <= BOUNDS["eval"]


@pytest.mark.parametrize("direction", differences.DIRECTIONS)
@everything
def test_train_forward(case, direction):
    assert differences.forward(case, "train", direction) <= BOUNDS["train"]


@everything
def test_buffers(case):
    assert differences.buffers(case) <= BOUNDS["buffers"]


@everything
def test_gradients(case):
    assert differences.gradients(case) <= BOUNDS["gradients"]


@learnable
def test_one_optimizer_step(case):
    left, right, _, _ = differences.trained(case, 1)
    assert differences.states(left, right) <= BOUNDS["step"]


@learnable
def test_twenty_step_loss_curve(case):
    _, _, ours, theirs = differences.trained(case, differences.STEPS)
    assert gaps.gap(ours, theirs) <= BOUNDS["curve"]
    assert ours[-1] != ours[0]


@everything
def test_same_seed_gives_the_same_model(case):
    vision_attention.torch.init.seed(7)
    left = case.make(vision_attention.torch)
    vision_attention.paddle.init.seed(7)
    right = case.make(vision_attention.paddle)
    ours, theirs = interop.state(left), interop.state(right)
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name])


@everything
def test_parameter_count(case):
    left, right = case.make(vision_attention.torch), case.make(vision_attention.paddle)
    assert count(Torch, left) == count(Paddle, right)
    if case.parameters is not None:
        assert count(Torch, left) == case.parameters


@pytest.mark.parametrize("case", cases.GATES, ids=lambda c: c.name)
def test_gradients_where_maxima_tie(case):
    assert differences.gradients(cases.Tied(**vars(case))) <= BOUNDS["gradients"]


# 尺子自己也要会红：右边弄错一处，差要远在上限之外 ---------------------------------

RED = 7  # 最隐蔽的两处（GELU 的近似式、层归一化的 ε）也在上限的七倍之外
KNOWN = {case.name: case for case in cases.ALL}
VIT = KNOWN["vit_tiny-embed_dim=24-depth=2-num_heads=3-position=none"]
SQUARE = cases.Case("MLP-square", "MLP", (15, 15), {}, cases.TOKENS)
PEAK = cases.Tied(**vars(KNOWN["ChannelAttention-reduction_ratio=4-pooling=max"]))
CREST = cases.Tied(**vars(KNOWN["SpatialAttention-max"]))
RIGHT = "vision_attention.paddle"


def not_transposed(right, monkeypatch):
    right.fc1.weight.set_value(right.fc1.weight.numpy().T)


def momentum_copied(right, monkeypatch):
    for layer in right.sublayers():
        if isinstance(layer, paddle.nn.BatchNorm2D):
            layer._momentum = 1 - layer._momentum


def other_epsilon(right, monkeypatch):
    for layer in right.sublayers():
        if isinstance(layer, paddle.nn.LayerNorm):
            layer._epsilon = 1e-5


def layout_copied(right, monkeypatch):
    def turned(part):
        return part.transpose((0, 2, 1, 3))

    def wrong(q, k, v, scale, bias):
        return turned(fused(turned(q), turned(k), turned(v), scale, bias))

    fused = vision_attention.paddle.kernels.fused_attention
    monkeypatch.setattr(f"{RIGHT}.self_attention.fused_attention", wrong)


def peaks_share(right, monkeypatch):
    shared = {name: (lambda x: x.max((2, 3)),) for name in ("avg", "max", "both")}
    monkeypatch.setattr(f"{RIGHT}.gates.channel.POOLS", shared)


def crests_share(right, monkeypatch):
    share = f"{RIGHT}.gates.spatial.channel_max"
    monkeypatch.setattr(share, lambda x: x.max(1, keepdim=True))


def gelu_approximated(right, monkeypatch):
    exact = paddle.nn.functional.gelu
    monkeypatch.setattr(paddle.nn.functional, "gelu", lambda x: exact(x, True))


def descriptions_swapped(right, monkeypatch):
    right.describe = lambda x: type(right).describe(right, x).flip(1)


def outputs(case, left, right):
    return differences.compared(case, left, right, "eval")


@pytest.mark.parametrize(
    ("case", "measure", "kind", "mutate"),
    [
        (SQUARE, outputs, "eval", not_transposed),
        (
            KNOWN["SpatialAttention-norm"],
            differences.updated,
            "buffers",
            momentum_copied,
        ),
        (VIT, outputs, "eval", other_epsilon),
        (VIT, outputs, "eval", gelu_approximated),
        (KNOWN["MLP"], outputs, "eval", gelu_approximated),
        (KNOWN["MultiHeadSelfAttention"], outputs, "eval", layout_copied),
        (PEAK, differences.descended, "gradients", peaks_share),
        (CREST, differences.descended, "gradients", crests_share),
        (KNOWN["SpatialAttention"], outputs, "eval", descriptions_swapped),
    ],
    ids=lambda value: getattr(value, "name", getattr(value, "__name__", None)),
)
def test_a_wrong_twin_is_seen(case, measure, kind, mutate, monkeypatch):
    left, right = differences.twins(case)
    mutate(right, monkeypatch)
    assert measure(case, left, right) > RED * BOUNDS[kind]


def test_a_default_initialisation_is_seen(monkeypatch):
    monkeypatch.setattr(f"{RIGHT}.init._draw", lambda model, distribution: None)
    models = []
    for wing in (vision_attention.torch, vision_attention.paddle):
        wing.init.seed(7)
        models.append(KNOWN["MLP"].make(wing))
    assert differences.states(*models) > RED * BOUNDS["step"]


def test_the_running_variance_has_to_be_left_out():
    # 无偏与有偏：不略去的话，每个带批归一化的用例都是红的
    case = KNOWN["small_cnn"]
    left, right = differences.twins(case)
    assert differences.updated(case, left, right) <= BOUNDS["buffers"]
    ours, theirs = interop.state(left), interop.state(right)
    names = [name for name in ours if name.endswith("running_var")]
    found = [gaps.gap(ours[name], theirs[name]) for name in names]
    assert min(found) > RED * BOUNDS["buffers"]


def test_nan_and_infinity_are_differences():
    for strange in (np.nan, np.inf):
        assert not gaps.gap([strange, 1.0], [1.0, 1.0]) <= 1
        assert not gaps.gap([1.0, 1.0], [1.0, strange]) <= 1
    assert not gaps.worst([0.0, np.nan, 0.0]) <= 1


def test_a_difference_is_measured_by_the_size_of_the_numbers():
    assert gaps.gap([0.0, 0.5], [0.0, 0.25]) == 0.25
    assert gaps.gap([0.0, -50.0], [0.5, -50.0]) == 0.01


def test_the_recorded_table_names_every_case():
    path = Path(__file__).parents[2] / "book" / "_data" / "differences.json"
    record = json.loads(path.read_text("utf8"))
    assert [row["case"] for row in record["rows"]] == [case.name for case in cases.ALL]
    assert record["bounds"] == BOUNDS
    for name, bound in BOUNDS.items():
        known = [row[name] for row in record["rows"] if row[name] is not None]
        assert max(known) <= bound
