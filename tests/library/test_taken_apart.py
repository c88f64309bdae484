"""ViT 拆得开：零件都是被调用的，换得下来；最后一块的近路，从外面看不出来。"""

from __future__ import annotations

import functools

import cases
import numpy as np
import paddle
import pytest
import torch
from differences import disturb
from frameworks import FRAMEWORKS
from torch.utils._python_dispatch import TorchDispatchMode

import vision_attention.paddle
import vision_attention.torch
from vision_attention import interop, specs

VITS = [case for case in cases.MODELS if case.name.startswith("vit_tiny")]
every_vit = pytest.mark.parametrize("case", VITS, ids=lambda case: case.name)
POOLS = ("class", "mean", "sequence")


class Wrapped(torch.nn.Module):
    """适配器那样的壳：拿着一层，用 x 调用它。"""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.seen = inner, []

    def forward(self, x):
        y = self.inner(x)
        self.seen.append(tuple(y.shape))
        return y


class WrappedLayer(paddle.nn.Layer):
    """同上，PaddlePaddle 的。"""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.seen = inner, []

    forward = Wrapped.forward


WRAPPERS = {"torch": Wrapped, "paddle": WrappedLayer}


def name_of(wing):
    return wing.__name__.rpartition(".")[2]


def framework(wing):
    return FRAMEWORKS[name_of(wing)]


def built(wing, case):
    """权重都不为 0 的 ViT，评估模式；与它的一批图。"""
    model = case.make(wing)
    disturb(model)
    model.eval()
    return model, framework(wing).tensor(case.values())


def vit(wing, **changes):
    """两块的小 ViT，评估模式；与它的一批图。"""
    return built(wing, cases.model("vit_tiny", **cases.VIT, **changes))


def numbers(wing, values):
    return framework(wing).numpy(values)


def close(wing, left, right):
    """差不过万分之一；尺度是被比较的数里最大的。"""
    left, right = numbers(wing, left), numbers(wing, right)
    np.testing.assert_allclose(left, right, atol=1e-5 * max(1, abs(right).max()))


def layers_of(wing, model):
    """名字到层；模型自己不算。"""
    walk = (
        model.named_modules
        if wing is vision_attention.torch
        else (model.named_sublayers)
    )
    return {name: layer for name, layer in walk() if name}


def replace(model, name, layer):
    owner, _, last = name.rpartition(".")
    for step in owner.split(".") if owner else ():
        model = model[int(step)] if step.isdigit() else getattr(model, step)
    if last.isdigit():
        model[int(last)] = layer
    else:
        setattr(model, last, layer)


def watch(wing, layer, note):
    if wing is vision_attention.torch:
        return layer.register_forward_hook(note)
    return layer.register_forward_post_hook(note)


def whole(model, x):
    """每一块都照常算，一处不省：与 ViT.features 无关的写法。"""
    x = model.embed(x)
    for block in model.blocks:
        x = x + block.drop_path(block.attn(block.norm1(x)))
        x = x + block.drop_path(block.mlp(block.norm2(x)))
    x = model.norm(x)
    if model.cls_token is not None:
        return model.head(x[:, 0])
    return model.head(x.mean(1) if model.pool is None else model.pool(x))


@every_vit
def test_every_part_may_be_wrapped(wing, case):
    """LoRA 之类的壳套在哪一层上都行；形状与 timm 相同：token 是 (B, N, D)。"""
    model, x = built(wing, case)
    expected = whole(model, x)
    tokens = model.spec.num_tokens
    for name, layer in layers_of(wing, model).items():
        shell = WRAPPERS[name_of(wing)](layer)
        replace(model, name, shell)
        close(wing, model(x), expected)
        # 随机深度一块里用两次
        assert len(shell.seen) == 1 + name.endswith("drop_path"), name
        if name.startswith(("blocks", "norm")):
            assert shell.seen[0][:2] == (len(x), tokens), name
        replace(model, name, layer)


