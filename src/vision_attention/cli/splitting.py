"""自己的图片怎样分成训练与测试：命令行上的写法，与一次运行里写下的。

内容: share_or_list（--test 的字 → 取值）、division（一次运行的两项）。
"""

from __future__ import annotations

from typing import Any

from vision_attention.studies.design.runs import Run


def share_or_list(written: str | None) -> float | str | None:
    """写的是数，就是份额；不是数，就是名单的路径。"""
    try:
        return None if written is None else float(written)
    except ValueError:
        return written


def division(run: Run) -> dict[str, Any]:
    """这次运行写下的 groups 与 test，正好给 list_pictures 与 look。"""
    return {name: run.data[name] for name in ("groups", "test") if name in run.data}
