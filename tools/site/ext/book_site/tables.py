"""表格：空的角不算表头；只有公式的表头有名字；手机上放不下的，一行变成一张卡片。"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from lxml import html as parser
from lxml.html import HtmlElement

HEADER = re.compile(r'<th class="head([^"]*)">(.*?)</th>', re.S)
TABLE = re.compile(r'<table class="(?:table|dataframe)[^>]*>.*?</table>', re.S)
# 不能再折的一段：汉字一个一个都能折，西文与数字连着，不折行的空格也连着
PIECE = re.compile(r"[\u2e80-\u9fff\uff00-\uffef]|[^\s\u2e80-\u9fff\uff00-\uffef]+")
FIT = 21.5  # 手机上一行放得下多少个字
CROWDED = 48  # 三列以上的文字，不折行要这么宽的，挤在手机上一列只剩两三个字
LONG = 14  # 这么多字的一格，在卡片里自己占一行
VERDICT = ("结论", "诊断")


def named(page: str) -> str:
    """逐个表头补上名字，再看哪些表要能变成卡片。"""
    return TABLE.sub(_cards, HEADER.sub(_header, page))


def _header(match: re.Match[str]) -> str:
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


def _cards(match: re.Match[str]) -> str:
    """放得下的表原样；放不下的，每一格写上它那一列的名字，样式据此排成卡片。"""
    table = parser.fragment_fromstring(match[0])
    head = table.xpath("./thead/tr")
    rows = table.xpath("./tbody/tr")
    if len(head) != 1 or any(len(row) != len(head[0]) for row in rows):
        return match[0]
    names = [_seen(cell) for cell in head[0]]
    columns = list(zip(*[[_tied(cell) for cell in row] for row in rows], strict=True))
    pairs = list(zip(names, columns, strict=True))
    whole = sum(max(map(_wide, (name, *cells))) for name, cells in pairs)
    crowded = len(names) > 2 and whole > CROWDED
    if sum(map(_least, pairs)) <= FIT and not crowded:
        return match[0]
    table.set("class", f"{table.get('class')} cards")
    once = sum(name in VERDICT for name in names) == 1
    for row in rows:
        for k, cell in enumerate(row[1:], 1):
            verdict = names[k] in VERDICT
            # 两份结论并排时，各写上是谁的
            whose = f"{names[k - 1]}：" if verdict and not once else ""
            cell.set("data-name", whose + names[k])
            size = len(_seen(cell))
            kind = "blank" if not size else "long" if size > LONG else ""
            kind = "verdict" if verdict and once and size else kind
            cell.set("class", f"{cell.get('class', '')} {kind}".strip())
    # 网页是边到边画的：没有到这里的表，样式先不画出来，免得各列越排越不一样
    table.append(parser.fragment_fromstring("<tfoot></tfoot>"))
    return parser.tostring(table, encoding="unicode", with_tail=False)


def _seen(cell: HtmlElement) -> str:
    """一格里看得见的字；公式取排好的那一份。"""
    hidden = cell.xpath(".//*[@class='katex-mathml' or @class='visually-hidden']")
    whole = cell.text_content()
    for node in hidden:
        whole = whole.replace(node.text_content(), "", 1)
    return " ".join(whole.split(" ")).strip()


def _tied(cell: HtmlElement) -> str:
    """一格里看得见的字；一句代码折在中间难读，里面的空格不折。"""
    text = _seen(cell)
    for code in cell.iter("code"):
        words = " ".join(code.text_content().split())
        text = text.replace(words, words.replace(" ", "\u00a0"), 1)
    return text


def _wide(text: str) -> float:
    """一段字不折行有多宽，单位是一个汉字。"""
    return sum(1 if ord(char) > 0x2E80 else 0.56 for char in text)


def _least(column: tuple[str, Sequence[str]]) -> float:
    """一列最窄能有多宽；样式里的下限是 3.2 个字。"""
    name, cells = column
    texts = (text.replace("\u00a0", "_") for text in (name, *cells))
    pieces = [piece for text in texts for piece in PIECE.findall(text)]
    return max(3.2, 0.6 + max(map(_wide, pieces), default=0))
