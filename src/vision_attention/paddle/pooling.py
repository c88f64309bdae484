"""把一张图、一串通道归成一个数；两翼写法不同，结果相同。

内容: `global_mean` 沿空间的平均；`global_max`、`channel_max` 沿空间、沿通道的最大值，
并列时梯度给第一个
"""

from __future__ import annotations

import paddle
from paddle import Tensor
from paddle.nn import functional as F


def global_mean(x: Tensor) -> Tensor:
    """沿空间的平均。

    形状: x (B, C, H, W) → (B, C)
    """
    # 不用 mean：它的反向比池化慢十倍上下（benchmarks/wings.json）
    return F.adaptive_avg_pool2d(x, 1).flatten(1)


def global_max(x: Tensor) -> Tensor:
    """沿空间的最大值；并列时梯度给第一个。

    形状: x (B, C, H, W) → (B, C)
    """
    if paddle.in_dynamic_mode() and not x.stop_gradient:
        # 整张都是 nan 的图，自适应池化的反向会写坏内存，训练发散时整个进程就没了
        return F.max_pool2d(x, x.shape[2:]).flatten(1)
    return F.adaptive_max_pool2d(x, 1).flatten(1)


def channel_max(x: Tensor) -> Tensor:
    """沿通道的最大值；并列时梯度给第一个（topk 给的是哪一个，说不准）。

    形状: x (B, C, H, W) → (B, 1, H, W)
    """
    b, c, h, w = x.shape
    # 把通道当成图的高来池化：比 topk 快几倍，max 的反向则慢几百倍
    lines = x.reshape((b, 1, c, h * w))  # 一行是一个通道
    return F.max_pool2d(lines, (c, 1)).reshape((b, 1, h, w))
