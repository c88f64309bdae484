"""任务的样子：做法、它给出的指标、它的结果。

内容: Task、Outcome、one_of。
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vision_attention.checks import ArgumentError, choice, nearest
from vision_attention.studies.tasks.metrics import ALWAYS

Sections = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """任务的结果。

    参数: results 指标名 → 数（没有测到时为 None）；curves 曲线名 → 逐点的数；
        seconds、cpu_seconds 为用时
    """

    results: dict[str, float | None]
    curves: dict[str, list[float]]
    seconds: float
    cpu_seconds: float


def anything(sections: Sections) -> None:
    """取值怎样都行。"""


@dataclass(frozen=True)
class Task:
    """一种任务。

    参数: work 是做法，接一个 PreparedRun，它的仅限关键字参数就是 options 里可以写的键；
        metrics 为它给出的指标；timed 为其中的用时与内存，重做一遍不会逐位相同；
        examine 看各部分的设置合不合适，不合适时抛出 ValueError；version 为做法的版本：
        改了代码而使同样的设置给出不同意思的数时加 1，它进记录
    """

    work: Callable[..., Outcome]
    metrics: tuple[str, ...]
    timed: tuple[str, ...] = ()
    examine: Callable[[Sections], None] = anything
    version: int = 1

    @property
    def measures(self) -> tuple[str, ...]:
        """它的记录里有的全部指标。"""
        return (*self.metrics, *self.timed, *ALWAYS)

    def check(self, sections: Sections) -> None:
        """看 options 里有没有不认识、缺少或不合适的键。

        参数: sections 为 data、model、train、options 四部分的设置
        错误: 有则抛出 ValueError
        """
        parameters = inspect.signature(self.work).parameters.values()
        keyword = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
        known = [p.name for p in keyword]
        for name in sections["options"]:
            if name not in known:
                hint = nearest(name, known)
                raise ArgumentError(f"options.{name} 不认识。{hint}", name)
        for parameter in keyword:
            missing = parameter.name not in sections["options"]
            if missing and parameter.default is parameter.empty:
                name = parameter.name
                raise ArgumentError(f"缺少 options.{name}；这个任务少不了它", name)
        self.examine(sections)


def one_of(name: str, value: Any, choices: tuple) -> None:
    """几个取值之一；真假要写成 true、false，不收 0 与 1。

    错误: 不是时抛出 ValueError
    """
    same_kind = [known for known in choices if type(known) is type(value)]
    choice(name, value if same_kind else str(value), choices)
