"""全书唯一的画图风格：每个函数收下数组或记录，交回一张 Matplotlib 图。

用法: 先调用一次 `use_style()`，再把图写成单元格的最后一行；这里从不调用 `plt.show`
颜色：色觉障碍者也分得清；背景透明，文字与线条在浅色和深色页面上都读得出
文字：SVG 里是真文字，可搜索、可复制，并带着自己用到的那几十个字形
"""

from vision_attention.plots.comparisons import (
    accuracy_by_data_size,
    bar_with_values,
    interval,
    learning_curves,
    matched,
    paired_differences,
)
from vision_attention.plots.diagnoses import diagnosis_plane, quiz
from vision_attention.plots.images import (
    attention_matrix,
    heatmap,
    image_grid,
    overlay,
    patches,
)
from vision_attention.plots.inline import curves_svg
from vision_attention.plots.series import dots, lines, price_and_gain, scatter, stacked
from vision_attention.plots.style import COLORS, INK, new_figure, use_style

__all__ = [
    "COLORS",
    "INK",
    "accuracy_by_data_size",
    "attention_matrix",
    "bar_with_values",
    "curves_svg",
    "diagnosis_plane",
    "dots",
    "heatmap",
    "image_grid",
    "interval",
    "learning_curves",
    "lines",
    "matched",
    "new_figure",
    "overlay",
    "paired_differences",
    "patches",
    "price_and_gain",
    "quiz",
    "scatter",
    "stacked",
    "use_style",
]
