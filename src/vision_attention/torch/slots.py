"""模型的每一项权重：通用的名字与布局，怎样读、怎样写。

- `slots`：逐项给出（通用名，那一项）
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from vision_attention.storage import weights
from vision_attention.storage.weights import Slot


def slots(model: nn.Module) -> Iterator[tuple[str, Slot]]:
    """逐项给出（通用名，那一项），见 interop。

    通用的写法是 PyTorch 的名字与布局、NumPy 的数组；批次计数器只有 PyTorch 有，不算。

    错误: 有一项还没有数（在 meta 上，或要先前向一次）时抛出 ValueError
    """
    for name, value in model.state_dict().items():
        if weights.is_counter(name):
            continue
        if not isinstance(value, torch.Tensor):  # 模块自己的附加状态，不是权重
            continue
        if torch.nn.parameter.is_lazy(value):
            raise ValueError(f"{name} 还没有形状；请先让模型前向一次")
        if value.is_meta:
            raise ValueError(
                f"{name} 在 meta 设备上，没有数；"
                'PyTorch 请先写 model.to_empty(device="cpu")'
            )
        yield name, _slot(value)


def _slot(value: Any) -> Slot:
    kind = str(value.dtype).removeprefix("torch.")

    def write(array: np.ndarray) -> None:
        with torch.no_grad():
            value.copy_(torch.from_numpy(array.copy()).reshape(value.shape))

    def read() -> np.ndarray:
        # NumPy 没有 bfloat16；float32 装得下它，一位不差
        found = value.detach() if kind in weights.COMMON else value.detach().float()
        return found.cpu().numpy().copy()

    return Slot(tuple(value.shape), kind, read, write)