@every_vit
def test_hooks_see_every_token_in_every_layer(wing, case):
    model, x = built(wing, case)
    expected = model(x)
    tokens, seen = model.spec.num_tokens, {}
    for name, layer in layers_of(wing, model).items():

        def note(_, given, found, name=name):
            seen.setdefault(name, []).append((given[0].shape[1], found.shape[1]))

        watch(wing, layer, note)
    close(wing, model(x), expected)
    assert seen.keys() == layers_of(wing, model).keys()
    for name, counts in seen.items():
        if name.startswith(("blocks", "norm")):
            assert counts == [(tokens, tokens)] * len(counts), name


def test_a_hook_on_the_projection_sees_the_map_of_patches(wing):
    model, x = vit(wing)
    seen = []
    watch(wing, model.patch_embed.proj, lambda _, __, y: seen.append(tuple(y.shape)))
    model(x)
    assert seen == [(8, 24, 4, 4)]


def test_what_a_hook_returns_is_what_goes_on(wing):
    """最后一块的钩子把分类 token 以外的全改掉，分类不变；改分类 token，分类就变。"""
    model, x = vit(wing)
    expected = numbers(wing, model(x))

    def change(where):
        def hook(_, __, y):
            factor = np.ones((1, y.shape[1], 1), "f4")
            factor[:, where] = 3
            return y * framework(wing).tensor(factor)

        return hook

    hook = watch(wing, model.blocks[-1], change(slice(1, None)))
    np.testing.assert_allclose(numbers(wing, model(x)), expected, atol=1e-5)
    hook.remove()
    # 层归一化不看大小：改的是进最后一块之前的那一个
    watch(wing, model.blocks[0], change(0))
    assert abs(numbers(wing, model(x)) - expected).max() > 1e-2


class Mean(torch.nn.Module):
    """读者自己的注意力：人人取平均。"""

    def forward(self, x):
        return 0 * x + x.mean(1, keepdim=True)


class MeanLayer(paddle.nn.Layer):
    """同上，PaddlePaddle 的。"""

    forward = Mean.forward


OWN = {"torch": Mean, "paddle": MeanLayer}


@pytest.mark.parametrize("pool", POOLS)
def test_a_readers_own_attention(wing, pool):
    model, x = vit(wing, pool=pool)
    before = numbers(wing, model(x))
    for block in model.blocks:
        block.attn = OWN[name_of(wing)]()
    close(wing, model(x), whole(model, x))
    assert abs(numbers(wing, model(x)) - before).max() > 1e-3


@pytest.mark.parametrize("kept", [0, 1, 2])
@pytest.mark.parametrize("pool", POOLS)
def test_fewer_blocks(wing, pool, kept):
    model, x = vit(wing, pool=pool)
    model.blocks = model.blocks[:kept]
    close(wing, model(x), whole(model, x))


def sequential(wing, *layers):
    return FRAMEWORK[name_of(wing)].nn.Sequential(*layers)


FRAMEWORK = {"torch": torch, "paddle": paddle}


def queries(wing, model):
    """沿查询归一化：每个查询都要看别的查询。"""
    attn = wing.MultiHeadSelfAttention(24, 3, softmax_axis="queries", fused=False)
    interop.copy_weights(model.blocks[-1].attn, attn)
    model.blocks[-1].attn = attn


def mixing(part):
    """原来逐个 token 算的一处，换成要看全部 token 的。"""

    def change(wing, model):
        layer = wing.MultiHeadSelfAttention(24, 3)
        owner = model if part == "norm" else model.blocks[-1]
        setattr(owner, part, layer)

    return change


def wide_norm(part):
    """层归一化跨着 token 做。"""

    def change(wing, model):
        layer = wing.init.LayerNorm([17, 24])
        setattr(model if part == "norm" else model.blocks[-1], part, layer)

    return change


def forwarded(*path):
    """实例上另写的 forward：原样调用，再乘上它看见了几个 token。"""

    def change(wing, model):
        layer = functools.reduce(getattr, path, model.blocks[-1])
        inner = layer.forward
        layer.forward = lambda x: inner(x) * x.shape[1] / 8

    return change


def stepped(step):
    """实例上另写的一步：原样算，再乘上查询有几个。"""

    def change(wing, model):
        attn = model.blocks[-1].attn
        attn.fused = False
        inner = getattr(attn, step)

        def step_of_mine(x, *rest):
            found = inner(x, *rest)
            if isinstance(found, list | tuple):
                return [part * x.shape[1] / 8 for part in found]
            return found * x.shape[1] / 8

        setattr(attn, step, step_of_mine)

    return change


