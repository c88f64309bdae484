"""自注意力：每个位置向所有位置取信息。序列版、局部版与特征图版。"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vision_attention import checks, geometry

from . import init
from .kernels import fused_attention, split_last
from .precision import match

SOFTMAX_AXES = {"keys": -1, "queries": -2}


class MultiHeadSelfAttention(init.Fixed):
    """多头自注意力：A 个头各自打分、归一化、加权求和，再拼起来。

    形状: x (B, N, D) → (B, N, D)；weights(x) (B, A, N, N)，第三维是查询，第四维是键
    参数: embed_dim 即 D；num_heads 即 A，每头宽 K = D / A；qkv_bias 为三个投影的偏置；
        scale 为真时打分乘 1/√K；softmax_axis 为 keys（每行和为 1）或 queries
       （原笔记的轴，仅供对照）；mask 为布尔 (N, N)，真表示看得见，每行至少一个真
       （沿查询归一化时是每列）；
        fused 为真时用框架的融合核（结果相同，不建权重矩阵）
    单位: 权重无量纲，取值 [0, 1]
    错误: num_heads 不能整除 embed_dim，softmax_axis 不认识或与 fused 矛盾，
        qkv_bias、scale、fused 不是布尔，mask 不合要求，x 不是 (B, N, D) 浮点或
        N 与 mask 不符时抛出 ValueError
    出处: Vaswani 等 2017，arXiv:1706.03762，式 (1) 与 §3.2.2；参数名与 timm 相同
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int = 4,
        *,
        qkv_bias: bool = True,
        scale: bool = True,
        softmax_axis: str = "keys",
        mask: np.ndarray | None = None,
        fused: bool = True,
    ):
        super().__init__()
        width = checks.divisible("embed_dim", embed_dim, "num_heads", num_heads)
        checks.within("embed_dim", 3 * embed_dim**2, "q、k、v 的权重")
        self.axis = SOFTMAX_AXES[
            checks.choice("softmax_axis", softmax_axis, SOFTMAX_AXES)
        ]
        self.fused = checks.flag("fused", fused)
        checks.fused_axis(fused, softmax_axis)
        self.embed_dim = embed_dim
        self.num_heads = num_heads
        self.scale = width**-0.5 if checks.flag("scale", scale) else 1.0
        seen = checks.mask(mask, self.axis)
        self.fix("bias", init.mask_bias(seen))
        qkv_bias = checks.flag("qkv_bias", qkv_bias)
        self.qkv = nn.Linear(embed_dim, 3 * embed_dim, bias=qkv_bias)
        self.proj = nn.Linear(embed_dim, embed_dim)
        init.transformer(self)

    def project(self, x: Tensor) -> list[Tensor]:
        """第一步：同一个 x 投影成查询、键、值，各为 (B, N, A, K)。"""
        checks.tokens(x, self.embed_dim, self.bias)
        match(x, self.qkv)
        heads = (self.num_heads, self.embed_dim // self.num_heads)
        # (B, N, 3D) → (B, N, 3, A, K) → 三个 (B, N, A, K)
        return split_last(self.qkv(x), (3, *heads)).unbind(2)

    def score(self, q: Tensor, k: Tensor) -> Tensor:
        """第二步：查询与键的内积，(B, A, N, N)。"""
        scores = torch.einsum("bnak,bmak->banm", q * self.scale, k)
        return scores if self.bias is None else scores + self.bias[: q.shape[1]]

    def weights(self, x: Tensor) -> Tensor:
        """第三步：沿键归一化。"""
        q, k, _ = self.project(x)
        return F.softmax(self.score(q, k), self.axis)

    def mix(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """第四步：按权重取值，(B, N, A, K)。"""
        if self.fused:
            bias = None if self.bias is None else self.bias[: q.shape[1]]
            return fused_attention(q, k, v, self.scale, bias)
        weights = F.softmax(self.score(q, k), self.axis)
        return torch.einsum("banm,bmak->bnak", weights, v)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.project(x)
        return self.proj(self.mix(q, k, v).flatten(2))  # (B, N, A, K) → (B, N, D)


class LocalitySelfAttention(MultiHeadSelfAttention):
    """局部自注意力（LSA）：不看自己，每个头学一个温度。

    形状: 同 MultiHeadSelfAttention
    参数: embed_dim 即 D；num_tokens 即 N（含分类 token）；num_heads 即 A；
        qkv_bias、fused 同 MultiHeadSelfAttention
    错误: 只有一个 token 时抛出 ValueError；其余同 MultiHeadSelfAttention
    出处: Lee 等 2021，arXiv:2112.13492，§3.2；温度从 1/√K 起步，每头一个，与作者
        代码相同（vit-pytorch 的同名实现所有头共用一个）
    """

    def __init__(
        self,
        embed_dim: int,
        num_tokens: int,
        num_heads: int = 4,
        *,
        qkv_bias: bool = True,
        fused: bool = True,
    ):
        mask = geometry.self_excluded(num_tokens)
        super().__init__(
            embed_dim, num_heads, qkv_bias=qkv_bias, mask=mask, fused=fused
        )
        start = np.full((num_heads, 1), (embed_dim // num_heads) ** -0.5)
        del self.scale
        self.scale = init.parameter(start)


class SelfAttention2d(nn.Module):
    """特征图上的自注意力：原笔记的模块，改到能运行且正确。

    形状: x (B, C, H, W) → (B, C, H, W)；weights(x) (B, A, N, N)，N = H·W
    参数: in_channels 即 C；num_heads 即 A；scale 为真时打分乘 1/√K；softmax_axis 为
        keys 或 queries（原笔记的轴，仅供对照）；gamma 为残差前系数 γ 的起点，
        None 表示没有 γ（恒为 1）；fused 为真时用框架的融合核
    单位: 权重无量纲，取值 [0, 1]
    错误: num_heads 不能整除 in_channels、softmax_axis 不认识或与 fused 矛盾、
        scale、fused 不是布尔、gamma 不是有限的数、x 不是 (B, C, H, W) 浮点时抛出
        ValueError
    出处: Zhang 等 2018（SAGAN），arXiv:1805.08318，式 (1)–(3)，γ 从 0 起步。与作者
        代码的差别：查询与键不缩到 C/8，值不池化，打分乘 1/√K
    """

    def __init__(
        self,
        in_channels: int,
        num_heads: int = 1,
        *,
        scale: bool = True,
        softmax_axis: str = "keys",
        gamma: float | None = 0.0,
        fused: bool = True,
    ):
        super().__init__()
        width = checks.divisible("in_channels", in_channels, "num_heads", num_heads)
        checks.within("in_channels", in_channels**2, "q、k、v 各自的权重")
        self.axis = SOFTMAX_AXES[
            checks.choice("softmax_axis", softmax_axis, SOFTMAX_AXES)
        ]
        self.fused = checks.flag("fused", fused)
        checks.fused_axis(fused, softmax_axis)
        self.in_channels = in_channels
        self.num_heads = num_heads
        self.scale = width**-0.5 if checks.flag("scale", scale) else 1.0
        self.query = nn.Conv2d(in_channels, in_channels, 1)
        self.key = nn.Conv2d(in_channels, in_channels, 1)
        self.value = nn.Conv2d(in_channels, in_channels, 1)
        if gamma is not None:
            gamma = init.parameter([checks.number("gamma", gamma, "有限的小数或 None")])
        self.gamma = gamma
        init.gates(self)

    def split(self, x: Tensor) -> Tensor:
        """展平再转置：(B, C, H, W) → (B, N, A, K)。"""
        b, c, h, w = x.shape
        # 先拆头再转置：(B, A, K, N)
        heads = x.reshape((b, self.num_heads, c // self.num_heads, h * w))
        return torch.einsum("bakn->bnak", heads)

    def project(self, x: Tensor) -> list[Tensor]:
        """查询、键、值，各为 (B, N, A, K)。"""
        checks.feature_map(x, self.in_channels)
        match(x, self.query)
        return [self.split(part(x)) for part in (self.query, self.key, self.value)]

    def score(self, q: Tensor, k: Tensor) -> Tensor:
        """查询与键的内积，(B, A, N, N)。"""
        return torch.einsum("bnak,bmak->banm", q * self.scale, k)

    def weights(self, x: Tensor) -> Tensor:
        q, k, _ = self.project(x)
        return F.softmax(self.score(q, k), self.axis)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.project(x)
        if self.fused:
            mixed = fused_attention(q, k, v, self.scale, None)
        else:
            weights = F.softmax(self.score(q, k), self.axis)
            mixed = torch.einsum("banm,bmak->bnak", weights, v)
        # (B, N, A, K) → (B, A, K, N) → (B, C, H, W)
        mixed = torch.einsum("bnak->bakn", mixed).reshape(x.shape)
        return x + mixed if self.gamma is None else x + self.gamma * mixed
