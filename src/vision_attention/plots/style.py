"""一种风格：颜色、字号、中文字体，由 `use_style` 一次登记。

颜色取中间亮度，在白底（#ffffff）与深底（#121212）上对比度都不低于 3，文字不低于 4
"""

from __future__ import annotations

import sys
from typing import Any

import matplotlib
from cycler import cycler
from matplotlib import font_manager
from matplotlib.backend_bases import register_backend
from matplotlib.figure import Figure

from vision_attention import checks
from vision_attention.plots.font import FAMILY, BookCanvas, font_path

# 蓝、朱、绿、紫：Okabe–Ito 配色移到中间亮度，红绿色盲与蓝黄色盲都分得清
COLORS = ("#1f78c1", "#d55e00", "#00a07a", "#c06fae")
MARKERS = ("o", "s", "^", "D")
INK = "#757d86"
MAP = "viridis"

_RC: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.grid": False,
    "axes.labelcolor": INK,
    "axes.prop_cycle": cycler(color=COLORS, marker=MARKERS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlesize": "medium",
    "axes.unicode_minus": True,
    "figure.facecolor": "none",
    "figure.figsize": (5.6, 3.4),
    "font.family": [FAMILY, "sans-serif"],
    "font.size": 11,
    "grid.alpha": 0.3,
    "grid.color": INK,
    "image.cmap": MAP,
    "image.interpolation": "none",
    "legend.frameon": False,
    "mathtext.fontset": "custom",
    "mathtext.it": FAMILY,
    "mathtext.rm": FAMILY,
    # 其余几种字形也指过来：缺省要找的 cursive 一般机器上没有，会冒一句警告
    **{f"mathtext.{style}": FAMILY for style in ("bf", "bfit", "cal", "sf", "tt")},
    "patch.edgecolor": INK,
    "savefig.facecolor": "none",
    "savefig.transparent": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "vision-attention",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def use_style() -> None:
    """登记全书的画图风格；每个笔记本开头调用一次，重复调用无妨。

    效果：注册中文字体；设定 Matplotlib 的全局参数；存 SVG 时带上字形、不写日期；
    在 IPython、Jupyter 与 Colab 里改用 SVG 显示
    错误: 没有安装字体包 zhplot 时抛出 ModuleNotFoundError
    """
    path = str(font_path())
    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    if path not in known:
        font_manager.fontManager.addfont(path)
    _show_svg()
    matplotlib.rcParams.update(_RC)
    register_backend("svg", BookCanvas)


def _show_svg() -> None:
    """在交互环境里用 SVG 显示图；别处什么也不做。"""
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        return
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    set_matplotlib_formats("svg")


def new_figure(
    rows: int = 1,
    columns: int = 1,
    size: tuple[float, float] | None = None,
    **options: Any,
) -> tuple[Figure, Any]:
    """一张不归 pyplot 管的图：不会自动弹出，也不会越积越多。

    参数: rows、columns 为格数；size 为英寸；options 传给 Figure.subplots
    返回: 图，以及 [rows, columns] 的坐标系数组
    """
    checks.positive("rows", rows, 1000)
    checks.positive("columns", columns, 1000)
    if size is not None:
        sides = checks.several("size", size)
        if len(sides) != 2:
            raise checks.ArgumentError(
                f"size={checks.shown(size)} 不合适；应为宽与高，例如 (5.6, 3.4)", "size"
            )
        for side in sides:
            checks.number("size", side, "正的英寸数", above=0, below=1000)
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)
