"""待查的模块怎样跑：前向，求梯度，听它中间算出了什么；随机数的状态。

内容: `forward`、`slopes`、`overheard`、`random_states`、`restore_random`、
    `seed_random`、`draw`
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import paddle
from paddle import Tensor, nn

from vision_attention.parts import NotTensor

from .reading import array_of, precision, settle


def forward(
    module: nn.Layer,
    inputs: list[np.ndarray],
    training: bool = False,
    still: bool = False,
) -> Any:
    """前向一次；返回 (输出, 输入有没有被改)。

    张量换成数组，元组里的也换；别的原样返回。
    参数: still 为真时，批归一化与随机失活照评估时的算
    """
    module.train() if training else module.eval()
    if still:
        settle(module)
    given = _given(module, inputs)
    with paddle.no_grad():
        output = module(*given)
    pairs = zip(given, inputs, strict=True)
    changed = any(not np.array_equal(array_of(t), a) for t, a in pairs)
    if isinstance(output, np.ndarray):
        output = NotTensor("NumPy 数组")
    return arrays_of(output), changed


def _given(module: nn.Layer, inputs: list[np.ndarray]) -> list[Tensor]:
    """输入换成张量；浮点的用模块参数的类型，布尔的掩码不动。"""
    found = []
    for array in inputs:
        kind = array.dtype if array.dtype == bool else precision(module)
        found.append(paddle.to_tensor(array.astype(kind)))
    return found


def arrays_of(output: Any) -> Any:
    """张量换成数组，元组里的也换；别的原样返回。"""
    if isinstance(output, Tensor):
        return array_of(output)
    if isinstance(output, tuple | list):
        return tuple(map(arrays_of, output))
    return output


def slopes(
    module: nn.Layer, inputs: list[np.ndarray], upstream: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """评估模式下，输出与 upstream 的内积对输入、对每个参数的梯度。"""
    module.eval()
    module.clear_gradients()
    given = _given(module, inputs)
    given[0].stop_gradient = False
    output = module(*given)
    output = output[0] if isinstance(output, tuple | list) else output
    toward = paddle.to_tensor(upstream.reshape(output.shape)).astype(output.dtype)
    (output * toward).sum().backward()
    named = dict(module.named_parameters())
    found = {n: array_of(p if p.grad is None else p.grad) for n, p in named.items()}
    for name, p in named.items():
        if p.grad is None:
            found[name] = np.zeros_like(found[name])
    module.clear_gradients()
    first = given[0].grad
    return np.zeros_like(inputs[0]) if first is None else array_of(first), found


# Paddle 没有监听每个函数的办法：换掉这几个函数，记下返回值，听完换回来
LISTENED = {
    paddle: ("matmul", "bmm", "einsum", "concat", "multiply"),
    nn.functional: ("softmax", "sigmoid", "linear", "conv2d", "layer_norm"),
    Tensor: ("sigmoid", "matmul", "__matmul__", "__mul__", "softmax", "mean"),
}


@contextmanager
def _ear() -> Iterator[list[np.ndarray]]:
    """记下那几个函数返回的浮点张量。"""
    heard: list[np.ndarray] = []
    names = [(owner, n) for owner, group in LISTENED.items() for n in group]
    old = [(owner, n, getattr(owner, n)) for owner, n in names if hasattr(owner, n)]
    try:
        for owner, name, function in old:
            setattr(owner, name, _noting(function, heard))
        yield heard
    finally:
        for owner, name, function in old:
            setattr(owner, name, function)


def _noting(function: Callable, heard: list[np.ndarray]) -> Callable:
    def noted(result: Any) -> Any:
        if isinstance(result, Tensor) and result.is_floating_point():
            heard.append(array_of(result))
        return result

    return lambda *given, **named: noted(function(*given, **named))


def overheard(module: nn.Layer, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """评估模式下前向一次，途中算出的数组。"""
    module.eval()
    given = _given(module, inputs)
    with paddle.no_grad(), _ear() as heard:
        module(*given)
    return heard


def random_states() -> Any:
    """框架的随机数发生器此刻的状态。"""
    return paddle.get_rng_state()


def restore_random(state: Any) -> None:
    """回到那时的状态。"""
    paddle.set_rng_state(state)


def draw() -> float:
    """框架抽的下一个数。"""
    return paddle.rand([1]).item()


def seed_random(value: int) -> None:
    """固定框架的随机数。"""
    paddle.seed(value)
