"""查的途中：模块、尺寸、已经过了的检查；两个数组相同的意思。

内容: Examination、Stop、close、first。
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from vision_attention.grading.bank import Variant
from vision_attention.grading.report import Check, Report
from vision_attention.grading.tasks import Task
from vision_attention.parts import Part

# 差除以 max(1, 参照的最大绝对值)：舍入与数的大小成正比
OUTPUT, GRADIENT = 1e-5, 1e-4


class Stop(Exception):  # noqa: N818 - 不是错误，是查到这里为止
    """查不下去了；消息是一条不过的检查。"""


@dataclass
class Examination:
    """查的途中：模块、尺寸、已经过了的检查、要说的话。"""

    task: Task
    lab: ModuleType
    settings: dict[str, int]
    module: Any = None
    checks: list[Check] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    faulty: bool = False

    def note(self, name: str, passed: bool, sentence: str) -> None:
        """记一条；不过而查不下去的，由调用的一方停下。"""
        self.checks.append(Check(name, passed, sentence))

    def fail(self, name: str, sentence: str) -> None:
        """记一条不过的，就此停下。"""
        self.note(name, False, sentence)
        raise Stop

    def fault(self, name: str, sentence: str) -> None:
        """记一条不过的，只记一次，接着查。"""
        self.faulty = True
        if name not in [check.name for check in self.checks]:
            self.note(name, False, sentence)

    def seeded(self, when: str) -> None:
        """动了全局的种子。"""
        self.fault("不动全局", f"{when}设了全局的随机种子；种子由使用的人定")

    def report(self, verdict: str, found: tuple[Variant, ...] = ()) -> Report:
        """此刻的报告。"""
        told = tuple(dict.fromkeys(self.remarks))
        parts = tuple(self.checks), found, told, self.facts
        return Report(self.task.title, verdict, *parts)


def close(output: np.ndarray, expected: np.ndarray, bound: float = OUTPUT) -> bool:
    """差不超过 bound 乘上 max(1, 参照的最大绝对值)。"""
    if np.size(output) != expected.size:
        return False
    difference = np.abs(np.reshape(output, expected.shape) - expected).max(initial=0)
    return bool(difference <= bound * max(1.0, np.abs(expected).max(initial=0)))


def first(output: Any) -> np.ndarray:
    """交回元组的，取第一个。"""
    return output[0] if isinstance(output, tuple) else output
