"""预训练的权重：timm 的名字装得上，位置编码改得准，装不上的说得出是哪里。"""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import call
from frameworks import FRAMEWORKS
from PIL import Image
from safetensors.numpy import load_file, save_file
from timm_files import drawn, resnet_forward, resnet_names, vit_names

import vision_attention.paddle
import vision_attention.torch
from vision_attention import data, interop, specs
from vision_attention.cli import checkups, trials
from vision_attention.storage.pretrained import IMAGENET, recipe, resize_positions
from vision_attention.storage.timm_names import timm_name
from vision_attention.studies.tasks.prepared import prepare
from vision_attention.training.config import TrainConfig
from vision_attention.wings import attention_names

WINGS = {"torch": vision_attention.torch, "paddle": vision_attention.paddle}
PLACEMENTS = ("branch", "output", "identity")
# 权重的许多测试不必用 64 的宽
NARROW = {"width": 8, "num_classes": 5}


def tools(wing):
    return FRAMEWORKS[wing.__name__.rpartition(".")[2]]


def outputs(wing, model, images):
    model.eval()
    return tools(wing).numpy(model(tools(wing).tensor(images)))


def pictures(size=(65, 50), count=2):
    """不是方的，边长也不是 32 的倍数。"""
    rng = np.random.default_rng(7)
    return rng.standard_normal((count, 3, *size)).astype("float32")


@pytest.fixture
def file(tmp_path):
    """造一个文件。"""

    def make(values, name="model.safetensors"):
        save_file(values, tmp_path / name)
        return tmp_path / name

    return make


# resnet18、34、50 ------------------------------------------------------------


# timm 与 torchvision 公布的个数，1000 类；基数里没有批归一化的缓冲区
@pytest.mark.parametrize(
    ("name", "count"),
    [("resnet18", 11_689_512), ("resnet34", 21_797_672), ("resnet50", 25_557_032)],
)
def test_parameters_are_the_published_ones(wing, name, count):
    model = wing.build(specs.named(name))
    shapes = [p.shape for p in tools(wing).named_parameters(model).values()]
    assert sum(int(np.prod(shape)) for shape in shapes) == count


# timm 的 vit_*_patch16_224 公布的个数
@pytest.mark.parametrize(
    ("name", "count"),
    [("vit_tiny_patch16_224", 5_717_416), ("vit_small_patch16_224", 22_050_664)],
)
def test_vit_parameters_are_the_published_ones(wing, name, count):
    model = wing.build(specs.named(name))
    shapes = [p.shape for p in tools(wing).named_parameters(model).values()]
    assert sum(int(np.prod(shape)) for shape in shapes) == count


@pytest.mark.parametrize("depth", [18, 34, 50])
def test_resnet_of_timm_loads_and_computes_the_same(wing, depth, file):
    values = drawn(resnet_names(depth, classes=5))
    # torchvision 与 timm 存盘时带着计数器
    path = file(values | {"bn1.num_batches_tracked": np.array(3)})
    model = wing.build(specs.named(f"resnet{depth}", **NARROW))
    loaded = interop.load_timm(model, path)
    assert (loaded.count, loaded.head, loaded.own) == (len(values), True, ())
    assert loaded.told() == (
        f"装上了预训练的权重，{len(values)} 项",
        "分类头也装上了：文件也分 5 类，当作就是这里的 5 类，次序也相同",
    )
    images = pictures()
    expected = resnet_forward(values, images, depth)
    found = outputs(wing, model, images)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


GATES = [name for name in attention_names() if name != "none"]
# 窄的网络里 r = 16 会把瓶颈压没
OPTIONS = {
    "cbam": {"min_hidden": 2},
    "channel": {"min_hidden": 2},
    "se": {"min_hidden": 2},
    "bam": {"min_hidden": 2},
}


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("gate", GATES)
def test_every_gate_fits_every_place_of_a_bottleneck(wing, gate, placement):
    """瓶颈块的输出是宽的 4 倍，门的通道数跟着它。"""
    spec = specs.named(
        "resnet50",
        **NARROW,
        attention=gate,
        attention_options=OPTIONS.get(gate, {}),
        placement=placement,
    )
    model = wing.build(spec)
    assert outputs(wing, model, pictures()).shape == (2, 5)
    gates = [
        getattr(block, f"{placement}_attention")
        for stage in model.stages
        for block in stage
    ]
    assert len(gates) == 3 + 4 + 6 + 3
    known = [getattr(gate, "in_channels", None) for gate in gates]
    widths = [32] * 3 + [64] * 4 + [128] * 6 + [256] * 3
    assert all(c in (None, w) for c, w in zip(known, widths, strict=True))


