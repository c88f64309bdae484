"""表头：空的角不算表头；只有公式的表头给读屏软件一个名字。"""

from __future__ import annotations

import re
from html import escape

from lxml import html as parser

HEADER = re.compile(r'<th class="head([^"]*)">(.*?)</th>', re.S)


def named(page):
    """逐个表头补上。"""
    return HEADER.sub(_header, page)


def _header(match):
    """一个表头：有字的原样留下。"""
    if not match[2].replace("<p></p>", "").strip():
        return f'<td class="head{match[1]}"></td>'
    if "katex" not in match[2]:
        return match[0]
    cell = parser.fragment_fromstring(match[2], create_parent="div")
    formulas = [node.text_content() for node in cell.iter("annotation")]
    for node in cell.xpath(".//span[@class='katex']"):
        node.drop_tree()
    if cell.text_content().strip():
        return match[0]
    name = f'<span class="visually-hidden">{escape("，".join(formulas))}</span>'
    inner = match[2].replace("<p>", '<p aria-hidden="true">')
    return f'<th class="head{match[1]}">{name}{inner}</th>'
