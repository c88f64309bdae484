"""写错了一个名字：指出最近的一个，再列出可用的。"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


def nearest(word: Any, known: Iterable[Any]) -> str:
    """「是不是 'x'？」以及可用的取值。

    参数: word 为收到的名字；known 为认识的名字
    """
    options = [str(option) for option in known]
    near = difflib.get_close_matches(str(word), options, n=1, cutoff=0.5)
    hint = f"是不是 {near[0]!r}？" if near else ""
    return f"{hint}可用的取值：{', '.join(options)}"