def test_stages_choose_where_the_gates_go(wing):
    model = wing.build(specs.named("resnet18", **NARROW, attention="eca", stages=(4,)))
    there = [
        type(block.branch_attention).__name__
        for stage in model.stages
        for block in stage
    ]
    assert there == ["Identity"] * 6 + ["ECA"] * 2


# 从恒等起步的几种写法：开关，γ 与标量门的初值
OPEN = {"identity_init": True}
IDENTITY = [
    ("cbam", {"min_hidden": 2, **OPEN}),
    ("channel", {"min_hidden": 2, **OPEN}),
    ("se", {"min_hidden": 2, **OPEN}),
    ("eca", OPEN),
    ("coordinate", OPEN),
    ("self_attention", {}),
    ("scalar", {"value": 1.0}),
]


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize(("gate", "options"), IDENTITY)
@pytest.mark.parametrize("depth", [18, 50])
def test_identity_init_keeps_every_bit_of_a_pretrained_network(
    wing, depth, gate, options, placement, file
):
    path = file(drawn(resnet_names(depth, classes=5)))
    plain = wing.build(specs.named(f"resnet{depth}", **NARROW))
    gated = wing.build(
        specs.named(
            f"resnet{depth}",
            **NARROW,
            attention=gate,
            attention_options=options,
            placement=placement,
        )
    )
    interop.load_timm(plain, path)
    loaded = interop.load_timm(gated, path)
    assert loaded.head and loaded.own
    assert "门" in loaded.told()[-1] and str(len(loaded.own)) in loaded.told()[-1]
    images = pictures((40, 33))
    ours, theirs = (outputs(wing, model, images) for model in (gated, plain))
    np.testing.assert_array_equal(ours, theirs)


def test_a_gate_that_does_not_start_open_changes_the_output(wing, file):
    """上一条不是因为门没有接上。"""
    path = file(drawn(resnet_names(18, classes=5)))
    spec = {**NARROW, "attention_options": {"min_hidden": 2}}
    found = []
    for gate in ("none", "cbam"):
        changed = spec if gate == "cbam" else NARROW
        model = wing.build(specs.named("resnet18", **changed, attention=gate))
        interop.load_timm(model, path)
        found.append(outputs(wing, model, pictures()))
    assert np.abs(found[0] - found[1]).max() > 1e-3


# 位置编码 --------------------------------------------------------------------

# timm 1.0.31 的 layers/pos_embed.py，resample_abs_pos_embed(table, [n, n])，torch 2.13
TABLE = (((np.arange(17 * 2) * 37) % 23 - 11) / 8).astype("float32").reshape(1, 17, 2)
RESIZED = {
    3: [
        *[[-1.375, 0.375], [-0.8263429, 0.5532037], [0.1220654, -0.7296531]],
        *[[0.9350686, -0.2305793], [-0.111556, 0.7572714], [-0.4256016, -0.0625]],
        *[[0.4437929, -0.8822712], [0.6032307, 0.1055794], [-0.9732687, 0.6046531]],
        [-0.0474829, -0.6782037],
    ],
    6: [
        *[[-1.375, 0.375], [-0.7664474, 1.1851407], [-0.4679761, -0.1710525]],
        *[[0.0038377, -1.4648628], [0.4205044, -0.7627274], [0.8923181, -0.2215558]],
        *[[1.1907896, 0.0657895], [-1.1257739, 0.9046052], [-0.7365918, 0.466263]],
        *[[-0.1654582, -0.1982403], [0.243379, -0.7383408], [0.7132354, -0.4913495]],
        *[[1.0117067, -0.1132933], [-0.8597862, 0.5104358], [-0.7469363, 1.0790104]],
        *[[-0.4783603, 1.0971904], [-0.045672, -0.8298456], [0.4301471, -0.8913742]],
        *[[0.7286186, -0.3941923], [1.216694, 0.2691925], [0.1587011, 0.7663738]],
        *[[-0.854684, 0.7048448], [-0.3209366, -1.2221901], [0.180147, -1.20401]],
        *[[0.4786184, -0.6354356], [1.4826816, -0.0117066], [0.1483564, 0.3663495]],
        *[[-1.1675862, 0.613341], [-0.6099875, 0.0732399], [-0.1029412, -0.5912631]],
        *[[0.1955303, -1.0296054], [1.1233549, -0.1907894], [-0.1202593, 0.0965557]],
        *[[-1.3368821, 0.637728], [-0.787113, 1.3398629], [-0.2820241, 0.0460527]],
        [0.0164474, -1.3101414],
    ],
}


