"""每一页标题之下的一行：先要懂哪几页，读几分钟。

先要懂的写在 book/_data/needs.yml；分钟由页上的字、公式、图、表与摆出来的代码算出。
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

NEEDS = Path(__file__).parents[4] / "book" / "_data" / "needs.yml"
WIDE = re.compile("[\u3400-\u9fff]")
READ, PAUSE = 300, 0.4  # 一分钟读几个汉字；一条公式、一张图、一张表、一段代码停几分钟
STOPS = (nodes.math_block, nodes.image, nodes.table, nodes.literal_block)


def setup(app: Sphinx) -> None:
    """登记这一步；先要懂的改了，所有的页重写。"""
    app.add_config_value("book_site_needs", written(), "env")
    app.add_post_transform(NeedsAndMinutes)


def written() -> dict[str, list[str]]:
    """写下的：页 → 先要懂的页；都加上 book/。"""
    found = yaml.safe_load(NEEDS.read_text("utf8"))
    return {f"book/{k}": [f"book/{n}" for n in v] for k, v in found.items()}


def wanted(page: str, listed: dict[str, list[str]]) -> list[str] | None:
    """这一页先要懂哪几页；不是课文的为 None。"""
    if page in listed:
        return listed[page]
    chapter = f"{page.rsplit('/', 1)[0]}/index"
    return [chapter] if chapter in listed else None


def minutes(document: nodes.document) -> int:
    """读完要几分钟；收起来的代码、折着的一段不算。"""
    hidden = {
        id(inner)
        for node in document.findall(nodes.Element)
        for kind in _folded(node)
        for inner in node.findall(kind)
    }
    shown = [n for kind in STOPS for n in document.findall(kind) if id(n) not in hidden]
    words = sum(
        len(WIDE.findall(p.astext()))
        for p in document.findall(nodes.paragraph)
        if id(p) not in hidden
    )
    return max(1, round(words / READ + PAUSE * len(shown)))


def _folded(node: nodes.Element) -> tuple[type[nodes.Element], ...]:
    """这一处要点开才看得见的是什么。"""
    if node.get("design_component") == "dropdown":
        return (nodes.paragraph, *STOPS)
    if {"hide", "tag_hide-input"} & set(node.get("classes", ())):
        return (nodes.literal_block,)
    return ()


class NeedsAndMinutes(SphinxPostTransform):
    """在标题之下添一行。"""

    default_priority = 5
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """课文的每一页添一行，别的页不动。"""
        page = self.env.docname
        needs = wanted(page, written())
        title = next(self.document.findall(nodes.title), None)
        if needs is None or title is None:
            return
        line = nodes.paragraph(classes=["needs"])
        if needs:
            line += nodes.Text("先懂：")
        for at, name in enumerate(needs):
            uri = self.app.builder.get_relative_uri(page, name)
            text = self.env.titles[name].astext().split("：")[0]  # 比喻在后，不必再说
            line += [nodes.Text("；")] if at else []
            line += nodes.reference("", text, refuri=uri, internal=True)
        end = "。" if needs else ""
        line += nodes.Text(f"{end}读完约 {minutes(self.document)} 分钟。")
        title.parent.insert(title.parent.index(title) + 1, line)
