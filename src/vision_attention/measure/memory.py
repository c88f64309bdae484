"""量一次运行的内存峰值：Linux 记着进程用过的最大内存，先清零再读。"""

from __future__ import annotations

import ctypes
import gc
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vision_attention import checks

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")


def peak_memory(function: Callable[[], Any]) -> int:
    """运行 function 期间，进程内存比运行之前最多多出多少。

    参数: function 不带参数；先自行预热一次，免得把初次载入也算进去
    单位: 字节
    错误: 系统不是 Linux（没有 /proc）时抛出 OSError
    """
    checks.kind("function", function, Callable, "不带参数的函数")
    if not CLEAR.exists():
        raise OSError("peak_memory 只能在 Linux 上用：需要 /proc/self/clear_refs")
    gc.collect()
    # 把用过又放下的内存还给系统，否则再用时看不出增长
    ctypes.CDLL(None).malloc_trim(0)
    CLEAR.write_text("5")
    before = _status("VmRSS")
    result = function()
    peak = _status("VmHWM")
    del result
    return max(peak - before, 0)


def _status(field: str) -> int:
    kibibytes = re.search(rf"^{field}:\s+(\d+) kB$", STATUS.read_text(), re.MULTILINE)
    return int(kibibytes[1]) * 1024
