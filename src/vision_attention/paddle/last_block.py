"""最后一块的近路：分类只看分类 token，最后一块就只替它算，结果不变。

从外面看不出来：有人挂钩子、换零件、追踪或导出时，不走这条路，每一块都照常算。

- `unseen`：走不走得
- `class_token`：走过去
- `spared`：省下多少乘加
"""

from __future__ import annotations

import math

from paddle import Tensor, nn

from vision_attention import checks

from . import init
from .layers import narrow, part, triples, untouched
from .modes import eager
from .self_attention import LocalitySelfAttention, MultiHeadSelfAttention
from .transformer import MLP, DropPath, TransformerBlock

ATTENTION = (MultiHeadSelfAttention, LocalitySelfAttention)
LEAVES = (DropPath, *[init.LayerNorm] * 3, *[nn.Linear] * 4)
KINDS = (nn.Sequential, TransformerBlock, *ATTENTION, MLP, *LEAVES)
FORWARD = {kind: kind.forward for kind in KINDS}
# 近路替它走的，与照着它的查询个数走的几步
STEPS = {n: getattr(MultiHeadSelfAttention, n) for n in ("project", "score", "mix")}


def unseen(blocks: nn.Layer, norm: nn.Layer) -> bool:
    """走不走得：最后一块与它之后的归一化都是原来的样子，也没有人在看。

    参数: blocks 为全部的块；norm 为最后的归一化
    """
    if not eager() or type(blocks) is not nn.Sequential or not len(blocks):
        return False
    block = blocks[-1]
    if type(block) is not TransformerBlock:
        return False
    attn, mlp = block.attn, block.mlp
    if type(attn) not in ATTENTION or type(mlp) is not MLP:
        return False
    norms = (block.norm1, block.norm2, norm)
    linears = (attn.qkv, attn.proj, mlp.fc1, mlp.fc2)
    leaves = (block.drop_path, *norms, *linears)
    return (
        tuple(map(type, leaves)) == LEAVES
        and attn.axis == -1  # 沿键归一化，各个查询才互不相干
        and all(map(narrow, norms))
        and triples(attn.qkv, attn.embed_dim)
        # 类里的方法也可能被换掉，实例上也可能另写一个
        and all(kind.forward is known for kind, known in FORWARD.items())
        and all(getattr(type(attn), name) is step for name, step in STEPS.items())
        and STEPS.keys().isdisjoint(vars(attn))
        and untouched((blocks, block, attn, mlp, *leaves))
    )


def class_token(block: TransformerBlock, x: Tensor) -> Tensor:
    """只替分类 token 算一块：与算完整块再取第一个相等。

    形状: x (B, N, D) → (B, 1, D)
    参数: block 为 unseen 放行的最后一块
    """
    x = x[:, :1] + block.drop_path(_attend(block.attn, block.norm1(x)))
    return x + block.drop_path(block.mlp(block.norm2(x)))


def _attend(attn: MultiHeadSelfAttention, x: Tensor) -> Tensor:
    checks.tokens(x, attn.embed_dim, attn.bias)
    d = attn.embed_dim
    heads = (attn.num_heads, d // attn.num_heads)
    q = part(attn.qkv, x[:, :1], 0, d).unflatten(2, heads)  # (B, 1, A, K)
    # (B, N, 2D) → (B, N, 2, A, K) → 两个 (B, N, A, K)
    k, v = part(attn.qkv, x, d, 3 * d).unflatten(2, (2, *heads)).unbind(2)
    return attn.proj(attn.mix(q, k, v).flatten(2))  # (B, 1, D)


def spared(block: TransformerBlock, count: int) -> int:
    """走近路省下的乘加，一张图。

    参数: count 即 N
    单位: 乘加
    """
    d = block.attn.embed_dim
    layers = (block.attn.proj, block.mlp.fc1, block.mlp.fc2)
    weights = sum(math.prod(layer.weight.shape) for layer in layers)
    # 查询占 d²，打分与取值各 N·d
    return (count - 1) * (weights + d * d + 2 * count * d)
