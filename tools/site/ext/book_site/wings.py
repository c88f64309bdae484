"""框架选一次：目录、前后页只列这一翼的笔记本，另一翼一按就到；没有脚本时照 PyTorch。"""

from __future__ import annotations

import re
from html import escape
from posixpath import dirname, join, normpath

from sphinx.application import Sphinx

from .search import reading_order

WINGS = {"torch": "PyTorch", "paddle": "Paddle"}
NOTEBOOK = re.compile(r"notebooks/(torch|paddle)/")
ENTRY = re.compile(r'(<li class="toctree-l\d[^"]*")(><a class="[^"]*" href="([^"#]+))')
AREA = re.compile(r'(<div class="prev-next-area">).*?(</div>\s*</footer>)', re.S)
THEME = '<button class="btn btn-sm nav-link pst-navbar-icon theme-switch-button'
SIDES = (("left-prev", "上一页", -1), ("right-next", "下一页", 1))


def twin(name: str) -> str | None:
    """同一本笔记本的另一翼；不是笔记本就没有。"""
    if not (found := NOTEBOOK.match(name)):
        return None
    other = next(wing for wing in WINGS if wing != found[1])
    return name.replace(found[1], other, 1)


def marked(html: str, name: str, app: Sphinx) -> str:
    """一页：目录的条目写上属于哪一翼，前后页按翼给，页首添上换翼的按钮。"""
    html = ENTRY.sub(lambda m: _entry(m, dirname(name)), html)
    html = AREA.sub(lambda m: f"{m[1]}{_neighbours(name, app)}{m[2]}", html)
    return html.replace(THEME, _switch(name) + THEME, 1)


def _entry(match: re.Match[str], folder: str) -> str:
    """目录的一条：指向笔记本的，写上是哪一翼。"""
    found = NOTEBOOK.match(normpath(join(folder, match[3])))
    return f'{match[1]} data-of="{found[1]}"{match[2]}' if found else match[0]


def _switch(name: str) -> str:
    """换翼的按钮，写着现在是哪一翼；在笔记本上就去它的另一本。"""
    goal = twin(name)
    there = f' data-twin="../{goal.split("/", 1)[1]}.html"' if goal else ""
    names = "".join(f'<span data-of="{w}">{n}</span>' for w, n in WINGS.items())
    return (
        f'<button type="button" class="btn btn-sm wing-switch pst-js-only"{there} '
        f'title="换一个框架：全书跟着换">{names}</button>'
    )


def _neighbours(name: str, app: Sphinx) -> str:
    """前一页与后一页：两翼的不同，就各写一个，样式只显示选了的那一个。"""
    own = NOTEBOOK.match(name)
    wings = [own[1]] if own else list(WINGS)
    parts = []
    for side, title, step in SIDES:
        found = {wing: _beside(name, step, wing, app) for wing in wings}
        pages = dict.fromkeys(page for page in found.values() if page)
        for page in pages:
            whose = [wing for wing in wings if found[wing] == page]
            of = f' data-of="{whose[0]}"' if len(whose) < len(wings) else ""
            parts.append(_link(page, name, f'class="{side}" title="{title}"{of}', app))
    return "".join(parts)


def _beside(name: str, step: int, wing: str, app: Sphinx) -> str | None:
    """次序里前或后一页，跳过另一翼的笔记本；到头了就没有。"""
    order = [
        page
        for page in reading_order(app)
        if not (found := NOTEBOOK.match(page)) or found[1] == wing
    ]
    if name not in order:
        return None
    place = order.index(name) + step
    return order[place] if 0 <= place < len(order) else None


def _link(page: str, name: str, attributes: str, app: Sphinx) -> str:
    """去一页的链接，写全它的编号与标题。"""
    url = app.builder.get_relative_uri(name, page)
    number = app.env.toc_secnumbers.get(page, {}).get("", ())
    start = f"{'.'.join(map(str, number))}. " if number else ""
    words = escape(app.env.titles[page].astext())
    back = "上一页" in attributes
    return (
        f'<a {attributes} href="{url}"><div class="prev-next-info">'
        f'<p class="prev-next-subtitle">{"← 上一页" if back else "下一页 →"}</p>'
        f'<p class="prev-next-title">{start}{words}</p></div></a>'
    )
