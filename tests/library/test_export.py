"""导出与追踪：每个类、每种办法，换一个大小，载回来的数都相同。

形状相同的用例拼成一块板，一次导出；`make matrix` 再逐个用例、逐种办法做一遍。
"""

from __future__ import annotations

import copy
import importlib

import exporting
import numpy as np
import paddle
import pytest
import torch
from cases import ALL, MAP, MODULES, TOKENS, VIT, Case
from cases import model as backbone
from torch._subclasses import FakeTensorMode
from torch.autograd import forward_ad
from torch.func import (
    functional_call,
    grad,
    jacfwd,
    jacrev,
    jvp,
    stack_module_state,
    vmap,
)
from torch.fx.experimental.proxy_tensor import make_fx

import vision_attention.paddle
import vision_attention.torch
from vision_attention import initial, specs

pytestmark = [
    # 框架劝人改用新的办法，说的不是我们
    pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:You are using the legacy:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.onnx"),
    pytest.mark.filterwarnings("ignore:.isinstance.treespec:FutureWarning"),
    # 旧的导出器见到补零就说这一句，算得对
    pytest.mark.filterwarnings("ignore:Constant folding - Only steps=1:UserWarning"),
    # 一个参数也没有的层，Paddle 提醒没有变量可存
    pytest.mark.filterwarnings("ignore:no variable in your model:UserWarning"),
]


def free(case: Case) -> tuple[int, ...]:
    """可以是变量的几维：批次，以及这个类收任何大小的那几维。"""
    if case.shape == MAP:
        return 0, 2, 3
    if case.shape == TOKENS and not {"mask", "num_tokens"} & set(case.options):
        return 0, 1
    return (0,)


class Probe(Case):
    """只学分类头的探针，主干照用例来建。"""

    def make(self, wing):
        return wing.LinearProbe(super().make(wing))


# 批次不与边长相同：相同的话，编译器会当它们是同一个变量
FEW = (3, 1, 8, 8)
# 每种主干一个，都取浅的，各带不同的注意力；其余的在逐个做的那一遍里
BACKBONES = [
    backbone("vit_tiny", FEW, **VIT | {"depth": 1}),
    backbone("small_cnn", FEW, attention="cbam", stages=(2,)),
    backbone("mlp_small", FEW, width=37),
    backbone("resnet_narrow", FEW, attention="self_attention", stages=(3,)),
    backbone("mobile_narrow", FEW, depth=1, attention="coordinate", stages=(2,)),
    Probe("LinearProbe", "build", (specs.named("small_cnn"),), {}, FEW),
]


# 每个类的第一个用例
CLASSES = {case.build: case for case in reversed(MODULES)}.values()


def boards(cases: list[Case]) -> list:
    """形状与可变的几维都相同的用例放在一块板上；之后是逐个用例，make matrix 才做。"""
    found = {}
    for case in [*cases, *BACKBONES]:
        name = f"{'x'.join(map(str, case.shape))}-free{''.join(map(str, free(case)))}"
        found.setdefault(name, []).append(case)
    whole = [pytest.param(board, id=name) for name, board in found.items()]
    alone = [pytest.param([c], id=c.name, marks=pytest.mark.matrix) for c in ALL]
    return whole + alone


# 快的两种办法做每个开关，慢的只做每个类
every_case = pytest.mark.parametrize("board", boards(MODULES), indirect=True)
every_class = pytest.mark.parametrize("board", boards(CLASSES), indirect=True)


class Torch(torch.nn.Module):
    """一块板：同一个输入，每个用例一个输出。"""

    def __init__(self, board: list[Case]):
        super().__init__()
        made = [case.make(vision_attention.torch) for case in board]
        self.members = torch.nn.ModuleList(made)

    def forward(self, x):
        return tuple(member(x) for member in self.members)


