"""每一页写盘之前的最后一遍整理：只用打包好的样式与脚本，图片有尺寸，界面是中文。"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from . import assets, images, launch, tables, wings

LINK = re.compile(r'\s*<link [^>]*href="([^"]*)"[^>]*>')
REMOTE_SCRIPT = re.compile(r'\s*<script\b[^>]*\bsrc="([^"]*)"[^>]*></script>')
INLINE = re.compile(
    r"\s*<script>(?:let toggle\w+ =|var togglebutton|const THEBE|window\.MathJax"
    r"|DOCUMENTATION_OPTIONS\.|kernelName)[^<]*</script>"
    r'|\s*<script type="text/x-thebe-config">.*?</script>',
    re.S,
)
# 主题的这一段在第一次来访、系统是暗色时会先闪一下白
MODE = re.compile(r'<script data-cfasync="false">.*?</script>', re.S)
MODE_NOW = (
    "<script>(()=>{const d=document.documentElement.dataset;let m,w;"
    'try{m=localStorage.getItem("mode");w=localStorage.getItem("tab-framework")}'
    'catch{}d.mode=m=m||"auto";d.wing=(location.pathname.match('
    '/notebooks\\/(torch|paddle)\\//)||[])[1]||(w==="paddle"?w:"torch");'
    'd.theme=m!=="auto"?m:matchMedia("(prefers-color-scheme: dark)").matches'
    '?"dark":"light"})()</script>'
)
# 公式的字体就在样式里，但要等排到公式才解码；早一步解码，第一眼就是最后的样子
FORMULA_FONTS = (
    '<script>["1em KaTeX_Main","italic 1em KaTeX_Math"]'
    ".forEach(f=>document.fonts.load(f))</script>\n"
)
VIEWPORT = re.compile(r'\s*<meta name="viewport"[^>]*>')
DOCSEARCH = re.compile(r'\s*<meta name="docsearch:[^>]*>')
# 主题画了却用不着的：空的顶栏（它的目录按钮与正文上方的重复）、广告位、文献的编号
UNUSED = re.compile(
    r'<header id="pst-header".*?</header>'
    r'|<dialog id="pst-(?:primary|secondary)-sidebar-modal"></dialog>'
    r'|<div class="sidebar-primary-item">\s*<div id="ethical-ad.*?</div>\s*</div>'
    r'|<span class="label"><span class="fn-bracket">.*?</span></span>(?=\s*<p>)',
    re.S,
)
# 点一下图就离开了书：图本来就是全幅
PICTURE_LINK = re.compile(
    r'<a class="reference internal image-reference"[^>]*>(<img[^>]*>)\s*</a>'
)
# 下载的菜单：浏览器自己就会展开
MENU = re.compile(
    r'<div class="(dropdown [^"]*)">\s*<button[^>]*aria-label="([^"]*)">(.*?)</button>'
    r"(.*?</ul>)\s*</div>",
    re.S,
)
MENU_NOW = (
    r'<details class="\1"><summary class="btn" title="\2" aria-label="\2">\3'
    r"</summary>\4</details>"
)
# 代码里与底色上的字同色的记号（名字、标点、空白）：不套 span，长页少一半的元素
PLAIN = ("n", "nn", "nx", "p", "pm", "w")
PLAIN_TOKEN = re.compile(rf'<span class="(?:{"|".join(PLAIN)})">([^<]*)</span>')
# 主题还没有译成中文、或译得不合大陆习惯的界面文字
PHRASES = {
    '<div id="pst-primary-sidebar"': '<div id="pst-primary-sidebar" popover '
    'role="complementary" aria-label="全书目录与搜索"',
    '<div id="pst-secondary-sidebar"': '<div id="pst-secondary-sidebar" popover',
    '<button class="sidebar-toggle primary-toggle': '<button type="button" '
    'popovertarget="pst-primary-sidebar" class="sidebar-toggle primary-toggle',
    '<button class="sidebar-toggle secondary-toggle': '<button type="button" '
    'popovertarget="pst-secondary-sidebar" class="sidebar-toggle secondary-toggle',
    '<summary><span class="toctree-toggle"': '<summary aria-label="展开或收起这一章">'
    '<span class="toctree-toggle"',
    "Search this book...": "搜索全书：词、句子、英文术语、API 名",
    "Toggle primary sidebar": "打开或收起目录",
    "Toggle secondary sidebar": "打开或收起本页目录",
    "Source repositories": "源码库",
    "Color mode": "切换亮色、暗色",
    "System Settings": "跟随系统",
    "Launch interactive content": "在线运行",
    "列印成 PDF": "打印成 PDF",
    "Link to this heading": "指向这一节",
    "Link to this image": "指向这张图",
    "Link to this table": "指向这张表",
    "Link to this code": "指向这段代码",
    "Link to this equation": "指向这个公式",
    "Link to this term": "指向这个词条",
    "Link to this definition": "指向这个定义",
    "Permalink to this": "指向这里",
    'aria-label="Main"': 'aria-label="全书目录"',
    'aria-label="Page"': 'aria-label="本页目录"',
    "Toggle hidden content": "展开或收起",
    "Show code cell source": "展开代码",
    "Hide code cell source": "收起代码",
    "Show code cell content": "展开代码与输出",
    "Hide code cell content": "收起代码与输出",
    "Show code cell output": "展开输出",
    "Hide code cell output": "收起输出",
    ">Repository<": ">源码库<",
    ">Open issue<": ">提一个问题<",
}


def setup(app: Sphinx) -> None:
    """在模板渲染这一道口子上接进来：增量构建只整理重写的页；网站层自己变了，所有页重写。"""
    app.add_config_value("book_site_version", assets.version(), "html")
    app.connect("builder-inited", _wrap)


def _wrap(app: Sphinx) -> None:
    """给模板的 render 套一层。"""
    if app.builder.name != "html":
        return
    render, stamp = app.builder.templates.render, assets.version()

    def polished(template: str, context: dict[str, Any]) -> str:
        html = render(template, context)
        if not template.endswith(".html") or "</head>" not in html:
            return html
        return polish(html, context["pagename"], Path(app.outdir), stamp, app)

    app.builder.templates.render = polished


def polish(html: str, name: str, out: Path, stamp: str, app: Sphinx) -> str:
    """一页 HTML → 整理过的一页。"""
    root = "../" * name.count("/")
    html = _bundled(INLINE.sub("", html), root, stamp)
    html = MODE.sub(MODE_NOW, html, count=1)
    html = UNUSED.sub("", DOCSEARCH.sub("", VIEWPORT.sub("", html)))
    html = MENU.sub(MENU_NOW, PICTURE_LINK.sub(r"\1", html))
    html = PLAIN_TOKEN.sub(r"\1", html)
    # doc-biblioentry 已被 ARIA 废弃；文献表是列表，每一条就是列表的一项
    html = html.replace('role="doc-biblioentry"', 'role="listitem"')
    head = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    html = html.replace(
        '<meta charset="utf-8" />', f'<meta charset="utf-8" />\n{head}', 1
    )
    for english, chinese in PHRASES.items():
        html = html.replace(english, chinese)
    html = launch.with_buttons(launch.localized(html), name, app)
    html = wings.marked(html, name, app)
    return images.sized(tables.named(html), name, app)


def _bundled(html: str, root: str, stamp: str) -> str:
    """去掉零散的样式与脚本，换成打包好的两份。"""
    html = REMOTE_SCRIPT.sub(lambda m: "" if _packed(m[1]) else m[0], html)
    html = LINK.sub(lambda m: "" if _replaced(m) else m[0], html)
    static = f"{root}_static/"
    tags = (
        f'<link rel="stylesheet" href="{static}{assets.STYLE}?v={stamp}">\n'
        f'<script defer src="{static}{assets.SCRIPT}?v={stamp}"></script>\n'
    )
    if 'class="katex"' in html:
        maths = f'<link rel="stylesheet" href="{static}{assets.MATHS}?v={stamp}">\n'
        tags = maths + tags + FORMULA_FONTS
    if '<figure class="living"' in html:
        tags += f'<link rel="stylesheet" href="{static}{assets.LIVING}?v={stamp}">\n'
    return html.replace("</head>", f"{tags}</head>", 1)


def _packed(src: str) -> bool:
    """这份脚本已经打包，或者不再需要。"""
    if src.startswith("http"):
        return "mathjax" in src or "require" in src or "html-manager" in src
    name = src.split("?", maxsplit=1)[0].rsplit("_static/", maxsplit=1)[-1]
    return name in (*assets.SCRIPTS, *assets.DROPPED) or name.endswith("searchindex.js")


def _replaced(match: re.Match[str]) -> bool:
    """打包进去的样式，和为旧脚本准备的预载。"""
    tag, href = match[0], match[1]
    local = not href.startswith("http")
    return local and ('rel="stylesheet"' in tag or 'as="script"' in tag)
