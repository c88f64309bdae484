"""一个取值：从几个里选、正整数、有限的数、是与否、一组编号。"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """NumPy 的标量换成 Python 的数，别的原样：用 np.logspace 扫参数也写得进记录。"""
    return value.item() if isinstance(value, np.generic) else value


def choice(name: str, value: Any, choices: Iterable[Any]) -> Any:
    """从有限的取值里选一个，写错时指出最近的一个。

    参数: name 为参数名；value 为收到的值；choices 为全部可用的取值
    返回: value 本身
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
    value = plain(value)
    if type(value) is not int or value < 1:
        raise ValueError(f"{name}={value!r} 应为正整数，例如 {name}=1")
    return value


def whole(name: str, value: int, least: int) -> int:
    """不小于 least 的整数。

    错误: value 不是整数或太小时抛出 ValueError
    """
    value = plain(value)
    if type(value) is not int or value < least:
        raise ValueError(f"{name}={value!r} 不合适；应为不小于 {least} 的整数")
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
    """有限的数，least ≤ value，above < value < below。

    参数: expected 为应当是什么，写进报错的那句话
    错误: value 不是数、不有限或超出范围时抛出 ValueError
    """
    value = plain(value)
    right = type(value) in (int, float) and least <= value and above < value < below
    if not right:
        raise ValueError(f"{name}={value!r} 不合适；应为{expected}")
    return value


def flag(name: str, value: bool) -> bool:
    """是与否；写成字的 "no" 会被当成真，所以只收 True 与 False。

    错误: value 不是布尔时抛出 ValueError
    """
    value = plain(value)
    if type(value) is not bool:
        raise ValueError(f"{name}={value!r} 应为 True 或 False，例如 {name}=False")
    return value


def fraction(name: str, value: float) -> float:
    """取值在 [0, 1) 的比例。

    错误: 不是数或超出范围时抛出 ValueError
    """
    value = number(name, value, "[0, 1) 之间的小数")
    if not 0 <= value < 1:
        raise ValueError(f"{name}={value!r} 超出范围，应满足 0 ≤ {name} < 1")
    return value


def odd(name: str, value: int) -> int:
    """奇数核宽：两侧各补 （k − 1） / 2 格，输出才与输入同样大。

    错误: value 不是正整数或为偶数时抛出 ValueError
    """
    value = positive(name, value)
    if value % 2 == 0:
        raise ValueError(
            f"{name}={value} 是偶数，输出会与输入错开半格；"
            f"请用奇数，例如 {value - 1} 或 {value + 1}"
        )
    return value


def power_of_two(name: str, value: int) -> int:
    """不小于 2 的 2 的幂。

    错误: 不是时抛出 ValueError
    """
    value = positive(name, value)
    if value < 2 or value & (value - 1):
        raise ValueError(f"{name}={value} 应为 2 的幂（不小于 2）：2, 4, 8, 16, …")
    return value


def divisible(name: str, value: int, by_name: str, by: int) -> int:
    """整除：返回商。

    参数: value 应能被 by 整除，例如 embed_dim 与 num_heads
    错误: 不是正整数、不能整除时抛出 ValueError，并列出可用的除数
    """
    value, by = positive(name, value), positive(by_name, by)
    if value % by:
        divisors = [d for d in range(1, value + 1) if value % d == 0]
        shown = ", ".join(map(str, divisors[:8])) + (", …" if divisors[8:] else "")
        raise ValueError(f"{by_name}={by} 不能整除 {name}={value}；可用的取值：{shown}")
    return value // by


def several(name: str, values: Iterable[int]) -> tuple:
    """一组数，换成元组。

    错误: 只有单独一个、没有写成一组时抛出 ValueError
    """
    if not isinstance(values, Iterable):
        raise ValueError(
            f"{name}={values!r} 应为一组数，请写在方括号里，例如 {name}=[1, 2, 3]"
        )
    return tuple(plain(value) for value in values)


def subset(name: str, values: Iterable[int], allowed: Iterable[int]) -> tuple[int, ...]:
    """从 allowed 中选出的、不重复的一组编号。

    错误: 不是一组，有不认识、不是整数或重复的编号时抛出 ValueError
    """
    chosen = several(name, values)
    known = all(type(value) is int and value in allowed for value in chosen)
    if not known or len(set(chosen)) != len(chosen):
        raise ValueError(
            f"{name}={chosen!r} 不合要求：应从 {tuple(allowed)!r} 中选，且不重复"
        )
    return chosen


def options(name: str, value: Any) -> Mapping[str, Any]:
    """其余参数的对照表。

    错误: 不是对照表时抛出 ValueError
    """
    if not isinstance(value, Mapping):
        raise ValueError(
            f"{name}={value!r} 应为「参数: 取值」的对照表，"
            "例如 {'reduction_ratio': 4}；没有就写 {}"
        )
    return value
