"""视觉 Transformer：块、分类头之前的汇集、整个模型。"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vision_attention import checks, geometry, initial
from vision_attention.specs import ViTSpec

from . import init
from .precision import match
from .self_attention import LocalitySelfAttention, MultiHeadSelfAttention
from .tokens import ConvTokenizer, PatchEmbedding, ShiftedPatchEmbedding

TOKENIZERS = {
    "patch": PatchEmbedding,
    "shifted": ShiftedPatchEmbedding,
    "conv": ConvTokenizer,
}


class DropPath(nn.Module):
    """随机深度：训练时按样本丢掉整条支路，留下的放大 1 / (1 − rate)。

    形状: x (B, N, D) → (B, N, D)
    参数: rate 为丢弃的概率
    单位: 概率，[0, 1)
    错误: rate 超出范围时抛出 ValueError
    出处: Huang 等 2016，arXiv:1603.09382
    """

    def __init__(self, rate: float = 0.0):
        super().__init__()
        self.rate = checks.fraction("drop_path_rate", rate)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        return x * F.dropout(torch.ones_like(x[:, :1, :1]), self.rate)


class MLP(nn.Module):
    """逐 token 的两层 MLP，中间 GELU。

    形状: x (B, N, D) → (B, N, D)
    参数: embed_dim 即 D；hidden_dim 为中间宽
    错误: 两个宽不是正整数时抛出 ValueError
    出处: Dosovitskiy 等 2021，§3.1；参数名与 timm 相同
    """

    def __init__(self, embed_dim: int, hidden_dim: int):
        super().__init__()
        checks.positive("embed_dim", embed_dim)
        checks.positive("hidden_dim", hidden_dim)
        self.fc1 = nn.Linear(embed_dim, hidden_dim)
        self.fc2 = nn.Linear(hidden_dim, embed_dim)
        init.transformer(self)

    def forward(self, x: Tensor) -> Tensor:
        match(x, self.fc1.weight)
        return self.fc2(F.gelu(self.fc1(x)))


class TransformerBlock(nn.Module):
    """Transformer 块：先归一化再注意力，先归一化再 MLP，各带残差。

    形状: x (B, N, D) → (B, N, D)；forward(x, keep) 只更新并留下前 keep 个 token，
        → (B, keep, D)，与算完再取前 keep 个相等（注意力沿键归一化时才成立）
    参数: embed_dim 即 D；attention 为任意 (B, N, D) → (B, N, D) 的注意力；
        mlp_ratio 为 MLP 中间宽与 D 之比；drop_path_rate 为随机深度的丢弃率
    错误: mlp_ratio 不是正数或太小、drop_path_rate 超出 [0, 1) 时抛出 ValueError
    出处: Dosovitskiy 等 2021，arXiv:2010.11929，式 (2)–(3)；eps 1e-6 与 timm 相同
    """

    def __init__(
        self,
        embed_dim: int,
        attention: nn.Module,
        mlp_ratio: float = 4.0,
        drop_path_rate: float = 0.0,
    ):
        super().__init__()
        hidden_dim = checks.mlp_width(
            checks.positive("embed_dim", embed_dim), mlp_ratio
        )
        self.norm1 = nn.LayerNorm(embed_dim, 1e-6)
        self.attn = attention
        self.norm2 = nn.LayerNorm(embed_dim, 1e-6)
        self.mlp = MLP(embed_dim, hidden_dim)
        self.drop_path = DropPath(drop_path_rate)

    def forward(self, x: Tensor, keep: int | None = None) -> Tensor:
        seen = self.norm1(x)
        mixed = self.attn(seen) if keep is None else self.attn(seen, keep)
        x = x[:, :keep] + self.drop_path(mixed)
        return x + self.drop_path(self.mlp(self.norm2(x)))


class SequencePool(nn.Module):
    """序列汇集：给每个 token 打分，softmax 加权求和，代替分类 token。

    形状: x (B, N, D) → (B, D)；weights(x) (B, N)
    参数: embed_dim 即 D
    错误: embed_dim 不是正整数时抛出 ValueError
    出处: Hassani 等 2021，arXiv:2104.05704，§3.2
    """

    def __init__(self, embed_dim: int):
        super().__init__()
        self.score = nn.Linear(checks.positive("embed_dim", embed_dim), 1)
        init.transformer(self)

    def weights(self, x: Tensor) -> Tensor:
        match(x, self.score.weight)
        return F.softmax(self.score(x).squeeze(2), 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("bn,bnd->bd", self.weights(x), x)


class ViT(nn.Module):
    """视觉 Transformer：切块成 token，加位置，过 L 个块，汇集后分类。

    形状: x (B, C, S, S) →（B, 类别数）
    参数: spec 为 ViTSpec，见该类各字段
    错误: x 的形状或数据类型不符时抛出 ValueError；尺寸的错误由 ViTSpec 抛出
    出处: Dosovitskiy 等 2021，arXiv:2010.11929，图 1；参数名与 timm 相同
    """

    def __init__(self, spec: ViTSpec):
        super().__init__()
        self.spec = spec
        self.patch_embed = TOKENIZERS[spec.tokenizer](
            spec.image_size, spec.patch_size, spec.in_channels, spec.embed_dim
        )
        self.cls_token = None
        if spec.pool == "class":
            shape = (1, 1, spec.embed_dim)
            self.cls_token = init.parameter(initial.normal(shape, 0.02))
        if spec.position == "learned":
            shape = (1, spec.num_tokens, spec.embed_dim)
            self.pos_embed = init.parameter(initial.normal(shape, 0.02))
        else:
            self.register_buffer("pos_embed", fixed_position(spec), False)
        rates = spec.drop_path_rates()
        self.blocks = nn.Sequential(*[build_block(spec, rate) for rate in rates])
        self.norm = nn.LayerNorm(spec.embed_dim, 1e-6)
        self.pool = SequencePool(spec.embed_dim) if spec.pool == "sequence" else None
        self.head = nn.Linear(spec.embed_dim, spec.num_classes)
        init.transformer(self.head)

    def embed(self, x: Tensor) -> Tensor:
        """图像变成带位置的 token，(B, N, D)。"""
        x = self.patch_embed(x)
        if self.cls_token is not None:
            x = torch.concat([self.cls_token.expand((x.shape[0], -1, -1)), x], 1)
        return x if self.pos_embed is None else x + self.pos_embed

    def features(self, x: Tensor) -> Tensor:
        """分类头之前的特征，(B, D)。"""
        x = self.embed(x)
        *earlier, last = self.blocks
        for block in earlier:
            x = block(x)
        if self.cls_token is not None:
            # 分类只看分类 token，最后一块就只替它算
            return self.norm(last(x, 1))[:, 0]
        x = self.norm(last(x))
        return x.mean(1) if self.pool is None else self.pool(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


def fixed_position(spec: ViTSpec) -> Tensor | None:
    """不学习的位置编码 (1, N, D)：二维正弦余弦（分类 token 处为 0），或没有。"""
    if spec.position == "none":
        return None
    waves = geometry.sincos_2d(spec.grid, spec.embed_dim)
    if spec.pool == "class":
        waves = np.pad(waves, ((1, 0), (0, 0)))
    return init.buffer(waves[None])


def build_block(spec: ViTSpec, drop_path_rate: float) -> TransformerBlock:
    """按 spec 建一个块；注意力为全局、窗口或 LSA。"""
    if spec.attention == "locality":
        attention = LocalitySelfAttention(
            spec.embed_dim, spec.num_tokens, spec.num_heads, qkv_bias=spec.qkv_bias
        )
    else:
        mask = None
        if spec.attention == "window":
            mask = geometry.window_mask(spec.grid, spec.window, spec.pool == "class")
        attention = MultiHeadSelfAttention(
            spec.embed_dim, spec.num_heads, qkv_bias=spec.qkv_bias, mask=mask
        )
    return TransformerBlock(spec.embed_dim, attention, spec.mlp_ratio, drop_path_rate)