@pytest.mark.parametrize("grid", RESIZED)
def test_positions_are_resized_as_timm_does(grid):
    found = resize_positions(TABLE, grid)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], RESIZED[grid], atol=1e-5)


@pytest.mark.parametrize(("old", "new"), [(14, 7), (14, 24), (14, 2), (7, 9), (1, 3)])
def test_positions_are_those_of_the_antialiased_bicubic(old, new):
    """Timm 的那个函数就是这一句 interpolate，在真的大小上再比一遍。"""
    table = np.random.default_rng(0).standard_normal((1, 1 + old**2, 48)).astype("f4")
    square = torch.tensor(table[:, 1:]).reshape(1, old, old, 48).permute(0, 3, 1, 2)
    expected = torch.nn.functional.interpolate(
        square, size=(new, new), mode="bicubic", antialias=True
    )
    expected = expected.permute(0, 2, 3, 1).reshape(1, new**2, 48).numpy()
    found = resize_positions(table, new)
    np.testing.assert_allclose(found[:, 1:], expected, atol=1e-5)
    np.testing.assert_array_equal(found[:, 0], table[:, 0])


def test_positions_that_are_no_square_are_refused():
    with pytest.raises(ValueError, match="去掉 1 行还有 12 行，排不成正方形"):
        resize_positions(np.zeros((1, 13, 4)), 3)


SMALL = {"embed_dim": 24, "num_heads": 3, "depth": 1}


@pytest.mark.parametrize(("size", "grid"), [(224, 14), (96, 6), (32, 2), (384, 24)])
def test_vit_loads_for_another_picture_in_both_wings(size, grid, file):
    values = drawn(vit_names())
    path = file(values)
    shape = (1, 1 + grid**2, 24)
    images = np.random.default_rng(1).standard_normal((2, 3, size, size))
    states, logits = [], []
    for wing in WINGS.values():
        spec = specs.named("vit_tiny_patch16_224", **SMALL, image_size=size)
        model = wing.build(spec)
        loaded = interop.load_timm(model, path)
        assert loaded.grids == (None if grid == 14 else (14, grid))
        states.append(interop.state(model))
        logits.append(outputs(wing, model, images.astype("float32")))
    for state in states:
        assert state["pos_embed"].shape == shape
        np.testing.assert_array_equal(
            state["pos_embed"][0, 0], values["pos_embed"][0, 0]
        )
        for name in values.keys() - {"pos_embed"}:
            np.testing.assert_array_equal(state[name], values[name])
    np.testing.assert_allclose(*(s["pos_embed"] for s in states), atol=1e-5)
    np.testing.assert_allclose(*logits, atol=1e-5)


# 分类头 ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["vit", "resnet"])
@pytest.mark.parametrize("missing", [False, True])
def test_a_head_of_other_classes_is_left_out_and_said_so(wing, kind, missing, file):
    if kind == "vit":
        values, name = drawn(vit_names()), "head"
        spec = specs.named("vit_tiny_patch16_224", **SMALL, num_classes=5)
    else:
        values, name = drawn(resnet_names(18)), "fc"
        spec = specs.named("resnet18", **NARROW)
    trunk = {n: v for n, v in values.items() if not n.startswith(f"{name}.")}
    model = wing.build(spec)
    before = interop.state(model)
    loaded = interop.load_timm(model, file(trunk if missing else values))
    after = interop.state(model)
    assert not loaded.head
    assert loaded.count == len(trunk)
    lacking = "文件里没有分类头，这里的 5 类从头学"
    other = "分类头没有装：文件分 1000 类，这里分 5 类，从头学"
    assert loaded.told()[1] == (lacking if missing else other)
    for entry in ("head.weight", "head.bias"):
        np.testing.assert_array_equal(after[entry], before[entry])
    changed = [n for n in after if not np.array_equal(after[n], before[n])]
    assert len(changed) == len(trunk)


