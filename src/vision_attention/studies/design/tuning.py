"""调参：每一臂先在留出的图片上各自挑训练的设置，再拿挑中的正式比较。

内容: tuning_study（研究 → 只为调参的研究）、candidates、Choice、choose、changes_of。
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vision_attention.studies.design.runs import Run, arm_of, combinations
from vision_attention.studies.design.schema import Study, Tune

CANDIDATE = "candidate"
Values = dict[int, "float | None"]


def candidates(tune: Tune) -> dict[str, dict[str, Any]]:
    """候选的名字 → 要改的设置；几条路径时试遍各种组合。"""
    paths = list(tune.values)
    crossed = itertools.product(*(tune.values[path] for path in paths))
    named = {}
    for chosen in crossed:
        changes = dict(zip(paths, chosen, strict=True))
        named["，".join(f"{p.partition('.')[2]}={v}" for p, v in changes.items())] = (
            changes
        )
    return named


def tuning_study(study: Study) -> Study:
    """只为调参的研究：同样的臂，各配上每一个候选，在留出的图片上打分。

    参数: study 必须有 tune；它的种子、框架换成调参的，别的都不动
    """
    tune = study.tune
    scored = {"data.score": "reserve"}
    if "max_test" in study.data:
        scored["data.max_test"] = None
    arms = {name: changes | scored for name, changes in candidates(tune).items()}
    elsewhere = [
        {factor: level}
        for factor, chosen in tune.at.items()
        for level in study.factors[factor]
        if level != chosen
    ]
    return study.model_copy(
        update={
            "grid": {**study.grid, CANDIDATE: arms},
            "exclude": [*study.exclude, *elsewhere],
            "seeds": tune.seeds,
            "frameworks": ["torch"],
            "paddle_seeds": None,
            "metric": tune.metric,
            "judge": None,
            "tune": None,
        }
    )


@dataclass(frozen=True)
class Choice:
    """一臂挑的经过。

    参数: levels 为这一臂；tried 为候选 → 各种子的指标；chosen 为挑中的候选，还没有试完
        时为 None；changes 为它要改的设置；at_end 为挑中的是不是某条路径候选的头或尾
    """

    levels: dict[str, Any]
    tried: dict[str, Values]
    chosen: str | None
    changes: dict[str, Any]
    at_end: bool

    def mean(self, candidate: str) -> float | None:
        """一个候选各种子的平均；没有测到的种子使它没有平均。"""
        values = list(self.tried[candidate].values())
        if not values or None in values:
            return None
        return sum(values) / len(values)


def choose(
    study: Study, runs: Sequence[Run], measured: Mapping[str, float | None]
) -> list[Choice]:
    """由调参的记录挑；每一臂的候选都试完了才挑。

    平均最好的中选，并列时取先列的那个；有种子没有测到指标的候选排在最后。

    参数: study 为原来的研究；runs 为调参的运行；measured 为 key → 指标
    """
    arms: dict[tuple, dict[str, Values]] = {}
    missing: set[tuple] = set()
    for run in runs:
        label = run.levels[CANDIDATE]
        arm = tuple(item for item in arm_of(run.levels) if item[0] != CANDIDATE)
        if run.key in measured:
            arms.setdefault(arm, {}).setdefault(label, {})[run.seed] = measured[run.key]
        else:
            arms.setdefault(arm, {}).setdefault(label, {})
            missing.add(arm)
    return [
        _choice(study.tune, arm, tried, arm in missing) for arm, tried in arms.items()
    ]


def _choice(
    tune: Tune, arm: tuple, tried: dict[str, Values], unfinished: bool
) -> Choice:
    draft = Choice(dict(arm), tried, None, {}, False)
    if unfinished:
        return draft
    sign = 1 if tune.goal == "max" else -1

    def rank(label: str) -> float:
        mean = draft.mean(label)
        return -float("inf") if mean is None else sign * mean

    best = max(tried, key=rank)
    changes = candidates(tune)[best]
    at_end = any(
        len(tune.values[path]) > 1
        and value in (tune.values[path][0], tune.values[path][-1])
        for path, value in changes.items()
    )
    return Choice(dict(arm), tried, best, changes, at_end)


def changes_of(study: Study, choices: Sequence[Choice]) -> dict[tuple, dict[str, Any]]:
    """每个组合要并进去的设置；还没有挑出来的组合不在里面。"""
    known = {arm_of(c.levels): c.changes for c in choices if c.chosen is not None}
    found = {}
    for levels in combinations(study):
        asked = arm_of(levels | study.tune.at)
        if asked in known:
            found[arm_of(levels)] = known[asked]
    return found
