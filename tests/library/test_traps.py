"""两个框架之间的陷阱：每个一条测试，书里「框架对照」逐条指向这里。"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle
import pytest
import torch
import yaml
from gaps import close

import vision_attention.paddle
import vision_attention.torch
from vision_attention import interop

RNG = np.random.default_rng(0)
BOOK = Path(__file__).resolve().parents[2] / "book"
CALLS = yaml.safe_load((BOOK / "_data" / "calls.yaml").read_text("utf8"))


def batch(*shape):
    return RNG.standard_normal(shape).astype("f4")


def called(framework, code):
    """调用对照的一句，换成 NumPy 的数；一对值的，逐个给出。"""
    turn = torch.tensor if framework is torch else paddle.to_tensor
    rng = np.random.default_rng(1)
    given = {
        "x": turn(rng.standard_normal((2, 6, 4)).astype("f4")),
        "z": turn(rng.standard_normal((2, 3, 5, 5)).astype("f4")),
        "y": turn(np.array([0, 2])),
        "nn": framework.nn,
        "F": framework.nn.functional,
        framework.__name__: framework,
    }
    found = eval(code, given)
    parts = found if isinstance(found, tuple | list) else [found]
    return [np.asarray(p.detach() if hasattr(p, "detach") else p) for p in parts]


@pytest.mark.parametrize(
    "row", [row for rows in CALLS.values() for row in rows], ids=lambda row: row["做"]
)
def test_both_calls_of_a_row_give_the_same(row):
    ours = called(torch, row["torch"])
    theirs = called(paddle, row.get("paddle", row["torch"]))
    for left, right in zip(ours, theirs, strict=True):
        assert left.shape == right.shape
        np.testing.assert_allclose(left, right, atol=1e-6)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("torch.split(x, 2, 1)[1]", "paddle.split(x, 2, 1)[1]"),  # 每份几个，切成几份
        ("x.max(1)", "x.max(1)"),  # 一对，一个
        ("x.transpose(1, 2)", "x.transpose((1, 2, 0))"),
    ],
)
def test_calls_that_look_alike_and_are_not(ours, theirs):
    left, right = called(torch, ours), called(paddle, theirs)
    assert [a.shape for a in left] != [a.shape for a in right]


def test_paddle_relu_swallows_nan_on_the_cpu():
    x = np.array([np.nan, -1, 1], "f4")
    assert np.isnan(torch.relu(torch.tensor(x)).numpy()[0])
    found = paddle.nn.functional.relu(paddle.to_tensor(x)).numpy()
    np.testing.assert_array_equal(found, [0, 0, 1])


def test_linear_weights_are_transposed_and_a_square_one_hides_it():
    left, right = torch.nn.Linear(5, 5), paddle.nn.Linear(5, 5)
    x = batch(3, 5)
    expected = left(torch.tensor(x)).detach().numpy()
    right.weight.set_value(left.weight.detach().numpy())
    right.bias.set_value(left.bias.detach().numpy())
    assert abs(right(paddle.to_tensor(x)).numpy() - expected).max() > 0.05
    interop.copy_weights(left, right)
    close(right(paddle.to_tensor(x)).numpy(), expected)


def norms():
    left = vision_attention.torch.init.batch_norm(3, 0.1)
    right = vision_attention.paddle.init.batch_norm(3, 0.1)
    x = 2 + 3 * batch(2, 3, 4, 5)
    left(torch.tensor(x)), right(paddle.to_tensor(x))
    return interop.state(left), interop.state(right), x.size // 3


def test_batch_norm_momentum_is_the_complement():
    ours, theirs, _ = norms()
    close(theirs["running_mean"], ours["running_mean"])
    wrong = paddle.nn.BatchNorm2D(3, momentum=0.1)
    wrong.train()
    with pytest.warns(UserWarning, match="always track"):
        wrong(paddle.full([2, 3, 4, 5], 1.0))
    # 把 torch 的 0.1 原样抄过去，一步之后的均值大 9 倍
    np.testing.assert_allclose(wrong._mean.numpy(), 0.9, atol=1e-6)


def test_paddle_running_variance_is_biased():
    ours, theirs, n = norms()
    grown = ours["running_var"] - 0.9
    close(theirs["running_var"] - 0.9, grown * (n - 1) / n)
    assert abs(ours["running_var"] - theirs["running_var"]).max() > 1e-3


def test_fused_attention_layouts_differ():
    # 同样的形状两边都收，数却不同：B 2，N 6，A 6，K 4
    q, k, v = (batch(2, 6, 6, 4) for _ in range(3))
    ours = torch.nn.functional.scaled_dot_product_attention(
        *(torch.tensor(a) for a in (q, k, v))
    ).numpy()
    theirs = paddle.nn.functional.scaled_dot_product_attention(
        *(paddle.to_tensor(a) for a in (q, k, v))
    ).numpy()
    assert abs(ours - theirs).max() > 0.5
    swapped = torch.nn.functional.scaled_dot_product_attention(
        *(torch.tensor(a).transpose(1, 2) for a in (q, k, v))
    ).transpose(1, 2)
    close(swapped.numpy(), theirs)


def test_paddle_max_has_no_indices_and_shares_tie_gradients():
    x = paddle.ones([1, 4], dtype="float32")
    x.stop_gradient = False
    top = paddle.max(x, 1)
    assert isinstance(top, paddle.Tensor)
    top.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 0.25)


@pytest.mark.parametrize("how", ["channel_max", "global_max"])
def test_our_maxima_give_ties_to_the_first_in_both_wings(how):
    left = torch.ones(1, 4, 1, 3, requires_grad=True)
    right = paddle.ones([1, 4, 1, 3], dtype="float32")
    right.stop_gradient = False
    getattr(vision_attention.torch.pooling, how)(left).sum().backward()
    getattr(vision_attention.paddle.pooling, how)(right).sum().backward()
    first = np.zeros((1, 4, 1, 3), "f4")
    if how == "channel_max":
        first[:, 0] = 1
    else:
        first[..., 0] = 1
    np.testing.assert_array_equal(left.grad.numpy(), first)
    np.testing.assert_array_equal(right.grad.numpy(), first)


def test_default_initialisations_differ_and_ours_do_not():
    torch.manual_seed(0)
    paddle.seed(0)
    theirs = paddle.nn.Linear(256, 256).weight.numpy().std()
    assert theirs / torch.nn.Linear(256, 256).weight.std().item() > 1.4
    stds = []
    for wing in (vision_attention.torch, vision_attention.paddle):
        wing.init.seed(0)
        stds.append(interop.state(wing.MLP(256, 256))["fc1.weight"].std())
    # 权重逐位相同；两翼的存法互为转置，求和的次序不同，差在最后一位
    assert stds[0] == pytest.approx(stds[1], rel=1e-6)


@pytest.mark.parametrize(
    ("name", "std"),
    [
        ("transformer", 0.02),
        ("gates", 1 / np.sqrt(3 * 256)),
        ("convolutions", np.sqrt(2 / 256)),
    ],
)
def test_initial_moments(wing, name, std):
    wing.init.seed(1)
    layer = wing.MLP(256, 512)
    getattr(wing.init, name)(layer)
    weights = interop.state(layer)["fc1.weight"]
    assert abs(weights.mean()) < 4 * std / np.sqrt(weights.size)
    np.testing.assert_allclose(weights.std(), std, rtol=0.02)
    assert abs(interop.state(layer)["fc1.bias"]).max() == 0


def test_layer_norm_epsilon_is_1e_6(wing):
    block = wing.TransformerBlock(16, wing.MultiHeadSelfAttention(16))
    name = "eps" if wing is vision_attention.torch else "_epsilon"
    assert getattr(block.norm1, name) == getattr(block.norm2, name) == 1e-6


def test_gelu_is_the_exact_one(wing):
    from frameworks import FRAMEWORKS
    from scipy.special import erf

    framework = FRAMEWORKS[wing.__name__.rpartition(".")[2]]
    x = np.linspace(-3, 3, 61, dtype="f4").reshape(1, 1, 61)
    mlp = wing.MLP(61, 61)
    identity = {
        name: np.eye(61, dtype="f4") if "weight" in name else np.zeros(61, "f4")
        for name in interop.state(mlp)
    }
    interop.load_state(mlp, identity)
    found = framework.numpy(mlp(framework.tensor(x)))
    close(found, x * 0.5 * (1 + erf(x / np.sqrt(2))))


def layer_norm_slope(layer, x, seed):
    """层归一化传给输入的梯度，照式子写：先乘权重，再减去两个方向上的分量。"""
    centred = x - x.mean(-1, keepdims=True)
    spread = np.sqrt((centred**2).mean(-1, keepdims=True) + layer._epsilon)
    unit, pulled = centred / spread, seed * layer.weight.numpy()
    along = (pulled * unit).mean(-1, keepdims=True)
    return (pulled - pulled.mean(-1, keepdims=True) - unit * along) / spread


def test_paddle_layer_norm_with_frozen_weights():
    x, seed = batch(2, 5, 6), batch(2, 5, 6)
    gaps = []
    for kind in (paddle.nn.LayerNorm, vision_attention.paddle.init.LayerNorm):
        layer = kind(6)
        layer.weight.set_value(batch(6) + 2)
        layer.bias.set_value(batch(6))
        for parameter in layer.parameters():
            parameter.stop_gradient = True
        given = paddle.to_tensor(x, stop_gradient=False)
        (layer(given) * paddle.to_tensor(seed)).sum().backward()
        expected = layer_norm_slope(layer, x, seed)
        gaps.append(abs(given.grad.numpy() - expected).max() / abs(expected).max())
    theirs, ours = gaps
    assert theirs > 0.1
    assert ours < 1e-5


def test_paddle_layer_norm_when_only_the_input_wants_a_gradient():
    x, seed = batch(2, 5, 6), batch(2, 5, 6)
    gaps = []
    for kind in (paddle.nn.LayerNorm, vision_attention.paddle.init.LayerNorm):
        layer = kind(6)
        layer.weight.set_value(batch(6) + 2)
        layer.eval()
        given = paddle.to_tensor(x, stop_gradient=False)
        value = (layer(given) * paddle.to_tensor(seed)).sum()
        (found,) = paddle.grad(value, given)
        expected = layer_norm_slope(layer, x, seed)
        gaps.append(abs(found.numpy() - expected).max() / abs(expected).max())
    theirs, ours = gaps
    assert theirs > 0.1
    assert ours < 1e-5
