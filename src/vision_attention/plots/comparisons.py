"""比较：学习曲线、数据量、参数量、成对差值；每次运行都是一个点。"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from numpy.typing import ArrayLike

from vision_attention import checks
from vision_attention.plots.style import COLORS, INK, MARKERS, new_figure
from vision_attention.statistics import mean_interval

METRICS = {"accuracy": "准确率", "loss": "损失"}


def interval(values: ArrayLike) -> tuple[float, float, float]:
    """平均值与它的 95 % 置信区间（Student t），由几次运行得来。

    形状: values [n]；n = 1 时没有区间，下限与上限为 nan
    返回: 平均值、下限、上限
    错误: 一次运行也没有时抛出 ValueError
    """
    runs = checks.finite("values", values, 1).astype(float)
    if not runs.size:
        raise ValueError("没有一次运行，画不出平均值；每一组至少要有一个数")
    found = mean_interval(runs)
    if found.low is None:
        return found.mean, float("nan"), float("nan")
    return found.mean, found.low, found.high


def learning_curves(
    histories: Mapping[str, Any], *, metric: str = "accuracy", limits: Any = None
) -> Figure:
    """训练与测试的曲线，两者之间的差距涂上颜色。

    参数: histories 从模型的名字到一份训练历史，或同一模型几次运行的历史列表；历史有
    step 与 train_accuracy、test_accuracy、train_loss、test_loss；metric 为 "accuracy"
    或 "loss"；limits 为纵轴的下限与上限
    返回: Figure，每个模型一格，共用纵轴；细线是每次运行，粗线是平均
    错误: metric 不认识，一份历史也没有，或几次运行的步数不同时抛出 ValueError
    """
    checks.choice("metric", metric, METRICS)
    _nonempty("histories", histories)
    for runs in histories.values():
        _check_histories(_as_runs(runs), metric)
    size = (5.6 if len(histories) > 1 else 4.6, 3.2)
    figure, axes = new_figure(1, len(histories), size, sharey=True)
    for axis, (name, runs) in zip(axes.flat, histories.items(), strict=True):
        _draw_curves(axis, _as_runs(runs), metric)
        axis.set(title=name, xlabel="步数")
    axes[0, 0].set(ylabel=METRICS[metric], ylim=limits)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    return figure


def _nonempty(name: str, groups: Mapping[str, Any]) -> None:
    """至少要有一组，每一组里至少要有一样。"""
    checks.kind(name, groups, Mapping, "从名字到一组的表")
    if not groups:
        raise checks.ArgumentError(f"{name} 是空的；至少要有一组", name)
    for key, group in groups.items():
        if isinstance(group, Sequence) and not len(group):
            raise ValueError(f"{name} 里的 {key!r} 是空的；至少要有一份")


def _check_histories(runs: Sequence[Any], metric: str) -> None:
    """每份历史都有要画的几条，一样长；几份的步数相同。"""
    steps = [np.asarray(getattr(run, "step", [])) for run in runs]
    if any(not np.array_equal(steps[0], step) for step in steps):
        raise ValueError("几次运行的 step 不同，无法取平均；请用同样的 eval_every 重跑")
    for run in runs:
        lines = [getattr(run, n, None) for n in ("step", f"train_{metric}")]
        lines.append(getattr(run, f"test_{metric}", None))
        if any(line is None for line in lines) or len({*map(len, lines)}) != 1:
            raise checks.ArgumentError(
                f"histories 里的 {checks.shown(run)} 不是训练历史；"
                "应为 fit 返回的 History，各条一样长",
                "histories",
            )


def _draw_curves(axis: Any, runs: Sequence[Any], metric: str) -> None:
    step = np.asarray(runs[0].step)
    means = []
    for k, (split, label) in enumerate((("train", "训练"), ("test", "测试"))):
        curves = np.array([getattr(run, f"{split}_{metric}") for run in runs])
        means.append(curves.mean(0))
        style = {"color": COLORS[k], "linestyle": ("-", "--")[k], "marker": ""}
        if len(curves) > 1:
            axis.plot(step, curves.T, alpha=0.3, linewidth=0.8, **style)
        axis.plot(step, means[k], linewidth=2, label=label, **style)
    axis.fill_between(step, *means, color=INK, alpha=0.18, linewidth=0, label="差距")
    gap = abs(means[0][-1] - means[1][-1])
    middle = (means[0][-1] + means[1][-1]) / 2
    axis.annotate(
        f"差 {gap:.2f}",
        (step[-1], middle),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        annotation_clip=False,
    )


def _as_runs(runs: Any) -> Sequence[Any]:
    return runs if isinstance(runs, (list, tuple)) else [runs]


def accuracy_by_data_size(
    runs: Mapping[str, Mapping[int, Sequence[float]]],
    *,
    xlabel: str = "训练图像数（对数刻度）",
    ylabel: str = "测试准确率",
) -> Figure:
    """准确率随数据量的变化：每次运行一个点，连线是平均，竖线是 95 % 置信区间。

    参数: runs 从模型的名字到 （训练图像数 → 每个种子的准确率）；准确率 0–1
    返回: Figure，横轴为对数刻度；各模型略微错开，免得互相遮住
    """
    _nonempty("runs", runs)
    for by_size in runs.values():
        _nonempty("runs", by_size)
        for size in by_size:
            checks.number("runs 里的图像数", size, "正数", above=0)
    figure, axes = new_figure()
    axis = axes[0, 0]
    sizes = sorted({size for by_size in runs.values() for size in by_size})
    for k, (name, by_size) in enumerate(runs.items()):
        shift = 1.06 ** (k - (len(runs) - 1) / 2)
        color, marker = COLORS[k % len(COLORS)], MARKERS[k % len(MARKERS)]
        where = [size * shift for size in sorted(by_size)]
        spread = [interval(by_size[size]) for size in sorted(by_size)]
        mean, low, high = np.array(spread).T
        axis.plot(where, mean, color=color, marker=marker, markersize=5, label=name)
        axis.vlines(where, low, high, color=color, linewidth=2)
        for x, size in zip(where, sorted(by_size), strict=True):
            beside = [x * 1.04] * len(by_size[size])
            axis.scatter(beside, by_size[size], color=color, s=7, alpha=0.6, marker="o")
    axis.set_xscale("log")
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axis.set(xlabel=xlabel, ylabel=ylabel)
    axis.grid(axis="y")
    axis.legend(loc="lower right")
    return figure


def bar_with_values(
    names: Sequence[str], values: Sequence[float], *, xlabel: str, digits: int = 0
) -> Figure:
    """横条与末端的数字：参数量、乘加次数；也可以是有正有负的差。

    参数: names 与 values 一一对应；xlabel 写明单位；digits 为小数位数，千位加逗号
    返回: Figure，从上到下的顺序与 names 相同；横轴从 0 起，有负数时画出 0 线
    错误: names 与 values 个数不同时抛出 ValueError
    """
    names = checks.several("names", names)
    values = [checks.number("values", v) for v in checks.several("values", values)]
    checks.whole("digits", digits, 0)
    if len(names) != len(values):
        raise ValueError(
            f"names 有 {len(names)} 个，values 有 {len(values)} 个；两者应一样多"
        )
    figure, axes = new_figure(size=(5.2, 0.8 + 0.42 * len(names)))
    axis = axes[0, 0]
    bars = axis.barh(names, values, color=COLORS[0], height=0.62)
    labels = [f"{value:,.{digits}f}".replace("-", "−") for value in values]
    axis.bar_label(bars, labels, padding=4)
    axis.invert_yaxis()
    negative = min(values, default=0) < 0
    axis.margins(x=0.3 if negative else 0.18)  # 负的一根，数字写在左边，也要地方
    if negative:
        axis.axvline(0, color=INK, linewidth=1)
        axis.spines["left"].set_visible(False)
    else:
        axis.set_xlim(left=0)
    axis.set_xticks([])
    axis.spines["bottom"].set_visible(False)
    axis.tick_params(axis="y", length=0)
    axis.set_xlabel(xlabel)
    return figure


def paired_differences(
    names: Sequence[str],
    differences: Sequence[Sequence[float]],
    *,
    verdicts: Sequence[str] | None = None,
    xlabel: str = "测试准确率之差",
) -> Figure:
    """成对差值的森林图：每个种子一个点，菱形是平均，横线是 95 % 置信区间，虚线是零。

    参数: differences 与 names 一一对应，各是每个种子的差值；verdicts 为写在右边的结论
    返回: Figure，从上到下的顺序与 names 相同；区间不含零的用朱色，其余用灰色
    错误: 三者个数不同时抛出 ValueError
    """
    names = checks.several("names", names)
    differences = checks.several("differences", differences)
    labels = checks.several("verdicts", verdicts or [""] * len(names))
    if not len(names) == len(differences) == len(labels):
        raise ValueError(
            f"names、differences、verdicts 各有 {len(names)}、{len(differences)}、"
            f"{len(labels)} 个；应一样多"
        )
    figure, axes = new_figure(size=(5.6, 1.0 + 0.5 * len(names)))
    axis = axes[0, 0]
    axis.axvline(0, color=INK, linestyle="--", linewidth=1)
    for row, runs in enumerate(differences):
        mean, low, high = interval(runs)
        color = COLORS[1] if low > 0 or high < 0 else INK
        axis.hlines(row, low, high, color=color, linewidth=2)
        axis.plot(mean, row, marker="D", color=color, markersize=7)
        axis.scatter(runs, [row + 0.24] * len(runs), color=COLORS[0], s=12, alpha=0.7)
    axis.set_yticks(range(len(names)), names)
    axis.set(ylim=(len(names) - 0.4, -0.6), xlabel=xlabel)
    axis.tick_params(axis="y", length=0)
    right = axis.secondary_yaxis("right")
    right.set_yticks(range(len(names)), labels)
    right.tick_params(length=0)
    right.spines["right"].set_visible(False)
    return figure


def matched(
    panels: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    xlabel: str,
    ylabel: str,
    columns: int = 3,
) -> Figure:
    """两种量法是否一致：每组一小格，一点是一个数的两次测量，斜虚线是相等。

    参数: panels 从组的名字到（横坐标，纵坐标），两者一一对应；xlabel、ylabel 写一次，
        各格共用；columns 为一行几格
    返回: Figure，每格的横轴与纵轴同刻度、同范围；各格的范围不同
    错误: panels 是空的，columns 不是正整数，或一组里两者个数不同时抛出 ValueError
    """
    _nonempty("panels", panels)
    for pair in panels.values():
        if len(checks.several("panels", pair)) != 2:
            raise checks.ArgumentError(
                f"panels 里的 {checks.shown(pair)} 应为（横坐标，纵坐标）两列", "panels"
            )
        for line in pair:
            checks.finite("panels", line, 1)
    checks.positive("columns", columns)
    rows = -(-len(panels) // columns)
    figure, axes = new_figure(rows, columns, size=(2.1 * columns, 0.4 + 2.3 * rows))
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    for axis, (name, (ours, theirs)) in zip(axes.flat, panels.items(), strict=False):
        if len(ours) != len(theirs):
            raise ValueError(f"{name}：两种量法各有 {len(ours)}、{len(theirs)} 个数")
        low, high = min(*ours, *theirs, 0.0), max(*ours, *theirs, 0.0)
        edge = 0.08 * (high - low) or 1.0
        limits = (low - edge, high + edge)
        axis.plot(limits, limits, color=INK, linestyle="--", linewidth=1)
        axis.scatter(ours, theirs, color=COLORS[0], s=16, alpha=0.7)
        axis.set(xlim=limits, ylim=limits, aspect="equal")
        axis.set_title(name, fontsize=9)
        axis.tick_params(labelsize=7)
        axis.locator_params(nbins=4)
    figure.supxlabel(xlabel, fontsize=10)
    figure.supylabel(ylabel, fontsize=10)
    return figure
