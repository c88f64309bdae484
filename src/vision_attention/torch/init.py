"""初始化：固定种子、建立参数、按层的类型写入权重。两翼同名，同一个种子得到同一组数。"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from vision_attention import initial


def seed(value: int) -> None:
    """固定随机性：初始权重（NumPy）与随机失活等（框架）。

    参数: value 为非负整数种子
    """
    initial.seed(value)
    torch.manual_seed(value)


def parameter(values: np.ndarray) -> nn.Parameter:
    """由数组建立一个可学习的参数。"""
    return nn.Parameter(torch.from_numpy(np.asarray(values, np.float32)))


def buffer(values: np.ndarray) -> torch.Tensor:
    """由数组建立一个不学习的张量，交给 register_buffer。"""
    return torch.from_numpy(np.ascontiguousarray(values))


def mask_bias(mask: np.ndarray | None) -> torch.Tensor | None:
    """布尔掩码换成加在打分上的数：看得见处 0，看不见处 −∞。"""
    if mask is None:
        return None
    return buffer(np.where(mask, 0, -np.inf).astype(np.float32))


def batch_norm(channels: int, momentum: float = 0.1) -> nn.BatchNorm2d:
    """批归一化，momentum 是新值的权重（Paddle 里记的是旧值的权重，两者互补）。

    参数: channels 即 C；momentum 默认 0.1
    """
    return nn.BatchNorm2d(channels, momentum=momentum)


def gates(model: nn.Module) -> None:
    """门控：权重 U(±1/√fan_in)，偏置 0，门从 0.5 附近起步。"""
    _draw(model, initial.fan_in_uniform)


def convolutions(model: nn.Module) -> None:
    """卷积网络：权重 N(0, √(2/fan_in))，偏置 0。"""
    _draw(model, initial.kaiming_normal)


def transformer(model: nn.Module, std: float = 0.02) -> None:
    """Transformer 与分类头：权重 N(0, std²)，偏置 0。

    参数: std 默认 0.02，与 timm 相同（它的截断在 ±2，对 0.02 不起作用）
    """
    _draw(model, lambda shape: initial.normal(shape, std))


def zeros(layer: nn.Module) -> None:
    """把一层的权重与偏置都写成 0。"""
    _draw(layer, lambda shape: np.zeros(shape, np.float32))


def _draw(model: nn.Module, distribution: Callable) -> None:
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
            values = distribution(tuple(layer.weight.shape))
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(values))
                if layer.bias is not None:
                    layer.bias.zero_()
