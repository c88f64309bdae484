"""书页与笔记本里的正文：代码、公式、链接与引用的原话都换成空白，行号不变。"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tools.lint.punctuation import MARKUP

ROOT = Path(__file__).resolve().parents[2]
# 引用的笔记原话一字不改：引用块，以及引号里的话
QUOTED = re.compile(r"^[ ]*>.*$|“[^”\n]*”|「[^」\n]*」", re.M)
# 选项行、角色与指令的名字不是正文
NAMES = re.compile(r"^:[\w-]+:.*$|\{[\w:-]+\}(?=`)|^`{3,}\{[\w-]+\}.*$|^:{3,}.*$", re.M)


def files() -> list[Path]:
    """归 git 管的书页、笔记本与仓库根上的说明。"""
    patterns = ("book/*.md", "notebooks/*.ipynb", "*.md")
    listing = subprocess.check_output(
        ["git", "ls-files", "-z", *patterns], cwd=ROOT, text=True
    )
    return sorted({ROOT / name for name in listing.split("\0") if name})


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
