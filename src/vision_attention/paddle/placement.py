"""把注意力放进卷积网络：用哪种、加在哪里、哪些阶段。"""

from __future__ import annotations

from paddle import Tensor, nn

from vision_attention import checks
from vision_attention.specs import AttentionSpec

from .gates import GATES
from .self_attention import SelfAttention2d

ATTENTION = {**GATES, "self_attention": SelfAttention2d}


class Residual(nn.Layer):
    """残差相加，三个位置各可放一个注意力：y = out（f(x) ⊙ 支路 + 捷径）。

    形状: x (B, C, H, W) → (B, C', H', W')
    参数: branch 为支路 f；shortcut 为捷径（恒等或 1×1 卷积）；activation 为相加之后
        的非线性
    出处: He 等 2016，arXiv:1512.03385，图 2；支路末端是 CBAM 与 SE 论文的位置
    """

    def __init__(self, branch: nn.Layer, shortcut: nn.Layer, activation: nn.Layer):
        super().__init__()
        self.branch = branch
        self.shortcut = shortcut
        self.activation = activation
        self.branch_attention = nn.Identity()
        self.identity_attention = nn.Identity()
        self.output_attention = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        residual = self.branch_attention(self.branch(x))
        identity = self.identity_attention(self.shortcut(x))
        return self.output_attention(self.activation(residual + identity))


def insert_attention(stages: nn.Layer, widths: list[int], spec: AttentionSpec) -> None:
    """在选定的阶段里，给每个块装上注意力。

    网络的其余部分此前已初始化，所以同一个种子下，装与不装注意力的两个网络
    其余权重逐位相同。

    参数: stages 为各个阶段；widths 为各阶段的输出通道数；spec 见 AttentionSpec
    错误: 注意力的名字或参数不认识时抛出 ValueError
    """
    if checks.choice("attention", spec.attention, ["none", *ATTENTION]) == "none":
        return
    for number, (stage, width) in enumerate(zip(stages, widths, strict=True), 1):
        if number in spec.stages:
            for block in stage:
                attention = build_attention(spec, width)
                setattr(block, f"{spec.placement}_attention", attention)


def build_attention(spec: AttentionSpec, in_channels: int) -> nn.Layer:
    """按 spec 建一个注意力。"""
    return checks.construct(
        "attention", spec.attention, ATTENTION, in_channels, spec.attention_options
    )
