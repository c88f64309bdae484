"""几粒种子才看得见想看的差：先做几粒，量配对差的标准差，把个数定下来，写在研究旁边。

内容: plan、write_plan、read_plan。
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from vision_attention.checks import number
from vision_attention.statistics import (
    detectable,
    half_width,
    needed,
    paired_difference,
)
from vision_attention.storage.files import replacing
from vision_attention.studies.design.runs import arm_of
from vision_attention.studies.results.values import value_of
from vision_attention.studies.store.library import StudyStore

PLAN_NAME = "power.json"
POWER = 0.8


def plan(store: StudyStore, effect: float, first: int = 4) -> dict[str, Any]:
    """由头几粒种子的配对差，算要几粒种子。

    参数: store 为有参照臂的研究；effect 为想看见的差，单位同主要指标；first 为用头几粒
    返回: effect、power、first、arms（每臂减参照臂：levels、sd、needed 要几粒、
        half_width 与 detectable 照现在的种子数）、seeds（各臂里要得最多的）
    错误: 没有参照臂、effect 不是正数、头几粒还没有做完时抛出 ValueError
    """
    study = store.study
    if study.compare is None:
        raise ValueError(f"{store.name} 没有参照臂（compare），没有差可量")
    number("effect", effect, "大于 0 的数，例如 0.006", above=0)
    seeds = study.seeds[:first]
    measured = _measured(store, seeds)
    arms = []
    for arm, values in measured.items():
        levels = dict(arm)
        factor, reference = study.compare.factor, study.compare.reference
        theirs = measured.get(arm_of(levels | {factor: reference}))
        if levels[factor] == reference or theirs is None:
            continue
        arms.append(_arm(levels, values, theirs, effect, len(study.seeds)))
    if not arms or any(arm["n"] < len(seeds) for arm in arms):
        raise ValueError(
            f"{store.name} 的头 {first} 粒种子还没有做完；"
            "请先运行 vision-attention study run"
        )
    most = max(arm["needed"] for arm in arms)
    return {
        "effect": effect,
        "power": POWER,
        "first": first,
        "seeds": most,
        "planned": len(study.seeds),
        "arms": arms,
    }


def _measured(store: StudyStore, seeds: list[int]) -> dict[tuple, dict[int, float]]:
    """每个组合（PyTorch）的指标：种子 → 值。"""
    done, found = store.done(), {}
    for run in store.runs:
        if run.framework != "torch":
            continue
        values = found.setdefault(arm_of(run.levels), {})
        if run.seed in seeds and run.key in done:
            value = value_of(done[run.key], store.study.metric)
            if value is not None:
                values[run.seed] = value
    return found


def _arm(
    levels: dict[str, Any],
    ours: dict[int, float],
    theirs: dict[int, float],
    effect: float,
    planned: int,
) -> dict[str, Any]:
    """一臂减参照臂：标准差，与要几粒种子。"""
    found = paired_difference(ours, theirs)
    sd = found.sd or 0.0
    return {
        "levels": levels,
        "n": found.n,
        "sd": sd,
        "needed": needed(sd, effect, POWER) if sd else 3,
        "half_width": half_width(sd, planned),
        "detectable": detectable(sd, planned, POWER),
    }


def write_plan(store: StudyStore, planned: dict[str, Any]) -> Path:
    """把定下的个数写在研究旁边，只写一次。

    错误: 已经写过时抛出 ValueError：种子数看了更多结果再改，就不是事先定的了
    """
    path = store.folder / PLAN_NAME
    if path.exists():
        raise ValueError(f"{path} 已经写过；种子数只定一次，要重来请先删掉它并说明理由")
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    text = json.dumps(planned | {"written": now}, ensure_ascii=False, indent=1)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return path


def read_plan(store: StudyStore) -> dict[str, Any] | None:
    """定下的个数；没有定过为 None。"""
    path = store.folder / PLAN_NAME
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
