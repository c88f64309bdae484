"""精度：x 与权重的数据类型要相同，半精度里会溢出的地方用单精度算。

- `match`：入口检查
- `widened`：半精度换成单精度
- `overflowed`：算出了无穷
"""

from __future__ import annotations

import paddle
from paddle import Tensor, nn

from vision_attention import checks

from .modes import eager

HALVES = (paddle.float16, paddle.bfloat16)


def match(x: Tensor, layer: nn.Layer | None = None) -> None:
    """输入与这一层权重的数据类型相同；自动混合精度里由框架换，不查。

    参数: layer 为第一个用到 x 的层，一串层取第一个；换成了没有 weight 的层（量化、
        适配器、外壳）就不查，None 表示没有权重
    错误: 数据类型不同时抛出 ValueError
    """
    if not eager():
        return
    if x.dtype in HALVES and not paddle.device.get_device().startswith("gpu"):
        checks.no_kernel(x.dtype)
    if isinstance(layer, nn.Sequential) and len(layer):
        layer = layer[0]
    weight = getattr(layer, "weight", None)
    if not isinstance(weight, Tensor) or not weight.is_floating_point():
        return
    if x.dtype != weight.dtype and not paddle.amp.is_autocast_enabled():
        checks.other_dtype(x.dtype, weight.dtype)


def widened(x: Tensor) -> Tensor:
    """半精度换成 float32，别的原样。"""
    return x.to(paddle.float32) if x.dtype in HALVES else x


def overflowed(x: Tensor) -> bool:
    """算出了无穷；画图、在 GPU 上时不问：一问就要等它算完。"""
    return eager() and x.place.is_cpu_place() and bool(x.isinf().any())
