"""默认值：每个公开的类与函数的每个缺省、每个由别的数算出的缺省，照出处手写的数。

表里的数由出处来，不由被测的代码来；代码里多一个缺省而表里没有，也是红的。
"""

import ast
import dataclasses
import importlib
import inspect
import math
import pkgutil

import numpy as np
import pytest
from frameworks import FRAMEWORKS

import vision_attention
from vision_attention import geometry, specs, statistics
from vision_attention.data import batches as batch_stream
from vision_attention.data import load
from vision_attention.studies.results import power
from vision_attention.training.config import TrainConfig
from vision_attention.training.diagnosis import diagnose
from vision_attention.training.sanity import one_batch
from vision_attention.training.schedules import warmup_cosine

# 类或函数、缺省、出处
WING = {
    # Hu 等 2018，§6.1：r = 16；没有下限
    "SqueezeExcitation": {
        "reduction_ratio": 16,
        "min_hidden": 0,
        "identity_init": False,
    },
    # Woo 等 2018，§4：r = 16，k = 7，先通道后空间，平均与最大两种池化，共用 MLP
    "ChannelAttention": {
        "reduction_ratio": 16,
        "pooling": "both",
        "min_hidden": 0,
        "identity_init": False,
    },
    "SpatialAttention": {"kernel_size": 7, "pooling": "both", "spatial_norm": False},
    "CBAM": {
        "reduction_ratio": 16,
        "kernel_size": 7,
        "order": "channel-spatial",
        "pooling": "both",
        "mlp": "shared",
        "spatial": "conv",
        "spatial_norm": False,
        "min_hidden": 0,
        "identity_init": False,
    },
    # 笔记里的三种变体：r 照 CBAM
    "SeparateChannelAttention": {"reduction_ratio": 16, "min_hidden": 0},
    "ConcatChannelAttention": {"reduction_ratio": 16, "min_hidden": 0},
    "MultiScaleSpatialAttention": {"reduction_ratio": 16, "min_hidden": 0},
    # Park 等 2018，§3.2：r = 16，d = 4，两路相加
    "BAM": {"reduction_ratio": 16, "dilation": 4, "combine": "add", "min_hidden": 0},
    # Hou 等 2021 的代码：reduction = 32，mip = max(8, inp // reduction)
    "CoordinateAttention": {
        "reduction_ratio": 32,
        "min_hidden": 8,
        "identity_init": False,
    },
    # Wang 等 2020，式 (12)：k 由 C 算，见 KERNELS
    "ECA": {"kernel_size": None, "identity_init": False},
    # Yang 等 2021 的代码：e_lambda = 1e-4
    "SimAM": {"energy_lambda": 0.0001},
    # CBAM 刚建好时两道门各约 σ(0) = ½，合起来 ¼
    "ConstantGate": {"value": 0.25},
    "ScalarGate": {"value": 0.25},
    # Vaswani 等 2017 的缩放；头数与 vit_tiny 相同；Zhang 等 2019：γ 从 0 起，一个头
    "MultiHeadSelfAttention": {
        "num_heads": 4,
        "qkv_bias": True,
        "scale": True,
        "softmax_axis": "keys",
        "mask": None,
        "fused": True,
    },
    "LocalitySelfAttention": {"num_heads": 4, "qkv_bias": True, "fused": True},
    "SelfAttention2d": {
        "num_heads": 1,
        "scale": True,
        "softmax_axis": "keys",
        "gamma": 0.0,
        "fused": True,
    },
    # Dosovitskiy 等 2021，表 1：MLP 宽 4D；不丢支路
    "TransformerBlock": {"mlp_ratio": 4.0, "drop_path_rate": 0.0},
    "DropPath": {"rate": 0.0},
    "build_gate": {"options": None},
    "evaluate": {"batch_size": 500},
    "fit": {"checkpoint": None, "progress": False},
    "sanity": {"steps": 150},
    "load_run": {"device": "auto"},
    # PyTorch 的习惯：新值占 0.1；timm 的 ViT：std 0.02
    "init.batch_norm": {"momentum": 0.1},
    "init.transformer": {"std": 0.02},
}
IMAGE = {"image_size": 32, "in_channels": 3, "num_classes": 10}  # CIFAR-10
GATED = {"attention": "none", "placement": "branch", "stages": (1, 2, 3)}
VIT = {
    "patch_size": 4,
    "embed_dim": 128,
    "depth": 6,
    "num_heads": 4,
    "mlp_ratio": 4.0,
    "qkv_bias": True,
    "pool": "class",
    "position": "learned",
    "tokenizer": "patch",
    "attention": "global",
    "window": 3,
    "drop_path_rate": 0.0,
}
STAGED = {**IMAGE, **GATED, "stage_widths": ()}
GROUND = [
    # He 等 2016，§4.2：CIFAR 的 ResNet-20，宽 16
    (specs.ResNetSpec, {**STAGED, "width": 16, "depth": 20, "block": "basic"}),
    # He 等 2016，表 1：224 的图、1000 类，四个阶段，宽 64
    (
        specs.ImageNetResNetSpec,
        {
            **STAGED,
            "image_size": 224,
            "num_classes": 1000,
            "stages": (1, 2, 3, 4),
            "width": 64,
            "depth": 18,
        },
    ),
    # Sandler 等 2018 的倒残差，窄的一种
    (specs.MobileNetSpec, {**STAGED, "width": 8, "expansion": 4, "depth": 2}),
    (specs.SmallCNNSpec, {**IMAGE, **GATED, "width": 32}),
    (specs.MLPSpec, {**IMAGE, "width": 333, "depth": 2}),
    (specs.ViTSpec, {**IMAGE, **VIT}),
    (
        TrainConfig,
        {
            "optimizer": "adamw",
            "lr": 0.001,
            "weight_decay": 0.05,
            "momentum": 0.9,
            "steps": 500,
            "warmup_steps": 20,
            "batch_size": 64,
            "label_smoothing": 0.0,
            "clip_norm": 1.0,
            "augment": "none",
            "seed": 0,
            "eval_every": 50,
            "max_train_eval": 5000,
            "precision": "float32",
            "device": "auto",
            "memory_format": "channels_first",
            "trunk_lr": None,
            "class_weights": "none",
        },
    ),
    (
        load,
        {
            "n_train": None,
            "seed": 0,
            "label_noise": 0.0,
            "validation": 0,
            "classes": None,
            "root": None,
            "image_size": None,
            "max_test": None,
            "score": "test",
            "reserve": 0,
            "distance": None,
            "shift": 0,
            "pixel_noise": 0.0,
            "shuffle_patches": None,
            "groups": None,
            "square": None,
            "test": None,
        },
    ),
    (
        batch_stream,
        {
            "augment": "none",
            "label_smoothing": 0.0,
            "start": 0,
            "class_weights": "none",
        },
    ),
    (warmup_cosine, {"floor": 0.0}),
    # 数字的测试集：500 张、10 类
    (diagnose, {"num_classes": 10, "test_size": 500, "sanity": None}),
    (geometry.window_mask, {"class_token": False}),
    # 八成的把握、95 % 的区间：这两门学问的惯例
    (statistics.detectable, {"power": 0.8}),
    (statistics.needed, {"power": 0.8}),
    (statistics.share_interval, {"level": 0.95}),
    (power.plan, {"first": 4}),
]


