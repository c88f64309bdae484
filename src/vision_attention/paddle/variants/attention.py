"""自注意力的各种写法：乘多少、沿哪个轴归一化、怎样分头、怎样展平。

内容: SCALES、AXES、SPLITS、MERGES、MASKS 五张表，一行一种写法；
    `attention_tokens` 收一串 token，`attention_map` 收特征图，`notes_attention` 是
    原笔记的代码
"""

from __future__ import annotations

import paddle
from paddle import Tensor
from paddle.nn import functional as F

from .gates import Choice, Weights, dense

# 每头宽 K、总宽 D、token 数 N → 打分乘多少
SCALES = {
    "head": lambda k, d, n: k**-0.5,
    "none": lambda k, d, n: 1.0,
    "width": lambda k, d, n: d**-0.5,
    "tokens": lambda k, d, n: n**-0.5,
    "square": lambda k, d, n: 1 / k,
    "upside_down": lambda k, d, n: k**0.5,
}

# 打分 (B, A, 查询, 键) → 权重
AXES = {
    "keys": lambda scores: F.softmax(scores, -1),
    "queries": lambda scores: F.softmax(scores, -2),
    "heads": lambda scores: F.softmax(scores, 1),
    "everything": lambda scores: F.softmax(scores.flatten(2), -1).reshape(scores.shape),
    "sigmoid": lambda scores: scores.sigmoid(),
    "none": lambda scores: scores,
}


def split(x: Tensor, heads: int) -> Tensor:
    """(B, N, D) → (B, N, A, K)。"""
    b, n, d = x.shape
    return x.reshape((b, n, heads, d // heads))


def view_as_heads(x: Tensor, heads: int) -> Tensor:
    """(B, N, D) 直接 view 成 (B, A, N, K)：没有换轴，各头分到的是几行 token。"""
    b, n, d = x.shape
    mixed = x.reshape((b, heads, n, d // heads))
    return paddle.einsum("bank->bnak", mixed)


def interleaved(x: Tensor, heads: int) -> Tensor:
    """(B, N, D) → (B, N, K, A) 再换轴：一个头取隔开的几列。"""
    b, n, d = x.shape
    return paddle.einsum("bnka->bnak", x.reshape((b, n, d // heads, heads)))


SPLITS = {"heads": split, "view": view_as_heads, "interleaved": interleaved}


def view_as_tokens(x: Tensor) -> Tensor:
    """(B, A, N, K) 没有换回轴就 reshape 成 (B, N, D)。"""
    b, n, a, k = x.shape
    return paddle.einsum("bnak->bank", x).reshape((b, n, a * k))


MERGES = {
    "heads": lambda x: x.flatten(2),
    "view": view_as_tokens,
    "interleaved": lambda x: paddle.einsum("bnak->bnka", x).flatten(2),
}

# 打分、掩码（1 表示看得见，0 表示看不见）→ 遮过的打分
MASKS = {
    "seen": lambda scores, seen: scores + (seen - 1) * 1e9,
    "inverted": lambda scores, seen: scores - seen * 1e9,
    "zeroed": lambda scores, seen: scores * seen,
    "transposed": lambda scores, seen: scores + (seen.T - 1) * 1e9,
    "ignored": lambda scores, seen: scores,
}


def project(w: Weights, x: Tensor, choice: Choice) -> list[Tensor]:
    """查询、键、值，各为 (B, N, D)；swapped 把键与值对调。"""
    q, k, v = (dense(w, name, x) for name in ("query", "key", "value"))
    return [q, v, k] if choice["roles"] == "swapped" else [q, k, v]


def weigh(
    q: Tensor, k: Tensor, choice: Choice, seen: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """打分与权重，各为 (B, A, N, N)；q、k 为 (B, N, A, K)。"""
    _, n, a, width = q.shape
    scores = paddle.einsum("bnak,bmak->banm", q, k)
    scores = scores * SCALES[choice["scale"]](width, a * width, n)
    if seen is not None:
        scores = MASKS[choice["mask"]](scores, seen)
    return scores, AXES[choice["axis"]](scores)


def attend(
    w: Weights, x: Tensor, choice: Choice, seen: Tensor | None = None
) -> dict[str, Tensor]:
    """四步：投影、打分、归一化、加权求和，再过输出的投影（没有就不过）。"""
    heads = int(choice["num_heads"])
    parts = project(w, x, choice)
    q, k, v = (SPLITS[choice["split"]](part, heads) for part in parts)
    scores, weights = weigh(q, k, choice, seen)
    mixed = MERGES[choice["merge"]](paddle.einsum("banm,bmak->bnak", weights, v))
    output = dense(w, "proj", mixed) if "proj" in w else mixed
    return {"打分": scores, "权重": weights, "加权和": mixed, "output": output}


def attention_tokens(
    w: Weights, x: Tensor, choice: Choice, seen: Tensor | None = None
) -> dict[str, Tensor]:
    """序列上的自注意力照选中的写法算一遍。

    形状: x (B, N, D) → 每一步的名字到张量，最后一步为 "output"
    参数: w 为通用写法的权重；choice 为各处选中的写法；seen 为掩码 (N, N)，1 看得见
    """
    steps = attend(w, x, choice, seen)
    if choice["shortcut"] == "added":
        steps["output"] = x + steps["output"]
    return steps


def attention_map(w: Weights, x: Tensor, choice: Choice) -> dict[str, Tensor]:
    """特征图上的自注意力照选中的写法算一遍。

    形状: x (B, C, H, W) → 每一步的名字到张量，最后一步为 "output"
    参数: w 为通用写法的权重；choice 为各处选中的写法
    """
    tokens = paddle.einsum("bcn->bnc", x.flatten(2))
    parts = project(w, tokens, choice)
    if choice["flatten"] == "view":
        # 1×1 卷积的输出没有转置，直接当成 (B, N, C)
        parts = [paddle.einsum("bnc->bcn", p).reshape(p.shape) for p in parts]
    q, k, v = (part.unsqueeze(2) for part in parts)
    scores, weights = weigh(q, k, choice)
    mixed = paddle.einsum("banm,bmak->bnak", weights, v).flatten(2)
    if choice["flatten"] == "transpose":
        mixed = paddle.einsum("bnc->bcn", mixed)
    output = mixed.reshape(x.shape)
    steps = {"打分": scores, "权重": weights, "加权和": output}
    output = w["gamma"] * output if "gamma" in w else output
    return {**steps, "output": x + output if choice["shortcut"] == "added" else output}


def notes_attention(w: Weights, x: Tensor, choice: Choice) -> dict[str, Tensor]:
    """原笔记的 AttentionModule，逐句照抄；只在 W = C、H = 1 时算得出来。

    形状: x (B, C, 1, C) → 每一步的名字到张量，最后一步为 "output"
    参数: w 为通用写法的权重；choice 用不到
    """
    b, c, _, width = x.shape
    tokens = paddle.einsum("bcn->bnc", x.flatten(2))
    parts = [dense(w, name, tokens) for name in ("query", "key", "value")]
    q, k, v = (paddle.einsum("bnc->bcn", part) for part in parts)
    scores = paddle.matmul(q, k)
    weights = F.softmax(scores, 1)
    mixed = paddle.matmul(weights, v).reshape((b, c, 1, width))
    return {"打分": scores, "权重": weights, "加权和": mixed, "output": x + mixed}