class Paddle(paddle.nn.Layer):
    """一块板：同一个输入，每个用例一个输出。"""

    def __init__(self, board: list[Case]):
        super().__init__()
        made = [case.make(vision_attention.paddle) for case in board]
        self.members = paddle.nn.LayerList(made)

    def forward(self, x):
        return [member(x) for member in self.members]


@pytest.fixture
def board(request):
    """一块板上的用例：同样形状的全部，或单独一个。"""
    return request.param


@pytest.fixture
def other(board):
    """另一个大小的输入：可变的每一维都换过，换得各不相同。"""
    shape = list(board[0].shape)
    for extra, axis in enumerate(free(board[0])):
        shape[axis] += extra + 1
    return np.random.default_rng(7).standard_normal(shape).astype("float32")


@pytest.fixture
def ours(board):
    """PyTorch 的板与导出时的输入。"""
    return Torch(board).eval(), torch.from_numpy(board[0].values())


@pytest.fixture
def theirs(board):
    """Paddle 的板与导出时的输入。"""
    model = Paddle(board)
    model.eval()
    return model, paddle.to_tensor(board[0].values())


def near(found, expected, scale=1e-5):
    """差不超过 scale 乘数的大小。"""
    found, expected = (np.asarray(value) for value in (found, expected))
    bound = scale * max(1, np.abs(expected).max(initial=0))
    np.testing.assert_allclose(found, expected, rtol=0, atol=bound)


def same(found, expected):
    """逐个输出比较。"""
    assert len(found) == len(expected)
    for value, wanted in zip(found, expected, strict=True):
        near(value.detach() if torch.is_tensor(value) else value, wanted.detach())


def loss(outputs):
    """把全部输出归成一个数，每个输出的分量相当。"""
    return sum(value.square().mean() for value in outputs)


def slope(run, x):
    """这个数对输入的梯度。"""
    x = x.clone().requires_grad_()
    return torch.autograd.grad(loss(run(x)), x)[0]


def same_slope(again, model, x):
    """输出与梯度都相同；只算一遍，编译也就只编一遍。"""
    found = again(x.requires_grad_())
    same(found, model(x))
    near(torch.autograd.grad(loss(found), x)[0], slope(model, x.detach()))


# ---- PyTorch ----


@every_class
def test_traced(board, ours, other, tmp_path):
    model, x = ours
    other = torch.from_numpy(other)
    again = exporting.traced(model, x, tmp_path / "model.pt")
    same(again(other), model(other))
    # 先不求导地走过一遍，再求导：TorchScript 的优化曾在这里丢掉一路梯度
    near(slope(again, other), slope(model, other))


@every_class
def test_exported(board, ours, other, tmp_path):
    model, x = ours
    other = torch.from_numpy(other)
    again = exporting.exported(model, x, free(board[0]), tmp_path / "model.pt2")
    same_slope(again, model, other)


@every_class
def test_onnx(board, ours, other, tmp_path):
    model, x = ours
    session = exporting.onnx(model, x, free(board[0]), tmp_path / "model.onnx")
    same(exporting.run_onnx(session, other), model(torch.from_numpy(other)))


@every_class
def test_onnx_traced(board, ours, other, tmp_path):
    model, x = ours
    session = exporting.onnx_traced(model, x, free(board[0]), tmp_path / "model.onnx")
    same(exporting.run_onnx(session, other), model(torch.from_numpy(other)))


@every_case
def test_functional(ours):
    model, x = ours
    weights = {name: p.detach() for name, p in model.named_parameters()}

    def total(weights, x):
        return loss(functional_call(model, weights, (x,)))

    def alone(weights, one):
        return total(weights, one[None])

    whole, by_input = grad(total, (0, 1))(weights, x)
    near(by_input, slope(model, x))
    if not weights:  # 没有参数的，只有输入可求
        return
    each = vmap(grad(alone), (None, 0))(weights, x).values()
    expected = torch.autograd.grad(
        loss(model(x)), list(model.parameters()), allow_unused=True
    )
    for mine, parts, known in zip(whole.values(), each, expected, strict=True):
        # 没有用到的参数，autograd 给 None，torch.func 给零
        wanted = torch.zeros_like(mine) if known is None else known
        near(mine, wanted)
        near(parts.mean(0), wanted)


