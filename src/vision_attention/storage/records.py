"""运行记录的读与写：一行一条 JSON，只增不改，写到一半被杀也不伤邻行。

内容: append、read、set_aside、plain_json、Reading、Rejected、REJECTED_NAME。
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from vision_attention.storage.files import printable, readable, reason, replacing
from vision_attention.storage.locks import locked

REJECTED_NAME = "records.rejected.jsonl"
TORN = "没有写完（缺换行），多半是写到一半时进程被杀或磁盘已满"
# 一行最多几个字节；真的记录只有几千，再长的不去解析
LONGEST = 1_000_000
# 整数最多几位；64 位整数最多 19 位
DIGITS = 19


@dataclass(frozen=True)
class Rejected:
    """一行没有被接受的内容：第几行、为什么、原文。"""

    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class Reading:
    """读一次记录的结果：好的记录，以及被拒的行。"""

    records: list[dict]
    rejected: list[Rejected]


Decode = Callable[[bytes], dict]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """一层括号里的键与值；JSON 自己许可一个键写两次，后一个顶掉前一个。"""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"键 {twice!r} 写了两次")
    return found


def _whole(text: str) -> int:
    if len(text.lstrip("-")) > DIGITS:
        raise ValueError(f"有一个 {len(text)} 位的整数，最多 {DIGITS} 位")
    return int(text)


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"有一个不是有限的数：{text[:DIGITS]}")
    return value


_STRICT = json.JSONDecoder(
    object_pairs_hook=_once,
    parse_int=_whole,
    parse_float=_finite,
    parse_constant=_finite,
)


def plain_json(line: bytes) -> dict:
    """一行 → 字典；键不重、数有限，别的都许可。

    错误: 不是这样的一行时抛出 ValueError，说明为什么
    """
    try:
        record = _STRICT.decode(line.decode("utf-8"))
    except RecursionError:
        raise ValueError("不是 JSON：括号套得太深") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"不是 JSON：{error}") from None
    if not isinstance(record, dict):
        raise ValueError("不是一个 JSON 对象")
    return record


def _judge(line: bytes, decode: Decode) -> tuple[dict | None, str]:
    """一行 → (记录, "") 或 (None, 拒收的原因)。"""
    if len(line) > LONGEST:
        return None, f"这一行有 {len(line)} 个字节，最多 {LONGEST} 个"
    try:
        return decode(line), ""
    except ValueError as error:
        return None, str(error)


def _sort(content: bytes, decode: Decode) -> tuple[list[dict], list[bytes], list]:
    """逐行分拣 → 记录、好行的原文、被拒的行。"""
    *whole, tail = content.split(b"\n")
    records, kept, rejected = [], [], []
    for number, line in enumerate(whole, start=1):
        record, why = _judge(line, decode)
        if record is None:
            text = line.decode("utf-8", "replace")
            rejected.append(Rejected(number, why, text))
        else:
            records.append(record)
            kept.append(line + b"\n")
    if tail:
        text = tail.decode("utf-8", "replace")
        rejected.append(Rejected(len(whole) + 1, TORN, text))
    return records, kept, rejected


def _content(path: Path) -> bytes:
    """文件的内容；还没有文件时为空。"""
    if not os.path.lexists(path):
        return b""
    readable(path)
    return path.read_bytes()


def read(path: Path, decode: Decode = plain_json) -> Reading:
    """读出全部记录；坏行列在 rejected 里，文件本身不动。

    参数: path 记录文件，不存在时当作空；decode 把一行变成一条记录，
        不收的抛出 ValueError，说明为什么
    错误: 是文件夹、管道或没有权限时抛出 ValueError 或 OSError
    """
    records, _, rejected = _sort(_content(Path(path)), decode)
    return Reading(records, rejected)


def _write(handle: int, content: bytes) -> None:
    """写完为止并落盘；os.write 一次可能只写一部分。"""
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]
    os.fsync(handle)


def _append_bytes(path: Path, content: bytes) -> None:
    """整段追加；写不完就退回原来的长度，不留半行。"""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    except OSError as error:
        told = f"记录写不进 {printable(path)}：{reason(error)}"
        raise OSError(error.errno, told) from error
    size = os.fstat(handle).st_size
    try:
        _write(handle, content)
    except OSError as error:
        os.ftruncate(handle, size)
        raise OSError(
            error.errno,
            f"记录写不进 {printable(path)}（{reason(error)}）；已退回上一条完整的记录，"
            "请腾出空间后再运行同一条命令",
        ) from error
    except BaseException:
        # Ctrl-C 落在落盘的片刻时，这一行已经完整，别人可能已读到，就留着
        if os.fstat(handle).st_size < size + len(content):
            os.ftruncate(handle, size)
        raise
    finally:
        os.close(handle)


def _set_aside(path: Path, decode: Decode) -> Reading:
    """已持锁：把坏行移进旁边的 records.rejected.jsonl。"""
    records, kept, rejected = _sort(_content(path), decode)
    if rejected:
        when = datetime.now(timezone.utc).isoformat(timespec="seconds")
        lines = [
            json.dumps({**asdict(item), "file": path.name, "when": when})
            for item in rejected
        ]
        # 先存好坏行，再换掉原文件：中途被杀最多留下重复的坏行，不会丢
        content = ("\n".join(lines) + "\n").encode()
        _append_bytes(path.with_name(REJECTED_NAME), content)
        with replacing(path) as temporary:
            temporary.write_bytes(b"".join(kept))
    return Reading(records, rejected)


def set_aside(path: Path, decode: Decode = plain_json) -> list[Rejected]:
    """把坏行移进旁边的 records.rejected.jsonl，返回移走的行。

    参数: path 记录文件；decode 同 read
    """
    path = Path(path)
    with locked(path):
        return _set_aside(path, decode).rejected


def append(
    path: Path, record: dict, *, unique: str = "key", decode: Decode = plain_json
) -> bool:
    """追加一条记录；已有同一个 key 时什么都不写并返回 False。

    要写的这一行先照 decode 读一遍：读不回来的不写。坏行（上一次没有写完的也算）
    先移到 records.rejected.jsonl；写不完则退回原长。
    参数: path 记录文件；record 可存成 JSON 的字典；unique 用来认重的键；decode 同 read
    错误: 写不进去（磁盘满、没有权限）时抛出 OSError；不合要求时抛出 ValueError
    """
    path = Path(path)
    line = json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass")
    with locked(path):
        known = [other.get(unique) for other in _set_aside(path, decode).records]
        if record[unique] in known:
            return False
        _, why = _judge(line, decode)
        if why:
            raise ValueError(f"这条记录不合要求，没有写：{why}")
        _append_bytes(path, line + b"\n")
    return True
