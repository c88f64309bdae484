"""只看通道的两种门：SE（挤压与激励）与 ECA（通道间的一维卷积）。"""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

from vision_attention import checks

from .. import init
from ..pooling import global_mean
from ..precision import match


class SqueezeExcitation(nn.Module):
    """SE：平均池化得到每个通道的描述，两层 MLP 打分。

    形状: x (B, C, H, W) → (B, C, H, W)；gate(x) (B, C, 1, 1)
    参数: in_channels 即 C；reduction_ratio 即 r；min_hidden 为瓶颈宽的下限；
        identity_init 为真时门起步恰为 1：插入后输出一位不变
    单位: 门控无量纲，取值 (0, 1)；identity_init 时取值 (0, 2)
    错误: reduction_ratio、min_hidden、identity_init 不合适，瓶颈宽为 0，
        x 不是 (B, C, H, W) 浮点时抛出 ValueError
    出处: Hu 等 2018，arXiv:1709.01507，式 (2)–(4)；16 是该文的 r
    """

    scale = 1.0

    def __init__(
        self,
        in_channels: int,
        reduction_ratio: int = 16,
        *,
        min_hidden: int = 0,
        identity_init: bool = False,
    ):
        super().__init__()
        hidden = checks.bottleneck(in_channels, reduction_ratio, min_hidden)
        self.in_channels = in_channels
        self.fc1 = nn.Linear(in_channels, hidden)
        self.fc2 = nn.Linear(hidden, in_channels)
        init.gates(self)
        if checks.flag("identity_init", identity_init):
            self.scale = 2.0
            init.zeros(self.fc2)

    def gate(self, x: Tensor) -> Tensor:
        checks.feature_map(x, self.in_channels)
        match(x, self.fc1)
        score = self.fc2(F.relu(self.fc1(global_mean(x))))  # (B, C)
        gate = score.sigmoid().reshape((*score.shape, 1, 1))
        return gate if self.scale == 1 else self.scale * gate

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


class ECA(nn.Module):
    """ECA：相邻的 k 个通道一起打分，没有瓶颈，一共 k 个参数。

    形状: x (B, C, H, W) → (B, C, H, W)；gate(x) (B, C, 1, 1)
    参数: in_channels 即 C；kernel_size 即 k（奇数），默认由 C 算出：
        t = |log2 C + 1| / 2 取整，偶数则加 1，至少为 3；
        identity_init 为真时门起步恰为 1：插入后输出一位不变
    单位: 门控无量纲，取值 (0, 1)；identity_init 时取值 (0, 2)
    错误: kernel_size 为偶数、identity_init 不是真假、x 不是 (B, C, H, W) 浮点时
        抛出 ValueError
    出处: Wang 等 2020，arXiv:1910.03151，式 (12)，γ=2、b=1。与作者代码的差别：
        作者按阶段手工给 k
    """

    scale = 1.0

    def __init__(
        self,
        in_channels: int,
        kernel_size: int | None = None,
        *,
        identity_init: bool = False,
    ):
        super().__init__()
        self.in_channels = checks.positive("in_channels", in_channels)
        if kernel_size is None:
            nearest = int(abs((math.log2(in_channels) + 1) / 2))
            kernel_size = max(nearest + 1 - nearest % 2, 3)
        kernel_size = checks.kernel("kernel_size", kernel_size)
        padding = kernel_size // 2
        self.conv = nn.Conv1d(1, 1, kernel_size, padding=padding, bias=False)
        init.gates(self)
        if checks.flag("identity_init", identity_init):
            self.scale = 2.0
            init.zeros(self.conv)

    def gate(self, x: Tensor) -> Tensor:
        checks.feature_map(x, self.in_channels)
        conv = self.conv  # 每问一次子模块约 0.7 微秒，只问一次
        match(x, conv)
        # 通道当作一维卷积的位置：(B, C) → (B, 1, C)
        score = conv(global_mean(x).unsqueeze(1))
        gate = score.sigmoid().reshape((x.shape[0], self.in_channels, 1, 1))
        return gate if self.scale == 1 else self.scale * gate

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)
