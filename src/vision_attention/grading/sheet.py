"""一本交上来的笔记本：在自己的进程里逐格执行，再逐题批改。

代码以使用者的权利运行；时限由开这个进程的人管。
用法: python -m vision_attention.grading.sheet 笔记本 结果.json
内容: `mark` 执行并批改；`run_cells` 逐格执行
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import types
from pathlib import Path
from typing import Any

from vision_attention.grading import grade
from vision_attention.grading.building import told
from vision_attention.grading.handout import (
    Notebook,
    exercises,
    read_notebook,
    source_of,
)
from vision_attention.storage import files

# 没有写完的题；别的结论见 report.VERDICTS
ABSENT = "absent"


class _Sink(io.TextIOBase):
    """印出来的都不要：印个不停的格子也不占内存。"""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        return len(text)


def run_cells(notebook: Notebook, names: dict[str, Any]) -> list[str]:
    """逐格执行，出错的格子记一句，接着往下。

    装依赖的第一格与 Jupyter 自己的命令（% 与 ! 起头的行）不执行。
    """
    wrong, number = [], 0
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        number += 1
        if str(cell.get("id", "")).endswith("-setup"):
            continue
        lines = source_of(cell).splitlines()
        code = "\n".join("" if x.lstrip()[:1] in "%!" and x else x for x in lines)
        try:
            exec(compile(code, f"第 {number} 格", "exec"), names)
        except (Exception, SystemExit) as error:
            wrong.append(f"第 {number} 格 {told(error)}")
    return wrong


def mark(path: Path) -> dict[str, Any]:
    """执行一本，逐题批改。

    返回: wrong 为出错的格子，各一句；marks 为各题，name、task、verdict、names、told
    错误: 读不了、里面没有练习时抛出 ValueError
    """
    notebook = read_notebook(path)
    asked = exercises(notebook)
    if not asked:
        raise ValueError("里面没有要批改的练习")
    # 类与函数记得自己出自哪个模块；pickle、dataclass 会去找它
    module = types.ModuleType("handed_in_notebook")
    sys.modules[module.__name__] = module
    with contextlib.redirect_stdout(_Sink()), contextlib.redirect_stderr(_Sink()):
        wrong = run_cells(notebook, module.__dict__)
        marks = [_marked(module.__dict__, *pair) for pair in asked]
    return {"wrong": wrong, "marks": marks}


def _marked(names: dict[str, Any], name: str, task: str) -> dict[str, Any]:
    """一题的结果。"""
    found = {"name": name, "task": task, "verdict": ABSENT, "names": []}
    if name not in names:
        return found | {"told": f"没有 {name}：那一格没有写，或执行时出错"}
    framework = next((f for f in ("torch", "paddle") if f in names), "torch")
    try:
        report = grade(names[name], task, framework=framework)
    except ValueError as error:
        return found | {"told": str(error)}
    verdict = {"verdict": report.verdict, "names": list(report.names)}
    return found | verdict | {"told": report.conclusion()}


def main(path: str, target: str) -> None:
    """在这个进程里批改，把结果写进 target。"""
    try:
        result = mark(Path(path))
    except ValueError as error:
        result = {"error": str(error)}
    with files.replacing(Path(target)) as temporary:
        temporary.write_text(json.dumps(result, ensure_ascii=False), "utf8")


if __name__ == "__main__":
    main(*sys.argv[1:])
