"""搬运与存取：往返不差一位，认错一次列全，什么也不会写进一半。"""

from __future__ import annotations

import errno
import json
import os
from functools import partial

import cases
import numpy as np
import pytest
from gaps import close
from limits import largest_file
from timm_files import vit_names

import vision_attention.paddle
import vision_attention.torch
from vision_attention import interop, specs
from vision_attention.storage import weights

RESNET = specs.named(
    "resnet_narrow", attention="cbam", attention_options={"min_hidden": 2}
)
WINGS = {"torch": vision_attention.torch, "paddle": vision_attention.paddle}


def same(left, right):
    assert left.keys() == right.keys()
    for name in left:
        np.testing.assert_array_equal(left[name], right[name])


@pytest.mark.parametrize("start", WINGS)
def test_round_trip_returns_every_bit(start):
    other = "paddle" if start == "torch" else "torch"
    WINGS[start].init.seed(3)
    source = WINGS[start].build(RESNET)
    between, back = WINGS[other].build(RESNET), WINGS[start].build(RESNET)
    interop.copy_weights(source, between)
    interop.copy_weights(between, back)
    same(interop.state(source), interop.state(back))


@pytest.mark.parametrize("reader", WINGS)
@pytest.mark.parametrize("writer", WINGS)
def test_file_is_read_by_either_wing(writer, reader, tmp_path):
    source, target = WINGS[writer].build(RESNET), WINGS[reader].build(RESNET)
    interop.save(source, tmp_path / "model.safetensors")
    interop.load(target, tmp_path / "model.safetensors")
    same(interop.state(source), interop.state(target))


def test_square_linear_is_transposed():
    left = vision_attention.torch.MLP(5, 5)
    right = vision_attention.paddle.MLP(5, 5)
    interop.copy_weights(left, right)
    ours = left.fc1.weight.detach().numpy()
    np.testing.assert_array_equal(right.fc1.weight.numpy(), ours.T)
    assert abs(ours - ours.T).max() > 0


def test_two_dimensional_weights_of_other_layers_are_not_transposed():
    # 位置编码与嵌入也是矩阵：按形状猜的转换会把它们也转过去
    import paddle
    import torch

    left, right = torch.nn.Embedding(5, 5), paddle.nn.Embedding(5, 5)
    interop.copy_weights(left, right)
    np.testing.assert_array_equal(right.weight.numpy(), left.weight.detach().numpy())


def test_state_is_a_copy(wing):
    model = wing.SqueezeExcitation(16)
    interop.state(model)["fc1.weight"][:] = 9
    assert interop.state(model)["fc1.weight"].max() < 9


@pytest.mark.parametrize("damage", ["missing", "unexpected", "shape"])
def test_mismatches_are_listed_together_and_nothing_is_written(wing, damage):
    model = wing.build(RESNET)
    before, values = interop.state(model), interop.state(wing.build(RESNET))
    names = list(values)
    if damage == "missing":
        del values[names[0]], values[names[1]]
        told = [f"缺少 {names[0]}", f"缺少 {names[1]}"]
    elif damage == "unexpected":
        values |= {"extra.a": np.zeros(1), "extra.b": np.zeros(1)}
        told = ["多余 extra.a", "多余 extra.b"]
    else:
        values[names[0]] = np.zeros((1, 2, 3))
        told = [f"{names[0]} 的形状应为", "收到 (1, 2, 3)"]
    with pytest.raises(ValueError, match="什么也没有写入") as error:
        interop.load_state(model, values)
    assert all(line in str(error.value) for line in told)
    same(before, interop.state(model))


def test_models_of_other_kinds_are_refused():
    with pytest.raises(TypeError, match="收到 dict，应为 torch 或 paddle 的模型"):
        interop.state({})


def test_only_safetensors(wing, tmp_path):
    with pytest.raises(ValueError, match=r"应以 \.safetensors 结尾"):
        interop.save(wing.SqueezeExcitation(16), tmp_path / "model.pdparams")


