"""正文的小修整：中文字之间的换行不应变成空格，标点不应离开它前面的公式与代码，直引号前可以折行。"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.writers.html5 import HTML5Translator

WIDE = "\u3000-\u303f\u3400-\u9fff\uf900-\ufaff\uff00-\uffef"
BREAK = re.compile(f"(?<=[{WIDE}])[ \\t]*\\n[ \\t]*(?=[{WIDE}])")
# 直引号分不出左右，浏览器不敢在它两边折行：一串带引号的词太长时，会把标点挤到行首
# （接口一页的直引号是转义的，前面还有一个看不见的空字符）
QUOTE = re.compile("(?<=[，。、；：？！）])(?=\x00?[\"'])")
CLOSING = tuple("，。、；：？！）」』”’》】,.;:?!)")
# 一行放不下的词只好随处断开，那时浏览器不管禁则，会把后面的标点断到行首；
# 这么长的词，在末尾几个字之前留一处可以断的地方，标点就总有几个字陪着
LONG, COMPANY = 16, 3
KEEP = (nodes.FixedTextElement, nodes.literal, nodes.math, nodes.math_block, nodes.raw)


def setup(app: Sphinx) -> None:
    """登记这一步。"""
    app.add_post_transform(JoinChineseLines)
    app.add_post_transform(KeepPunctuation)
    app.add_post_transform(AccompanyPunctuation)
    app.add_node(Opportunity, html=(_visit_opportunity, _depart_opportunity))


class JoinChineseLines(SphinxPostTransform):
    """去掉源文件里中文字之间的换行，免得画成空格；全角标点与直引号之间可以折行。"""

    default_priority = 900

    def run(self, **kwargs: Any) -> None:
        """逐个文字节点替换；代码与公式原样留下。"""
        for text in list(self.document.findall(nodes.Text)):
            joined = QUOTE.sub("\u200b", BREAK.sub("", text))
            if joined != text and not isinstance(text.parent, KEEP):
                text.parent.replace(text, nodes.Text(joined))


class KeepPunctuation(SphinxPostTransform):
    """行内公式后面紧跟的标点不许掉到下一行的开头：交给公式一起排。"""

    default_priority = 910
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """把标点从后面的文字里移到公式的 tail 属性上。"""
        for formula in list(self.document.findall(nodes.math)):
            after = formula.next_node(descend=False, siblings=True)
            if isinstance(after, nodes.Text) and after.startswith(CLOSING):
                rest = after.lstrip("".join(CLOSING))
                formula["tail"] = after[: len(after) - len(rest)]
                after.parent.replace(after, nodes.Text(rest))


class Opportunity(nodes.Element):
    """可以断行的一处，没有文字。"""


def _visit_opportunity(translator: HTML5Translator, node: nodes.Element) -> None:
    """写下 <wbr>。"""
    translator.body.append("<wbr>")


def _depart_opportunity(translator: HTML5Translator, node: nodes.Element) -> None:
    """没有要收的尾。"""


class AccompanyPunctuation(SphinxPostTransform):
    """很长的行内代码与网址后面紧跟标点的，断也断在末尾几个字之前。"""

    default_priority = 920
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """在最后一段文字里插进一处可以断的地方。"""
        for node in list(self.document.findall(_is_inline_word)):
            after = node.next_node(descend=False, siblings=True, ascend=True)
            last = node.children[-1] if node.children else None
            if not isinstance(last, nodes.Text) or not isinstance(after, nodes.Text):
                continue
            if after.startswith(CLOSING) and len(last.split(" ")[-1]) >= LONG:
                head, tail = nodes.Text(last[:-COMPANY]), nodes.Text(last[-COMPANY:])
                node.replace(last, [head, Opportunity(), tail])


def _is_inline_word(node: nodes.Node) -> bool:
    """行内代码与链接。"""
    return isinstance(node, nodes.literal | nodes.reference)
