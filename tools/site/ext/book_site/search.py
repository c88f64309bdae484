"""中文搜索的索引：一页一节地取出标题、正文、定义，写成一份浏览器可以直接载入的脚本。

索引不分词：浏览器里直接在全文中找读者打的那几个字，所以词、句子、中英混写都找得到，
也不依赖词典、WebAssembly 或服务器；用 script 载入，从硬盘上打开的书也能搜。
收起来的代码与拍平了就读不通的公式不进索引；读者会用而书里不用的词，写在 WORDS。
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from lxml import html as parser
from lxml.html import HtmlElement
from sphinx.application import Sphinx

INDEX = "search-index.js"
WORDS = Path(__file__).parents[4] / "book" / "_data" / "synonyms.yml"
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
# 锚点、行号、公式的图形；收起来的代码；先要懂什么、读几分钟
NOISE = "headerlink linenos eqno katex-html copybtn toggle-button launch"
NOISE += " visually-hidden hide needs"
DROPPED = (
    ".//comment() | .//script | .//style | .//annotation | .//button | "
    + " | ".join(
        f".//*[contains(concat(' ', @class, ' '), ' {name} ')]"
        for name in NOISE.split()
    )
)
# 拍平了就读不通的公式：分数、上下标、矩阵；√K 这样的一行能读
TALL = frozenset("mfrac msub msup msubsup munder mover munderover mtable mroot".split())
BLOCKS = frozenset("p li div pre td th dd dt figcaption section br tr summary".split())
NAME = "[A-Za-z][A-Za-z0-9 &/–-]*[A-Za-z0-9]"
STOP = r"(?=\s*[，。,.；（(])"
ENGLISH = re.compile(f"({NAME}){STOP}(?:[，,、]\\s*([A-Z][A-Za-z]+){STOP})?")
ALSO = re.compile(
    r"(?:也译|又译|也叫|又叫|也称|又称|也写作|简称|全称)((?:[、或与和]?[“「][^”」]+[”」])+)"
)
QUOTED = re.compile(r"[“「]([^”」]+)[”」]")
DEFINITION = re.compile(r"^\s*(?:class|def)\s+([A-Za-z_]\w*)", re.M)
SPACE = re.compile(r"\s+")


def setup(app: Sphinx) -> None:
    """不建 Sphinx 的索引；页面都写完之后，从目录里的每一页取自己的索引。"""
    app.connect("builder-inited", _without_sphinx_index)
    app.connect("build-finished", _write, priority=700)


def _without_sphinx_index(app: Sphinx) -> None:
    """Sphinx 的索引用不上；建了再删，下次只改一页时它会抱怨索引不见了。"""
    if app.builder.name == "html":
        app.builder.load_indexer = lambda docnames: None
        app.builder.index_page = lambda pagename, doctree, title: None
        app.builder.dump_search_index = lambda: None


def _write(app: Sphinx, error: Exception | None) -> None:
    """写出索引；_toc.yml 里的页全在，别的页都不在。"""
    if error or app.builder.name != "html":
        return
    for name in (
        "searchindex.js",
        "_static/searchtools.js",
        "_static/language_data.js",
    ):
        Path(app.outdir, name).unlink(missing_ok=True)
    index = build(app)
    data = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    target = Path(app.outdir, INDEX)
    target.write_text(f"bookSearch.receive({data});\n", encoding="utf-8")


def build(app: Sphinx) -> dict[str, list[Any]]:
    """全书的索引。

    返回: pages 每项为 [网址, 标题]；sections 每项为 [页, 锚, 标题, 级, 正文, 定义]；
    alias 每项为同一个词的几种叫法；words 每项为读者的几种说法，书里的在前
    """
    pages: list[list[str]] = []
    sections: list[list[Any]] = []
    alias: list[list[str]] = []
    for name in reading_order(app):
        path = Path(app.outdir, f"{name}.html")
        article = parser.fromstring(path.read_bytes()).find(".//article")
        found = list(_sections(article)) if article is not None else []
        if not found:
            continue
        alias += [row.pop() for row in found if len(row) > 5]
        title = found[0][1]
        sections += [[len(pages), *row] for row in found]
        pages.append([f"{name}.html", title])
    words = yaml.safe_load(WORDS.read_text("utf8"))
    return {"pages": pages, "sections": sections, "alias": alias, "words": words}


def reading_order(app: Sphinx) -> list[str]:
    """目录的次序就是书的次序。"""
    toc = app.config.external_site_map
    return [name for name in toc if name in app.env.found_docs]


def _sections(article: HtmlElement) -> Iterator[list[Any]]:
    """文章里的每一节、每个词条、每个 API 对象各一行。"""
    _quiet(article)
    for section in article.iter("section"):
        heading = next((c for c in section if c.tag in HEADINGS), None)
        if heading is None:
            continue
        apart = [
            *section.xpath("./section | ./dl[contains(@class, 'glossary')]"),
            heading,
        ]
        body = (
            ("" if child in apart else child.text_content()) + (child.tail or "")
            for child in section
        )
        code = "\n".join(pre.text_content() for pre in _own(section, "pre"))
        names = dict.fromkeys(DEFINITION.findall(code))
        yield [
            section.get("id"),
            tidy(heading.text_content()),
            int(heading.tag[1]),
            tidy("".join(body)),
            " ".join(names),
        ]
        for glossary in _own(section, "dl"):
            yield from _terms(glossary)


def _terms(glossary: HtmlElement) -> Iterator[list[Any]]:
    """术语表的词条：连着的几个 dt 是同一个词的几种叫法。"""
    names, anchor = [], None
    for item in glossary:
        if item.tag == "dt" and (item.get("id") or "").startswith("term-"):
            names.append(tidy(item.text_content()))
            anchor = anchor or item.get("id")
        elif item.tag == "dd" and names:
            text = tidy(item.text_content())
            yield [anchor, " / ".join(names), 3, text, "", names + aliases(text)]
            names, anchor = [], None
        elif item.tag == "dt" and item.get("id"):
            yield [item.get("id"), tidy(item.text_content()), 3, "", item.get("id")]


def aliases(text: str) -> list[str]:
    """词条解释里写明的别名：开头的英文名，与“也译”“又称”后面引号里的叫法。"""
    match = ENGLISH.match(text)
    found = [name for name in match.groups() if name] if match else []
    for group in ALSO.findall(text):
        found += QUOTED.findall(group)
    return found


def _own(section: HtmlElement, tag: str) -> Iterator[HtmlElement]:
    """属于这一节、而不属于它的小节的元素。"""
    for child in section:
        if child.tag == tag:
            yield child
        elif child.tag != "section":
            yield from child.iter(tag)


def _quiet(article: HtmlElement) -> None:
    """去掉不进索引的：锚点、行号、公式的图形与脚本；块与块之间补空格。"""
    for formula in article.xpath(".//*[@class='katex-html']"):  # 公式带走的标点
        tail = "".join(formula.xpath(".//span[@class='tail']/text()"))
        formula.tail = tail + (formula.tail or "")
    tall = [m for m in article.iter("math") if any(e.tag in TALL for e in m.iter())]
    for element in [*article.xpath(DROPPED), *tall]:
        element.drop_tree()
    for root in article.iter("msqrt"):
        root.text = "√" + (root.text or "")
    for block in article.iter(*BLOCKS):
        block.tail = " " + (block.tail or "")


def tidy(text: str) -> str:
    """空白并成一个空格，去掉看不见的字符。"""
    return SPACE.sub(" ", text.replace("\u200b", "")).strip()
