"""建一个模块：尺寸之间、参数之间要相容，错名与错参数指出最近的一个。"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from vision_attention.checks import values
from vision_attention.checks.arrays import array
from vision_attention.checks.values import (
    ArgumentError,
    choice,
    kind,
    number,
    plain,
    positive,
    shown,
    whole,
    within,
)


def quarter(embed_dim: int) -> int:
    """D / 4：行与列各占一半，每一半里正弦、余弦再各占一半。

    错误: embed_dim 不是 4 的倍数时抛出 ArgumentError
    """
    embed_dim = positive("embed_dim", embed_dim)
    if embed_dim % 4:
        near = max(embed_dim // 4 * 4, 4)
        raise ArgumentError(
            f"embed_dim={embed_dim} 应为 4 的倍数（行、列各有正弦与余弦），"
            f"例如 {near} 或 {near + 4}",
            "embed_dim",
        )
    return embed_dim // 4


def mlp_width(embed_dim: int, mlp_ratio: float) -> int:
    """MLP 的中间宽 int(D × mlp_ratio)，至少为 1。

    错误: mlp_ratio 不是正数，或中间一个单元也不剩时抛出 ArgumentError
    """
    ratio = number("mlp_ratio", mlp_ratio, "正数，例如 mlp_ratio=4", above=0)
    hidden = int(embed_dim * ratio)
    if hidden < 1:
        raise ArgumentError(
            f"mlp_ratio={ratio} 太小，embed_dim={embed_dim} 时 MLP 中间没有单元；"
            f"请取 mlp_ratio ≥ 1/{embed_dim}",
            "mlp_ratio",
            "embed_dim",
        )
    within("mlp_ratio", embed_dim * hidden, "MLP 的一个权重")
    return hidden


def bottleneck(in_channels: int, reduction_ratio: int, min_hidden: int = 0) -> int:
    """瓶颈宽 max(C // r, min_hidden)。

    参数: in_channels 即 C；reduction_ratio 即 r；min_hidden 为宽度的下限
    返回: 瓶颈层的单元数
    错误: C、r 不是正整数，min_hidden 不是非负整数，一个单元也不剩时抛出 ArgumentError
    """
    in_channels = positive("in_channels", in_channels)
    reduction_ratio = positive("reduction_ratio", reduction_ratio)
    hidden = max(in_channels // reduction_ratio, whole("min_hidden", min_hidden, 0))
    if hidden < 1:
        raise ArgumentError(
            f"reduction_ratio={reduction_ratio} 大于 in_channels={in_channels}，"
            f"瓶颈层没有单元；请取 reduction_ratio ≤ {in_channels}，或设 min_hidden=1",
            "reduction_ratio",
            "in_channels",
        )
    wide = "min_hidden" if hidden == min_hidden else "in_channels"
    within(wide, in_channels * hidden, "瓶颈层的权重")
    return hidden


def weight(sizes: Mapping[str, int], times: int, what: str) -> None:
    """几个尺寸与 times 相乘的权重，不能太大；太大时请改小其中最大的一个。

    参数: sizes 为参数名到尺寸的表；times 为其余的因数；what 为它是什么
    错误: 超过 2³¹ − 1 个数时抛出 ArgumentError
    """
    within(max(sizes, key=sizes.get), times * math.prod(sizes.values()), what)


def stage_widths(widths: tuple, count: int) -> None:
    """各个阶段的宽：count 个正整数，或一个也不写。

    错误: 个数不对、不是正整数时抛出 ArgumentError
    """
    if len(widths) not in (0, count):
        example = (8, 16, 33, 64)[:count]
        raise ArgumentError(
            f"stage_widths={shown(widths)} 应为{'零一二三四'[count]}个阶段的宽，"
            f"如 {example}；不写则由 width 推出",
            "stage_widths",
        )
    for width in widths:
        positive("stage_widths", width)


def vit_fits(spec: Any) -> None:
    """ViT 的每个权重、每张打分表都装得下。

    参数: spec 为 ViTSpec
    错误: 有一个太大时抛出 ArgumentError
    """
    patch, width = spec.in_channels * spec.patch_size**2, spec.embed_dim
    within("embed_dim", 3 * width**2, "q、k、v 的权重")
    within("patch_size", patch * width, "切块的权重")
    within("num_classes", spec.num_classes * width, "分类头的权重")
    scores = max(spec.num_heads * spec.num_tokens, width) * spec.num_tokens
    within("image_size", scores, "一张图的 token 或打分")


def half_patch(patch_size: int) -> int:
    """半块的像素数。

    错误: patch_size 不是整数或小于 2 时抛出 ArgumentError
    """
    patch_size = positive("patch_size", patch_size)
    if patch_size < 2:
        raise ArgumentError(
            f"patch_size={patch_size} 没有半块可移；请取 patch_size ≥ 2", "patch_size"
        )
    return patch_size // 2


def not_alone(num_tokens: int) -> int:
    """不看自己的注意力，至少要有两个 token。

    错误: 只有一个 token 时抛出 ArgumentError
    """
    num_tokens = positive("num_tokens", num_tokens)
    if num_tokens < 2:
        raise ArgumentError(
            f"num_tokens={num_tokens}：去掉自己就没有可看的 token；请减小 patch_size",
            "num_tokens",
        )
    return num_tokens


def mask(value: Any, axis: int) -> np.ndarray | None:
    """注意力的掩码：布尔 (N, N)，行是查询，列是键，真表示看得见。

    参数: axis 为 softmax 的轴，−1 沿键，−2 沿查询；None 表示没有掩码
    错误: 不是布尔、不是正方形，或有一行（沿查询时是一列）全为假时抛出 ArgumentError
    """
    if value is None:
        return None
    value = array("mask", value)
    if value.dtype != bool:
        raise ArgumentError(
            f"mask 的数据类型是 {value.dtype}，应为布尔，真表示看得见；"
            "写成 0 与 −∞ 的，请换成 mask == 0",
            "mask",
        )
    if value.ndim != 2 or value.shape[0] != value.shape[1]:
        raise ArgumentError(
            f"mask 的形状是 {value.shape}；应为正方形 (N, N)，行是查询，列是键", "mask"
        )
    blind = np.flatnonzero(~value.any(axis))
    if len(blind):
        line = "行" if axis == -1 else "列"
        raise ArgumentError(
            f"mask 的第 {blind[0]} {line}全为假，softmax 没有可分的；"
            f"请让每{line}至少有一个真",
            "mask",
        )
    return value


def fused_axis(fused: bool, softmax_axis: str) -> None:
    """融合核只会沿键归一化。

    错误: fused 为真而 softmax_axis 不是 keys 时抛出 ArgumentError
    """
    if fused and softmax_axis != "keys":
        raise ArgumentError(
            f"softmax_axis={softmax_axis!r} 与 fused=True 矛盾："
            "融合核只沿键归一化；请设 fused=False",
            "softmax_axis",
            "fused",
        )


def backbone(model: Any, base: type) -> None:
    """拆得出主干与分类头的模型：有 features，有 head。

    参数: base 为框架里模型的类
    错误: 不是模型，或少了一样时抛出 ArgumentError
    """
    kind("model", model, base, "模型")
    missing = [name for name in ("features", "head") if not hasattr(model, name)]
    if missing:
        raise ArgumentError(
            f"model 是 {type(model).__name__}，没有 {missing[0]}；"
            "应有 features 与 head，例如 build(specs.named('small_cnn'))",
            "model",
        )


def unused(chosen: str, given: Mapping[str, tuple[Any, Any]]) -> None:
    """选了 chosen 就用不上的参数，应当没有写，或写的就是默认值。

    参数: given 为参数名到（收到的值，默认值）的表
    错误: 有一个不是默认值时抛出 ArgumentError
    """
    for name, (given_value, default) in given.items():
        value = plain(given_value)
        if not (isinstance(value, type(default)) and value == default):
            raise ArgumentError(
                f"{name}={shown(value)} 与 {chosen} 不相容，后者用不上它；"
                f"请去掉 {name}",
                name,
            )


def construct(
    argument: str,
    name: str,
    table: Mapping[str, Callable],
    first: Any,
    options: Mapping[str, Any],
) -> Any:
    """按名字从表里取一个类并构造，错名与错参数都指出最近的一个。

    参数: argument 为参数名（用于报错）；table 为名字到类的表；first 为第一个参数；
        options 为其余的参数
    错误: 名字或参数不认识时抛出 ArgumentError
    """
    factory = table[choice(argument, name, table)]
    allowed = list(inspect.signature(factory).parameters)[1:]
    for key in values.options("options", options):
        choice(f"{name} 的参数", key, allowed, argument=str(key))
    return factory(first, **options)
