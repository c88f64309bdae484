"""融合注意力：交给框架自己的核，不建 N × N 的权重。两翼的布局在这里对齐。"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def fused_attention(
    q: Tensor, k: Tensor, v: Tensor, scale: Tensor | float, bias: Tensor | None
) -> Tensor:
    """softmax(scale · q kᵀ + bias) v，一步算完。

    形状: q、k、v (B, N, A, K) → (B, N, A, K)；bias (N, N)
    参数: scale 为标量，或每头一个 (A, 1)；bias 加在打分上，看不见处为 −∞
    出处: PyTorch 的布局是 (B, A, N, K)，Paddle 是 (B, N, A, K)：喂错形状也对得上，
        数却是错的
    """
    # 核里自带 1/√K，先乘回 √K
    q = q * (scale * q.shape[-1] ** 0.5)
    q, k, v = (part.transpose(1, 2) for part in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias).transpose(1, 2)
