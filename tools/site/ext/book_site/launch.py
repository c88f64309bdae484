"""笔记本页顶上的一排按钮：在 Colab、AI Studio、Kaggle、Binder 里打开。

只是几个链接：没有脚本，没有别处来的图，载入页面时什么也不请求。
仓库的地址来自 tools/launch/address.py；在 GitHub Actions 里，分叉的仓库自动得到自己的。
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[4]
sys.path.append(str(ROOT))

from tools.launch import address  # noqa: E402  只用标准库

from . import wings  # noqa: E402

NOTE = (
    "AI Studio 没有直达的网址：先<a {download}>下载这本笔记本</a>，"
    "再新建一个项目传上去。不管在哪里，第一格都会装好其余的一切。"
)


def setup(app: Sphinx) -> None:
    """地址变了，所有页重写；随书的笔记本原件也跟着换。"""
    app.add_config_value("book_site_address", address.current(), "html")
    app.connect("build-finished", _sources, priority=600)


def localized(html: str) -> str:
    """页面里写着的地址，换成造书时该用的那个。"""
    return address.replaced(html, address.declared(), address.current())


def with_buttons(html: str, name: str, app: Sphinx) -> str:
    """笔记本的一页：大标题下面加上按钮；别的页原样。"""
    source = Path(app.env.doc2path(name)) if name in app.env.found_docs else Path()
    if source.suffix != ".ipynb":
        return html
    up = "../" * name.count("/")
    head, article, rest = html.partition("<article")
    return head + article + rest.replace("</h1>", f"</h1>\n{buttons(name, up)}", 1)


def buttons(name: str, up: str) -> str:
    """一排按钮，第一个最显眼；name 为页名，up 为回到站点根的相对路径。"""
    notebook = f"{name}.ipynb"
    items = "".join(
        f'<li><a href="{escape(url)}" rel="noopener">{label}</a></li>'
        for label, url in address.links(address.current(), notebook).items()
    )
    file = Path(notebook).name
    download = f'href="{up}_sources/{notebook}" download="{file}"'
    other = wings.twin(name)
    framework = {"torch": "PyTorch", "paddle": "PaddlePaddle"}[other.split("/")[1]]
    twin = f'<a href="{up}{other}.html">同一本，{framework} 写的</a>。'
    return (
        '<nav class="launch" aria-label="在线运行这本笔记本">'
        f"<span>在线运行</span><ul>{items}</ul>"
        f"<p>{twin}{NOTE.format(download=download)}</p></nav>"
    )


def _sources(app: Sphinx, error: Exception | None) -> None:
    """读者下载的笔记本里，地址也是造书时的那个。"""
    if error or app.builder.name != "html":
        return
    for path in Path(app.outdir, "_sources").rglob("*.ipynb"):
        text = path.read_text("utf8")
        path.write_text(localized(text), "utf8")
