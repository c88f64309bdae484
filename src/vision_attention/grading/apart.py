"""在另一个进程里跑别人的代码：有时限，超过了就停下，连同它自己开的进程。

只限时间，不是隔离：代码以使用者的权利运行。
内容: `run_apart`
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path


def run_apart(
    words: Sequence[str], seconds: float, folder: Path | None = None
) -> str | None:
    """跑 python -m words……；返回它最后说的几句，超过 seconds 秒的返回 None。

    参数: folder 为在哪个文件夹里跑，缺省是此刻的
    """
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            cwd=folder,
            env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
            start_new_session=True,
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _stop(process)
        said.seek(0, os.SEEK_END)
        said.seek(max(0, said.tell() - 4000))
        return said.read().decode("utf8", "replace")


def _stop(process: subprocess.Popen) -> None:
    """停下它与它开的进程；已经走了的不管。"""
    if hasattr(os, "killpg"):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
    process.kill()
    process.wait()
