"""两个框架说的是不是一回事：同一臂的差，以及同一比较的结论。

内容: agreement。
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from vision_attention.studies.statistics import paired_difference, verdict

if TYPE_CHECKING:
    from vision_attention.studies.schema import Compare

FRAMEWORK = "framework"


def agreement(cells: list[dict[str, Any]], compare: Compare | None) -> list[dict]:
    """每个组合在两个框架里的比较；只有一个框架时为空。

    参数: cells 为 summarize 的各项；compare 为研究比的因素
    返回: 每项含 levels、difference（paddle − torch，按种子配对）、verdict，
        以及 same_verdict（两边对参照臂的结论是否相同，没有比较时为 None）
    """
    torch, paddle = (
        {_rest(cell): cell for cell in cells if cell["levels"][FRAMEWORK] == name}
        for name in ("torch", "paddle")
    )
    rows = []
    for place in torch.keys() & paddle.keys():
        ours, theirs = torch[place], paddle[place]
        difference = paired_difference(theirs["values"], ours["values"])
        both = "verdict" in ours and "verdict" in theirs
        levels = {k: v for k, v in ours["levels"].items() if k != FRAMEWORK}
        rows.append(
            {
                "levels": levels,
                "difference": asdict(difference),
                "verdict": verdict(difference),
                "same_verdict": ours["verdict"] == theirs["verdict"] if both else None,
            }
        )
    order = [_rest(cell) for cell in cells]
    return sorted(rows, key=lambda row: order.index(_rest(row)))


def _rest(item: dict[str, Any]) -> tuple:
    """除框架之外的各臂。"""
    levels = item["levels"].items()
    return tuple((name, str(level)) for name, level in levels if name != FRAMEWORK)
