"""看进模型里面：门、注意力权重、有效感受野、Grad-CAM；数参数与乘加。

结果都是 NumPy 数组，交给 plots 与 attention_maps；看的是评估模式下的模型，看完它不变，
什么也不留在它身上。effective_receptive_field 收的是函数，评估模式要自己切换。
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from vision_attention import checks
from vision_attention.attention_maps import (
    entropy,
    mean_attention_distance,
    rollout,
)
from vision_attention.checks import inspection
from vision_attention.measure.memory import peak_memory

from .counting import count_macs, count_parameters
from .device import array
from .hooks import evaluating, gradients, look, recorded
from .self_attention import MultiHeadSelfAttention, SelfAttention2d

__all__ = [
    "attention",
    "count_macs",
    "count_parameters",
    "effective_receptive_field",
    "entropy",
    "gates",
    "grad_cam",
    "mean_attention_distance",
    "peak_memory",
    "rollout",
]


def gates(model: nn.Module, x: Tensor) -> dict[str, np.ndarray]:
    """每一道门在这批图上的开度。

    形状: x (B, C, S, S) → {层的名字：gate(x)}，门的形状见各类
    错误: 模型里没有门时抛出 ValueError
    """
    checks.kind("model", model, nn.Module, "模型")
    outer = _gates(model)
    seen = look(
        model,
        x,
        lambda layer: layer in outer,
        lambda layer, given, _: array(layer.gate(given)),
    )
    return _found(model, seen, "门")


def attention(model: nn.Module, x: Tensor) -> dict[str, np.ndarray]:
    """每一层自注意力在这批图上的权重。

    形状: x (B, C, S, S) → {层的名字：(B, A, N, N)}
    错误: 模型里没有自注意力时抛出 ValueError
    """
    kinds = (MultiHeadSelfAttention, SelfAttention2d)
    seen = look(
        model,
        x,
        lambda layer: isinstance(layer, kinds),
        lambda layer, given, _: array(layer.weights(given)),
    )
    return _found(model, seen, "自注意力")


@gradients()
def effective_receptive_field(
    function: Callable[[Tensor], Tensor],
    x: Tensor,
    position: int | tuple[int, int] | None = None,
) -> np.ndarray:
    """有效感受野：输出某一处对每个输入像素的梯度有多大。

    形状: x (B, C, H, W) → (H, W)，已除以最大值
    参数: function 给出 (B, C', H', W') 的特征图或 (B, N, D) 的 token，例如
        model.features，请先 model.eval()；position 为看哪一处：特征图上是 (行, 列)，
        token 上是编号，默认正中
    错误: function 的输出不是三维或四维、不受 x 影响，或 position 不在输出里时抛出
        ValueError
    出处: Luo 等 2016，arXiv:1701.04128，§2
    """
    checks.kind("function", function, Callable, "函数，例如 model.features")
    leaf = _leaf(x)
    spot = _spot(function(leaf), position)
    slopes = _gradient("x", leaf, "function 的输出", spot.sum())
    field = np.abs(slopes).sum(1).mean(0)
    return field / max(field.max(), 1e-30)


@gradients()
def grad_cam(
    model: nn.Module, layer: nn.Module, x: Tensor, target: list[int]
) -> np.ndarray:
    """Grad-CAM：这一层的哪些位置支持了 target 这个类别；在评估模式下看。

    形状: x (B, C, S, S) → (B, H', W')，不小于 0，未归一化
    参数: layer 为 model 里的一层，输出 (B, C', H', W')，或 (B, N, D) 的 token，此时分类
        token 不算，其余按行排成方阵；target 为每张图的类别。参数冻结与否都可以
    错误: layer 不在 model 里，输出不是特征图或一个方阵的 token，或不影响打分，target
        不是每张图一个类别时抛出 ValueError
    出处: Selvaraju 等 2017，arXiv:1610.02391，式 (1)–(2)；用在 token 上是通行的推广
    """
    checks.kind("model", model, nn.Module, "模型")
    wanted = recorded(model, lambda other: other is layer, lambda _, x, y: y)
    with evaluating(model), wanted as seen:
        # 图要记梯度：参数全冻结时，这一层的输出也才有梯度
        logits = model(_leaf(x))
    if not seen:
        raise ValueError(
            "layer 不在 model 里，或前向时没有用到；请传 model.stages[2] 之类"
        )
    features = seen[-1][1]
    inspection.mapped(features)
    labels = inspection.classes(target, tuple(logits.shape))
    score = sum(logits[i, label] for i, label in enumerate(labels))
    slopes = _gradient("layer 的输出", features, "打分", score)
    return inspection.cam(array(features), slopes)


def _gates(model: nn.Module) -> set[nn.Module]:
    """最外层的门，即类里写了 gate 的层；CBAM 里的两道算在 CBAM 里。"""
    found: set[nn.Module] = set()
    waiting = [model]
    while waiting:
        layer = waiting.pop()
        if hasattr(type(layer), "gate"):  # 叫 gate 的零件不算
            found.add(layer)
        else:
            waiting += layer.children()
    return found


def _spot(y: Tensor, position: int | tuple[int, int] | None) -> Tensor:
    """输出里的一处，(B, C')。"""
    ndim = getattr(y, "ndim", None)
    if ndim == 4:
        row, column = inspection.place(position, y.shape[2:])
        return y[:, :, row, column]
    if ndim == 3:
        (token,) = inspection.place(position, y.shape[1:2])
        return y[:, token]
    told = type(y).__name__ if ndim is None else tuple(y.shape)
    raise ValueError(
        f"function 的输出是 {told}；应为 (B, C, H, W) 或 (B, N, D)，例如 model.features"
    )


def _found(model: nn.Module, seen: list, what: str) -> dict[str, np.ndarray]:
    if not seen:
        raise ValueError(f"{type(model).__name__} 里没有{what}；请换一个带它的模型")
    return dict(seen)


def _leaf(x: Tensor) -> Tensor:
    checks.tensor(x)
    return x.detach().clone().requires_grad_() if x.is_floating_point() else x


def _gradient(source: str, of: Tensor, result: str, value: Tensor) -> np.ndarray:
    found = None
    if of.requires_grad and value.requires_grad:
        (found,) = torch.autograd.grad(value, of, allow_unused=True)
    inspection.reached(found is not None, source, result)
    return array(found)
