"""批改“读懂一次比较”：两臂各十粒种子，区间算得对不对，话有没有说过头。

内容: COMPARISONS、SENTENCES、examine_comparison。
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import combinations, product
from typing import Any

import numpy as np

from vision_attention.grading import building
from vision_attention.grading.bank import BANK, MISTAKE, Variant
from vision_attention.grading.paired import INTERVAL, Choice, arms, interval_of
from vision_attention.grading.report import (
    FAULT,
    OTHER,
    RIGHT,
    UNKNOWN,
    WRONG,
    Check,
    Report,
)
from vision_attention.statistics import ALIKE, DOWN, UNSURE, UP

# 一张表上的五句话，比较之后哪几句说得
SENTENCES = {
    "甲": "这几粒种子里，平均高了",
    "乙": "在这个设定下，装了就高",
    "丙": "装与不装，相差不到 δ",
    "丁": "它没有用",
    "戊": "换一份数据，也会高",
}


def examine_comparison(subject: Any, task: str) -> Report:
    """查一个函数；出错时说是什么错。"""
    title, examine = COMPARISONS[task]
    try:
        return examine(title, subject)
    except Exception as error:
        told = f"运行时出错，{building.told(error)}"
        return Report(title, FAULT, (Check("跑得通", False, told),))


def _choices(reference: Choice) -> Iterator[tuple[Choice, tuple[Variant, ...]]]:
    """参照，再到改一处、两处的写法。"""
    others = {a: [v for (b, _), v in BANK.items() if b == a] for a in reference}
    for count in range(3):
        for aspects in combinations(others, count):
            for found in product(*(others[a] for a in aspects)):
                yield {**reference, **{v.aspect: v.key for v in found}}, found


def _concluded(title: str, found: tuple[Variant, ...] | None, check: Check) -> Report:
    """认出了什么，就下什么结论；found 为 None 是认不出。"""
    if found is None:
        return Report(title, UNKNOWN, (check,))
    wrong = any(variant.kind == MISTAKE for variant in found)
    return Report(title, WRONG if wrong else OTHER if found else RIGHT, (check,), found)


# —— 一、配对差的区间 ——
def paired_interval(title: str, subject: Any) -> Report:
    """三份数据，种子数不同：平均、下端、上端都要对。"""
    given = [arms(seed, common) for seed, common in ((1, 10), (2, 10), (3, 6))]
    mine = [_three(subject(dict(a), dict(b))) for a, b in given]
    if any(three is None for three in mine):
        told = "应交回三个数：平均的差、区间的下端、上端"
        return Report(title, FAULT, (Check("交回三个数", False, told),))
    for choice, found in _choices(INTERVAL):
        if all(
            np.allclose(three, interval_of(a, b, choice), rtol=0, atol=3e-6)
            for three, (a, b) in zip(mine, given, strict=True)
        ):
            told = "三份数据，与参照比"
            return _concluded(title, found, Check("区间", not found, told))
    told = f"与参照、与认得的写法都不同；{_first_apart(mine, given)}"
    return _concluded(title, None, Check("区间", False, told))


def _three(returned: Any) -> tuple[float, ...] | None:
    """交回的三个数；Estimate 那样有 mean、low、high 的也行。"""
    names = ("mean", "low", "high")
    if all(hasattr(returned, name) for name in names[1:]):
        returned = [getattr(returned, name) for name in names]
    try:
        numbers = tuple(float(number) for number in returned)
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == 3 else None


def _first_apart(mine: list, given: list) -> str:
    wanted = interval_of(*given[0], INTERVAL)
    if not math.isclose(mine[0][0], wanted[0], abs_tol=3e-6):
        return f"平均的差应是 {wanted[0]:.5f}，这里是 {mine[0][0]:.5f}"
    halves = [(three[2] - three[1]) / 2 for three in (wanted, mine[0])]
    return f"区间的半宽应是 {halves[0]:.5f}，这里是 {halves[1]:.5f}"


# —— 二、四种回答 ——
CASES = (
    (0.01, 0.02, 0.005), (0.001, 0.003, 0.005), (-0.02, -0.01, 0.005),
    (-0.003, -0.001, 0.005), (-0.003, 0.002, 0.005), (-0.002, 0.003, 0.005),
    (-0.003, 0.002, 0.0025), (-0.01, 0.02, 0.005), (-0.02, 0.01, 0.005),
    (-0.004, 0.02, 0.005), (-0.02, 0.004, 0.005), (0.004, 0.02, 0.005),
)  # fmt: skip


def _clear(low: float, high: float, rest: str) -> str:
    return UP if low > 0 else DOWN if high < 0 else rest


def _alike(low: float, high: float, delta: float) -> bool:
    return -delta < low and high < delta


ANSWERS: dict[str, Callable[[float, float, float], str]] = {
    "four": lambda a, b, d: _clear(a, b, ALIKE if _alike(a, b, d) else UNSURE),
    "absence": lambda a, b, d: _clear(a, b, ALIKE),
    "never_alike": lambda a, b, d: _clear(a, b, UNSURE),
    "touching": lambda a, b, d: _clear(
        a, b, ALIKE if -d < a < d or -d < b < d else UNSURE
    ),
    "middle": lambda a, b, d: UP if a + b > 0 else DOWN,
    "beyond": lambda a, b, d: (
        ALIKE if _alike(a, b, d) else _clear(a - d, b + d, UNSURE)
    ),
    "alike_first": lambda a, b, d: ALIKE if _alike(a, b, d) else _clear(a, b, UNSURE),
}


def four_answers(title: str, subject: Any) -> Report:
    """十二个区间，各该怎样回答。"""
    mine = [str(subject(*case)).replace(" ", "") for case in CASES]
    known = {word.replace(" ", "") for word in (UP, DOWN, ALIKE, UNSURE)}
    if odd := next((word for word in mine if word not in known), None):
        told = f"{odd!r} 不是四种回答之一：{UP}、{DOWN}、{ALIKE}、{UNSURE}"
        return Report(title, FAULT, (Check("四种回答", False, told),))
    for key, rule in ANSWERS.items():
        if mine == [rule(*case).replace(" ", "") for case in CASES]:
            found = () if key == "four" else (BANK["answers", key],)
            told = "十二个区间，逐个与参照比"
            return _concluded(title, found, Check("四种回答", not found, told))
    return _concluded(title, None, Check("四种回答", False, _first_wrong(mine)))


def _first_wrong(mine: list[str]) -> str:
    for word, case in zip(mine, CASES, strict=True):
        wanted = ANSWERS["four"](*case)
        if word != wanted.replace(" ", ""):
            low, high, delta = case
            told = f"区间从 {low} 到 {high}，δ = {delta}，应答“{wanted}”"
            return f"{told}，这里答“{word}”"
    return ""


# —— 三、哪几句话说得 ——
SAYABLE = {
    "say_mean": "told",
    "say_higher": "interval",
    "say_alike": "inside",
    "say_useless": "never",
    "say_elsewhere": "never",
}


def sayable_set(choice: Choice, three: tuple[float, ...], delta: float) -> set[str]:
    """说得的几句，照选中的写法。"""
    mean, low, high = three
    zero, inside = low <= 0 <= high, _alike(low, high, delta)
    told = {
        "甲": mean > 0 and (choice["say_mean"] == "told" or low > 0),
        "乙": mean > 0 if choice["say_higher"] == "mean" else low > 0,
        "丙": zero if choice["say_alike"] == "absence" else inside,
        "丁": {"never": False, "absence": zero, "inside": inside}[
            choice["say_useless"]
        ],
        "戊": choice["say_elsewhere"] == "always" and low > 0,
    }
    return {letter for letter, said in told.items() if said}


def sayable(title: str, subject: Any) -> Report:
    """几份数据：明明白白高的、说不准的、相差不到 δ 的、低的。"""
    plans = ((1, 0.02, 0.005), (2, 0.002, 0.001), (4, 0.0, 0.02), (5, -0.02, 0.005))
    given = [(*arms(seed, 10, effect), delta) for seed, effect, delta in plans]
    mine = [set(subject(dict(a), dict(b), delta)) for a, b, delta in given]
    if odd := set().union(*mine) - set(SENTENCES):
        told = f"没有“{min(odd, key=str)}”这一句；可以答的是 {'、'.join(SENTENCES)}"
        return Report(title, FAULT, (Check("哪几句", False, told),))
    threes = [(interval_of(a, b, INTERVAL), delta) for a, b, delta in given]
    for choice, found in _choices(SAYABLE):
        if mine == [sayable_set(choice, *three) for three in threes]:
            told = "四份数据，逐句与参照比"
            return _concluded(title, found, Check("哪几句", not found, told))
    wanted = [sayable_set(SAYABLE, *three) for three in threes]
    k = next(k for k in range(len(mine)) if mine[k] != wanted[k])
    told = f"第 {k + 1} 份数据，区间从 {threes[k][0][1]:.4f} 到 {threes[k][0][2]:.4f}"
    extra = [letter for letter in SENTENCES if letter in mine[k] - wanted[k]]
    lost = [letter for letter in SENTENCES if letter in wanted[k] - mine[k]]
    told += f"，多说了 {'、'.join(extra)}" * bool(extra)
    told += f"，漏了 {'、'.join(lost)}" * bool(lost)
    return _concluded(title, None, Check("哪几句", False, told))


# 名字 → 叫法；都是 (叫法, 函数) → 报告；与框架无关
COMPARISONS: dict[str, tuple[str, Callable[[str, Any], Report]]] = {
    "paired_interval": ("配对差的区间", paired_interval),
    "four_answers": ("四种回答", four_answers),
    "sayable": ("说得的话", sayable),
}
