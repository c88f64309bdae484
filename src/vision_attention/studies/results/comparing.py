"""各臂与参照臂比：配对差、一族一起校正、结论，以及结论经不经得住。

内容: compare。

一族是读者的一种情况：study.yaml 的 judge.family 说哪些因素的取值把读者分开，
对照与阳性对照不算在族里。没有写 judge 的研究，一张表是一族，结论只分三种。
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from typing import Any

from vision_attention.statistics import (
    DOWN,
    UP,
    answer,
    detectable,
    holm,
    paired_difference,
    sign_flip_p,
    survives,
    verdict,
)
from vision_attention.studies.design.runs import FRAMEWORK
from vision_attention.studies.design.schema import Judge, Study

ALPHA = 0.05
POSITIVE, CONTROL, CHOICE = "阳性对照", "对照", "选择"


def compare(study: Study, cells: list[dict[str, Any]]) -> None:
    """给参照臂以外的每一项添上差与结论。

    参数: cells 为 report 的各个组合；添上 difference、verdict、p_holm、holds、
        role（读者的选择、对照或阳性对照）、p_sign（符号翻转检验）、
        survives（少任何一粒种子结论都不变）、detectable（有八成把握看见的最小差）、
        mixed（两边的代码版本不同的种子数）
    """
    if study.compare is None:
        return
    by_levels = {_fix(cell["levels"]): cell for cell in cells}
    families: dict[tuple, list[dict]] = defaultdict(list)
    for cell in cells:
        factor, reference = study.compare.factor, study.compare.reference
        place = _fix(cell["levels"] | {factor: reference})
        if cell["levels"][factor] == reference or place not in by_levels:
            continue
        _judge(cell, by_levels[place], study.judge)
        cell["role"] = _role(cell["levels"][factor], study.judge)
        families[_family(cell, study.judge)].append(cell)
    for family in families.values():
        _correct(family)


def _judge(cell: dict, reference: dict, judge: Judge | None) -> None:
    """差、结论与它的把握。"""
    ours, theirs = cell["values"], reference["values"]
    difference = paired_difference(ours, theirs)
    shared = sorted(ours.keys() & theirs.keys())
    each = [ours[seed] - theirs[seed] for seed in shared]
    cell["difference"] = asdict(difference)
    if judge is None:
        cell["verdict"] = verdict(difference)
    else:
        cell["verdict"] = answer(difference, judge.margin)
    cell["p_sign"] = sign_flip_p(each)
    cell["survives"] = survives(each)
    known = difference.sd is not None and len(each) > 1
    cell["detectable"] = detectable(difference.sd, len(each)) if known else None
    cell["mixed"] = sum(cell["code"][s] != reference["code"][s] for s in shared)


def _role(arm: Any, judge: Judge | None) -> str:
    if judge is not None and judge.positive is not None and arm == judge.positive:
        return POSITIVE
    return CONTROL if judge is not None and arm in judge.controls else CHOICE


def _family(cell: dict, judge: Judge | None) -> tuple:
    """这一项算在哪一族；对照各自一族，不校正。"""
    if judge is None:
        return ()
    if cell["role"] != CHOICE:
        return _fix(cell["levels"])
    return tuple(str(cell["levels"][name]) for name in [FRAMEWORK, *judge.family])


def _correct(family: list[dict]) -> None:
    """一族一起做 Holm 校正。"""
    adjusted = holm([cell["difference"]["p"] for cell in family])
    for cell, p in zip(family, adjusted, strict=True):
        cell["p_holm"] = p
        cell["holds"] = p is not None and p < ALPHA and cell["verdict"] in (UP, DOWN)


def _fix(levels: dict[str, Any]) -> tuple:
    return tuple(sorted((name, str(level)) for name, level in levels.items()))
