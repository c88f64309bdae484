"""每本笔记本的门口：标题下面的一行链接，与装好一切的第一格。

python -m tools.launch.first_cell 把两者写进每一本笔记本（已经对的
不动）；新写的笔记本也靠它。
第一格只有框架的名字与最低版本不同，都取自 pyproject.toml。
环境变量 COURSE_PACKAGE 可以让它从别处装程序库：一个 wheel 的路径，或任何 pip 认得的
网址（make colab-check、连不上 GitHub 的读者用）。只用标准库。
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from tools.launch.address import ROOT, declared, links, package

PROMISE = re.compile(r'^(torch|paddle) = \["([\w-]+)>=(\d+\.\d+)"\]', re.M)
ON_PAGE = {"tags": ["remove-cell"]}  # 书里由网站层画成按钮
FOLDED = {"tags": ["hide-input", "nbval-ignore-output"]}
FIRST_CELL = """\
# 缺什么装什么，已经装着的不换；实在冲突时才换，但 NumPy 与框架始终不动
import os
import subprocess
import sys
import tempfile
from importlib import import_module, metadata, util

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # 例子都小，只用 CPU
package = "{package}"
needs = {{"{module}": "{pip_name}>={lowest}"}}
needs["vision_attention"] = os.environ.get("COURSE_PACKAGE", package)
missing = [source for name, source in needs.items() if not util.find_spec(name)]
have = {{found.name for found in metadata.distributions() if found.name}}
for keep in (have, have & {{"numpy", "torch", "paddlepaddle", "paddlepaddle-gpu"}}):
    if missing:
        with tempfile.NamedTemporaryFile("w", delete=False) as kept:
            kept.writelines(f"{{name}}=={{metadata.version(name)}}\\n" for name in keep)
        pip = [sys.executable, "-m", "pip", "install", "-q", "-c", kept.name, *missing]
        done = subprocess.run(pip, check=False, capture_output=True, text=True)
        missing = missing if done.returncode else []
assert not missing, f"没装上，先连上网再运行这一格：{{done.stderr[-600:]}}"
import_module("warnings").filterwarnings("ignore", "No ccache")  # 与课程无关
print(*(f"{{n}} {{import_module(n).__version__}}" for n in ("numpy", *needs)), sep=", ")
if [*map(int, import_module(next(iter(needs))).__version__.split(".")[:2])] < [{parts}]:
    print("课程要 {pip_name} {lowest} 以上：后面报错的话，升级它，再重启内核")
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


def promises(root: Path = ROOT) -> dict[str, tuple[str, str]]:
    """返回 pyproject.toml 答应的框架：模块名 → pip 里的名字、最低版本。"""
    found = PROMISE.findall((root / "pyproject.toml").read_text("utf8"))
    return {module: (pip_name, lowest) for module, pip_name, lowest in found}


def first_cell(address: str, framework: str) -> str:
    """返回第一格的代码。"""
    pip_name, lowest = promises()[framework]
    names = {"module": framework, "pip_name": pip_name, "lowest": lowest}
    names |= {"parts": lowest.replace(".", ", "), "package": package(address)}
    return FIRST_CELL.format(**names).rstrip()


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


def written(note: dict) -> str:
    """返回笔记本文件的文字；键按字母排，与 nbformat 写的一样，再写一遍不会变。"""
    return json.dumps(note, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def main() -> int:
    """写好每一本。"""
    address = declared()
    for path in notebooks():
        name, text = path.relative_to(ROOT).as_posix(), path.read_text("utf8")
        better = written(with_doorstep(json.loads(text), address, name))
        if better != text:
            path.write_text(better, "utf8")
            print(f"  写了 {name} 的门口")
    return 0


if __name__ == "__main__":
    sys.exit(main())
