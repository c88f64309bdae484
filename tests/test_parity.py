"""两翼对齐：每个类、每个开关，搬运权重之后，前向、梯度、缓冲区、优化都相同。"""

from __future__ import annotations

import cases
import numpy as np
import pytest
from frameworks import Paddle, Torch, count, linear_weights

import vision_attention.paddle
import vision_attention.torch
from vision_attention import interop

DIRECTIONS = ["torch→paddle", "paddle→torch"]
everything = pytest.mark.parametrize("case", cases.ALL, ids=lambda c: c.name)


def disturb(model, seed=5):
    """把每个权重与缓冲区都挪动一点：偏置是 0、方差是 1 的时候，错误会藏起来。"""
    rng = np.random.default_rng(seed)
    values = {}
    for name, array in interop.state(model).items():
        noise = 0.1 * rng.standard_normal(array.shape)
        moved = array + noise
        values[name] = (abs(moved) if "running_var" in name else moved).astype("f4")
    interop.load_state(model, values)


def twins(case, direction="torch→paddle"):
    """两翼各建一个，初始权重不同，再从一翼搬到另一翼。"""
    vision_attention.torch.init.seed(1)
    vision_attention.paddle.init.seed(2)
    left, right = case.make(vision_attention.torch), case.make(vision_attention.paddle)
    source, target = (left, right) if direction == DIRECTIONS[0] else (right, left)
    disturb(source)
    interop.copy_weights(source, target)
    return left, right


def close(left, right, tolerance=1e-5):
    np.testing.assert_allclose(left, right, rtol=0, atol=tolerance)


@pytest.mark.parametrize("direction", DIRECTIONS)
@everything
def test_eval_forward(case, direction):
    left, right = twins(case, direction)
    left.eval(), right.eval()
    x = case.values()
    close(left(Torch.tensor(x)).detach().numpy(), right(Paddle.tensor(x)).numpy())


@everything
def test_train_forward_and_running_mean(case):
    left, right = twins(case)
    left.train(), right.train()
    x = case.values()
    close(left(Torch.tensor(x)).detach().numpy(), right(Paddle.tensor(x)).numpy())
    ours, theirs = interop.state(left), interop.state(right)
    for name in ours:
        # 方差的更新两边定义不同，见 test_traps
        if not name.endswith("running_var"):
            close(ours[name], theirs[name])


def gradients(framework, model, x):
    """输入与每个权重的梯度，换成 PyTorch 的布局。"""
    x = framework.tensor(x, grad=True)
    y = model(x)
    (y * y).mean().backward()
    flip = linear_weights(model) if framework is Paddle else set()
    found = {"x": x.grad.numpy()}
    for name, parameter in framework.named_parameters(model).items():
        grad = parameter.grad.numpy()
        found[name] = grad.T if name in flip else grad
    return found


@everything
def test_gradients(case):
    left, right = twins(case)
    left.eval(), right.eval()
    x = case.values()
    ours, theirs = gradients(Torch, left, x), gradients(Paddle, right, x)
    assert ours.keys() == theirs.keys()
    largest = max(abs(g).max() for g in ours.values())
    for name, grad in ours.items():
        # 相对于这一项自己的大小；理论上为 0 的梯度（键的偏置）相对于全体
        scale = max(abs(grad).max(), 1e-3 * largest)
        np.testing.assert_allclose(theirs[name], grad, rtol=0, atol=1e-4 * scale)


def losses(framework, model, x, target, steps):
    """训练模式下走 steps 步带动量的梯度下降，返回每一步的损失。"""
    optimizer = framework.optimizer(model, 0.003)
    curve = []
    for _ in range(steps):
        loss = (model(x) - target).square().mean()
        framework.clear(optimizer)
        loss.backward()
        optimizer.step()
        curve.append(float(loss.detach()))
    return curve


def trained(case, steps):
    left, right = twins(case)
    x = case.values()
    left.eval()
    target = np.tanh(left(Torch.tensor(x)).detach().numpy()[::-1]).copy()
    left.train(), right.train()
    ours = losses(Torch, left, Torch.tensor(x), Torch.tensor(target), steps)
    theirs = losses(Paddle, right, Paddle.tensor(x), Paddle.tensor(target), steps)
    return left, right, ours, theirs


learnable = pytest.mark.parametrize(
    "case",
    [c for c in cases.ALL if c.parameters != 0],
    ids=lambda c: c.name,
)


@learnable
def test_one_optimizer_step(case):
    left, right, _, _ = trained(case, 1)
    ours, theirs = interop.state(left), interop.state(right)
    for name in ours:
        if not name.endswith("running_var"):
            close(ours[name], theirs[name])


@learnable
def test_twenty_step_loss_curve(case):
    _, _, ours, theirs = trained(case, 20)
    close(ours, theirs, 1e-4)
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
