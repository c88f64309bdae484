"""在哪种处理器上量的。

内容: processor_name（名字）、processor_model（型号）。
"""

from __future__ import annotations

import functools
import platform
from pathlib import Path


def processor_name() -> str:
    """处理器的名字；Linux 的 platform.processor() 常是空的。"""
    return _listed().get("model name") or platform.processor() or platform.machine()


def processor_model() -> str | None:
    """处理器的型号：厂家、家族/型号/步进；同一个名字底下可以有几种。"""
    found = _listed()
    numbers = [found.get(key, "?") for key in ("cpu family", "model", "stepping")]
    return f"{found['vendor_id']} {'/'.join(numbers)}" if "vendor_id" in found else None


@functools.cache
def _listed() -> dict[str, str]:
    """Linux 列出的第一个核；别的系统上是空的。"""
    listing = Path("/proc/cpuinfo")
    if not listing.exists():
        return {}
    first = listing.read_text(encoding="utf-8").partition("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
