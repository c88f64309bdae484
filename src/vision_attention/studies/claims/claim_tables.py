"""把「一句话怎样判」排成 Markdown 表：章末的核对，书末的逐句核对。

内容: short、full、basis、studies_of、strength。
"""

from __future__ import annotations

from typing import Any

from vision_attention.statistics import ALIKE, DOWN, UP
from vision_attention.studies.claims.judging import (
    Claim,
    Judged,
    claims,
    compared,
    judge,
)
from vision_attention.studies.results.families import CHOICE
from vision_attention.studies.results.judgement import COUNT, Judgement, say
from vision_attention.studies.store.library import open_study
from vision_attention.studies.tasks.metrics import METRICS
from vision_attention.wording import DIGITS, number, p_value, rows, signed, span


def short(*names: str) -> str:
    """章末的核对表：一句一行。

    参数: names 为 claims.yaml 里的 id
    """
    body = [
        [f"“{claim.quote}”", judge(claim), basis(claim), claim.untested or "—"]
        for claim in (claims()[name] for name in names)
    ]
    head = ["笔记的话", "结论", "依据", "没有测的"]
    return rows(head, body, left="结论 依据 没有测的")


def basis(claim: Claim) -> str:
    """一句话的依据：由定义判定的说明，测量的数出各有几个。"""
    if not claim.comparisons:
        return claim.because
    asked = compared(claim)
    found = [one for one in asked if one.measured]
    seen = [one.seen for one in found]
    listed = "、".join(f"`{name}`" for name in studies_of(claim))
    count, unseen = f"{listed}：{len(found)} 个比较，", _unseen(found)
    if claim.settled:
        up, down = seen.count(UP), seen.count(DOWN)
        count += f"提高 {up} 个，降低 {down} 个，{unseen}。"
        return f"{claim.because}。照着做，{count}{_unmeasured(asked)}"
    met = sum(one.met for one in found)
    opposite = len(found) - met - seen.count(None)
    count += f"如所说 {met} 个，相反 {opposite} 个，{unseen}。"
    return count + _unmeasured(asked) + claim.because


def _unseen(found: list[Judged]) -> str:
    """没有看见方向的，分两种数。"""
    words = [one.found.verdict for one in found if one.seen is None]
    alike = words.count(ALIKE)
    return f"相差不到 δ {alike} 个，说不准 {len(words) - alike} 个"


def _unmeasured(asked: list[Judged]) -> str:
    """没有记录的比较有几个；它们不算看不出差别。"""
    missing = sum(not one.measured for one in asked)
    return f"还有 {missing} 个没有记录。" if missing else ""


def studies_of(claim: Claim) -> list[str]:
    """一句话用到的研究，不重复。"""
    return list(dict.fromkeys(one.study for one in claim.comparisons))


def full(name: str, words: dict[str, str] | None = None) -> str:
    """一句话的全部比较：每个一行。

    参数: name 为 claims.yaml 里的 id；words 为臂与取值 → 中文，没有的照原样
    """
    words = words or {}
    head = [
        "比较",
        "量什么",
        "n",
        "差",
        "95 % 区间",
        "校正后的 p",
        "期望",
        "结论",
        "经得住吗",
        "族",
    ]
    body = [_row(one, words) for one in compared(claims()[name])]
    return rows(head, body, left="量什么 期望 结论 经得住吗 族")


def _row(one: Judged, words: dict[str, str]) -> list[str]:
    asked, found = one.comparison, one.difference
    judged = one.found
    metric = asked.metric or open_study(asked.study).study.metric
    digits = DIGITS.get(metric, 3)
    place = "，".join(_word(level, words) for level in one.levels.values())
    if asked.beyond:
        there = "，".join(_word(level, words) for level in asked.beyond.values())
        place = f"{place}，减去{there}的同一个差".strip("，")
    pair = f"{_word(asked.ours, words)} 减 {_word(asked.reference, words)}"
    return [
        pair + ("（对照）" if asked.control else ""),
        "：".join(filter(None, [METRICS[metric], place])),
        str(found.n),
        signed(found.mean, digits),
        span(found.low, found.high, digits),
        p_value(judged.p),
        asked.expect,
        say(judged.verdict, judged.within, metric) if one.measured else "没有测",
        strength(judged, digits),
        judged.family + (f"（{judged.size} 个）" if judged.role == CHOICE else ""),
    ]


def strength(found: Judgement, digits: int = 3) -> str:
    """结论经不经得住：少一粒种子、符号翻转的 p；说不准的，看得见多小的差。"""
    if found.kind == COUNT:
        return "数出来的"
    if found.seen is None:
        smallest = found.detectable
        return f"看得见 {number(smallest, digits)}" if smallest is not None else "—"
    kept = {True: "少一粒不变", False: "少一粒就变", None: ""}[found.survives]
    return "，".join(filter(None, [kept, f"翻转 p {p_value(found.p_sign)}"]))


def _word(level: Any, words: dict[str, str]) -> str:
    """一个取值的中文；数字加千位的逗号。"""
    if isinstance(level, int) and not isinstance(level, bool):
        return f"{level:,}"
    return words.get(str(level), str(level))
