"""汉字与西文、数字之间空一格：用 autocorrect 检查书页与笔记本的正文。

用法: python -m tools.lint.spacing [文件……]; 不给文件时看全部书页与笔记本。
标点归 tools/lint/punctuation.py 管；代码、公式与引文不看。
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import autocorrect_py

from tools.lint import prose

# 只用这一条规则：标点有自己的规矩，全角空格有意为之
RULES = {"space-word": 1}


def configure() -> None:
    """别的规则一律关掉。"""
    others = (
        "space-punctuation", "space-bracket", "space-dash", "space-backticks",
        "space-dollar", "fullwidth", "halfwidth-word", "halfwidth-punctuation",
        "no-space-fullwidth", "no-space-fullwidth-quote", "spellcheck",
    )  # fmt: skip
    autocorrect_py.load_config(json.dumps({"rules": dict.fromkeys(others, 0) | RULES}))


def main(*arguments: str) -> int:
    """列出少了空格的行；有就返回 1。"""
    configure()
    wrong = 0
    for path in [Path(name).resolve() for name in arguments] or prose.files():
        for place, line in prose.lines(path):
            better = autocorrect_py.format(line)
            if better.split() != line.split():
                wrong += 1
                name = path.relative_to(prose.ROOT).as_posix()
                print(f"{name}:{place}: {better.strip()[:100]}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
