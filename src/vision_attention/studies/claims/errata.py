"""改判：印过的结论与现在不同的箭头，旧的照印，新的由记录得出。

内容: Erratum、Reason、errata、overturned，与勘误一页的两张表 changed、retuned。
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import yaml

from vision_attention.studies.claims.decisions import (
    BETTER,
    CLOSE,
    UNSURE,
    WORSE,
    Arrow,
    Step,
    step,
)
from vision_attention.studies.claims.judging import measure
from vision_attention.studies.results.evidence import Findings, findings
from vision_attention.studies.results.judgement import say
from vision_attention.wording import p_value, rows, signed, span

PATH = Path(__file__).with_name("errata.yaml")
Reason = Literal["族", "对照", "量法", "学习率"]


class Erratum(Arrow):
    """一支改判的箭头。

    参数: when 为条件；said 为当时印的结论；p 为当时校正后的 p；of 为当时几个比较一起
        校正；why 为改判的缘由；其余同 Arrow
    """

    when: str
    said: Literal["更好", "更差", "看不出差别"]
    p: float
    of: int
    why: Reason


@cache
def errata() -> tuple[Erratum, ...]:
    """全部改判，按决策图的次序。"""
    listed = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    return tuple(Erratum(**item) for item in listed)


def overturned() -> list[tuple[Erratum, Step]]:
    """每支改判的箭头与它现在的结论。"""
    pairs = zip(errata(), measure(errata()), strict=True)
    return [(erratum, step(erratum, one)) for erratum, one in pairs]


SIGNS = {BETTER: "▲", WORSE: "▼", CLOSE: "≈", UNSURE: "○"}
KEPT = {True: "不变", False: "变", None: "—"}


def changed() -> str:
    """改判的箭头，一支一行：当时与现在。"""
    head = ["做法", "当时", "现在", "差与 95 % 区间", "少一粒种子", "缘由"]
    body = [_line(erratum, step) for erratum, step in overturned()]
    return rows(head, body, left="当时 现在 缘由")


def _line(erratum: Erratum, one: Step) -> list[str]:
    found, gap = one.found, one.found.difference
    metric = erratum.metric or "test_accuracy"
    word = one.outcome if found.seen else say(found.verdict, found.within, metric)
    family = "单独看" if found.size == 1 else f"{found.size} 个一起"
    return [
        f"{erratum.when}：{erratum.do}",
        f"{erratum.said}（{erratum.of} 个一起，p {p_value(erratum.p)}）",
        f"**{SIGNS[one.outcome]} {word}**（{family}，p {p_value(found.p)}）",
        f"{signed(gap.mean)}（{span(gap.low, gap.high)}）",
        KEPT[found.survives if found.seen else None],
        erratum.why,
    ]


@dataclass(frozen=True)
class Again:
    """一项重做的比较：当时共用一个学习率，现在各用自己挑的。

    参数: study、place 为当时的研究与处境；again 为重做的研究，处境是 100 张图；
        factor 为比的因素；reference 为参照臂；arms 为重做的臂 →（名字，当时的臂，
        当时没有测的为 None）
    """

    study: str
    place: dict[str, str]
    again: str
    factor: str
    reference: str
    arms: dict[str, tuple[str, str | None]]


FEW = {"images": "few"}
AGAIN = {
    "gates": Again(
        "capacity",
        {"size": "normal", **FEW},
        "digits_gates",
        "arm",
        "none",
        {
            "none": ("不装", "none"),
            "cbam": ("CBAM", "cbam"),
            "wider": ("加宽到同样多参数", "wider_normal"),
            "scalar": ("每块学一个数", None),
            "constant": ("常数 0.25", None),
        },
    ),
    "vit": Again(
        "vit_globality",
        FEW,
        "digits_tuned",
        "model",
        "global",
        {
            "global": ("什么也不改", "global"),
            "window": ("只看邻近的窗口", "window"),
            "locality": ("LSA", "locality"),
            "shifted": ("SPT 分词", "shifted"),
            "conv": ("卷积分词", "conv"),
            "smaller": ("参数减半", "smaller"),
            "larger": ("参数加倍", "larger"),
            "cnn": ("参数一样多的卷积网络", "cnn"),
        },
    ),
}


def retuned(name: str) -> str:
    """100 张图上各挑学习率以后：每种做法当时与现在的准确率、差与结论。

    参数: name 为 AGAIN 里的一个
    """
    one = AGAIN[name]
    old, new = findings(one.study), findings(one.again)
    body = [
        [named, *_then(old, one, before), *_now(new, one, arm)]
        for arm, (named, before) in one.arms.items()
    ]
    head = ["做法", "当时的准确率", "当时的差"]
    head += ["自己挑的学习率", "现在的准确率", "现在的差", "结论"]
    return rows(head, body, left="结论")


def _then(study: Findings, one: Again, arm: str | None) -> list[str]:
    if arm is None:
        return ["没有测", ""]
    levels, base = ({**one.place, one.factor: a} for a in (arm, one.reference))
    level = f"{study.estimate(**levels).mean:.3f}"
    if arm == one.reference:
        return [level, ""]
    return [level, signed(study.judged(levels, base).difference.mean)]


def _now(study: Findings, one: Again, arm: str) -> list[str]:
    levels, base = ({**FEW, one.factor: a} for a in (arm, one.reference))
    [rate] = [
        choice["changes"]["train.lr"]
        for choice in study["tuning"]
        if choice["levels"] == levels
    ]
    told = [f"{rate:g}", f"{study.estimate(**levels).mean:.3f}"]
    if arm == one.reference:
        return [*told, "", ""]
    found = study.judged(levels, base)
    gap = found.difference
    size = f"{signed(gap.mean)}（{span(gap.low, gap.high)}）"
    return [*told, size, f"**{found.verdict}**"]
