"""检查点文件：张量与说明写在同一个 .safetensors 里，要么整个是新的，要么整个是旧的。

- `write`：写到临时名字，落盘，再改名
- `read`、`Snapshot`：读出，核对身份，不合的地方一次列全
- `writable`：训练之前先看看写得进去吗
- `settings`、`digests`：一个模型的设定与固定的张量，身份的一部分
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from vision_attention.storage import files
from vision_attention.training.history import History

Arrays = dict[str, np.ndarray]
SHOWN = 12
# 从前的检查点没有写这几项；没有写的不比
LATER = ("mean", "std", "pooling")
WRONG = (AttributeError, KeyError, RecursionError, TypeError, ValueError)


class _UnsoundError(ValueError):
    """检查点读得出来，内容却不对。"""


def write(path: Path, arrays: Arrays, identity: dict, history: History) -> None:
    """原子地写一个检查点；断电、磁盘满都只会留下完整的旧文件。

    参数: identity 说明这是谁的检查点；history 为到此为止的曲线；
        两者以 JSON 存在文件头里
    错误: 写不进去时抛出 OSError，说明原因与旧文件是否还在
    """
    header = {"identity": json.dumps(identity), "history": json.dumps(asdict(history))}
    try:
        with files.replacing(path) as temporary:
            temporary.write_bytes(save(arrays, header))
    except OSError as error:
        raise _unwritable(path, error) from error


def writable(path: Path) -> None:
    """训练之前先试写，免得训练完了才发现存不下。

    错误: path 是文件夹，或文件夹建不起来、不许写时抛出 OSError
    """
    if files.is_folder(path):
        raise IsADirectoryError(
            errno.EISDIR,
            f"检查点 {path} 是一个文件夹，应为文件；例如 {path / 'run.safetensors'}",
        )
    try:
        files.rehearse(path)
    except OSError as error:
        raise _unwritable(path, error) from error


@dataclass(frozen=True, eq=False)
class Snapshot:
    """读出来的一个检查点。

    参数: path 为它的路径；arrays 为模型与优化器的张量，名字以 model.、optimizer. 开头；
        identity 说明这是谁的检查点；history 为到此为止的曲线
    """

    path: Path
    arrays: Arrays
    identity: dict
    history: History

    @property
    def learned(self) -> set[str]:
        """优化器为之存了状态的参数，也就是得到过梯度的那些。"""
        mark = "optimizer."
        names = (n.removeprefix(mark) for n in self.arrays if n.startswith(mark))
        return {name.rpartition(".")[0] for name in names}

    def check(self, identity: dict, present: Arrays, part: str = "") -> None:
        """核对身份与每个张量的形状。

        参数: identity 为此刻的身份；present 为此刻模型与优化器的张量；
            part 为只核对名字这样开头的张量，默认全部
        错误: 有任何一处不符时抛出 ValueError，列出不符之处
        """
        settings = _settings(self.identity, identity)
        layers = [line for name, line in settings if "." in name]
        layers += _shapes(_part(self.arrays, part), _part(present, part))
        differences = [line for name, line in settings if "." not in name]
        differences += layers[:SHOWN]
        if len(layers) > SHOWN:
            differences.append(f"……另有 {len(layers) - SHOWN} 处不同")
        if differences:
            raise ValueError(
                f"检查点 {self.path} 属于另一次训练，没有载入任何东西。不同之处：\n"
                + "\n".join(f"  {line}" for line in differences)
                + "\n请换一个路径，或改回原来的模型、数据与配置"
            )


def read(path: Path) -> Snapshot:
    """读一个检查点；属不属于这次训练，由 Snapshot.check 核对。

    错误: 文件损坏、不是普通的文件，或不是本课程写的时抛出 ValueError
    """
    files.readable(path)
    try:
        with safe_open(path, "np") as file:
            header = {key: json.loads(text) for key, text in file.metadata().items()}
            arrays = {name: file.get_tensor(name) for name in file.keys()}
        history = _sound(History(**header["history"]))
        return Snapshot(path, arrays, dict(header["identity"]), history)
    except (SafetensorError, *WRONG) as error:
        # 我们自己的话才印出来；别的包的英文原话，读者用不上
        told = f"（{error}）" if isinstance(error, _UnsoundError) else ""
        raise ValueError(
            f"检查点 {path} 读不出来{told}；它不完整，或不是本课程写的。"
            "请换一个路径，或删去它从头训练"
        ) from error


def _sound(history: History) -> History:
    """六条曲线一样长，都是数。"""
    curves = [getattr(history, item.name) for item in fields(history) if item.compare]
    plain = all(type(value) in (int, float) for curve in curves for value in curve)
    if len(set(map(len, curves))) > 1 or not plain:
        raise _UnsoundError("曲线不是一样长的几列数")
    return history


def settings(layers: Iterable[tuple[str, object]]) -> dict[str, Any]:
    """各层公开的属性里看得出取值的：repr 不一定显示，例如 CBAM 的 order。

    参数: layers 为（层的名字，层）
    返回: {"model.层.设定": 值}；层在不在训练模式不算
    """
    found: dict[str, Any] = {}
    for name, layer in layers:
        own = {key: value for key, value in vars(layer).items() if key != "training"}
        found |= _plain(f"model.{name}" if name else "model", own)
    return found


def digests(arrays: Arrays) -> dict[str, str]:
    """不存盘的张量各求一个指纹，例如注意力的遮罩与固定的位置编码。

    返回: {"model.名字": 16 位十六进制}
    """
    return {
        f"model.{name}": hashlib.sha256(
            f"{array.dtype}{array.shape}".encode() + array.tobytes()
        ).hexdigest()[:16]
        for name, array in arrays.items()
    }


def _plain(path: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """数、字符串、真假，与装着它们的表、元组、dataclass；别的都不算设定。"""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if str(key).startswith("_"):
            continue
        inside = value
        if is_dataclass(value) and not isinstance(value, type):
            inside = {item.name: getattr(value, item.name) for item in fields(value)}
        if isinstance(inside, Mapping):
            found |= _plain(f"{path}.{key}", inside)
        elif isinstance(inside, bool | int | float | str):
            found[f"{path}.{key}"] = inside
        elif isinstance(inside, tuple | list):
            found |= _plain(f"{path}.{key}", dict(enumerate(inside)))
    return found


def _settings(saved: dict, present: dict) -> list[tuple[str, str]]:
    """（名字，不同之处），整个模型的设定排在各层的前面。"""
    names = sorted(saved.keys() | present.keys(), key=lambda n: (n.count("."), n))
    return [
        (name, f"{name}：检查点 {saved.get(name)!r}，现在 {present.get(name)!r}")
        for name in names
        if saved.get(name) != present.get(name)
        and (name in saved or name.rpartition(".")[2] not in LATER)
    ]


def _part(arrays: Arrays, part: str) -> Arrays:
    return {name: array for name, array in arrays.items() if name.startswith(part)}


def _shapes(saved: Arrays, present: Arrays) -> list[str]:
    """名字或形状对不上的张量。"""

    def shape(arrays: Arrays, name: str) -> str:
        return str(arrays[name].shape) if name in arrays else "没有"

    return [
        f"{name}：检查点 {shape(saved, name)}，现在 {shape(present, name)}"
        for name in sorted(saved.keys() | present.keys())
        if shape(saved, name) != shape(present, name)
    ]


def _unwritable(path: Path, error: OSError) -> OSError:
    old = "旧的检查点仍然完好" if path.exists() else "还没有旧的检查点"
    return OSError(
        error.errno,
        f"检查点写不进 {files.printable(path)}：{files.reason(error)}；{old}。"
        "请腾出空间、检查权限，或换一个路径后再运行一次",
    )