@every_case
def test_directional(ours):
    model, x = ours
    expected = slope(model, x)
    near(jacrev(lambda x: loss(model(x)))(x).detach(), expected)
    # 输入的每个数都动一点的方向；方向导数应当是它与梯度的内积
    way = torch.from_numpy(np.random.default_rng(3).standard_normal(x.shape)).float()
    wanted = (expected * way).sum()
    _, found = jvp(lambda x: loss(model(x)), (x,), (way,))
    near(found.detach(), wanted, 1e-4)
    with forward_ad.dual_level():
        dual = loss(model(forward_ad.make_dual(x, way)))
        near(forward_ad.unpack_dual(dual).tangent.detach(), wanted, 1e-4)


@every_class
def test_second_derivative(ours):
    """梯度再求一次导：与差分相同；融合核没有二阶导数，照书里说的关掉。"""
    model, x = ours
    model, x = model.double(), x.double()
    for layer in model.modules():
        if hasattr(layer, "fused"):
            layer.fused = False
    generator = torch.Generator().manual_seed(0)
    way = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    point = x.clone().requires_grad_()
    (first,) = torch.autograd.grad(loss(model(point)), point, create_graph=True)
    if not first.requires_grad:  # 探针的主干不传梯度
        return
    (found,) = torch.autograd.grad((first * way).sum(), point)
    ahead, behind = (slope(model, x + step * way) for step in (1e-6, -1e-6))
    near(found, (ahead - behind) / 2e-6, 1e-4)


@every_case
def test_many_models_at_once(ours):
    """几个同样的模型叠成一个，vmap 一次算完；只套 vmap，不套求导。"""
    model, x = ours
    if not list(model.parameters()):
        return
    other = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(1.1)
    weights, buffers = stack_module_state([model, other])

    def run(weights, buffers):
        return functional_call(model, (weights, buffers), (x,))

    found = vmap(run)(weights, buffers)
    same(found, [torch.stack(pair) for pair in zip(model(x), other(x), strict=True)])


@every_case
def test_imagined(ours):
    """只有形状的张量也走得通，连同反向；记下来的运算换一批数再算，值与梯度都相同。"""
    model, x = ours
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        shape = mode.from_tensor(x).requires_grad_()
        loss(model(shape)).backward()
    assert shape.grad.shape == x.shape
    model.zero_grad()
    model.requires_grad_(False)
    again = make_fx(lambda x: (model(x), slope(model, x)))(x)
    found, sloped = again(x + 0.5)
    same(found, model(x + 0.5))
    near(sloped, slope(model, x + 0.5))


# Python 3.13.0 上 PyTorch 提醒编译后会慢一点
@pytest.mark.filterwarnings("ignore:Guards may run slower:RuntimeWarning")
@every_class
def test_compiled(board, ours, other):
    if not torch._dynamo.is_dynamo_supported():
        pytest.skip("这个 Python 上的 torch.compile 还不能用")
    model, x = ours
    torch._dynamo.reset()
    if len(x) in x.shape[1:]:
        # 批次与边长一样大，PyTorch 就把两个量当成一个；视图的原件也会被盯住，所以抄一份
        x = x[:-1].clone()
    # 反向的图画得慢，逐个用例做时才画；每种门的另有 test_gate_compiles_into_one_graph
    backend = "aot_eager" if len(board) == 1 else "eager"
    again = torch.compile(model, fullgraph=True, dynamic=True, backend=backend)
    same_slope(again, model, x)
    with torch._dynamo.config.patch(error_on_recompile=True):
        same_slope(again, model, torch.from_numpy(other))