def test_missing_and_broken_files(wing, tmp_path):
    model, path = wing.SqueezeExcitation(16), tmp_path / "model.safetensors"
    with pytest.raises(FileNotFoundError, match="没有这个文件"):
        interop.load(model, path)
    interop.save(model, path)
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(ValueError, match="不是完好的"):
        interop.load(model, path)


def test_failed_save_keeps_the_old_file(wing, tmp_path):
    path = tmp_path / "model.safetensors"
    interop.save(wing.SqueezeExcitation(16), path)
    before = path.read_bytes()
    larger, message = wing.SqueezeExcitation(64), "权重写不进 .*原有的文件不变"
    with largest_file(999), pytest.raises(OSError, match=message) as caught:
        interop.save(larger, path)
    assert caught.value.errno == errno.EFBIG
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_save_where_nothing_can_be_written(wing, tmp_path):
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "file").write_text("")
    for place in ("folder.safetensors", "file/model.safetensors"):
        with pytest.raises(OSError, match=r"权重写不进 .*还没有这个文件"):
            interop.save(wing.SqueezeExcitation(16), tmp_path / place)
    assert len(list(tmp_path.iterdir())) == 2


def coarse(wing, model):
    """同一个模型，bfloat16。"""
    if wing is vision_attention.torch:
        return model.bfloat16()
    return model.to(dtype="bfloat16")


@pytest.mark.parametrize("reader", WINGS)
@pytest.mark.parametrize("writer", WINGS)
def test_bfloat16_weights_are_carried_as_numbers(writer, reader, tmp_path):
    source, target = (coarse(w, w.MLP(5, 5)) for w in (WINGS[writer], WINGS[reader]))
    values = interop.state(source)
    assert {array.dtype for array in values.values()} == {np.dtype("f4")}
    assert 0 < abs(values["fc1.weight"]).max() < 1
    interop.copy_weights(source, target)
    same(values, interop.state(target))
    plain = WINGS[reader].MLP(5, 5)
    interop.save(source, tmp_path / "model.safetensors")
    interop.load(plain, tmp_path / "model.safetensors")
    same(values, interop.state(plain))


def timm_forward(weights, image, depth, heads):
    """照 timm 的定义用 NumPy 重算一遍：独立的真值。"""
    from scipy.special import erf, softmax

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
        return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def linear(x, name):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    patches = image.reshape(3, 14, 16, 14, 16).transpose(1, 3, 0, 2, 4)
    kernel = weights["patch_embed.proj.weight"].reshape(24, -1)
    x = patches.reshape(196, -1) @ kernel.T + weights["patch_embed.proj.bias"]
    x = np.concatenate([weights["cls_token"][0], x]) + weights["pos_embed"][0]
    for i in range(depth):
        block = f"blocks.{i}"
        qkv = linear(norm(x, f"{block}.norm1"), f"{block}.attn.qkv")
        q, k, v = qkv.reshape(197, 3, heads, -1).transpose(1, 2, 0, 3)
        rows = softmax(q @ k.transpose(0, 2, 1) * q.shape[-1] ** -0.5, -1)
        mixed = (rows @ v).transpose(1, 0, 2).reshape(197, -1)
        x = x + linear(mixed, f"{block}.attn.proj")
        hidden = linear(norm(x, f"{block}.norm2"), f"{block}.mlp.fc1")
        hidden = hidden * 0.5 * (1 + erf(hidden / np.sqrt(2)))
        x = x + linear(hidden, f"{block}.mlp.fc2")
    return linear(norm(x, "norm")[0], "head")


def test_timm_checkpoint_loads_exactly(wing, tmp_path):
    from safetensors.numpy import save_file

    rng = np.random.default_rng(0)
    weights = {
        name: (0.1 * rng.standard_normal(shape)).astype("f4")
        for name, shape in vit_names(2).items()
    }
    save_file(weights, tmp_path / "vit.safetensors")
    spec = specs.ViTSpec(
        image_size=224,
        patch_size=16,
        embed_dim=24,
        depth=2,
        num_heads=3,
        num_classes=1000,
    )
    model = wing.build(spec)
    model.eval()
    interop.load_timm(model, tmp_path / "vit.safetensors")
    same(interop.state(model), weights)
    image = rng.standard_normal((3, 224, 224)).astype("f4")
    from frameworks import FRAMEWORKS

    tensor = FRAMEWORKS[wing.__name__.rpartition(".")[2]].tensor
    found = model(tensor(image[None])).detach().numpy()[0]
    close(found, timm_forward(weights, image, 2, 3))


