"""从记录到结论：一份 summary，Markdown、JSON 与书里的图都从它来。

内容: summary、summarize、value_of、POLICY（结论的规矩，随表一起印出）。
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vision_attention.statistics import (
    TOO_FEW,
    UNSEEN,
    holm,
    mean_interval,
    paired_difference,
    verdict,
)
from vision_attention.studies.design.runs import combinations
from vision_attention.studies.results.agreement import agreement
from vision_attention.studies.store.library import StudyStore, open_study
from vision_attention.studies.tasks import METRICS

POLICY = (
    "均值与差都附 95 % t 区间；差按种子配对。"
    "配对差的区间不含 0 才说「提高」或「降低」，否则说「看不出差别」。"
    "一张表比了多次，另给 Holm 校正后的 p，校正后仍 < 0.05 的结论标 ✓。"
)
ALPHA = 0.05


def summary(name: str, out: str | Path | None = None) -> dict[str, Any]:
    """一项研究的统计与结论；见 summarize。

    参数: 同 open_study
    """
    return summarize(open_study(name, out))


def summarize(store: StudyStore) -> dict[str, Any]:
    """一项研究的全部统计，可以直接存成 JSON。

    返回: name、command（重做的命令）、question、metric、policy、missing（还缺几个
        运行）、cells（每个组合一项：levels、values（种子 → 指标）、estimate、cost、
        difference、p_holm、verdict）、agreement（两个框架的一致程度）、hardware、
        data、versions
    """
    study, done = store.study, store.done()
    cells = _cells(store, done)
    _compare(store, cells)
    return {
        "name": store.name,
        "command": store.command,
        "question": study.question,
        "metric": study.metric,
        "metric_name": METRICS[study.metric],
        "compare": study.compare.model_dump() if study.compare else None,
        "policy": POLICY,
        "note": study.note,
        "n_runs": len(store.runs),
        "missing": len(store.runs) - len(done),
        "cells": cells,
        "agreement": agreement(cells),
        **_provenance(list(done.values())),
    }


def _cells(store: StudyStore, done: dict[str, dict]) -> list[dict[str, Any]]:
    """每个组合 × 框架一项，次序同 YAML。"""
    grouped: dict[tuple, dict[int, dict]] = defaultdict(dict)
    for run in store.runs:
        if run.key in done:
            grouped[tuple(run.levels.values())][run.seed] = done[run.key]
    cells = []
    for framework in store.study.frameworks:
        for levels in combinations(store.study):
            named = {**levels, "framework": framework}
            found = grouped[tuple(named.values())]
            cells.append(_cell(named, found, store.study.metric))
    return cells


def _cell(levels: dict[str, Any], found: dict[int, dict], metric: str) -> dict:
    measured = {seed: value_of(record, metric) for seed, record in found.items()}
    values = {seed: value for seed, value in measured.items() if value is not None}
    cost = {
        name: _average([value_of(record, name) for record in found.values()])
        for name in ("parameters", "macs", "cpu_seconds")
    }
    return {
        "levels": levels,
        "values": values,
        "unmeasured": len(measured) - len(values),
        "estimate": asdict(mean_interval(list(values.values()))),
        "cost": cost,
    }


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


def _average(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _compare(store: StudyStore, cells: list[dict[str, Any]]) -> None:
    """给参照臂以外的每一项添上配对差与结论。"""
    compare = store.study.compare
    if compare is None:
        return
    by_levels = {_fix(cell["levels"]): cell for cell in cells}
    compared = []
    for cell in cells:
        if cell["levels"][compare.factor] == compare.reference:
            continue
        place = _fix(cell["levels"] | {compare.factor: compare.reference})
        if place in by_levels:
            reference = by_levels[place]["values"]
            difference = paired_difference(cell["values"], reference)
            cell["difference"] = asdict(difference)
            cell["verdict"] = verdict(difference)
            compared.append(cell)
    adjusted = holm([cell["difference"]["p"] for cell in compared])
    for cell, p in zip(compared, adjusted, strict=True):
        cell["p_holm"] = p
        cell["holds"] = (
            p is not None and p < ALPHA and cell["verdict"] not in (UNSEEN, TOO_FEW)
        )


def _fix(levels: dict[str, Any]) -> tuple:
    return tuple(sorted((name, str(level)) for name, level in levels.items()))


def _provenance(records: list[dict]) -> dict[str, list[str]]:
    """用了哪些处理器、框架版本与数据。"""
    processors = {
        f"{r['processor']['name']}（{r['processor']['device']}，"
        f"{r['processor']['threads']} 线程）"
        for r in records
    }
    frameworks = {
        f"{r['framework']['name']} {r['framework']['version']}" for r in records
    }
    return {
        "processors": sorted(processors),
        "frameworks": sorted(frameworks),
        "data": sorted({r["data"]["name"] for r in records}),
        "code": sorted(
            {f"{r['code']['commit'] or r['code']['version']}" for r in records}
        ),
    }
