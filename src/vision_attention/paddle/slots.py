"""模型的每一项权重：通用的名字与布局，怎样读、怎样写。

- `slots`：逐项给出（通用名，那一项）
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import paddle
from paddle import nn

from vision_attention.storage import weights
from vision_attention.storage.weights import Slot

# Paddle 的缓冲区名 → 通用名；批次计数器只有 PyTorch 有，不搬
BUFFER_NAMES = {"_mean": "running_mean", "_variance": "running_var"}


def slots(model: nn.Layer) -> Iterator[tuple[str, Slot]]:
    """逐项给出（通用名，那一项），见 interop。

    通用的写法是 PyTorch 的名字与布局、NumPy 的数组；批次计数器只有 PyTorch 有，不算。

    错误: 有一项还没有数（在 meta 上，或要先前向一次）时抛出 ValueError
    """
    for prefix, layer in model.named_sublayers(include_self=True):
        # 转置与否只看层的类型，不看形状：方阵转没转，形状上看不出来
        transposed = isinstance(layer, nn.Linear)
        own = layer.state_dict(include_sublayers=False)
        for name, value in own.items():
            common = BUFFER_NAMES.get(name, name)
            full = f"{prefix}.{common}" if prefix else common
            yield full, _slot(value, transposed and name == "weight")


def _slot(value: Any, transposed: bool) -> Slot:
    # Paddle 把 bfloat16 的位原样当成整数给 NumPy，要先换成 float32
    kind = str(value.dtype).rpartition(".")[2]
    coarse = kind not in weights.COMMON

    def read() -> np.ndarray:
        array = (value.astype("float32") if coarse else value).numpy()
        return np.array(array.T if transposed else array)

    def write(array: np.ndarray) -> None:
        array = np.ascontiguousarray(array.T if transposed else array)
        array = array.reshape(value.shape)
        value.set_value(
            paddle.to_tensor(array).astype(value.dtype) if coarse else array
        )

    shape = tuple(value.shape)[:: -1 if transposed else 1]
    return Slot(shape, kind, read, write)
