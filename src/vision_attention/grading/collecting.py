"""一文件夹交上来的笔记本，逐本在自己的进程里执行、批改，汇成一张表。

内容: COLUMNS、handed_in、collect、write_table。
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from vision_attention.grading.apart import run_apart
from vision_attention.grading.report import VERDICTS
from vision_attention.grading.sheet import ABSENT
from vision_attention.storage import files

COLUMNS = ("文件", "题", "当作", "结论", "认出的写法", "一句话", "出错的格子")
UNREAD = "没有批改"
CHECKPOINTS = ".ipynb_checkpoints"
Row = dict[str, str]


def handed_in(folder: Path) -> list[Path]:
    """文件夹里的笔记本，子文件夹里的也算，依名字；Jupyter 自己存的副本不算。

    错误: 没有这个文件夹、里面没有笔记本时抛出 ValueError
    """
    if not folder.is_dir():
        raise ValueError(f"没有这个文件夹：{files.printable(folder)}")
    found = [p for p in folder.rglob("*.ipynb") if CHECKPOINTS not in p.parts]
    if not found:
        raise ValueError(f"{files.printable(folder)} 里没有笔记本（.ipynb）")
    return sorted(found)


def collect(folder: Path, seconds: float) -> Iterator[list[Row]]:
    """逐本执行、批改，一本最多 seconds 秒；一本一本地交回各行。

    错误: 没有这个文件夹、里面没有笔记本时抛出 ValueError
    """
    for path in handed_in(folder):
        name = files.printable(path.relative_to(folder))
        with tempfile.TemporaryDirectory() as place:
            yield _rows(name, _marked(path.resolve(), Path(place), seconds))


def _marked(path: Path, place: Path, seconds: float) -> dict[str, Any]:
    """一本的结果；执行时写的文件落在用完就删的 place 里。"""
    target, room = place / "result.json", place / "room"
    room.mkdir()
    words = ["vision_attention.grading.sheet", str(path), str(target)]
    said = run_apart(words, seconds, room)
    if said is None:
        return {"error": f"{seconds:g} 秒还没有结束，停下了"}
    if not target.exists():
        last = (said.strip().splitlines() or ["没有说原因"])[-1][:200]
        return {"error": f"没有跑完：{last}"}
    return json.loads(target.read_text("utf8"))


def _rows(name: str, result: dict[str, Any]) -> list[Row]:
    """一题一行；读不了、没有跑完的一行。"""
    if "error" in result:
        return [_row(name, "", "", UNREAD, "", result["error"], "")]
    told = {**VERDICTS, ABSENT: "没有写"}
    wrong = "；".join(result["wrong"])
    return [
        _row(
            name,
            mark["name"],
            mark["task"],
            told[mark["verdict"]],
            "、".join(mark["names"]),
            mark["told"],
            wrong,
        )
        for mark in result["marks"]
    ]


def _row(*values: str) -> Row:
    return dict(zip(COLUMNS, map(_plain, values), strict=True))


def _plain(text: str) -> str:
    """表格软件会把 = + - @ 起头的当成公式来算：前面加一个撇号。"""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text


def write_table(path: Path, rows: Iterable[Row]) -> None:
    """写成 CSV；开头的记号让表格软件认得出是 UTF-8。"""
    with files.replacing(path) as temporary:
        with temporary.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
