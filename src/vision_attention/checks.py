"""入口检查：每个错误都说出参数、收到的值和该怎么改。

这里只看形状与数值，不认识任何框架；两翼用的是同一句话。
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any


def choice(name: str, value: Any, choices: Iterable[Any]) -> Any:
    """从有限的取值里选一个，写错时指出最近的一个。

    参数: name 为参数名；value 为收到的值；choices 为全部可用的取值
    返回：value 本身
    错误: value 不在 choices 里时抛出 ValueError
    """
    known = list(choices)
    if value in known:
        return value
    near = difflib.get_close_matches(str(value), [str(k) for k in known], n=1)
    hint = f"是不是 {near[0]!r}？" if near else ""
    options = ", ".join(repr(k) for k in known)
    raise ValueError(f"{name}={value!r} 不认识。{hint}可用的取值：{options}")


def positive(name: str, value: int) -> int:
    """正整数。

    错误: value 不是整数或小于 1 时抛出 ValueError
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name}={value!r} 应为正整数，例如 {name}=1")
    return value


def fraction(name: str, value: float) -> float:
    """取值在 [0, 1) 的比例。

    错误: 超出范围时抛出 ValueError
    """
    if not 0 <= value < 1:
        raise ValueError(f"{name}={value!r} 超出范围，应满足 0 ≤ {name} < 1")
    return value


def odd(name: str, value: int) -> int:
    """奇数核宽：两侧各补 （k − 1） / 2 格，输出才与输入同样大。

    错误: value 为偶数时抛出 ValueError
    """
    positive(name, value)
    if value % 2 == 0:
        raise ValueError(
            f"{name}={value} 是偶数，输出会与输入错开半格；"
            f"请用奇数，例如 {value - 1} 或 {value + 1}"
        )
    return value


def divisible(name: str, value: int, by_name: str, by: int) -> int:
    """整除：返回商。

    参数: value 应能被 by 整除，例如 embed_dim 与 num_heads
    错误: 不能整除时抛出 ValueError，并列出可用的除数
    """
    positive(name, value)
    positive(by_name, by)
    if value % by:
        divisors = [d for d in range(1, value + 1) if value % d == 0]
        shown = ", ".join(map(str, divisors[:8])) + (", …" if divisors[8:] else "")
        raise ValueError(f"{by_name}={by} 不能整除 {name}={value}；可用的取值：{shown}")
    return value // by


