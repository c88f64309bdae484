"""做一次运行：载入一翼与数据，训练，交出一条记录。

内容: execute；它的几步：load_data、spec_of、build_model、prepare、record_of。
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

from vision_attention import data, interop, specs
from vision_attention.config import TrainConfig
from vision_attention.data import Dataset
from vision_attention.studies.provenance import (
    code_version,
    data_of,
    processor,
    version_of,
)
from vision_attention.studies.runs import Run
from vision_attention.studies.tasks import TASKS, Outcome, plain_values
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
        reference = interop.state(_seeded(wing, run.start_from, run.seed, dataset))
        own = interop.state(model)
        shared = {
            name: reference[name]
            for name, value in own.items()
            if name in reference and reference[name].shape == value.shape
        }
        interop.load_state(model, {**own, **shared})
    return model


def _seeded(wing: Wing, settings: dict[str, Any], seed: int, dataset: Dataset) -> Any:
    wing.room("init").seed(seed)
    return wing.room("models").build(spec_of(settings, dataset))


@dataclass(frozen=True)
class Bench:
    """一次运行备齐的东西：一翼、数据、配置、模型、它的大小、开始的时刻（UTC）。"""

    wing: Wing
    dataset: Dataset
    config: TrainConfig
    model: Any
    size: dict[str, int]
    started: str


def prepare(run: Run, data_root: str | None = None) -> Bench:
    """备齐一次运行；还没有开始训练。

    错误: 框架没装、数据或模型不合适时抛出 ValueError
    """
    started = datetime.now(timezone.utc).isoformat(timespec="seconds")
    wing = load_wing(run.framework)
    dataset = load_data(run, data_root)
    model = build_model(wing, run, dataset)
    config = TrainConfig(**run.train, seed=run.seed)
    return Bench(wing, dataset, config, model, cost(wing, model, dataset), started)


def cost(wing: Wing, model: Any, dataset: Dataset) -> dict[str, int]:
    """参数个数，与一张图前向一次的乘加次数。"""
    counting = wing.room("counting")
    shape = (dataset.in_channels, dataset.image_size, dataset.image_size)
    return {
        "parameters": int(counting.count_parameters(model)),
        "macs": int(counting.count_macs(model, shape)),
    }


def record_of(run: Run, bench: Bench, outcome: Outcome, threads: int) -> dict:
    """一次运行的记录，可以写成一行 JSON。"""
    return {
        "key": run.key,
        "run": run.settings(),
        "results": tidy(outcome.results | bench.size),
        "curves": tidy(outcome.curves),
        "seconds": tidy(outcome.seconds),
        "cpu_seconds": tidy(outcome.cpu_seconds),
        "model": asdict(spec_of(run.model, bench.dataset)),
        "train": asdict(bench.config),
        "data": data_of(bench.dataset),
        "framework": {"name": run.framework, "version": version_of(run.framework)},
        "processor": processor(device_of(bench.wing, bench.model), threads),
        "code": code_version(),
        "started": bench.started,
    }


def execute(run: Run, *, data_root: str | None = None, threads: int = 1) -> dict:
    """做一次运行，返回记录。

    参数: run 为设置；data_root 为数据所在；threads 为本进程的线程数，只作记录
    错误: 数据、模型不合适或训练发散时，照原样抛出
    """
    bench = prepare(run, data_root)
    outcome = TASKS[run.task].work(
        bench.wing, bench.model, bench.dataset, bench.config, **run.options
    )
    return record_of(run, bench, outcome, threads)


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
