"""ViT 的全貌：切块、线性投影、位置编码、L 个 Transformer 块、分类。"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from tools.figures.kit import BLUE, GREEN, GREY, PURPLE, RED, Drawing
from vision_attention.plots import COLORS, INK

PATCH = 2
EXAMPLE = 3


def overview() -> str:
    """ViT 的全貌，自上而下；图像是一张真的手写数字，8×8，切成 16 块。"""
    d = Drawing(
        930,
        "视觉 Transformer（ViT）",
        "图像切成小块，每块展平后线性投影成 token，加上位置编码，"
        "经过 L 个 Transformer 块，汇集后分类",
    )
    _patches(d)
    _embedding(d)
    _block(d, 428)
    _head(d, 760)
    return d.svg()


def _patches(d: Drawing) -> None:
    image = load_digits().images[EXAMPLE] / 16
    d.left(14, 40, "图像", "[B, C, H, W]")
    for (row, column), value in np.ndenumerate(image):
        _pixel(d, 200 + _spread(column), 50 + _spread(row), value)
    for k in range(16):
        x, y = 22 * (k % 4 - 1.5), 22 * (k // 4 - 1.5)
        d.outline(200 + x, 50 + y, 20, 20, BLUE)
    d.left(268, 40, "切成 P×P 的块", "N = HW / P²")
    d.line((200, 98), (200, 122))
    for (row, column), value in np.ndenumerate(image):
        patch = row // PATCH * 4 + column // PATCH
        x = 200 + 23 * (patch - 7.5) + 9 * (column % PATCH - 0.5)
        _pixel(d, x, 138 + 9 * (row % PATCH - 0.5), value, 9)
    for k in range(16):
        d.outline(200 + 23 * (k - 7.5), 138, 18, 18, BLUE)
    d.text(200, 162, "N 个块，各自展平 [B, N, C·P²]", size=12)


def _pixel(d: Drawing, x: float, y: float, value: float, side: float = 10) -> None:
    if value > 0:
        d.rect(x, y, side, side, BLUE, opacity=value)


def _spread(index: int) -> float:
    """第几个像素离图像中心多远：每个像素 10，块与块之间再空 2。"""
    return 10 * (index - 3.5) + 2 * (index // PATCH - 1.5)


def _embedding(d: Drawing) -> None:
    d.line((200, 174), (200, 194))
    d.box(200, 209, 366, "线性投影（每块共用同一个）", GREEN)
    d.line((200, 224), (200, 246))
    for k in range(17):
        color = RED if k == 0 else GREEN
        d.grid(200 + 22 * (k - 8), 266, [[0.9], [0.4], [0.7]], color, cell=11)
    d.text(14, 298, "分类 token（可选）", size=12, fill=COLORS[1], text_anchor="start")
    d.text(216, 298, "N 个 token[B, N, D]", size=12)
    d.line((200, 310), (200, 330))
    d.operator(200, 343, "+")
    d.box(322, 343, 124, "位置编码", BLUE)
    d.line((260, 343), (214, 343), color=BLUE)


def _block(d: Drawing, y: float) -> None:
    d.line((200, 354), (200, y), head=False)
    d.frame(200, y + 128, 372, 296)
    d.left(28, y, "Transformer 块", "× L 个")
    for top, words, color in ((y, "多头自注意力", PURPLE), (y + 132, "MLP", GREEN)):
        d.line((200, top - 3), (200, top + 16))
        d.box(200, top + 31, 130, "层归一化", GREY)
        d.line((200, top + 46), (200, top + 62))
        d.box(200, top + 77, 130, words, color)
        d.line((200, top + 92), (200, top + 105))
        d.operator(200, top + 118, "+", INK)
        d.line((200, top), (310, top), (310, top + 118), (214, top + 118))
        d.text(336, top + 59, "残差", size=12)
    d.left(28, y + 240, "[B, N, D]", size=12)


def _head(d: Drawing, y: float) -> None:
    d.line((200, y - 71), (200, y - 35))
    d.box(200, y - 20, 130, "层归一化", GREY)
    d.line((200, y - 5), (200, y + 15))
    d.box(200, y + 30, 220, "汇集：分类 token 或平均", RED)
    d.left(326, y + 30, "[B, D]", size=12)
    d.line((200, y + 45), (200, y + 65))
    d.box(200, y + 80, 130, "线性分类", GREEN)
    d.line((200, y + 95), (200, y + 115))
    scores = [0.95 if k == EXAMPLE else 0.05 for k in range(10)]
    d.grid(200, y + 126, [scores], PURPLE)
    for k in range(10):
        d.text(200 + 16 * (k - 4.5), y + 144, str(k), size=11)
    d.left(292, y + 126, "[B, 类别数]", size=12)
