"""视觉 Transformer：分类头之前的汇集、整个模型。"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vision_attention import checks, geometry, initial
from vision_attention.specs import ViTSpec

from . import init
from .last_block import class_token, unseen
from .precision import match
from .self_attention import LocalitySelfAttention, MultiHeadSelfAttention
from .tokens import ConvTokenizer, PatchEmbedding, ShiftedPatchEmbedding
from .transformer import TransformerBlock

TOKENIZERS = {
    "patch": PatchEmbedding,
    "shifted": ShiftedPatchEmbedding,
    "conv": ConvTokenizer,
}


class SequencePool(nn.Module):
    """序列汇集：给每个 token 打分，softmax 加权求和，代替分类 token。

    形状: x (B, N, D) → (B, D)；weights(x) (B, N)
    参数: embed_dim 即 D
    错误: embed_dim 不是正整数，或 x 不是 (B, N, D) 浮点时抛出 ValueError
    出处: Hassani 等 2021，arXiv:2104.05704，§3.2
    """

    def __init__(self, embed_dim: int):
        super().__init__()
        self.embed_dim = checks.positive("embed_dim", embed_dim)
        self.score = nn.Linear(embed_dim, 1)
        init.transformer(self)

    def weights(self, x: Tensor) -> Tensor:
        checks.tokens(x, self.embed_dim)
        match(x, self.score)
        return F.softmax(self.score(x).squeeze(2), 1)  # (B, N, 1) → (B, N)

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("bn,bnd->bd", self.weights(x), x)


class ViT(init.Fixed):
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
            self.fix("pos_embed", fixed_position(spec))
        rates = spec.drop_path_rates()
        self.blocks = nn.Sequential(*[build_block(spec, rate) for rate in rates])
        self.norm = init.LayerNorm(spec.embed_dim, 1e-6)
        self.pool = SequencePool(spec.embed_dim) if spec.pool == "sequence" else None
        self.head = nn.Linear(spec.embed_dim, spec.num_classes)
        init.transformer(self.head)

    def embed(self, x: Tensor) -> Tensor:
        """图像变成带位置的 token，(B, N, D)。"""
        x = self.patch_embed(x)  # (B, C, S, S) → (B, grid², D)
        if self.cls_token is not None:
            x = torch.concat([self.cls_token.expand((x.shape[0], -1, -1)), x], 1)
        return x if self.pos_embed is None else x + self.pos_embed

    def short(self) -> bool:
        """最后一块走不走近路，见 last_block。"""
        return self.cls_token is not None and unseen(self.blocks, self.norm)

    def features(self, x: Tensor) -> Tensor:
        """分类头之前的特征，(B, D)。"""
        x = self.embed(x)  # (B, N, D)
        if self.cls_token is None:
            x = self.norm(self.blocks(x))
            return x.mean(1) if self.pool is None else self.pool(x)
        if not self.short():
            return self.norm(self.blocks(x))[:, 0]
        *earlier, last = self.blocks
        for block in earlier:
            x = block(x)
        # 分类只看分类 token：没有人在看，最后一块就只替它算
        return self.norm(class_token(last, x))[:, 0]

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


def fixed_position(spec: ViTSpec) -> np.ndarray | None:
    """不学习的位置编码 (1, N, D)：二维或一维正弦余弦（分类 token 处为 0），或没有。"""
    if spec.position == "none":
        return None
    code = geometry.sincos_2d if spec.position == "sincos" else geometry.sincos_1d
    waves = code(spec.grid, spec.embed_dim)
    if spec.pool == "class":
        waves = np.pad(waves, ((1, 0), (0, 0)))
    return waves[None]


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
