"""剪样式：选择符里要求的类名、id、属性，全书从不出现的，那条规则就不必发给读者。"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

COMMENT = re.compile(r"/\*.*?\*/", re.S)
WORD = re.compile(r"[A-Za-z_][\w-]*")
TAG = re.compile(r"<[a-z][^<>]*>")
ATTRIBUTE = re.compile(r'\s([a-z][a-z-]*)(?:="([^"]*)")?(?=[\s/>])')
WANTED = re.compile(r"[.#\[](-?[A-Za-z_][\w-]*)")
# 变量的值里可以有带分号的字符串
VARIABLE = re.compile(r"""(?<=[{;])\s*(--[\w-]+):(?:[^;{}"']|"[^"]*"|'[^']*')*;?""")
READ = re.compile(r"var\(\s*(--[\w-]+)")
KEYFRAMES = re.compile(r"@(?:-webkit-)?keyframes ([\w-]+)$")
NEGATED = re.compile(r":not\([^()]*(?:\([^()]*\)[^()]*)*\)")
CHOICE = re.compile(r":(?:is|where|has)\([^()]*(?:\([^()]*\)[^()]*)*\)")
# 字符串整个算一个记号，里面的括号与分号不算数
MARK = re.compile(r"""["](?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[(){};,]""", re.S)
GROUPS = ("@media", "@supports", "@layer", "@container")


def shrink(css: str) -> str:
    """去掉注释与多余的空白；字符串里的空白不动。"""
    css = COMMENT.sub("", css)
    parts = re.split(r'("[^"]*"|\'[^\']*\'|url\([^)]*\))', css)
    parts[::2] = [
        re.sub(r"\s*([{};,>])\s*", r"\1", re.sub(r"\s+", " ", p)) for p in parts[::2]
    ]
    return "".join(parts).replace(";}", "}").replace('@charset "UTF-8";', "")


def words(pages: Iterable[str], script: str) -> set[str]:
    """全书可能用到的名字：页面里的类名、id、属性名，加上脚本里出现的每一个词。"""
    found = set(WORD.findall(script))
    for page in pages:
        for name, value in ATTRIBUTE.findall(" ".join(TAG.findall(page))):
            found.add(name)
            if name in ("class", "id"):
                found.update(value.split())
    return found


def lean(css: str) -> str:
    """没有规则用到的动画、没有规则读的变量，也不发；一个变量可能只供另一个读，所以剪到不再变短。"""
    css = "".join(
        f"{head};" if body is None else f"{head}{{{body}}}"
        for head, body in _rules(css)
        if (body is None or body.strip())
        and (not (name := KEYFRAMES.match(head)) or _told(name[1], css))
    )
    read = set(READ.findall(css))
    shorter = VARIABLE.sub(lambda m: m[0] if m[1] in read else "", css)
    return css if shorter == css else lean(shorter)


def _told(name: str, css: str) -> bool:
    """除了定义它的那一处，别处还提到这个名字；只是别的名字的一截不算。"""
    return len(re.findall(rf"(?<![\w-]){re.escape(name)}(?![\w-])", css)) > 1


def prune(css: str, known: set[str]) -> str:
    """逐条规则剪；@media 之类的里面再剪一遍。"""
    kept = []
    for head, body in _rules(css):
        if head.startswith(GROUPS):
            inner = prune(body or "", known)
            kept += [f"{head}{{{inner}}}"] if inner else []
        elif head.startswith("@") or body is None:
            kept.append(f"{head};" if body is None else f"{head}{{{body}}}")
        else:
            alive = [s for s in _selectors(head) if _alive(s, known)]
            kept += [f"{','.join(alive)}{{{body}}}"] if alive and body else []
    return "".join(kept)


def _alive(selector: str, known: set[str]) -> bool:
    """选择符要求的名字是否都出现过；:not() 与 :is() 里的不算要求。"""
    bare = CHOICE.sub("", NEGATED.sub("", selector))
    return all(name in known for name in WANTED.findall(bare))


def _outer(css: str, wanted: str) -> Iterator[int]:
    """目标字符的位置：不在字符串、圆括号里，也不在花括号里。"""
    depth = 0
    for mark in MARK.finditer(css):
        depth -= mark[0] in (")", "}")
        if depth == 0 and mark[0] in wanted:
            yield mark.start()
        depth += mark[0] in ("(", "{")


def _rules(css: str) -> Iterator[tuple[str, str | None]]:
    """最外层的 (头, 体)；没有花括号的语句（@import 等）体为 None。"""
    start = opening = 0
    for place in _outer(css, "{};"):
        if css[place] == "{":
            opening = place
        elif css[place] == "}":
            yield css[start:opening].strip(), css[opening + 1 : place]
            start = place + 1
        else:
            if head := css[start:place].strip():
                yield head, None
            start = place + 1


def _selectors(head: str) -> list[str]:
    """按最外层的逗号分开。"""
    cuts = [-1, *_outer(head, ","), len(head)]
    return [head[start + 1 : stop] for start, stop in pairwise(cuts)]
