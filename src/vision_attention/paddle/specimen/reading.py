"""待查的模块里有什么：可学习的部件，它们的数，写进去，另抄一份。

内容: `is_module`、`parts`、`values`、`write`、`precision`、`copy`、
    `random_layers`、`settle`
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import paddle
from paddle import Tensor, nn

from vision_attention.parts import Part

Arrays = Mapping[str, np.ndarray]
# 训练时与评估时本来就不同的两种
NORMS = (nn.BatchNorm1D, nn.BatchNorm2D)
DROPS = (nn.Dropout, nn.Dropout2D, nn.AlphaDropout)
# 批归一化记下的统计量在 Paddle 里的名字
STATISTICS = ("_mean", "_variance")


def is_module(value: Any) -> bool:
    """是不是这个框架的模块。"""
    return isinstance(value, nn.Layer)


def parts(module: nn.Layer) -> list[Part]:
    """模块里可学习的东西，依建立的次序；共用的只算一次。"""
    found: list[Part] = []
    seen: set[int] = set()
    for owner, layer in module.named_sublayers(include_self=True):
        named = list(layer.named_parameters(include_sublayers=False))
        own = [(name, p) for name, p in named if id(p) not in seen]
        seen |= {id(p) for _, p in own}
        if own:
            found += list(_parts_of(owner, layer, dict(own)))
    return found


def _parts_of(owner: str, layer: nn.Layer, own: dict[str, Tensor]) -> Iterator[Part]:
    prefix = f"{owner}." if owner else ""
    bias = f"{prefix}bias" if "bias" in own else None
    if isinstance(layer, nn.Linear):
        yield Part("dense", owner, f"{prefix}weight", bias, transposed=True)
    elif isinstance(layer, nn.Conv1D | nn.Conv2D):
        wide = max(own["weight"].shape[2:]) > 1
        padded = layer._padding not in (0, [0], [0, 0], (0, 0), "VALID", "valid")
        kind = "conv" if wide else "dense"
        yield Part(kind, owner, f"{prefix}weight", bias, padded=padded)
    elif isinstance(layer, nn.BatchNorm2D | nn.LayerNorm):
        kept = tuple(f"{prefix}{n}" for n in STATISTICS if hasattr(layer, n))
        weight = f"{prefix}weight"
        yield Part("norm", owner, weight, bias, eps=layer._epsilon, statistics=kept)
    else:
        yield from raw_parts(owner, {f"{prefix}{n}": p.shape for n, p in own.items()})


def raw_parts(owner: str, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[Part]:
    """直接挂着的参数；矩阵后面紧跟一个长度合适的向量，就是它的偏置。"""
    names = list(shapes)
    while names:
        name = names.pop(0)
        shape, bias = shapes[name], None
        if len(shape) > 1 and names and len(shapes[names[0]]) == 1:
            if shapes[names[0]][0] in (shape[0], shape[-1]):
                bias = names.pop(0)
        yield Part("raw", owner, name, bias)


def _slots(module: nn.Layer) -> dict[str, Tensor]:
    """参数，与批归一化记下的统计量。"""
    found = dict(module.named_parameters())
    for name, buffer in module.named_buffers():
        if name.rpartition(".")[2] in STATISTICS:
            found[name] = buffer
    return found


def values(module: nn.Layer) -> dict[str, np.ndarray]:
    """每个参数与统计量的数。"""
    return {n: array_of(value) for n, value in _slots(module).items()}


def write(module: nn.Layer, arrays: Arrays) -> None:
    """写进参数与统计量。"""
    slots = _slots(module)
    for name, array in arrays.items():
        slots[name].set_value(array.reshape(slots[name].shape))


def array_of(value: Tensor) -> np.ndarray:
    """张量换成数组；NumPy 没有的半精度换成 float32。"""
    coarse = value.dtype == paddle.bfloat16
    return np.array((value.astype("float32") if coarse else value).numpy())


def precision(module: nn.Layer) -> str:
    """参数的类型；没有参数的是 float32。"""
    kinds = [p.dtype for p in module.parameters() if p.is_floating_point()]
    return str(kinds[0] if kinds else paddle.float32).removeprefix("paddle.")


def copy(module: nn.Layer) -> nn.Layer:
    """另抄一份：查的时候改它，不改读者的。"""
    return deepcopy(module)


def random_layers(module: nn.Layer) -> bool:
    """里面有没有真的会丢东西的随机失活。"""
    return any(
        isinstance(layer, DROPS) and layer.p > 0
        for layer in module.sublayers(include_self=True)
    )


def settle(module: nn.Layer) -> None:
    """批归一化与随机失活换成评估模式，别的不动。"""
    for layer in module.sublayers(include_self=True):
        if isinstance(layer, NORMS + DROPS):
            layer.eval()
