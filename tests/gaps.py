"""数与数差多少：一律除以数自己的大小，上限才不随处理器而变。

浮点数的舍入与数的大小成正比；别家的处理器换了加法的次序，舍入也换了样子，
绝对的上限在一台机器上恰好够，在另一台上就恰好不够。
内容: `BOUNDS`、`size`、`worst`、`gap`、`close`
"""

from __future__ import annotations

import numpy as np

# 两翼的差的上限，见书里的「框架对照」
BOUNDS = {
    "eval": 1e-5,
    "train": 1e-5,
    "buffers": 1e-5,
    "gradients": 1e-4,
    "step": 1e-5,
    "curve": 1e-4,
}


def size(*arrays) -> float:
    """这些数组里最大的绝对值；都空着时为 0。"""
    return worst(np.max(np.abs(a), initial=0.0) for a in arrays)


def worst(gaps) -> float:
    """最大的一个；有 NaN 就是 NaN，内建的 max 会把它漏掉。"""
    return float(np.max(list(gaps), initial=0.0))


def gap(left, right) -> float:
    """两个数组最大的差，除以 max(1, 左边的最大绝对值)；形状不同是错误。"""
    left, right = np.asarray(left), np.asarray(right)
    assert left.shape == right.shape, (left.shape, right.shape)
    return size(left - right) / max(1.0, size(left))


def close(found, expected, share: float = 1e-5) -> None:
    """每个数的差都不超过 expected 里最大绝对值的 share；超过是错误。"""
    expected = np.asarray(expected)
    bound = share * size(expected)
    np.testing.assert_allclose(np.asarray(found), expected, rtol=0, atol=bound)