def bottleneck(in_channels: int, reduction_ratio: int, min_hidden: int = 0) -> int:
    """瓶颈宽 max(C // r, min_hidden)。

    参数: in_channels 即 C；reduction_ratio 即 r；min_hidden 为宽度的下限
    返回：瓶颈层的单元数
    错误: 一个单元也不剩时抛出 ValueError
    """
    positive("in_channels", in_channels)
    positive("reduction_ratio", reduction_ratio)
    hidden = max(in_channels // reduction_ratio, min_hidden)
    if hidden < 1:
        raise ValueError(
            f"reduction_ratio={reduction_ratio} 大于 in_channels={in_channels},"
            f"瓶颈层没有单元；请取 reduction_ratio ≤ {in_channels}，或设 min_hidden=1"
        )
    return hidden


def feature_map(x: Any, in_channels: int) -> None:
    """特征图：四维浮点 (B, C, H, W)，且 C 与构造时一致。

    错误: 维数、通道数或数据类型不对时抛出 ValueError
    """
    shape = tuple(x.shape)
    if len(shape) != 4:
        raise ValueError(
            f"x 的形状是 {shape}，共 {len(shape)} 维；应为四维 (B, C, H, W)。"
            "单张图请先加上批次一维：x.unsqueeze(0)"
        )
    if in_channels and shape[1] != in_channels:
        raise ValueError(
            f"x 有 {shape[1]} 个通道，而构造时 in_channels={in_channels};"
            f"请改成 in_channels={shape[1]}，或检查 x 是否为 (B, C, H, W)"
        )
    floating(x)


def tokens(x: Any, embed_dim: int) -> None:
    """一串 token：三维浮点 (B, N, D)，且 D 与构造时一致。

    错误: 维数、宽度或数据类型不对时抛出 ValueError
    """
    shape = tuple(x.shape)
    if len(shape) != 3 or shape[2] != embed_dim:
        raise ValueError(
            f"x 的形状是 {shape}；应为三维 (B, N, D)，D = embed_dim = {embed_dim}。"
            "特征图请先展平：x.flatten(2) 再交换后两维"
        )
    floating(x)


def image(x: Any, in_channels: int, image_size: int) -> None:
    """一批正方形图像：(B, C, S, S)，S 与模型的 image_size 一致。

    错误: 形状或数据类型不对时抛出 ValueError
    """
    feature_map(x, in_channels)
    height, width = tuple(x.shape)[2:]
    if (height, width) != (image_size, image_size):
        raise ValueError(
            f"x 是 {height}×{width} 的图，而模型的 image_size={image_size};"
            f"请先缩放图像，或用 image_size={height} 重新构造模型"
        )


def floating(x: Any) -> None:
    """浮点张量：整数会被悄悄提升或截断，所以不收。

    错误: 数据类型不是浮点时抛出 ValueError
    """
    if not x.is_floating_point():
        raise ValueError(
            f"x 的数据类型是 {x.dtype}，应为浮点；"
            "请先换算，例如 x.astype('float32') / 255(NumPy)后再转成张量"
        )


def subset(name: str, values: Sequence[int], allowed: Sequence[int]) -> tuple[int, ...]:
    """从 allowed 中选出的、不重复的一组编号。

    错误: 有不认识或重复的编号时抛出 ValueError
    """
    chosen = tuple(values)
    if len(set(chosen)) != len(chosen) or not set(chosen) <= set(allowed):
        raise ValueError(
            f"{name}={chosen!r} 不合要求：应从 {tuple(allowed)!r} 中选，且不重复"
        )
    return chosen


def batch_norm_input(x: Any, training: bool) -> None:
    """训练时一批至少两张图：对 1×1 的图，一张图没有方差可算。

    错误: 训练且 B=1 时抛出 ValueError
    """
    if training and x.shape[0] == 1:
        raise ValueError(
            "训练时 x 只有 1 张图，批归一化没有方差可算；"
            "请让一批至少有 2 张，或先切换到评估：model.eval()"
        )


def several_pixels(x: Any) -> int:
    """特征图的像素数 H·W，至少为 2。

    错误: 只有一个像素时抛出 ValueError
    """
    pixels = x.shape[2] * x.shape[3]
    if pixels < 2:
        raise ValueError(
            "x 只有一个像素，没有方差可算；"
            "请把这个模块放在更靠前、图还没缩到 1×1 的位置"
        )
    return pixels


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
    错误: 名字或参数不认识时抛出 ValueError
    """
    factory = table[choice(argument, name, table)]
    allowed = list(inspect.signature(factory).parameters)[1:]
    for key in options:
        choice(f"{name} 的参数", key, allowed)
    return factory(first, **options)


def fused_axis(fused: bool, softmax_axis: str) -> None:
    """融合核只会沿键归一化。

    错误: fused 为真而 softmax_axis 不是 keys 时抛出 ValueError
    """
    if fused and softmax_axis != "keys":
        raise ValueError(
            f"softmax_axis={softmax_axis!r} 与 fused=True 矛盾："
            "融合核只沿键归一化；请设 fused=False"
        )


def half_patch(patch_size: int) -> int:
    """半块的像素数。

    错误: patch_size 小于 2 时抛出 ValueError
    """
    if patch_size < 2:
        raise ValueError(f"patch_size={patch_size} 没有半块可移；请取 patch_size ≥ 2")
    return patch_size // 2


def power_of_two(name: str, value: int) -> int:
    """不小于 2 的 2 的幂。

    错误: 不是时抛出 ValueError
    """
    positive(name, value)
    if value < 2 or value & (value - 1):
        raise ValueError(f"{name}={value} 应为 2 的幂（不小于 2）：2, 4, 8, 16, …")
    return value
