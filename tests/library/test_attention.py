"""含义：每个模块对照一份独立的 NumPy 重写，再查那些悄悄出错的性质。"""

from __future__ import annotations

import inspect

import cases
import numpy as np
import pytest
from differences import disturb
from formulas import conv, conv_of
from frameworks import FRAMEWORKS, count
from gaps import close, size
from scipy.special import expit, softmax

from vision_attention import checks, geometry, initial, interop

GATES = [c for c in cases.GATES if "identity_init" not in c.name]
named = {"ids": lambda c: c.name}


def framework(wing):
    return FRAMEWORKS[wing.__name__.rpartition(".")[2]]


def run(wing, function, *arrays):
    """用 NumPy 数组调用一个模块或它的方法。"""
    result = function(*(framework(wing).tensor(a) for a in arrays))
    return framework(wing).numpy(result)


def disturbed(case, wing):
    """一个权重都不为 0 的模块，评估模式。"""
    module = case.make(wing)
    disturb(module)
    module.eval()
    return module, interop.state(module)


KINDS = {kind.build: kind for kind in cases.KINDS}


def formula(case, x, weights):
    """照式子算出的门；开关里式子用得上的都给它。"""
    known = inspect.signature(KINDS[case.build].formula).parameters
    options = {name: v for name, v in case.options.items() if name in known}
    return KINDS[case.build].formula(x, weights, **options)


@pytest.mark.parametrize("case", GATES, **named)
def test_gate_equals_its_formula(case, wing):
    module, weights = disturbed(case, wing)
    x = case.values()
    expected = formula(case, x, weights)
    found = run(wing, module.gate, x)
    assert found.shape == expected.shape
    close(found, expected)
    close(run(wing, module, x), x * expected)


# Python 3.13.0 上 PyTorch 提醒编译后会慢一点
@pytest.mark.filterwarnings("ignore:Guards may run slower:RuntimeWarning")
@pytest.mark.parametrize("case", cases.per_class(GATES), **named)
def test_gate_compiles_into_one_graph(case):
    import torch

    import vision_attention.torch as wing

    if not torch._dynamo.is_dynamo_supported():
        pytest.skip("这个 Python 上的 torch.compile 还不能用")
    torch._dynamo.reset()
    module, _ = disturbed(case, wing)
    whole = torch.compile(module, fullgraph=True, backend="aot_eager")
    seen = []
    for way in (module, whole):
        x = framework(wing).tensor(case.values(), grad=True)
        y = way(x)
        y.square().sum().backward()
        seen.append((y.detach().numpy(), x.grad.numpy()))
    np.testing.assert_array_equal(*[y for y, _ in seen])
    close(*[slope for _, slope in seen])


# ---- 每个开关都真的起作用 ----

SAME = (
    "fused=False",
    "ConvTokenizer-twice",
    "identity_init=True-order=parallel",
    "SelfAttention2d-start",
)


def switches():
    """同一个类的两个用例，两两配对；结果本该相同的不算。"""
    kept = [c for c in cases.ALL if not any(word in c.name for word in SAME)]
    kept = [c for c in kept if c.build != "DropPath"]
    return [
        pytest.param(a, b, id=f"{a.name} | {b.name}")
        for i, a in enumerate(kept)
        for b in kept[:i]
        if a.build == b.build and a.name.split("-")[0] == b.name.split("-")[0]
    ]


@pytest.mark.parametrize(("one", "other"), switches())
def test_every_switch_changes_the_result(one, other):
    import vision_attention.torch as wing

    outputs = []
    for case in (one, other):
        wing.init.seed(3)
        module, _ = disturbed(case, wing)
        outputs.append(run(wing, module, case.values()))
    assert abs(outputs[0] - outputs[1]).max() > 1e-5


# ---- 门的性质 ----

SEEING = [c for c in GATES if KINDS[c.build].sees]
CLOSING = [c for c in GATES if KINDS[c.build].closes]


