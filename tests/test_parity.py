"""两翼对齐：每个类、每个开关，搬运权重之后，前向、梯度、缓冲区、优化都相同。"""

from __future__ import annotations

import json
from pathlib import Path

import cases
import differences
import numpy as np
import pytest
from frameworks import Paddle, Torch, count

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
    assert differences.forward(case, "eval", direction) <= 1e-5


@pytest.mark.parametrize("direction", differences.DIRECTIONS)
@everything
def test_train_forward(case, direction):
    assert differences.forward(case, "train", direction) <= 1e-5


@everything
def test_buffers(case):
    assert differences.buffers(case) <= 1e-5


@everything
def test_gradients(case):
    assert differences.gradients(case) <= 1e-4


@learnable
def test_one_optimizer_step(case):
    left, right, _, _ = differences.trained(case, 1)
    assert differences.states(left, right) <= 1e-5


@learnable
def test_twenty_step_loss_curve(case):
    _, _, ours, theirs = differences.trained(case, differences.STEPS)
    assert differences.largest(ours, theirs) <= 1e-4
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


def test_a_wrong_twin_is_seen():
    # 这把尺子自己也要会红：平均与最大对调，形状全对，数不对
    case = next(c for c in cases.GATES if c.name == "SpatialAttention")
    left, right = differences.twins(case)
    right.describe = lambda x: type(right).describe(right, x).flip(1)
    left.eval(), right.eval()
    x = case.values()
    ours = left(Torch.tensor(x)).detach().numpy()
    assert differences.largest(ours, right(Paddle.tensor(x)).numpy()) > 1e-2


def test_the_recorded_table_names_every_case():
    path = Path(__file__).parent.parent / "book" / "_data" / "differences.json"
    rows = json.loads(path.read_text("utf8"))["rows"]
    assert [row["case"] for row in rows] == [case.name for case in cases.ALL]
    assert max(row["eval"] for row in rows) <= 1e-5