def test_every_case_has_a_stable_name():
    names = [case.name for case in cases.ALL]
    assert len(names) == len(set(names))


# 权重文件里的各种类型、取值与名字 ------------------------------------------------


def entries(width=3):
    """一层全连接的两项，每个数都不同。"""
    weight = np.arange(width * width, dtype="f4").reshape(width, width) / 8 + 0.25
    return {"weight": weight, "bias": np.linspace(-1, 1, width, dtype="f4")}


def linear(wing, width=3):
    """一层框架自带的全连接。"""
    package = wing.__name__.rpartition(".")[2]
    if package == "torch":
        import torch

        return torch.nn.Linear(width, width)
    import paddle

    return paddle.nn.Linear(width, width)


def write_file(path, items):
    """照格式的定义写一个文件：{名字: （类型、形状、字节）}。"""
    header, body = {}, b""
    for name, (kind, shape, content) in items.items():
        place = [len(body), len(body) + len(content)]
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": place}
        body += content
    head = json.dumps(header).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head + body)
    return path


BFLOAT16 = {  # 值与它的 16 位，手算：符号、8 位指数、7 位尾数
    1.0: 0x3F80,
    -2.0: 0xC000,
    0.15625: 0x3E20,
    3.140625: 0x4049,
    1.1754943508222875e-38: 0x0080,
    3.3895313892515355e38: 0x7F7F,
}


def test_bfloat16_file_is_read_to_the_last_bit(wing, tmp_path):
    bits = np.array(list(BFLOAT16.values()), "<u2")
    bias = np.array([7.0, 8.0, 9.0], "<f4").tobytes()
    items = {"bias": ("F32", (3,), bias)}
    for name, part in (("weight", bits[[0, 1, 2, 3, 4, 5, 0, 1, 2]]),):
        items[name] = ("BF16", (3, 3), part.tobytes())
    for load in (interop.load, interop.load_timm):
        model = linear(wing)
        load(model, write_file(tmp_path / "half.safetensors", items))
        found = interop.state(model)["weight"].reshape(-1)[:6]
        assert found.tolist() == list(BFLOAT16)
        assert interop.state(model)["bias"].tolist() == [7, 8, 9]


def test_bfloat16_scalar_keeps_its_shape(tmp_path):
    import torch

    class Scale(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.zeros(()))

    content = np.array(0xC000, "<u2").tobytes()
    path = write_file(tmp_path / "x.safetensors", {"scale": ("BF16", (), content)})
    model = Scale()
    interop.load(model, path)
    assert model.scale.item() == -2
    assert model.scale.shape == ()


@pytest.mark.parametrize("kind", ["f2", "f8"])
def test_other_floats_become_the_type_of_the_model(wing, kind, tmp_path):
    from safetensors.numpy import save_file

    values = entries()  # 每个数 float16 都装得下
    path = tmp_path / "x.safetensors"
    save_file({name: value.astype(kind) for name, value in values.items()}, path)
    model = linear(wing)
    interop.load(model, path)
    found = interop.state(model)
    assert {value.dtype for value in found.values()} == {np.dtype("f4")}
    for name, value in values.items():
        np.testing.assert_array_equal(found[name], value.astype(kind).astype("f4"))


