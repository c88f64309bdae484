"""剪样式：选择符里要求的类名、id、属性，全书从不出现的，那条规则就不必发给读者。"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

COMMENT = re.compile(r"/\*.*?\*/", re.S)
WORD = re.compile(r"[A-Za-z_][\w-]*")
ATTRIBUTE = re.compile(r'\s([a-z][a-z-]*)(?:="([^"]*)")?(?=[\s/>])')
WANTED = re.compile(r"[.#\[](-?[A-Za-z_][\w-]*)")
# 变量的值里可以有带分号的字符串
VARIABLE = re.compile(r"""(?<=[{;])\s*(--[\w-]+):(?:[^;{}"']|"[^"]*"|'[^']*')*;?""")
READ = re.compile(r"var\(\s*(--[\w-]+)")
KEYFRAMES = re.compile(r"@(?:-webkit-)?keyframes ([\w-]+)$")
NEGATED = re.compile(r":not\([^()]*(?:\([^()]*\)[^()]*)*\)")
CHOICE = re.compile(r":(?:is|where|has)\([^()]*(?:\([^()]*\)[^()]*)*\)")
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
        for name, value in ATTRIBUTE.findall(page):
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


def _rules(css: str) -> Iterator[tuple[str, str | None]]:
    """最外层的 (头, 体)；没有花括号的语句（@import 等）体为 None。"""
    start = position = 0
    while position < len(css):
        stop = _next(css, position, "{;")
        if stop == len(css):
            return
        head = css[start:stop].strip()
        if css[stop] == ";":
            if head:
                yield head, None
            start = position = stop + 1
            continue
        end = _closing(css, stop)
        yield head, css[stop + 1 : end]
        start = position = end + 1


def _next(css: str, position: int, wanted: str) -> int:
    """下一个不在字符串与圆括号里的目标字符的位置。"""
    quote, depth = "", 0
    for place in range(position, len(css)):
        char = css[place]
        if quote:
            quote = "" if char == quote and css[place - 1] != "\\" else quote
        elif char in "\"'":
            quote = char
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
        elif char in wanted and depth == 0:
            return place
    return len(css)


def _closing(css: str, opening: int) -> int:
    """与这个左花括号配对的右花括号的位置。"""
    level, place = 1, opening
    while level:
        place = _next(css, place + 1, "{}")
        if place == len(css):
            return place
        level += 1 if css[place] == "{" else -1
    return place


def _selectors(head: str) -> list[str]:
    """按最外层的逗号分开。"""
    start, found = 0, []
    while (stop := _next(head, start, ",")) < len(head):
        found.append(head[start:stop])
        start = stop + 1
    return [*found, head[start:]]
