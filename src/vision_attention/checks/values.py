"""一个取值：从几个里选、正整数、有限的数、是与否、一组编号。

报错都是 `ArgumentError`，参数的名字在它的 `argument` 里，不必从那句话里猜。
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vision_attention.checks.hints import closest

# 框架的下标多用 32 位整数；一个权重、一批图都装不下更多的数
LARGEST = 2**31 - 1
LONG = 2**63 - 1  # 种子与步数是 64 位整数
# float32 装得下的：再大变成无穷，再小（除了 0）变成 0
WIDEST, NARROWEST = float(np.finfo(np.float32).max), float(np.finfo(np.float32).tiny)
DEEPEST = 10_000  # 层；文献里最深的 CIFAR 网络是 1,202 层
WIDEST_KERNEL = 1_023  # 格；文献里最宽的核是 61
LONGEST = 200  # 报错里一个取值最多写几个字


class ArgumentError(ValueError):
    """参数不合适：它的名字、收到的值、该怎么改。

    参数: message 为那句话；argument 为参数的名字，说的不是哪一个参数时为空；
        others 为与它不相容的其余参数的名字
    """

    # argument 有默认值：跨进程传递时，只拿着 message 重建，再填回属性
    def __init__(self, message: str, argument: str = "", *others: str):
        super().__init__(message)
        self.argument = argument
        self.others = others


def shown(value: Any) -> str:
    """报错里写出的取值：太长的截短；自己写不出来的，只说类型。"""
    try:
        text = repr(value)
    except Exception:  # 超过 4,300 位的整数，repr 自己会出错
        return f"<{type(value).__name__}>"
    return shortened(text)


def shortened(text: str) -> str:
    """太长的截短。"""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def plain(value: Any) -> Any:
    """NumPy 的标量换成 Python 的数，别的原样：用 np.logspace 扫参数也写得进记录。"""
    return value.item() if isinstance(value, np.generic) else value


def choice(
    name: str, value: Any, choices: Iterable[Any], *, argument: str | None = None
) -> Any:
    """从有限的取值里选一个，写错时指出最近的一个。

    参数: name 为参数名；value 为收到的值；choices 为全部可用的取值；
        argument 为报错里带的参数名，默认就是 name
    返回: value 本身
    错误: value 不在 choices 里时抛出 ArgumentError
    """
    known = list(choices)
    value = plain(value)
    # 先比类型：拿数组与字符串相比，得到的不是真假
    if any(isinstance(value, type(k)) and value == k for k in known):
        return value
    given = shown(value)
    near = closest(given.strip("'"), known)
    hint = f"是不是 {near!r}？" if near else ""
    options = ", ".join(repr(k) for k in known)
    raise ArgumentError(
        f"{name}={given} 不认识。{hint}可用的取值：{options}",
        name if argument is None else argument,
    )


def positive(name: str, value: int, most: int = LARGEST) -> int:
    """正整数，至多 most，默认 2³¹ − 1：框架的下标多用 32 位整数。

    错误: value 不是整数、小于 1 或太大时抛出 ArgumentError
    """
    value = plain(value)
    if type(value) is not int or value < 1:
        raise ArgumentError(f"{name}={shown(value)} 应为正整数，例如 {name}=1", name)
    if value > most:
        raise ArgumentError(f"{name}={shown(value)} 太大；应不超过 {most:,}", name)
    return value


def deep(name: str, value: int) -> int:
    """层数：正整数，至多一万；更深的要建上几分钟，也训练不动。

    错误: value 不是正整数或太大时抛出 ArgumentError
    """
    return positive(name, value, DEEPEST)


def whole(name: str, value: int, least: int) -> int:
    """不小于 least 的整数，64 位装得下。

    错误: value 不是整数、太小或太大时抛出 ArgumentError
    """
    value = plain(value)
    if type(value) is not int or value < least:
        raise ArgumentError(
            f"{name}={shown(value)} 不合适；应为不小于 {least} 的整数", name
        )
    if value > LONG:
        raise ArgumentError(f"{name}={shown(value)} 太大；应小于 2 的 63 次方", name)
    return value


def number(
    name: str,
    value: float,
    expected: str = "有限的小数",
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    below: float = math.inf,
) -> float:
    """有限的数，least ≤ value，above < value < below，float32 也装得下。

    参数: expected 为应当是什么，写进报错的那句话
    错误: value 不是数、不有限、超出范围或 float32 装不下时抛出 ArgumentError
    """
    value = plain(value)
    right = type(value) in (int, float) and least <= value and above < value < below
    if not right:
        raise ArgumentError(f"{name}={shown(value)} 不合适；应为{expected}", name)
    if value and not NARROWEST <= abs(value) <= WIDEST:
        raise ArgumentError(
            f"{name}={shown(value)} 不合适；float32 装不下，"
            "绝对值应在 1.2e-38 与 3.4e38 之间",
            name,
        )
    return value


def kind(name: str, value: Any, wanted: type | tuple, expected: str) -> Any:
    """某一种东西：数据集、模型、配置、函数之类。

    参数: wanted 为应有的类型；expected 为它是什么，写进报错的那句话
    错误: 不是时抛出 ArgumentError
    """
    if not isinstance(value, wanted):
        raise ArgumentError(f"{name}={shown(value)} 不合适；应为{expected}", name)
    return value


def flag(name: str, value: bool) -> bool:
    """是与否；写成字的 "no" 会被当成真，所以只收 True 与 False。

    错误: value 不是布尔时抛出 ArgumentError
    """
    value = plain(value)
    if type(value) is not bool:
        raise ArgumentError(
            f"{name}={shown(value)} 应为 True 或 False，例如 {name}=False", name
        )
    return value


def fraction(name: str, value: float) -> float:
    """取值在 [0, 1) 的比例。

    错误: 不是数或超出范围时抛出 ArgumentError
    """
    value = number(name, value, "[0, 1) 之间的小数")
    if not 0 <= value < 1:
        raise ArgumentError(f"{name}={value!r} 超出范围，应满足 0 ≤ {name} < 1", name)
    return value


def odd(name: str, value: int) -> int:
    """奇数核宽：两侧各补 （k − 1） / 2 格，输出才与输入同样大。

    错误: value 不是正整数或为偶数时抛出 ArgumentError
    """
    value = positive(name, value)
    if value % 2 == 0:
        raise ArgumentError(
            f"{name}={value} 是偶数，输出会与输入错开半格；"
            f"请用奇数，例如 {value - 1} 或 {value + 1}",
            name,
        )
    return value


def kernel(name: str, value: int) -> int:
    """卷积核宽：奇数，至多 1,023；更宽的，一个核就有上百万个数。

    错误: value 不是正整数、为偶数或太大时抛出 ArgumentError
    """
    return odd(name, positive(name, value, WIDEST_KERNEL))


def power_of_two(name: str, value: int) -> int:
    """不小于 2 的 2 的幂。

    错误: 不是时抛出 ArgumentError
    """
    value = positive(name, value)
    if value < 2 or value & (value - 1):
        raise ArgumentError(
            f"{name}={value} 应为 2 的幂（不小于 2）：2, 4, 8, 16, …", name
        )
    return value


def divisible(name: str, value: int, by_name: str, by: int) -> int:
    """整除：返回商。

    参数: value 应能被 by 整除，例如 embed_dim 与 num_heads
    错误: 不是正整数、不能整除时抛出 ArgumentError，并列出可用的除数
    """
    value, by = positive(name, value), positive(by_name, by)
    if value % by:
        first = list(itertools.islice(_divisors(value), 9))
        listed = ", ".join(map(str, first[:8])) + (", …" if first[8:] else "")
        raise ArgumentError(
            f"{by_name}={by} 不能整除 {name}={value}；可用的取值：{listed}",
            by_name,
            name,
        )
    return value // by


def _divisors(value: int) -> Iterable[int]:
    """全部除数，从小到大；只试到平方根，另一半由商得来。"""
    small = [d for d in range(1, math.isqrt(value) + 1) if value % d == 0]
    yield from small
    yield from (value // d for d in reversed(small) if d * d != value)


def several(name: str, values: Iterable[int]) -> tuple:
    """一组数，换成元组。

    错误: 只有单独一个、没有写成一组，或写成了一串字时抛出 ArgumentError
    """
    try:
        listed = not isinstance(values, str | bytes) and list(values)
    except Exception:  # 不能逐个取的，或零维的数组
        listed = False
    if listed is False:
        raise ArgumentError(
            f"{name}={shown(values)} 应为一组数，请写在方括号里，例如 {name}=[1, 2, 3]",
            name,
        )
    return tuple(map(plain, listed))


def subset(name: str, values: Iterable[int], allowed: Iterable[int]) -> tuple[int, ...]:
    """从 allowed 中选出的、不重复的一组编号。

    错误: 不是一组，有不认识、不是整数或重复的编号时抛出 ArgumentError
    """
    chosen = several(name, values)
    known = all(type(value) is int and value in allowed for value in chosen)
    if not known or len(set(chosen)) != len(chosen):
        raise ArgumentError(
            f"{name}={shown(chosen)} 不合要求：应从 {shown(tuple(allowed))} 中选，"
            "且不重复",
            name,
        )
    return chosen


def options(name: str, value: Any) -> Mapping[str, Any]:
    """其余参数的对照表。

    错误: 不是对照表时抛出 ArgumentError
    """
    if not isinstance(value, Mapping):
        raise ArgumentError(
            f"{name}={shown(value)} 应为「参数: 取值」的对照表，"
            "例如 {'reduction_ratio': 4}；没有就写 {}",
            name,
        )
    return value


def within(name: str, numbers: int, what: str) -> None:
    """由几个尺寸相乘得来的总数，不能太大；不然框架要么报一句英文，要么耗尽内存。

    参数: name 为该改小的参数；numbers 为总数；what 为它是什么的个数
    错误: 超过 2³¹ − 1 时抛出 ArgumentError
    """
    if numbers > LARGEST:
        raise ArgumentError(
            f"{name} 太大：{what}要有 {numbers:,} 个数，超过 {LARGEST:,}；"
            f"请减小 {name}",
            name,
        )


def path(name: str, value: Any) -> Path:
    """路径，开头的 ~ 换成家目录。

    错误: 不是路径、是空的、里面有空字符，或认不出 ~ 是谁的家目录时抛出 ArgumentError
    """
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise ArgumentError(
            f"{name}={shown(value)} 应为路径，例如 {name}='run.safetensors'", name
        )
    text = os.fsdecode(value)
    if "\0" in text:
        raise ArgumentError(f"{name}={shown(value)} 里有不能用的字符 \\0", name)
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ArgumentError(
            f"{name}={shown(value)} 里的 ~ 认不出是谁的家目录；请写完整的路径", name
        ) from error
