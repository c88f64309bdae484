"""数参数与乘加：一个模型有多大、算一次要多少。"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vision_attention import checks

from .hooks import look
from .last_block import spared
from .self_attention import (
    LocalitySelfAttention,
    MultiHeadSelfAttention,
    SelfAttention2d,
)
from .vit import SequencePool, ViT


def count_parameters(model: nn.Module) -> int:
    """可学习的参数个数；批归一化的移动平均不算。"""
    checks.kind("model", model, nn.Module, "模型")
    shapes = [p.shape for p in _parameters(model)]
    return sum(math.prod(shape) for shape in shapes)


def count_macs(model: nn.Module, input_shape: tuple[int, ...]) -> int:
    """一次前向的乘加次数：卷积、全连接与注意力的两次矩阵乘。

    归一化、激活、池化与逐元素的乘法不算，与文献里的 MACs 一致。有分类 token 的 ViT
    最后一块只替它算，数出来比文献里（每块都算全部 token）少一些。
    只数卷积、全连接与课程里的注意力；自己写的矩阵乘、框架自带的多头注意力要另算。

    参数: input_shape 为 (C, H, W)，一张图
    单位: 乘加（1 MAC = 2 FLOPs）
    """
    checks.kind("model", model, nn.Module, "模型")
    sides = checks.several("input_shape", input_shape)
    for side in sides:
        checks.positive("input_shape", side)
    x = _zeros(model, (1, *sides))
    # 数的时候要挂钩子，ViT 就不走近路了：先记下平时走不走
    short = {layer for layer in model.modules() if _short(layer)}
    seen = look(model, x, lambda layer: type(layer) in MACS or layer in short, _macs)
    return sum(macs for _, macs in seen)


def _macs(layer: nn.Module, x: Tensor, y: Tensor) -> int:
    if isinstance(layer, ViT):
        return -spared(layer.blocks[-1], layer.spec.num_tokens)
    return MACS[type(layer)](layer, x, y)


def _short(layer: nn.Module) -> bool:
    return isinstance(layer, ViT) and layer.short()


def _matrix(layer: nn.Module, x: Tensor, y: Tensor) -> int:
    """卷积与全连接：每个输出数要做 fan_in 次乘加。"""
    weights = math.prod(layer.weight.shape)
    return math.prod(y.shape) * weights // _outputs(layer)


def _sequence(layer: nn.Module, x: Tensor, y: Tensor) -> int:
    return 2 * y.shape[1] * x.shape[1] * x.shape[2]


def _map(layer: nn.Module, x: Tensor, y: Tensor) -> int:
    return 2 * (x.shape[2] * x.shape[3]) ** 2 * x.shape[1]


def _pool(layer: SequencePool, x: Tensor, y: Tensor) -> int:
    return math.prod(x.shape)


def _outputs(layer: nn.Module) -> int:
    """权重里输出那一维的大小。"""
    return layer.weight.shape[0]


def _parameters(model: nn.Module) -> list[Tensor]:
    return [p for p in model.parameters() if p.requires_grad]


def _zeros(model: nn.Module, shape: tuple[int, ...]) -> Tensor:
    """全零的图，精度与设备随模型；没有参数的模型用 float32。"""
    x = torch.zeros(shape)
    like = next(iter(model.parameters()), None)
    return x if like is None else x.to(like.device, like.dtype)


MACS = {
    nn.Conv1d: _matrix,
    nn.Conv2d: _matrix,
    nn.Linear: _matrix,
    MultiHeadSelfAttention: _sequence,
    LocalitySelfAttention: _sequence,
    SelfAttention2d: _map,
    SequencePool: _pool,
}
