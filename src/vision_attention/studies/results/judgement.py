"""一个比较的结论是什么样子，怎样写成话。

内容: Judgement、say、told、amount、MEAN、SHARE、ORDER、COUNT、EQUAL。
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from vision_attention.statistics import ALIKE, DOWN, UNSEEN, UNSURE, UP, Estimate
from vision_attention.studies.tasks.metrics import ACCURACIES
from vision_attention.wording import DIGITS, number, signed

# 四种量法：均值、做对的份额、先后（有的到上限还没有到）、由结构数出来的
MEAN, SHARE, ORDER, COUNT = "均值", "份额", "先后", "数出来的"
EQUAL = "一样"


@dataclass(frozen=True)
class Judgement:
    """一个比较的结果。

    参数: difference 为 ours 减 reference；verdict 为结论：提高、降低、相差不到 δ、
        说不准、次数不够，数出来的还有“一样”；p 为一族 Holm 校正后的；
        family、size 为族的名字与个数；
        role 为选择、对照或阳性对照；kind 为量法；within 为整个区间都在多少之内
        （没有则 None）；p_sign 为精确的符号翻转检验；survives 为去掉任何一粒种子、
        整族重判，结论是否不变；detectable 为有八成把握看见的最小差；
        hits 为两臂各做对几粒，只有比份额时才有
    """

    difference: Estimate
    verdict: str
    p: float | None
    family: str
    size: int
    role: str
    kind: str
    within: float | None = None
    p_sign: float | None = None
    survives: bool | None = None
    detectable: float | None = None
    hits: tuple[int, int] | None = None

    @property
    def seen(self) -> str | None:
        """看见的方向；没有看见为 None。"""
        return self.verdict if self.verdict in (UP, DOWN) else None

    @property
    def broad(self) -> str:
        """粗分的结论：相差不到 δ 与说不准都叫“看不出差别”。"""
        return UNSEEN if self.verdict in (ALIKE, UNSURE) else self.verdict

    @property
    def mirrored(self) -> Judgement:
        """两臂对调：reference 减 ours，方向相反，把握不变。"""
        one = self.difference
        low, high = (None if v is None else -v for v in (one.high, one.low))
        mean = None if one.mean is None else -one.mean
        return replace(
            self,
            difference=replace(one, mean=mean, low=low, high=high),
            verdict={UP: DOWN, DOWN: UP}.get(self.verdict, self.verdict),
            hits=None if self.hits is None else self.hits[::-1],
        )

    @property
    def half_width(self) -> float | None:
        """区间的半宽。"""
        found = self.difference
        return None if found.low is None else (found.high - found.low) / 2


def say(word: str, bound: float | None, metric: str) -> str:
    """结论写成话：相差不到的，说出不到多少。

    参数: word、bound 为 Judgement 的 verdict、within；metric 为指标，准确率以“点”计
    """
    if word != ALIKE or bound is None:
        return word
    size = f"{100 * bound:g} 点" if metric in ACCURACIES else f"{bound:g}"
    return f"相差不到 {size}"


def told(found: Judgement, metric: str) -> str:
    """结论写成话，连同把握：少一粒种子就变的、区间有多宽，都说出来。"""
    if found.verdict == UNSURE and found.half_width is not None:
        return f"说不准 ±{number(found.half_width, DIGITS.get(metric, 3))}"
    weak = "（少一粒种子就变）" if found.seen and found.survives is False else ""
    return say(found.verdict, found.within, metric) + weak


def amount(found: Estimate, digits: int = 3) -> str:
    """一个差写进句子：平均与区间，如 +0.012（+0.001 到 +0.023）。"""
    low, high = signed(found.low, digits), signed(found.high, digits)
    return f"{signed(found.mean, digits)}（{low} 到 {high}）"
