"""造好的网站：书是新的、每本笔记本都执行过、站内的每个链接与锚点都有着落。"""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import lxml.html
import pytest

from tools.build.workplace import RECORD, ROOT, SITE, sources

OUTSIDE = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|//)", re.I)


class Page(HTMLParser):
    """一页里可以被指到的锚点，与它指出去的链接。"""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links = {"", "top"}, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors |= {given.get("id"), given.get("name")} - {None}
        self.links += [given[key] for key in ("href", "src") if given.get(key)]
        refresh = tag == "meta" and given.get("http-equiv", "").lower() == "refresh"
        if refresh and "url=" in given.get("content", ""):
            self.links.append(given["content"].partition("url=")[2])


def broken_links(site):
    """返回站内没有着落的链接，写成“页面 → 链接”。"""
    static = site / "_static"  # 主题的模板，不是页面
    files = [p for p in sorted(site.rglob("*.html")) if static not in p.parents]
    pages = {path: Page(path.read_text("utf8")) for path in files}
    broken = []
    for path, page in pages.items():
        for link in page.links:
            if OUTSIDE.match(link):
                continue
            parts = urlsplit(link)
            target = (path.parent / unquote(parts.path)).resolve()
            target = path if not parts.path else target
            missing = not target.is_file()
            known = pages[target].anchors if target in pages else None
            if known is not None and unquote(parts.fragment) not in known:
                missing = True
            if missing:
                broken.append(f"{path.relative_to(site)} → {link}")
    return broken


@pytest.fixture(scope="module")
def record():
    """make book 成功之后写下的记录。"""
    assert RECORD.exists(), "书没有造成：先 make book，看它哪一步失败"
    return json.loads(RECORD.read_text("utf8"))


def test_book_is_built_from_these_sources(record):
    assert record["sources"] == sources(), "书比源文件旧：先 make book"


def test_every_notebook_was_run(record):
    names = {p.relative_to(ROOT).as_posix() for p in ROOT.glob("notebooks/*/*.ipynb")}
    assert {name for name in record["notebooks"] if name.endswith("ipynb")} == names


def test_every_notebook_is_quick(record):
    slow = {
        name: run for name, run in record["notebooks"].items() if run["seconds"] > 180
    }
    assert not slow


def test_every_internal_link_resolves(record):
    assert broken_links(SITE.resolve()) == []


def test_every_page_has_text_for_its_pictures(record):
    images = re.compile(r"<img\b[^>]*>")
    bare = [
        (path.name, image[:80])
        for path in sorted(SITE.rglob("*.html"))
        for image in images.findall(path.read_text("utf8"))
        if not re.search(r'\balt="[^"]', image)
    ]
    assert not bare


@pytest.mark.parametrize(
    "body",
    [
        '<a href="none.html">x</a>',
        '<a href="#none">x</a>',
        '<a href="b.html#none">x</a>',
        '<img src="none.png">',
        '<meta http-equiv="Refresh" content="0; url=none.html">',
    ],
)
def test_broken_link_is_found(tmp_path, body):
    (tmp_path / "a.html").write_text(body, "utf8")
    (tmp_path / "b.html").write_text("<p id='有'>", "utf8")
    assert len(broken_links(tmp_path)) == 1


@pytest.mark.parametrize(
    "link", ["b.html#有", "b.html#%E6%9C%89", "", "#top", "//x.y/z"]
)
def test_sound_link_is_left_alone(tmp_path, link):
    (tmp_path / "a.html").write_text(f'<a href="{link}">x</a>', "utf8")
    (tmp_path / "b.html").write_text("<p id='有'>", "utf8")
    assert not broken_links(tmp_path)


def test_site_needs_no_other_host(record):
    """脚本、样式、字体都在书里：断网也能看，也不向别人报告谁在看。"""
    loaded = re.compile(r'<(?:script|link)\b[^>]*(?:src|href)="((?:https?:)?//[^"]+)"')
    foreign = {
        (path.relative_to(SITE).as_posix(), url)
        for path in sorted(Path(SITE).rglob("*.html"))
        for url in loaded.findall(path.read_text("utf8"))
    }
    assert not foreign


MARKDOWN = re.compile(
    r"\|\s*:?[-–—]+:?\s*\||\*\*[^\s*][^*]*\*\*|\]\([^)\s]+\)|\{[a-z:]+\}`"
)


def raw_markdown(page):
    """返回正文里没有排成版的 Markdown：表格线、星号、链接、角色；代码、签名不算。"""
    article = lxml.html.document_fromstring(page).find(".//article")
    for code in article.xpath(
        ".//pre | .//code | .//script | .//style | .//svg | .//dt[@id]"
    ):
        code.drop_tree()
    return MARKDOWN.findall(article.text_content())


def test_no_page_shows_raw_markdown():
    pages = [p for p in SITE.rglob("*.html") if not p.is_relative_to(SITE / "_static")]
    shown = {}
    for path in pages:
        text = path.read_text("utf8")
        if "<article" in text and (found := raw_markdown(text)):
            shown[str(path.relative_to(SITE))] = found[:3]
    assert shown == {}


def test_raw_markdown_is_recognised():
    page = "<article><p>| 列 |\n|—:|\n| **粗** |</p><code>a**b**c</code></article>"
    assert len(raw_markdown(page)) == 2
