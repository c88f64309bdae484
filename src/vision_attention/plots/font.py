"""中文字体：来自 PyPI 的 zhplot 只当作字体文件用，并按需裁出一小份放进 SVG。

内容: `font_path` 找到字体文件；`embed` 把一张 SVG 用到的字形放进它自己；`BookCanvas` 在
保存 SVG 时做这件事
"""

from __future__ import annotations

import base64
import functools
import io
import logging
import re
from html import unescape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from matplotlib import cbook
from matplotlib.backends.backend_svg import FigureCanvasSVG

FAMILY = "Noto Sans SC"
FALLBACKS = "'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif"


def font_path() -> Path:
    """思源黑体（Noto Sans SC）的文件，随 PyPI 上的 zhplot 安装。

    返回: 字体文件的路径；只定位文件，不载入 zhplot（它一载入就改全局设置）
    错误: 没有安装 zhplot 时抛出 ModuleNotFoundError，并给出安装命令
    """
    spec = find_spec("zhplot")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            "图里的中文需要字体包 zhplot；请运行 pip install zhplot"
        )
    return Path(spec.origin).parent / "fonts" / "NotoSansSC-Regular.ttf"


@functools.lru_cache(maxsize=32)
def subset(characters: str) -> bytes:
    """只含给定字符的 WOFF 字体，几十个汉字约 10 KB。

    参数: characters 为要保留的字符
    返回: WOFF 文件的字节；同样的字符给出同样的字节
    """
    # 只有存 SVG 时才用得到，载入要 0.1 秒
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    # Paddle 一导入就把根日志调到 INFO，裁字形的流水账会印进笔记本
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    options = Options(layout_features=[], hinting=False, name_IDs=[])
    subsetter = Subsetter(options)
    subsetter.populate(text=characters)
    packed = io.BytesIO()
    with TTFont(font_path(), lazy=True, recalcTimestamp=False) as font:
        subsetter.subset(font)
        font.flavor = "woff"
        font.save(packed)
    return packed.getvalue()


def embed(svg: str) -> str:
    """让 SVG 带上自己用到的字形：读者的机器没有中文字体，文字也显示得出来。

    参数: svg 为一张 SVG 的全文，文字写在 <text> 里，字体名为 `FAMILY`
    返回: 同一张图，开头多一段 @font-face；没有文字时原样返回
    """
    texts = re.findall(r"<text\b.*?</text>", svg, flags=re.DOTALL)
    written = unescape(re.sub(r"<[^>]*>", "", "".join(texts)))
    characters = "".join(sorted(set(written) - set("\n\t")))
    if not characters.strip():
        return svg
    data = base64.b64encode(subset(characters)).decode("ascii")
    face = (
        f"<style>@font-face{{font-family:'{FAMILY}';"
        f"src:url(data:font/woff;base64,{data}) format('woff')}}</style>"
    )
    svg = re.sub(r"(<svg\b[^>]*>)", lambda found: found[1] + "\n" + face, svg, count=1)
    # 不认内嵌字体的查看器退回系统里常见的中文字体
    return svg.replace("sans-serif;", f"{FALLBACKS};")


class BookCanvas(FigureCanvasSVG):
    """存 SVG 的画布：不写日期，并带上字形。"""

    def print_svg(
        self,
        filename: Any,
        *,
        bbox_inches_restore: Any = None,
        metadata: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """写出 SVG；参数与 Matplotlib 的同名方法相同。"""
        # 分辨率、底色、朝向也会传进来，print_figure 已经处理过
        drawn = io.StringIO()
        super().print_svg(
            drawn,
            bbox_inches_restore=bbox_inches_restore,
            metadata={"Date": None, "Creator": None} | (metadata or {}),
        )
        with cbook.open_file_cm(filename, "w", encoding="utf-8") as file:
            text = embed(drawn.getvalue())
            file.write(text if cbook.file_requires_unicode(file) else text.encode())
