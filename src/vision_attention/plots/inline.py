"""正文里的小曲线图：一段 SVG，跟着页面的颜色走，读屏软件读得到终点的数。

内容: curves_svg。
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from vision_attention.plots.style import COLORS, INK

PANEL, TALL, LEFT, TOP = 132, 78, 26, 16
STYLES = {
    "train": f'stroke="{COLORS[0]}"',
    "test": f'stroke="{COLORS[1]}" stroke-dasharray="5 3"',
}


def curves_svg(
    curves: Mapping[str, Sequence[float]], title: str, num_classes: int
) -> str:
    """一次训练的两格小图：左边准确率，右边损失，各带一条瞎猜的横线。

    参数: curves 有 step 与 train_accuracy、test_accuracy、train_loss、test_loss；
        title 为读屏软件先读的话，后面接着终点的数；num_classes 为类数，定瞎猜的两条线
    返回: 一段 <svg>
    """
    worst = max(3.0, *curves["train_loss"][1:], *curves["test_loss"][1:])
    halves = _panel(
        curves, "accuracy", "准确率", top=1, left=LEFT, rule=1 / num_classes
    )
    place = {"left": 2 * LEFT + PANEL + 14, "rule": np.log(num_classes)}
    halves += _panel(curves, "loss", "损失", top=worst, **place)
    return (
        f'<svg viewBox="0 0 {2 * (LEFT + PANEL) + 18} 112" role="img" '
        f'aria-label="{title}{_spoken(curves)}" '
        f'font-size="10" fill="currentColor">{halves}</svg>'
    )


def _spoken(curves: Mapping[str, Sequence[float]]) -> str:
    """终点的数，写成话。"""
    ends = {name: f"{values[-1]:.2f}" for name, values in curves.items()}
    highest, lowest = max(curves["train_loss"][1:]), min(curves["test_loss"])
    return (
        f"准确率：训练升到 {ends['train_accuracy']}，测试升到 {ends['test_accuracy']}。"
        f"损失：训练最高 {highest:.2f}、终点 {ends['train_loss']}，"
        f"测试最低 {lowest:.2f}、终点 {ends['test_loss']}。"
    )


def _panel(
    curves: Mapping[str, Sequence[float]],
    kind: str,
    title: str,
    *,
    top: float,
    left: int,
    rule: float,
) -> str:
    """一格：训练与测试两条线，一条瞎猜的横线，四处的字。"""
    bottom, at = TOP + TALL, TOP + TALL * (1 - rule / top)
    words = [
        (left, 10, "start", title),
        (left - 3, 20, "end", f"{top:.3g}"),
        (left - 3, bottom, "end", "0"),
        (left + PANEL, bottom + 13, "end", f"{curves['step'][-1]} 步"),
    ]
    parts = [
        f'<path d="M{left} {TOP}V{bottom}H{left + PANEL}" fill="none" stroke="{INK}"/>',
        f'<path d="M{left} {at:.1f}H{left + PANEL}" stroke="{INK}" '
        'stroke-dasharray="1 3" fill="none"/>',
        *(_line(curves[f"{s}_{kind}"], top, left, look) for s, look in STYLES.items()),
        *(
            f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{side}">{escape(word)}</text>'
            for x, y, side, word in words
        ),
    ]
    return "".join(parts)


def _line(values: Sequence[float], top: float, left: int, style: str) -> str:
    """一条曲线的折线。"""
    x = left + np.linspace(0, PANEL, len(values))
    y = TOP + TALL * (1 - np.clip(values, 0, top) / top)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return f'<polyline points="{points}" fill="none" stroke-width="2" {style}/>'
