"""CBAM 的各项设置在模块里的位置：左边是数据走的路，右边是可以拧的旋钮。"""

from __future__ import annotations

from tools.figures.kit import BLUE, GREEN, GREY, PURPLE, Drawing

STEPS = (
    (76, "平均与最大池化", BLUE, ("① 池化", "两样都用，或只用一样")),
    (146, "两层 MLP", GREEN, ("② 瓶颈宽", "缩减倍数 r，宽的下限")),
    (216, "合并两个描述", GREEN, ("③ 怎样合并", "共享、分开、拼接")),
    (286, "Sigmoid，相乘", GREY, ("④ 从几起步", "一半，或恒等")),
    (376, "沿通道平均与最大", PURPLE, ("① 池化", "与上面同一个旋钮")),
    (446, "卷积打分", PURPLE, ("⑤ 核宽、写法", "k 取 1、3、5、7；多尺度")),
    (516, "批归一化（可选）", GREY, ("⑥ 归一化", "加，或不加")),
    (586, "Sigmoid，相乘", GREY, ("④ 从几起步", "与上面同一个旋钮")),
)


def knobs() -> str:
    """一个 CBAM 里的七个旋钮；第七个是上下两道门的次序。"""
    d = Drawing(
        690,
        "CBAM 的七个旋钮",
        "上半是通道门：池化、两层 MLP、合并、Sigmoid 相乘；下半是空间门：沿通道池化、"
        "卷积、批归一化、Sigmoid 相乘。右边标着各步的设置，两道门的次序也可以换",
    )
    d.text(112, 20, "输入 F")
    d.line((112, 30), (112, 61))
    d.frame(112, 181, 196, 260, GREEN)
    d.frame(112, 481, 196, 260, PURPLE)
    for (y, words, color, (knob, options)), following in zip(
        STEPS, [*STEPS[1:], None], strict=True
    ):
        d.box(112, y, 160, words, color)
        d.left(226, y - 9, knob, options)
        if following:
            d.line((112, y + 15), (112, following[0] - 15))
    d.line((112, 601), (112, 640))
    d.text(112, 656, "输出")
    d.left(226, 334, "⑦ 次序：谁先谁后，或并联", size=13)
    return d.svg()
