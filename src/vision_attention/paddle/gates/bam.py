"""BAM：通道与空间两路打分合在一起，门的取值在 (1, 2)。"""

from __future__ import annotations

from paddle import Tensor, nn
from paddle.nn import functional as F

from vision_attention import checks

from .. import init
from ..precision import match

COMBINATIONS = ("add", "multiply")


class BAM(nn.Layer):
    """BAM：1 + σ（通道打分 与 空间打分），只能放大，不能关上。

    形状: x (B, C, H, W) → (B, C, H, W)；gate(x) (B, C, H, W)
    参数: in_channels 即 C；reduction_ratio 即 r；dilation 为空间路两个 3×3 卷积的
        空洞率；combine 为两路打分的合并：add 照论文，multiply 照作者代码；
        min_hidden 为瓶颈宽的下限
    单位: 门控无量纲，取值 (1, 2)
    错误: reduction_ratio、min_hidden 不合适，瓶颈宽为 0，dilation 不是正整数，
        combine 不认识，x 不是 (B, C, H, W) 浮点，训练时 B=1（批归一化没有方差
        可算）时抛出 ValueError
    出处: Park 等 2018，arXiv:1807.06514，式 (2)–(5)；16 与 4 是该文的 r 与 d。
        与作者代码的差别：默认相加；通道路的批归一化照作者代码放在 ReLU 之前
    """

    def __init__(
        self,
        in_channels: int,
        reduction_ratio: int = 16,
        *,
        dilation: int = 4,
        combine: str = "add",
        min_hidden: int = 0,
    ):
        super().__init__()
        hidden = checks.bottleneck(in_channels, reduction_ratio, min_hidden)
        dilation = checks.positive("dilation", dilation, checks.WIDEST_KERNEL)
        self.in_channels = in_channels
        self.combine = checks.choice("combine", combine, COMBINATIONS)
        self.channel = nn.Sequential(
            nn.Conv2D(in_channels, hidden, 1),
            init.batch_norm(hidden),
            nn.ReLU(),
            nn.Conv2D(hidden, in_channels, 1),
        )
        self.spatial = nn.Sequential(
            *conv_norm_relu(in_channels, hidden, 1, 1),
            *conv_norm_relu(hidden, hidden, 3, dilation),
            *conv_norm_relu(hidden, hidden, 3, dilation),
            nn.Conv2D(hidden, 1, 1),
        )
        init.gates(self)

    def gate(self, x: Tensor) -> Tensor:
        checks.feature_map(x, self.in_channels)
        match(x, self.spatial[0])
        pooled = F.adaptive_avg_pool2d(x, 1)  # (B, C, 1, 1)
        checks.batch_norm_input(
            pooled, lambda: init.uses_batch_statistics(self.channel)
        )
        checks.batch_norm_input(x, lambda: init.uses_batch_statistics(self.spatial))
        channel = self.channel(pooled)  # (B, C, 1, 1)
        spatial = self.spatial(x)  # (B, 1, H, W)
        if self.combine == "multiply":
            return 1 + (channel * spatial).sigmoid()
        return 1 + (channel + spatial).sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


def conv_norm_relu(
    in_channels: int, out_channels: int, kernel_size: int, dilation: int
) -> list[nn.Layer]:
    """卷积、批归一化、ReLU，输出与输入同样大。"""
    padding = dilation * (kernel_size - 1) // 2
    return [
        nn.Conv2D(
            in_channels, out_channels, kernel_size, padding=padding, dilation=dilation
        ),
        init.batch_norm(out_channels),
        nn.ReLU(),
    ]
