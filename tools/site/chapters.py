"""造好的网页里每一页的正文：带走整本书的 PDF（pdf.py）与 EPUB（epub.py）都从这里取。

锚点与站内链接改成全书唯一的名字，只在屏幕上有用的东西去掉。
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from posixpath import dirname, join, normpath
from urllib.parse import unquote

import yaml
from lxml import etree
from lxml import html as parser

from tools.build import toc
from tools.build.workplace import BUILD, ROOT, SITE, need_book

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


# 查的，不印
ONLINE = (
    "notebooks/",
    "book/answers/sentences",
    "book/start/",
    "book/glossary",
    "book/self_attention/microscope",
    # 备查的几页，代码多
    "book/cbam/names",
    "book/cbam/trouble",
    "book/self_attention/numerics",
    "book/self_attention/reshape",
    "book/vit/choices",
    "book/remedies/distill",
    "book/where/elsewhere",
    "book/photos/maps",
    "book/photos/habits",
    # 手算题与答案在浏览器里一页一页地印
    *(
        f"book/appendix/{name}"
        for name in "api architecture calls converting export frameworks paddle"
        " pretrained records speed status teaching trained"
        " hand_answers hand_sheets".split()
    ),
)
# 读的版本里不印的：折叠的代码、另一翼的选项卡、只剩一个的选项卡的名字
NOT_READ = (
    ".//details[contains(@class,'above-input')]"
    " | .//*[@data-sync-id='paddle']/following-sibling::div[1]"
    " | .//label[@data-sync-id]"
)
LONG = 24  # 读的版本里，更长的一段代码只说有几行


def settings() -> dict:
    """_config.yml 里的书名、作者。"""
    return yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))


def chapters(reading: bool = False) -> list[tuple[str, etree._Element]]:
    """每一页的正文，锚点与站内链接改成全书唯一的名字；reading 时只要拿来读的。"""
    need_book()
    order = [name for name in toc.names() if not (reading and name.startswith(ONLINE))]
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
    """读的版本：不印的去掉，长的代码只说几行。

    PDF 为每个元素记一笔，几万个记号并掉，小去三分之一。
    """
    for element in article.xpath(NOT_READ):
        element.drop_tree()
    for formula in article.xpath(".//span[@class='katex']"):
        formula.set("role", "img")
        formula.set("aria-label", formula.xpath("string(.//annotation)"))
        formula[0].drop_tree()
    for code in list(article.iter("pre")):
        words = code.text_content()
        if words.count("\n") > LONG:
            code.tag, words = "p", f"（代码 {words.count(chr(10))} 行，在网上的书里）"
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


def carried(kind: str, make: Callable[[Path], None]) -> None:
    """写出一种，报告写在哪里、多大。

    参数: kind 为 "pdf" 或 "epub"；make 把书写进给它的路径
    """
    OUT.mkdir(parents=True, exist_ok=True)
    result = OUT / f"{NAME}.{kind}"
    make(result)
    size = result.stat().st_size / 2**20
    print(f"写好了 {result.relative_to(ROOT)}（{size:.1f} MB）")
