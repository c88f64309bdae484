"""锚点：标题、图、词条的网址取自它们的文字；docutils 只认西文，中文的都叫 id1。"""

from __future__ import annotations

import re
from collections.abc import Callable

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import nodes as sphinx_nodes

DOCUTILS, SPHINX = nodes.make_id, sphinx_nodes._make_id


def setup(app: Sphinx) -> None:
    """Sphinx 与 docutils 各有一个起名的函数，都换掉；重名的后面添 -1，不再从头编号。"""
    nodes.make_id = lambda text: slug(text, DOCUTILS)
    sphinx_nodes._make_id = lambda text: slug(text, SPHINX)
    app.connect(
        "builder-inited", lambda app: app.env.settings.update(auto_id_prefix="%")
    )


def slug(text: str, latin: Callable[[str], str]) -> str:
    """西文照旧；有汉字的，标点与空白换成连字符。"""
    if text.isascii():
        return latin(text)
    return re.sub(r"[\W_]+", "-", text.lower()).strip("-")