def test_a_head_of_as_many_classes_is_loaded_and_said_so(wing, file):
    """类数相同，不等于就是那几类：照装，但要说。"""
    spec = specs.named("vit_tiny_patch16_224", **SMALL, num_classes=1000)
    loaded = interop.load_timm(wing.build(spec), file(drawn(vit_names())))
    assert loaded.head
    assert loaded.told()[1].startswith("分类头也装上了：文件也分 1000 类")


# 对不上 ----------------------------------------------------------------------


def refused(wing, spec, path):
    """装不上：模型一位不变，返回那句话。"""
    model = wing.build(spec)
    before = interop.state(model)
    with pytest.raises(ValueError) as caught:
        interop.load_timm(model, path)
    after = interop.state(model)
    assert all(np.array_equal(after[n], before[n]) for n in before)
    return str(caught.value)


def test_names_that_match_nothing_are_one_sentence(wing, file):
    path = file({"encoder.layer.0.weight": np.ones(3, "f4"), "b": np.ones(2, "f4")})
    told = refused(wing, specs.named("resnet18", **NARROW), path)
    assert "\n" not in told
    # 读者去查的是 timm 的名字
    wanted = "一个也对不上：文件里是 (b|encoder).*模型要 conv1.weight、bn1.weight 等；"
    assert re.search(f"{wanted}.*timm 的名字", told)
    assert "stem" not in told
    told = refused(wing, specs.named("vit_tiny_patch16_224", **SMALL), path)
    assert "模型要 cls_token、pos_embed 等" in told
    # 只有头同名，也是一个也对不上
    path = file(drawn(vit_names()))
    told = refused(wing, specs.named("small_cnn", in_channels=3), path)
    assert "一个也对不上" in told
    assert "像是 ViT，embed_dim=24、depth=1、patch_size=16" in told


PUBLIC = "resnet18、resnet34、resnet50、vit_tiny_patch16_224、vit_small_patch16_224"


@pytest.mark.parametrize(
    "name", ["small_cnn", "mlp_small", "resnet20", "mobile_narrow"]
)
def test_a_model_without_public_weights_says_which_have(wing, name, file):
    path = file({"encoder.layer.0.weight": np.ones(3, "f4")})
    told = refused(wing, specs.named(name, in_channels=3, image_size=32), path)
    assert f"这种模型没有公开的权重；有的是 {PUBLIC}、vit_base_patch16_224；" in told


def test_the_size_of_a_public_vit_is_named(wing, file):
    names = vit_names(width=192) | {
        f"blocks.{n}.norm1.weight": (192,) for n in range(12)
    }
    told = refused(wing, specs.named("small_cnn", in_channels=3), file(drawn(names)))
    assert "例如 --model vit_tiny_patch16_224" in told


@pytest.mark.parametrize("depth", [18, 34, 50])
def test_every_missing_name_is_the_one_of_timm(wing, depth, file):
    """去掉哪一项，就说缺少哪一项。"""
    values = drawn(resnet_names(depth, classes=5))
    kept = {n: v for n, v in values.items() if n == "layer1.0.conv1.weight"}
    told = refused(wing, specs.named(f"resnet{depth}", **NARROW), file(kept))
    lines = [line.split()[1] for line in told.splitlines() if "缺少 " in line[:5]]
    assert len(lines) == 12
    assert set(lines) <= values.keys() - kept.keys()
    ours = interop.state(wing.build(specs.named(f"resnet{depth}", **NARROW)))
    assert {timm_name(name) for name in ours} == values.keys()


@pytest.mark.parametrize("depth", [18, 34, 50])
def test_the_file_of_another_resnet_is_recognised(wing, depth, file):
    path = file(drawn(resnet_names(depth)))
    told = refused(wing, specs.named("vit_tiny"), path)
    assert f"--model resnet{depth}" in told
    assert "conv1.weight" in told or "layer1" in told or "bn1" in told


