"""每次运行做什么：任务的名单。一项新的研究若不只是训练，在这里添一行。

内容: TASKS、Task、METRICS、train、Outcome、plain_values。
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from vision_attention.config import TrainConfig
from vision_attention.data import Dataset
from vision_attention.studies.positions import nearest
from vision_attention.studies.wings import Wing

FITTED = 0.99
TIMES = ("seconds", "cpu_seconds", "images_per_second")

METRICS = {
    "test_accuracy": "测试准确率",
    "train_accuracy": "训练准确率",
    "test_loss": "测试损失",
    "train_loss": "训练损失",
    "accuracy_gap": "训练与测试准确率之差",
    "steps_to_fit": "训练准确率首次达到 0.99 的步数",
    "cpu_seconds": "CPU 时间（秒）",
    "parameters": "参数个数",
    "macs": "乘加次数",
}


@dataclass(frozen=True)
class Outcome:
    """任务的结果。

    参数: results 指标名 → 数（没有测到时为 None）；curves 曲线名 → 逐点的数；
        seconds、cpu_seconds 为用时
    """

    results: dict[str, float | None]
    curves: dict[str, list[float]]
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Task:
    """一种任务：work 是做法，它的仅限关键字参数就是 options 里可以写的键。"""

    work: Callable[..., Outcome]

    def check(self, options: dict[str, Any]) -> None:
        """看 options 里有没有不认识的键。

        错误: 有则抛出 ValueError
        """
        parameters = inspect.signature(self.work).parameters.values()
        known = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
        for name in options:
            if name not in known:
                raise ValueError(f"options.{name} 不认识。{nearest(name, known)}")


def train(
    wing: Wing,
    model: Any,
    dataset: Dataset,
    config: TrainConfig,
    progress: bool = False,
) -> Outcome:
    """训练一个模型，报告最后一个评估点。

    参数: wing 为一翼；model 为那一翼的模型；其余见 fit
    """
    fit = wing.room("training").fit
    history = fit(model, dataset, config, progress=progress)
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


TASKS = {"train": Task(train)}


def plain_values(settings: dict[str, Any]) -> dict[str, Any]:
    """YAML 的列表变成元组：尺寸表里的 dataclass 是冻结的，不收列表。"""
    return {name: _plain(value) for name, value in settings.items()}


def _plain(value: Any) -> Any:
    return tuple(_plain(item) for item in value) if isinstance(value, list) else value