@every_class
def test_gates_are_leaves_of_a_symbolic_trace(board):
    """书里的办法：fx 读网络的时候，本书的模块当成叶子。"""
    model = torch.nn.Sequential(Torch(board).members[0], torch.nn.Flatten()).eval()
    x = torch.from_numpy(board[0].values())
    near(exporting.symbolic(model)(x).detach(), model(x).detach())


# ---- PaddlePaddle ----


@pytest.mark.parametrize("how", [exporting.static, exporting.saved])
@every_class
def test_static(board, theirs, other, tmp_path, how):
    model, x = theirs
    other = paddle.to_tensor(other)
    expected = model(other)
    found = how(model, x, free(board[0]), tmp_path / "model")(other)
    # 只有一个输出时，载回来的不再是一列
    same(found if isinstance(found, list | tuple) else [found], expected)


# 普通地算与画图时走法不同的几个，与用到 swapped 的；其余的归 make matrix
ASKING = ("SimAM", "MultiHeadSelfAttention", "SelfAttention2d", "CoordinateAttention")


# 框架自己在图里问张量的设备
@pytest.mark.filterwarnings("ignore:Tensor do not have 'place':UserWarning")
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case,
            id=case.name,
            marks=() if case.name in ASKING else pytest.mark.matrix,
        )
        for case in [*CLASSES, *BACKBONES]
    ],
)
def test_static_by_default(case):
    """to_static 不写 full_graph：一面读字节码、一面画图，换了批次也对，还能训练。"""
    model = case.make(vision_attention.paddle)
    model.eval()
    still = paddle.jit.to_static(copy.deepcopy(model))
    x = paddle.to_tensor(case.values())
    for batch in (x, paddle.concat([x, x[:1] + 1])):
        near(still(batch), model(batch))
    slopes = []
    for again in (model, paddle.jit.to_static(copy.deepcopy(model))):
        again.train()
        leaf = paddle.to_tensor(case.values(), stop_gradient=False)
        initial.seed(0)
        again(leaf).square().mean().backward()
        slopes.append(leaf.grad)
    near(slopes[1], slopes[0])


# ---- 并列的最大值，梯度总给第一个 ----

TIES = {
    "trace": lambda f, x: slope(torch.jit.trace(f, x), x),
    "compile": lambda f, x: slope(torch.compile(f, backend="aot_eager"), x),
    "grad": lambda f, x: grad(lambda x: loss(f(x)))(x),
    "vmap": lambda f, x: vmap(grad(lambda one: loss(f(one[None]))))(x),
    "jacrev": lambda f, x: jacrev(lambda x: loss(f(x)))(x),
    "jacfwd": lambda f, x: jacfwd(lambda x: loss(f(x)))(x),
}


def test_exporting_leaves_the_model_as_it_was(wing, tmp_path):
    # 转成静态图的会留在模型上，搬到 CPU 的也会
    model = wing.build(specs.named("vit_tiny", depth=1))
    model.eval()
    before = set(vars(model))
    importlib.import_module(f"{wing.__name__}.export").export(model, tmp_path)
    assert any(tmp_path.iterdir())
    assert set(vars(model)) == before
    assert model.short()


@pytest.mark.parametrize("how", TIES)
@pytest.mark.parametrize("name", ["channel_max", "global_max"])
def test_ties(name, how):
    values = np.maximum(np.random.default_rng(0).standard_normal((2, 5, 3, 4)), 1)
    lines = values.reshape(2, 5, 12)
    axis = 1 if name == "channel_max" else 2
    first = lines.argmax(axis, keepdims=True)
    peak = np.take_along_axis(lines, first, axis)
    expected = np.zeros_like(lines)
    # loss 取平方的平均；vmap 里每张图自己取平均
    count = peak.size / (2 if how == "vmap" else 1)
    np.put_along_axis(expected, first, 2 * peak / count, axis)
    pool = getattr(vision_attention.torch.pooling, name)
    found = TIES[how](lambda x: (pool(x),), torch.from_numpy(values))
    near(found, expected.reshape(values.shape))
