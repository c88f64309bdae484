"""一种做法比另一种贵多少：参数个数、一次运行的处理器秒数。

内容: Cost、cost。
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from vision_attention.studies.results.evidence import Findings


@dataclass(frozen=True)
class Cost:
    """一种做法的代价，与参照相比。

    参数: parameters 为多几个参数，少则为负；share 为多出的占参照的几分之几；
        time 为一次运行的处理器秒数是参照的几倍，各粒种子配对相比再取中位数
    """

    parameters: int
    share: float
    time: float


def cost(
    found: Findings, levels: Mapping[str, Any], reference: Mapping[str, Any]
) -> Cost:
    """一种做法减去参照的代价。

    参数: found 为一项研究的结果；levels、reference 为两臂的取值
    错误: 两臂没有共同的种子时抛出 ValueError
    """
    ours, theirs = (found.values("parameters", **one) for one in (levels, reference))
    spent, before = (found.values("cpu_seconds", **one) for one in (levels, reference))
    shared = sorted(spent.keys() & before.keys())
    if not shared:
        raise ValueError(
            f"{dict(levels)} 与 {dict(reference)} 没有共同的种子，比不出代价"
        )
    seed = shared[0]
    extra = int(ours[seed] - theirs[seed])
    ratios = [spent[one] / before[one] for one in shared]
    return Cost(extra, extra / theirs[seed], median(ratios))
