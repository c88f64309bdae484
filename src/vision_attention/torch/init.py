"""初始化：固定种子、建立参数、按层的类型写入权重。两翼同名，同一个种子得到同一组数。"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
    """由数组建立一个可学习的参数，设备与精度随框架此刻的默认。"""
    return nn.Parameter(buffer(values))


def buffer(values: np.ndarray) -> torch.Tensor:
    """由数组建立一个不学习的张量，设备与精度同上，交给 register_buffer。"""
    # from_numpy 不看默认的设备
    return torch.tensor(np.asarray(values), dtype=torch.get_default_dtype())


def mask_bias(mask: np.ndarray | None) -> np.ndarray | None:
    """布尔掩码换成加在打分上的数：看得见处 0，看不见处 −∞。"""
    return None if mask is None else np.where(mask, 0, -np.inf).astype(np.float32)


class Fixed(nn.Module):
    """有固定张量的层：它们不学习、不存盘，由构造时的参数就能算出来。

    先建在 meta 上的模型，搬到真的设备之后由读者载入权重；固定的张量不在权重里，
    在这里补上。
    """

    def __init__(self):
        super().__init__()

    def fix(self, name: str, values: np.ndarray | None) -> None:
        """登记一个固定的张量；None 表示没有。"""
        self.register_buffer(name, None if values is None else buffer(values), False)
        if values is not None:
            self.__dict__.setdefault("_fixed", {})[name] = values
            self.register_load_state_dict_post_hook(_after_loading)

    def _apply(self, fn: Callable, recurse: bool = True) -> Fixed:
        empty = [n for n in self.__dict__.get("_fixed", ()) if getattr(self, n).is_meta]
        super()._apply(fn, recurse)
        for name in empty:
            # 还在 meta 上也无妨：那里的写入什么也不做
            getattr(self, name).copy_(torch.from_numpy(self._fixed[name]))
        return self


def _after_loading(layer: Fixed, _: Any) -> None:
    """load_state_dict(assign=True) 把参数换成别的，固定的张量跟过去。"""
    like = next(layer.parameters(), None)
    if like is None:  # 量化之后的层里没有参数，也就没有什么可跟
        return
    for name, values in layer._fixed.items():
        old = getattr(layer, name)
        place = like.device if old.is_meta else old.device
        kind = like.dtype if like.is_floating_point() else old.dtype
        if (place, kind) != (old.device, old.dtype):
            setattr(layer, name, torch.tensor(values, dtype=kind, device=place))


def batch_norm(channels: int, momentum: float = 0.1) -> nn.BatchNorm2d:
    """批归一化，momentum 是新值的权重（Paddle 里记的是旧值的权重，两者互补）。

    参数: channels 即 C；momentum 默认 0.1
    """
    return nn.BatchNorm2d(channels, momentum=momentum)


def uses_batch_statistics(model: nn.Module) -> bool:
    """有没有批归一化此刻用这一批自己的平均与方差；冻结了、换成别种的都不算。"""
    layers = model.modules()
    return any(
        isinstance(layer, nn.BatchNorm2d)
        and (layer.training or layer.running_mean is None)
        for layer in layers
    )


LayerNorm = nn.LayerNorm
"""层归一化；Paddle 的要绕开框架的一个错，两翼因此都从这里取。"""


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


def zero_scale(norm: nn.BatchNorm2d) -> None:
    """批归一化的 γ 写成 0，β 不动：这一层起步什么也不出。"""
    nn.init.zeros_(norm.weight)


def _draw(model: nn.Module, distribution: Callable) -> None:
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
            values = distribution(tuple(layer.weight.shape))
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(values))
                if layer.bias is not None:
                    layer.bias.zero_()
