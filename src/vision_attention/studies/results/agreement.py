"""两个框架说的是不是一回事：同一臂的差，以及同一比较的结论。

内容: agreement。
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from vision_attention.statistics import (
    TOO_FEW,
    paired_difference,
    verdict,
)

FRAMEWORK = "framework"


def agreement(cells: list[dict[str, Any]]) -> list[dict]:
    """每个组合在两个框架里的比较；只有一个框架时为空。

    参数: cells 为 summarize 的各项
    返回: 每项含 levels、difference（paddle − torch，按种子配对）、verdict，
        以及 same_verdict（两边对参照臂看见的方向是否相同；没有比较，或有一边次数不够、
        下不了结论时为 None）
    """
    torch, paddle = (
        {_rest(cell): cell for cell in cells if cell["levels"][FRAMEWORK] == name}
        for name in ("torch", "paddle")
    )
    rows = []
    for place in torch.keys() & paddle.keys():
        ours, theirs = torch[place], paddle[place]
        difference = paired_difference(theirs["values"], ours["values"])
        levels = {k: v for k, v in ours["levels"].items() if k != FRAMEWORK}
        rows.append(
            {
                "levels": levels,
                "difference": asdict(difference),
                "verdict": verdict(difference),
                "same_verdict": _same(ours.get("seen"), theirs.get("seen")),
            }
        )
    order = [_rest(cell) for cell in cells]
    return sorted(rows, key=lambda row: order.index(_rest(row)))


def _same(ours: str | None, theirs: str | None) -> bool | None:
    """两个结论相同与否；有一个下不了时为 None。"""
    return None if {ours, theirs} & {None, TOO_FEW} else ours == theirs


def _rest(item: dict[str, Any]) -> tuple:
    """除框架之外的各臂。"""
    levels = item["levels"].items()
    return tuple((name, str(level)) for name, level in levels if name != FRAMEWORK)
