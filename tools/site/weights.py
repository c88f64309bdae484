"""页面里的图要用的权重：把研究里的几次运行重做一遍，存成 16 位的 .safetensors。

用法：python -m tools.site.weights [名字……]，写进 book/_static/living/weights/，来历记在
book/_data/living.json：哪项研究的哪次运行、走到第几步、存成 16 位前后的测试准确率。
文件头里有尺寸与归一化的常数，浏览器凭一个文件就能算。

照片上的 ViT（photo-…）与现成的几张照片（photos）不出自研究，那一次运行就写在下面的
PHOTO；要缓存里有 cifar10-jpeg.tar.xz，一个核约十分钟。
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save
from torch import nn

from vision_attention import initial, interop, studies
from vision_attention.storage import files, weights
from vision_attention.studies.design.runs import Run
from vision_attention.studies.tasks.prepared import PreparedRun, prepare
from vision_attention.torch import CBAM, SelfAttention2d, SqueezeExcitation, init
from vision_attention.training import schedules

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "book" / "_static" / "living" / "weights"
RECORD = ROOT / "book" / "_data" / "living.json"
VIT = {"model": "vit_tiny", "n_train": 1297, "augment": "none"}
# 照片上的 ViT 不出自哪一项研究：研究里的 vit_cifar 有 811,146 个参数，16 位是 1.6 MB，
# 太大。这里用数字上的同一个 vit_tiny，块是 4×4；学习率没有挑过，一粒种子，只为看注意力
PHOTO = Run(
    task="train",
    framework="torch",
    data={"name": "cifar10_jpeg75"},
    model={"name": "vit_tiny", "patch_size": 4},
    train={
        "lr": 0.002,
        "steps": 6250,
        "warmup_steps": 200,
        "batch_size": 64,
        "augment": "weak",
        "device": "cpu",
    },
    options={},
    seed=0,
)
GATES = ("none", "se", "eca", "cbam", "simam", "constant")
# 名字 → 研究、哪一臂、走到第几步停下
MODELS = {
    **{f"gate-{name}": ("which_gate", {"gate": name}, 300) for name in GATES},
    "vit-untrained": ("vit_data_size", VIT, 0),
    "vit-early": ("vit_data_size", VIT, 100),
    "vit-late": ("vit_data_size", VIT, 400),
    "photo-untrained": (None, {}, 0),
    "photo-early": (None, {}, 500),
    "photo-late": (None, {}, PHOTO.train["steps"]),
}
# 现成的几张照片：测试集里每一类的第一张
PHOTOS = "photos"
# 谁看得见这个像素：每一层都有七份没有训练的权重，加在第几层就用第几份
REACH, SLOTS, CHANNELS = "reach", 7, 8
LARGEST = 300 * 1024  # 一份权重最多这么多字节：读者在手机上等得起
MEAN = "mean_gate"  # 每道门在训练图上的平均，与权重同住一个文件


def run_of(study: str | None, levels: dict[str, Any]) -> Run:
    """研究里的一次运行：PyTorch，种子 0；没有研究的是照片上的那一次。"""
    if study is None:
        return PHOTO
    wanted = {**levels, "framework": "torch"}
    runs = studies.open_study(study).runs
    return next(r for r in runs if r.levels == wanted and r.seed == 0)


def walk(prepared: PreparedRun, steps: int) -> None:
    """照 fit 的次序走前 steps 步：学习率、随机数、批次都只由第几步决定，逐位相同。"""
    training, device = (prepared.wing.module(n) for n in ("training", "device"))
    model, config = prepared.model, prepared.config
    optimizer = training.build_optimizer(model, config)
    model.train()
    stream = training.batches(prepared.dataset, config)
    for step, (images, targets) in zip(range(steps), stream, strict=False):
        device.reseed(config.seed, step)
        lr = schedules.warmup_cosine(step, config.steps, config.warmup_steps, config.lr)
        training.set_lr(optimizer, lr)
        training.train_step(model, optimizer, images, targets, config)


def accuracy(prepared: PreparedRun) -> float:
    """测试准确率。"""
    data = prepared.dataset
    images = data.normalize(data.test_images)
    evaluate = prepared.wing.module("training").evaluate
    return evaluate(prepared.model, images, data.test_labels)[1]


def mean_gates(prepared: PreparedRun) -> dict[str, np.ndarray]:
    """每道门对训练图的平均 (C, H, W)：把它换上去，门就不看输入了。"""
    if prepared.run.model.get("attention", "none") in ("none", "constant"):
        return {}
    data, inspect = prepared.dataset, prepared.wing.module("inspect")
    device = prepared.wing.module("device")
    images = device.tensor(data.normalize(data.train_images), "cpu")
    found = inspect.gates(prepared.model.eval(), images)
    tops = {name: gate for name, gate in found.items() if name.endswith("attention")}
    return {f"{MEAN}.{i}": gate.mean(0) for i, gate in enumerate(tops.values())}


def closed(prepared: PreparedRun, arrays: dict[str, np.ndarray]) -> dict[str, float]:
    """三道门都换成平均、都去掉，测试准确率各是多少；没有门的是空表。"""
    if prepared.run.model.get("attention", "none") == "none":
        return {}
    blocks = [stage[0] for stage in prepared.model.stages]
    swaps = {"off": [np.ones(1)] * len(blocks)}
    if f"{MEAN}.0" in arrays:
        swaps["mean"] = [arrays[f"{MEAN}.{i}"] for i in range(len(blocks))]
    return {f"test_accuracy_{n}": swapped(prepared, g) for n, g in swaps.items()}


def swapped(prepared: PreparedRun, gates: list[np.ndarray]) -> float:
    """每道门换成一张固定的 (C, H, W)，不看输入，测试准确率是多少。"""
    device = prepared.wing.module("device")
    hooks = []
    for stage, gate in zip(prepared.model.stages, gates, strict=True):
        fixed = device.tensor(gate.astype(np.float32), "cpu")
        layer = stage[0].branch_attention
        hook = layer.register_forward_hook(lambda _, x, __, g=fixed: x[0] * g)
        hooks.append(hook)
    found = accuracy(prepared)
    for hook in hooks:
        hook.remove()
    return found


def header(prepared: PreparedRun, name: str) -> dict[str, str]:
    """文件头：尺寸、归一化、来历；合成一项，几项的次序每次不同，文件就不能逐字节重做。"""
    study, _, steps = MODELS[name]
    data = prepared.dataset
    facts = {
        "spec": asdict(prepared.model.spec),
        "normalize": {"mean": data.mean.tolist(), "std": data.std.tolist()},
        "run": {"study": study, "key": prepared.run.key, "steps": steps},
    }
    return {"facts": json.dumps(facts)}


def reach() -> dict[str, Any]:
    """没有训练的几层，初值由种子 0 定下；卷积的偏置不是 0，空白处才有动静。"""
    init.seed(0)
    arrays = {"stem.weight": initial.normal((CHANNELS, 1, 1, 1), 1.0)}
    for number in range(SLOTS):
        conv = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        init.convolutions(conv)
        made = {
            "conv": interop.state(conv) | {"bias": initial.normal((CHANNELS,), 0.1)},
            "se": interop.state(SqueezeExcitation(CHANNELS, 2)),
            "cbam": interop.state(CBAM(CHANNELS, 2)),
            "attention": interop.state(SelfAttention2d(CHANNELS, gamma=1.0)),
        }
        for kind, own in made.items():
            arrays |= {f"{kind}.{number}.{name}": part for name, part in own.items()}
    return {"seed": 0, "bytes": pack(REACH, arrays, {}), "command": again(REACH)}


def photos() -> dict[str, Any]:
    """几张照片，逐个像素存着，不再压缩：浏览器看到的就是网络练的那一种。"""
    found = prepare(PHOTO).dataset
    first = [int(np.argmax(found.test_labels == k)) for k in range(10)]
    images = {PHOTOS: np.ascontiguousarray(found.test_images[first])}
    facts = {"data": found.name, "test_images": first, "labels": found.class_names}
    return facts | {"bytes": store(PHOTOS, images, {}), "command": again(PHOTOS)}


def pack(name: str, arrays: dict[str, np.ndarray], header: dict[str, str]) -> int:
    """存成 16 位；返回有多少字节。"""
    halves = {k: np.ascontiguousarray(v, np.float16) for k, v in arrays.items()}
    return store(name, halves, header)


def store(name: str, arrays: dict[str, np.ndarray], header: dict[str, str]) -> int:
    """写下一个文件；返回有多少字节。"""
    packed = save(arrays, header)
    if len(packed) > LARGEST:
        raise ValueError(f"{name} 有 {len(packed)} 字节，多于 {LARGEST}")
    with files.replacing(FOLDER / f"{name}.safetensors") as temporary:
        temporary.write_bytes(packed)
    return len(packed)


def again(name: str) -> str:
    """重做的命令。"""
    return f"python -m tools.site.weights {name}"


def write(name: str) -> dict[str, Any]:
    """重做一次运行，写下权重，返回它的来历。"""
    study, levels, steps = MODELS[name]
    prepared = prepare(run_of(study, levels))
    walk(prepared, steps)
    before = accuracy(prepared)
    arrays = interop.state(prepared.model) | mean_gates(prepared)
    size = pack(name, arrays, header(prepared, name))
    interop.load_state(prepared.model, model_part(FOLDER / f"{name}.safetensors"))
    studied = {"study": study, "levels": levels}
    return {
        **(studied if study else {"run": prepared.run.settings()}),
        "seed": prepared.run.seed,
        "key": prepared.run.key,
        "steps": steps,
        "bytes": size,
        "test_accuracy": before,
        "test_accuracy_16": accuracy(prepared),
        **closed(prepared, arrays),
        "command": again(name),
    }


def model_part(path: Path) -> dict[str, np.ndarray]:
    """文件里属于模型的那一部分，去掉平均的门。"""
    return {k: v for k, v in weights.read(path).items() if not k.startswith(MEAN)}


def main(names: Iterable[str], say: Callable[[str], None] = print) -> None:
    """写下这几份权重；没有点名的都写。"""
    known = json.loads(RECORD.read_text("utf8")) if RECORD.exists() else {}
    others = {REACH: reach, PHOTOS: photos}
    for name in names or (*MODELS, *others):
        known[name] = others[name]() if name in others else write(name)
        say(f"{name}：{known[name]['bytes']:,} 字节")
    text = json.dumps(known, ensure_ascii=False, indent=1) + "\n"
    with files.replacing(RECORD) as temporary:
        temporary.write_text(text, "utf8")


if __name__ == "__main__":
    main(sys.argv[1:])
