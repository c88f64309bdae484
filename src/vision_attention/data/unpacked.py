"""解开过的压缩包：第二次读只需映射文件，快，且同机的几个进程共用一份内存。"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from vision_attention.data.dataset import Source

PARTS = ("pool_images", "pool_labels", "test_images", "test_labels")


def cached(folder: Path, unpack: Callable[[], Source]) -> Source:
    """文件夹 folder 里有解开的结果就映射它，没有就 unpack() 并存下。

    先写在旁边的临时文件夹，再整个改名，所以半途而废的不会被当真；
    两个进程同时写，内容相同，先改名的算数。存不下（没有权限、磁盘满）不影响结果。

    形状: 见 Source；图片可能是只读的内存映射
    参数: folder 的名字应由压缩包的内容决定；unpack 无参数，返回 Source
    """
    # 残缺的、别的程序放在那里的，都不算
    with contextlib.suppress(OSError, ValueError, TypeError, EOFError, RecursionError):
        return recall(folder)
    source = unpack()
    with contextlib.suppress(OSError):
        remember(source, folder)
    return source


def remember(source: Source, folder: Path) -> None:
    """把 source 写进 folder。

    错误: 写不进去，或 folder 已经存在时抛出 OSError
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    facts = {
        "name": source.name,
        "class_names": source.class_names,
        "flip": source.flip,
    }
    with tempfile.TemporaryDirectory(
        dir=folder.parent, ignore_cleanup_errors=True
    ) as scratch:
        ready = Path(scratch) / folder.name
        ready.mkdir()
        for part in PARTS:
            np.save(ready / f"{part}.npy", getattr(source, part))
        text = json.dumps(facts, ensure_ascii=False)
        (ready / "facts.json").write_text(text, encoding="utf-8")
        ready.rename(folder)


def recall(folder: Path) -> Source:
    """从 folder 里取回 remember 写下的 source。

    错误: 没有这个文件夹时抛出 OSError，文件残缺时抛出 ValueError
    """
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    arrays = {part: np.load(folder / f"{part}.npy", mmap_mode="r") for part in PARTS}
    source = Source(**facts, **arrays)
    return replace(source, class_names=tuple(source.class_names))
