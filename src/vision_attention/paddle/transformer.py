"""Transformer 块：随机深度、MLP，与注意力合成一块。"""

from __future__ import annotations

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

from vision_attention import checks

from . import init
from .precision import match


class DropPath(nn.Layer):
    """随机深度：训练时按样本丢掉整条支路，留下的放大 1 / (1 − rate)。

    形状: x (B, N, D) → (B, N, D)
    参数: rate 为丢弃的概率
    单位: 概率，[0, 1)
    错误: rate 超出范围，或训练时 x 不是 (B, N, D) 浮点时抛出 ValueError
    出处: Huang 等 2016，arXiv:1603.09382
    """

    def __init__(self, rate: float = 0.0):
        super().__init__()
        self.rate = checks.fraction("drop_path_rate", rate)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        checks.tokens(x, 0)
        match(x)
        # 一张图一个数：(B, 1, 1)
        return x * F.dropout(paddle.ones_like(x[:, :1, :1]), self.rate)


class MLP(nn.Layer):
    """逐 token 的两层 MLP，中间 GELU。

    形状: x (B, N, D) → (B, N, D)
    参数: embed_dim 即 D；hidden_dim 为中间宽
    错误: 两个宽不是正整数，或 x 的最后一维不是 D 时抛出 ValueError
    出处: Dosovitskiy 等 2021，§3.1；参数名与 timm 相同
    """

    def __init__(self, embed_dim: int, hidden_dim: int):
        super().__init__()
        checks.positive("embed_dim", embed_dim)
        checks.positive("hidden_dim", hidden_dim)
        sizes = {"embed_dim": embed_dim, "hidden_dim": hidden_dim}
        checks.weight(sizes, 1, "MLP 的一个权重")
        self.embed_dim = embed_dim
        self.fc1 = nn.Linear(embed_dim, hidden_dim)
        self.fc2 = nn.Linear(hidden_dim, embed_dim)
        init.transformer(self)

    def forward(self, x: Tensor) -> Tensor:
        checks.wide(x, self.embed_dim)
        match(x, self.fc1)
        return self.fc2(F.gelu(self.fc1(x)))


class TransformerBlock(nn.Layer):
    """Transformer 块：先归一化再注意力，先归一化再 MLP，各带残差。

    形状: x (B, N, D) → (B, N, D)
    参数: embed_dim 即 D；attention 为任意 (B, N, D) → (B, N, D) 的注意力；
        mlp_ratio 为 MLP 中间宽与 D 之比；drop_path_rate 为随机深度的丢弃率
    错误: mlp_ratio 不是正数或太小、drop_path_rate 超出 [0, 1)，或 x 的最后一维不是 D
        时抛出 ValueError
    出处: Dosovitskiy 等 2021，arXiv:2010.11929，式 (2)–(3)；eps 1e-6 与 timm 相同
    """

    def __init__(
        self,
        embed_dim: int,
        attention: nn.Layer,
        mlp_ratio: float = 4.0,
        drop_path_rate: float = 0.0,
    ):
        super().__init__()
        hidden_dim = checks.mlp_width(
            checks.positive("embed_dim", embed_dim), mlp_ratio
        )
        self.embed_dim = embed_dim
        self.norm1 = init.LayerNorm(embed_dim, 1e-6)
        self.attn = attention
        self.norm2 = init.LayerNorm(embed_dim, 1e-6)
        self.mlp = MLP(embed_dim, hidden_dim)
        self.drop_path = DropPath(drop_path_rate)

    def forward(self, x: Tensor) -> Tensor:
        checks.wide(x, self.embed_dim)
        match(x)
        x = x + self.drop_path(self.attn(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))
