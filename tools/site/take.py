"""带走整本书：python -m tools.site.take pdf|epub，从造好的网页写出 PDF 与 EPUB。

两种都带着中文字体。PDF 由 Chromium 打印（make pdf），是拿来读的：只有 PyTorch 一翼，
不印折叠的代码与笔记本，目录有页码。EPUB 只用 Python（make epub），一页不少。
"""

from __future__ import annotations

import re
import sys
from html import escape
from importlib.util import find_spec
from pathlib import Path
from posixpath import dirname, join, normpath
from urllib.parse import unquote

import yaml
from lxml import etree
from lxml import html as parser

from tools.build.workplace import BUILD, ROOT, SITE

OUT = BUILD / "take"
NAME = "vision-attention"
LEFT_OUT = (
    "//a[contains(@class,'headerlink')] | //script | //style | //noscript | //button"
    " | //input | //nav | //*[contains(@class,'hero-tools')]"
    " | //*[contains(@class,'living-tools')]"
    " | //*[contains(@class,'sd-summary-icon')]"
    " | //*[contains(@class,'sd-summary-chevron')]"
    " | //*[contains(@class,'sd-summary-state-marker')]"
    " | //summary/p[contains(@class,'expanded')]"
)


class TakeError(Exception):
    """没有做成；消息就是怎么办。"""


# 查的，不印
ONLINE = (
    "notebooks/",
    "book/answers/sentences",
    "book/start/",
    "book/self_attention/microscope",
    *(
        f"book/appendix/{name}"
        for name in ("api", "architecture", "export", "speed", "status", "trained")
    ),
)
# 读的版本里不印的：折叠的代码、另一翼的选项卡、只剩一个的选项卡的名字
NOT_READ = (
    ".//details[contains(@class,'above-input')]"
    " | .//*[@data-sync-id='paddle']/following-sibling::div[1]"
    " | .//label[@data-sync-id]"
)
KIDS = re.compile(rb"(\d+) 0 obj\s*<</Type /Pages\b[^>]*?/Kids \[([^\]]*)\]", re.S)
PLACE = re.compile(rb"/(p-[\w.-]+) \[(\d+) 0 R")


def font() -> Path:
    """随 zhplot 安装的思源黑体。"""
    return Path(find_spec("zhplot").origin).parent / "fonts" / "NotoSansSC-Regular.ttf"


def settings() -> dict:
    """_config.yml 里的书名、作者。"""
    return yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))


def names() -> list[str]:
    """按阅读次序的每一页。"""
    text = (ROOT / "_toc.yml").read_text("utf8")
    found = re.findall(r"^\s*(?:- )?(?:file|root): *(\S+)", text, re.M)
    return [name.removesuffix(".md").removesuffix(".ipynb") for name in found]


def chapters(reading: bool = False) -> list[tuple[str, etree._Element]]:
    """每一页的正文，锚点与站内链接改成全书唯一的名字；reading 时只要拿来读的。"""
    if not (SITE / "index.html").exists():
        raise TakeError("书还没有造出来：先 make book")
    order = [name for name in names() if not (reading and name.startswith(ONLINE))]
    found = [(name, chapter(name, order, reading)) for name in order]
    if reading:
        keep_first_pictures(found)
    return found


def keep_first_pictures(found: list[tuple[str, etree._Element]]) -> None:
    """会答话的图在几页上都有，纸上不会答话，同一幅只印第一次。"""
    seen = set()
    for _, article in found:
        for picture in article.xpath(".//figure[@data-picture]"):
            if picture.get("data-picture") in seen:
                picture.drop_tree()
            seen.add(picture.get("data-picture"))