@pytest.mark.parametrize("case", SEEING, **named)
def test_gate_changes_when_its_input_changes(case, wing):
    module, _ = disturbed(case, wing)
    change = abs(
        run(wing, module.gate, case.values(0)) - run(wing, module.gate, case.values(1))
    )
    assert change.max() > 1e-3


@pytest.mark.parametrize("case", CLOSING, **named)
def test_gate_can_close_and_open(case, wing):
    # 第二层之后若多一个 ReLU，门就永远不会低于 ½
    module, _ = disturbed(case, wing)
    gate = run(wing, module.gate, 9 * case.values())
    assert gate.min() < 0.49
    assert 0 < gate.min() and gate.max() <= 1


@pytest.mark.parametrize("case", GATES, **named)
def test_gate_stays_in_its_range(case, wing):
    kind = KINDS[case.build]
    module, _ = disturbed(case, wing)
    gate = run(wing, module.gate, 9 * case.values())
    assert kind.least - 1e-6 <= gate.min() and gate.max() <= kind.most + 1e-6


def test_simam_says_that_its_range_includes_0622(wing):
    # 处处相同的图，每个位置都等于均值，门恰为 σ(½)
    gate = run(wing, wing.SimAM(12).gate, np.ones((2, 12, 7, 13), "f4"))
    np.testing.assert_allclose(gate, expit(0.5), rtol=1e-6)
    assert "[0.622, 1)" in wing.SimAM.__doc__


@pytest.mark.parametrize(
    "case", [c for c in cases.GATES if "identity_init" in c.name], **named
)
def test_identity_init_changes_no_bit_and_can_learn(case, wing):
    module, x = case.make(wing), case.values()
    np.testing.assert_array_equal(run(wing, module, x), x)
    (module(framework(wing).tensor(x)) ** 2).sum().backward()
    parameters = framework(wing).named_parameters(module)
    assert any(abs(p.grad.numpy()).max() > 0 for p in parameters.values())


def test_pooling_of_the_channel_gate_goes_with_either_spatial_gate(wing):
    module = wing.CBAM(64, spatial="multiscale", pooling="avg")
    x = cases.GATES[0].values()
    x = np.repeat(x[:, :1], 64, 1)
    wing.init.seed(0)
    alone = wing.ChannelAttention(64, pooling="avg")
    interop.copy_weights(module.channel, alone)
    np.testing.assert_array_equal(run(wing, module.channel, x), run(wing, alone, x))


def test_block_is_as_wide_as_the_check_says(wing):
    ratio = np.float32(0.7)  # 10 × float32(0.7) 差一点不到 7
    block = wing.TransformerBlock(10, wing.MultiHeadSelfAttention(10, 2), ratio)
    hidden = interop.state(block)["mlp.fc1.weight"].shape[0]
    assert hidden == checks.mlp_width(10, ratio)


@pytest.mark.parametrize(("norm", "parameters"), [(False, 679), (True, 680)])
def test_cbam_of_the_notes_and_of_the_authors(wing, norm, parameters):
    module = wing.CBAM(in_channels=64, spatial_norm=norm)
    assert count(framework(wing), module) == parameters
    assert run(wing, module, np.ones((1, 64, 32, 32), "f4")).shape == (1, 64, 32, 32)


def test_adding_maps_is_concatenation_with_tied_kernels(wing):
    # 原笔记「两张图相加」是拼接的特例：两个核相同，98 个数里只剩 49 个自由
    module, x = wing.SpatialAttention(), cases.GATES[0].values()
    weights = interop.state(module)
    kernel = weights["conv.weight"][:, :1]
    weights["conv.weight"] = np.concatenate([kernel, kernel], 1)
    interop.load_state(module, weights)
    added = x.mean(1, keepdims=True) + x.max(1, keepdims=True)
    expected = expit(conv(added, kernel, weights["conv.bias"], 3))
    close(run(wing, module.gate, x), expected)


# ---- 自注意力 ----

SELF = cases.ATTENTION


