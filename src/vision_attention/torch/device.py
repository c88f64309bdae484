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
import torch
from torch import Tensor, nn

from vision_attention.training.journal import step_seed


def find_device(name: str, precision: str = "float32") -> torch.device:
    """按名字找设备，并确认它有所要的精度。

    参数: name 取 "auto"(有 GPU 用 GPU)、"cpu"、"gpu"
    错误: 指明要 GPU 而没有，或处理器没有 bfloat16 指令时抛出 ValueError
    """
    found = torch.cuda.is_available()
    if name == "gpu" and not found:
        raise ValueError(
            'device="gpu"：PyTorch 没有找到可用的 GPU；请改用 device="cpu" 或 "auto"'
        )
    device = torch.device("cuda" if found and name != "cpu" else "cpu")
    if precision == "bfloat16" and not has_bfloat16(device):
        raise ValueError(
            'precision="bfloat16"：这里的处理器没有 bfloat16 指令，算得只会更慢；'
            '请改用 precision="float32"'
        )
    return device


def has_bfloat16(device: torch.device) -> bool:
    """这个设备能不能用 bfloat16。"""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()


def device_of(model: nn.Module) -> torch.device:
    """模型的参数所在的设备；没有参数的看缓冲区，都没有就是 CPU。"""
    first = next(chain(model.parameters(), model.buffers()), None)
    return torch.device("cpu") if first is None else first.device


def tensor(array: np.ndarray, device: torch.device) -> Tensor:
    """数组变成 device 上的张量。"""
    return torch.from_numpy(array).to(device)


def array(value: Tensor) -> np.ndarray:
    """张量变回数组；NumPy 没有 bfloat16，用 float32，它装得下，一位不差。"""
    value = value.float() if value.dtype == torch.bfloat16 else value
    return value.detach().cpu().numpy()


def arrange(holder: Any, memory_format: str) -> Any:
    """照 memory_format 排好模型的权重，或一批图片；数值不变。

    形状: holder 为模型，或 (B, C, H, W)
    参数: memory_format 取 "channels_first" 或 "channels_last"；后者只有 PyTorch 有
    错误: 框架没有这种排法时抛出 ValueError
    """
    if memory_format == "channels_first":
        return holder
    return holder.to(memory_format=torch.channels_last)


def reseed(seed: int, step: int) -> None:
    """让第 step 步的随机失活等只由 (seed, step) 决定，续训因此不必保存发生器的状态。"""
    # torch.manual_seed 还要登记一次调用栈，每步多花 80 微秒
    torch.default_generator.manual_seed(step_seed(seed, step))
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed(step_seed(seed, step))


@contextmanager
def own_randomness() -> Iterator[None]:
    """在里面随意播种，离开时随机数发生器回到原来的状态。"""
    # 只管 reseed 碰得到的：不写明的话，有几块 GPU 就都要唤醒，还印一句警告
    gpus = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(gpus):
        yield


def autocast(precision: str, device: torch.device) -> AbstractContextManager:
    """float32 时什么也不做；bfloat16 时由框架挑选可以用低精度的运算。"""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)
