"""预训练有没有用：先学一些类，再用另一些类的少量图片。

内容: transfer、MODES、NORMALIZATIONS。
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from vision_attention.checks import ArgumentError, number, whole
from vision_attention.data import Dataset
from vision_attention.studies.tasks.outcome import Outcome, Sections, one_of
from vision_attention.studies.tasks.prepared import (
    PreparedRun,
    build_model,
    load_data,
    share_weights,
)
from vision_attention.studies.tasks.training import outcome_of
from vision_attention.training.config import TrainConfig

MODES = ("scratch", "finetune", "linear_probe")
NORMALIZATIONS = ("target", "source", "none")
MEASURED = ("source_accuracy",)


def examine(sections: Sections) -> None:
    """Options 的取值；预训练的类不能是目标的类。

    错误: 不合适时抛出 ValueError
    """
    options = sections["options"]
    one_of("mode", options["mode"], MODES)
    one_of("normalization", options.get("normalization", "target"), NORMALIZATIONS)
    source = options["source_classes"]
    _classes(source, sections["data"].get("classes"))
    if options.get("source_n_train") is not None:
        whole("source_n_train", options["source_n_train"], len(source))
    if options.get("head_lr") is not None:
        number("head_lr", options["head_lr"], "大于 0 的小数，例如 0.001", above=0)
    steps = options.get("source_steps")
    if steps is not None:
        default = TrainConfig.warmup_steps
        whole(
            "source_steps",
            steps,
            max(1, sections["train"].get("warmup_steps", default)),
        )


def _classes(source: Any, target: Any) -> None:
    """预训练的类与之后要分的类：各至少两个，没有一个相同。"""
    if not _listed(source):
        raise ArgumentError(
            f"source_classes={source!r} 应为至少两个类别，如 [0, 1, 2]",
            "source_classes",
        )
    if target is None:
        raise ArgumentError(
            "缺少 classes，预训练之后要分的类，如 [5, 6, 7, 8, 9]", "data.classes"
        )
    if not _listed(target):
        raise ArgumentError(
            f"classes={target!r} 应为至少两个类别，如 [5, 6, 7]", "data.classes"
        )
    shared = sorted(set(source) & set(target))
    if shared:
        raise ArgumentError(
            f"source_classes={source!r} 与 data.classes 都有 {shared}；"
            "预训练见过的类不能再拿来考",
            "source_classes",
            "data.classes",
        )


def _listed(classes: Any) -> bool:
    """至少两个类别的编号。"""
    listed = isinstance(classes, list | tuple) and len(classes) > 1
    return listed and all(type(label) is int for label in classes)


def transfer(
    prepared: PreparedRun,
    *,
    mode: str,
    source_classes: list[int],
    source_n_train: int | None = None,
    source_steps: int | None = None,
    head_lr: float | None = None,
    normalization: str = "target",
) -> Outcome:
    """从头学、预训练后微调，或预训练后只学分类头（linear_probe）。

    三种做法的分类头从同一组数出发；后两种的预训练是同一次：同样的数据、种子与设置，
    只换步数，结果逐位相同；train.trunk_lr 只管之后的微调。

    参数: mode 取 scratch、finetune、linear_probe；source_classes 为预训练的类；
        source_n_train 为预训练的图片数，缺省为全部；source_steps 为预训练的步数，
        缺省同 train.steps；head_lr 为 linear_probe 的学习率，缺省同 train.lr；
        只学一层的问题是凸的，学习率应当大得多；normalization 为之后的图片按谁的均值与
        标准差归一化：target 按自己的，source 按预训练的那些图片的，none 是忘了归一化，
        像素只除以 255
    返回: train 的结果，加上 source_accuracy（从头学时为 None）
    """
    fit, accuracy = prepared.wing.module("training").fit, None
    seconds = cpu_seconds = 0.0
    model: Any = prepared.model
    source = load_data(
        prepared.run,
        prepared.data_root,
        classes=source_classes,
        n_train=source_n_train,
    )
    if mode != "scratch":
        steps = source_steps or prepared.config.steps
        longer = replace(prepared.config, steps=steps, eval_every=steps, trunk_lr=None)
        teacher = build_model(prepared.wing, prepared.run, source)
        before = fit(teacher, source, longer)
        share_weights(teacher, model, except_for="head")
        accuracy = before.test_accuracy[-1]
        seconds, cpu_seconds = before.seconds, before.cpu_seconds
    config = prepared.config
    if mode == "linear_probe":
        model = prepared.wing.module("probe").LinearProbe(model)
        config = replace(config, lr=head_lr or config.lr)
    dataset = _normalized(prepared.dataset, source, normalization)
    after = outcome_of(fit(model, dataset, config))
    return replace(
        after,
        results=after.results | {"source_accuracy": accuracy},
        seconds=after.seconds + seconds,
        cpu_seconds=after.cpu_seconds + cpu_seconds,
    )


def _normalized(dataset: Dataset, source: Dataset, how: str) -> Dataset:
    """换一种归一化的目标数据；图片与标签不变。"""
    if how == "target":
        return dataset
    if how == "source":
        return replace(dataset, mean=source.mean, std=source.std)
    zeros = np.zeros_like(dataset.mean)
    return replace(dataset, mean=zeros, std=zeros + 1)
