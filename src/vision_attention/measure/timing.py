"""量时间：几种做法在同一个进程里轮流跑，比的是中位数。

内容: alternate、ratio、clocked。
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vision_attention import checks

# 一轮里每种做法至少跑这么久，钟的分辨率才不要紧
ENOUGH = 0.004
ASIDE = 2**22  # 字节


def alternate(
    functions: Mapping[str, Callable[[], Any]],
    rounds: int = 15,
    least: float = ENOUGH,
) -> dict[str, list[float]]:
    """轮流跑，每轮每种做法连跑几次取平均；每轮的先后次序轮换。

    先各跑几次热身。垃圾回收在计时期间关着。结果落在内存的哪里，快慢差百分之几，
    所以每次先占一块长短不一的，让它落在不同的地方。

    参数: functions 从名字到做法；rounds 为轮数；least 为每轮每种做法至少跑多久
    返回: 从名字到每轮的用时
    单位: 秒，处理器时间
    """
    if not checks.options("functions", functions):
        raise checks.ArgumentError("functions 是空的；至少要有一种做法", "functions")
    checks.positive("rounds", rounds)
    checks.number("least", least, "不小于 0 的秒数", least=0)
    repeats = {}
    for name, function in functions.items():
        function()
        once = min(clocked(function, 1) for _ in range(3))
        repeats[name] = max(1, round(least / once))
    times: dict[str, list[float]] = {name: [] for name in functions}
    names, chance = list(functions), random.Random(0)
    collecting = gc.isenabled()
    gc.disable()
    try:
        for number in range(rounds):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                aside = bytearray(chance.randrange(ASIDE))
                times[name].append(clocked(functions[name], repeats[name]))
                del aside
    finally:
        if collecting:
            gc.enable()
    return times


def ratio(own: Sequence[float], theirs: Sequence[float]) -> float:
    """逐轮之比的中位数：机器的快慢会飘，一轮之内飘得少。

    参数: own、theirs 为两种做法逐轮的用时
    """
    own, theirs = checks.finite("own", own, 1), checks.finite("theirs", theirs, 1)
    if not 0 < len(own) == len(theirs) or not theirs.all():
        raise checks.ArgumentError(
            f"own 有 {len(own)} 个，theirs 有 {len(theirs)} 个；应一样多，至少一个，"
            "theirs 里不能有 0",
            "theirs",
        )
    return statistics.median(a / b for a, b in zip(own, theirs, strict=True))


def clocked(function: Callable[[], Any], repeats: int) -> float:
    """连跑 repeats 次，返回一次的处理器时间。

    单位: 秒
    """
    start = time.process_time()
    for _ in range(repeats):
        function()
    return max((time.process_time() - start) / repeats, 1e-9)
