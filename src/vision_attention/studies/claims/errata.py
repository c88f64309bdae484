"""改判：印过的结论与现在不同的箭头，旧的照印，新的由记录得出。

内容: Erratum、Reason、errata、overturned，与勘误一页的两张表 changed、retuned。
"""

from __future__ import annotations

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


# 100 张图、正常宽度：重做的臂 → 名字，与当时研究里的同一臂
RETUNED = {
    "none": ("不装", "none"),
    "cbam": ("CBAM", "cbam"),
    "wider": ("加宽到同样多参数", "wider_normal"),
    "scalar": ("每块学一个数", None),
    "constant": ("常数 0.25", None),
}


def retuned() -> str:
    """100 张图上各挑学习率以后：每种做法当时与现在的准确率、差与结论。"""
    old, new = findings("capacity"), findings("digits_gates")
    body = [
        [name, *_then(old, before), *_now(new, arm)]
        for arm, (name, before) in RETUNED.items()
    ]
    head = ["做法", "当时的准确率", "当时的差"]
    head += ["自己挑的学习率", "现在的准确率", "现在的差", "结论"]
    return rows(head, body, left="结论")


def _then(study: Findings, arm: str | None) -> list[str]:
    if arm is None:
        return ["没有测", ""]
    place = {"size": "normal", "images": "few"}
    level = f"{study.estimate(**place, arm=arm).mean:.3f}"
    if arm == "none":
        return [level, ""]
    found = study.judged(place | {"arm": arm}, place | {"arm": "none"})
    return [level, signed(found.difference.mean)]


def _now(study: Findings, arm: str) -> list[str]:
    place = {"images": "few"}
    levels = {**place, "arm": arm}
    [rate] = [
        choice["changes"]["train.lr"]
        for choice in study["tuning"]
        if choice["levels"] == levels
    ]
    told = [f"{rate:g}", f"{study.estimate(**levels).mean:.3f}"]
    if arm == "none":
        return [*told, "", ""]
    found = study.judged(levels, place | {"arm": "none"})
    gap = found.difference
    size = f"{signed(gap.mean)}（{span(gap.low, gap.high)}）"
    return [*told, size, f"**{found.verdict}**"]
