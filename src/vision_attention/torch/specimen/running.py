"""待查的模块怎样跑：前向，求梯度，听它中间算出了什么；随机数的状态。

内容: `forward`、`slopes`、`overheard`、`random_states`、`restore_random`、
    `seed_random`、`draw`
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from vision_attention.parts import NotTensor

from .reading import array_of, precision, settle


def forward(
    module: nn.Module,
    inputs: list[np.ndarray],
    training: bool = False,
    still: bool = False,
) -> Any:
    """前向一次；返回 (输出, 输入有没有被改)。

    张量换成数组，元组里的也换；别的原样返回。
    参数: still 为真时，批归一化与随机失活照评估时的算
    """
    module.train(training)
    if still:
        settle(module)
    given = _given(module, inputs)
    with torch.no_grad():
        output = module(*given)
    pairs = zip(given, inputs, strict=True)
    changed = any(not np.array_equal(array_of(t), a) for t, a in pairs)
    if isinstance(output, np.ndarray):
        output = NotTensor("NumPy 数组")
    return arrays_of(output), changed


def _given(module: nn.Module, inputs: list[np.ndarray]) -> list[Tensor]:
    """输入换成张量；浮点的用模块参数的类型，布尔的掩码不动。"""
    found = []
    for array in inputs:
        kind = array.dtype if array.dtype == bool else precision(module)
        found.append(torch.from_numpy(array.astype(kind)))
    return found


def arrays_of(output: Any) -> Any:
    """张量换成数组，元组里的也换；别的原样返回。"""
    if isinstance(output, Tensor):
        return array_of(output)
    if isinstance(output, tuple | list):
        return tuple(map(arrays_of, output))
    return output


def slopes(
    module: nn.Module, inputs: list[np.ndarray], upstream: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """评估模式下，输出与 upstream 的内积对输入、对每个参数的梯度。"""
    module.eval()
    module.zero_grad()
    given = _given(module, inputs)
    given[0].requires_grad_(True)
    output = module(*given)
    output = output[0] if isinstance(output, tuple | list) else output
    toward = torch.from_numpy(upstream).to(output.dtype).reshape(output.shape)
    (output * toward).sum().backward()
    named = dict(module.named_parameters())
    found = {n: array_of(p if p.grad is None else p.grad) for n, p in named.items()}
    for name, p in named.items():
        if p.grad is None:
            found[name] = np.zeros_like(found[name])
    module.zero_grad()
    first = given[0].grad
    return np.zeros_like(inputs[0]) if first is None else array_of(first), found


class _Ear(TorchFunctionMode):
    """记下框架的每个函数返回的浮点张量。"""

    def __init__(self):
        super().__init__()
        self.heard: list[np.ndarray] = []

    def __torch_function__(
        self, function: Callable, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and result.is_floating_point():
            self.heard.append(array_of(result))
        return result


def overheard(module: nn.Module, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """评估模式下前向一次，途中算出的数组。"""
    module.eval()
    given = _given(module, inputs)
    with torch.no_grad(), _Ear() as ear:
        module(*given)
    return ear.heard


def random_states() -> Any:
    """框架的随机数发生器此刻的状态。"""
    return torch.get_rng_state()


def restore_random(state: Any) -> None:
    """回到那时的状态。"""
    torch.set_rng_state(state)


def draw() -> float:
    """框架抽的下一个数。"""
    return float(torch.rand(()))


def seed_random(value: int) -> None:
    """固定框架的随机数。"""
    torch.manual_seed(value)