def chapter(name: str, order: list[str], reading: bool) -> etree._Element:
    """一页的正文：去掉只在屏幕上有用的东西，折叠的展开，选项卡依次列出。"""
    page = parser.fromstring((SITE / f"{name}.html").read_bytes())
    article = page.find(".//article")
    if reading:
        lighten(article)
    for element in article.xpath("." + LEFT_OUT.replace(" | //", " | .//")):
        element.drop_tree()
    for fold in article.iter("details"):
        fold.set("open", "open")
    for line in article.xpath(".//summary/p"):
        line.tag = "span"
    for label in article.xpath(".//label"):
        label.tag = "p"
        label.attrib.clear()
        label.set("class", "tab-name")
    for element in article.xpath(".//*[@id]"):
        element.set("id", anchor(name, element.get("id")))
    for link in article.xpath(".//a[@href]"):
        link.set("href", target(name, link.get("href"), order))
    for image in article.iter("img"):
        image.attrib.pop("loading", None)
        image.attrib.pop("decoding", None)
        source = normpath(join(dirname(name), unquote(image.get("src").split("?")[0])))
        image.set("src", source)
    return article


def lighten(article: etree._Element) -> None:
    """读的版本：不印的去掉；PDF 为每个元素记一笔，几万个记号并掉，小去三分之一。"""
    for element in article.xpath(NOT_READ):
        element.drop_tree()
    for formula in article.xpath(".//span[@class='katex']"):
        formula.set("role", "img")
        formula.set("aria-label", formula.xpath("string(.//annotation)"))
        formula[0].drop_tree()
    for code in article.iter("pre"):
        words = code.text_content()
        for part in list(code):
            code.remove(part)
        code.text = words
    for wrapper in article.xpath(".//td/p | .//th/p | .//li/p | .//code/span"):
        wrapper.drop_tag()


def anchor(name: str, place: str) -> str:
    """页与页内的锚点 → 全书唯一的锚点。"""
    return re.sub(r"[^\w.-]", "-", f"p-{name}--{place}" if place else f"p-{name}")


def target(name: str, href: str, order: list[str]) -> str:
    """一个链接：站内的指到书里的锚点，别的原样；书里没有的去掉。"""
    if re.match(r"[a-z]+:|//", href):
        return href
    path, _, place = href.partition("#")
    page = normpath(join(dirname(name), path)).removesuffix(".html") if path else name
    if page == "index":
        page = order[0]
    return (
        "#" + anchor(page, unquote(place)) if page in order else "#" + anchor(name, "")
    )


def title(article: etree._Element) -> str:
    """一页的标题。"""
    return " ".join(article.find(".//h1").text_content().split())


def command_pdf() -> Path:
    """打印成 PDF：封面、目录、每一页；第一遍量出各页落在哪里，第二遍写进目录。"""
    from tools.site import chrome

    OUT.mkdir(parents=True, exist_ok=True)
    source, result = OUT / "book.html", OUT / f"{NAME}.pdf"
    found, places = chapters(reading=True), {}
    footer = (
        '<div style="width:100%;text-align:center;font-size:8px;color:#666">'
        '<span class="pageNumber"></span></div>'
    )
    with chrome.launched() as browser:
        page = browser.new_page()
        page.set_default_timeout(600_000)
        margins = {"top": "18mm", "bottom": "18mm", "left": "17mm", "right": "17mm"}
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
    return result


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
    style = (ROOT / "tools" / "site" / "print.css").read_text("utf8")
    face = (
        "@font-face{font-family:'Book Han';src:url("
        f"{font().resolve().as_uri()}) format('truetype')}}"
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
        "<p>笔记本、逐句的证据、接口、速度与状态没有印，它们在网上的书里。</p></nav>"
        f"{''.join(parts)}</body></html>"
    )


def command_epub() -> Path:
    """写成 EPUB 3。"""
    from tools.site import epub

    OUT.mkdir(parents=True, exist_ok=True)
    result = OUT / f"{NAME}.epub"
    epub.write(result, settings(), chapters(), font())
    return result


COMMANDS = {"pdf": command_pdf, "epub": command_epub}


def main(kind: str) -> int:
    """写出一种，报告写在哪里、多大。"""
    from tools.site import chrome

    try:
        result = COMMANDS[kind]()
    except (TakeError, chrome.NoChromiumError) as error:
        print(f"✗ {kind}：{error}", file=sys.stderr)
        return 1
    size = result.stat().st_size / 2**20
    print(f"写好了 {result.relative_to(ROOT)}（{size:.1f} MB）")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
