"""改判：印过的结论与现在不同的箭头，旧的照印，新的由记录得出。

内容: Erratum、Reason、errata、overturned。
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import yaml

from vision_attention.studies.claims.decisions import Arrow, Step, step
from vision_attention.studies.claims.judging import measure

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
