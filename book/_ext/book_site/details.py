"""可以展开的提示框：换成浏览器自带的 details，没有脚本也能展开，也不会先展开再缩回。"""

from __future__ import annotations

import re

OPENING = re.compile(
    r'<div class="([^"]*)"([^>]*)>\s*<p class="admonition-title">(.*?)</p>', re.S
)
HINT = '<span class="fold-hint" aria-hidden="true"></span>'
TAG = re.compile(r"<(/?)div\b")


def fold(html):
    """带 dropdown 或 toggle 类的提示框逐个换掉。"""
    position = 0
    while match := OPENING.search(html, position):
        position = match.start() + 1
        classes = match[1].split()
        if "admonition" not in classes or not {"dropdown", "toggle"} & set(classes):
            continue
        end = _closing(html, match.start())
        body = html[match.end() : end]
        shown = " open" if "toggle-shown" in classes else ""
        names = " ".join(c for c in classes if c not in ("dropdown", "toggle"))
        html = (
            f"{html[: match.start()]}"
            f'<details class="{names} foldable"{match[2]}{shown}>'
            f'<summary class="admonition-title">{match[3]}{HINT}</summary>'
            f"{body}</details>{html[end + len('</div>') :]}"
        )
    return html


def _closing(html, start):
    """与 start 处的 div 配对的 </div> 的位置。"""
    level = 0
    for tag in TAG.finditer(html, start):
        level += -1 if tag[1] else 1
        if level == 0:
            return tag.start()
    raise ValueError(f"页面里有没配对的 div：{html[start : start + 80]!r}")
