"""入口检查：每个错误都说出参数、收到的值和该怎么改。

只看形状与数值，不认识任何框架；两翼用的是同一句话。
内容: `hints` 最近的名字；`values` 一个取值；`building` 建一个模块；`tensors` 前向的输入
"""

from vision_attention.checks.building import (
    bottleneck,
    construct,
    fused_axis,
    half_patch,
    mask,
    mlp_width,
    not_alone,
    quarter,
    unused,
)
from vision_attention.checks.hints import nearest
from vision_attention.checks.tensors import (
    batch_norm_input,
    feature_map,
    floating,
    image,
    kept,
    several_pixels,
    tensor,
    tokens,
)
from vision_attention.checks.values import (
    choice,
    divisible,
    flag,
    fraction,
    number,
    odd,
    options,
    plain,
    positive,
    power_of_two,
    several,
    subset,
    whole,
)

__all__ = [
    "batch_norm_input",
    "bottleneck",
    "choice",
    "construct",
    "divisible",
    "feature_map",
    "flag",
    "floating",
    "fraction",
    "fused_axis",
    "half_patch",
    "image",
    "kept",
    "mask",
    "mlp_width",
    "nearest",
    "not_alone",
    "number",
    "odd",
    "options",
    "plain",
    "positive",
    "power_of_two",
    "quarter",
    "several",
    "several_pixels",
    "subset",
    "tensor",
    "tokens",
    "unused",
    "whole",
]
