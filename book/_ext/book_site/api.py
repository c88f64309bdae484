"""接口一页：签名与说明取自代码里的文档字符串，不另抄一份。

文档字符串的写法是「标签: 内容」，这里换成 reStructuredText 的字段。
空一行之前的续行都算同一个字段，缩不缩进都可以。
"""

from __future__ import annotations

import re

LABELS = "形状|参数|返回|单位|错误|出处|内容|用法"
FIELD = re.compile(rf"^({LABELS})[:：]\s*(.*)$")
QUOTED = re.compile(r"(?<!`)`([^`]+)`(?!`)")
WIDE = re.compile(r"[\u3000-\u9fff\uff00-\uffef]")
SPECIAL = re.compile(r"""([*|\\"']|_(?=\W|$))""")


def setup(app):
    """接上 autodoc：类型已在说明里，签名只留名字与默认值。"""
    app.setup_extension("sphinx.ext.autodoc")
    app.config.autodoc_typehints = "none"
    app.config.autodoc_member_order = "bysource"
    app.config.add_module_names = False
    app.connect("autodoc-process-docstring", _rewrite)


def _rewrite(*details):
    """就地把一份文档字符串换成 reStructuredText。"""
    lines = details[-1]
    lines[:] = fields(lines)


def fields(lines):
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


def _joined(before, after):
    """接上续行；一边是汉字或全角标点，就不添空格。"""
    wide = WIDE.match(before[-1]) or WIDE.match(after[0])
    return f"{before}{'' if wide else ' '}{after}"


def _plain(text):
    """记号原样显示：反引号里是代码，星号、竖线、引号、结尾的下划线不是标记。"""
    parts = QUOTED.split(text)
    return "".join(
        f"``{part}``" if k % 2 else SPECIAL.sub(r"\\\1", part)
        for k, part in enumerate(parts)
    )
