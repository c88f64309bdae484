"""残差块里可以放注意力的三个位置：支路末端、相加之后、捷径上。"""

from __future__ import annotations

from tools.figures.kit import BLUE, GREEN, GREY, PURPLE, RED, Drawing

PLACES = {"branch": BLUE, "output": RED, "identity": PURPLE}


def three_places() -> str:
    """一个残差块，三道虚线的门；一次只装一处。"""
    d = Drawing(
        560,
        "残差块里的三个位置",
        "残差块：左边是支路，两个卷积之后有位置①；右边是捷径，上面有位置③；"
        "两路相加、过 ReLU 之后有位置②。三处各放一道门，一次只装一处",
    )
    d.stack(130, 40)
    d.left(14, 32, "输入 x")
    d.left(14, 50, "[B, C, H, W]", size=12)
    d.line((166, 40), (318, 40), (318, 208), head=False)
    d.text(240, 26, "捷径 s(x)")
    convolution = ("3×3 卷积 + 批归一化", GREEN)
    for y, (words, color) in zip(
        (110, 159, 208), (convolution, ("ReLU", GREY), convolution), strict=True
    ):
        d.line((130, y - 34), (130, y - 15))
        d.box(130, y, 176, words, color)
    d.text(24, 159, "支路")
    d.text(24, 177, "f(x)")
    d.line((130, 223), (130, 256))
    _place(d, 130, 274, "① 支路末端", "branch")
    _place(d, 318, 226, "③ 捷径上", "identity")
    d.line((130, 292), (130, 333))
    d.line((318, 244), (318, 346), (144, 346))
    d.operator(130, 346, "+")
    d.line((130, 357), (130, 378))
    d.box(130, 393, 104, "ReLU", GREY)
    d.line((130, 408), (130, 440))
    _place(d, 130, 458, "② 相加之后", "output")
    d.line((130, 476), (130, 520))
    d.left(14, 536, "输出 y，[B, C′, H′, W′]；一次只装一处，另外两处空着")
    return d.svg()


def _place(d: Drawing, x: float, y: float, words: str, name: str) -> None:
    """一道虚线框着的门，下面写着代码里的名字。"""
    d.frame(x, y, 152, 42, PLACES[name])
    d.text(x, y - 8, words, fill=PLACES[name], font_weight="bold")
    d.text(x, y + 10, f"placement={name}", size=12)
