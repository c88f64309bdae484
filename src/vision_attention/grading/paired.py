"""两臂的准确率，与配对差的区间：照书里的算法，照认得的几种写错的算法。

内容: INTERVAL、arms、interval_of。
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

Arm = dict[int, float]
Choice = Mapping[str, str]
# 哪一处 → 书里的写法
INTERVAL = {
    "interval_pairing": "seeds",
    "interval_quantile": "student",
    "interval_spread": "sample",
    "interval_error": "mean",
    "interval_sign": "ours",
}


def arms(seed: int, common: int, effect: float = 0.004) -> tuple[Arm, Arm]:
    """造两臂的准确率：同一粒种子的两个数相关；次序打乱，各有一粒对方没有的。"""
    rng = np.random.default_rng(seed)
    level = rng.normal(0.9, 0.02, common + 2)
    gain = rng.normal(effect, 0.006, common + 2)
    theirs = {k: float(level[k]) for k in rng.permutation(common + 1).tolist()}
    later = [k for k in rng.permutation(common + 2).tolist() if k > 0]
    return {k: float(level[k] + gain[k]) for k in later}, theirs


def interval_of(ours: Arm, theirs: Arm, choice: Choice) -> tuple[float, float, float]:
    """平均差与 95 % 区间，照选中的写法。"""
    from scipy.special import stdtrit

    ddof = int(choice["interval_spread"] == "sample")
    if choice["interval_sign"] == "theirs":
        ours, theirs = theirs, ours
    if choice["interval_pairing"] == "unpaired":
        parts = [np.array(list(arm.values())) for arm in (ours, theirs)]
        degrees, middle = sum(map(len, parts)) - 2, parts[0].mean() - parts[1].mean()
    else:
        parts = [_paired(ours, theirs, choice["interval_pairing"])]
        degrees, middle = len(parts[0]) - 1, parts[0].mean()
    shared = choice["interval_error"] == "mean"
    error = math.sqrt(sum(p.var(ddof=ddof) / (len(p) if shared else 1) for p in parts))
    quantile = {
        "student": stdtrit(degrees, 0.975),
        "fixed": stdtrit(9, 0.975),
        "normal": 1.96,
    }[choice["interval_quantile"]]
    return middle, middle - quantile * error, middle + quantile * error


def _paired(ours: Arm, theirs: Arm, how: str) -> np.ndarray:
    """逐个相减：照种子，或照写下的次序。"""
    if how == "order":
        pairs = zip(ours.values(), theirs.values(), strict=False)
        return np.array([a - b for a, b in pairs])
    return np.array([ours[k] - theirs[k] for k in sorted(ours.keys() & theirs.keys())])
