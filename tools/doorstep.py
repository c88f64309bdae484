"""每本笔记本的门口：标题下面的一行链接，与装好一切的第一格。

python tools/doorstep.py 把两者写进每一本笔记本（已经对的不动）；新写的笔记本也靠它。
第一格只有框架的名字不同。环境变量 COURSE_PACKAGE 可以让它从别处装程序库：
一个 wheel 的路径，或任何 pip 认得的网址（make colab-check、连不上 GitHub 的读者用）。
只用标准库。
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from address import ROOT, declared, links, package

PIP_NAMES = {"torch": "torch", "paddle": "paddlepaddle"}
ON_PAGE = {"tags": ["remove-cell"]}  # 书里由网站层画成按钮
FOLDED = {"tags": ["hide-input", "nbval-ignore-output"]}
FIRST_CELL = """\
# 缺什么装什么，已经装着的不换；实在冲突时才换，但 NumPy 与 PyTorch 始终不动
import os
import subprocess
import sys
import tempfile
import warnings
from importlib import import_module, metadata, util

package = "{package}"
needs = {{"{module}": "{pip_name}"}}
needs["vision_attention"] = os.environ.get("COURSE_PACKAGE", package)
missing = [source for name, source in needs.items() if not util.find_spec(name)]
have = {{found.name for found in metadata.distributions()}}
for keep in (have, have & {{"numpy", "torch"}}):
    if missing:
        with tempfile.NamedTemporaryFile("w", delete=False) as kept:
            kept.writelines(f"{{name}}=={{metadata.version(name)}}\\n" for name in keep)
        pip = [sys.executable, "-m", "pip", "install", "-q", "-c", kept.name, *missing]
        done = subprocess.run(pip, check=False, capture_output=True, text=True)
        missing = missing if done.returncode else []
assert not missing, f"没装上，先连上网再运行这一格：{{done.stderr[-600:]}}"
warnings.filterwarnings("ignore", "No ccache")  # Paddle 的提醒，与课程无关
modules = [import_module(name) for name in ("numpy", *needs)]
print(", ".join(f"{{module.__name__}} {{module.__version__}}" for module in modules))
"""


def notebooks(root: Path = ROOT) -> list[Path]:
    """返回每一本笔记本。"""
    return sorted((root / "notebooks").glob("*/*.ipynb"))


def links_line(address: str, notebook: str) -> str:
    """返回标题下面的那一行。"""
    pairs = (f"[{name}]({url})" for name, url in links(address, notebook).items())
    return (
        f"在线运行：{' · '.join(pairs)}\n\n"
        "AI Studio 没有直达的网址：新建一个项目，把这本笔记本传上去。"
        "Kaggle 要先在右栏打开 Internet。不管在哪里，第一格都会装好其余的一切；"
        "要是它后面的一格报错，重启内核，从头再运行一次。"
    )


def first_cell(address: str, framework: str) -> str:
    """返回第一格的代码。"""
    names = {"module": framework, "pip_name": PIP_NAMES[framework]}
    return FIRST_CELL.format(package=package(address), **names).rstrip()


def cell(kind: str, name: str, metadata: dict, source: str) -> dict:
    """返回一格，写成笔记本文件里的样子。"""
    made = {"cell_type": kind, "id": name, "metadata": metadata}
    if kind == "code":
        made |= {"execution_count": None, "outputs": []}
    return made | {"source": source.splitlines(keepends=True)}


def with_doorstep(note: dict, address: str, notebook: str) -> dict:
    """返回门口是新的、其余不动的笔记本；第一格原有的输出留下。"""
    stem = note["cells"][0]["id"].rsplit("-", 1)[0]
    ids = {f"{stem}-links", f"{stem}-setup"}
    rest = [kept for kept in note["cells"] if kept["id"] not in ids]
    old = {kept["id"]: kept for kept in note["cells"]}.get(f"{stem}-setup", {})
    source = first_cell(address, Path(notebook).parent.name)
    setup = cell("code", f"{stem}-setup", FOLDED, source)
    setup["outputs"] = old.get("outputs", [])
    line = cell("markdown", f"{stem}-links", ON_PAGE, links_line(address, notebook))
    return {**note, "cells": counted([rest[0], line, setup, *rest[1:]])}


def counted(cells: list[dict]) -> list[dict]:
    """代码格从一数起；结果里的编号跟着格子走。"""
    count = 0
    for this in cells:
        if this["cell_type"] == "code":
            count += 1
            this["execution_count"] = count
            for output in this["outputs"]:
                if "execution_count" in output:
                    output["execution_count"] = count
    return cells


def main() -> int:
    """写好每一本。"""
    address = declared()
    for path in notebooks():
        name, text = path.relative_to(ROOT).as_posix(), path.read_text("utf8")
        note = with_doorstep(json.loads(text), address, name)
        better = json.dumps(note, ensure_ascii=False, indent=1) + "\n"
        if better != text:
            path.write_text(better, "utf8")
            print(f"  写了 {name} 的门口")
    return 0


if __name__ == "__main__":
    sys.exit(main())