# 其余的公开函数与类，照调用的样子写；None、空的与函数不算取值
REST = """
checks.building.bottleneck(min_hidden=0)
checks.tensors.batch_norm_input(stride=1)
checks.tensors.image(patch_size=1)
# 32 位整数装得下的最大的数
checks.values.positive(most=2147483647)
checks.values.number(expected="有限的小数", least=-INF, above=-INF, below=INF)
data.batches.batch(augment="none", label_smoothing=0.0, class_weights="none")
# 16 位的图默认用满 16 位；torchvision 的惯例：按短边缩放、居中裁
data.dataset.Dataset(bits=16, square="crop")
data.dataset.Source(bits=16, square="crop")
data.digits.read(blocks=False)
# 缺省的边长与 CIFAR-10 相同
data.folder.read(image_size=32, square="crop")
data.folder.read_all(square="crop")
data.harder.harder(shift=0, pixel_noise=0.0)
# 只有一张图的类拒绝，look 才留着
data.listing.list_pictures(spare=False)
data.loading.check_kinds(label_noise=0.0)
data.pictures.read_pixels(bits=16, square="crop")
data.pictures.to_rgb(bits=16)
# 时钟的分辨率远小于 4 毫秒；十五次取中位数
measure.timing.alternate(rounds=15, least=0.004)
parts.Part(transposed=False, padded=True, eps=0.0)
specs.AttentionSpec(image_size=32, in_channels=3, num_classes=10, attention="none",
    placement="branch", stages=(1, 2, 3))
specs.ImageSpec(image_size=32, in_channels=3, num_classes=10)
specs.StageSpec(image_size=32, in_channels=3, num_classes=10, attention="none",
    placement="branch", stages=(1, 2, 3), width=16)
# 一句话里的路径至多这么长
storage.files.printable(longest=200)
# 分类 token 一个
storage.pretrained.resize_positions(first=1)
storage.records.append(unique="key")
storage.weights.fault(finite=True)
storage.weights.fill(finite=True)
studies.design.positions.Loader.construct_object(deep=False)
studies.design.schema.Budget(machine="2 核 CPU")
studies.design.schema.Study(metric="test_accuracy", task="train", common_start=False,
    frameworks=["torch"])
studies.design.schema.Tune(metric="test_accuracy", goal="max")
# 数字的测试集 500 张
studies.results.evidence.Findings.diagnosed(test_size=500)
studies.results.forest.Forest.column(field="difference")
studies.results.forest.Forest.said(field="sentence")
studies.results.judgement.amount(digits=3)
studies.running.cluster.RayExecutor(threads=1)
studies.running.execute.execute(threads=1)
studies.running.runner.Tally(done=0, elsewhere=0)
studies.running.runner.work(threads=1)
studies.running.verify.verify(workers=1)
studies.store.library.StudyStore(records_name="records.jsonl", waiting=0)
studies.store.study_file.parse(source="study.yaml")
studies.tasks.cost.cost(rounds=15)
studies.tasks.outcome.Task(version=1)
studies.tasks.reach.reach(trained=True, images=32)
studies.tasks.training.train(progress=False, freeze=False)
studies.tasks.transfer.transfer(normalization="target")
training.checkup.advise(grouped=False)
training.checkup.spread(signs=False)
training.history.History(seconds=0.0, cpu_seconds=0.0, images_per_second=0.0)
training.journal.Journal(progress=False)
wording.number(digits=3)
wording.signed(digits=3)
wording.span(digits=3)
"""
# 两翼里不在门面上的
PARTS = """
device.find_device(precision="float32")
init.batch_norm(momentum=0.1)
init.transformer(std=0.02)
# He 等 2016：只有每个阶段的第一块缩小
resnet.conv_norm(stride=1)
runs.odds(batch_size=500)
specimen.running.forward(training=False, still=False)
training.batches(start=0)
variants.gates.convolve(name="conv")
variants.gates.mlp(first="fc1", second="fc2")
"""
# 底层的常数：门槛、上限、幅度
CONSTANTS = """
checks.values.LARGEST = 2147483647  # 32 位的下标
checks.values.LONG = 9223372036854775807  # 64 位的种子
checks.values.WIDEST = 3.4028234663852886e38  # IEEE 754 的单精度
checks.values.NARROWEST = 1.1754943508222875e-38
checks.values.DEEPEST = 10000
checks.values.WIDEST_KERNEL = 1023
checks.values.LONGEST = 200
data.augment.ROUNDS = 2  # Cubuk 等 2020，N = 2
data.augment.MAGNITUDE = 0.5
data.augment.JITTER = 0.3
data.cifar10.LARGEST = 100000000
data.cifar10.MOST_MEMBERS = 20
data.cifar10.LONGEST_NAME = 1048576
data.digits.TEST_SIZE = 500
data.download.TIMEOUT = (10, 30)
data.folder.SHOWN = 10
data.grouping.SHOWN = 5
data.held_out.SHARE = 0.2
data.held_out.SHOWN = 5
data.harder.UNIFORMS = 12  # 12 个均匀数之和的方差恰为 1
data.jpeg75.COUNTS = {"train": 50000, "test": 10000}
data.jpeg75.LARGEST = 100000
data.jpeg75.SIDE = 32
data.looking.SIDE = 32
data.looking.LOW = 8
data.looking.NEAR = 4
data.looking.SHADE = 12
data.looking.ROWS = 1000
data.marks.SIZE = 16
data.marks.POOL_SIZE = 4000
data.marks.TEST_SIZE = 500
data.marks.FAINTEST = 32
data.marks.BRIGHT = 255
data.marks.FURTHEST = 14  # 16 − 2
data.pickles.MOST_OPERATIONS = 1000000
data.pickles.MOST_ARRAYS = 8
data.pictures.DEPTHS = (8, 10, 12, 14, 16)
data.pictures.GRAY = (128, 128, 128)
data.pictures.DARKEST = 64
data.splits.POOL = 0
data.splits.VALIDATION = 1
data.splits.TEST = 2
data.splits.NOISE = 3
data.splits.ORDER = 4
data.splits.AUGMENT = 5
data.splits.SHIFT = 6
data.splits.PIXELS = 7
data.splits.PATCHES = 8
data.splits.MARKS = 9
data.splits.RESERVE = 10
data.transforms.LUMA = [0.299, 0.587, 0.114]  # ITU-R BT.601
measure.timing.ENOUGH = 0.004
measure.timing.ASIDE = 4194304
statistics.LEVEL = 0.95
statistics.ALPHA = 0.05
statistics.FLIPS = 20
statistics.DRAWS = 200000
storage.files.STALE = 3600
storage.pretrained.SHOWN = 12
storage.records.LONGEST = 1000000
storage.records.DIGITS = 19
storage.weights.SHOWN = 12
storage.weights.MOST_DIMS = 32
storage.weights.LARGEST = {"float16": 65504.0, "bfloat16": 3.3895313892515355e38,
    "float32": 3.4028234663852886e38, "float64": 1.7976931348623157e308}
studies.design.positions.LONGEST = 32000
studies.design.positions.DEEPEST = 20
studies.design.positions.MOST = 10000
studies.design.schema.MOST_SEEDS = 1000
studies.results.power.POWER = 0.8
studies.results.verdicts.HALF_POINT = 0.005
studies.running.cluster.ATTEMPTS = 5
studies.running.cluster.KNOCK = 5.0
studies.running.execute.SIGNIFICANT = 7
studies.running.layout.PROBE_STEPS = 20
studies.running.layout.WORTH_MEASURING = 4
studies.running.pool.PATIENCE = 5.0
studies.running.verify.TOLERANCE = {"test_accuracy": 0.04, "train_accuracy": 0.04,
    "test_loss": 0.25, "train_loss": 0.1, "source_accuracy": 0.04,
    "attention_distance": 0.5, "reach_share": 0.1, "reach_radius": 2.0,
    "noticed_first": 0.1, "noticed_last": 0.1}
studies.store.audit.MOST_ARMS = 1000
studies.store.audit.MOST_RUNS = 10000
studies.store.record.LARGEST = 1e38
studies.tasks.cost.BATCH = 64
studies.tasks.metrics.MARGINS = {"test_accuracy": 0.01, "train_accuracy": 0.01,
    "accuracy_gap": 0.01, "source_accuracy": 0.01, "test_loss": 0.05,
    "train_loss": 0.05, "steps_to_fit": 10, "attention_distance": 0.1,
    "attention_distance_first": 0.1, "attention_distance_last": 0.1,
    "reach_share": 0.01, "reach_radius": 0.1, "noticed_first": 0.01,
    "noticed_last": 0.01, "latency_1_ratio": 0.05, "latency_64_ratio": 0.05,
    "train_step_ratio": 0.05, "memory_ratio": 0.05}
studies.tasks.reach.ENERGY = 0.95
studies.tasks.reach.NOTICED = 0.0001
studies.tasks.training.FITTED = 0.99
studies.tasks.training.LOOKED_AT = 100
training.checkup.ENOUGH = 3
training.checkup.MARGIN = 0.02
training.config.LEAST = {"steps": 1, "warmup_steps": 0, "batch_size": 1, "seed": 0,
    "eval_every": 1, "max_train_eval": 1}
training.diagnosis.NEGLIGIBLE = 0.05
training.diagnosis.LEARNED = 0.5
training.diagnosis.RISE = 0.1
training.journal.READ_EVERY = 10
training.sanity.FIRST_LOSS_TOLERANCE = 0.25
training.sanity.BATCH_ACCURACY = 0.95
training.sanity.BATCH_LOSS_SHARE = 0.1
training.sanity.BATCH_SIZE = 16
training.sanity.MOST_STEPS = 10000
training.sanity.SHOWN = 8
training.saved_run.FORMAT = 1
training.snapshots.SHOWN = 12
wording.DIGITS = {"parameters": 0, "macs": 0, "memory": 0, "steps_to_fit": 0,
    "cpu_seconds": 1, "attention_distance": 2, "attention_distance_first": 2,
    "attention_distance_last": 2, "reach_radius": 1, "parameters_ratio": 4,
    "macs_ratio": 4, "latency_1_ratio": 2, "latency_64_ratio": 2, "train_step_ratio": 2,
    "memory_ratio": 2}
"""
ROOMS = (
    *("checks", "data", "geometry", "initial", "measure", "parts", "specs"),
    *("statistics", "storage", "studies", "training", "wording"),
)
# 书里的话逐句核对判词，不是这里的事
ELSEWHERE = "studies.claims."


