"""一条记录的来历：哪一版代码、哪个框架、什么处理器、哪份数据。

内容: code_version、processor、data_of、version_of。
"""

from __future__ import annotations

import functools
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

import vision_attention
from vision_attention.data import Dataset
from vision_attention.wings import import_quietly

PACKAGE_FOLDER = Path(vision_attention.__file__).parent


def version_of(framework: str) -> str:
    """框架的版本；问框架自己：装的也许是 paddlepaddle-gpu，包名不同。"""
    return str(import_quietly(framework).__version__)


def data_of(dataset: Dataset) -> dict[str, Any]:
    """数据的名字、张数与指纹。"""
    return {
        "name": dataset.name,
        "n_train": len(dataset.train_labels),
        "n_test": len(dataset.test_labels),
        "fingerprint": dataset.fingerprint,
    }


def processor(device: str, threads: int) -> dict[str, Any]:
    """在什么处理器上、用几个线程算的。

    参数: device 为 "cpu" 或 "gpu"；threads 为线程数
    """
    return {
        "device": device,
        "name": _processor_name(),
        "model": _processor_model(),
        "cores": os.cpu_count(),
        "threads": threads,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def _processor_name() -> str:
    """处理器的名字；Linux 的 platform.processor() 常是空的。"""
    return _listed().get("model name") or platform.processor() or platform.machine()


def _processor_model() -> str | None:
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


@functools.cache
def code_version() -> dict[str, Any]:
    """包的版本；在 git 检出里再加提交与「改过没提交」的标记，否则为 None。

    包装在别人仓库的 .venv 里时，那个仓库不管它，提交也就不是它的。
    """
    ours = _git("ls-files", "--error-unmatch", "__init__.py") is not None
    commit = _git("rev-parse", "HEAD") if ours else None
    changed = _git("status", "--porcelain", "--", "*.py", "*.yaml") if ours else None
    return {
        "version": vision_attention.__version__,
        "commit": commit,
        "dirty": bool(changed) if commit else None,
    }


def _git(*arguments: str) -> str | None:
    """包所在的检出里运行一条只读的 git 命令；不在检出里、没有 git 时返回 None。"""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=PACKAGE_FOLDER,
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
