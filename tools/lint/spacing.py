"""汉字与西文、数字之间空一格：用 autocorrect 检查书页与笔记本的正文。

用法: python -m tools.lint.spacing [文件……]; 不给文件时看全部书页与笔记本。
标点归 tools/lint/punctuation.py 管；代码、公式与引文不看。
"""

from __future__ import annotations

import json
import sys

import autocorrect_py

from tools.lint import prose

# 不用的规则：标点有自己的规矩，全角空格有意为之
OTHERS = (
    "space-punctuation", "space-bracket", "space-dash", "space-backticks",
    "space-dollar", "fullwidth", "halfwidth-word", "halfwidth-punctuation",
    "no-space-fullwidth", "no-space-fullwidth-quote", "spellcheck",
)  # fmt: skip


def better(_: str, line: str) -> list[str]:
    """少了空格的一行，该是什么样。"""
    spaced = autocorrect_py.format(line)
    return [] if spaced.split() == line.split() else [spaced.strip()[:100]]


def main(*arguments: str) -> int:
    """列出少了空格的行；有就返回 1。"""
    rules = dict.fromkeys(OTHERS, 0) | {"space-word": 1}
    autocorrect_py.load_config(json.dumps({"rules": rules}))
    return prose.complain(arguments, better)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
