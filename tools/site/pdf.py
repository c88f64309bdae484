"""拿来读的 PDF：python -m tools.site.pdf，由 Chromium 打印造好的网页。

只有 PyTorch 一翼，不印折叠的代码与笔记本，目录有页码，带着中文字体。
"""

from __future__ import annotations

import re
import sys
from html import escape
from pathlib import Path

from lxml import html as parser

from tools.build.workplace import SITE, told
from tools.site import chrome
from tools.site.chapters import OUT, anchor, carried, chapters, settings, title
from vision_attention.plots.font import font_path

KIDS = re.compile(rb"(\d+) 0 obj\s*<</Type /Pages\b[^>]*?/Kids \[([^\]]*)\]", re.S)
PLACE = re.compile(rb"/(p-[\w.-]+) \[(\d+) 0 R")


def write(result: Path) -> None:
    """打印成 PDF：封面、目录、每一页；第一遍量出各页落在哪里，第二遍写进目录。"""
    source = OUT / "book.html"
    found, places = chapters(reading=True), {}
    footer = (
        '<div style="width:100%;text-align:center;font-size:8px;color:#666">'
        '<span class="pageNumber"></span></div>'
    )
    with chrome.launched() as browser:
        page = browser.new_page()
        page.set_default_timeout(600_000)
        margins = {"top": "16mm", "bottom": "16mm", "left": "16mm", "right": "16mm"}
        for _ in range(2):
            source.write_text(single(found, places), encoding="utf-8")
            page.goto(source.as_uri(), wait_until="load")
            page.evaluate("document.fonts.ready.then(() => true)")
            page.pdf(
                path=result,
                format="A4",
                margin=margins,
                print_background=True,
                display_header_footer=True,
                header_template="<span></span>",
                footer_template=footer,
                outline=True,
                tagged=True,
            )
            places = pages_of(result.read_bytes())


def pages_of(data: bytes) -> dict[str, int]:
    """一份 PDF 里每个锚点在第几页：页的次序在页树里，锚点指着页的编号。"""
    kids = {m[1]: re.findall(rb"(\d+) 0 R", m[2]) for m in KIDS.finditer(data)}
    root = re.search(rb"/Type /Catalog\b.*?/Pages (\d+) 0 R", data, re.S)[1]

    def leaves(node: bytes) -> list[bytes]:
        below = kids.get(node)
        return [node] if below is None else [x for k in below for x in leaves(k)]

    order = {page: number for number, page in enumerate(leaves(root), 1)}
    return {m[1].decode(): order[m[2]] for m in PLACE.finditer(data)}


def single(found: list, places: dict[str, int]) -> str:
    """整本书排成一张网页。"""
    book, parts = settings(), []
    rows = "".join(
        f'<li><a href="#{anchor(name, "")}">{escape(title(article))}</a>'
        f"<span>{places.get(anchor(name, ''), 0)}</span></li>"
        for name, article in found
    )
    for name, article in found:
        for image in article.iter("img"):
            source = image.get("src")
            if not source.startswith("file:"):
                image.set("src", (SITE / source).resolve().as_uri())
        article.tag = "div"
        article.set("id", anchor(name, ""))
        article.set("class", "bd-article chapter")
        parts.append(parser.tostring(article, encoding="unicode"))
    style = Path(__file__).with_name("print.css").read_text("utf8")
    face = (
        "@font-face{font-family:'Book Han';src:url("
        f"{font_path().resolve().as_uri()}) format('truetype')}}"
    )
    sheets = "".join(
        f'<link rel="stylesheet" href="{(SITE / "_static" / name).resolve().as_uri()}">'
        for name in ("maths.css", "book.css", "living.css")
    )
    return (
        '<!DOCTYPE html><html lang="zh-CN" data-theme="light" data-mode="light"><head>'
        f'<meta charset="utf-8"><title>{escape(book["title"])}</title>'
        f"{sheets}<style>{face}{style}</style>"
        "</head><body>"
        f'<div class="cover"><h1>{escape(book["title"])}</h1>'
        f"<p>{escape(book['author'])}</p>"
        "<p>代码以 MIT 许可发布，文字与图以 CC BY-SA 4.0 许可发布</p></div>"
        f'<nav class="contents"><h2>目录</h2><ol>{rows}</ol>'
        "<p>笔记本、逐句的证据与备查的几页（接口、调用对照、速度、状态）没有印，它们在网上的书里。</p></nav>"
        f"{''.join(parts)}</body></html>"
    )


if __name__ == "__main__":
    sys.exit(told(carried, "pdf", write))
