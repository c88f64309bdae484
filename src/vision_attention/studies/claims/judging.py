"""笔记的每句话怎样判：哪几个比较、期望升还是降，由记录得出结论。

内容: Claim、Comparison、Judged、claims、findings_of、compared、measure、judge。
结论的规矩: 一个比较的结论出自 results.verdicts，与书的别处是同一个：同一族的一起作
    Holm 校正，校正后 p < 0.05 才算看见；族由研究的 judge 定，与写在哪句话里无关。
    比较与对照全如所说是「成立」；有一部分如所说是「有条件成立」；
    没有一个如所说而有相反的是「不成立」；都没有看见是「看不出差别」。
    还没有记录的比较不算如所说：缺一个，就还不能说「成立」。
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, model_validator

from vision_attention.statistics import TOO_FEW, Estimate
from vision_attention.studies.results.evidence import Findings, findings
from vision_attention.studies.results.judgement import Judgement

PATH = Path(__file__).with_name("claims.yaml")
TRUE, PARTLY, FALSE, UNSEEN, UNTESTED = (
    "成立",
    "有条件成立",
    "不成立",
    "看不出差别",
    "没有测",
)


class Strict(BaseModel):
    """写错的键要报错，不许悄悄略过。"""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Comparison(Strict):
    """一组比较：同一个因素的两臂，在 at 的每个组合上各比一次。

    参数: study 为研究；factor 为比的因素，ours 与 reference 是它的两臂；
        expect 为笔记的话要求 ours 减 reference 的数值「提高」还是「降低」；
        at 为其余因素的取值，列出几个就比几次；metric 缺省为研究自己的指标；
        beyond 为另一处的取值：写了就问「这里的差减去那里的差」，那里不该有这个好处；
        control 为真时是对照：它不如所说，这句话最多「有条件成立」
    """

    study: str
    factor: str
    ours: Any
    reference: Any
    expect: Literal["提高", "降低"]
    at: dict[str, list[Any]] = {}
    metric: str | None = None
    beyond: dict[str, Any] = {}
    control: bool = False


class Claim(Strict):
    """笔记里的一句话。

    参数: id 为名字；quote 为原话；page 为讲它的那一页，从 book/ 算起，不带 .md；
        comparisons 为比较；settled 为不必测量、由定义或代码判定的结论，
        because 说明依据；两样都写时结论照 settled，比较只印出来；
        untested 为没有测的，由定义判定的可以不写；same_as 为另一句的 id：
        两句用的是同样几次训练，只算一次测量
    错误: comparisons 与 settled 一样也没有写，settled 没有 because、
        测量的没有 untested 时抛出 ValueError
    """

    id: str
    quote: str
    page: str
    comparisons: tuple[Comparison, ...] = ()
    settled: Literal["成立", "有条件成立", "不成立", "没有测"] | None = None
    because: str = ""
    untested: str = ""
    same_as: str = ""

    @model_validator(mode="after")
    def _has_grounds(self) -> Claim:
        if not (self.comparisons or self.settled):
            raise ValueError(f"{self.id}：comparisons 与 settled 至少写一样")
        if self.settled and not self.because:
            raise ValueError(f"{self.id}：写了 settled，还要在 because 里说明依据")
        if self.comparisons and not self.untested:
            raise ValueError(f"{self.id}：测量过的，还要在 untested 里说明什么没有测")
        return self


@dataclass(frozen=True)
class Judged:
    """一个比较的结果。

    参数: comparison 为它属于哪一组；levels 为其余因素的取值；found 为结论，见 Judgement
    """

    comparison: Comparison
    levels: dict[str, Any]
    found: Judgement

    @property
    def difference(self) -> Estimate:
        """配对差。"""
        return self.found.difference

    @property
    def seen(self) -> str | None:
        """「提高」「降低」，没有看见为 None。"""
        return self.found.seen

    @property
    def measured(self) -> bool:
        """有没有够下结论的记录。"""
        return self.found.verdict != TOO_FEW

    @property
    def met(self) -> bool:
        """是否如笔记所说。"""
        return self.seen == self.comparison.expect


@cache
def claims() -> dict[str, Claim]:
    """全部的话，按笔记的次序：名字 → Claim。"""
    found = [Claim(**item) for item in yaml.safe_load(PATH.read_text(encoding="utf-8"))]
    return {claim.id: claim for claim in found}


@cache
def findings_of(name: str) -> Findings:
    """一项研究的结果；同一项只读一次。"""
    return findings(name)


def compared(claim: Claim) -> list[Judged]:
    """一句话的全部比较，逐个判定。"""
    return measure(claim.comparisons)


def measure(comparisons: Sequence[Comparison]) -> list[Judged]:
    """一组比较，逐个判定。

    参数: comparisons 为比较；at 里列出几个就量几次
    """
    return [
        Judged(comparison, levels, _judgement(comparison, levels))
        for comparison in comparisons
        for picked in itertools.product(*comparison.at.values())
        for levels in [dict(zip(comparison.at, picked, strict=True))]
    ]


def judge(claim: Claim) -> str:
    """一句话的结论，见本文件开头的规矩；一个够两粒种子的比较都没有时为「没有测」。"""
    if claim.settled:
        return claim.settled
    every = compared(claim)
    found = [one for one in every if one.measured]
    main = [one for one in found if not one.comparison.control]
    if not main:
        return UNTESTED
    if all(one.met for one in every):
        return TRUE
    if any(one.met for one in main):
        return PARTLY
    return FALSE if any(one.seen for one in main) else UNSEEN


def _judgement(comparison: Comparison, levels: dict[str, Any]) -> Judgement:
    """一个比较的结论，由它的研究判。"""
    ours, theirs = (
        levels | {comparison.factor: arm}
        for arm in (comparison.ours, comparison.reference)
    )
    study = findings_of(comparison.study)
    return study.judged(ours, theirs, comparison.metric, comparison.beyond)
