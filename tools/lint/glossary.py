"""全书一个东西只有一个名字：书页与笔记本的正文里不许出现术语表不用的译名。

用法: python -m tools.lint.glossary [文件……]; 不给文件时看全部书页与笔记本。
不用的译名写在 book/glossary.md 里，在“也译”两个字的后面；代码、公式与引文不看。
"""

from __future__ import annotations

import re
import sys

from tools.lint import prose

PAGE = prose.ROOT / "book" / "glossary.md"
ENTRY = re.compile(r"^(?P<term>\S.*)\n(?P<text>(?:[ ]{2}.*\n?)+)", re.M)
ALIASES = re.compile(r"也译((?:“[^”]+”)+)")
# 同一个词在这一页是另一个意思
ALLOWED = {"book/notation.md": {"记号"}}


def table(text: str) -> dict[str, str]:
    """从术语表读出：不用的译名 → 该用的名字。"""
    found = {}
    for entry in ENTRY.finditer(text[text.index("```{glossary}") :]):
        for group in ALIASES.findall(entry["text"]):
            for alias in re.findall("“([^”]+)”", group):
                if found.get(alias, entry["term"]) != entry["term"]:
                    raise ValueError(f"术语表：{alias} 同时是两个词的别名")
                found[alias] = entry["term"]
    return found


def terms(text: str) -> list[str]:
    """术语表里该用的名字，长的在前。"""
    names = [hit["term"] for hit in ENTRY.finditer(text)]
    return sorted(names, key=len, reverse=True)


def faults(line: str, aliases: dict[str, str], names: list[str]) -> list[str]:
    """一行里不该出现的译名；它若是某个术语的一部分，就不算。"""
    for name in names:
        line = line.replace(name, " ")
    return [alias for alias in aliases if alias in line]


def main(*arguments: str) -> int:
    """列出用错的名字；有就返回 1。"""
    text = PAGE.read_text("utf8")
    aliases, names = table(text), terms(text)

    def find(name: str, line: str) -> list[str]:
        wrong = set(faults(line, aliases, names)) - ALLOWED.get(name, set())
        return [f"“{alias}”在本书里叫“{aliases[alias]}”" for alias in wrong]

    return prose.complain(arguments, find)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
