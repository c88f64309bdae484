"""代价：参数、乘加、时间与内存，与参照模型在同一个进程里轮流量。

内容: cost、EXACT、TIMED。
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from vision_attention import specs
from vision_attention.checks import ArgumentError, whole
from vision_attention.measure.memory import peak_memory
from vision_attention.measure.timing import alternate, ratio
from vision_attention.studies.design.runs import plain_values
from vision_attention.studies.tasks.outcome import Outcome, Sections
from vision_attention.studies.tasks.prepared import PreparedRun, size_of

EXACT = ("parameters_ratio", "macs_ratio")
TIMED = (
    "latency_1",
    "latency_1_ratio",
    "latency_64",
    "latency_64_ratio",
    "train_step",
    "train_step_ratio",
    "memory",
    "memory_ratio",
)
BATCH = 64
Pair = tuple[Any, Any]


def examine(sections: Sections) -> None:
    """Options 的取值：reference 里的每一项都得是这个模型的字段；只在 CPU 上量。

    错误: 不合适时抛出 ValueError
    """
    if sections["train"].get("device") == "gpu":
        raise ArgumentError(
            "device='gpu' 不合适：代价是处理器时间与进程的内存，GPU 上的算在别处；"
            "请写 device: cpu",
            "train.device",
        )
    reference = sections["options"]["reference"]
    if not isinstance(reference, dict):
        raise ArgumentError(
            f"reference={reference!r} 应为「键: 值」，如 {{attention: none}}",
            "reference",
        )
    specs.named(**plain_values(sections["model"] | reference))
    whole("rounds", sections["options"].get("rounds", 15), 3)


def cost(
    prepared: PreparedRun, *, reference: dict[str, Any], rounds: int = 15
) -> Outcome:
    """量一个模型与它的参照：参照与它只差 reference 里的几项。

    时间是处理器时间，两个模型轮流跑 rounds 轮：秒数取中位数，比值取逐轮之比的
    中位数，机器忙闲的起伏因此大多约去。内存是走一步时进程多占的，只有 Linux 上有，
    别处记为 None。图片是随机数，大小照模型的 image_size 与 in_channels。有 GPU 也只用
    CPU。

    参数: reference 为参照模型要改的字段，例如 {attention: none}；rounds 为轮数
    单位: 时间为秒，内存为字节
    错误: train.precision 在这里用不了时抛出 ValueError
    """
    started = time.perf_counter(), time.process_time()
    spec = dataclasses.replace(prepared.model.spec, **plain_values(reference))
    prepared.wing.module("init").seed(prepared.run.seed)
    models = prepared.model, prepared.wing.module("models").build(spec)
    results: dict[str, float | None] = {}
    sizes = prepared.size, size_of(prepared.wing, models[1])
    place = prepared.wing.module("device").find_device("cpu", prepared.config.precision)
    for model in models:
        model.to(place)
    for name in ("parameters", "macs"):
        results[f"{name}_ratio"] = sizes[0][name] / sizes[1][name]
    for name, batch in (("latency_1", 1), ("latency_64", BATCH)):
        results |= _clocked(name, _inference(prepared, models, batch), rounds)
    steps = [_step(prepared, model) for model in models]
    results |= _clocked("train_step", steps, rounds)
    results |= _memory(steps)
    return Outcome(
        results,
        {},
        time.perf_counter() - started[0],
        time.process_time() - started[1],
    )


def _images(prepared: PreparedRun, batch: int) -> np.ndarray:
    spec = prepared.model.spec
    shape = (batch, spec.in_channels, spec.image_size, spec.image_size)
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def _inference(
    prepared: PreparedRun, models: Pair, batch: int
) -> list[Callable[[], Any]]:
    """两个模型各前向一次；评估模式，不记梯度。"""
    device = prepared.wing.module("device")
    x = device.tensor(_images(prepared, batch), device.device_of(prepared.model))
    evaluation_mode = prepared.wing.module("training").evaluation_mode

    def of(model: Any) -> Callable[[], Any]:
        def forward() -> None:
            with evaluation_mode(model):
                model(x)

        return forward

    return [of(model) for model in models]


def _step(prepared: PreparedRun, model: Any) -> Callable[[], Any]:
    """训练一步：前向、反向、裁剪、更新。"""
    training = prepared.wing.module("training")
    optimizer = training.build_optimizer(model, prepared.config)
    images = _images(prepared, BATCH)
    classes = prepared.model.spec.num_classes
    targets = np.eye(classes, dtype=np.float32)[np.arange(BATCH) % classes]
    model.train()
    return lambda: training.train_step(
        model, optimizer, images, targets, prepared.config
    )


def _clocked(
    name: str, functions: list[Callable[[], Any]], rounds: int
) -> dict[str, float]:
    pair = dict(zip(("own", "theirs"), functions, strict=True))
    own, theirs = alternate(pair, rounds).values()
    return {name: statistics.median(own), f"{name}_ratio": ratio(own, theirs)}


def _memory(functions: list[Callable[[], Any]]) -> dict[str, float | None]:
    try:
        own, theirs = (peak_memory(function) for function in functions)
    except OSError:
        return {"memory": None, "memory_ratio": None}
    return {"memory": own, "memory_ratio": own / theirs if theirs else None}
