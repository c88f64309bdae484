"""中文里的标点用全角：检查或改正 Markdown、笔记本与 Python。

用法: python -m tools.lint.punctuation [--fix] 文件……
Python 只看字符串与注释，Markdown 不看代码与公式；原始字符串（正则）一概不动。
autocorrect 只认汉字后面的逗号、冒号；括号、分号，代码、公式与链接后面的，它都不管。
"""

from __future__ import annotations

import io
import json
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

HAN = "\u3400-\u9fff"
WIDE = dict(zip(",;:?!()", "\uff0c\uff1b\uff1a\uff1f\uff01\uff08\uff09", strict=True))
CLOSING = "\u3001\u3002\u300b\u300d\u300f\u201d\uff09\uff0c\uff1b\uff1a"
OPENING = "\u300a\u300c\u300e\u201c\uff08"
# 文档字符串里的七个标签用半角冒号，两翼逐字相同
LABEL = re.compile(r"^[ \t]*(?:形状|参数|单位|错误|出处|内容|用法|返回)$")
# 汉字后面，或者紧挨着汉字、代码、公式前面的半角标点
AFTER = re.compile(rf"(?<=[{HAN}{CLOSING}])[,;:?!](?![:)\]]) ?(?!\[)")
BEFORE = re.compile(rf"(?<=[^\s:{{,])[,;:](?=[{HAN}{OPENING}])")
BETWEEN = re.compile(r"(?<=[`$*\])])[,;](?=[`$*\[\w])|(?<=\w)[,;](?=[`$])")
PAIR = re.compile(r"(?<![\]$])\(([^()\n]*(?:\([^()\n]*\)[^()\n]*)*)\)")
MARKUP = re.compile(
    r"^(?P<f>`{3,}|~{3,})(?!\{(?!code|literalinclude|math)).*?^(?P=f)[ ]*$"
    r"|(?<!`)(?P<t>`{1,2})(?!`)(?:(?!\n\n).)+?(?<!`)(?P=t)(?!`)"
    r"|\$\$.+?\$\$|\$[^$\n]+\$"
    r"|\]\([^)\n]*\)|https?://\S+|^\([\w-]+\)=$",
    re.M | re.S,
)


def widen(text: str) -> str:
    """把一段话里该用全角的标点换成全角。"""
    text = AFTER.sub(lambda hit: wide_after(hit, text), text)
    if re.search(f"[{HAN}]", text):
        text = BETWEEN.sub(lambda hit: WIDE[hit[0]], text)
    text = BEFORE.sub(lambda hit: WIDE[hit[0]], text)
    return PAIR.sub(lambda hit: wide_pair(hit, text), text)


def wide_after(hit: re.Match, text: str) -> str:
    """汉字后面的标点；文档的标签行例外。"""
    line = text[text.rfind("\n", 0, hit.start()) + 1 : hit.start()]
    return hit[0] if LABEL.match(line) else WIDE[hit[0][0]]


def wide_pair(hit: re.Match, text: str) -> str:
    """一对括号：前面是汉字，或者里面以汉字开头或结尾。"""
    before = text[: hit.start()][-1:]
    inner = PAIR.sub(lambda deeper: wide_pair(deeper, hit[1]), hit[1])
    near = f"{before} {inner[:1]} {inner[-1:]}"
    if not re.search(f"[{HAN}]", near):
        return f"({inner})"
    return f"{WIDE['(']}{inner}{WIDE[')']}"


def markdown(text: str) -> str:
    """改 Markdown 的正文：代码与公式先换成一个字符的替身，改完再放回去。"""
    kept: list[str] = []

    def hide(hit: re.Match) -> str:
        kept.append(hit[0])
        # 替身两头是反引号，标点的规则把它当作代码
        return f"`\ue000{len(kept) - 1}\ue001`"

    shown = widen(MARKUP.sub(hide, text))
    return re.sub("`\ue000(\\d+)\ue001`", lambda hit: kept[int(hit[1])], shown)


def python(text: str) -> str:
    """改 Python 的字符串与注释，别的一个字符也不动。"""
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    spans = [
        (starts[row - 1] + column, starts[end_row - 1] + end_column)
        for (row, column), (end_row, end_column) in prose(text)
    ]
    for start, end in reversed(spans):
        text = text[:start] + widen(text[start:end]) + text[end:]
    return text


def prose(text: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """给出每个字符串与注释的起止；原始字符串不算。"""
    middle = getattr(tokenize, "FSTRING_MIDDLE", None)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        raw = token.type == tokenize.STRING and re.match(r"\w*[rR]", token.string)
        if token.type in (tokenize.STRING, tokenize.COMMENT, middle) and not raw:
            yield token.start, token.end


def notebook(text: str) -> str:
    """改笔记本的每一格，输出不动。"""
    book = json.loads(text)
    for cell in book["cells"]:
        change = markdown if cell["cell_type"] == "markdown" else python
        source = change("".join(cell["source"]))
        cell["source"] = source.splitlines(keepends=True)
    changed = json.dumps(book, ensure_ascii=False, indent=1) + "\n"
    return text if json.loads(text) == book else changed


CHANGES = {".py": python, ".md": markdown, ".ipynb": notebook}


def main(*arguments: str) -> int:
    """列出（或改正）用了半角标点的行；有没改的就返回 1。"""
    fix = "--fix" in arguments
    wrong = 0
    for path in [Path(name) for name in arguments if name != "--fix"]:
        text = path.read_text("utf8")
        better = CHANGES[path.suffix](text)
        if better == text:
            continue
        if fix:
            path.write_text(better, "utf8")
            continue
        pairs = zip(text.splitlines(), better.splitlines(), strict=False)
        for number, (old, new) in enumerate(pairs, 1):
            if old != new:
                wrong += 1
                print(f"{path}:{number}: {new.strip()[:100]}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
