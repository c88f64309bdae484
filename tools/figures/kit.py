"""画框、箭头、特征图与小方格的几笔；坐标一律取中心，单位是 SVG 的用户单位。

内容: `Drawing` 一张图；`BLUE` 等填充色，上面的白字与两种页面的底色都够对比
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

import numpy as np

from vision_attention.plots import INK
from vision_attention.plots.font import FALLBACKS, FAMILY, embed

BLUE, RED, GREEN, PURPLE, GREY = "#1f78c1", "#bf5000", "#00805f", "#a4518f", "#5f6b76"
CHANNELS = (BLUE, GREEN, PURPLE, RED)
Point = tuple[float, float]


class Drawing:
    """一张竖排的示意图；宽 400，手机上缩到 350 像素左右，13 号字仍读得清。"""

    def __init__(self, height: float, title: str, description: str, width: float = 400):
        self.size = (width, height)
        self.parts = [f"<title>{title}</title>", f"<desc>{description}</desc>"]

    def add(self, part: str) -> None:
        self.parts.append(part)

    def text(
        self, x: float, y: float, words: str, *, size: float = 13, **style: str
    ) -> None:
        """一行字；`M_c` 中下划线后的一个字母写成下标。"""
        look = {"fill": INK, "text-anchor": "middle"} | {
            key.replace("_", "-"): value for key, value in style.items()
        }
        attributes = " ".join(f'{key}="{value}"' for key, value in look.items())
        self.add(
            f'<text x="{x:g}" y="{y + size * 0.36:.1f}" font-size="{size:g}" '
            f"{attributes}>{_subscripts(escape(words, quote=False))}</text>"
        )

    def left(self, x: float, y: float, *lines: str, size: float = 13) -> None:
        """左对齐的几行说明；第二行起小一号。"""
        for k, words in enumerate(lines):
            small = size if k == 0 else size - 0.5
            self.text(x, y + 18 * k, words, size=small, text_anchor="start")

    def box(self, x: float, y: float, w: float, words: str, color: str) -> None:
        """带白字的实心框，高 30。"""
        self.rect(x, y, w, 30, color, radius=6)
        self.text(x, y, words, fill="#fff")

    def rect(
        self, x: float, y: float, w: float, h: float, color: str, *,
        radius: float = 0, opacity: float = 1,
    ) -> None:  # fmt: skip
        """实心矩形。"""
        self.add(
            f'<rect x="{x - w / 2:g}" y="{y - h / 2:g}" width="{w:g}" height="{h:g}" '
            f'rx="{radius:g}" fill="{color}" fill-opacity="{opacity:.2g}"/>'
        )

    def frame(self, x: float, y: float, w: float, h: float, color: str = INK) -> None:
        """虚线框，圈出一组。"""
        self.add(
            f'<rect x="{x - w / 2:g}" y="{y - h / 2:g}" width="{w:g}" height="{h:g}" '
            f'rx="10" fill="{color}" fill-opacity="0.08" stroke="{color}" '
            'stroke-width="1.2" stroke-dasharray="5 4"/>'
        )

    def line(self, *points: Point, color: str = INK, head: bool = True) -> None:
        """折线；head 为真时末端有箭头。"""
        (x0, y0), (x1, y1) = points[-2:]
        length = np.hypot(x1 - x0, y1 - y0)
        ux, uy = (x1 - x0) / length, (y1 - y0) / length
        ends = [*points[:-1], (x1 - 6 * ux, y1 - 6 * uy) if head else (x1, y1)]
        path = "M" + " L".join(f"{x:g} {y:g}" for x, y in ends)
        self.add(
            f'<path d="{path}" fill="none" stroke="{color}" stroke-width="1.8" '
            'stroke-linejoin="round"/>'
        )
        if head:
            tip = [(x1, y1)]
            for side in (1, -1):
                tip.append((x1 - 8 * ux - 4 * side * uy, y1 - 8 * uy + 4 * side * ux))
            corners = " ".join(f"{x:.4g},{y:.4g}" for x, y in tip)
            self.add(f'<polygon points="{corners}" fill="{color}"/>')

    def operator(self, x: float, y: float, symbol: str, color: str = INK) -> None:
        """圆圈里的加号或乘号，半径 11。"""
        reach = 5.5 if symbol == "+" else 4.5
        strokes = {
            "+": f"M{x - reach:g} {y:g}H{x + reach:g}"
            f"M{x:g} {y - reach:g}V{y + reach:g}",
            "×": f"M{x - reach:g} {y - reach:g}L{x + reach:g} {y + reach:g}"
            f"M{x - reach:g} {y + reach:g}L{x + reach:g} {y - reach:g}",
        }
        self.add(
            f'<g fill="none" stroke="{color}" stroke-width="1.8">'
            f'<circle cx="{x:g}" cy="{y:g}" r="11"/><path d="{strokes[symbol]}"/></g>'
        )

    def stack(
        self, x: float, y: float, strengths: Sequence[float] = (1, 1, 1, 1),
        colors: Sequence[str] = CHANNELS, side: float = 38,
    ) -> None:  # fmt: skip
        """一叠通道：每片一种颜色，strengths 越大越实。"""
        shift = 8
        start = -(len(strengths) - 1) / 2 * shift
        for k in reversed(range(len(strengths))):
            cx, cy = x + start + k * shift, y - start * 0.6 - k * shift * 0.6
            self.rect(cx, cy, side, side, colors[k], radius=2, opacity=strengths[k])
            self.outline(cx, cy, side, side, colors[k])

    def outline(self, x: float, y: float, w: float, h: float, color: str) -> None:
        """空心矩形。"""
        self.add(
            f'<rect x="{x - w / 2:g}" y="{y - h / 2:g}" width="{w:g}" height="{h:g}" '
            f'rx="2" fill="none" stroke="{color}" stroke-width="1.2"/>'
        )

    def grid(
        self, x: float, y: float, values: Sequence[Sequence[float]],
        color: str | Sequence[str], cell: float = 16,
    ) -> None:  # fmt: skip
        """小方格：取值 0–1 写成不透明度；color 可以每列一种。"""
        matrix = np.atleast_2d(np.asarray(values, dtype=float))
        rows, columns = matrix.shape
        for (r, c), value in np.ndenumerate(matrix):
            fill = color if isinstance(color, str) else color[c]
            cx = x + (c - (columns - 1) / 2) * cell
            cy = y + (r - (rows - 1) / 2) * cell
            self.rect(cx, cy, cell - 1, cell - 1, fill, opacity=0.15 + 0.85 * value)
            if cell >= 14:
                self.outline(cx, cy, cell - 1, cell - 1, fill)

    def svg(self) -> str:
        """整张图的 SVG 全文，带着用到的字形；没有底色。"""
        width, height = self.size
        head = (
            '<svg xmlns="http://www.w3.org/2000/svg" '
            f'viewBox="0 0 {width:g} {height:g}" '
            f'width="{width * 1.2:g}" height="{height * 1.2:g}" role="img" '
            f"font-family=\"'{FAMILY}', {FALLBACKS}\">"
        )
        return embed("\n".join([head, *self.parts, "</svg>\n"]))


def _subscripts(words: str) -> str:
    lowered = '<tspan dy="3" font-size="75%">{}</tspan><tspan dy="-3">&#8203;</tspan>'
    return re.sub(r"_(\w)", lambda found: lowered.format(found[1]), words)
