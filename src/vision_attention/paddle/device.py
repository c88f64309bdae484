"""设备：自己找到 GPU 或 CPU，把数组搬上去，管住那里的随机数与精度。

- `find_device`、`device_of`：该用哪个设备；模型在哪个设备上
- `tensor`：数组变成那个设备上的张量
- `array`：张量变回数组
- `arrange`：模型与图片在内存里的排法
- `reseed`：第 k 步的随机数只由 (seed, k) 决定
- `own_randomness`：里面的随机数不影响外面
- `autocast`：float32，或自动混合 bfloat16
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import chain
from typing import Any

import numpy as np
import paddle
from paddle import Tensor, nn

from vision_attention.training.journal import step_seed


def find_device(name: str, precision: str = "float32") -> paddle.device.Place:
    """按名字找设备，并确认它有所要的精度。

    参数: name 取 "auto"(有 GPU 用 GPU)、"cpu"、"gpu"
    错误: 指明要 GPU 而没有，或处理器没有 bfloat16 指令时抛出 ValueError
    """
    found = paddle.device.is_compiled_with_cuda() and paddle.device.cuda.device_count()
    if name == "gpu" and not found:
        raise ValueError(
            'device="gpu"：PaddlePaddle 没有找到可用的 GPU；'
            '请改用 device="cpu" 或 "auto"'
        )
    # 优化器的状态建在默认设备上，所以默认设备也要一起换
    device = paddle.device.set_device("gpu" if found and name != "cpu" else "cpu")
    if precision == "bfloat16" and not has_bfloat16(device):
        raise ValueError(
            'precision="bfloat16"：这里没有 bfloat16 可用（PaddlePaddle 的自动混合精度'
            '只在 GPU 上生效，在 CPU 上不起作用）；请改用 precision="float32"'
        )
    return device


def has_bfloat16(device: paddle.base.core.Place) -> bool:
    """这个设备能不能用 bfloat16。"""
    return device.is_gpu_place() and paddle.amp.is_bfloat16_supported()


def device_of(model: nn.Layer) -> paddle.base.core.Place:
    """模型的参数所在的设备；没有参数的看缓冲区，都没有就是 CPU。"""
    first = next(chain(model.parameters(), model.buffers()), None)
    return paddle.CPUPlace() if first is None else first.place


def tensor(array: np.ndarray, device: paddle.base.core.Place) -> Tensor:
    """数组变成 device 上的张量。"""
    return paddle.to_tensor(array, place=device)


def array(value: Tensor) -> np.ndarray:
    """张量变回数组；NumPy 没有 bfloat16，用 float32，它装得下，一位不差。"""
    value = value.astype("float32") if value.dtype == paddle.bfloat16 else value
    return value.detach().cpu().numpy()


def arrange(holder: Any, memory_format: str) -> Any:
    """照 memory_format 排好模型的权重，或一批图片；数值不变。

    形状: holder 为模型，或 (B, C, H, W)
    参数: memory_format 取 "channels_first" 或 "channels_last"；后者只有 PyTorch 有
    错误: 框架没有这种排法时抛出 ValueError
    """
    if memory_format == "channels_first":
        return holder
    raise ValueError(
        f'memory_format="{memory_format}"：PaddlePaddle 的模型排法在建层时就定了，'
        '训练时换不了；请改用 memory_format="channels_first"'
    )


def reseed(seed: int, step: int) -> None:
    """让第 step 步的随机失活等只由 (seed, step) 决定，续训因此不必保存发生器的状态。"""
    paddle.seed(step_seed(seed, step))


@contextmanager
def own_randomness() -> Iterator[None]:
    """在里面随意播种，离开时随机数发生器回到原来的状态。"""
    state = paddle.get_rng_state()
    try:
        yield
    finally:
        paddle.set_rng_state(state)


def autocast(precision: str, device: paddle.base.core.Place) -> AbstractContextManager:
    """float32 时什么也不做；bfloat16 时由框架挑选可以用低精度的运算。"""
    if precision == "float32":
        return nullcontext()
    return paddle.amp.auto_cast(dtype="bfloat16")
