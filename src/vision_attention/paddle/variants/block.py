"""ViT 的块与入口的各种写法：归一化放在哪里、残差、激活、分类 token、位置。

内容: ACTIVATIONS、TOKENS 两张表；`vit_block` 一个块，`vit_tokens` 图像变成带位置的
    token
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi

import paddle
from paddle import Tensor
from paddle.nn import functional as F

from .attention import attend
from .gates import Choice, Weights, dense


def gelu_tanh(x: Tensor) -> Tensor:
    """GELU 的 tanh 近似。"""
    inner = (x + 0.044715 * x * x * x) * (2 / pi) ** 0.5
    return x * (1 + inner.tanh()) / 2


ACTIVATIONS = {
    "gelu": F.gelu,
    "tanh": gelu_tanh,
    "relu": F.relu,
    "none": lambda x: x,
}


def layer_norm(w: Weights, name: str, x: Tensor) -> Tensor:
    """沿最后一维归一化。"""
    centred = x - x.mean(-1, keepdim=True)
    variance = (centred * centred).mean(-1, keepdim=True)
    return centred / (variance + w[f"{name}.eps"]) ** 0.5 * w[name] + w[f"{name}.bias"]


def vit_block(w: Weights, x: Tensor, choice: Choice) -> dict[str, Tensor]:
    """Transformer 块照选中的写法算一遍。

    形状: x (B, N, D) → 每一步的名字到张量，最后一步为 "output"
    参数: w 为通用写法的权重；choice 为各处选中的写法
    """

    def attention(tokens: Tensor) -> Tensor:
        return attend(w, tokens, choice)["output"]

    def mlp(tokens: Tensor) -> Tensor:
        hidden = ACTIVATIONS[choice["activation"]](dense(w, "fc1", tokens))
        return dense(w, "fc2", hidden)

    first = branch(w, x, choice, "norm1", attention)
    second = branch(w, first, choice, "norm2", mlp)
    return {"注意力的支路": first, "output": second}


def branch(
    w: Weights, x: Tensor, choice: Choice, norm: str, body: Callable[..., Tensor]
) -> Tensor:
    """一条支路：归一化在前、在后，或没有；残差在，或不在。"""
    kept = choice["residual"] not in ("none", f"without_{norm}")
    given = layer_norm(w, norm, x) if choice["norm"] == "before" else x
    output = body(given)
    if choice["norm"] == "branch":
        output = layer_norm(w, norm, output)
    # 残差接在归一化之后的输入上，主路就断了
    start = given if choice["residual"] == "normalised" else x
    output = start + output if kept else output
    return layer_norm(w, norm, output) if choice["norm"] == "after" else output


# 切好的块 (B, N, D)、分类 token (B, 1, D) → 一串 token
TOKENS = {
    "first": lambda patches, token: paddle.concat([token, patches], 1),
    "last": lambda patches, token: paddle.concat([patches, token], 1),
    "missing": lambda patches, token: patches,
}


def vit_tokens(w: Weights, x: Tensor, choice: Choice) -> dict[str, Tensor]:
    """图像变成带位置的 token，照选中的写法算一遍。

    形状: x (B, C, S, S) → 每一步的名字到张量，最后一步为 "output"
    参数: w 为通用写法的权重；choice 为各处选中的写法
    """
    kernel = w["patch"]
    patches = F.conv2d(x, kernel, w["patch.bias"], kernel.shape[-1])
    b, d, *_ = patches.shape
    tokens = patches.flatten(2)
    if choice["flatten"] == "view":
        tokens = tokens.reshape((b, -1, d))
    else:
        tokens = paddle.einsum("bdn->bnd", tokens)
    steps = {"块": tokens}
    if choice["position"] == "patches":
        tokens = tokens + w["position"]
    if choice["token"] != "missing":
        token = w["token"].expand((b, 1, d))
        tokens = TOKENS[choice["token"]](tokens, token)
    if choice["position"] == "all":
        tokens = tokens + w["position"]
    return {**steps, "output": tokens}
