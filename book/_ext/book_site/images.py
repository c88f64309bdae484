"""图片：写明尺寸（不跳版），第一屏之外的等读者翻到再载入。"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

IMAGE = re.compile(r"<img\b[^>]*>")
ATTRIBUTE = re.compile(r'\b([\w-]+)="([^"]*)"')
NUMBER = re.compile(r"^([\d.]+)(px|pt|in|cm|mm)?$")
PIXELS = {None: 1, "px": 1, "pt": 96 / 72, "in": 96, "cm": 96 / 2.54, "mm": 96 / 25.4}


def setup(app):
    """没有自己的事件：page 在整理一页时来用。"""


def sized(html, name, app):
    """给一页里的每张图补上宽、高与载入方式；正文的第一张图马上载入。"""
    start = html.find("<article")
    first = True

    def tag(match):
        nonlocal first
        inside = match.start() > start
        result = _tag(match[0], name, app, lazy=not (first and inside))
        first = first and not inside
        return result

    return IMAGE.sub(tag, html)


def _tag(tag, name, app, *, lazy):
    """一张图的标签。"""
    attributes = dict(ATTRIBUTE.findall(tag))
    extra = ' decoding="async"' if "decoding" not in attributes else ""
    extra += ' loading="lazy"' if lazy and "loading" not in attributes else ""
    if "width" not in attributes and "height" not in attributes:
        path = _source(attributes.get("src", ""), name, app)
        size = measure(path, path.stat().st_mtime_ns) if path else None
        extra += ' width="{}" height="{}"'.format(*size) if size else ""
    return re.sub(r"\s*/?>$", f"{extra}>", tag)


def _source(src, name, app):
    """页面里的网址 → 造书时那张图所在的文件；外站的图没有。"""
    if src.startswith(("http", "data:")) or not src:
        return None
    base = src.split("?")[0].rsplit("/", 1)[-1]
    for original, (_, copied) in app.env.images.items():
        if copied == base:
            return Path(app.srcdir, original)
    path = Path(app.outdir, Path(name).parent, src.split("?")[0])
    if path.is_file():
        return path
    static = [
        Path(app.confdir, p, src.split("_static/")[-1])
        for p in app.config.html_static_path
    ]
    return next((p for p in static if p.is_file()), None)


@cache
def measure(path, stamp):
    """图的像素宽高；stamp 是修改时间，文件变了就重新量。"""
    if path.suffix == ".svg":
        return _svg(path.read_text(encoding="utf-8"))
    from PIL import Image

    with Image.open(path) as image:
        return image.size


def _svg(source):
    """SVG 的宽高：先看 width 与 height，没有就看 viewBox。"""
    head = dict(ATTRIBUTE.findall(source[source.index("<svg") :].split(">", 1)[0]))
    size = [NUMBER.match(head.get(key, "")) for key in ("width", "height")]
    if all(size):
        return tuple(round(float(m[1]) * PIXELS[m[2]]) for m in size)
    box = head.get("viewBox", "").replace(",", " ").split()
    return tuple(round(float(v)) for v in box[2:]) or None
