"""从记录到结论：一份 summary，Markdown、JSON 与书里的图都从它来。

内容: summary、summarize、POLICY、JUDGED（结论的规矩，随表一起印出）。
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from vision_attention.statistics import Estimate, mean_interval, share_interval
from vision_attention.studies.design.runs import FRAMEWORK, combinations
from vision_attention.studies.design.schema import Study
from vision_attention.studies.design.tuning import Choice
from vision_attention.studies.results.agreement import agreement
from vision_attention.studies.results.comparing import compare
from vision_attention.studies.results.families import POSITIVE
from vision_attention.studies.results.values import reached, value_of
from vision_attention.studies.results.verdicts import Comparisons, Records, grouped
from vision_attention.studies.store.library import StudyStore, open_study
from vision_attention.studies.tasks.metrics import CENSORED as CENSORED_METRICS
from vision_attention.studies.tasks.metrics import METRICS

ANSWERS = (
    "均值与差都附 95 % t 区间；差按种子配对。一族里的比较一起做 Holm 校正，"
    "校正后 p < 0.05 才说「提高」或「降低」；否则，整个区间都在 ±{margin:g} 之内的，"
    "说「相差不到」多少；两样都不是，说「说不准」，旁边是有八成把握看得见的最小差。"
)
POLICY = ANSWERS + "整张表是一族。"
JUDGED = ANSWERS + "{family}一族；对照不算在族里，各自单独看。"
SOLVED = "{metric}过 {line:g} 算做对；比的是做对的种子占几成，用精确的 McNemar 检验。"
CENSORED = "步数用完还没有到的，按下一次评估才到算，不丢掉；差的正负用符号检验。"


def summary(name: str, out: str | Path | None = None) -> dict[str, Any]:
    """一项研究的统计与结论；见 summarize。

    参数: 同 open_study
    """
    return summarize(open_study(name, out))


def summarize(store: StudyStore) -> dict[str, Any]:
    """一项研究的全部统计，可以直接存成 JSON。

    返回: name、command（重做的命令）、question、metric、policy、missing（还缺几个
        运行）、rejected（坏行有几行，没有算在内）、cells（每个组合一项：levels、
        values（种子 → 指标）、estimate、cost、difference、p_holm、verdict）、
        agreement（两个框架的一致程度）、hardware、data、versions
    """
    study, reading = store.study, store.read()
    done = store.asked_for(reading)
    records = grouped(store.runs, done)
    comparisons = Comparisons(study, records)
    cells = _cells(study, records)
    compare(comparisons, cells)
    return {
        "name": store.name,
        "command": store.command,
        "question": study.question,
        "metric": study.metric,
        "metric_name": METRICS[study.metric],
        "compare": study.compare.model_dump() if study.compare else None,
        "policy": _policy(comparisons),
        "blind": _blind(study, cells),
        "note": study.note,
        "judge": study.judge.model_dump() if study.judge else None,
        "n_runs": len(store.runs) + store.waiting,
        "missing": len(store.runs) + store.waiting - len(done),
        "rejected": store.bad(reading),
        "tuning": [_tried(choice) for choice in store.choices],
        "cells": cells,
        "agreement": agreement(cells),
        **_provenance(list(done.values())),
    }


def _policy(comparisons: Comparisons) -> str:
    """结论的规矩，一段话。"""
    judge, metric = comparisons.study.judge, comparisons.study.metric
    margin = comparisons.margin(metric) or 0
    if judge is None:
        return POLICY.format(margin=margin)
    cases = [*filter(None, ["各组臂" if judge.groups else ""]), *judge.family]
    named = f"每种{'、'.join(cases)}" if cases else "整张表"
    text = JUDGED.format(margin=margin, family=named)
    if judge.solved is not None:
        text += SOLVED.format(metric=METRICS[metric], line=judge.solved)
    return text + (CENSORED if metric in CENSORED_METRICS else "")


def _blind(study: Study, cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """阳性对照没有显出差别的情况：这些情况里，这项研究什么也看不见。"""
    return [
        cell["levels"]
        for cell in cells
        if cell.get("role") == POSITIVE and not cell["holds"]
    ]


def _cells(study: Study, records: Records) -> list[dict[str, Any]]:
    """每个组合 × 框架一项，次序同 YAML。"""
    cells = []
    for framework in study.frameworks:
        for levels in combinations(study):
            named = {**levels, FRAMEWORK: framework}
            found = records.get(tuple(named.values()), {})
            cells.append(_cell(named, found, study))
    return cells


def _cell(levels: dict[str, Any], found: dict[int, dict], study: Study) -> dict:
    metric = study.metric
    measured = {seed: value_of(record, metric) for seed, record in found.items()}
    values = {seed: value for seed, value in measured.items() if value is not None}
    known = [reached(record, metric) for record in found.values()]
    known = [value for value in known if value is not None]
    cost = {
        name: _average([value_of(record, name) for record in found.values()])
        for name in ("parameters", "macs", "cpu_seconds")
    }
    return {
        "levels": levels,
        "values": values,
        "unmeasured": len(measured) - len(values),
        "estimate": asdict(mean_interval(known)),
        "cost": cost,
        "code": {seed: _meaning(record) for seed, record in found.items()},
    } | _solved(study, known)


def _solved(study: Study, known: list[float]) -> dict[str, Any]:
    """研究写了怎样算做对的：几粒做对了，占几成，精确的区间；平均数不再附区间。"""
    if study.judge is None or study.judge.solved is None or not known:
        return {}
    hits, n = sum(value > study.judge.solved for value in known), len(known)
    low, high = share_interval(hits, n)
    mean = Estimate(n, sum(known) / n)
    return {
        "estimate": asdict(mean),
        "solved": {"hits": hits, "n": n, "low": low, "high": high},
    }


def _meaning(record: dict) -> str:
    """这条记录的代码是什么意思：任务的版本；早先没有记下版本的，看提交。"""
    code = record["code"]
    version = code.get("task")
    return str(code["commit"] or code["version"]) if version is None else str(version)


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
