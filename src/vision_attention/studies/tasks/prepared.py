"""一次运行要用的：一翼、数据、配置、模型，备齐了交给任务。

内容: PreparedRun、prepare；它的几步：load_data、spec_of、build_model、size_of。
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np

from vision_attention import data, interop, specs
from vision_attention.data import Dataset
from vision_attention.studies.design.runs import Run, plain_values
from vision_attention.studies.tasks.pretrained import Origin, start
from vision_attention.training.config import TrainConfig
from vision_attention.wings import Wing, load_wing


@dataclass(frozen=True)
class PreparedRun:
    """一次运行备齐的东西。

    参数: run 为设置；data_root 为数据所在；wing 为一翼；dataset、config、model 照设置
        备好；size 为模型的大小；started 为开始的时刻（UTC）；origin 为预训练的权重的
        来历，从头学时为 None
    """

    run: Run
    data_root: str | None
    wing: Wing
    dataset: Dataset
    config: TrainConfig
    model: Any
    size: dict[str, int]
    started: str
    origin: Origin | None = None


def load_data(run: Run, data_root: str | None = None, **changes: Any) -> Dataset:
    """这次运行的数据；data_root 不进 key，数据的指纹进记录。

    参数: changes 为要改的设置，例如 classes；任务要第二份数据时用
    """
    settings = {"name": "digits"} | plain_values(run.data | changes)
    if data_root is not None:
        settings["root"] = data_root
    return data.load(seed=run.seed, **settings)


def spec_of(settings: dict[str, Any], dataset: Dataset) -> Any:
    """由 model 的设置得到尺寸；没有写明的图像大小、通道与类别数照数据。"""
    shape = {
        "image_size": dataset.image_size,
        "in_channels": dataset.in_channels,
        "num_classes": dataset.num_classes,
    }
    return specs.named(**(shape | plain_values(settings)))


def build_model(wing: Wing, run: Run, dataset: Dataset) -> Any:
    """按种子建模型；有 start_from 时，与参照臂同名同形的权重从参照臂的初值出发。

    处处同值的初值（γ、写成 0 的打分、归一化的系数）是这一臂自己的设置，不搬：
    搬了，「γ 从 1 起步」就成了参照臂的从 0 起步。
    """
    model = _seeded(wing, run.model, run.seed, dataset)
    if run.start_from is not None:
        reference = _seeded(wing, run.start_from, run.seed, dataset)
        own = interop.state(model)
        fixed = {name: value for name, value in own.items() if np.ptp(value) == 0}
        share_weights(reference, model)
        interop.load_state(model, {**interop.state(model), **fixed})
    return model


def _seeded(wing: Wing, settings: dict[str, Any], seed: int, dataset: Dataset) -> Any:
    """建一个模型；深处的选项类型不对，建到那里才知道。"""
    wing.module("init").seed(seed)
    try:
        return wing.module("models").build(spec_of(settings, dataset))
    except TypeError as error:
        raise ValueError(
            f"model：有一项的取值类型不对，请改正：{settings}。原话是 {error}"
        ) from error


def share_weights(source: Any, target: Any, except_for: str = "") -> None:
    """把 source 里同名同形的权重搬进 target，其余不动。

    参数: except_for 为不搬的那一部分的名字，例如 head；空的表示都搬
    """
    theirs, own = interop.state(source), interop.state(target)
    shared = {
        name: theirs[name]
        for name, value in own.items()
        if name in theirs
        and theirs[name].shape == value.shape
        and not (except_for and name.startswith(f"{except_for}."))
    }
    interop.load_state(target, {**own, **shared})


def prepare(run: Run, data_root: str | None = None) -> PreparedRun:
    """备齐一次运行；还没有开始训练。

    错误: 框架没装、数据或模型不合适时抛出 ValueError
    """
    started = datetime.now(timezone.utc).isoformat(timespec="seconds")
    wing = load_wing(run.framework)
    dataset = load_data(run, data_root)
    model = build_model(wing, run, dataset)
    dataset, origin = start(model, dataset, run.options.get("weights"))
    config = TrainConfig(**run.train, seed=run.seed)
    size = size_of(wing, model)
    return PreparedRun(
        run, data_root, wing, dataset, config, model, size, started, origin
    )


def size_of(wing: Wing, model: Any) -> dict[str, int]:
    """参数个数，与一张图前向一次的乘加次数。"""
    counting, spec = wing.module("counting"), model.spec
    shape = (spec.in_channels, spec.image_size, spec.image_size)
    return {
        "parameters": int(counting.count_parameters(model)),
        "macs": int(counting.count_macs(model, shape)),
    }
