"""各臂与参照臂比：每一项添上差、结论，以及结论经不经得住。

内容: compare、shown。
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from vision_attention.studies.results.families import Pair
from vision_attention.studies.results.judgement import Judgement
from vision_attention.studies.results.verdicts import Comparisons


def compare(comparisons: Comparisons, cells: list[dict[str, Any]]) -> None:
    """给参照臂以外的每一项添上差与结论。

    参数: comparisons 判这项研究；cells 为 report 的各个组合，添上 Judgement 的各项：
        difference、verdict、seen（粗分的结论）、p_holm、holds（看见了方向）、family、family_size、role、
        kind、within、p_sign、survives、detectable、hits，另有 mixed（两边的代码版本
        不同的种子数）
    """
    study = comparisons.study
    if study.compare is None:
        return
    by_levels = {_fix(cell["levels"]): cell for cell in cells}
    factor, reference = study.compare.factor, study.compare.reference
    for cell in cells:
        levels = cell["levels"]
        theirs = by_levels.get(_fix(levels | {factor: reference}))
        if levels[factor] == reference or theirs is None:
            continue
        place = tuple((name, level) for name, level in levels.items() if name != factor)
        pair = Pair(factor, levels[factor], reference, place, study.metric)
        cell.update(shown(comparisons.judge(pair)))
        shared = cell["values"].keys() & theirs["values"].keys()
        cell["mixed"] = sum(cell["code"][s] != theirs["code"][s] for s in shared)


def shown(found: Judgement) -> dict[str, Any]:
    """一个结论，可以直接存成 JSON。"""
    return {
        "difference": asdict(found.difference),
        "verdict": found.verdict,
        "seen": found.broad,
        "p_holm": found.p,
        "holds": found.seen is not None,
        "family": found.family,
        "family_size": found.size,
        "role": found.role,
        "kind": found.kind,
        "within": found.within,
        "p_sign": found.p_sign,
        "survives": found.survives,
        "detectable": found.detectable,
        "hits": found.hits,
    }


def _fix(levels: dict[str, Any]) -> tuple:
    return tuple(sorted((name, str(level)) for name, level in levels.items()))