UNFIT = [
    ("int64", lambda w: w.astype("i8"), "weight 的类型是 int64，应为浮点", "astype"),
    ("bool", lambda w: w > 1, "weight 的类型是 bool，应为浮点", "astype"),
    ("complex", lambda w: w.astype("c8"), "weight 的类型是 complex64", "astype"),
    ("nan", lambda w: np.where(w > 1, np.nan, w), "weight 里有 2 个 NaN", "发散"),
    ("inf", lambda w: np.where(w > 1, -np.inf, w), "weight 里有 2 个 NaN", "发散"),
    ("large", lambda w: w.astype("f8") * 1e39, "weight 最大到 1.25e\\+39", "float32"),
    ("text", lambda w: w.astype("U9"), "weight 的类型是 <U9，应为浮点", "astype"),
    ("ragged", lambda w: [[1.0], [2.0, 3.0]], "weight=.*换不成数组", "astype"),
]


@pytest.mark.parametrize(("spoil", "told", "advice"), [u[1:] for u in UNFIT])
def test_values_that_do_not_fit_are_named_and_nothing_is_written(
    wing, spoil, told, advice
):
    model, values = linear(wing), entries()
    before = interop.state(model)
    values["weight"] = spoil(values["weight"])
    with pytest.raises(ValueError, match=told) as caught:
        interop.load_state(model, values)
    assert "什么也没有写入" in str(caught.value)
    assert advice in str(caught.value).splitlines()[-1]
    same(before, interop.state(model))


@pytest.mark.parametrize("spoil", ["int64", "bool", "complex", "nan", "inf", "large"])
def test_the_same_from_a_file(wing, spoil, tmp_path):
    from safetensors.numpy import save_file

    _, change, told, _ = next(unfit for unfit in UNFIT if unfit[0] == spoil)
    model, values = linear(wing), entries()
    save_file(values | {"weight": change(values["weight"])}, tmp_path / "x.safetensors")
    before = interop.state(model)
    with pytest.raises(ValueError, match=told):
        interop.load(model, tmp_path / "x.safetensors")
    same(before, interop.state(model))


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_what_the_narrow_model_cannot_hold_is_refused(wing, kind):
    model = linear(wing)
    if wing is vision_attention.torch:
        import torch

        model = model.to(getattr(torch, kind))
    else:
        model.to(dtype=kind)
    values = entries()
    # float16 最大 65504；bfloat16 最大 3.3895e38，float32 的最大值装不下
    values["weight"][1, 1] = 70000 if kind == "float16" else 3.4e38
    with pytest.raises(ValueError, match=rf"weight 最大到 .*{kind} 只装得下") as caught:
        interop.load_state(model, values)
    assert "model.float()" in str(caught.value)
    values["weight"][1, 1] = 65504 if kind == "float16" else 2.0**127
    interop.load_state(model, values)
    assert interop.state(model)["weight"][1, 1] == values["weight"][1, 1]


@pytest.mark.parametrize(
    ("kind", "low", "high"), [("int8", -128, 127), ("uint8", 0, 255)]
)
def test_whole_numbers_fit_up_to_the_last_one(kind, low, high):
    slot = weights.Slot((2,), kind, lambda: np.zeros(2, kind), lambda _: None)
    assert weights.fault("x", slot, np.array([low, high])) is None
    for spoilt in ([low - 1, high], [low, high + 1]):
        assert weights.fault("x", slot, np.array(spoilt)).kind == "type"


@pytest.mark.parametrize(("dims", "read"), [(32, True), (33, False)])
def test_arrays_of_up_to_32_dimensions_are_read(tmp_path, dims, read):
    header = {"x": {"dtype": "F32", "shape": [1] * dims, "data_offsets": [0, 4]}}
    text = json.dumps(header).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(4))
    if read:
        assert weights.read(path)["x"].ndim == 32
    else:
        with pytest.raises(ValueError, match="有 1 项超过 32 维"):
            weights.read(path)


@pytest.mark.parametrize(("count", "more"), [(12, ""), (13, "……另有 1 处")])
def test_twelve_faults_are_all_listed(count, more):
    extra = {f"x{n}": np.zeros(1) for n in range(count)}
    with pytest.raises(ValueError, match=f"共 {count} 处") as caught:
        weights.fill({}, extra)
    told = str(caught.value)
    assert told.count("多余 x") == 12
    assert more in told
    assert ("另有" in told) is bool(more)


