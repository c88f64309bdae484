"""搬运与存取：往返不差一位，认错一次列全，什么也不会写进一半。"""

from __future__ import annotations

import errno

import cases
import numpy as np
import pytest
from gaps import close
from limits import largest_file

import vision_attention.paddle
import vision_attention.torch
from vision_attention import interop, specs

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


def timm_names(depth):
    """timm 的 vit_*_patch16_224 里每一项的名字与形状（宽 24、3 头、1000 类）。"""
    width, tokens = 24, 14 * 14 + 1
    shapes = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, tokens, width),
        "patch_embed.proj.weight": (width, 3, 16, 16),
        "patch_embed.proj.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
        "head.weight": (1000, width),
        "head.bias": (1000,),
    }
    for i in range(depth):
        block = {
            "norm1.weight": (width,),
            "norm1.bias": (width,),
            "attn.qkv.weight": (3 * width, width),
            "attn.qkv.bias": (3 * width,),
            "attn.proj.weight": (width, width),
            "attn.proj.bias": (width,),
            "norm2.weight": (width,),
            "norm2.bias": (width,),
            "mlp.fc1.weight": (4 * width, width),
            "mlp.fc1.bias": (4 * width,),
            "mlp.fc2.weight": (width, 4 * width),
            "mlp.fc2.bias": (width,),
        }
        shapes |= {f"blocks.{i}.{name}": shape for name, shape in block.items()}
    return shapes


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
        for name, shape in timm_names(2).items()
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
