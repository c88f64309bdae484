"""公式：造书时由 KaTeX 排成 HTML 与 MathML，页面上不再有公式脚本。"""

from __future__ import annotations

import re
from functools import cache
from html import escape
from pathlib import Path

from docutils import nodes
from py_mini_racer import MiniRacer
from sphinx.application import Sphinx
from sphinx.locale import _
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

KATEX = Path(__file__).parent / "katex"
OPTIONS = {"throwOnError": True, "strict": "ignore", "output": "htmlAndMathml"}
LAST_BLOCK = '<span class="katex-base">'
CLOSERS = "</span></span>"  # katex-html 与 katex
INSIDE = re.compile(r"\\begin\{(\w+)\}.*?\\end\{\1\}", re.S)
logger = logging.getLogger(__name__)


def setup(app: Sphinx) -> None:
    """登记名为 katex 的公式渲染器。"""
    app.add_html_math_renderer("katex", (_visit_inline, None), (_visit_block, None))


@cache
def _engine() -> MiniRacer:
    """装好 KaTeX 的脚本引擎，整次构建只造一个。"""
    engine = MiniRacer()
    engine.eval((KATEX / "katex.min.js").read_text(encoding="utf-8"))
    engine.eval(
        "function draw(tex, options) {"
        "  try { return ['', katex.renderToString(tex, options)]; }"
        "  catch (error) { return [String(error.message), '']; } }"
    )
    return engine


@cache
def render(tex: str, display: bool) -> tuple[str, str]:
    """一条公式 → (错误, HTML)；没有错误时前者为空串。"""
    options = OPTIONS | {"displayMode": display}
    error, html = _engine().call("draw", tex, options)
    return str(error), str(html)


def _draw(node: nodes.Element, tex: str, *, display: bool) -> str:
    """排一条公式；KaTeX 不认识的写法报成带行号的警告（-W 时即失败）。"""
    error, html = render(tex, display)
    if error:
        logger.warning("公式排不出来：%s", error, location=node, type="katex")
        return f"<code>{escape(tex)}</code>"
    return html


def _visit_inline(translator: HTML5Translator, node: nodes.math) -> None:
    """行内公式。"""
    html = with_tail(_draw(node, node.astext(), display=False), node.get("tail", ""))
    translator.body.append(f'<span class="math notranslate nohighlight">{html}</span>')
    raise nodes.SkipNode


def with_tail(html: str, tail: str) -> str:
    """公式的最后一块与后面的标点包在一起，不在两者之间换行。"""
    start, end = html.rfind(LAST_BLOCK), -len(CLOSERS)
    if not tail or start < 0 or not html.endswith(CLOSERS):
        return html + escape(tail)
    mark = f'<span class="tail">{escape(tail)}</span>'
    return f'{html[:start]}<span class="nobr">{html[start:end]}{mark}</span>{CLOSERS}'


def _visit_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    """独立公式，连同编号与锚点。"""
    html = _draw(node, aligned(node.astext(), node.get("nowrap", False)), display=True)
    ids = translator.starttag(node, "div", CLASS="math notranslate nohighlight")
    translator.body.append(ids)
    if node.get("number"):
        number = get_node_equation_number(translator, node)
        translator.body.append(f'<span class="eqno">({number})')
        translator.add_permalink_ref(node, _("Link to this equation"))
        translator.body.append("</span>")
    translator.body.append(f'<div class="math-scroll">{html}</div></div>')
    raise nodes.SkipNode


def aligned(tex: str, nowrap: bool) -> str:
    r"""含换行 \\ 的公式补上 split，空行分开的几条排成一列，与 Sphinx 的约定一致。"""
    parts = [part for part in tex.split("\n\n") if part.strip()]
    if nowrap or not parts:
        return tex
    parts = [_split(part) for part in parts]
    if len(parts) == 1:
        return parts[0]
    return "\\begin{gathered}" + " \\\\ ".join(parts) + "\\end{gathered}"


def _split(part: str) -> str:
    r"""只有矩阵里面换行的不包：手机上它还要在运算符处折行。"""
    if "\\\\" not in INSIDE.sub("", part):
        return part
    return f"\\begin{{split}}{part}\\end{{split}}"
