"""从记录到结论：一份 summary，Markdown、JSON 与书里的图都从它来。

内容: summary、summarize、value_of、POLICY（结论的规矩，随表一起印出）。
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vision_attention.statistics import mean_interval
from vision_attention.studies.design.runs import FRAMEWORK, combinations
from vision_attention.studies.design.schema import Study
from vision_attention.studies.design.tuning import Choice
from vision_attention.studies.results.agreement import agreement
from vision_attention.studies.results.comparing import POSITIVE, compare
from vision_attention.studies.store.library import StudyStore, open_study
from vision_attention.studies.tasks import METRICS

POLICY = (
    "均值与差都附 95 % t 区间；差按种子配对。"
    "配对差的区间不含 0 才说「提高」或「降低」，否则说「看不出差别」。"
    "一张表比了多次，另给 Holm 校正后的 p，校正后仍 < 0.05 的结论标 ✓。"
)
JUDGED = (
    "均值与差都附 95 % t 区间；差按种子配对。区间不含 0 说「提高」或「降低」；"
    "整个区间都在 ±{margin:g} 之内说「相差不到 {margin:g}」；两样都不是，说「说不准」，"
    "旁边是有八成把握看得见的最小差。一族（{family}）里的比较一起做 Holm 校正，校正后的"
    " p 仍 < 0.05 的结论标 ✓；对照不算在族里。"
)


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
    compare(study, cells)
    return {
        "name": store.name,
        "command": store.command,
        "question": study.question,
        "metric": study.metric,
        "metric_name": METRICS[study.metric],
        "compare": study.compare.model_dump() if study.compare else None,
        "policy": _policy(study),
        "blind": _blind(study, cells),
        "note": study.note,
        "judge": study.judge.model_dump() if study.judge else None,
        "n_runs": len(store.runs) + store.waiting,
        "missing": len(store.runs) + store.waiting - len(done),
        "tuning": [_tried(choice) for choice in store.choices],
        "cells": cells,
        "agreement": agreement(cells),
        **_provenance(list(done.values())),
    }


def _policy(study: Study) -> str:
    """结论的规矩，一段话。"""
    if study.judge is None:
        return POLICY
    family = "、".join(study.judge.family)
    named = f"每种 {family} 一族" if family else "整张表一族"
    return JUDGED.format(margin=study.judge.margin, family=named)


def _blind(study: Study, cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """阳性对照没有显出差别的情况：这些情况里，这项研究什么也看不见。"""
    return [
        cell["levels"]
        for cell in cells
        if cell.get("role") == POSITIVE and not cell["holds"]
    ]


def _cells(store: StudyStore, done: dict[str, dict]) -> list[dict[str, Any]]:
    """每个组合 × 框架一项，次序同 YAML。"""
    grouped: dict[tuple, dict[int, dict]] = defaultdict(dict)
    for run in store.runs:
        if run.key in done:
            grouped[tuple(run.levels.values())][run.seed] = done[run.key]
    cells = []
    for framework in store.study.frameworks:
        for levels in combinations(store.study):
            named = {**levels, FRAMEWORK: framework}
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
        "code": {seed: _meaning(record) for seed, record in found.items()},
    }


def _meaning(record: dict) -> str:
    """这条记录的代码是什么意思：任务的版本；早先没有记下版本的，看提交。"""
    code = record["code"]
    version = code.get("task")
    return str(code["commit"] or code["version"]) if version is None else str(version)


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


def _tried(choice: Choice) -> dict[str, Any]:
    """一臂挑设置的经过，可以直接存成 JSON。"""
    return {
        "levels": choice.levels,
        "tried": {name: choice.mean(name) for name in choice.tried},
        "n": max(len(values) for values in choice.tried.values()),
        "chosen": choice.chosen,
        "changes": choice.changes,
        "at_end": choice.at_end,
    }


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
