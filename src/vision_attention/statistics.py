"""统计：均值的区间、配对差、多重比较；数都出自 SciPy。

内容: Estimate、mean_interval、paired_difference、holm、verdict；
    sign_flip_p、sign_test_p、survives（少一粒种子还成不成立）、within（相差不到 δ）、
    answer（四种回答）、share_interval、share_difference；half_width、detectable、
    needed（几粒种子看得见多大的差）。
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
ALPHA = 0.05  # 校正之后的 p 不到它，才说提高或降低
UP, DOWN, UNSEEN, TOO_FEW = "提高", "降低", "看不出差别", "次数不够"
ALIKE, UNSURE = "相差不到 δ", "说不准"


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


FLIPS = 20  # 再多就不逐一数完全部 2ⁿ 种符号，改为抽样
DRAWS = 200_000


def sign_flip_p(differences: Sequence[float]) -> float | None:
    """符号翻转检验的双侧 p：差若与 0 对称，每个差的正负号可以随意翻转。

    不假定正态。n 个差至多 2ⁿ 种翻法，所以 n = 10 时 p 不会小于 2/1024。

    参数: differences 为按种子配对的差；不足两个时返回 None；超过 FLIPS 个时抽样
        DRAWS 次（种子固定），p 至少为 1 / (DRAWS + 1)
    出处: Fisher 1935，The Design of Experiments，§21
    """
    sample = np.asarray(differences, dtype=float)
    n = len(sample)
    if n < 2:
        return None
    seen = abs(sample.sum()) * (1 - 1e-12)
    if n > FLIPS:
        signs = np.random.default_rng(0).integers(0, 2, (DRAWS, n)) * 2 - 1
        return float((np.sum(abs(signs @ sample) >= seen) + 1) / (DRAWS + 1))
    sums = np.zeros(1)
    for value in sample:
        sums = np.concatenate([sums - value, sums + value])
    return float(np.mean(abs(sums) >= seen))


def sign_test_p(differences: Sequence[float]) -> float | None:
    """符号检验的双侧 p：只看正负，不看大小，差为 0 的不算。

    到了步数上限还没有学会的，只知道“至少这么多”，大小说不清而先后说得清，用它；
    做对与没做对的配对（差取 1、0、−1）用它，就是精确的 McNemar 检验。

    参数: differences 为按种子配对的差；不足两个时返回 None；个个是 0 时返回 1
    出处: Conover 1999，Practical Nonparametric Statistics，§3.4、§3.5
    """
    if len(differences) < 2:
        return None
    up, down = (sum(sign * d > 0 for d in differences) for sign in (1, -1))
    n = up + down
    tail = sum(math.comb(n, k) for k in range(min(up, down) + 1)) / 2**n
    return min(1.0, 2 * tail)


def survives(differences: Sequence[float]) -> bool | None:
    """去掉任何一粒种子，结论是否都与全部种子的相同；不足三粒时返回 None。"""
    sample = list(differences)
    if len(sample) < 3:
        return None
    whole = verdict(mean_interval(sample))
    rest = (sample[:k] + sample[k + 1 :] for k in range(len(sample)))
    return all(verdict(mean_interval(part)) == whole for part in rest)


def within(difference: Estimate, margin: float) -> bool:
    """相差不到 margin：整个 95 % 区间都在 ±margin 之内。"""
    if difference.low is None or difference.high is None:
        return False
    return -margin < difference.low and difference.high < margin


def answer(
    difference: Estimate, margin: float | None, adjusted: float | None = None
) -> str:
    """四种回答之一：提高、降低、相差不到 δ、说不准；不足两粒种子的说次数不够。

    参数: margin 即 δ，None 表示没有定过；adjusted 为一族校正之后的 p，
        缺省为 difference 自己的。校正之后不到 0.05 才说提高或降低
    """
    p = difference.p if adjusted is None else adjusted
    if p is None or difference.mean is None:
        return TOO_FEW
    if p < ALPHA:
        return UP if difference.mean > 0 else DOWN
    return ALIKE if margin is not None and within(difference, margin) else UNSURE


def share_interval(hits: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """N 次里中了 hits 次，那一份额的精确区间；两端不会越出 0 与 1。

    参数: level 为把握，缺省 0.95
    出处: Clopper 与 Pearson 1934，Biometrika 26(4)
    """
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else float(betaincinv(hits, n - hits + 1, tail))
    high = 1.0 if hits == n else float(betaincinv(hits + 1, n - hits, 1 - tail))
    return low, high


def share_difference(ours: Sequence[bool], theirs: Sequence[bool]) -> Estimate:
    """按种子配对的两臂，做对的份额差多少；p 为精确的 McNemar 检验。

    区间由两臂各自 97.5 % 的精确区间相减而得，所以保守，两端不会越出 −1 与 1。

    参数: ours、theirs 为同样的种子、同样的次序，各自做对没有
    """
    n = len(ours)
    if n == 0:
        return Estimate(0, None)
    mean = (sum(ours) - sum(theirs)) / n
    if n == 1:
        return Estimate(1, mean)
    each = 1 - (1 - LEVEL) / 2
    (low, high), (low_2, high_2) = (
        share_interval(sum(arm), n, each) for arm in (ours, theirs)
    )
    p = sign_test_p([int(a) - int(b) for a, b in zip(ours, theirs, strict=True)])
    return Estimate(n, mean, None, low - high_2, high - low_2, p)


def half_width(sd: float, n: int) -> float:
    """配对差有 n 个、标准差为 sd 时，95 % 区间的半宽。"""
    from scipy.special import stdtrit

    return float(stdtrit(n - 1, (1 + LEVEL) / 2)) * sd / math.sqrt(n)


def power_of(effect: float, sd: float, n: int) -> float:
    """真正的差为 effect 时，n 粒种子的双侧 t 检验有几成把握看见它（p < 0.05）。"""
    from scipy.special import nctdtr, stdtrit

    critical = stdtrit(n - 1, (1 + LEVEL) / 2)
    shift = effect * math.sqrt(n) / sd
    missed = nctdtr(n - 1, shift, critical) - nctdtr(n - 1, shift, -critical)
    # 差比起伏大得太多时库算不出来：那时不会看不见
    return 1.0 if math.isnan(missed) else 1 - float(missed)


def detectable(sd: float, n: int, power: float = 0.8) -> float:
    """有 n 粒种子时看得见的最小的差：真正的差这么大，有 power 的把握看见。"""
    if sd == 0:
        return 0.0
    low, high = 0.0, half_width(sd, n)
    while power_of(high, sd, n) < power:
        high *= 1.5
    # 折半：scipy.optimize 光是载入就要 0.16 秒，读者第一次看结论时等的是它
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        if power_of(middle, sd, n) < power:
            low = middle
        else:
            high = middle
    return high


def needed(sd: float, effect: float, power: float = 0.8) -> int:
    """要有 power 的把握看见 effect 那么大的差，至少几粒种子（不少于 3）。"""
    n = 3
    while power_of(effect, sd, n) < power:
        n += 1
    return n
