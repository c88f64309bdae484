"""精度：x 与权重的数据类型要相同，半精度里会溢出的地方用单精度算。

- `match`：入口检查
- `widened`：半精度换成单精度
"""

from __future__ import annotations

import paddle
from paddle import Tensor

from vision_attention import checks

HALVES = (paddle.float16, paddle.bfloat16)


def match(x: Tensor, weight: Tensor) -> None:
    """X 与权重的数据类型相同；自动混合精度里由框架换，不查。

    错误: 数据类型不同时抛出 ValueError
    """
    if x.dtype in HALVES and not paddle.device.get_device().startswith("gpu"):
        checks.no_kernel(x.dtype)
    if x.dtype != weight.dtype and not paddle.amp.is_autocast_enabled():
        checks.other_dtype(x.dtype, weight.dtype)


def widened(x: Tensor) -> Tensor:
    """半精度换成 float32，别的原样。"""
    return x.to(paddle.float32) if x.dtype in HALVES else x
