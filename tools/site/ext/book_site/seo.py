"""让搜索引擎与迷路的读者都认得路：描述、规范网址、首页、站点地图、404。"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape, unescape
from pathlib import Path
from posixpath import join, normpath
from typing import Any
from xml.sax.saxutils import escape as xml

from docutils import nodes
from sphinx.application import Sphinx

from .search import reading_order

LENGTH = 140
RELATIVE = re.compile(r'\b(href|src|action|data-content_root)="([^"]*)"')

CHAPTER = re.compile(
    r'<li class="toctree-l1[^"]*"><a class="[^"]*" href="([^"#]+)">(.*?)</a>', re.S
)
TAG = re.compile(r"<[^>]+>")


def setup(app: Sphinx) -> None:
    """描述写进每一页；首页、站点地图与 404 在结束时写出。"""
    app.connect("html-page-context", _describe)
    app.connect("build-finished", _finish, priority=900)


def address(app: Sphinx) -> str:
    """站点发布在哪里：SITE_URL 或 html.baseurl；都没有就是空串。"""
    base = app.config.html_baseurl
    return base.rstrip("/") + "/" if base else ""


def _describe(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """取第一段正文作描述；页首自己写了 description 的，以它为准。"""
    tags = context.get("metatags", "") or ""
    if 'name="description"' not in tags:
        text = _lead(doctree) if doctree is not None else ""
        book = app.config.html_title or app.config.project
        text = text or f"{context.get('title', '')}：{book}"
        text = escape(unescape(text), quote=True)
        tags += f'\n<meta name="description" content="{text}">'
        tags += f'\n<meta property="og:description" content="{text}">'
    tags += (
        f'\n<meta property="og:title" content="{escape(_plain(context), quote=True)}">'
    )
    tags += '\n<meta property="og:locale" content="zh_CN">'
    context["metatags"] = tags
    if context.get("pageurl"):
        context["pageurl"] = address(app) + _canonical(app, pagename)


def _plain(context: dict[str, Any]) -> str:
    """去掉标签的页标题。"""
    return unescape(TAG.sub("", context.get("title") or ""))


def _canonical(app: Sphinx, pagename: str) -> str:
    """首页的规范网址就是站点的根。"""
    return "" if pagename == app.config.root_doc else f"{pagename}.html"


def _lead(doctree: nodes.document) -> str:
    """第一个够长的自然段，取整句。"""
    for paragraph in doctree.findall(nodes.paragraph):
        if "needs" in paragraph["classes"]:  # 先要懂什么、读几分钟
            continue
        if isinstance(paragraph.parent, (nodes.section, nodes.document)):
            text = re.sub(r"\s+", " ", paragraph.astext()).strip()
            if len(text) >= 20:
                return text if len(text) <= LENGTH else text[: LENGTH - 1] + "…"
    return ""


def _finish(app: Sphinx, error: Exception | None) -> None:
    """首页、站点地图、robots、404。"""
    if error or app.builder.name != "html":
        return
    out = Path(app.outdir)
    home(out, app.config.root_doc)
    (out / ".nojekyll").touch()
    base = address(app)
    (out / "404.html").write_text(_lost(out, base), encoding="utf-8")
    if base:
        urls = [base + _canonical(app, name) for name in reading_order(app)]
        (out / "sitemap.xml").write_text(sitemap(urls), encoding="utf-8")
        robots = f"User-agent: *\nAllow: /\nSitemap: {base}sitemap.xml\n"
        (out / "robots.txt").write_text(robots, encoding="utf-8")


def home(out: Path, root_doc: str) -> None:
    """站点的根就是首页本身，而不是一张跳转的空页。"""
    if "/" not in root_doc:
        return
    folder = root_doc.rsplit("/", 1)[0]
    page = (out / f"{root_doc}.html").read_text(encoding="utf-8")
    moved = RELATIVE.sub(lambda m: f'{m[1]}="{rebased(m[2], folder)}"', page)
    (out / "index.html").write_text(moved, encoding="utf-8")


def rebased(url: str, folder: str) -> str:
    """从 folder/ 里看的相对网址 → 从根上看的相对网址。"""
    if re.match(r"[a-z]+:|#|/", url) or not url:
        return url
    moved = normpath(join(folder, url))
    return "./" if moved == "." else moved


def sitemap(urls: Iterable[str]) -> str:
    """sitemaps.org 的格式，一页一行。"""
    rows = "".join(f"<url><loc>{xml(url)}</loc></url>\n" for url in urls)
    space = "http://www.sitemaps.org/schemas/sitemap/0.9"
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f'{head}<urlset xmlns="{space}">\n{rows}</urlset>\n'


def _lost(out: Path, base: str) -> str:
    """404 页：无论网址有多深都要能用，所以样式写在页内，站点的根由脚本去找。"""
    template = Path(__file__).parents[4] / "book" / "_templates" / "404.html"
    links = _links((out / "index.html").read_text(encoding="utf-8"), base)
    page = template.read_text(encoding="utf-8")
    return page.replace("{{ base }}", escape(base)).replace("{{ links }}", links)


def _links(index: str, base: str) -> str:
    """首页侧栏里的目录，原样列在 404 页上。"""
    rows = dict.fromkeys(
        (m[1], TAG.sub("", m[2]).strip()) for m in CHAPTER.finditer(index)
    )
    return "\n".join(
        f'<li><a data-page="{href}" href="{base}{href}">{title}</a></li>'
        for href, title in rows
    )