def written(text):
    """表里的一行：名字与各个取值。"""
    calls = [node.value for node in ast.parse(text).body]
    values = {"INF": math.inf}
    return {
        ast.unparse(call.func): {
            word.arg: eval(ast.unparse(word.value), values) for word in call.keywords
        }
        for call in calls
    }


def valued(thing):
    """有取值的缺省。"""
    kinds = bool | int | float | str | tuple | list
    found = {
        name: item.default
        for name, item in inspect.signature(thing).parameters.items()
        if isinstance(item.default, kinds)
    }
    return {k: v for k, v in found.items() if v not in ("", (), [])}


def public(place, name):
    """一个模块里自己的公开函数、类与类里的公开函数，连同有取值的缺省。"""
    module = importlib.import_module(place)
    for word, thing in vars(module).items():
        mine = getattr(thing, "__module__", None) == place and callable(thing)
        if word.startswith("_") or not mine:
            continue
        inner = vars(thing).items() if inspect.isclass(thing) else ()
        owner = getattr(thing.__init__, "__module__", "") if inner else ""
        if owner.startswith("paddle."):
            continue  # 从框架继承来的
        named = [(k, v) for k, v in inner if k[0] != "_" and inspect.isfunction(v)]
        for more, each in (("", thing), *((f".{k}", v) for k, v in named)):
            try:
                yield f"{name}{word}{more}", each, valued(each)
            except ValueError:  # 没有签名的，例如异常
                continue