def test_names_that_match_in_part_are_counted(wing, file):
    values = drawn(resnet_names(18, classes=5))
    total = len(values)
    del values["layer2.1.conv2.weight"], values["bn1.bias"]
    values["layer1.0.se.fc1.weight"] = np.ones((2, 2), "f4")
    told = refused(wing, specs.named("resnet18", **NARROW), file(values))
    assert f"文件 {total - 1} 项，对上 {total - 2} 项，缺少 2 项，多余 1 项" in told
    assert "缺少 bn1.bias" in told
    assert "缺少 layer2.1.conv2.weight" in told
    assert "多余 layer1.0.se.fc1.weight" in told
    assert "什么也没有写入" in told


def test_shapes_that_differ_are_named_by_the_file(wing, file):
    values = drawn(resnet_names(18, classes=5))
    values["layer3.0.downsample.0.weight"] = np.ones((9, 9, 1, 1), "f4")
    told = refused(wing, specs.named("resnet18", **NARROW), file(values))
    line = "layer3.0.downsample.0.weight 的形状应为 (32, 16, 1, 1)，收到 (9, 9, 1, 1)"
    assert line in told
    path = file(drawn(vit_names(patch=8)))
    told = refused(wing, specs.named("vit_tiny_patch16_224", **SMALL), path)
    assert "patch_embed.proj.weight 的形状应为 (24, 3, 16, 16)" in told
    assert "patch_size=8" in told


def test_a_head_of_another_width_is_a_shape_that_differs(wing, file):
    values = drawn(resnet_names(18, classes=5))
    values["fc.weight"] = np.ones((5, 63), "f4")
    told = refused(wing, specs.named("resnet18", **NARROW), file(values))
    assert "fc.weight 的形状应为 (5, 64)，收到 (5, 63)" in told


def test_a_wrapped_resnet_is_its_own(wing, file):
    values = drawn(resnet_names(18, classes=5))
    model = wing.build(specs.named("resnet18", **NARROW))
    interop.load_timm(model, file({f"module.{n}": v for n, v in values.items()}))
    state = interop.state(model)
    np.testing.assert_array_equal(state["stem.0.weight"], values["conv1.weight"])
    path = file({f"backbone.{n}": v for n, v in values.items()})
    assert "'backbone.'" in refused(wing, specs.named("resnet18", **NARROW), path)


# 文件自己的归一化 --------------------------------------------------------------


def test_recipe_is_the_one_beside_the_file(tmp_path):
    settings = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}
    path, place = tmp_path / "model.safetensors", tmp_path / "config.json"
    assert recipe(path)[:2] == IMAGENET
    assert "没有 config.json" in recipe(path).source
    for content in (settings, {"architecture": "x", "pretrained_cfg": settings}):
        place.write_text(json.dumps(content), "utf8")
        assert recipe(path)[:2] == ((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        '{"mean": [0.5], "std": [0.5, 0.5]}',
        '{"mean": [0.5], "std": [0]}',
        '{"mean": "x", "std": [1]}',
        '{"pretrained_cfg": 3}',
        '{"mean": [NaN], "std": [1]}',
        '{"mean": [0.5], "std": [Infinity]}',
        '{"mean": [1e39], "std": [1]}',
        '{"mean": ["0.5"], "std": [1]}',
        '{"mean": [true], "std": [1]}',
        '{"mean": [0.5], "std": [1], "std": [2]}',
        f'{{"mean": [{"9" * 400}], "std": [1]}}',
        "[" * 99_999,
    ],
)
def test_a_broken_recipe_is_one_sentence(tmp_path, content):
    (tmp_path / "config.json").write_text(content, "utf8")
    with pytest.raises(ValueError, match=r"config\.json 读不懂：应有.*mean 与 std"):
        recipe(tmp_path / "model.safetensors")


# 微调与只学分类头 --------------------------------------------------------------


def step(wing, spec, config, seed=0):
    """走一步，各项走了多远。"""
    wing.init.seed(seed)
    model = wing.build(spec)
    before = interop.state(model)
    wing.fit(model, data.load("digits", n_train=32), config)
    after = interop.state(model)
    return {name: after[name] - before[name] for name in after}


