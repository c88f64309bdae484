"""量时间：几种做法在同一个进程里轮流跑，比的是中位数。

内容: alternate、ratio、clocked。
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

# 一轮里每种做法至少跑这么久，钟的分辨率才不要紧
ENOUGH = 0.004


def alternate(
    functions: Sequence[Callable[[], Any]], rounds: int = 15
) -> list[list[float]]:
    """轮流跑，每轮每种做法连跑几次取平均；每轮的先后次序轮换。

    先各跑两次热身。垃圾回收在计时期间关着。

    参数: functions 为几种做法；rounds 为轮数
    返回: 每种做法一个列表，每轮一项
    单位: 秒，处理器时间
    """
    for function in functions:
        function()
    repeats = max(1, round(ENOUGH / min(clocked(f, 1) for f in functions)))
    times: list[list[float]] = [[] for _ in functions]
    collecting = gc.isenabled()
    gc.disable()
    try:
        for number in range(rounds):
            for place in range(len(functions)):
                chosen = (number + place) % len(functions)
                times[chosen].append(clocked(functions[chosen], repeats))
    finally:
        if collecting:
            gc.enable()
    return times


def ratio(own: Sequence[float], theirs: Sequence[float]) -> float:
    """逐轮之比的中位数：机器的快慢会飘，一轮之内飘得少。

    参数: own、theirs 为两种做法逐轮的用时
    """
    return statistics.median(a / b for a, b in zip(own, theirs, strict=True))


def clocked(function: Callable[[], Any], repeats: int) -> float:
    """连跑 repeats 次，返回一次的处理器时间。

    单位: 秒
    """
    start = time.process_time()
    for _ in range(repeats):
        function()
    return max((time.process_time() - start) / repeats, 1e-9)
