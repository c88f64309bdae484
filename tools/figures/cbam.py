"""CBAM 的三张图：通道注意力、空间注意力、在残差块里的位置（Woo 等 2018，图 1–3）。"""

from __future__ import annotations

from tools.figures.kit import BLUE, CHANNELS, GREEN, GREY, PURPLE, RED, Drawing

# 示意用的权重：每个通道的分数，以及 4 × 4 的空间分数
CHANNEL_SCORES = (0.95, 0.25, 0.6, 0.1)
SPATIAL_SCORES = (
    (0.05, 0.2, 0.3, 0.1),
    (0.2, 0.9, 0.8, 0.3),
    (0.3, 0.8, 1.0, 0.4),
    (0.1, 0.3, 0.4, 0.1),
)


def channel_attention() -> str:
    """通道注意力：两种池化，一个共享的 MLP，相加，Sigmoid，相乘。"""
    d = Drawing(
        640,
        "通道注意力",
        "输入先各做一次全局平均池化与全局最大池化，同一个两层 MLP 处理两个结果，"
        "相加后经 Sigmoid 得到每个通道的权重，再与输入逐通道相乘",
    )
    d.stack(170, 46)
    d.left(14, 36, "输入特征图 F", "[B, C, H, W]")
    d.line((206, 46), (372, 46), (372, 566), (184, 566))
    d.line((170, 78), (170, 96), head=False)
    for x, color, words in ((88, BLUE, "全局平均池化"), (252, RED, "全局最大池化")):
        d.line((170, 96), (x, 96), (x, 116))
        d.box(x, 131, 136, words, color)
        d.line((x, 146), (x, 168), color=color)
        d.grid(
            x, 178, [CHANNEL_SCORES if color == BLUE else (0.8, 0.5, 0.9, 0.3)], color
        )
        d.line((x, 188), (x, 250), color=color)
    d.text(170, 178, "[B, C, 1, 1]", size=12)
    _shared_mlp(d)
    for x, color in ((88, BLUE), (252, RED)):
        d.line((x, 366), (x, 420), (170 + (11 if x > 170 else -11), 420), color=color)
    d.operator(170, 420, "+")
    d.line((170, 431), (170, 450))
    d.box(170, 465, 104, "Sigmoid", GREY)
    d.line((170, 480), (170, 502))
    d.grid(170, 512, [CHANNEL_SCORES], CHANNELS)
    d.left(14, 502, "通道权重 M_c", "[B, C, 1, 1]")
    d.line((170, 522), (170, 553))
    d.operator(170, 566, "×")
    d.line((170, 577), (170, 589))
    d.grid(170, 610, [CHANNEL_SCORES], CHANNELS, cell=34)
    d.left(252, 602, "输出 F′ = M_c ⊗ F", "[B, C, H, W]")
    return d.svg()


def _shared_mlp(d: Drawing) -> None:
    d.frame(170, 289, 316, 176)
    d.text(170, 217, "共享 MLP")
    d.text(170, 235, "同一组权重用两次", size=12)
    d.box(170, 265, 200, "1×1 卷积：C → C/r", GREEN)
    d.box(170, 308, 96, "ReLU", GREY)
    d.box(170, 351, 200, "1×1 卷积：C/r → C", GREEN)
    for x, color in ((140, BLUE), (200, RED)):
        d.line((x, 280), (x, 293), color=color)
        d.line((x, 323), (x, 336), color=color)


