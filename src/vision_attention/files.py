"""写文件：先写临时文件，落盘后改名；半成品不会被当成完整的文件。

- `replacing`：换掉一个文件
- `rehearse`：先试试写得进去吗
"""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# 临时文件搁了这么久，写它的进程一定不在了；单位秒
STALE = 3600


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """给出同一文件夹里的临时路径；正常离开时落盘、改名为 path，出错时删去。

    参数: path 为最终的路径，所在文件夹不存在时建立
    错误: 写不进去时抛出 OSError，原有的 path 不变
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path, os.getpid())
    try:
        yield temporary
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def rehearse(path: Path) -> None:
    """试写 path：在同一文件夹里建一个临时文件再删去，path 与别人正在写的都不动。

    以前的进程被 kill -9 时留下的临时文件，搁过 STALE 秒的，顺手收走。

    参数: path 为最终的路径，所在文件夹不存在时建立
    错误: 写不进去时抛出 OSError
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path, os.getpid())
    temporary.touch()
    temporary.unlink()
    for left in path.parent.glob(_temporary(Path(glob.escape(path.name)), "*").name):
        process = left.name.removeprefix(f".{path.name}.").removesuffix(".tmp")
        # 收不走的（别人的，或别的进程先收了）不碍事
        with suppress(OSError):
            if process.isdecimal() and time.time() - left.stat().st_mtime > STALE:
                left.unlink()


def _temporary(path: Path, process: int | str) -> Path:
    return path.with_name(f".{path.name}.{process}.tmp")
