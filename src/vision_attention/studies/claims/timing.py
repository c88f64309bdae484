"""每条判法早于还是晚于它用的记录；写在 timing.yaml 里，没有 Git 也印得出。

内容: BEFORE、DURING、AFTER、NONE、SETTLED、written、branch_name、of_claim、of_branch、
    families。
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import yaml

from vision_attention.studies.claims.judging import Claim

PATH = Path(__file__).with_name("timing.yaml")
BEFORE = "判法早于记录"
DURING = "判法在运行开始以后、记录提交以前"
AFTER = "判法晚于记录"
NONE = "还没有记录"
SETTLED = "由定义或文献判定，不用记录"
LATE = "族是看过记录以后划的"


@cache
def written() -> dict[str, dict[str, str]]:
    """写下的先后：claims、branches、families 三份，名字 → 先后。"""
    return yaml.safe_load(PATH.read_text(encoding="utf-8"))


def branch_name(question: str, when: str) -> str:
    """决策图里一个条件的名字。"""
    return f"{question}：{when}"


def of_claim(claim: Claim) -> str:
    """一句话的判法先于还是后于记录，连同它的族。"""
    word = written()["claims"][claim.id]
    return word if claim.settled else word + families(_studies(claim))


def of_branch(question: str, when: str, studies: Iterable[str]) -> str:
    """决策图里一个条件的判法先于还是后于记录，连同它的族。"""
    word = written()["branches"][branch_name(question, when)]
    return word + families(studies)


def families(studies: Iterable[str]) -> str:
    """这几项研究里，有没有哪一项的族是看过记录以后划的。"""
    known = written()["families"]
    late = any(known[name] in (AFTER, DURING) for name in set(studies))
    return f"；{LATE}" if late else ""


def _studies(claim: Claim) -> list[str]:
    return [one.study for one in claim.comparisons]
