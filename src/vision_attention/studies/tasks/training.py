"""训练，以及训练之后看一眼 ViT 的注意力看多远。

内容: train、train_and_look。
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from vision_attention.studies.tasks.outcome import Outcome
from vision_attention.studies.tasks.prepared import PreparedRun
from vision_attention.training.history import History

FITTED = 0.99
TIMES = ("seconds", "cpu_seconds", "images_per_second")
TRAINED = (
    "train_loss",
    "train_accuracy",
    "test_loss",
    "test_accuracy",
    "accuracy_gap",
    "steps_to_fit",
)
LOOKED = (
    "attention_distance",
    "attention_distance_first",
    "attention_distance_last",
)
# 看这么多张测试图片：再多，平均也不再变
LOOKED_AT = 100


def train(
    prepared: PreparedRun,
    progress: bool = False,
    checkpoint: Path | None = None,
    *,
    weights: str | None = None,
    freeze: bool = False,
) -> Outcome:
    """训练一个模型，报告最后一个评估点。

    参数: prepared 为备齐的一次运行；progress 为真时画进度条；checkpoint 为检查点的
        路径，已存在则续训；weights 为预训练的权重的路径，备齐时已经装进模型；
        freeze 为真时冻住主干，只学分类头
    """
    fit, model = prepared.wing.module("training").fit, prepared.model
    if freeze:
        model = prepared.wing.module("probe").LinearProbe(model)
    return outcome_of(
        fit(
            model,
            prepared.dataset,
            prepared.config,
            checkpoint=checkpoint,
            progress=progress,
        )
    )


def outcome_of(history: History) -> Outcome:
    """学习曲线 → 结果。"""
    curves = {k: v for k, v in asdict(history).items() if k not in TIMES}
    last = {name: values[-1] for name, values in curves.items() if "_" in name}
    fitted = [
        step
        for step, accuracy in zip(history.step, history.train_accuracy, strict=True)
        if accuracy >= FITTED
    ]
    results = {
        **last,
        "accuracy_gap": last["train_accuracy"] - last["test_accuracy"],
        "steps_to_fit": fitted[0] if fitted else None,
    }
    return Outcome(results, curves, history.seconds, history.cpu_seconds)


def train_and_look(prepared: PreparedRun) -> Outcome:
    """训练，再看 ViT 每一层平均注意多远；不是 ViT 的模型没有这些数，记为 None。

    单位: 像素：token 的距离乘以 patch_size
    """
    outcome = train(prepared)
    distances = _distances(prepared)
    ends = (distances[0], distances[-1]) if distances else (None, None)
    average = sum(distances) / len(distances) if distances else None
    looked = dict(zip(LOOKED, (average, *ends), strict=True))
    layers = list(range(1, len(distances) + 1))
    return replace(
        outcome,
        results=outcome.results | looked,
        curves=outcome.curves | {"layer": layers, "distance": distances},
    )


def _distances(prepared: PreparedRun) -> list[float]:
    """每一层的平均注意距离，各头平均。"""
    if not hasattr(prepared.model, "blocks"):
        return []
    spec, inspect = prepared.model.spec, prepared.wing.module("inspect")
    weights = inspect.attention(prepared.model, first_images(prepared, LOOKED_AT))
    return [
        spec.patch_size * float(inspect.mean_attention_distance(w, spec.grid).mean())
        for w in weights.values()
    ]


def first_images(prepared: PreparedRun, count: int) -> Any:
    """归一化了的前 count 张测试图片，已在模型所在的设备上。"""
    device = prepared.wing.module("device")
    images = prepared.dataset.normalize(prepared.dataset.test_images[:count])
    return device.tensor(images, device.device_of(prepared.model))
