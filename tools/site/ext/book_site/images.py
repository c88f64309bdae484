"""图片：写明尺寸（不跳版），第一屏之外的等读者翻到再载入；字太小的不再缩，灰色随明暗换。"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from sphinx.application import Sphinx

IMAGE = re.compile(r"<img\b[^>]*>")
ATTRIBUTE = re.compile(r'\b([\w-]+)="([^"]*)"')
NUMBER = re.compile(r"^([\d.]+)(px|pt|in|cm|mm)?$")
PIXELS = {None: 1, "px": 1, "pt": 96 / 72, "in": 96, "cm": 96 / 2.54, "mm": 96 / 25.4}
FONT = re.compile(r"font(?:-size)?[:=]\s*[\"']?(?:\w+ )*([\d.]+)(?:px)?[\s;\"']")
PHONE, LEGIBLE = 358, 7.5  # 手机上正文的宽；最小的字，都是像素
# 图里的灰取自 plots.INK：一种灰在黑白两种底色上都只有 4.2，换成各自看得清的两种
INK = "#757d86"
INKS = (
    "<style>:root{--ink:#5a6270}"
    "@media (prefers-color-scheme:dark){:root{--ink:#a3abb5}}</style>"
)

Size = tuple[int, int]  # 宽、高，像素


def setup(app: Sphinx) -> None:
    """尺寸由 page 在整理一页时来量；灰色在图都到位之后换。"""
    app.connect("build-finished", _ink)


def _ink(app: Sphinx, error: Exception | None) -> None:
    """图是一张张单独的文件：页面是明是暗，浏览器会告诉它。"""
    if error or app.builder.name != "html":
        return
    for path in Path(app.outdir, "_images").glob("*.svg"):
        text = path.read_text(encoding="utf-8")
        if INK in text:
            text = re.sub(r"<svg\b[^>]*>", lambda m: m[0] + INKS, text, count=1)
            path.write_text(text.replace(INK, "var(--ink)"), encoding="utf-8")


def sized(html: str, name: str, app: Sphinx) -> str:
    """给一页里的每张图补上宽、高与载入方式；正文的第一张图马上载入。"""
    start = html.find("<article")
    first = True

    def tag(match: re.Match[str]) -> str:
        nonlocal first
        inside = match.start() > start
        result = _tag(match[0], name, app, lazy=not (first and inside))
        first = first and not inside
        return result

    return IMAGE.sub(tag, html)


def _tag(tag: str, name: str, app: Sphinx, *, lazy: bool) -> str:
    """一张图的标签。"""
    attributes = dict(ATTRIBUTE.findall(tag))
    extra = ' decoding="async"' if "decoding" not in attributes else ""
    extra += ' loading="lazy"' if lazy and "loading" not in attributes else ""
    path = _source(attributes.get("src", ""), name, app)
    size, least = measure(path, path.stat().st_mtime_ns) if path else (None, 0)
    if size and "width" not in attributes and "height" not in attributes:
        extra += ' width="{}" height="{}"'.format(*size)
    tag = re.sub(r"\s*/?>$", f"{extra}>", tag)
    if least <= PHONE:
        return tag
    style = f"{attributes.get('style', '')} min-width: {least}px;".strip()
    tag = re.sub(r' style="[^"]*"', "", tag).replace("<img", f'<img style="{style}"', 1)
    return f'<span class="wide">{tag}</span>'


def _source(src: str, name: str, app: Sphinx) -> Path | None:
    """页面里的网址 → 造书时那张图所在的文件；外站的图没有。"""
    if src.startswith(("http", "data:")) or not src:
        return None
    base = src.split("?", maxsplit=1)[0].rsplit("/", 1)[-1]
    for original, (_, copied) in app.env.images.items():
        if copied == base:
            return Path(app.srcdir, original)
    path = Path(app.outdir, Path(name).parent, src.split("?", maxsplit=1)[0])
    if path.is_file():
        return path
    static = [
        Path(app.confdir, p, src.rsplit("_static/", maxsplit=1)[-1])
        for p in app.config.html_static_path
    ]
    return next((p for p in static if p.is_file()), None)


@cache
def measure(path: Path, stamp: int) -> tuple[Size | None, int]:
    """图的像素宽高，与字还看得清的最小的宽；stamp 是修改时间，文件变了就重新量。"""
    if path.suffix == ".svg":
        source = path.read_text(encoding="utf-8")
        return _svg(source), _least(source)
    from PIL import Image

    with Image.open(path) as image:
        return image.size, 0


def _least(source: str) -> int:
    """图里最小的字在屏幕上有 LEGIBLE 像素时，图有多宽。"""
    box = re.search(r'viewBox="[\d.]+[ ,]+[\d.]+[ ,]+([\d.]+)', source)
    fonts = [float(size) for size in FONT.findall(source)]
    return round(float(box[1]) * LEGIBLE / min(fonts)) if box and fonts else 0


def _svg(source: str) -> Size | None:
    """SVG 的宽高：先看 width 与 height，没有就看 viewBox。"""
    head = dict(ATTRIBUTE.findall(source[source.index("<svg") :].split(">", 1)[0]))
    size = [NUMBER.match(head.get(key, "")) for key in ("width", "height")]
    width, height = (round(float(m[1]) * PIXELS[m[2]]) if m else 0 for m in size)
    if all(size):
        return width, height
    box = head.get("viewBox", "").replace(",", " ").split()
    return (round(float(box[2])), round(float(box[3]))) if box else None
