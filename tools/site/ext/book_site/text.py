"""正文的小修整：中文字之间的换行不应变成空格，标点不应离开它前面的公式，直引号前可以折行。"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

WIDE = "\u3000-\u303f\u3400-\u9fff\uf900-\ufaff\uff00-\uffef"
BREAK = re.compile(f"(?<=[{WIDE}])[ \\t]*\\n[ \\t]*(?=[{WIDE}])")
# 直引号分不出左右，浏览器不敢在它两边折行：一串带引号的词太长时，会把标点挤到行首
# （接口一页的直引号是转义的，前面还有一个看不见的空字符）
QUOTE = re.compile("(?<=[，。、；：？！）])(?=\x00?[\"'])")
CLOSING = tuple("，。、；：？！）」』”’》】,.;:?!)")
KEEP = (nodes.FixedTextElement, nodes.literal, nodes.math, nodes.math_block, nodes.raw)


def setup(app: Sphinx) -> None:
    """登记这一步。"""
    app.add_post_transform(JoinChineseLines)
    app.add_post_transform(KeepPunctuation)


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