def before(*path):
    """前钩子改了输入：剪枝、旧式的 weight_norm 与量化的观察者都是这一种。"""

    def change(wing, model):
        layer = functools.reduce(getattr, path, model.blocks[-1])
        layer.register_forward_pre_hook(
            lambda _, given: (given[0] - given[0].mean(1, keepdim=True),)
        )

    return change


def shared(wing, model):
    """同一块用两次。"""
    model.blocks = sequential(wing, model.blocks[0], model.blocks[0])


def small(wing, model):
    """随便什么零件：两层之间没有 token 的交流，结果也要一样。"""
    model.blocks = sequential(wing, model.blocks[0])


CHANGES = {
    "按查询归一化": queries,
    "mlp 换成注意力": mixing("mlp"),
    "norm1 换成注意力": mixing("norm1"),
    "norm2 换成注意力": mixing("norm2"),
    "norm 换成注意力": mixing("norm"),
    "norm1 跨 token": wide_norm("norm1"),
    "norm2 跨 token": wide_norm("norm2"),
    "norm 跨 token": wide_norm("norm"),
    "attn 另写 forward": forwarded("attn"),
    "qkv 另写 forward": forwarded("attn", "qkv"),
    "attn 另写 project": stepped("project"),
    "attn 另写 score": stepped("score"),
    "attn 另写 mix": stepped("mix"),
    "mlp 另写 forward": forwarded("mlp"),
    "fc1 另写 forward": forwarded("mlp", "fc1"),
    "qkv 前钩子": before("attn", "qkv"),
    "proj 前钩子": before("attn", "proj"),
    "norm2 前钩子": before("norm2"),
    "fc2 前钩子": before("mlp", "fc2"),
    "同一块用两次": shared,
    "只有一块": small,
}


@pytest.mark.parametrize("how", CHANGES)
def test_whatever_is_changed_in_the_last_block_counts(wing, how):
    model, x = vit(wing)
    old = numbers(wing, model(x))
    CHANGES[how](wing, model)
    model.eval()
    close(wing, model(x), whole(model, x))
    if how != "只有一块":
        assert abs(numbers(wing, model(x)) - old).max() > 1e-4


@pytest.mark.parametrize("part", ["TransformerBlock", "MultiHeadSelfAttention", "MLP"])
def test_a_forward_put_on_the_class_counts(wing, part, monkeypatch):
    model, x = vit(wing)
    kind = getattr(wing, part)
    inner = kind.forward
    monkeypatch.setattr(
        kind, "forward", lambda self, x: inner(self, x) + x.mean(1, keepdim=True)
    )
    features = model.blocks[-1](model.blocks[0](model.embed(x)))
    close(wing, model(x), model.head(model.norm(features)[:, 0]))


@pytest.mark.parametrize("step", ["project", "score", "mix"])
def test_a_step_put_on_the_class_counts(wing, step, monkeypatch):
    model, _ = vit(wing)
    inner = getattr(wing.MultiHeadSelfAttention, step)
    assert model.short()
    mine = functools.partialmethod(inner)
    monkeypatch.setattr(wing.MultiHeadSelfAttention, step, mine)
    assert not model.short()


def test_the_short_cut_is_taken_when_nobody_looks(wing):
    model, _ = vit(wing)
    assert model.short()
    assert not vit(wing, pool="mean")[0].short()
    for name, layer in layers_of(wing, model).items():
        if name.startswith("blocks.0") or name.startswith(("patch_embed", "head")):
            continue
        hook = watch(wing, layer, lambda *_: None)
        # 挂在前面那一块上的钩子，近路碍不着
        assert not model.short(), name
        hook.remove()
        assert model.short(), name


