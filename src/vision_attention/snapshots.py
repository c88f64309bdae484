"""检查点文件：张量与说明写在同一个 .safetensors 里，要么整个是新的，要么整个是旧的。

- `write`：写到临时名字，落盘，再改名
- `read`：读出并核对身份，不合的地方一次列全
- `writable`：训练之前先看看写得进去吗
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from vision_attention.history import History

Arrays = dict[str, np.ndarray]
SHOWN = 12


def write(path: Path, arrays: Arrays, identity: dict, history: History) -> None:
    """原子地写一个检查点；断电、磁盘满都只会留下完整的旧文件。

    参数: identity 说明这是谁的检查点；history 为到此为止的曲线；
        两者以 JSON 存在文件头里
    错误: 写不进去时抛出 OSError，说明原因与旧文件是否还在
    """
    header = {"identity": json.dumps(identity), "history": json.dumps(asdict(history))}
    temporary = _temporary(path)
    try:
        with temporary.open("wb") as file:
            file.write(save(arrays, header))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _unwritable(path, error) from error


def writable(path: Path) -> None:
    """训练之前先试写，免得训练完了才发现存不下。

    错误: 文件夹建不起来或不许写时抛出 OSError
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _temporary(path).touch()
        _temporary(path).unlink()
    except OSError as error:
        raise _unwritable(path, error) from error


def read(path: Path, expected: Arrays, identity: dict) -> tuple[Arrays, History]:
    """读一个检查点；只有身份与每个张量的形状都相符才返回。

    参数: expected 为此刻模型与优化器的张量；identity 为此刻的身份
    返回: (张量, 曲线)
    错误: 文件损坏，或有任何一处不符时抛出 ValueError，列出全部不符之处
    """
    try:
        with safe_open(path, "np") as file:
            header = {key: json.loads(text) for key, text in file.metadata().items()}
            arrays = {name: file.get_tensor(name) for name in file.keys()}
        history = History(**header["history"])
        saved = header["identity"]
    except (SafetensorError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"检查点 {path} 读不出来（{error}）；它不完整，或不是本课程写的。"
            "请换一个路径，或删去它从头训练"
        ) from error
    differences = _settings(saved, identity) + _shapes(arrays, expected)
    if differences:
        raise ValueError(
            f"检查点 {path} 属于另一次训练，没有载入任何东西。不同之处：\n"
            + "\n".join(f"  {line}" for line in differences)
            + "\n请换一个路径，或改回原来的模型、数据与配置"
        )
    return arrays, history


def _settings(saved: dict, present: dict) -> list[str]:
    names = sorted(saved.keys() | present.keys())
    return [
        f"{name}：检查点 {saved.get(name)!r}，现在 {present.get(name)!r}"
        for name in names
        if saved.get(name) != present.get(name)
    ]


def _shapes(saved: Arrays, present: Arrays) -> list[str]:
    """名字或形状对不上的张量，最多列 SHOWN 个。"""

    def shape(arrays: Arrays, name: str) -> str:
        return str(arrays[name].shape) if name in arrays else "没有"

    lines = [
        f"{name}：检查点 {shape(saved, name)}，现在 {shape(present, name)}"
        for name in sorted(saved.keys() | present.keys())
        if shape(saved, name) != shape(present, name)
    ]
    more = len(lines) - SHOWN
    return lines[:SHOWN] + ([f"……另有 {more} 个张量不同"] if more > 0 else [])


def _temporary(path: Path) -> Path:
    return path.with_name(path.name + ".tmp")


def _unwritable(path: Path, error: OSError) -> OSError:
    old = "旧的检查点仍然完好" if path.exists() else "还没有旧的检查点"
    return OSError(
        error.errno,
        f"检查点写不进 {path}：{error.strerror}；{old}。"
        "请腾出空间、检查权限，或换一个路径后再运行一次",
    )