@pytest.mark.parametrize("case", SELF, **named)
def test_weights_are_probabilities_along_the_named_axis(case, wing):
    module, _ = disturbed(case, wing)
    weights = run(wing, module.weights, case.values())
    axis = -2 if case.options.get("softmax_axis") == "queries" else -1
    np.testing.assert_allclose(weights.sum(axis), 1, atol=1e-5)
    assert weights.min() >= 0
    other = -1 if axis == -2 else -2
    assert abs(weights.sum(other) - 1).max() > 1e-3


def attention_reference(case, x, weights):
    """多头自注意力的式子，NumPy 版。"""
    heads = case.options.get("num_heads", 3)
    width = x.shape[2] // heads
    qkv = x @ weights["qkv.weight"].T + weights.get("qkv.bias", 0)
    q, k, v = np.split(qkv, 3, 2)
    scale = width**-0.5 if case.options.get("scale", True) else 1.0
    mask = case.options.get("mask")
    if case.build == "LocalitySelfAttention":
        mask = geometry.self_excluded(x.shape[1])
    out = np.zeros_like(x)
    for a in range(heads):
        part = slice(a * width, (a + 1) * width)
        temperature = weights["scale"][a, 0] if "scale" in weights else scale
        score = q[..., part] @ k[..., part].transpose(0, 2, 1) * temperature
        if mask is not None:
            score = np.where(mask, score, -np.inf)
        axis = -2 if case.options.get("softmax_axis") == "queries" else -1
        out[..., part] = softmax(score, axis) @ v[..., part]
    return out @ weights["proj.weight"].T + weights["proj.bias"]


@pytest.mark.parametrize("case", [c for c in SELF if c.shape == cases.TOKENS], **named)
def test_self_attention_equals_its_formula(case, wing):
    module, weights = disturbed(case, wing)
    x = case.values()
    expected = attention_reference(case, x, weights)
    close(run(wing, module, x), expected)


