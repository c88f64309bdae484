"""看守：训练有没有把模型弄坏。

- `watch`：随时可以问一句，模型里的数是不是还都是有限的
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn


def watch(model: nn.Module) -> Callable[[], bool]:
    """给出一个函数：参数与存盘的缓冲区都还是有限的数时为真。

    只看损失不够：批归一化的移动方差成了无穷，输出恰是 0；ReLU 也可能把 nan 变成 0。

    参数: model 已在训练用的设备上；本来就含无穷的缓冲区不看
    """
    learned = {name for name, _ in model.named_parameters()}
    watched = [
        values
        for name, values in model.state_dict().items()
        if values.is_floating_point() and (name in learned or _finite([values]))
    ]
    return lambda: _finite(watched)


def _finite(tensors: list[Tensor]) -> bool:
    with torch.no_grad():
        # 有一个 nan 或 inf，总和就不是有限的：逐个看要慢几倍，只在总和不对时才看
        if math.isfinite(float(sum(values.sum() for values in tensors))):
            return True
        return all(bool(torch.isfinite(values).all()) for values in tensors)
