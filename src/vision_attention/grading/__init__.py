"""批改：读者写的模块，对，还是错成了哪一种；公开的一份 CBAM 是哪一个 CBAM。

内容: `grade`、`Report`、`TASKS`、`COMPARISONS`、`SENTENCES`、`BANK`
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from vision_attention import checks
from vision_attention.grading.bank import BANK, Variant
from vision_attention.grading.comparisons import (
    COMPARISONS,
    SENTENCES,
    examine_comparison,
)
from vision_attention.grading.examining import examine
from vision_attention.grading.report import Check, Report
from vision_attention.grading.steps import FUNCTIONS, examine_function
from vision_attention.grading.tasks import TASKS, Task, find
from vision_attention.wings import PACKAGES, load_wing

__all__ = [
    "BANK",
    "COMPARISONS",
    "SENTENCES",
    "TASKS",
    "Check",
    "Report",
    "Task",
    "Variant",
    "grade",
]


def grade(
    subject: Any, task: str, *, framework: str | None = None, **settings: int
) -> Report:
    """批改一个模块、一个类，或一个交回模块的函数。

    读者的类照它自己的参数名来建；它的权重被抄到参照与每一种认得的写法上，比较输出与
    梯度。交来的模块本身不变，随机数发生器的状态也不变。

    参数: subject 为模块、类或函数；task 为 TASKS 的一个名字，或
        training_step、evaluation、normalisation、paired_interval、four_answers、
        sayable；framework 为 torch 或
        paddle，看得出来时不用写；settings 为尺寸，如 in_channels=64
    返回: Report，可以直接 print
    错误: task、尺寸的名字不认识，或看不出是哪个框架时抛出 ValueError
    """
    checks.choice("task", task, [*TASKS, *FUNCTIONS, *COMPARISONS])
    if task in COMPARISONS:
        return examine_comparison(subject, task)
    if task in FUNCTIONS:
        return examine_function(subject, task, lab_of(subject, framework))
    return examine(subject, find(task), lab_of(subject, framework), settings)


def lab_of(subject: Any, framework: str | None) -> ModuleType:
    """查它用的那一翼。"""
    if framework is not None:
        return load_wing(framework).module("specimen")
    for name in PACKAGES:
        if name in sys.modules and _belongs(subject, name):
            return load_wing(name).module("specimen")
    raise ValueError(
        f"看不出 {type(subject).__name__} 属于哪个框架；"
        '请写 framework="torch" 或 framework="paddle"'
    )


def _belongs(subject: Any, framework: str) -> bool:
    """类看它的祖先，函数看它所在的文件导入了什么。"""
    kind = subject if isinstance(subject, type) else type(subject)
    roots = {base.__module__.partition(".")[0] for base in kind.__mro__}
    names = getattr(subject, "__globals__", {})
    found = {
        getattr(value, "__name__", "").partition(".")[0]
        for value in list(names.values())
        if isinstance(value, ModuleType)
    }
    return framework in roots | found