@pytest.mark.parametrize("attention", ["global", "window", "locality"])
@pytest.mark.parametrize("fused", [True, False])
def test_the_short_cut_gives_the_same_classes_and_gradients(wing, attention, fused):
    model, x = vit(wing, attention=attention)
    for block in model.blocks:
        block.attn.fused = fused
    assert model.short()
    found = []
    for forward in (model, lambda x: whole(model, x)):
        forward(x).square().sum().backward()
        found.append(
            {
                name: p.grad.numpy().copy()
                for name, p in framework(wing).named_parameters(model).items()
            }
        )
        framework(wing).clear(framework(wing).optimizer(model, 0.1))
    for name, ours in found[0].items():
        theirs = found[1][name]
        scale = max(1, abs(theirs).max())
        np.testing.assert_allclose(ours, theirs, atol=1e-5 * scale, err_msg=name)


class Rows(TorchDispatchMode):
    """记下每次矩阵乘有几行：最后一块若只替一个 token 算，行数就少。"""

    def __init__(self):
        super().__init__()
        self.rows = []

    def __torch_dispatch__(self, function, kinds, given=(), options=None):
        if function in (torch.ops.aten.addmm.default, torch.ops.aten.mm.default):
            left = given[-2]
            self.rows.append(left.shape[0])
        return function(*given, **(options or {}))


def rows(model, x):
    with Rows() as counter, torch.no_grad():
        model(x)
    return sorted(counter.rows)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_traced_and_an_exported_model_hold_every_token():
    """画成图的模型里没有近路：图交给别人，别人要在图里找各块的输出。"""
    model, x = vit(vision_attention.torch)
    # 8 张图 17 个 token：两块各四次全连接，加上分类头
    plain = [8] + [8 * 17] * 8
    assert rows(model, x) != plain
    traced = torch.jit.trace(model, x, check_trace=False)
    exported = torch.export.export(model, (x,)).module()
    for drawn in (traced, exported):
        assert rows(drawn, x) == plain
        close(vision_attention.torch, drawn(x), model(x))


def test_a_static_graph_holds_every_token():
    model, x = vit(vision_attention.paddle)
    expected = model(x)
    still = paddle.jit.to_static(
        model, input_spec=[paddle.static.InputSpec([None, 1, 8, 8])], full_graph=True
    )
    close(vision_attention.paddle, still(x), expected)
    assert "last_block" not in str(still.forward.code)
    program = str(still.forward.main_program)
    # 每个全连接都是 (批, 17, 宽)：没有一处只剩一个 token 再过 MLP
    assert program.count("tensor<-1x17x48x") >= 2 * 2


# ---- 框架自带的改造 ----


def parametrized(model):
    from torch.nn.utils import parametrizations

    for block in model.blocks:
        parametrizations.weight_norm(block.attn.qkv)
        parametrizations.spectral_norm(block.mlp.fc1)
    parametrizations.weight_norm(model.patch_embed.proj)


def pruned(model):
    from torch.nn.utils import prune

    for block in model.blocks:
        prune.l1_unstructured(block.attn.qkv, "weight", 0.5)
    prune.l1_unstructured(model.patch_embed.proj, "weight", 0.5)


class Int8Linear(torch.nn.Module):
    """八位的全连接：没有 weight 这个属性。"""

    def __init__(self, layer):
        super().__init__()
        self.step = float(layer.weight.detach().abs().max()) / 127
        rounded = (layer.weight.detach() / self.step).round()
        self.register_buffer("whole", rounded.to(torch.int8))
        self.register_buffer("bias", layer.bias.detach())

    def forward(self, x):
        weight = self.whole.to(x.dtype) * self.step
        return torch.nn.functional.linear(x, weight, self.bias)


def quantized(model):
    for block in model.blocks:
        block.attn.qkv = Int8Linear(block.attn.qkv)
        block.attn.proj = Int8Linear(block.attn.proj)
        block.mlp.fc1 = Int8Linear(block.mlp.fc1)


class Halved(torch.Tensor):
    """参数换成张量的子类，层不换：有的量化这样做。"""

    @classmethod
    def __torch_function__(cls, function, kinds, given=(), options=None):
        if function is torch.nn.functional.linear:
            x, weight, *rest = given
            plain = weight.as_subclass(torch.Tensor)
            return function(x, plain / 2, *rest, **(options or {}))
        return super().__torch_function__(function, kinds, given, options or {})


def subclassed(model):
    for block in model.blocks:
        weight = block.attn.qkv.weight.detach().as_subclass(Halved)
        block.attn.qkv.weight = torch.nn.Parameter(weight)


