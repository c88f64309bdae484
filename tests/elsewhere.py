"""装成一台不是 Linux 的机器，再跑一遍轻量测试：要 Linux 的地方在这里就会露出来。

用法: python tests/elsewhere.py [pytest 的参数……]
"""

import importlib
import os
import sys
from pathlib import Path

# macOS 或 Windows 没有的模块与函数；前者 Windows 全都没有
MODULES = ("fcntl", "grp", "pwd", "resource", "termios")
FUNCTIONS = ("fork", "killpg", "mkfifo", "sched_getaffinity", "sched_setaffinity")
# 框架与锁载入时按系统各走各的路；先在真的系统上载入
FIRST = ("filelock", "numpy", "paddle", "pytest", "scipy.special")
FIRST += ("sklearn.datasets", "torch")
ROOT = Path(__file__).resolve().parent.parent


def hide():
    """从这里起，这个进程里没有 Linux 才有的东西。"""
    for name in (*FIRST, "vision_attention.storage.locks"):
        importlib.import_module(name)
    memory = importlib.import_module("vision_attention.measure.memory")
    memory.CLEAR = memory.STATUS = Path("no-proc-here")
    for name in MODULES:
        sys.modules[name] = None
    for name in FUNCTIONS:
        vars(os).pop(name, None)


if __name__ == "__main__":
    hide()
    sys.path.insert(0, str(ROOT))
    sys.exit(importlib.import_module("tools.proof.light").main(*sys.argv[1:]))
