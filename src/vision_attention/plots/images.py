"""图像与权重：成排的图、热力图、叠加图、注意力矩阵。"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from vision_attention import checks
from vision_attention.plots.style import INK, MAP, new_figure


def image_grid(
    images: ArrayLike,
    titles: Sequence[str] | None = None,
    *,
    columns: int = 5,
    size: float = 0.95,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """成排的图像：数据长什么样。

    形状: images [B, H, W] 或 [B, C, H, W]，C 为 1（灰度）或 3（彩色）
    参数: titles 为每张图上方的字；columns 为每行张数；size 为每张的边长（英寸）；
        limits 为灰度图共用的最黑与最白，None 表示每张各自拉伸到全部灰阶
    返回: Figure；彩色浮点图取值应在 [0, 1]
    错误: 没有图像，维数、通道数、columns 不对，或 titles 的个数不对时抛出 ValueError
    """
    checks.positive("columns", columns)
    images = checks.numbers("images", images)
    pictures = [_picture(image) for image in images] if images.ndim > 1 else []
    if not pictures:
        raise ValueError("images 是空的；至少要有一张")
    checks.number("size", size, "正的英寸数", above=0, below=100)
    low, high = _limits(limits)
    titles = None if titles is None else checks.several("titles", titles)
    if titles is not None and len(titles) != len(pictures):
        raise ValueError(
            f"titles 有 {len(titles)} 个，images 有 {len(pictures)} 张；两者应一样多"
        )
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    height = size * (1.32 if titles is not None else 1.05)
    figure, axes = new_figure(rows, columns, (columns * size * 1.05, rows * height))
    for axis in axes.flat:
        axis.set_axis_off()
    for k, (axis, picture) in enumerate(zip(axes.flat, pictures, strict=False)):
        axis.imshow(picture, cmap="gray", vmin=low, vmax=high)
        if titles is not None:
            axis.set_title(titles[k], fontsize=10, pad=3)
    return figure


def patches(image: ArrayLike, sizes: Sequence[int]) -> Figure:
    """同一张图切成大小不同的块，块与块之间留一道缝。

    形状: image [H, W]，H = W，取值 0–255
    参数: sizes 为块的边长（像素），一种一格
    返回: Figure，一格一种切法，上方写着边长 P 与块数
    错误: 没有一种切法，或图像不是正方形时抛出 ValueError
    """
    picture = _matrix(image)
    side = len(picture)
    if picture.shape != (side, side):
        raise checks.ArgumentError(f"image 的形状 {picture.shape} 应是正方形", "image")
    wide = np.repeat(np.repeat(picture, 4, 0), 4, 1)
    figure, axes = new_figure(1, len(checks.several("sizes", sizes)), (5.4, 2.0))
    for axis, patch in zip(axes.flat, sizes, strict=True):
        places = [4 * gap for gap in range(patch, side, patch)]
        cut = np.insert(wide, places, np.nan, axis=0)
        cut = np.insert(cut, places, np.nan, axis=1)
        axis.imshow(cut, cmap="gray", vmin=0, vmax=255)
        axis.set(title=f"P = {patch}，{(side // patch) ** 2} 块")
        axis.set_axis_off()
    return figure


def heatmap(
    values: ArrayLike,
    *,
    title: str = "",
    label: str = "门控值",
    limits: tuple[float, float] | None = None,
) -> Figure:
    """一张热力图：门控或注意力在每个位置的取值。

    形状: values [H, W]；多余的长为 1 的轴会被去掉
    参数: label 写在色条旁；limits 为色条的下限与上限，None 表示取数据的最小与最大值
    返回: Figure
    错误: 去掉长为 1 的轴后不是二维时抛出 ValueError
    """
    matrix = _matrix(values)
    ratio = matrix.shape[1] / matrix.shape[0]
    # 很宽的图把色条放到下面，才用得上整页的宽度
    wide = ratio > 2
    size = (5.6, 1.5 + 5.0 / ratio) if wide else (3.6, 3.0)
    figure, axes = new_figure(size=size)
    low, high = _limits(limits)
    shown = axes[0, 0].imshow(matrix, cmap=MAP, vmin=low, vmax=high)
    _finish_map(figure, shown, title, label, wide)
    return figure


def overlay(
    image: ArrayLike,
    values: ArrayLike,
    *,
    title: str = "",
    label: str = "注意力",
    opacity: float = 0.55,
) -> Figure:
    """原图与叠在它上面的热力图：模型看着哪里。

    形状: image [H, W] 或 [C, H, W]；values [h, w]，可比原图粗，按比例铺满
    参数: label 写在色条旁；opacity 为热力图的不透明度，0–1
    返回: Figure，左边原图，右边叠加
    错误: image 或 values 的维数不对时抛出 ValueError
    """
    picture = _picture(checks.numbers("image", image))
    checks.number("opacity", opacity, "0–1 之间的小数", least=0, below=1 + 1e-9)
    height, width = picture.shape[:2]
    figure, axes = new_figure(1, 2, (5.2, 2.6))
    for axis in axes.flat:
        axis.imshow(picture, cmap="gray", extent=(0, width, height, 0))
        axis.set_axis_off()
    shown = axes[0, 1].imshow(
        _matrix(values), cmap=MAP, alpha=opacity, extent=(0, width, height, 0)
    )
    axes[0, 0].set_title("原图")
    _finish_map(figure, shown, title or label, label)
    return figure


def attention_matrix(
    weights: ArrayLike,
    row_labels: Sequence[str],
    col_labels: Sequence[str],
    *,
    title: str = "",
    digits: int = 2,
) -> Figure:
    """注意力矩阵：每行是一个查询，行内的权重加起来是 1。

    形状: weights [N, M]；边长都不超过 12 时格子里写出数字
    参数: row_labels 为 N 个查询的名字，col_labels 为 M 个键的名字；digits 为小数位数
    返回: Figure
    错误: 不是二维，或名字的个数与形状对不上时抛出 ValueError
    """
    matrix = _matrix(weights)
    row_labels = _names("row_labels", row_labels)
    col_labels = _names("col_labels", col_labels)
    checks.whole("digits", digits, 0)
    if matrix.shape != (len(row_labels), len(col_labels)):
        raise ValueError(
            f"weights 的形状是 {matrix.shape}，而名字有 {len(row_labels)} 行、"
            f"{len(col_labels)} 列；请让两者一致"
        )
    size = (1.6 + 0.62 * min(matrix.shape[1], 6), 1.0 + 0.55 * min(matrix.shape[0], 6))
    figure, axes = new_figure(size=size)
    axis = axes[0, 0]
    shown = axis.imshow(matrix, cmap=MAP, vmin=0, vmax=max(1.0, float(matrix.max())))
    axis.set_xticks(range(matrix.shape[1]), col_labels)
    axis.set_yticks(range(matrix.shape[0]), row_labels)
    axis.set(xlabel="键", ylabel="查询", title=title)
    axis.tick_params(length=0)
    if max(matrix.shape) <= 12:
        _write_numbers(axis, matrix, shown, digits)
    return figure


def _write_numbers(axis: Any, matrix: np.ndarray, shown: Any, digits: int) -> None:
    """在每格中央写出数字；亮格用黑字，暗格用白字。"""
    for (row, column), value in np.ndenumerate(matrix):
        red, green, blue, _ = shown.cmap(shown.norm(value))
        bright = 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
        color = "black" if bright else "white"
        text = f"{value:.{digits}f}"
        centred = {"ha": "center", "va": "center"}
        axis.text(column, row, text, color=color, fontsize=10, **centred)


def _finish_map(
    figure: Figure, shown: Any, title: str, label: str, wide: bool = False
) -> None:
    axis = shown.axes
    axis.set_title(title)
    axis.set_axis_off()
    where = {"location": "bottom", "shrink": 0.6} if wide else {"shrink": 0.85}
    bar = figure.colorbar(shown, ax=axis, **where)
    bar.set_label(label)
    bar.outline.set_edgecolor(INK)
    # 叠加图是半透明的，色条仍用本色，才对得上图例
    bar.solids.set_alpha(1)


def _matrix(values: ArrayLike) -> np.ndarray:
    matrix = checks.numbers("values", values).astype(float)
    while matrix.ndim > 2 and 1 in matrix.shape:
        matrix = matrix.squeeze(matrix.shape.index(1))
    if matrix.ndim != 2 or not matrix.size:
        raise ValueError(
            f"values 的形状是 {matrix.shape}；应为二维 [H, W]，"
            "请先选出一张，例如 values[0, 0]"
        )
    return matrix


def _names(name: str, values: Sequence[str]) -> tuple:
    """一列名字；一串字算作一列单字。"""
    return tuple(values) if isinstance(values, str) else checks.several(name, values)


def _limits(limits: Any) -> tuple[float | None, float | None]:
    """色条的下限与上限；None 表示由数据定。"""
    if limits is None:
        return None, None
    pair = checks.several("limits", limits)
    if len(pair) != 2:
        raise checks.ArgumentError(
            f"limits={checks.shown(limits)} 不合适；应为下限与上限，例如 (0, 1)",
            "limits",
        )
    return checks.number("limits", pair[0]), checks.number("limits", pair[1])


def _picture(image: np.ndarray) -> np.ndarray:
    """[H, W] 或 [C, H, W] → Matplotlib 认识的 [H, W] 或 [H, W, 3]。"""
    if image.ndim == 2:
        return image
    if image.ndim == 3 and image.shape[0] == 1:
        return image[0]
    if image.ndim == 3 and image.shape[0] == 3:
        return np.moveaxis(image, 0, -1)
    raise ValueError(
        f"图像的形状是 {image.shape}；应为 [H, W]、[1, H, W] 或 [3, H, W]，通道在前"
    )
