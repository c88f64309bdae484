"""整本书的 EPUB 3：python -m tools.site.epub，一页一个 XHTML，一页不少。

公式是 MathML，字体只留书里出现的字；只用 Python，不要浏览器。
"""

from __future__ import annotations

import mimetypes
import re
import sys
import uuid
import zipfile
from copy import deepcopy
from html import escape
from pathlib import Path

from lxml import etree
from lxml.html import HtmlElement

from tools.build.workplace import SITE, told
from tools.site.chapters import anchor, carried, chapters, settings, title
from vision_attention.plots.font import subset

XHTML = "http://www.w3.org/1999/xhtml"
SVG = "http://www.w3.org/2000/svg"
STYLE = (Path(__file__).parent / "epub.css").read_text("utf8")
HTML_ONLY = ("target", "align", "valign", "aria-controls")
CONTAINER = (
    '<?xml version="1.0"?><container version="1.0" '
    'xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/content.opf" '
    'media-type="application/oebps-package+xml"/></rootfiles></container>'
)


def write(path: Path) -> None:
    """写成 EPUB 3。"""
    book, found = settings(), chapters()
    files = {name: f"{anchor(name, '')}.xhtml" for name, _ in found}
    homes = homes_of(found, files)
    pages, images = {}, {}
    for name, article in found:
        body = prepared(deepcopy(article), files[name], homes, images)
        pages[files[name]] = (title(article), body)
    text = "".join(heading + body for heading, body in pages.values()) + book["title"]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as epub:
        epub.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        epub.writestr("META-INF/container.xml", CONTAINER)
        for file, (heading, body) in pages.items():
            epub.writestr(f"OEBPS/{file}", page(heading, body))
        for name, source in images.items():
            epub.writestr(f"OEBPS/images/{name}", picture(source))
        epub.writestr("OEBPS/fonts/han.woff", subset("".join(sorted(set(text)))))
        epub.writestr("OEBPS/book.css", STYLE)
        epub.writestr("OEBPS/nav.xhtml", navigation(pages))
        epub.writestr("OEBPS/content.opf", package(book, pages, images))


def homes_of(chapters: list, files: dict) -> dict[str, str]:
    """每个锚点在哪个文件里。"""
    homes = {anchor(name, ""): files[name] for name, _ in chapters}
    for name, article in chapters:
        homes |= dict.fromkeys(article.xpath(".//@id"), files[name])
    return homes


def prepared(article: HtmlElement, file: str, homes: dict, images: dict) -> str:
    """一页正文写成 XHTML：公式只留 MathML，链接跨文件，图片改名收好。"""
    for drawn in article.xpath(".//span[@class='katex-html']"):
        tail = "".join(drawn.xpath(".//span[@class='tail']/text()"))
        drawn.tail = tail + (drawn.tail or "")
        drawn.drop_tree()
    for link in article.xpath(".//a[starts-with(@href, '#')]"):
        place = link.get("href")[1:]
        home = homes.get(place, file)
        fragment = f"#{place}" if place in homes and not place == home[:-6] else ""
        link.set("href", home + fragment)
    for image in article.iter("img"):
        name = re.sub(r"[^\w.-]", "-", image.get("src"))
        images[name] = SITE / image.get("src")
        image.set("src", f"images/{name}")
    return xhtml(article)


def picture(source: Path) -> bytes:
    """一张图；SVG 去掉外部的文档类型声明与重复的 id。"""
    if source.suffix != ".svg":
        return source.read_bytes()
    text = re.sub(r"<!DOCTYPE[^>]*>", "", source.read_text("utf8"))
    text = text.replace("var(--ink)", "#5a6270")  # 阅读器不一定认得变量
    seen = set()

    def once(match: re.Match) -> str:
        again = match[1] in seen
        seen.add(match[1])
        return "" if again else match[0]

    return re.sub(r'\sid="([^"]+)"', once, text).encode()


def xhtml(article: HtmlElement) -> str:
    """HTML 树 → XHTML 文字；重复的 id、HTML 独有的属性去掉。"""
    article.tag = "section"
    article.attrib.clear()
    seen = set()
    for element in article.iter(etree.Element):
        for key in list(element.attrib):
            bare = not element.get(key) and key not in ("alt", "open")
            if bare or ":" in key or key in HTML_ONLY:
                del element.attrib[key]
        if element.get("id") in seen:
            del element.attrib["id"]
        seen.add(element.get("id", ""))
        if element.tag == "svg":
            element.set("xmlns", SVG)
            element.attrib["viewBox"] = element.attrib.pop("viewbox", "0 0 24 24")
    etree.strip_elements(article, "colgroup", with_tail=False)
    return etree.tostring(article, method="xml", encoding="unicode")


def page(heading: str, body: str) -> str:
    """一个 XHTML 文件。"""
    return (
        '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html>'
        f'<html xmlns="{XHTML}" xmlns:epub="http://www.idpf.org/2007/ops" '
        f'xml:lang="zh-CN" lang="zh-CN"><head><title>{escape(heading)}</title>'
        '<link rel="stylesheet" type="text/css" href="book.css"/></head>'
        f"<body>{body}</body></html>"
    )


def navigation(pages: dict) -> str:
    """目录文件。"""
    rows = "".join(
        f'<li><a href="{file}">{escape(heading)}</a></li>'
        for file, (heading, _) in pages.items()
    )
    return page("目录", f'<nav epub:type="toc"><h1>目录</h1><ol>{rows}</ol></nav>')


def package(book: dict, pages: dict, images: dict) -> str:
    """清单与阅读次序。"""
    items = [
        '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" '
        'properties="nav"/>',
        '<item id="css" href="book.css" media-type="text/css"/>',
        '<item id="han" href="fonts/han.woff" media-type="font/woff"/>',
    ]
    for i, (file, (_, body)) in enumerate(pages.items()):
        holds = " ".join(
            word for tag, word in (("<math", "mathml"), ("<svg", "svg")) if tag in body
        )
        extra = f' properties="{holds}"' if holds else ""
        kind = "application/xhtml+xml"
        items.append(f'<item id="p{i}" href="{file}" media-type="{kind}"{extra}/>')
    for i, name in enumerate(images):
        kind = mimetypes.guess_type(name)[0] or "image/svg+xml"
        items.append(f'<item id="i{i}" href="images/{name}" media-type="{kind}"/>')
    spine = "".join(f'<itemref idref="p{i}"/>' for i in range(len(pages)))
    identity = uuid.uuid5(uuid.NAMESPACE_URL, book["title"])
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" '
        'unique-identifier="id" xml:lang="zh-CN">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<dc:identifier id="id">urn:uuid:{identity}</dc:identifier>'
        f"<dc:title>{escape(book['title'])}</dc:title><dc:language>zh-CN</dc:language>"
        f"<dc:creator>{escape(book['author'])}</dc:creator>"
        f'<meta property="dcterms:modified">{book["copyright"]}-01-01T00:00:00Z</meta>'
        f"</metadata><manifest>{''.join(items)}</manifest>"
        f"<spine>{spine}</spine></package>"
    )


if __name__ == "__main__":
    sys.exit(told(carried, "epub", write))
