"""此刻怎样算：普通地算一遍，还是把前向画成图、交给 torch.func。

自己写的核只在普通地算时用：别的时候它们会报错，或把图的大小记成常数。
"""

from __future__ import annotations

import torch
from torch.autograd import forward_ad


def eager() -> bool:
    """普通地算一遍：自己写的核此刻用得上。"""
    return not (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()
        or functional()
        or imagined()
    )


def functional() -> bool:
    """套着 torch.func 的变换，或在求方向导数；两样都没有公开的问法。"""
    if torch.compiler.is_compiling():
        return False  # 画图的事由编译器管，它也认不得下面两个问法
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def imagined() -> bool:
    """张量只有形状，没有数（FakeTensorMode），或运算正在被记下（make_fx）。"""
    if not torch._C._len_torch_dispatch_stack():
        return False
    kinds = torch._C._TorchDispatchModeKey
    return any(torch._C._get_dispatch_mode(k) for k in (kinds.FAKE, kinds.PROXY))