TINY = specs.named("vit_tiny", embed_dim=8, depth=1, num_heads=2)
ONE = {"steps": 1, "warmup_steps": 0, "batch_size": 16, "eval_every": 1}
ONE |= {"optimizer": "sgd", "lr": 0.1, "clip_norm": None, "device": "cpu"}


def test_the_trunk_walks_at_its_own_rate(wing):
    """SGD 的第一步正比于学习率：主干走 1/50，分类头照旧。"""
    full = step(wing, TINY, TrainConfig(**ONE))
    slow = step(wing, TINY, TrainConfig(**ONE, trunk_lr=0.002))
    for name, moved in full.items():
        share = 1 if name.startswith("head.") else 0.02
        assert np.abs(moved).max() > 1e-5 or "qkv" in name
        np.testing.assert_allclose(slow[name], share * moved, atol=2e-7)


def test_inserted_gates_are_not_the_trunk(wing):
    spec = specs.named("small_cnn", width=4, attention="eca")
    full = step(wing, spec, TrainConfig(**ONE))
    slow = step(wing, spec, TrainConfig(**ONE, trunk_lr=0.001))
    gates = [name for name in full if "branch_attention" in name]
    assert gates
    for name in gates:
        np.testing.assert_allclose(slow[name], full[name], atol=1e-8)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_both_wings_fine_tune_alike(optimizer):
    config = {**ONE, "optimizer": optimizer, "lr": 0.01, "steps": 4, "eval_every": 4}
    moved = [
        step(wing, TINY, TrainConfig(**config, trunk_lr=0.0005))
        for wing in WINGS.values()
    ]
    for name in moved[0]:
        np.testing.assert_allclose(moved[0][name], moved[1][name], atol=1e-5)


def test_a_rate_for_a_trunk_that_is_not_there_is_refused(wing):
    dataset, config = data.load("digits", n_train=32), TrainConfig(**ONE, trunk_lr=0.01)
    probe = wing.build(TINY).head
    with pytest.raises(ValueError, match=r"trunk_lr=0\.01：模型里分不出"):
        wing.fit(probe, dataset, config)
    with pytest.raises(ValueError, match="trunk_lr=0 "):
        TrainConfig(trunk_lr=0)


# 命令行 ----------------------------------------------------------------------


@pytest.fixture
def photos(tmp_path):
    """两类，一类偏红，一类偏绿；72 × 60。"""
    rng, root = np.random.default_rng(0), tmp_path / "photos"
    for number, label in enumerate(("daisy", "tulip")):
        (root / label).mkdir(parents=True)
        for n in range(6):
            pixels = rng.integers(0, 120, (60, 72, 3)).astype(np.uint8)
            pixels[:, :, number] += 120
            Image.fromarray(pixels).save(root / label / f"{n}.png")
    return root


QUICK = "--steps 4 --eval-every 2 --batch-size 4 --quiet".split()
SIZE = ["--set", "model.width=8", "--set", "data.image_size=40"]


def trained(place, photos, framework, *words):
    """跑 train，返回说的话、记录、权重。"""
    start = ["train", "--model", "resnet18", "--data", f"folder:{photos}", *QUICK]
    start += ["--framework", framework, "--out", place, "--name", "it", *SIZE]
    code, text = call(*start, *words)
    assert code == 0, text
    record = json.loads((place / "it" / "record.json").read_text("utf8"))
    return text, record, load_file(place / "it" / "model.safetensors")


