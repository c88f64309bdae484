"""诊断画出来：训练与测试准确率的平面，与一道道看曲线的题。

内容: at_point、diagnosis_plane、quiz。
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from types import SimpleNamespace
from typing import Any

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from vision_attention.plots.inline import curves_svg
from vision_attention.plots.series import Curve
from vision_attention.plots.style import COLORS, INK, new_figure
from vision_attention.training.diagnosis import (
    BROKEN,
    FINE,
    OVERFIT,
    UNDERFIT,
    diagnose,
)

Item = tuple[str, Mapping, int, Any, str]
KINDS = (UNDERFIT, OVERFIT, BROKEN, FINE)
# 每一片的名字写在哪里
NAMED = {UNDERFIT: (0.33, 0.22), OVERFIT: (0.83, 0.32), BROKEN: (0.75, 0.06)}


def at_point(train: float, test: float) -> str:
    """平面上的一点是哪种诊断：只有终点的曲线。"""
    ends = {"train_accuracy": [train], "test_accuracy": [test]}
    return diagnose(SimpleNamespace(**ends, train_loss=[0.0], test_loss=[0.0])).name


def diagnosis_plane(groups: Mapping[str, Curve]) -> Figure:
    """底色是每一处的诊断，点是一次次运行。

    参数: groups 从组的名字到（训练准确率，测试准确率），一次运行一个点，最多两组
    返回: Figure；测试高于训练的一半没有底色
    """
    side = np.linspace(0.0025, 0.9975, 200)
    ground = [
        [KINDS.index(at_point(a, b)) if b <= a else np.nan for a in side] for b in side
    ]
    figure, axes = new_figure(size=(4.8, 4.4))
    axis = axes[0, 0]
    tints = ListedColormap([COLORS[0], COLORS[1], INK, COLORS[2]])
    place = {"origin": "lower", "extent": (0, 1, 0, 1)}
    axis.imshow(ground, cmap=tints, vmin=0, vmax=3, alpha=0.22, **place)
    looks = zip("o^", (COLORS[3], INK), strict=True)
    for (name, points), (mark, color) in zip(groups.items(), looks, strict=False):
        look = {"marker": mark, "color": color, "label": name}
        axis.scatter(*points, s=16, alpha=0.8, **look)
    for name, (x, y) in NAMED.items():
        axis.text(x, y, name, ha="center", va="center")
    arrow = {"arrowstyle": "-", "color": INK}
    axis.annotate(FINE, (0.96, 0.96), (0.72, 1.06), arrowprops=arrow)
    axis.set(xlabel="训练准确率（不增强的图）", ylabel="测试准确率")
    axis.set(xlim=(0, 1.02), ylim=(0, 1.1))
    axis.legend(loc="upper left")
    return figure


def quiz(items: Sequence[Item]) -> str:
    """一串看曲线的题：没有脚本时答案折叠在题的下面，有脚本时换成按钮。

    参数: items 的每一项为（答案里说的来历，曲线，测试图片数，体检的结果，记录的键）
    返回: 一段 HTML
    """
    body = "".join(_question(number, one) for number, one in enumerate(items, 1))
    shell = f'<div class="quiz" data-kinds="{" ".join(KINDS[:3])}">'
    return f'{shell}<ol class="quiz-list">{body}</ol></div>'


def _question(number: int, item: Item) -> str:
    """一题的 HTML。"""
    title, curves, n_test, check, source = item
    found = diagnose(SimpleNamespace(**curves), test_size=n_test, sanity=check)
    picture = curves_svg(curves, f"第 {number} 题的曲线。", 10)
    facts = (
        f"终点：训练准确率 {curves['train_accuracy'][-1]:.2f}，测试 "
        f"{curves['test_accuracy'][-1]:.2f}。体检：首步损失 {check.first_loss:.2f}；"
        f"背一批，{check.batch_steps} 步之后损失 {check.batch_loss:.2f}，"
        f"准确率 {check.batch_accuracy:.2f}。"
    )
    return (
        f'<li class="quiz-item" data-answer="{found.name}" data-record="{source}">'
        f'<p class="quiz-title">第 {number} 题</p>{picture}'
        f'<p class="quiz-facts">{facts}</p><details class="quiz-answer">'
        f"<summary>看第 {number} 题的答案</summary>"
        f'<p><b>{found.name}</b>：<span class="quiz-why">{escape(found.why)}</span>'
        f'<span class="quiz-from">（{escape(title)}。）</span></p></details></li>'
    )
