"""两翼写法不同的几个算子：结果相同，各用自己框架里最快的那一种。

内容: `fused_attention` 融合注意力，两翼的布局在这里对齐；`cut_patches` 切块；
    `split_last` 拆开最后一维；`swapped` 相邻的两维对调
"""

from __future__ import annotations

import paddle
from paddle import Tensor
from paddle.nn import functional as F

from .modes import eager


def fused_attention(
    q: Tensor, k: Tensor, v: Tensor, scale: Tensor | float, bias: Tensor | None
) -> Tensor:
    """softmax(scale · q kᵀ + bias) v，一步算完。

    形状: q (B, N, A, K)、k 与 v (B, M, A, K) → (B, N, A, K)；bias (N, M)
    参数: scale 为标量，或每头一个 (A, 1)；bias 加在打分上，看不见处为 −∞
    出处: PyTorch 的布局是 (B, A, N, K)，Paddle 是 (B, N, A, K)：喂错形状也对得上，
        数却是错的
    """
    if not eager() or q.place.is_cpu_place():
        # CPU 上 Paddle 的融合核也要建权重，而且慢几倍：不如照式子写；静态图不知道将来
        # 在哪里算，也照式子写
        scores = paddle.einsum("bnak,bmak->banm", q * scale, k)
        weights = F.softmax(scores if bias is None else scores + bias, -1)
        return paddle.einsum("banm,bmak->bnak", weights, v)
    # 核里自带 1/√K，先乘回 √K
    q = q * (scale * q.shape[-1] ** 0.5)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias)


def cut_patches(x: Tensor, grid: int) -> Tensor:
    """切块并展平：每块的数按（通道，行，列）排，与步长等于核宽的卷积相同。

    形状: x (B, C, S, S) → (B, N, C·P·P)，N = grid²，P = S / grid
    参数: grid 为每边的块数
    """
    b, c, size, _ = x.shape
    side = size // grid
    # 行、列各拆成（第几块，块里第几个），再把块排到前面
    cells = x.reshape((b, c, grid, side, grid, side))
    return cells.transpose((0, 2, 4, 1, 3, 5)).reshape(
        (b, grid * grid, c * side * side)
    )


def split_last(x: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """最后一维拆成几维。

    形状: x (…, D) → (…, *sizes)，D 为 sizes 的乘积
    """
    if eager():
        return x.unflatten(-1, sizes)
    # 静态图里未知的几维都写成 0，即照旧；空的一批却不能这样写，0 在那里就是 0
    return x.reshape((0,) * (x.ndim - 1) + tuple(sizes))


def swapped(x: Tensor, axis: int) -> Tensor:
    """第 axis 维与它后面的一维对调。

    形状: x (…, H, W, …) → (…, W, H, …)
    """
    return x.moveaxis(axis, axis + 1)
