"""把一张图、一串通道归成一个数；两翼写法不同，结果相同。

内容: `global_mean` 沿空间的平均；`global_max`、`channel_max` 沿空间、沿通道的最大值，
并列时梯度给第一个
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .modes import eager


def global_mean(x: Tensor) -> Tensor:
    """沿空间的平均。

    形状: x (B, C, H, W) → (B, C)
    """
    return x.mean((2, 3))


def global_max(x: Tensor) -> Tensor:
    """沿空间的最大值；并列时梯度给第一个。

    形状: x (B, C, H, W) → (B, C)
    """
    if not eager():
        # 池化会把图的大小记成常数，amax 又平分梯度；max 处处能用，只是慢
        return x.flatten(2).max(2)[0]
    if needs_gradient(x):
        return F.max_pool2d(x, x.shape[2:]).flatten(1)
    return x.amax((2, 3))


def channel_max(x: Tensor) -> Tensor:
    """沿通道的最大值；并列时梯度给第一个（topk 给的是哪一个，说不准）。

    形状: x (B, C, H, W) → (B, 1, H, W)
    """
    if not eager():
        return x.max(1, keepdim=True)[0]
    if not needs_gradient(x):
        return x.amax(1, keepdim=True)
    if x.is_cpu:
        return _ChannelMax.apply(x)
    lines = x.flatten(2).unsqueeze(1)  # (B, 1, C, H·W)
    return F.max_pool2d(lines, (x.shape[1], 1)).unflatten(3, x.shape[2:]).squeeze(2)


class _ChannelMax(torch.autograd.Function):
    """CPU 上的 channel_max：不记下标，反向时再看最大值在哪里，比池化快一倍多。"""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        peak = x.amax(1, keepdim=True)
        ctx.save_for_backward(x, peak)
        return peak

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        x, peak = (saved.detach() for saved in ctx.saved_tensors)
        # 结果直接写成浮点：写成布尔慢 7 倍
        first = torch.eq(x, peak, out=torch.empty_like(x))
        # 空的一批没有最大值可看
        if x.numel() and first.sum(1).amax() > 1:
            first = torch.zeros_like(x).scatter_(1, first.argmax(1, keepdim=True), 1.0)
        return first * grad


def needs_gradient(x: Tensor) -> bool:
    """反向会不会经过 x；不会的话可以用 amax：快得多，只是并列时平分梯度。"""
    return x.requires_grad and torch.is_grad_enabled()
