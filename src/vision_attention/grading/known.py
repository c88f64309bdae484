"""公开的几份 CBAM：各是哪一种写法，认得出来的特征是什么。

内容: KnownCode、CBAMS、alike。
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from vision_attention.grading.report import Report


@dataclass(frozen=True)
class KnownCode:
    """公开的一份。

    参数: name 为叫法；source 为在哪里；changed 为与论文不同的写法（哪一处.键）；
        without_bias 为没有偏置的几层；kernel_size 为空间卷积的核宽，None 是没有这
        一层；effect 为后果
    """

    name: str
    source: str
    changed: list[str]
    without_bias: list[str]
    kernel_size: int | None
    effect: str


_ROWS = yaml.safe_load(Path(__file__).with_name("known.yaml").read_text("utf8"))
CBAMS = tuple(KnownCode(**row) for row in _ROWS)


def alike(report: Report) -> list[tuple[KnownCode, list[str]]]:
    """最像的几份，连同还有哪里不同；式子不同的不算。"""
    if "changed" not in report.facts:
        return []
    near = []
    for code in CBAMS:
        if sorted(code.changed) == report.facts["changed"]:
            near.append((code, _differences(code, report)))
    least = min((len(other) for _, other in near), default=0)
    return [(code, other) for code, other in near if len(other) == least]


def _differences(code: KnownCode, report: Report) -> list[str]:
    told = []
    if code.kernel_size != report.facts["kernel_size"]:
        told.append(f"核宽 {report.facts['kernel_size']}，那一份是 {code.kernel_size}")
    if sorted(code.without_bias) != report.facts["without_bias"]:
        names = "、".join(code.without_bias) or "没有一层"
        told.append(f"没有偏置的几层不同：那一份是 {names}")
    return told
