"""三个问题的决策图：每支箭头是一个比较，结论由记录得出，没有看出差别的也在图上。

内容: Question、Branch、Arrow、Step、questions、weighed。
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import yaml

from vision_attention.statistics import Estimate
from vision_attention.studies.claims.judging import Comparison, Judged, Strict, measure

PATH = Path(__file__).with_name("decisions.yaml")
BETTER, WORSE, SAME, UNTESTED = "更好", "更差", "看不出差别", "没有测"


class Arrow(Comparison):
    """一支箭头：在这个条件下这样做，与不这样做相比。

    参数: do 为做法；expect 为哪个方向算好，缺省「提高」；at 的每一项只列一个取值；
        其余同 Comparison
    """

    do: str
    expect: Literal["提高", "降低"] = "提高"


class Branch(Strict):
    """一个条件与它下面的箭头。

    参数: when 为条件；against 为这些箭头与什么相比；page 为讲它的一页；arrows 为箭头
    """

    when: str
    against: str
    page: str
    arrows: tuple[Arrow, ...]


class Question(Strict):
    """笔记里的一个问题。

    参数: id 为名字；ask 为问题的原话；page 为答它的一章；branches 为各个条件
    """

    id: str
    ask: str
    page: str
    branches: tuple[Branch, ...]


@dataclass(frozen=True)
class Step:
    """一支箭头与它的结果。

    参数: arrow 为箭头；difference 为配对差；p 为一个问题之内 Holm 校正后的 p；
        outcome 为「更好」「更差」「看不出差别」「没有测」
    """

    arrow: Arrow
    difference: Estimate
    p: float | None
    outcome: str


@cache
def questions() -> dict[str, Question]:
    """三个问题，按笔记的次序：名字 → Question。"""
    listed = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    found = [Question(**item) for item in listed]
    return {question.id: question for question in found}


def weighed(question: Question) -> list[tuple[Branch, list[Step]]]:
    """一个问题的全部箭头与结果；同一个问题里的比较一起作 Holm 校正。

    错误: 一支箭头的 at 列了不止一个取值时抛出 ValueError
    """
    arrows = [arrow for branch in question.branches for arrow in branch.arrows]
    measured = measure(arrows)
    if len(measured) != len(arrows):
        raise ValueError(f"{question.id}：一支箭头只能是一个比较，at 各列一个取值")
    steps = iter(
        [_step(arrow, one) for arrow, one in zip(arrows, measured, strict=True)]
    )
    return [(b, [next(steps) for _ in b.arrows]) for b in question.branches]


def _step(arrow: Arrow, one: Judged) -> Step:
    outcome = SAME if one.seen is None else BETTER if one.met else WORSE
    if one.p is None:
        outcome = UNTESTED
    return Step(arrow, one.difference, one.p, outcome)
