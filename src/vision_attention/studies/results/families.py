"""一个比较，以及与它同一族、要一起校正的比较。

内容: Pair、CHOICE、CONTROL、POSITIVE、role、members、name_of。

一族是读者的一种情况：study.yaml 的 judge.family 说哪些因素的取值把读者分开，
judge.groups 说臂自己分成几种情况。对照与阳性对照各自单独，不算在族里；
两处的差再相减（beyond）也是对照。没有写 judge 的研究，一张表是一族。
族只看比较自己，不看它印在哪一页，所以同一个比较处处同一个结论。
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from vision_attention.studies.design.runs import FRAMEWORK, combinations
from vision_attention.studies.design.schema import Study

CHOICE, CONTROL, POSITIVE = "选择", "对照", "阳性对照"


@dataclass(frozen=True)
class Pair:
    """一个比较：同一处的两臂，ours 减 reference。

    参数: factor 为比的因素，ours、reference 为它的两臂；place 为其余因素与框架的取值；
        metric 为指标；beyond 为另一处与 place 不同的取值，写了就是两处的差相减
    """

    factor: str
    ours: Any
    reference: Any
    place: tuple[tuple[str, Any], ...]
    metric: str
    beyond: tuple[tuple[str, Any], ...] = ()


def role(study: Study, pair: Pair) -> str:
    """这个比较是读者的选择、对照，还是阳性对照。"""
    judge = study.judge
    if pair.beyond:
        return CONTROL
    if judge is None or pair.factor != study.compare.factor:
        return CHOICE
    if judge.positive is not None and pair.ours == judge.positive:
        return POSITIVE
    apart = [*judge.controls, judge.positive]
    return CONTROL if pair.ours in apart or pair.reference in apart else CHOICE


def members(study: Study, pair: Pair) -> list[Pair]:
    """与它同一族的比较，连它自己，次序同 study.yaml。"""
    if role(study, pair) != CHOICE:
        return [pair]
    arms = _arms(study, pair)
    return [
        replace(pair, ours=arm, place=place)
        for place in _places(study, pair)
        for arm in arms
        if _runs(study, place, pair.factor, arm, pair.reference)
    ]


def _arms(study: Study, pair: Pair) -> list[Any]:
    """同一族里的臂：除去参照与对照，写了分组的只要同组。"""
    arms = [arm for arm in study.factors[pair.factor] if arm != pair.reference]
    judge = study.judge
    if judge is None or pair.factor != study.compare.factor:
        return arms
    group = _group(study, pair)
    apart = [*judge.controls, judge.positive]
    return [
        arm
        for arm in arms
        if arm not in apart and (group is None or arm in judge.groups[group])
    ]


def _group(study: Study, pair: Pair) -> str | None:
    """它的臂所在的一组；没有分组时为 None。"""
    listed = study.judge.groups.items()
    return next((name for name, arms in listed if pair.ours in arms), None)


def _places(study: Study, pair: Pair) -> Iterator[tuple[tuple[str, Any], ...]]:
    """同一族的各处：judge.family 里的因素与框架相同，其余的不论。"""
    here = dict(pair.place)
    if study.compare is None or pair.factor != study.compare.factor:
        yield pair.place
        return
    fixed = _fixed(study)
    seen = []
    for framework in study.frameworks:
        for levels in combinations(study):
            there = {**levels, FRAMEWORK: framework}
            place = tuple((name, there[name]) for name in here)
            if all(there[name] == here[name] for name in fixed) and place not in seen:
                seen.append(place)
                yield place


def _fixed(study: Study) -> list[str]:
    return [] if study.judge is None else [*study.judge.family, FRAMEWORK]


def _runs(study: Study, place: tuple, factor: str, *arms: Any) -> bool:
    """这一处的几臂都在研究里，没有被排除。"""
    levels = {name: level for name, level in place if name != FRAMEWORK}
    every = combinations(study)
    return all(levels | {factor: arm} in every for arm in arms)


def _case(study: Study, factor: str, level: Any, words: Mapping[str, str]) -> str:
    """一种情况写成话：只定了张数的写张数，其余照研究里的名字。"""
    settings = study.factors[factor][level]
    if list(settings) == ["data.n_train"]:
        count = settings["data.n_train"]
        return "全部图片" if count is None else f"{count:,} 张图片"
    return f"{factor} = {words.get(str(level), level)}"


def name_of(study: Study, pair: Pair, words: Mapping[str, str] = {}) -> str:
    """它那一族的名字：读者的哪一种情况。

    参数: words 为取值 → 中文，没有的照原样
    """
    found = role(study, pair)
    if found != CHOICE:
        return found
    if study.judge is None:
        return "整张表"
    if pair.factor != study.compare.factor:
        parts = [pair.factor]
    else:
        here = dict(pair.place)
        parts = [_case(study, n, here[n], words) for n in study.judge.family]
        parts = [*filter(None, [_group(study, pair)]), *parts]
    return "，".join(parts) or "整项研究"
