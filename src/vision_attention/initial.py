"""初始权重：由 NumPy 抽取，两翼拿到的是同一串数。

框架的默认初始化各不相同（PyTorch 的全连接是均匀分布，Paddle 是 Xavier），
随机数生成器也不同。初始权重在这里抽好再交给框架，于是同一个种子在两翼
得到逐位相同的模型。形状一律按 PyTorch 的次序：（输出，输入，核高，核宽）。
"""

from __future__ import annotations

import math

import numpy as np

from vision_attention import checks

_state = {"generator": np.random.default_rng()}


def seed(value: int) -> None:
    """固定此后抽取的初始权重。

    参数: value 为非负整数种子
    """
    _state["generator"] = np.random.default_rng(checks.whole("value", value, 0))


def kaiming_normal(shape: tuple[int, ...]) -> np.ndarray:
    """N(0, √(2 / fan_in))：经过 ReLU 之后方差不变。

    参数: shape 为（输出，输入，…）；fan_in 为除第一维外的乘积
    返回: float32 数组
    出处: He 等 2015，arXiv:1502.01852，式 (10)
    """
    return normal(shape, math.sqrt(2 / _fan_in(shape)))


def fan_in_uniform(shape: tuple[int, ...]) -> np.ndarray:
    """U(−1/√fan_in, 1/√fan_in)：门控的打分从 0 附近起步，门从 0.5 附近起步。

    参数: shape 为（输出，输入，…）
    返回: float32 数组
    出处: 与 PyTorch 对卷积和全连接权重的默认值相同
    """
    bound = 1 / math.sqrt(_fan_in(shape))
    return _state["generator"].uniform(-bound, bound, shape).astype(np.float32)


def normal(shape: tuple[int, ...], std: float) -> np.ndarray:
    """N(0, std²)。

    参数: shape 为任意形状；std 为标准差
    返回: float32 数组
    """
    return (std * _state["generator"].standard_normal(shape)).astype(np.float32)


def _fan_in(shape: tuple[int, ...]) -> int:
    return math.prod(shape[1:])
