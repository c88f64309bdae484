"""首页那张会动的图：取真实的手写数字，写出静态的 SVG 与浏览器里要用的数据。

用法：python -m tools.site.hero，重写 book/_templates/hero.html。没有脚本的读者看到的是
这里算好的一幅；有脚本时 book/_static/hero.js 用同样的算法接着算。
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "book" / "_templates" / "hero.html"
SIDE, CELL = 8, 40
SHOWN = 0  # 先画哪个数字
QUERY = 37  # 先看哪个像素
SHARPNESS = 1.5
ARCS = 9
BOLD = 0.1  # 占到这么多的弧画得最粗
LEVELS = "0123456789abcdefg"


def digits() -> list[np.ndarray]:
    """十个数字各一张，取数据集里每一类的第一张；灰度 0–16。"""
    from sklearn.datasets import load_digits

    data = load_digits()
    return [data.images[data.target == kind][0].astype(int) for kind in range(10)]


def encoded(images: Iterable[np.ndarray]) -> str:
    """几张图写成一串字：一格一个字，灰度 0–16；图与图之间是逗号。"""
    return ",".join("".join(LEVELS[v] for v in image.ravel()) for image in images)


def tokens(image: np.ndarray) -> np.ndarray:
    """每个像素一个 token：周围 3×3 的灰度，减去均值，除以标准差。"""
    padded = np.pad(image / 16, 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    patches = windows.reshape(SIDE * SIDE, 9)
    centred = patches - patches.mean(1, keepdims=True)
    return centred / (patches.std(1, keepdims=True) + 0.05)


def weights(image: np.ndarray, query: int, sharpness: float) -> np.ndarray:
    """一个像素对所有像素的注意力权重：softmax(锐度 · q·k / √9)。"""
    vectors = tokens(image)
    scores = sharpness * vectors @ vectors[query] / 3
    exponents = np.exp(scores - scores.max())
    return exponents / exponents.sum()


def centre(index: int) -> tuple[float, float]:
    """第 index 个像素的中心。"""
    row, column = divmod(index, SIDE)
    return (column + 0.5) * CELL, (row + 0.5) * CELL


def arc(start: int, stop: int, weight: float) -> str:
    """从查询到被看的像素的一道弧，越粗看得越重。"""
    (x0, y0), (x1, y1) = centre(start), centre(stop)
    bend_x, bend_y = (x0 + x1) / 2 - (y1 - y0) / 4, (y0 + y1) / 2 + (x1 - x0) / 4
    share = min(1, weight / BOLD)
    return (
        f'<path d="M{x0:g} {y0:g}Q{bend_x:g} {bend_y:g} {x1:g} {y1:g}" '
        f'stroke-width="{1 + 4 * share:.1f}" opacity="{0.45 + 0.5 * share:.2f}"/>'
    )


def picture(image: np.ndarray, query: int) -> str:
    """静态的一幅：数字、查询、弧。"""
    cells = [
        f'<rect x="{i % SIDE * CELL + 1}" y="{i // SIDE * CELL + 1}" '
        f'width="{CELL - 2}" height="{CELL - 2}" rx="4" '
        f'fill-opacity="{0.06 + 0.94 * value / 16:.2f}"/>'
        for i, value in enumerate(image.ravel())
    ]
    seen = weights(image, query, SHARPNESS)
    seen[query] = 0
    best = np.argsort(-seen, kind="stable")[:ARCS]
    arcs = [arc(query, int(i), seen[i]) for i in best if seen[i] > 1 / seen.size]
    x, y = centre(query)
    mark = f'<circle cx="{x:g}" cy="{y:g}" r="{CELL * 0.36:g}"/>'
    return (
        f'<g class="hero-cells">{"".join(cells)}</g>'
        f'<g class="hero-arcs">{"".join(arcs)}</g><g class="hero-query">{mark}</g>'
    )


def fragment() -> str:
    """首页引用的一段 HTML。"""
    images = digits()
    code = encoded(images)
    size = SIDE * CELL
    choices = "".join(
        f'<button type="button" data-digit="{d}" '
        f'aria-pressed="{str(d == SHOWN).lower()}">{d}</button>'
        for d in range(10)
    )
    return f"""<!-- 由 tools/site/hero.py 写出，不要手改 -->
<figure class="hero" data-digits="{code}" data-shown="{SHOWN}" data-query="{QUERY}">
<svg viewBox="0 0 {size} {size}" width="{size}" height="{size}" role="img"
 aria-label="一张 8×8 的手写数字；从一个像素伸出几道弧，指向与它最像的像素">
{picture(images[SHOWN], QUERY)}
</svg>
<figcaption>
<p class="hero-say">橙圈是一个像素；弧线指向它<b>最看重</b>的像素，越粗越看重。</p>
<div class="hero-tools">
<div role="group" aria-label="用哪种" class="hero-kind">
<button type="button" data-kind="attention"
 aria-pressed="true">自注意力：看全图</button>
<button type="button" data-kind="convolution"
 aria-pressed="false">卷积 3×3：看邻居</button>
</div>
<label>锐度 <input type="range" min="0" max="8" step="0.5" value="{SHARPNESS:g}"
 aria-label="锐度：softmax 之前乘的数"></label>
<div role="group" aria-label="换一个数字" class="hero-digits">{choices}</div>
</div>
<p class="hero-note">没有训练：每个像素的 q 与 k 就是它周围 3×3 的灰度。</p>
</figcaption>
</figure>
<script defer src="../_static/hero.js"></script>
"""


if __name__ == "__main__":
    TARGET.write_text(fragment(), encoding="utf-8")
