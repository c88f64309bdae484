"""运行记录的读与写：一行一条 JSON，只增不改，写到一半被杀也不伤邻行。

内容: append、read、set_aside、Reading、Rejected、REJECTED_NAME。
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from vision_attention.storage.files import replacing
from vision_attention.storage.locks import locked

REJECTED_NAME = "records.rejected.jsonl"
TORN = "没有写完（缺换行），多半是写到一半时进程被杀或磁盘已满"


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


Check = Callable[[dict], "str | None"]


def _no_objection(record: dict) -> str | None:
    return None


def _judge(line: bytes, check: Check) -> tuple[dict | None, str]:
    """一行 → (记录, "") 或 (None, 拒收的原因)。"""
    try:
        record = json.loads(line.decode("utf-8"))
    except ValueError as error:
        return None, f"不是 JSON：{error}"
    if not isinstance(record, dict):
        return None, "不是一个 JSON 对象"
    reason = check(record)
    return (None, reason) if reason else (record, "")


def _sort(content: bytes, check: Check) -> tuple[list[dict], list[bytes], list]:
    """逐行分拣 → 记录、好行的原文、被拒的行。"""
    *whole, tail = content.split(b"\n")
    records, kept, rejected = [], [], []
    for number, line in enumerate(whole, start=1):
        record, reason = _judge(line, check)
        if record is None:
            text = line.decode("utf-8", "replace")
            rejected.append(Rejected(number, reason, text))
        else:
            records.append(record)
            kept.append(line + b"\n")
    if tail:
        text = tail.decode("utf-8", "replace")
        rejected.append(Rejected(len(whole) + 1, TORN, text))
    return records, kept, rejected


def read(path: Path, check: Check = _no_objection) -> Reading:
    """读出全部记录；坏行列在 rejected 里，文件本身不动。

    参数: path 记录文件，不存在时当作空；check 拿到一条记录，返回拒收的原因或 None
    """
    path = Path(path)
    content = path.read_bytes() if path.exists() else b""
    records, _, rejected = _sort(content, check)
    return Reading(records, rejected)


def _write(handle: int, content: bytes) -> None:
    """写完为止并落盘；os.write 一次可能只写一部分。"""
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]
    os.fsync(handle)


def _append_bytes(path: Path, content: bytes) -> None:
    """整段追加；写不完就退回原来的长度，不留半行。"""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    size = os.fstat(handle).st_size
    try:
        _write(handle, content)
    except OSError as error:
        os.ftruncate(handle, size)
        raise OSError(
            error.errno,
            f"记录写不进 {path}（{error.strerror}）；已退回上一条完整的记录，"
            "请腾出空间后再运行同一条命令",
        ) from error
    except BaseException:
        # Ctrl-C 落在落盘的片刻时，这一行已经完整，别人可能已读到，就留着
        if os.fstat(handle).st_size < size + len(content):
            os.ftruncate(handle, size)
        raise
    finally:
        os.close(handle)


def _set_aside(path: Path, check: Check) -> list[Rejected]:
    """已持锁：把坏行移进旁边的 records.rejected.jsonl。"""
    content = path.read_bytes() if path.exists() else b""
    _, kept, rejected = _sort(content, check)
    if not rejected:
        return []
    when = datetime.now(timezone.utc).isoformat(timespec="seconds")
    lines = [
        json.dumps({**asdict(item), "file": path.name, "when": when})
        for item in rejected
    ]
    # 先存好坏行，再换掉原文件：中途被杀最多留下重复的坏行，不会丢
    _append_bytes(path.with_name(REJECTED_NAME), ("\n".join(lines) + "\n").encode())
    with replacing(path) as temporary:
        temporary.write_bytes(b"".join(kept))
    return rejected


def set_aside(path: Path, check: Check = _no_objection) -> list[Rejected]:
    """把坏行移进旁边的 records.rejected.jsonl，返回移走的行。

    参数: path 记录文件；check 同 read
    """
    path = Path(path)
    with locked(path):
        return _set_aside(path, check)


def append(path: Path, record: dict, *, unique: str = "key") -> bool:
    """追加一条记录；已有同一个 key 时什么都不写并返回 False。

    上一行若没写完，先移到 records.rejected.jsonl；写不完则退回原长。
    参数: path 记录文件；record 可存成 JSON 的字典；unique 用来认重的键
    错误: 写不进去（磁盘满、没有权限）时抛出 OSError；含 NaN 时抛出 ValueError
    """
    path = Path(path)
    line = json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"
    with locked(path):
        _set_aside(path, _no_objection)
        known = {other.get(unique) for other in read(path).records}
        if record[unique] in known:
            return False
        _append_bytes(path, line.encode("utf-8"))
    return True