@pytest.mark.parametrize("framework", WINGS)
def test_train_from_a_file_with_a_frozen_trunk(tmp_path, photos, file, framework):
    values = drawn(resnet_names(18))
    path = file(values)
    settings = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}
    (tmp_path / "config.json").write_text(json.dumps({"pretrained_cfg": settings}))
    words = ["--weights", path, "--freeze"]
    text, record, weights = trained(tmp_path / "out", photos, framework, *words)
    assert "文件分 1000 类，这里分 2 类" in text
    assert "均值 0.5、0.4、0.3" in text
    assert record["input"]["mean"] == pytest.approx(settings["mean"])
    assert record["input"]["std"] == pytest.approx(settings["std"])
    assert record["pretrained"]["file"] == "model.safetensors"
    assert record["run"]["options"] == {"weights": str(path), "freeze": True}
    # 主干与它的移动平均一位不变，分类头学了
    for theirs, ours in (
        ("conv1.weight", "stem.0.weight"),
        ("bn1.running_mean", "stem.1.running_mean"),
        ("layer4.1.bn2.running_var", "stages.3.1.branch.4.running_var"),
        ("layer2.0.downsample.0.weight", "stages.1.0.shortcut.0.weight"),
    ):
        np.testing.assert_array_equal(weights[ours], values[theirs])
    assert np.abs(weights["head.bias"]).max() > 0
    code, told = call("predict", tmp_path / "out" / "it", photos / "daisy" / "0.png")
    assert code == 0
    assert re.search("daisy|tulip", told)


@pytest.mark.parametrize("framework", WINGS)
def test_the_checkup_examines_the_loaded_model(
    tmp_path, photos, file, framework, monkeypatch
):
    """从预训练的权重出发的诊断，体检的是装好了的那一个，不是没学过的。"""
    values, seen = drawn(resnet_names(18)), []
    changes = {"model.name": "resnet18", "data.name": f"folder:{photos}"}
    changes |= {"model.width": 8, "data.image_size": 40}
    changes["options.weights"] = str(file(values))
    prepared = prepare(trials.settle(framework, 0, changes))

    def examine(model, dataset):
        seen.append(interop.state(model)["stem.0.weight"])
        raise InterruptedError

    monkeypatch.setattr(prepared.wing.module("sanity"), "sanity", examine)
    progress = checkups.Progress(tmp_path / "diagnosis.json", "图")
    with pytest.raises(InterruptedError):
        checkups.health(prepared, progress)
    np.testing.assert_array_equal(seen[0], values["conv1.weight"])


@pytest.mark.parametrize("framework", WINGS)
def test_train_from_a_file_with_a_slow_trunk(tmp_path, photos, file, framework):
    values = drawn(resnet_names(18))
    words = ["--weights", file(values), "--trunk-lr", "1e-6", "--lr", "0.01"]
    text, record, weights = trained(tmp_path / "out", photos, framework, *words)
    assert "用 ImageNet 的" in text
    assert record["train"]["trunk_lr"] == 1e-6
    moved = np.abs(weights["stem.0.weight"] - values["conv1.weight"]).max()
    assert 0 < moved < 1e-5  # AdamW 每步至多约 lr，共 4 步
    assert np.abs(weights["head.bias"]).max() > 1e-3


def test_a_stopped_frozen_training_goes_on_alike(tmp_path, photos, file, monkeypatch):
    from stopping import interrupt, stop_at

    words = ["--weights", file(drawn(resnet_names(18))), "--freeze"]
    whole = trained(tmp_path / "whole", photos, "torch", *words)
    with monkeypatch.context() as patch, pytest.raises(AssertionError, match="已停下"):
        stop_at(patch, 3, interrupt)
        trained(tmp_path / "half", photos, "torch", *words)
    assert call("train", "--resume", tmp_path / "half" / "it", "--quiet")[0] == 0
    half = load_file(tmp_path / "half" / "it" / "model.safetensors")
    for name, value in whole[2].items():
        np.testing.assert_array_equal(half[name], value)


@pytest.mark.parametrize("command", ["resume", "diagnose"])
def test_weights_that_were_moved_away_are_said(
    tmp_path, photos, file, monkeypatch, command
):
    """接着做与诊断也从那份权重出发；不在了，怪的不是图片。"""
    from stopping import interrupt, stop_at

    path = file(drawn(resnet_names(18)))
    words = ["--weights", path, "--freeze"]
    if command == "diagnose":
        trained(tmp_path / "out", photos, "torch", *words)
        again = ["diagnose", tmp_path / "out" / "it", "--quiet"]
    else:
        again = ["train", "--resume", tmp_path / "out" / "it", "--quiet"]
        with (
            monkeypatch.context() as patch,
            pytest.raises(AssertionError, match="已停下"),
        ):
            stop_at(patch, 3, interrupt)
            trained(tmp_path / "out", photos, "torch", *words)
    path.unlink()
    code, text = call(*again)
    assert (code, f"预训练的权重 {path} 读不了：没有这个文件" in text) == (2, True)
    assert "放回原处" in text
    assert "图片" not in text