@pytest.mark.parametrize("case", [c for c in SELF if c.shape == cases.MAP], **named)
def test_self_attention_2d_equals_its_formula(case, wing):
    module, weights = disturbed(case, wing)
    x = case.values()
    b, c, h, w = x.shape
    heads = case.arguments[1] if len(case.arguments) > 1 else 1
    q, k, v = (
        conv_of(x, weights, name).reshape(b, heads, c // heads, h * w)
        for name in ("query", "key", "value")
    )
    scale = (c // heads) ** -0.5 if case.options.get("scale", True) else 1.0
    axis = -2 if case.options.get("softmax_axis") == "queries" else -1
    rows = softmax(np.einsum("bakn,bakm->banm", q, k) * scale, axis)
    mixed = np.einsum("banm,bakm->bakn", rows, v).reshape(x.shape)
    expected = x + weights.get("gamma", np.float32([1.0])) * mixed
    close(run(wing, module, x), expected)


def test_self_attention_2d_starts_as_the_identity(wing):
    x = cases.GATES[0].values()
    np.testing.assert_array_equal(run(wing, wing.SelfAttention2d(12), x), x)


def test_against_the_frameworks_own_attention():
    # torch 自带的多头注意力：头数 ≥ 2，N ≠ 头数
    import torch

    import vision_attention.torch

    ours = vision_attention.torch.MultiHeadSelfAttention(15, 3)
    theirs = torch.nn.MultiheadAttention(15, 3, batch_first=True)
    theirs.in_proj_weight.data.copy_(ours.qkv.weight.data)
    theirs.in_proj_bias.data.copy_(ours.qkv.bias.data)
    theirs.out_proj.load_state_dict(ours.proj.state_dict())
    x = torch.tensor(cases.ATTENTION[0].values())
    expected, weights = theirs(x, x, x, average_attn_weights=False)
    close(ours(x).detach(), expected.detach())
    close(ours.weights(x).detach(), weights.detach())


def test_against_paddles_own_attention():
    import paddle

    import vision_attention.paddle

    ours = vision_attention.paddle.MultiHeadSelfAttention(15, 3)
    theirs = paddle.nn.MultiHeadAttention(15, 3, need_weights=True)
    parts = [theirs.q_proj, theirs.k_proj, theirs.v_proj]
    weights = np.split(ours.qkv.weight.numpy(), 3, 1)
    for layer, weight in zip(parts, weights, strict=True):
        layer.weight.set_value(weight)
        layer.bias.set_value(np.zeros(15, "f4"))
    theirs.out_proj.set_state_dict(ours.proj.state_dict())
    x = paddle.to_tensor(cases.ATTENTION[0].values())
    expected, attention = theirs(x, x, x)
    close(ours(x).numpy(), expected.numpy())
    close(ours.weights(x).numpy(), attention.numpy())


@pytest.mark.parametrize("build", ["MultiHeadSelfAttention", "LocalitySelfAttention"])
def test_fused_and_explicit_agree(wing, build):
    extra = {"num_tokens": 11} if build == "LocalitySelfAttention" else {}
    fused = getattr(wing, build)(15, num_heads=3, **extra)
    explicit = getattr(wing, build)(15, num_heads=3, fused=False, **extra)
    interop.copy_weights(fused, explicit)
    x = 3 * cases.ATTENTION[0].values()
    close(run(wing, fused, x), run(wing, explicit, x))


def test_permuting_tokens_permutes_the_output(wing):
    module, x = wing.MultiHeadSelfAttention(15, 3), cases.ATTENTION[0].values()
    order = np.random.default_rng(0).permutation(11)
    close(run(wing, module, x[:, order]), run(wing, module, x)[:, order])


def test_a_masked_token_is_not_seen(wing):
    mask = np.ones((11, 11), bool)
    mask[:, 4] = False
    module = wing.MultiHeadSelfAttention(15, 3, mask=mask)
    x = cases.ATTENTION[0].values()
    moved = x.copy()
    moved[:, 4] += 9
    keep = np.arange(11) != 4
    np.testing.assert_array_equal(
        run(wing, module, x)[:, keep], run(wing, module, moved)[:, keep]
    )


def test_unscaled_scores_are_sharper(wing):
    scaled = wing.MultiHeadSelfAttention(15, 3)
    unscaled = wing.MultiHeadSelfAttention(15, 3, scale=False)
    interop.copy_weights(scaled, unscaled)
    x = 30 * cases.ATTENTION[0].values()
    sharp = run(wing, unscaled.weights, x).max(-1).mean()
    assert sharp > run(wing, scaled.weights, x).max(-1).mean() + 0.05


# ---- token ----


def test_patch_embedding_is_a_strided_convolution(wing):
    module, x = wing.PatchEmbedding(12, 4, 3, 15), cases.TRANSFORMER[0].values()
    convolution = run(wing, module.proj, x).reshape(2, 15, 9).transpose(0, 2, 1)
    close(run(wing, module, x), convolution)


def test_shifted_patches_move_half_a_patch_diagonally(wing):
    module, x = wing.ShiftedPatchEmbedding(12, 4, 3, 15), cases.TRANSFORMER[0].values()
    found = run(wing, module.shift, x)
    assert found.shape == (2, 15, 12, 12)
    np.testing.assert_array_equal(found[:, :3], x)
    np.testing.assert_array_equal(found[:, 3:6, :10, :10], x[:, :, 2:, 2:])
    np.testing.assert_array_equal(found[:, 6:9, :10, 2:], x[:, :, 2:, :10])
    np.testing.assert_array_equal(found[:, 9:12, 2:, :10], x[:, :, :10, 2:])
    np.testing.assert_array_equal(found[:, 12:, 2:, 2:], x[:, :, :10, :10])
    assert abs(found[:, 3:6, 10:]).max() == 0


@pytest.mark.parametrize("attention", ["global", "window", "locality"])
@pytest.mark.parametrize("pool", ["class", "mean", "sequence"])
def test_the_last_block_may_skip_what_the_head_never_reads(wing, pool, attention):
    """分类只看分类 token 时最后一块只替它算；结果与算完全部的一样。"""
    from vision_attention import specs

    model = wing.build(specs.named("vit_tiny", pool=pool, attention=attention))
    model.eval()
    x = np.random.default_rng(0).standard_normal((2, 1, 8, 8)).astype("f4")

    def whole(images):
        tokens = model.norm(model.blocks(model.embed(images)))
        if pool == "class":
            return model.head(tokens[:, 0])
        return model.head(tokens.mean(1) if pool == "mean" else model.pool(tokens))

    close(run(wing, model, x), run(wing, whole, x))


@pytest.mark.parametrize("position", ["learned", "sincos", "sincos_1d", "none"])
def test_only_the_position_code_tells_patches_apart(wing, position):
    from vision_attention import specs

    spec = specs.named("vit_tiny", position=position, pool="mean", patch_size=4)
    model = wing.build(spec)
    model.eval()
    x = np.random.default_rng(0).standard_normal((2, 1, 8, 8)).astype("f4")
    swapped = np.concatenate([x[:, :, 4:], x[:, :, :4]], 2)
    seen = run(wing, model, x)
    change = size(seen - run(wing, model, swapped)) / size(seen)
    assert (change < 1e-5) == (position == "none")


def test_drop_path_drops_whole_samples_and_keeps_the_mean(wing):
    wing.init.seed(0)
    module = wing.DropPath(0.25)
    x = np.ones((4000, 2, 3), "f4")
    module.train()
    out = run(wing, module, x)
    assert set(np.unique(out.round(4))) == {0.0, np.float32(1.3333)}
    assert (out == out[:, :1, :1]).all()
    assert abs(out.mean() - 1) < 0.05
    module.eval()
    np.testing.assert_array_equal(run(wing, module, x), x)


@pytest.mark.parametrize("name", ["resnet_narrow", "mobile_narrow"])
def test_stage_widths_are_the_channels_of_each_stage(wing, name):
    from vision_attention import specs

    model = wing.build(specs.named(name, stage_widths=(5, 9, 21)))
    x = np.zeros((2, 1, 8, 8), "f4")
    found = run(wing, model.stem, x)
    channels = [found.shape[1]]
    for stage in model.stages:
        found = run(wing, stage, found)
        channels.append(found.shape[1])
    assert channels == [5, 5, 9, 21]
    assert run(wing, model, x).shape == (2, 10)


def test_the_wider_network_of_which_gate_has_the_parameters_of_cbam(wing):
    from vision_attention import specs
    from vision_attention.studies import open_study

    sizes = {}
    for run in open_study("which_gate").runs[:7]:
        settings = dict(run.model)
        spec = specs.named(settings.pop("name"), **settings)
        sizes[run.levels["gate"]] = count(framework(wing), wing.build(spec))
    assert 0 <= sizes["wider"] / sizes["cbam"] - 1 < 0.01


# ---- 边角的输入 ----


@pytest.mark.parametrize("case", cases.ALL, **named)
def test_an_empty_batch_passes_forward_and_backward(case, wing):
    module = case.make(wing)
    module.eval()
    whole = run(wing, module, case.values())
    x = framework(wing).tensor(np.zeros((0, *case.shape[1:]), "f4"), grad=True)
    y = module(x)
    (y * y).sum().backward()
    assert tuple(y.shape) == (0, *whole.shape[1:])
    assert tuple(x.grad.shape) == tuple(x.shape)


def as_numpy(value):
    """Python 的数换成 NumPy 的标量，别的原样。"""
    kinds = {int: np.int64, float: np.float64, bool: np.bool_}
    return kinds.get(type(value), lambda same: same)(value)


@pytest.mark.parametrize("case", cases.MODULES, **named)
def test_numpy_scalars_build_the_same_module(case, wing):
    """用 np.arange、np.logspace 扫一遍参数，得到的与写 Python 的数逐位相同。"""
    ours = case.make(wing)
    initial.seed(0)
    options = {name: as_numpy(value) for name, value in case.options.items()}
    theirs = getattr(wing, case.build)(*map(as_numpy, case.arguments), **options)
    assert repr(theirs) == repr(ours)
    ours.eval(), theirs.eval()
    x = case.values()
    np.testing.assert_array_equal(run(wing, theirs, x), run(wing, ours, x))