def spatial_attention() -> str:
    """空间注意力：沿通道求平均与最大，拼接，7×7 卷积，Sigmoid，相乘。"""
    d = Drawing(
        600,
        "空间注意力",
        "输入沿通道各求一次平均与最大，拼成两个通道，经一个 7×7 卷积与 Sigmoid "
        "得到每个位置的权重，再与输入逐位置相乘",
    )
    d.stack(170, 46)
    d.left(14, 36, "输入特征图 F′", "[B, C, H, W]")
    d.line((206, 46), (372, 46), (372, 520), (184, 520))
    d.line((170, 78), (170, 96), head=False)
    for x, color, words in ((88, BLUE, "沿通道求平均"), (252, RED, "沿通道求最大")):
        d.line((170, 96), (x, 96), (x, 116))
        d.box(x, 131, 136, words, color)
        d.line((x, 146), (x, 166), color=color)
        d.grid(x, 190, SPATIAL_SCORES, color, cell=11)
        d.line((x, 214), (x, 250), (170 + (30 if x > 170 else -30), 250), color=color)
    d.text(170, 190, "[B, 1, H, W]", size=12)
    d.stack(170, 250, (1, 1), (BLUE, RED), side=34)
    d.left(262, 272, "拼接：平均、最大", "[B, 2, H, W]")
    d.line((170, 276), (170, 310))
    d.box(170, 325, 190, "7×7 卷积：2 → 1 通道", GREEN)
    d.line((170, 340), (170, 362))
    d.box(170, 377, 104, "Sigmoid", GREY)
    d.line((170, 392), (170, 414))
    d.grid(170, 442, SPATIAL_SCORES, PURPLE, cell=13)
    d.left(14, 432, "空间权重 M_s", "[B, 1, H, W]")
    d.line((170, 470), (170, 507))
    d.operator(170, 520, "×")
    d.line((170, 531), (170, 552))
    for k, color in enumerate(CHANNELS):
        d.grid(170 + 36 * (k - 1.5), 572, SPATIAL_SCORES, color, cell=8)
    d.left(252, 564, "输出 F″ = M_s ⊗ F′", "[B, C, H, W]")
    return d.svg()


def residual_block() -> str:
    """CBAM 在残差块里的位置：第二个卷积之后，与捷径相加之前。"""
    d = Drawing(
        640,
        "CBAM 在残差块里的位置",
        "残差支路先过两个卷积，再依次乘上通道权重与空间权重，最后与捷径相加",
    )
    d.stack(130, 40)
    d.left(14, 32, "输入 x")
    d.left(14, 50, "[B, C, H, W]", size=12)
    d.line((166, 40), (382, 40), (382, 544), (144, 544))
    d.text(300, 26, "捷径")
    convolution = ("3×3 卷积 + 批归一化", GREEN)
    for y, (words, color) in zip(
        (110, 159, 208), (convolution, ("ReLU", GREY), convolution), strict=True
    ):
        d.line((130, y - 34), (130, y - 15))
        d.box(130, y, 176, words, color)
    d.line((130, 223), (130, 249), head=False)
    d.frame(192, 376, 352, 268)
    d.text(52, 260, "CBAM", font_weight="bold")
    _gate(d, 264, ("通道注意力", "M_c [B, C, 1, 1]", "F"), BLUE)
    _gate(d, 386, ("空间注意力", "M_s [B, 1, H, W]", "F′"), PURPLE)
    d.text(112, 500, "F″")
    d.line((130, 508), (130, 531))
    d.operator(130, 544, "+")
    d.line((130, 555), (130, 575))
    d.box(130, 590, 104, "ReLU", GREY)
    d.left(200, 582, "输出 [B, C, H, W]", "大小与输入相同")
    d.line((130, 605), (130, 630))
    return d.svg()


def _gate(d: Drawing, y: float, words: tuple[str, str, str], color: str) -> None:
    """主线在左，门控在右：算出权重，再乘回主线。"""
    title, shape, name = words
    d.line((130, y - 15), (130, y + 83))
    d.text(112, y + 36, name)
    d.line((130, y), (250, y), (250, y + 20))
    d.box(250, y + 35, 120, title, color)
    d.line((250, y + 50), (250, y + 96), (144, y + 96), color=color)
    d.text(308, y + 73, shape, size=12)
    d.operator(130, y + 96, "×", color)
    d.line((130, y + 107), (130, y + 122), head=False)
