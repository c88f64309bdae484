"""网站层：公式、图标、样式与脚本的打包、搜索、404、站点地图。

maths    公式在造书时由 KaTeX 排好，浏览器不需要脚本
assets   样式与脚本各并成一个文件
page     每一页写盘之前的最后一遍整理
launch   笔记本页顶上的按钮：Colab、AI Studio、Kaggle、Binder
wings    框架选一次，目录与前后页跟着走
search   中文搜索的索引
studies  研究的名字换成题目
needs    每一页先要懂什么、读几分钟
anchors  锚点取自标题的文字
api      接口一页：文档字符串换成网页
seo      描述、规范网址、站点地图、404
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config

BOOK = Path(__file__).parents[4] / "book"
# 接入的次序：先读正文的几间，再整理每一页，最后打包
ROOMS = "anchors api maths needs studies text page images launch seo search assets"


def setup(app: Sphinx) -> dict[str, Any]:
    """接入 Sphinx：先登记配置，再依次接入各间屋子。"""
    app.connect("config-inited", _configure)
    for room in ROOMS.split():
        import_module(f"{__name__}.{room}").setup(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _configure(app: Sphinx, config: Config) -> None:
    """让模板与静态文件被找到；不请求任何外部脚本。"""
    config.templates_path.append(str(BOOK / "_templates"))
    if not any(
        Path(app.confdir, p) == BOOK / "_static" for p in config.html_static_path
    ):
        config.html_static_path.append(str(BOOK / "_static"))
    config.html_math_renderer = "katex"
    config.html_baseurl = os.environ.get("SITE_URL", config.html_baseurl)
    config.nb_ipywidgets_js = {}
    config.html_use_opensearch = ""
    config.html_context.setdefault("default_mode", "auto")
    options = {"use_fullscreen_button": False, "back_to_top_button": False}
    config.html_theme_options.update(options)
    if not config.html_favicon:
        config.html_favicon = str(BOOK / "_static" / "favicon.svg")
