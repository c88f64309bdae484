"""一条记录里的一个数：没有测到的、到了上限的，各照各的办。

内容: value_of、reached、paired。
"""

from __future__ import annotations

from collections.abc import Mapping

from vision_attention.studies.tasks.metrics import CENSORED


def value_of(record: dict, metric: str) -> float | None:
    """一条记录里的一个数；没有测到时为 None。

    错误: 记录里没有这个指标时抛出 ValueError
    """
    if metric in ("seconds", "cpu_seconds"):
        return record[metric]
    if metric not in record["results"]:
        known = ", ".join(record["results"])
        raise ValueError(f"记录里没有指标 {metric!r}；记录里有：{known}")
    return record["results"][metric]


def reached(record: dict, metric: str) -> float | None:
    """同 value_of，但步数用完还没有到的记成“下一次评估才到”：至少这么多，不丢掉。"""
    value = value_of(record, metric)
    if value is None and metric in CENSORED:
        train = record["run"]["train"]
        return train["steps"] + train["eval_every"]
    return value


def paired(
    ours: Mapping[int, float], reference: Mapping[int, float]
) -> dict[int, float]:
    """按种子配对相减：种子 → 差，只用两边都有的种子。"""
    shared = ours.keys() & reference.keys()
    return {seed: ours[seed] - reference[seed] for seed in shared}
