"""初始化：固定种子、建立参数、按层的类型写入权重。两翼同名，同一个种子得到同一组数。"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import paddle
from paddle import nn
from paddle.nn import functional as F

from vision_attention import initial


def seed(value: int) -> None:
    """固定随机性：初始权重（NumPy）与随机失活等（框架）。

    参数: value 为非负整数种子
    """
    initial.seed(value)
    paddle.seed(value)


def parameter(values: np.ndarray) -> paddle.Tensor:
    """由数组建立一个可学习的参数，设备与精度随框架此刻的默认。"""
    values = np.asarray(values)
    return paddle.create_parameter(
        values.shape,
        paddle.get_default_dtype(),
        default_initializer=nn.initializer.Assign(values.astype(np.float32)),
    )


def buffer(values: np.ndarray) -> paddle.Tensor:
    """由数组建立一个不学习的张量，设备与精度同上，交给 register_buffer。"""
    return paddle.to_tensor(np.ascontiguousarray(values), paddle.get_default_dtype())


def mask_bias(mask: np.ndarray | None) -> np.ndarray | None:
    """布尔掩码换成加在打分上的数：看得见处 0，看不见处 −∞。"""
    return None if mask is None else np.where(mask, 0, -np.inf).astype(np.float32)


class Fixed(nn.Layer):
    """有固定张量的层：它们不学习、不存盘，由构造时的参数就能算出来。

    先建在 meta 上的模型，搬到真的设备之后由读者载入权重；固定的张量不在权重里，
    在这里补上。
    """

    def __init__(self):
        super().__init__()

    def fix(self, name: str, values: np.ndarray | None) -> None:
        """登记一个固定的张量；None 表示没有。"""
        # Paddle 没有 meta；LazyGuard 里建的缓冲区立刻就是真的
        self.register_buffer(name, None if values is None else buffer(values), False)


def batch_norm(channels: int, momentum: float = 0.1) -> nn.BatchNorm2D:
    """批归一化，momentum 是新值的权重（Paddle 里记的是旧值的权重，两者互补）。

    参数: channels 即 C；momentum 默认 0.1
    """
    return QuietBatchNorm2D(channels, momentum=1 - momentum)


class QuietBatchNorm2D(nn.BatchNorm2D):
    """批归一化，计算与 nn.BatchNorm2D 相同，只是不在每次训练前向时发一句警告。

    形状: x (B, C, H, W) → (B, C, H, W)
    出处: Ioffe 与 Szegedy 2015，arXiv:1502.03167
    """

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return F.batch_norm(
            x,
            self._mean,
            self._variance,
            weight=self.weight,
            bias=self.bias,
            training=self.training,
            momentum=self._momentum,
            epsilon=self._epsilon,
            data_format=self._data_format,
            use_global_stats=self._use_global_stats,
        )


def uses_batch_statistics(model: nn.Layer) -> bool:
    """有没有批归一化此刻用这一批自己的平均与方差；冻结了、换成别种的都不算。"""
    return any(
        isinstance(layer, nn.BatchNorm2D)
        # 写明了用移动平均的，训练时也不用；写明不用的，评估时也用
        and not layer._use_global_stats
        and (layer.training or layer._use_global_stats is False)
        for layer in model.sublayers(include_self=True)
    )


class LayerNorm(nn.LayerNorm):
    """层归一化，与 nn.LayerNorm 相同，只是不求权重的梯度时，传给输入的梯度也对。

    框架在 CPU 上的反向，不求权重的梯度时当它是 1：权重冻结是一种，评估模式下只对
    输入求梯度（paddle.grad）是另一种。这两种时候先归一化，再另外乘权重。

    形状: x (…, D) → (…, D)
    出处: Ba 等 2016，arXiv:1607.06450
    """

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        learning = self.weight is None or (
            self.training and not self.weight.stop_gradient
        )
        if learning or x.stop_gradient:
            return super().forward(x)
        plain = F.layer_norm(x, self._normalized_shape, epsilon=self._epsilon)
        # 框架把跨几维的权重存成一维
        shape = self._normalized_shape
        bias = 0 if self.bias is None else self.bias.reshape(shape)
        return plain * self.weight.reshape(shape) + bias


def gates(model: nn.Layer) -> None:
    """门控：权重 U(±1/√fan_in)，偏置 0，门从 0.5 附近起步。"""
    _draw(model, initial.fan_in_uniform)


def convolutions(model: nn.Layer) -> None:
    """卷积网络：权重 N(0, √(2/fan_in))，偏置 0。"""
    _draw(model, initial.kaiming_normal)


def transformer(model: nn.Layer, std: float = 0.02) -> None:
    """Transformer 与分类头：权重 N(0, std²)，偏置 0。

    参数: std 默认 0.02，与 timm 相同（它的截断在 ±2，对 0.02 不起作用）
    """
    _draw(model, lambda shape: initial.normal(shape, std))


def zeros(layer: nn.Layer) -> None:
    """把一层的权重与偏置都写成 0。"""
    _draw(layer, lambda shape: np.zeros(shape, np.float32))


def zero_scale(norm: nn.BatchNorm2D) -> None:
    """批归一化的 γ 写成 0，β 不动：这一层起步什么也不出。"""
    _write(norm.weight, np.zeros(tuple(norm.weight.shape), np.float32))


def _draw(model: nn.Layer, distribution: Callable) -> None:
    for layer in model.sublayers(include_self=True):
        if isinstance(layer, nn.Linear | nn.Conv1D | nn.Conv2D):
            shape = tuple(layer.weight.shape)
            if isinstance(layer, nn.Linear):
                # Paddle 的全连接权重是（输入，输出）：按（输出，输入）抽取再转置
                _write(layer.weight, distribution(shape[::-1]).T)
            else:
                _write(layer.weight, distribution(shape))
            if layer.bias is not None:
                _write(layer.bias, np.zeros(layer.bias.shape, np.float32))


def _write(parameter: paddle.Tensor, values: np.ndarray) -> None:
    values = np.ascontiguousarray(values)
    if getattr(parameter, "_init_func", None) is not None:
        # 在 LazyGuard 里：等到 initialize() 才写
        parameter.set_init_func(nn.initializer.Assign(values).forward)
    else:
        parameter.set_value(paddle.to_tensor(values).astype(parameter.dtype))