def test_types_that_cannot_be_read_are_named(wing, tmp_path):
    content = np.zeros(9, "u1").tobytes()
    items = {name: ("F8_E4M3", (3, 3), content) for name in ("a.weight", "b.weight")}
    path = write_file(tmp_path / "tiny.safetensors", items)
    with pytest.raises(ValueError, match=r"有 2 项.*a\.weight（F8_E4M3）、b\.weight"):
        interop.load(linear(wing), path)


def doubled(head):
    """同一个名字写两次；字节对得上，safetensors 自己不说什么。"""
    return head[:-1] + ", " + head[1:]


def deep(head):
    """一百维。"""
    return head.replace("[9]", json.dumps([1] * 99 + [9]))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [(doubled, "键 'weight' 写了两次"), (deep, "1 项超过 32 维：weight")],
)
@pytest.mark.parametrize("kind", ["F32", "BF16"])
def test_a_strange_header_is_one_sentence(wing, tmp_path, kind, spoil, told):
    content = np.zeros(9 * (4 if kind == "F32" else 2), "u1").tobytes()
    path = write_file(tmp_path / "x.safetensors", {"weight": (kind, (9,), content)})
    head, size = path.read_bytes()[8:], len(content)
    text = spoil(head[:-size].decode()).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content)
    with pytest.raises(ValueError, match=told):
        interop.load(linear(wing), path)


def test_a_mask_of_infinities_is_carried_but_no_new_infinity():
    import torch

    model = torch.nn.Linear(3, 3)
    model.register_buffer("mask", torch.tensor([0, -torch.inf, 0]))
    values = interop.state(model)
    interop.load_state(model, values)
    values["mask"][0] = -np.inf
    with pytest.raises(ValueError, match="mask 里有 1 个 NaN 或无穷"):
        interop.load_state(model, values)


def test_copying_is_exact_even_when_the_source_has_diverged(wing):
    source, target, values = linear(wing), linear(wing), entries()
    interop.load_state(source, values)
    package = wing.__name__.rpartition(".")[2]
    if package == "torch":
        source.weight.data.fill_(float("nan"))
    else:
        source.weight.set_value(np.full((3, 3), np.nan, "f4"))
    interop.copy_weights(source, target)
    assert np.isnan(interop.state(target)["weight"]).all()


WRAPPED = [
    "module.",
    "_orig_mod.",
    "_layers.",
    "module._orig_mod.",
    "_orig_mod._layers.",
    "_fsdp_wrapped_module.",
]


@pytest.mark.parametrize("prefix", WRAPPED)
def test_weights_of_a_wrapped_model_are_its_own(wing, prefix):
    values, model = entries(), linear(wing)
    interop.load_state(model, {prefix + name: v for name, v in values.items()})
    same(interop.state(model), values)


def test_wrapping_inside_a_model_is_seen_through(wing):
    model = wing.MLP(3, 3)
    values = {
        name.replace("fc1.", "fc1._orig_mod."): value + 1
        for name, value in interop.state(model).items()
    }
    interop.load_state(model, values)
    same(
        interop.state(model),
        {n.replace("._orig_mod", ""): v for n, v in values.items()},
    )


# Paddle 说这里只有一张卡
@pytest.mark.filterwarnings("ignore:The program will return to single-card")
def test_real_wrappers_in_both_directions(tmp_path):
    import paddle
    import torch

    path = tmp_path / "x.safetensors"
    for wing, wrap in (
        ("torch", torch.nn.DataParallel),
        ("torch", partial(torch.compile, backend="eager")),
        ("paddle", paddle.DataParallel),
    ):
        inside, bare = WINGS[wing].MLP(3, 3), WINGS[wing].MLP(3, 3)
        interop.save(wrap(inside), path)
        interop.load(bare, path)
        same(interop.state(inside), interop.state(bare))
        other = WINGS[wing].MLP(3, 3)
        interop.save(other, path)
        interop.load(wrap(bare), path)
        same(interop.state(other), interop.state(bare))


