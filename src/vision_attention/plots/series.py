"""曲线与成排的点：随步数、宽度、层数怎样变，各臂的每次运行落在哪里。

内容: lines、dots、scatter、stacked、price_and_gain。
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from numpy.typing import ArrayLike

from vision_attention import checks
from vision_attention.plots.style import COLORS, INK, MARKERS, new_figure

Curve = tuple[ArrayLike, ArrayLike]
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
FEW = 15  # 点不多时才画记号


def lines(
    panels: Mapping[str, Mapping[str, Curve]],
    *,
    xlabel: str,
    ylabel: str,
    log: str = "",
    ticks: Sequence[float] | None = None,
    levels: Sequence[float] = (),
    bands: bool = False,
    shared: bool = True,
) -> Figure:
    """几条曲线；每条可以是几次运行，也可以是几个分位数。

    参数: panels 从一格的标题到（曲线的名字 → （横坐标，纵坐标））；log 写明哪一轴用
        对数刻度："x"、"y" 或 "xy"；ticks 为横轴的刻度；levels 各画一条水平的虚线；
        bands 为真时各行是从小到大的分位数，涂成带子，否则细线是每次运行、粗线是平均
    形状: 横坐标 [点]；纵坐标 [点]，或 [运行, 点]；bands 时 [分位数, 点]，行数是奇数
    返回: Figure，一个标题一格，shared 为真时共用纵轴；曲线多于一条才有图例
    错误: panels 是空的，或纵坐标的形状不对时抛出 ValueError
    """
    _some("panels", panels)
    size = (5.8 if len(panels) > 1 else 5.2, 3.1)
    figure, axes = new_figure(1, len(panels), size, sharey=shared)
    for axis, (title, curves) in zip(axes.flat, panels.items(), strict=True):
        for k, (name, curve) in enumerate(curves.items()):
            _curve(axis, k, name, curve, bands)
        for level in levels:
            axis.axhline(level, color=INK, linestyle=":", linewidth=1)
        _scale(axis, log, ticks)
        axis.set(title=title, xlabel=xlabel)
    axes[0, 0].set_ylabel(ylabel)
    _legend(figure, axes)
    return figure


def _curve(axis: Any, k: int, name: str, curve: Curve, bands: bool) -> None:
    """一条曲线，连同它的带子或各次运行。"""
    x, y = np.asarray(curve[0]), np.atleast_2d(curve[1])
    if y.ndim != 2 or y.shape[1] != x.size:
        raise checks.ArgumentError(
            f"{name}：横坐标 {x.shape}，纵坐标 {y.shape}；应有同样多的点", "panels"
        )
    marker = MARKERS[k % len(MARKERS)] if x.size <= FEW else ""
    look = {"color": (*COLORS, INK)[k % 5], "linestyle": DASHES[k % len(DASHES)]}
    middle = y[len(y) // 2] if bands else y.mean(0)
    if not bands and len(y) > 1:
        axis.plot(x, y.T, alpha=0.25, linewidth=0.7, marker="", **look)
    axis.plot(x, middle, linewidth=2, marker=marker, markersize=5, label=name, **look)
    for edge in range(len(y) // 2 if bands else 0):
        around = y[edge], y[-1 - edge]
        axis.fill_between(x, *around, color=look["color"], alpha=0.2, linewidth=0)


def _scale(axis: Any, log: str, ticks: Sequence[float] | None) -> None:
    """刻度：对数轴不画细刻度，横轴的刻度带千位的逗号。"""
    if "x" in log:
        axis.set_xscale("log")
        axis.xaxis.set_minor_locator(NullLocator())
    if "y" in log:
        axis.set_yscale("log")
        axis.yaxis.set_minor_locator(NullLocator())
    if ticks is not None:
        axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks])


def dots(
    panels: Mapping[str, Mapping[str, Any]],
    *,
    xlabel: str = "",
    levels: Sequence[float] = (),
    limits: tuple[float, float] | None = None,
    ticks: Sequence[float] | None = None,
) -> Figure:
    """每臂一行，每次运行一个点。

    参数: panels 从一格的标题到（臂的名字 → 各次运行的数），各次运行的数也可以再分组：
        （组的名字 → 各次运行的数）；各格的臂相同；levels 各画一条竖的虚线；
        limits 为横轴的下限与上限；ticks 为横轴的刻度
    返回: Figure，一个标题一格，共用各行；分组的灰色在上、蓝色在下
    错误: panels 是空的，或各格的臂不同时抛出 ValueError
    """
    _some("panels", panels)
    names = list(next(iter(panels.values())))
    if any(list(rows) != names for rows in panels.values()):
        raise checks.ArgumentError("panels 的各格应有同样的臂，次序也相同", "panels")
    size = (6, 1.2 + 0.27 * len(names))
    figure, axes = new_figure(1, len(panels), size, sharey=True)
    for axis, (title, rows) in zip(axes.flat, panels.items(), strict=True):
        for row, found in enumerate(rows.values()):
            _dots(axis, row, found)
        for level in levels:
            axis.axvline(level, color=INK, linestyle="--", linewidth=1)
        axis.set(title=title, xlabel=xlabel, xlim=limits)
        if ticks is not None:
            axis.set_xticks(ticks)
    axes[0, 0].set_yticks(range(len(names)), names)
    axes[0, 0].invert_yaxis()
    return figure


def _dots(axis: Any, row: int, found: Any) -> None:
    """一行的点；分组的上下错开。"""
    groups = list(found.values()) if isinstance(found, Mapping) else [found]
    colors = [COLORS[0]] if len(groups) == 1 else [INK, COLORS[0], *COLORS[1:]]
    for k, (runs, color) in enumerate(zip(groups, cycle(colors), strict=False)):
        place = row + 0.36 * (k - (len(groups) - 1) / 2)
        axis.scatter(runs, [place] * len(runs), color=color, s=12, alpha=0.65)


def scatter(
    panels: Mapping[str, Mapping[str, Curve]],
    *,
    ylabel: str,
    levels: Sequence[float] = (),
    limits: tuple[Any, Any] = (None, None),
    ticks: Sequence[float] | None = None,
) -> Figure:
    """散点：每次运行一个点，一组一种记号；横坐标各格不同，纵坐标共用。

    参数: panels 从一格的横坐标写什么到（组的名字 → （横坐标，纵坐标））；levels 各画
        一条水平的虚线；limits 为横轴与纵轴各自的下限与上限；ticks 为横轴的刻度
    返回: Figure，一格一种横坐标，图例写在上方
    错误: panels 是空的时抛出 ValueError
    """
    _some("panels", panels)
    figure, axes = new_figure(1, len(panels), (6, 3.4), sharey=True)
    looks = [*zip("osD^vP", (*COLORS, INK, COLORS[0]), strict=True)]
    for axis, (title, groups) in zip(axes.flat, panels.items(), strict=True):
        for (name, points), (marker, color) in zip(
            groups.items(), cycle(looks), strict=False
        ):
            look = {"marker": marker, "color": color, "label": name}
            axis.scatter(*points, alpha=0.65, s=22, **look)
        for level in levels:
            axis.axhline(level, color=INK, linestyle="--", linewidth=1)
        axis.set(xlabel=title, xlim=limits[0], ylim=limits[1])
        if ticks is not None:
            axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes[0, 0].set_ylabel(ylabel)
    _legend(figure, axes)
    return figure


def stacked(
    panels: Mapping[str, Mapping[str, Sequence[float]]],
    parts: Sequence[str],
    *,
    xlabel: str,
) -> Figure:
    """横条由几份接成：总数是多少，各份占多少。

    参数: panels 从一格的标题到（臂的名字 → 各份）；parts 为各份的名字；
        多于一格的排成两列，共用坐标
    返回: Figure
    错误: panels 是空的，或份数与 parts 不同时抛出 ValueError
    """
    _some("panels", panels)
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    bars = max(map(len, panels.values()))
    size = (5.8, 0.8 + rows * (0.5 + 0.3 * bars))
    figure, axes = new_figure(rows, columns, size, sharex=True, sharey=True)
    for axis, (title, found) in zip(axes.flat, panels.items(), strict=False):
        shares = np.array([list(one) for one in found.values()], dtype=float)
        if shares.ndim != 2 or shares.shape[1] != len(parts):
            raise checks.ArgumentError(
                f"{title} 的每一条应有 {len(parts)} 份", "panels"
            )
        starts = np.cumsum(shares, 1) - shares
        for k, name in enumerate(parts):
            place = {"left": starts[:, k], "color": COLORS[k], "label": name}
            axis.barh(list(found), shares[:, k], **place)
        axis.set_title(title)
    axes[0, 0].invert_yaxis()
    for axis in axes[-1]:
        axis.set_xlabel(xlabel)
    _legend(figure, axes)
    return figure


def price_and_gain(
    prices: Mapping[str, float],
    gains: Sequence[Any],
    *,
    price: str,
    gain: str,
) -> Figure:
    """两格并排，一行一个名字：左边要花多少（参照是 1），右边换来多少。

    参数: prices 为名字 → 倍数；gains 与它一一对应，各有 mean、low、high；price、gain
        为两格横轴上的字
    返回: Figure
    错误: 两者个数不同时抛出 ValueError
    """
    if len(prices) != len(gains):
        raise ValueError(
            f"prices 有 {len(prices)} 个，gains 有 {len(gains)} 个；两者应一样多"
        )
    figure, axes = new_figure(1, 2, (5.8, 3.6), sharey=True)
    left, right = axes[0]
    places, times = np.arange(len(prices)), list(prices.values())
    bars = left.barh(places, times, color=COLORS[0], height=0.6)
    left.bar_label(bars, [f"{time:.2f}" for time in times], padding=3)
    left.axvline(1, color=INK, linestyle="--", linewidth=1)
    left.margins(x=0.25)
    left.set_yticks(places, list(prices))
    left.invert_yaxis()
    right.axvline(0, color=INK, linestyle="--", linewidth=1)
    ends = [one.low for one in gains], [one.high for one in gains]
    right.hlines(places, *ends, color=INK)
    right.plot([one.mean for one in gains], places, "D", color=COLORS[1])
    left.set(xlabel=price)
    right.set(xlabel=gain)
    right.tick_params(axis="y", length=0)
    return figure


def _some(name: str, groups: Mapping[str, Any]) -> None:
    checks.kind(name, groups, Mapping, "从标题到一格的表")
    if not groups:
        raise checks.ArgumentError(f"{name} 是空的；至少要有一格", name)


def _legend(figure: Figure, axes: Any) -> None:
    """多于一条才有图例，写在图的上方。"""
    handles, labels = axes[0, 0].get_legend_handles_labels()
    if len(labels) > 1:
        figure.legend(handles, labels, loc="outside upper center", ncols=3)