def modules(package, rooms):
    """一个包里这几间的全部模块。"""
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        name = info.name.removeprefix(f"{package.__name__}.")
        if rooms is None or name.partition(".")[0] in rooms:
            yield info.name, f"{name}."


def defaults(thing):
    """写在签名里的缺省；dataclass 里每次新做的（空字典）不算。"""
    found = {
        name: item.default
        for name, item in inspect.signature(thing).parameters.items()
        if item.default is not item.empty
    }
    return {k: v for k, v in found.items() if "factory" not in repr(v)}


def find(wing, name):
    """由名字找：init.batch_norm 在 init 里，别的在一翼的门面上。"""
    place, _, last = name.rpartition(".")
    return getattr(getattr(wing, place) if place else wing, last)


@pytest.mark.parametrize("name", WING)
def test_default_of_a_wing(wing, name):
    found = defaults(find(wing, name))
    assert found == WING[name]
    assert {k: type(v) for k, v in found.items()} == {
        k: type(v) for k, v in WING[name].items()
    }


@pytest.mark.parametrize(("thing", "expected"), GROUND)
def test_default_of_the_ground_floor(thing, expected):
    assert defaults(thing) == expected


def test_no_default_is_missing_from_the_table(wing):
    facade = {name: getattr(wing, name) for name in wing.__all__}
    listed = {n for n, o in facade.items() if callable(o) and defaults(o)}
    assert listed == {name for name in WING if "." not in name}


