"""从图像到 token 的三种方式：切块、带位移的切块、卷积。"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vision_attention import checks

from . import init
from .kernels import cut_patches, swapped
from .layers import patch_convolution
from .precision import match


class PatchEmbedding(nn.Module):
    """切块：每个 P×P 的小块展平，线性投影成一个 token。

    形状: x (B, C, S, S) → (B, N, D)，N = (S / P)²
    参数: image_size 即 S；patch_size 即 P；in_channels 即 C；embed_dim 即 D
    错误: 四项不是正整数、patch_size 不能整除 image_size、x 的形状不符时抛出
        ValueError
    出处: Dosovitskiy 等 2021，arXiv:2010.11929，式 (1)；参数名与 timm 相同
    """

    def __init__(
        self, image_size: int, patch_size: int, in_channels: int, embed_dim: int
    ):
        super().__init__()
        in_channels = checks.positive("in_channels", in_channels)
        patch_size = checks.positive("patch_size", patch_size)
        checks.positive("embed_dim", embed_dim)
        checks.divisible("image_size", image_size, "patch_size", patch_size)
        self.image_size = image_size
        self.patch_size = patch_size
        self.in_channels = in_channels
        sizes = {"in_channels": in_channels, "embed_dim": embed_dim}
        checks.weight(sizes, patch_size**2, "投影的权重")
        self.proj = patch_convolution(in_channels, embed_dim, patch_size)
        init.transformer(self)

    def forward(self, x: Tensor) -> Tensor:
        checks.image(x, self.in_channels, self.image_size, self.patch_size)
        proj = self.proj  # 每问一次子模块约 0.7 微秒，只问一次
        match(x, proj)
        return swapped(proj(x).flatten(2), 1)  # (B, D, S/P, S/P) → (B, N, D)


class ShiftedPatchEmbedding(nn.Module):
    """带位移的切块（SPT）：原图与四张斜移半块的图一起切块。

    形状: x (B, C, S, S) → (B, N, D)，N = (S / P)²
    参数: 同 PatchEmbedding
    错误: 同 PatchEmbedding；patch_size 小于 2 时没有半块，也抛出 ValueError
    出处: Lee 等 2021，arXiv:2112.13492，式 (3)–(5)：斜移半块、拼接、切块、层归一化、
        线性投影（vit-pytorch 的同名实现是上下左右各移 1 像素）
    """

    def __init__(
        self, image_size: int, patch_size: int, in_channels: int, embed_dim: int
    ):
        super().__init__()
        in_channels = checks.positive("in_channels", in_channels)
        patch_size = checks.positive("patch_size", patch_size)
        checks.positive("embed_dim", embed_dim)
        self.grid = checks.divisible("image_size", image_size, "patch_size", patch_size)
        self.half = checks.half_patch(patch_size)
        self.image_size = image_size
        self.patch_size = patch_size
        self.in_channels = in_channels
        sizes = {"in_channels": in_channels, "embed_dim": embed_dim}
        checks.weight(sizes, 5 * patch_size**2, "投影的权重")
        inputs = 5 * in_channels * patch_size**2
        self.norm = init.LayerNorm(inputs, 1e-6)
        self.proj = nn.Linear(inputs, embed_dim)
        init.transformer(self)

    def shift(self, x: Tensor) -> Tensor:
        """原图与左上、右上、左下、右下四张位移图，空出的地方补 0：(B, 5C, S, S)。"""
        padded = F.pad(x, [self.half] * 4)  # (B, C, S + 2·half, S + 2·half)
        far, size = 2 * self.half, self.image_size
        corners = [(far, far), (far, 0), (0, far), (0, 0)]
        shifted = [padded[:, :, i : i + size, j : j + size] for i, j in corners]
        return torch.concat([x, *shifted], 1)

    def forward(self, x: Tensor) -> Tensor:
        checks.image(x, self.in_channels, self.image_size, self.patch_size)
        match(x, self.proj)
        # (B, C, S, S) → (B, 5C, S, S) → (B, N, 5C·P²) → (B, N, D)
        return self.proj(self.norm(cut_patches(self.shift(x), self.grid)))


class ConvTokenizer(nn.Module):
    """卷积分词（CCT）：3×3 卷积、ReLU、步长 2 的最大池化，重复到与切块同样密。

    形状: x (B, C, S, S) → (B, N, D)，N = (S / P)²
    参数: 同 PatchEmbedding；P 为 2 的幂，重复 log2 P 次
    错误: 同 PatchEmbedding；patch_size 不是 2 的幂时也抛出 ValueError
    出处: Hassani 等 2021，arXiv:2104.05704，§3.2 与作者代码：卷积不带偏置；
        中间层宽 64 照作者代码
    """

    def __init__(
        self, image_size: int, patch_size: int, in_channels: int, embed_dim: int
    ):
        super().__init__()
        checks.positive("in_channels", in_channels)
        checks.positive("embed_dim", embed_dim)
        checks.divisible("image_size", image_size, "patch_size", patch_size)
        repeats = round(math.log2(checks.power_of_two("patch_size", patch_size)))
        widths = [in_channels, *[64] * (repeats - 1), embed_dim]
        self.image_size = image_size
        self.patch_size = patch_size
        self.in_channels = in_channels
        layers = []
        for width, following in itertools.pairwise(widths):
            sizes = {"in_channels": width, "embed_dim": following}
            checks.weight(sizes, 9, "一层 3×3 卷积的权重")
            layers += [
                nn.Conv2d(width, following, 3, padding=1, bias=False),
                nn.ReLU(),
                nn.MaxPool2d(3, 2, 1),
            ]
        self.layers = nn.Sequential(*layers)
        init.convolutions(self)

    def forward(self, x: Tensor) -> Tensor:
        checks.image(x, self.in_channels, self.image_size, self.patch_size)
        match(x, self.layers)
        return swapped(self.layers(x).flatten(2), 1)  # (B, D, S/P, S/P) → (B, N, D)