def test_own_pictures_take_the_side_of_the_model():
    """没有写边长、从权重出发时才这样。"""
    changes = {"model.name": "resnet18", "data.name": "folder:x"}
    weights = {"options.weights": "w.safetensors"}
    assert trials.fit_size(changes) == changes
    assert trials.fit_size(changes | weights)["data.image_size"] == 224
    chosen = changes | weights | {"data.image_size": 64}
    assert trials.fit_size(chosen) == chosen
    other = changes | weights | {"data.name": "digits"}
    assert trials.fit_size(other) == other


BAD = [
    (["--freeze"], "请写 --weights"),
    (["--weights", "没有.safetensors"], "没有.safetensors"),
    (["--weights", "w.pth"], "weights='w.pth' 应以 .safetensors 结尾；本书不用 pickle"),
    (["--trunk-lr", "0"], "trunk_lr=0"),
    (["--weights", "w.safetensors", "--freeze", "--trunk-lr", "1e-4"], "不相容"),
    (
        ["--weights", "w.safetensors", "--freeze", "--set", "model.attention=cbam"],
        "插入的门也不学",
    ),
    (["--set", "options.weights=3"], "weights=3 应为路径"),
    (["--set", "options.freeze=1"], "freeze=1 应为 True 或 False"),
    (["--set", "options.freez=true"], "freeze"),
]


@pytest.mark.parametrize(("words", "hint"), BAD)
def test_a_mistake_is_one_plain_sentence(tmp_path, words, hint):
    code, text = call("train", "--model", "resnet18", "--out", tmp_path, *words)
    assert code == 2
    assert text.startswith("错误：")
    assert hint in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("framework", WINGS)
@pytest.mark.parametrize(("name", "last"), [("resnet18", 4), ("resnet50", 7)])
def test_branches_start_closed(framework, name, last):
    """支路末一个批归一化的 γ 从 0 起步，其余从 1：没学过的网络，每块都是捷径。"""
    wing = WINGS[framework]
    wing.init.seed(2)
    model = wing.build(specs.named(name, image_size=32, num_classes=3))
    scales = {
        key: value
        for key, value in interop.state(model).items()
        if key.endswith(".weight") and value.ndim == 1
    }
    closed = {key for key, value in scales.items() if not value.any()}
    assert closed == {key for key in scales if f".branch.{last}." in key} != set()
    assert all((value == 1).all() for key, value in scales.items() if key not in closed)


# 书里的一页 ------------------------------------------------------------------

PAGE = Path(__file__).resolve().parents[2] / "book" / "appendix" / "pretrained.md"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf8"), re.DOTALL)


def weights_at(folder, depth):
    (folder / "weights").mkdir(exist_ok=True)
    path = folder / "weights" / "model.safetensors"
    save_file(drawn(resnet_names(depth)), path)


@pytest.mark.parametrize("framework", WINGS)
def test_the_code_on_the_page_runs(tmp_path, photos, monkeypatch, framework):
    weights_at(tmp_path, 18)
    monkeypatch.chdir(tmp_path)
    [code] = [b for b in blocks("python") if f"vision_attention.{framework} " in b]
    small = {
        "image_size=224": "image_size=40",
        '"resnet18", ': '"resnet18", width=8, ',
        "steps=300": "steps=1, warmup_steps=0, batch_size=4",
    }
    for old, new in small.items():
        assert old in code
        code = code.replace(old, new)
    place = {}
    exec(code, place)
    assert not place["loaded"].head
    assert place["photos"].mean.tolist() == pytest.approx(IMAGENET[0])


def test_the_commands_on_the_page_run(tmp_path, photos, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = "".join(blocks("bash")).replace("\\\n", " ").splitlines()
    commands = [shlex.split(line) for line in lines]
    assert [words[words.index("--model") + 1] for words in commands] == [
        *["resnet18"] * 2,
        "resnet50",
    ]
    for words in commands:
        weights_at(tmp_path, int(words[words.index("--model") + 1][-2:]))
        code, text = call(*words[1:], *QUICK, *SIZE)
        assert code == 0, text
