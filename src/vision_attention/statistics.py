"""统计：均值的区间、配对差、多重比较；数都出自 SciPy。

内容: Estimate、mean_interval、paired_difference、holm、verdict。
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
UP, DOWN, UNSEEN, TOO_FEW = "提高", "降低", "看不出差别", "次数不够"


@dataclass(frozen=True)
class Estimate:
    """一个均值和它的 95 % 区间。

    参数: n 为个数；mean 均值；sd 标准差（n − 1）；low、high 区间两端；p 双侧 t 检验，
        检验均值是否为 0。n < 2 时 sd、low、high、p 为 None
    """

    n: int
    mean: float | None
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None


def mean_interval(values: Sequence[float]) -> Estimate:
    """均值与 95 % t 区间。

    全部相同时区间缩成一点：标准差估为 0，均值不为 0 则 p 记为 0，为 0 则记为 1。
    出处: Student 的 t 分布，自由度 n − 1
    """
    sample = np.asarray(values, dtype=float)
    n = len(sample)
    if n == 0:
        return Estimate(0, None)
    mean = float(sample.mean())
    if n == 1:
        return Estimate(1, mean)
    sd = float(sample.std(ddof=1))
    # 相同的小数相减会留下舍入误差，1e-12 远小于任何指标的分辨率
    if sd <= 1e-12 * max(1.0, abs(mean)):
        return Estimate(n, mean, 0.0, mean, mean, float(abs(mean) <= 1e-12))
    error = sd / math.sqrt(n)
    # 与 scipy.stats.t 逐位相同；用到时才载入，做运行的进程从不算区间
    from scipy.special import stdtr, stdtrit

    low, high = (
        mean + float(stdtrit(n - 1, share)) * error
        for share in ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    )
    p = 2 * float(stdtr(n - 1, -abs(mean) / error))
    return Estimate(n, mean, sd, low, high, p)


def paired_difference(
    values: dict[int, float], reference: dict[int, float]
) -> Estimate:
    """按种子配对的差（这一臂减参照臂），只用两边都有的种子。

    参数: values、reference 为种子 → 指标
    """
    seeds = sorted(values.keys() & reference.keys())
    return mean_interval([values[seed] - reference[seed] for seed in seeds])


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm 校正后的 p：一张表里比了多次时，控制至少一次误报的概率。

    出处: Holm 1979，Scandinavian Journal of Statistics 6(2)
    """
    order = sorted(
        (i for i, p in enumerate(p_values) if p is not None), key=lambda i: p_values[i]
    )
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, p_values[index] * (len(order) - rank)))
        adjusted[index] = largest
    return adjusted


def verdict(difference: Estimate) -> str:
    """区间不含 0 才说提高或降低（指数值本身的升降），否则是看不出差别。"""
    if difference.low is None or difference.high is None:
        return TOO_FEW
    if difference.low > 0:
        return UP
    if difference.high < 0:
        return DOWN
    return UNSEEN
