"""写错了一个名字：指出最近的一个，再列出可用的。"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


def closest(word: Any, known: Iterable[Any]) -> str | None:
    """认识的名字里最像的一个；都不像就是 None。

    参数: word 为收到的名字；known 为认识的名字
    """
    near = difflib.get_close_matches(str(word), map(str, known), n=1, cutoff=0.5)
    return near[0] if near else None


def nearest(word: Any, known: Iterable[Any]) -> str:
    """「是不是 'x'？」以及可用的取值。

    参数: word 为收到的名字；known 为认识的名字
    """
    options = [str(option) for option in known]
    near = closest(word, options)
    hint = f"是不是 {near!r}？" if near else ""
    return f"{hint}可用的取值：{', '.join(options)}"
