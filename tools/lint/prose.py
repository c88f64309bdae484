"""书页与笔记本里的正文：代码、公式、链接与引用的原话都换成空白，行号不变；逐行检查。"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tools.build.toc import tracked
from tools.lint.punctuation import MARKUP

ROOT = Path(__file__).resolve().parents[2]
# 引用的笔记原话一字不改：引用块，以及引号里的话
QUOTED = re.compile(r"^[ ]*>.*$|“[^”\n]*”|「[^」\n]*」", re.M)
# 选项行、角色与指令的名字不是正文
NAMES = re.compile(r"^:[\w-]+:.*$|\{[\w:-]+\}(?=`)|^`{3,}\{[\w-]+\}.*$|^:{3,}.*$", re.M)


def files() -> list[Path]:
    """归 git 管的书页、笔记本与仓库根上的说明。"""
    patterns = ("book/*.md", "notebooks/*.ipynb", "*.md")
    return sorted({ROOT / name for name in tracked(*patterns)})


def blank(hit: re.Match) -> str:
    """换成同样多行的空白。"""
    return "\n".join(" " for _ in hit[0].split("\n"))


def markdown(text: str) -> Iterator[tuple[int, str]]:
    """一段 Markdown 的正文：行号与那一行。"""
    for pattern in (MARKUP, NAMES, QUOTED):
        text = pattern.sub(blank, text)
    yield from enumerate(text.split("\n"), 1)


def lines(path: Path) -> Iterator[tuple[str, str]]:
    """一个文件的正文：位置（行，或者第几格的第几行）与那一行。"""
    text = path.read_text("utf8")
    if path.suffix != ".ipynb":
        yield from ((str(number), line) for number, line in markdown(text))
        return
    for index, cell in enumerate(json.loads(text)["cells"], 1):
        if cell["cell_type"] == "markdown":
            for number, line in markdown("".join(cell["source"])):
                yield f"第 {index} 格第 {number} 行", line


def complain(names: Iterable[str], find: Callable[[str, str], Iterable[str]]) -> int:
    """逐行印出不合之处，有就返回 1；不给文件时看全部书页与笔记本。

    参数: find 由文件与一行，给出这一行的每一处
    """
    wrong = 0
    for path in [Path(name).resolve() for name in names] or files():
        name = path.relative_to(ROOT).as_posix()
        for place, line in lines(path):
            for fault in find(name, line):
                wrong += 1
                print(f"{name}:{place}: {fault}")
    return int(wrong > 0)
