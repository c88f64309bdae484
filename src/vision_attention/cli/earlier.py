"""从前的训练：文件夹里是不是同样的设置、同样的图片；停在半路的，照原来的备齐。

内容: finished（做完的）、unfinished（停在半路的）、saved_settings（它的设置）、
    as_before（备齐了接着做）。
"""

from __future__ import annotations

import json
from pathlib import Path

from vision_attention.storage import files, records
from vision_attention.studies.design.runs import Run
from vision_attention.studies.tasks.prepared import PreparedRun, load_data, prepare
from vision_attention.training import saved_run, snapshots
from vision_attention.training.saved_run import CHECKPOINT, RECORD, SETTINGS


def finished(folder: Path, run: Run, data_root: str | None) -> bool:
    """文件夹里是不是同样的设置、同样的图片做完的一次训练。"""
    try:
        record = json.loads((folder / RECORD).read_text("utf8"))
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


def saved_settings(folder: Path) -> tuple[Run, str | None]:
    """停在半路的一次训练的设置，与数据所在。

    错误: 已经训练完、不是 train 的文件夹、设置损坏或由更新的版本写成时抛出 ValueError
    """
    shown = files.printable(folder)
    if (folder / RECORD).exists():
        raise ValueError(
            f"{shown} 已经训练完；认图：vision-attention predict {shown} PICTURE；"
            "要练得更久，请写更大的 --steps，换一个 --name 重新训练"
        )
    if not (folder / SETTINGS).exists():
        inside = files.is_folder(folder)
        why = f"里面没有 {SETTINGS}" if inside else "没有这个文件夹"
        raise ValueError(f"{shown} 不是停在半路的训练：{why}")
    try:
        files.readable(folder / SETTINGS)
        settings = records.plain_json((folder / SETTINGS).read_bytes())
        newer, place = settings["format"] > saved_run.FORMAT, settings["data_root"]
        run = Run.from_settings(settings["run"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{folder / SETTINGS} 损坏，接不下去；请换一个 --name 从头训练"
        ) from error
    if newer:
        raise ValueError(f"{shown} 由更新的版本开始训练；请用那个版本接着做")
    return run, place


def as_before(folder: Path, run: Run, data_root: str | None) -> PreparedRun:
    """照原来的备齐；自己的图片不在了、变了，说怎么办。"""
    kind, _, place = str(run.data.get("name")).partition(":")
    try:
        prepared = prepare(run, data_root)
    except FileNotFoundError as error:
        if kind != "folder":
            raise
        raise FileNotFoundError(f"{error}。接着做请把图片放回 {place}") from error
    if kind == "folder" and (folder / CHECKPOINT).exists():
        begun = snapshots.read(folder / CHECKPOINT).identity.get("dataset")
        if begun != prepared.dataset.fingerprint:
            raise ValueError(
                "现在的图片与开始训练时的不同（多了、少了或改过），接不下去；"
                "请放回原来的图片，或换一个 --name 从头训练"
            )
    return prepared
