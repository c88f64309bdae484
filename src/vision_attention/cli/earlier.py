"""从前的训练：文件夹里是不是同样的设置、同样的图片。

内容: finished（做完的）、unfinished（停在半路的）。
"""

from __future__ import annotations

import json
from pathlib import Path

from vision_attention.cli.trials import saved_settings
from vision_attention.studies.design.runs import Run
from vision_attention.studies.tasks.prepared import load_data
from vision_attention.training import saved_run, snapshots
from vision_attention.training.saved_run import CHECKPOINT


def finished(folder: Path, run: Run, data_root: str | None) -> bool:
    """文件夹里是不是同样的设置、同样的图片做完的一次训练。"""
    try:
        record = json.loads((folder / saved_run.RECORD).read_text("utf8"))
        if record["key"] != run.key:
            return False
        fingerprint = record["data"]["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return load_data(run, data_root).fingerprint == fingerprint


def unfinished(folder: Path, run: Run, data_root: str | None) -> bool:
    """是不是停在半路、同样的设置、同样的图片的一次训练。"""
    try:
        if saved_settings(folder)[0].key != run.key:
            return False
        if not (folder / CHECKPOINT).exists():
            return True
        begun = snapshots.read(folder / CHECKPOINT).identity["dataset"]
    except (OSError, ValueError, KeyError):
        return False
    return begun == load_data(run, data_root).fingerprint
