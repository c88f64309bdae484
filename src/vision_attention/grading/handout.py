"""发下去的练习：去掉解答的副本；一本练习里有哪几题。

内容: read_notebook、write_notebook、exercises、without_solutions。
"""

from __future__ import annotations

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

from vision_attention.storage import files

Notebook = dict[str, Any]
Cell = dict[str, Any]
MARK = "vision_attention"
# 批改的一格：题目里要写的名字都以 My、my_ 起头
ASKED = re.compile(r"\bgrade\((My\w+|my_\w+), \"(\w+)\"")
# 后面的格子用到解答的，改用学的人自己写的
OWN = ((re.compile(r"\bSolved(?=\w)"), "My"), (re.compile(r"\bsolved_(?=\w)"), "my_"))
PROMISE = re.compile(r"；最后折叠着的是解答，先不看")


def read_notebook(path: Path) -> Notebook:
    """读一本笔记本。

    错误: 没有这个文件、读不了、不是笔记本时抛出 ValueError
    """
    name = files.printable(path)
    try:
        notebook = json.loads(path.read_text("utf8"))
        cells = [(cell["cell_type"], cell["source"]) for cell in notebook["cells"]]
    except FileNotFoundError:
        raise ValueError(f"没有这个文件：{name}") from None
    except OSError as error:
        raise ValueError(f"{name} 读不了：{files.reason(error)}") from None
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{name} 不是笔记本（.ipynb），或没有存完整") from None
    if not all(isinstance(source, str | list) for _, source in cells):
        raise ValueError(f"{name} 不是笔记本（.ipynb），或没有存完整")
    return notebook


def write_notebook(path: Path, notebook: Notebook) -> None:
    """写一本笔记本。"""
    with files.replacing(path) as temporary:
        text = json.dumps(notebook, ensure_ascii=False, indent=1)
        temporary.write_text(text + "\n", "utf8")


def source_of(cell: Cell) -> str:
    """一格的文字。"""
    return "".join(cell["source"])


def exercises(notebook: Notebook) -> list[tuple[str, str]]:
    """一本里的各题：要写的名字与当作什么批改；发下去时记着的优先。"""
    kept = notebook.get("metadata", {}).get(MARK, {}).get("exercises")
    if kept:
        return [(str(name), str(task)) for name, task in kept]
    code = [source_of(c) for c in notebook["cells"] if c["cell_type"] == "code"]
    return list(dict.fromkeys(pair for text in code for pair in ASKED.findall(text)))


def is_solution(cell: Cell) -> bool:
    """折叠着的解答。"""
    hidden = cell.get("metadata", {}).get("jupyter", {}).get("source_hidden", False)
    return cell["cell_type"] == "code" and hidden


def without_solutions(notebook: Notebook) -> Notebook:
    """去掉解答与全部输出的一份；后面用到解答的格子改用学的人自己写的。

    错误: 里面没有练习、没有折叠的解答时抛出 ValueError
    """
    copy = deepcopy(notebook)
    asked = exercises(copy)
    kept = [cell for cell in copy["cells"] if not is_solution(cell)]
    if not asked or len(kept) == len(copy["cells"]):
        raise ValueError("里面没有要批改的练习，或没有折叠的解答")
    copy["cells"] = [_own(cell) for cell in kept]
    copy["metadata"][MARK] = {"exercises": [list(pair) for pair in asked]}
    return copy


def _own(cell: Cell) -> Cell:
    """一格：解答的名字换成自己的，检查解答的 assert 去掉，输出清空。"""
    text = source_of(cell)
    changed = PROMISE.sub("", text)
    for pattern, name in OWN:
        changed = pattern.sub(name, changed)
    if cell["cell_type"] == "code":
        cell |= {"outputs": [], "execution_count": None}
        if changed != text:
            lines = changed.splitlines(keepends=True)
            changed = "".join(x for x in lines if not x.startswith("assert "))
    return cell | {"source": changed.splitlines(keepends=True)}
