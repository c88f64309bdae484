"""接口一页：签名与说明取自代码里的文档字符串，不另抄一份。

文档字符串的写法是「标签: 内容」，这里换成 reStructuredText 的字段。
空一行之前的续行都算同一个字段，缩不缩进都可以。
`.. other-gates::` 列出这一页没有写到的门：加一种门，不必来改这一页。
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[4]
GATES = ROOT / "src" / "vision_attention" / "torch" / "gates" / "__init__.py"
LISTED = re.compile(r"^\.\. autoclass:: (\w+)", re.M)

LABELS = "形状|参数|返回|单位|错误|出处|内容|用法"
FIELD = re.compile(rf"^({LABELS})[:：]\s*(.*)$")
QUOTED = re.compile(r"(?<!`)`([^`]+)`(?!`)")
WIDE = re.compile(r"[\u3000-\u9fff\uff00-\uffef]")
SPECIAL = re.compile(r"""([*|\\"']|_(?=\W|$))""")


def setup(app: Sphinx) -> None:
    """接上 autodoc：类型已在说明里，签名只留名字与默认值。"""
    app.setup_extension("sphinx.ext.autodoc")
    app.config.autodoc_typehints = "none"
    app.config.autodoc_member_order = "bysource"
    app.config.add_module_names = False
    app.connect("autodoc-process-docstring", _rewrite)
    app.add_directive("other-gates", OtherGates)


class OtherGates(Directive):
    """这一页没有写到的门，照表里的次序。"""

    def run(self) -> list[nodes.Node]:
        document = self.state.document
        document.settings.env.note_dependency(str(GATES))
        page = Path(document.settings.env.doc2path(document.settings.env.docname))
        lines = []
        for name in others(page.read_text("utf8")):
            lines += [f".. autoclass:: {name}", ""]
        node = nodes.Element()
        node.document = document
        self.state.nested_parse(StringList(lines, str(page)), 0, node)
        return node.children


def others(page: str) -> list[str]:
    """公开的门里，这一页没有写到的。"""
    listed = set(LISTED.findall(page))
    for node in ast.parse(GATES.read_text("utf8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names = ast.literal_eval(node.value)
    # 全大写的是表，小写的是函数；ECA 与 BAM 也全大写，所以只认 GATES 一个
    classes = [name for name in names if name[0].isupper() and name != "GATES"]
    return [name for name in classes if name not in listed]


def _rewrite(*details: Any) -> None:
    """就地把一份文档字符串换成 reStructuredText。"""
    lines = details[-1]
    lines[:] = fields(lines)


def fields(lines: Iterable[str]) -> list[str]:
    """文档字符串的各行 → reStructuredText 的各行；一个字段并成一行。"""
    found = [""]
    for line in lines:
        text, match = _plain(line.strip()), FIELD.match(line)
        inside = found[-1].startswith(":")
        if match:
            found += [] if inside or not found[-1] else [""]
            found.append(f":{match[1]}: {_plain(match[2])}")
        elif text and inside:
            found[-1] = _joined(found[-1], text)
        else:
            found.append(text)
    return [*found, ""]


def _joined(before: str, after: str) -> str:
    """接上续行；一边是汉字或全角标点，就不添空格。"""
    wide = WIDE.match(before[-1]) or WIDE.match(after[0])
    return f"{before}{'' if wide else ' '}{after}"


def _plain(text: str) -> str:
    """记号原样显示：反引号里是代码，星号、竖线、引号、结尾的下划线不是标记。"""
    parts = QUOTED.split(text)
    return "".join(
        f"``{part}``" if k % 2 else SPECIAL.sub(r"\\\1", part)
        for k, part in enumerate(parts)
    )
