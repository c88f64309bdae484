"""做一次运行：备齐要用的，做任务，交出一条记录。

内容: execute、record_of。
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from vision_attention.studies.design.runs import Run
from vision_attention.studies.running.provenance import (
    code_version,
    data_of,
    processor,
    version_of,
)
from vision_attention.studies.tasks import TASKS, Outcome
from vision_attention.studies.tasks.prepared import PreparedRun, prepare, spec_of
from vision_attention.wings import Wing

# float32 有 7 位有效数字，多写的是噪声
SIGNIFICANT = 7


def record_of(run: Run, prepared: PreparedRun, outcome: Outcome, threads: int) -> dict:
    """一次运行的记录，可以写成一行 JSON。"""
    return {
        "key": run.key,
        "run": run.settings(),
        "results": tidy(outcome.results | prepared.size),
        "curves": tidy(outcome.curves),
        "seconds": tidy(outcome.seconds),
        "cpu_seconds": tidy(outcome.cpu_seconds),
        "model": asdict(spec_of(run.model, prepared.dataset)),
        "train": asdict(prepared.config),
        "data": data_of(prepared.dataset),
        "framework": {"name": run.framework, "version": version_of(run.framework)},
        "processor": processor(device_of(prepared.wing, prepared.model), threads),
        "code": {**code_version(), "task": TASKS[run.task].version},
        "started": prepared.started,
    }


def execute(run: Run, *, data_root: str | None = None, threads: int = 1) -> dict:
    """做一次运行，返回记录。

    参数: run 为设置；data_root 为数据所在；threads 为本进程的线程数，只作记录
    错误: 数据、模型不合适或训练发散时，照原样抛出
    """
    prepared = prepare(run, data_root)
    outcome = TASKS[run.task].work(prepared, **run.options)
    return record_of(run, prepared, outcome, threads)


def device_of(wing: Wing, model: Any) -> str:
    """模型训练之后在 "cpu" 还是 "gpu" 上。"""
    device = wing.module("device").device_of(model)
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
