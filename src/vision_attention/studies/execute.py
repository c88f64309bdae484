"""做一次运行：载入一翼与数据，训练，交出一条记录。

内容: execute、load_data、spec_of、build_model、cost、device_of。
"""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from vision_attention import data, specs
from vision_attention.config import TrainConfig
from vision_attention.data import Dataset
from vision_attention.studies.provenance import (
    code_version,
    data_of,
    processor,
    version_of,
)
from vision_attention.studies.runs import Run
from vision_attention.studies.tasks import TASKS, plain_values
from vision_attention.studies.wings import Wing, load_wing

# float32 有 7 位有效数字，多写的是噪声
SIGNIFICANT = 7


def load_data(run: Run, data_root: str | None = None) -> Dataset:
    """这次运行的数据；data_root 不进 key，数据的指纹进记录。"""
    settings = {"name": "digits"} | plain_values(run.data)
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
    """按种子建模型；有 start_from 时，与参照臂同名同形的权重从参照臂的初值出发。"""
    model = _seeded(wing, run.model, run.seed, dataset)
    if run.start_from is not None:
        reference = _seeded(wing, run.start_from, run.seed, dataset).state_dict()
        state = model.state_dict()
        shared = {
            name: reference[name]
            for name, value in state.items()
            if name in reference and tuple(reference[name].shape) == tuple(value.shape)
        }
        # 两个框架里「装回权重」的名字不同
        load = getattr(model, "load_state_dict", None) or model.set_state_dict
        load({**state, **shared})
    return model


def _seeded(wing: Wing, settings: dict[str, Any], seed: int, dataset: Dataset) -> Any:
    wing.room("init").seed(seed)
    return wing.room("models").build(spec_of(settings, dataset))


def cost(wing: Wing, model: Any, dataset: Dataset) -> dict[str, int]:
    """参数个数，与一张图前向一次的乘加次数。"""
    inspect = wing.room("inspect")
    shape = (1, dataset.in_channels, dataset.image_size, dataset.image_size)
    return {
        "parameters": int(inspect.count_parameters(model)),
        "macs": int(inspect.count_macs(model, shape)),
    }


def execute(run: Run, *, data_root: str | None = None, threads: int = 1) -> dict:
    """做一次运行，返回可以写成一行 JSON 的记录。

    参数: run 为设置；data_root 为数据所在；threads 为本进程的线程数，只作记录
    错误: 数据、模型不合适或训练发散时，照原样抛出
    """
    started = datetime.now(timezone.utc).isoformat(timespec="seconds")
    wing = load_wing(run.framework)
    dataset = load_data(run, data_root)
    config = TrainConfig(**run.train, seed=run.seed)
    model = build_model(wing, run, dataset)
    size = cost(wing, model, dataset)
    outcome = TASKS[run.task].work(wing, model, dataset, config, **run.options)
    return {
        "key": run.key,
        "run": run.settings(),
        "results": tidy(outcome.results | size),
        "curves": tidy(outcome.curves),
        "seconds": tidy(outcome.seconds),
        "cpu_seconds": tidy(outcome.cpu_seconds),
        "model": asdict(spec_of(run.model, dataset)),
        "train": asdict(config),
        "data": data_of(dataset),
        "framework": {"name": run.framework, "version": version_of(run.framework)},
        "processor": processor(device_of(wing, model), threads),
        "code": code_version(),
        "started": started,
    }


def device_of(wing: Wing, model: Any) -> str:
    """模型训练之后在 "cpu" 还是 "gpu" 上。"""
    device = wing.room("device").device_of(model)
    return "cpu" if "cpu" in str(device).lower() else "gpu"


def tidy(value: Any) -> Any:
    """留 7 位有效数字；无穷与非数变成 None，JSON 里没有它们。"""
    if isinstance(value, dict):
        return {name: tidy(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [tidy(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{SIGNIFICANT}g}") if math.isfinite(value) else None
    return value