def test_names_that_become_equal_are_not_guessed(wing):
    values = entries()
    values |= {"module.weight": values["weight"]}
    del values["bias"]
    with pytest.raises(ValueError, match=r"多余 module\.weight\n  缺少 bias"):
        interop.load_state(linear(wing), values)


def test_other_prefixes_are_named_as_the_cause(wing):
    model, values = linear(wing), entries()
    with pytest.raises(ValueError, match=r"文件里的名字多了前缀 'encoder\.'；请去掉"):
        interop.load_state(model, {f"encoder.{n}": v for n, v in values.items()})
    longer = wing.MLP(3, 3)
    short = {n.removeprefix("fc1."): v for n, v in interop.state(longer).items()}
    with pytest.raises(ValueError, match=r"模型里的名字多了前缀 'fc1\.'；请载入它里面"):
        interop.load_state(longer, short)


def test_batch_counters_of_torch_do_not_matter(wing, tmp_path):
    import torch
    from safetensors.torch import save_file

    source = torch.nn.BatchNorm2d(3)
    source.running_mean += torch.arange(3)
    save_file(source.state_dict(), tmp_path / "x.safetensors")
    target = {"torch": torch.nn.BatchNorm2d}.get(wing.__name__.rpartition(".")[2])
    if target is None:
        import paddle

        target = paddle.nn.BatchNorm2D
    model = target(3)
    interop.load(model, tmp_path / "x.safetensors")
    assert interop.state(model)["running_mean"].tolist() == [0, 1, 2]


def test_models_without_numbers_are_refused():
    import torch

    with pytest.raises(ValueError, match=r"weight 在 meta 设备上.*to_empty"):
        interop.state(torch.nn.Linear(3, 3, device="meta"))
    with pytest.raises(ValueError, match="weight 还没有形状；请先让模型前向一次"):
        interop.state(torch.nn.LazyLinear(3))


def test_types_without_a_place_in_the_format_are_refused(tmp_path):
    import torch

    model = torch.nn.Linear(3, 3, dtype=torch.complex128)
    with pytest.raises(ValueError, match=r"\.safetensors 装不下这个模型的类型"):
        interop.save(model, tmp_path / "x.safetensors")
    assert list(tmp_path.iterdir()) == []


PLACES = [
    (lambda root: root / "none.safetensors", FileNotFoundError, "没有这个文件"),
    (lambda root: root / "folder.safetensors", ValueError, "是文件夹，应为文件"),
    (lambda root: root / "pipe.safetensors", ValueError, "是管道或设备"),
    (lambda root: root / "broken.safetensors", FileNotFoundError, "链接断了，指向 no"),
    (lambda root: root / "loop.safetensors", ValueError, "链接绕成了圈"),
    (lambda root: root / f"{'长' * 500}.safetensors", ValueError, "路径太长"),
    (lambda root: root / "file" / "x.safetensors", ValueError, "不是文件夹"),
    (lambda root: "a\0.safetensors", ValueError, "不能用的字符"),
    (lambda root: "", ValueError, "path='' 应为路径"),
    (lambda root: None, ValueError, "path=None 应为路径"),
    (lambda root: 3, ValueError, "path=3 应为路径"),
    (lambda root: b"x.safetensors", ValueError, "应为路径"),
    (lambda root: "~nobody-here/x.safetensors", ValueError, "认不出是谁的家目录"),
]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="管道与断了的链接要 Unix")
@pytest.mark.parametrize(("place", "kind", "told"), PLACES)
def test_places_that_hold_no_file_are_named(wing, tmp_path, place, kind, told):
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "pipe.safetensors")
    (tmp_path / "broken.safetensors").symlink_to("no")
    (tmp_path / "loop.safetensors").symlink_to("loop.safetensors")
    with pytest.raises(kind, match=told) as caught:
        interop.load(linear(wing), place(tmp_path))
    assert len(str(caught.value)) < 600


def test_paths_may_be_written_in_any_way(wing, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    model = linear(wing)
    interop.save(model, "~/x.safetensors")
    for path in (tmp_path / "x.safetensors", str(tmp_path / "x.safetensors")):
        interop.load(model, path)
