"""几个工作进程、每个几个线程：在这台机器上真走几步，挑最快的。

内容: Layout、best_layout、candidates、probe。
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

from vision_attention.studies.design.runs import Run
from vision_attention.studies.running.pool import Pool
from vision_attention.studies.tasks import TASKS
from vision_attention.studies.tasks.prepared import build_model, load_data
from vision_attention.training.config import TrainConfig
from vision_attention.wings import load_wing

PROBE_STEPS = 20
# 每个核分到的运行少于这么多个时，测量花的时间比省下的多
WORTH_MEASURING = 4


@dataclass(frozen=True)
class Layout:
    """工作进程数与每个进程的线程数。"""

    workers: int
    threads: int


def cores() -> int:
    """这个进程用得上的核数；容器里可能少于机器的核数。"""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def candidates(count: int) -> list[Layout]:
    """要比的几种分法，例如 4 核：1×4、2×2、4×1。"""
    halves = [Layout(count // 2, 2)] if count >= 4 else []
    several = [Layout(count, 1)] if count > 1 else []
    return [Layout(1, count), *halves, *several]


def probe(job: tuple[Run, str | None]) -> float:
    """工作进程里走几步真的训练，返回每秒多少张图片。"""
    run, data_root = job
    wing = load_wing(run.framework)
    dataset = load_data(run, data_root)
    config = replace(
        TrainConfig(**run.train, seed=run.seed),
        steps=PROBE_STEPS,
        warmup_steps=0,
        eval_every=PROBE_STEPS,
        max_train_eval=dataset.num_classes,
    )
    model = build_model(wing, run, dataset)
    history = wing.module("training").fit(model, dataset, config)
    return history.images_per_second


def _speed(layout: Layout, job: tuple[Run, str | None]) -> float:
    """一种分法的总速度；先热身一次，再让全部进程同时测。"""
    speeds = [0.0]
    with Pool(probe, layout.workers, layout.threads) as pool:
        for _ in range(2):
            for _ in range(layout.workers):
                pool.submit(job)
            speeds = []
            while pool.running:
                results = pool.wait()
                speeds += [r.value for r in results if r.error is None]
    return sum(speeds)


def best_layout(
    runs: list[Run],
    data_root: str | None = None,
    workers: int | None = None,
    threads: int | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Layout:
    """挑一种分法；给定了的照办，运行很少时不必测，量时间的一次只做一个。

    参数: runs 为要做的运行，用第一个来测；workers、threads 由使用者指定；say 报告结果
    """
    count = cores()
    if workers or threads:
        return Layout(workers or max(1, count // threads), threads or 1)
    if any(TASKS[run.task].timed for run in runs):
        say("这项研究要量时间：一次只做一个，用一个线程")
        return Layout(1, 1)
    if len(runs) == 1:
        return Layout(1, count)
    if count == 1 or len(runs) < WORTH_MEASURING * count:
        return Layout(min(count, len(runs)), 1)
    speeds = {
        option: _speed(option, (runs[0], data_root)) for option in candidates(count)
    }
    best = max(speeds, key=speeds.get)
    listed = "，".join(
        f"{option.workers}×{option.threads} 每秒 {speed:.0f} 张"
        for option, speed in speeds.items()
    )
    say(f"测得（进程×线程）：{listed}；用 {best.workers}×{best.threads}")
    return best
