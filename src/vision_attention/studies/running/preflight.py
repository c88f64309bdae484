"""开跑之前的试飞：每种不同的模型与数据各建一次，写错的设置这时就拦下。

内容: preflight。训练一步都不走，所以几秒钟就知道整项研究跑不跑得起来。
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from vision_attention.studies.design.runs import Run, key_of
from vision_attention.studies.running.pool import Pool
from vision_attention.studies.tasks.prepared import build_model, load_data
from vision_attention.wings import load_wing


def preflight(runs: Sequence[Run], data_root: str | None = None) -> list[str]:
    """在一个工作进程里建齐所有不同的模型与数据，返回问题的列表。

    参数: runs 为要做的运行；data_root 为数据所在
    返回: 每个问题一行，同样的只说一次；空列表表示可以开跑
    """
    different: dict[str, Run] = {}
    for run in runs:
        parts = {
            "framework": run.framework,
            "data": run.data,
            "model": run.model,
            "start": run.start_from,
        }
        different.setdefault(key_of(parts), run)
    job = functools.partial(_try, data_root=data_root)
    problems: dict[str, None] = {}
    with Pool(job, workers=1, threads=1) as pool:
        for run in different.values():
            pool.submit(run)
            for result in pool.wait():
                if result.error is not None:
                    problems[result.error] = None
    return list(problems)


def _try(run: Run, data_root: str | None) -> None:
    """工作进程里：载入数据，建一个模型。"""
    dataset = load_data(run, data_root)
    build_model(load_wing(run.framework), run, dataset)