def test_every_other_default_of_the_ground_floor():
    known = {id(thing) for thing, _ in GROUND}
    found = {
        name: values
        for place, start in modules(vision_attention, ROOMS)
        for name, thing, values in public(place, start)
        if values and id(thing) not in known and not name.startswith(ELSEWHERE)
    }
    assert found == written(REST)


def leaves(value):
    """一个常数里的每个数；不全是数的，是空的。"""
    value = value.tolist() if isinstance(value, np.ndarray) else value
    if isinstance(value, dict | list | tuple):
        inner = value.values() if isinstance(value, dict) else value
        found = [leaves(item) for item in inner]
        return [] if [] in found else [number for part in found for number in part]
    return [value] if type(value) in (int, float) else []


def constants(place):
    """一个模块里自己写下的、全是数的常数。"""
    module = importlib.import_module(place)
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.Assign):
            for name in ast.walk(node.targets[0]):
                if isinstance(name, ast.Name) and name.id.isupper():
                    yield name.id, getattr(module, name.id)


def test_every_constant_of_the_ground_floor():
    found = {
        f"{start}{name}": value
        for place, start in modules(vision_attention, ROOMS)
        for name, value in constants(place)
        if leaves(value)
        and not name.startswith("_")
        and not start.startswith(ELSEWHERE)
    }
    told = {
        ast.unparse(node.targets[0]): ast.literal_eval(node.value)
        for node in ast.parse(CONSTANTS).body
    }
    rounded = [found.pop(name) for name in ("data.transforms.LUMA",)]
    np.testing.assert_allclose(rounded, [told.pop("data.transforms.LUMA")], rtol=1e-6)
    # He 等 2016，表 1；ImageNet 训练集的均值与标准差，torchvision 与 timm 都用
    blocks = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
    assert found.pop("specs.IMAGENET_BLOCKS") == blocks
    mean, std = found.pop("storage.pretrained.IMAGENET")
    assert (mean, std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert found == told


def test_one_batch_is_learned_plainly():
    """不衰减；升温占十五分之一。"""
    config = one_batch(150)
    assert (config.lr, config.weight_decay, config.batch_size) == (0.003, 0.0, 16)
    assert (config.steps, config.warmup_steps, config.augment) == (150, 10, "none")


def test_every_other_default_of_a_wing(wing):
    known = {id(find(wing, name)) for name in WING if "." not in name}
    found = {
        name: values
        for place, start in modules(wing, None)
        for name, thing, values in public(place, start)
        if values and id(thing) not in known
    }
    assert found == written(PARTS)


DIGITS = {"image_size": 8, "in_channels": 1, "num_classes": 10}
LARGE = {"image_size": 224, "in_channels": 3, "num_classes": 1000}  # ImageNet
PATCH16 = LARGE | {"patch_size": 16, "depth": 12, "mlp_ratio": 4.0, "pool": "class"}
NAMED = {
    "small_cnn": DIGITS | {"width": 32},
    "mlp_small": DIGITS | {"width": 333, "depth": 2},
    "vit_tiny": DIGITS
    | {"patch_size": 2, "embed_dim": 64, "depth": 4, "num_heads": 4, "mlp_ratio": 2},
    "resnet_narrow": DIGITS | {"depth": 8, "width": 8, "block": "basic"},
    "mobile_narrow": DIGITS | {"width": 8, "expansion": 4, "depth": 2},
    # He 等 2016：6n + 2 层，n = 3、5、9
    "resnet20": IMAGE | {"depth": 20, "width": 16, "block": "basic"},
    "resnet32": IMAGE | {"depth": 32, "width": 16, "block": "basic"},
    "resnet56": IMAGE | {"depth": 56, "width": 16, "block": "basic"},
    "vit_cifar": IMAGE
    | {"patch_size": 4, "embed_dim": 128, "depth": 6, "num_heads": 4, "mlp_ratio": 2},
    # He 等 2016，表 1
    "resnet18": LARGE | {"depth": 18, "width": 64},
    "resnet34": LARGE | {"depth": 34, "width": 64},
    "resnet50": LARGE | {"depth": 50, "width": 64},
    # Touvron 等 2021，表 1 的 Ti、S、B；timm 用同样的名字
    "vit_tiny_patch16_224": PATCH16 | {"embed_dim": 192, "num_heads": 3},
    "vit_small_patch16_224": PATCH16 | {"embed_dim": 384, "num_heads": 6},
    "vit_base_patch16_224": PATCH16 | {"embed_dim": 768, "num_heads": 12},
}


def test_every_named_size():
    found = {
        name: {k: v for k, v in dataclasses.asdict(spec).items() if k in NAMED[name]}
        for name, spec in specs.SPECS.items()
    }
    assert found == NAMED


# C → k：t = ⌊(log2 C + 1) / 2⌋，偶数加 1，至少 3；手算
KERNELS = {
    1: 3,  # 0.5 → 0 → 1 → 3
    8: 3,  # 2 → 3
    16: 3,  # 2.5 → 2 → 3
    32: 3,  # 3
    64: 3,  # 3.5 → 3
    127: 3,  # 3.99 → 3
    128: 5,  # 4 → 5
    256: 5,  # 4.5 → 4 → 5
    512: 5,  # 5
    1024: 5,  # 5.5 → 5
    2048: 7,  # 6 → 7
}


@pytest.mark.parametrize(("channels", "kernel"), KERNELS.items())
def test_kernel_of_eca(wing, channels, kernel):
    assert tuple(wing.ECA(channels).conv.weight.shape) == (1, 1, kernel)


# C、类 → 瓶颈宽 max(⌊C / r⌋, 下限)
WIDTHS = [
    ("SqueezeExcitation", 100, "fc1", 6),  # ⌊100 / 16⌋
    ("CoordinateAttention", 100, "shared", 8),  # ⌊100 / 32⌋ = 3 → 8
    ("CoordinateAttention", 320, "shared", 10),  # 320 / 32
]


@pytest.mark.parametrize(("name", "channels", "layer", "width"), WIDTHS)
def test_width_of_the_bottleneck(wing, name, channels, layer, width):
    bias = getattr(getattr(wing, name)(channels), layer).bias
    assert tuple(bias.shape) == (width,)


def normalized(wing, layer, width):
    """一半 +0.001、一半 −0.001 经过一层：方差 1e-6，与 ε 一样大时除以 √(2e-6)。"""
    tools = FRAMEWORKS[wing.__name__.rpartition(".")[2]]
    x = np.full((1, 1, width), 1e-3, "float32")
    x[..., ::2] *= -1
    return np.abs(tools.numpy(layer(tools.tensor(x)))).ravel()


SPEC = {"image_size": 8, "in_channels": 1, "patch_size": 2}
NORMS = {
    "block, first": lambda m: m.blocks[0].norm1,
    "block, second": lambda m: m.blocks[0].norm2,
    "last": lambda m: m.norm,
}


@pytest.mark.parametrize("name", NORMS)
def test_epsilon_of_a_vit(wing, name):
    """timm 的 ViT：ε = 1e-6；框架自己的缺省是 1e-5，那样是 0.3015。"""
    model = wing.build(specs.named("vit_tiny", embed_dim=8, depth=1))
    found = normalized(wing, NORMS[name](model), 8)
    np.testing.assert_allclose(found, 0.70710678, rtol=1e-4)


def test_epsilon_of_shifted_patches(wing):
    layer = wing.ShiftedPatchEmbedding(8, 2, 1, 4).norm
    np.testing.assert_allclose(normalized(wing, layer, 20), 0.70710678, rtol=1e-4)


def test_batch_norm_remembers_a_tenth_of_the_new(wing):
    """均值 2、方差 0 的一批之后：移动平均 0.1 × 2，方差 0.9；ε = 1e-5。"""
    tools = FRAMEWORKS[wing.__name__.rpartition(".")[2]]
    layer = wing.init.batch_norm(1)
    layer.train()
    layer(tools.tensor(np.full((2, 1, 3, 3), 2.0, "float32")))
    layer.eval()
    x = np.array([0.2, 0.2 + 0.9487], "float32").reshape(1, 1, 1, 2)
    found = tools.numpy(layer(tools.tensor(x))).ravel()
    np.testing.assert_allclose(found, [0, 1], atol=1e-4)


@pytest.mark.parametrize(
    ("step", "rate"),
    [
        (0, 0.00005),  # 0.001 × 1 / 20
        (9, 0.0005),  # 0.001 × 10 / 20
        (19, 0.001),
        (20, 0.001),
        (140, 0.000853553),  # 四分之一路：(1 + cos 45°) / 2
        (260, 0.0005),  # 半路
        (380, 0.000146447),  # 四分之三路：(1 − cos 45°) / 2
        (500, 0.0),
    ],
)
def test_learning_rate_on_the_way(step, rate):
    config = TrainConfig()
    found = warmup_cosine(step, config.steps, config.warmup_steps, config.lr)
    assert found == pytest.approx(rate, abs=1e-9)


def test_learning_rate_ends_at_the_floor():
    assert warmup_cosine(9, 9, 0, 0.5, 0.25) == 0.25
    assert warmup_cosine(0, 9, 0, 0.5, 0.25) == 0.5


@pytest.mark.parametrize(
    ("depth", "rates"), [(5, [0, 0.1, 0.2, 0.3, 0.4]), (1, [0]), (2, [0, 0.4])]
)
def test_drop_path_grows_from_nothing(depth, rates):
    spec = specs.ViTSpec(depth=depth, drop_path_rate=0.4)
    assert spec.drop_path_rates() == pytest.approx(rates)


def test_optimizer_is_the_one_of_its_paper(wing):
    """Loshchilov 与 Hutter 2019：β = 0.9、0.999，ε = 1e-8；向量不衰减。

    第一步的动量与二阶矩都由偏差校正还原成梯度：走 lr · g / (|g| + ε)，再减 lr · wd · w
    """
    training = importlib.import_module(f"{wing.__name__}.training")
    tools = FRAMEWORKS[wing.__name__.rpartition(".")[2]]
    layer = wing.MLP(1, 1).fc1
    wing.init.zeros(layer)
    optimizer = training.build_optimizer(layer, TrainConfig(lr=0.5))
    for _ in range(2):
        loss = layer(tools.tensor(np.ones((1, 1, 1), "float32"))).sum()
        tools.clear(optimizer)
        loss.backward()
        optimizer.step()
    weight, bias = (
        float(tools.numpy(p).ravel()[0]) for p in (layer.weight, layer.bias)
    )
    # 偏置 −0.5 −0.5；权重第二步前先乘 1 − 0.5 × 0.05：−0.5 × 0.975 − 0.5
    assert bias == pytest.approx(-1.0, abs=1e-5)
    assert weight == pytest.approx(-0.9875, abs=1e-5)


@pytest.mark.parametrize(
    ("how", "deviation"),
    [
        ("transformer", 0.02),
        ("gates", 0.0360844),  # U(±1/√256) 的标准差：1/√256/√3
        ("convolutions", 0.0883883),  # √(2 / 256)
    ],
)
def test_spread_of_the_first_weights(wing, how, deviation):
    tools = FRAMEWORKS[wing.__name__.rpartition(".")[2]]
    layer = wing.MLP(256, 128).fc1
    wing.init.seed(0)
    getattr(wing.init, how)(layer)
    weight = tools.numpy(layer.weight)
    assert weight.std() == pytest.approx(deviation, rel=0.02)
    assert float(np.abs(tools.numpy(layer.bias)).max()) == 0


def test_sines_and_cosines_by_hand():
    """第 1 行第 1 列，D = 8：ω = 1 与 10000^(−1/2) = 0.01，行与列相同。"""
    half = [0.841470985, 0.00999983333, 0.540302306, 0.999950000]
    np.testing.assert_allclose(geometry.sincos_2d(2, 8)[3], half * 2, atol=1e-7)


def test_widest_inverted_residual():
    """最宽的一段 4 × 2048，中间再宽 32 倍：32 × 8192² = 2³¹，多了一个；31 倍装得下。"""
    specs.named("mobile_narrow", width=2048, expansion=31)
    with pytest.raises(ValueError, match="expansion 太大"):
        specs.named("mobile_narrow", width=2048, expansion=32)


def test_interval_by_hand():
    """1、2、3：均值 2，标准差 1；t(0.975, 2) = 4.302653，除以 √3 得 2.484138。"""
    found = statistics.mean_interval([1.0, 2.0, 3.0])
    assert (found.n, found.mean, found.sd) == (3, 2.0, pytest.approx(1.0))
    assert (found.low, found.high) == pytest.approx((-0.484138, 4.484138), abs=1e-6)


def test_difference_of_two_shares_by_hand():
    """四粒种子，三粒与一粒做对：差 ½；只有两粒不同，都偏一边：p = 2 × ¼。

    97.5 % 的精确区间两端：4a³ − 3a⁴ = 0.0125，1 − b⁴ = 0.0125；另一臂是 1 − b 到 1 − a
    """
    found = statistics.share_difference([True, False], [False, False])
    assert (found.n, found.low is None) == (2, False)  # 两粒就有区间
    found = statistics.share_difference([True, True, True, False], [True] + 3 * [False])
    assert (found.n, found.mean, found.p) == (4, 0.5, 0.5)
    a, b = (1 + found.low) / 2, (1 + found.high) / 2
    assert (4 * a**3 - 3 * a**4, 1 - b**4) == pytest.approx((0.0125, 0.0125))
