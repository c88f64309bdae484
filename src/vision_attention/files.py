"""写文件：先写临时文件，落盘后改名；半成品不会被当成完整的文件。"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """给出同一文件夹里的临时路径；正常离开时落盘、改名为 path，出错时删去。

    参数: path 为最终的路径，所在文件夹不存在时建立
    错误: 写不进去时抛出 OSError，原有的 path 不变
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
