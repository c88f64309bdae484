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
from vision_attention.measure.processor import processor_model, processor_name
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
        "name": processor_name(),
        "model": processor_model(),
        "cores": os.cpu_count(),
        "threads": threads,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


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
