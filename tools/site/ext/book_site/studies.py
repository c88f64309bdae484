"""研究的名字：正文里写 `which_gate`，读者看到平实的题目，一页里第一次链到记录。

题目在 book/_data/studies.yml；代码、命令与“实验记录与复现”一页照旧。
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

TITLES = Path(__file__).parents[4] / "book" / "_data" / "studies.yml"
RECORDS = "book/appendix/records"  # 名字在这里，一项一条
KEPT = (RECORDS, "book/appendix/api")
WIDE = "[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]"


def setup(app: Sphinx) -> None:
    """登记这一步；题目改了，所有的页重写。"""
    app.add_config_value("book_site_studies", titles(), "env")
    app.add_post_transform(PlainTitles)


def titles() -> dict[str, str]:
    """名字 → 题目。"""
    return yaml.safe_load(TITLES.read_text("utf8"))


class PlainTitles(SphinxPostTransform):
    """行内代码里的研究名换成题目。"""

    default_priority = 890  # 在合并汉字之间的换行之前

    def run(self, **kwargs: Any) -> None:
        """逐个替换。"""
        page, named = self.env.docname, titles()
        if page in KEPT:
            return
        seen: set[str] = set()
        for node in list(self.document.findall(nodes.literal)):
            name = node.astext()
            if name not in named:
                continue
            linked = name not in seen and not _inside_a_link(node)
            self._replace(node, name, named[name], linked)
            seen |= {name} if linked else set()

    def _replace(
        self, node: nodes.literal, name: str, title: str, linked: bool
    ) -> None:
        """一处：题目加引号，汉字旁边不留空格。"""
        text = nodes.Text(f"“{title}”")
        before, after = node.parent.children, node.parent.index(node)
        for at, edge in ((after - 1, rf"(?<={WIDE}) $"), (after + 1, rf"^ (?={WIDE})")):
            if 0 <= at < len(before) and isinstance(before[at], nodes.Text):
                node.parent.replace(
                    before[at], nodes.Text(re.sub(edge, "", before[at]))
                )
        if linked and self.app.builder.format == "html":
            target = self.app.builder.get_relative_uri(self.env.docname, RECORDS)
            where = f"{target}#study-{name.replace('_', '-')}"
            node.parent.replace(
                node, nodes.reference("", "", text, refuri=where, internal=True)
            )
        else:
            node.parent.replace(node, text)


def _inside_a_link(node: nodes.Node) -> bool:
    """在不在一个链接里，隔着几层都算；链接里不套链接。"""
    while node := node.parent:
        if isinstance(node, nodes.reference):
            return True
    return False
