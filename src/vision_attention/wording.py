"""数字怎样写进正文：一个数、一个区间、一张表；书与笔记本共用这一种写法。

内容: number、signed、span、p_value、rows、DIGITS。
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

# 各指标留几位小数；没有写的留三位
DIGITS = {
    "parameters": 0,
    "macs": 0,
    "memory": 0,
    "steps_to_fit": 0,
    "cpu_seconds": 1,
    "attention_distance": 2,
    "attention_distance_first": 2,
    "attention_distance_last": 2,
    "reach_radius": 1,
    "parameters_ratio": 4,
    "macs_ratio": 4,
    "latency_1_ratio": 2,
    "latency_64_ratio": 2,
    "train_step_ratio": 2,
    "memory_ratio": 2,
}
# 表格里不许折行的空格
TIE = "&nbsp;"


def number(value: float | None, digits: int = 3) -> str:
    """不带加号的数，千位加逗号，负号用 −；没有测到的写成 —。"""
    if value is None:
        return "—"
    # 四舍五入之后是 0 的负数不写成 −0.000
    return f"{round(value, digits) + 0.0:,.{digits}f}".replace("-", "−")


def signed(value: float | None, digits: int = 3) -> str:
    """带正负号的差，负号用 −；没有测到的写成 —。"""
    if value is None:
        return "—"
    return f"{round(value, digits) + 0.0:+,.{digits}f}".replace("-", "−")


def span(low: float | None, high: float | None, digits: int = 3) -> str:
    """区间的两端，用在表格里，不折行；只有一个种子时没有区间，写成 —。"""
    if low is None or high is None:
        return "—"
    return f"{signed(low, digits)}{TIE}…{TIE}{signed(high, digits)}"


def p_value(value: float | None) -> str:
    """写出 p 值：小于千分之一的只说小于；没有测到的写成 —。"""
    if value is None:
        return "—"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def rows(
    head: Sequence[str],
    body: Iterable[Sequence[str]],
    left: str | Sequence[str] = (),
) -> str:
    """Markdown 表。

    参数: head 为各列的名字；body 为各行；left 为靠左的列名，其余靠右，第一列总是靠左；
        可以写成一个空格隔开的字符串，名字里有空格的写成列表
    """
    names = left.split() if isinstance(left, str) else left
    sides = {head[0], *names}
    rule = [":--" if name in sides else "--:" for name in head]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *body))
