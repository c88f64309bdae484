"""三个问题的决策图：每支箭头是一个比较，结论由记录得出，没有看出差别的也在图上。

内容: Question、Branch、Case、Arrow、Step、questions、weighed、step。
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import yaml

from vision_attention.statistics import ALIKE, Estimate
from vision_attention.studies.claims.judging import Comparison, Judged, Strict, measure
from vision_attention.studies.results.judgement import Judgement

PATH = Path(__file__).with_name("decisions.yaml")
BETTER, WORSE, UNTESTED = "更好", "更差", "没有测"
CLOSE, UNSURE = "相差不到 δ", "说不准"


class Arrow(Comparison):
    """一支箭头：在这个条件下这样做，与不这样做相比。

    参数: do 为做法；expect 为哪个方向算好，缺省「提高」；at 的每一项只列一个取值；
        其余同 Comparison
    """

    do: str
    expect: Literal["提高", "降低"] = "提高"


class Case(Strict):
    """箭头是在什么处境里测的；读者拿自己的处境来对。

    参数: pictures 为什么样的图：digits 是手写数字，marks 是答案要看相隔很远的两处；
        network 为什么网络：conv 是几千到几万个参数的卷积网络，mobile 是移动端的，
        tiny 是窄到学不动的，vit 是 ViT；images 为训练图像的张数
    """

    pictures: Literal["digits", "marks"]
    network: Literal["conv", "mobile", "tiny", "vit"]
    images: int


class Branch(Strict):
    """一个条件与它下面的箭头。

    参数: when 为条件；against 为这些箭头与什么相比；case 为处境；page 为讲它的一页；
        arrows 为箭头
    """

    when: str
    against: str
    case: Case
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

    参数: arrow 为箭头；found 为这个比较的结论，与书的别处是同一个；
        outcome 为「更好」「更差」「相差不到 δ」「说不准」「没有测」
    """

    arrow: Arrow
    found: Judgement
    outcome: str

    @property
    def difference(self) -> Estimate:
        """配对差。"""
        return self.found.difference


@cache
def questions() -> dict[str, Question]:
    """三个问题，按笔记的次序：名字 → Question。"""
    listed = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    found = [Question(**item) for item in listed]
    return {question.id: question for question in found}


def weighed(question: Question) -> list[tuple[Branch, list[Step]]]:
    """一个问题的全部箭头与结果；族由研究定，与箭头画在哪里无关。

    错误: 一支箭头的 at 列了不止一个取值时抛出 ValueError
    """
    arrows = [arrow for branch in question.branches for arrow in branch.arrows]
    measured = measure(arrows)
    if len(measured) != len(arrows):
        raise ValueError(f"{question.id}：一支箭头只能是一个比较，at 各列一个取值")
    steps = iter(
        [step(arrow, one) for arrow, one in zip(arrows, measured, strict=True)]
    )
    return [(b, [next(steps) for _ in b.arrows]) for b in question.branches]


def step(arrow: Arrow, one: Judged) -> Step:
    """一支箭头的结果。"""
    if not one.measured:
        return Step(arrow, one.found, UNTESTED)
    if one.seen is None:
        outcome = CLOSE if one.found.verdict == ALIKE else UNSURE
    else:
        outcome = BETTER if one.met else WORSE
    return Step(arrow, one.found, outcome)