@pytest.mark.parametrize(
    "change", [parametrized, pruned, quantized, subclassed], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("pool", POOLS)
def test_what_torch_does_to_layers_counts(change, pool):
    wing = vision_attention.torch
    model, x = vit(wing, pool=pool)
    old = numbers(wing, model(x))
    change(model)
    model.eval()
    assert not model.short()
    close(wing, model(x), whole(model, x))
    # weight_norm 不改变数值，spectral_norm 改变
    assert abs(numbers(wing, model(x)) - old).max() > 1e-5


def test_a_layer_compiled_in_place_is_called():
    model, _ = vit(vision_attention.torch)
    model.blocks[-1].attn.compile(backend="eager")
    assert not model.short()


def test_global_hooks_see_every_token():
    model, x = vit(vision_attention.torch)
    seen = []
    register = torch.nn.modules.module.register_module_forward_hook
    hook = register(lambda layer, _, y: seen.append((type(layer).__name__, y.shape)))
    try:
        model(x)
    finally:
        hook.remove()
    blocks = [tuple(shape) for kind, shape in seen if kind == "TransformerBlock"]
    assert blocks == [(8, 17, 24)] * 2
    assert model.short()


@pytest.mark.parametrize("how", ["weight_norm", "spectral_norm"])
@pytest.mark.parametrize("pool", POOLS)
def test_what_paddle_does_to_layers_counts(how, pool):
    wing = vision_attention.paddle
    model, x = vit(wing, pool=pool)
    change = getattr(paddle.nn.utils, how)
    for block in model.blocks:
        change(block.attn.qkv)
        change(block.mlp.fc1)
    change(model.patch_embed.proj)
    model.eval()
    assert not model.short()
    close(wing, model(x), whole(model, x))


def test_the_matrix_product_in_paddle_is_the_convolution():
    """切块的卷积在 Paddle 里写成一次矩阵乘：与框架的卷积同值、同梯度。"""
    wing = vision_attention.paddle
    spec = specs.named("vit_tiny", patch_size=4, in_channels=3, image_size=12)
    proj = wing.ViT(spec).patch_embed.proj
    proj.bias.set_value(paddle.linspace(-1, 1, 64))
    plain = paddle.nn.Conv2D(3, 64, 4, stride=4)
    plain.weight.set_value(proj.weight)
    plain.bias.set_value(proj.bias)
    x = paddle.randn([2, 3, 12, 12])
    np.testing.assert_allclose(proj(x).numpy(), plain(x).numpy(), atol=1e-5)
    for layer in (proj, plain):
        layer(x).square().sum().backward()
    ours, theirs = proj.weight.grad.numpy(), plain.weight.grad.numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-5 * abs(theirs).max())


# ---- CBAM ----

ORDERED = ("channel-spatial", "spatial-channel")


@pytest.mark.parametrize("identity", [False, True])
@pytest.mark.parametrize("order", ORDERED)
def test_the_gates_of_a_cbam_are_called(wing, order, identity):
    """钩子看得见两道门各自吐出的图：从前往后找坏数，找得到是哪一道。"""
    module = wing.CBAM(16, order=order, identity_init=identity)
    values = np.random.default_rng(0).standard_normal((2, 16, 5, 5))
    x = framework(wing).tensor(values.astype("f4"))
    first, second = module.parts()
    middle = first.gate(x) * x
    seen = []
    for part in (first, second):
        watch(wing, part, lambda _, __, y: seen.append(numbers(wing, y)))
    y = module(x)
    scale = 2 if identity else 1
    np.testing.assert_array_equal(seen[0], numbers(wing, middle))
    np.testing.assert_array_equal(numbers(wing, y), scale * seen[1])
    np.testing.assert_allclose(
        numbers(wing, y), numbers(wing, x * module.gate(x)), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("order", ORDERED)
def test_a_gate_of_a_cbam_may_be_taken_out(wing, order):
    module = wing.CBAM(16, order=order)
    module.spatial = FRAMEWORK[name_of(wing)].nn.Identity()
    x = FRAMEWORK[name_of(wing)].ones([2, 16, 5, 5])
    np.testing.assert_array_equal(
        numbers(wing, module(x)), numbers(wing, module.channel(x))
    )
