"""读注意力权重与门：逐层相乘的 rollout，平均注意距离，熵，看着哪里。只用 NumPy。"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from vision_attention import checks, geometry
from vision_attention.specs import AttentionSpec, ImageSpec, ViTSpec


def rollout(weights: Sequence[np.ndarray]) -> np.ndarray:
    """逐层相乘：最后一层的每个 token，归根到底看了哪些输入 token。

    形状: weights 每层 (B, A, N, N) → (B, N, N)，每行和为 1
    参数: weights 从第一层排到最后一层
    错误: 没有一层，或各层不是同一个四维的形状时抛出 ValueError
    出处: Abnar 与 Zuidema 2020，arXiv:2005.00928：各头平均，一半权重留给残差
    """
    layers = checks.several("weights", weights)
    weights = [checks.finite("weights", layer) for layer in layers]
    shapes = {w.shape for w in weights}
    square = all(len(shape) == 4 and shape[2] == shape[3] for shape in shapes)
    if len(shapes) != 1 or not square:
        raise checks.ArgumentError(
            f"weights 的形状是 {sorted(shapes)}；应至少有一层，且各层都是 (B, A, N, N)",
            "weights",
        )
    batch, _, tokens, _ = weights[0].shape
    total = np.broadcast_to(np.eye(tokens), (batch, tokens, tokens))
    for layer in weights:
        total = (0.5 * layer.mean(1) + 0.5 * np.eye(tokens)) @ total
    return total


def mean_attention_distance(weights: np.ndarray, grid: int) -> np.ndarray:
    """每个头平均看多远：按权重平均的 token 距离。

    形状: weights (B, A, N, N) → (A,)；有分类 token（N = grid² + 1）时略去它
    参数: grid 为每边的 token 数
    单位: token（乘以 patch_size 即为像素）
    错误: N 与 grid 对不上时抛出 ValueError
    出处: Dosovitskiy 等 2021，arXiv:2010.11929，图 7 右
    """
    weights = _patches_only(weights, grid)
    distance = np.einsum("banm,nm->ban", weights, geometry.token_distance(grid))
    return distance.mean((0, 2))


def entropy(weights: np.ndarray) -> np.ndarray:
    """每一行权重的熵：0 是只看一个，log N 是一视同仁。

    形状: weights (B, A, N, N) → (B, A, N)
    单位: nat
    """
    weights = checks.finite("weights", weights)
    if (weights < 0).any():
        raise checks.ArgumentError(
            "weights 里有负数；应为 softmax 之后的权重", "weights"
        )
    return -(weights * np.log(np.maximum(weights, 1e-30))).sum(-1)


def shown_by(spec: ImageSpec) -> str:
    """一种尺寸的模型，看着哪里由什么说：attention、gate 或 grad_cam。

    错误: 模型不分位置（例如展平的多层感知机）时抛出 ValueError
    """
    if isinstance(spec, ViTSpec):
        return "attention"
    if not isinstance(spec, AttentionSpec):
        raise ValueError(
            f"{type(spec).__name__} 的模型把图展平了，不分位置，画不出看着哪里；"
            "请换卷积网络或 ViT"
        )
    kinds = {"none": "grad_cam", "self_attention": "attention"}
    return kinds.get(spec.attention, "gate")


def looked_at(weights: Sequence[np.ndarray]) -> np.ndarray:
    """分类之前归根到底看了哪里：rollout 里分类 token 的那一行，没有它就取各行平均。

    形状: weights 每层 (B, A, N, N) → (B, h, h)，h 为每边的 token 数
    参数: weights 从第一层排到最后一层；各层大小不同时（卷积网络里的自注意力）只看
        与最后一层一样大的
    """
    last = weights[-1].shape
    total = rollout([layer for layer in weights if layer.shape == last])
    side = math.isqrt(total.shape[1])
    alone = side**2 == total.shape[1]
    row = total.mean(1) if alone else total[:, 0, 1:]
    return row.reshape(len(row), side, side)


def opened(gates: Sequence[np.ndarray]) -> np.ndarray | None:
    """最后一道分位置的门开了多大，各通道平均；没有一道分位置就返回 None。

    形状: gates 每道 (B, C, H, W)，C、H、W 可以是 1 → (B, H, W)
    """
    spread = [gate for gate in gates if gate.ndim == 4 and gate.shape[2:] != (1, 1)]
    return spread[-1].mean(1) if spread else None


def _patches_only(weights: np.ndarray, grid: int) -> np.ndarray:
    grid = checks.positive("grid", grid)
    weights = checks.finite("weights", weights, 4)
    tokens = weights.shape[-1]
    if weights.shape[2] != tokens:
        raise checks.ArgumentError(
            f"weights 的形状是 {weights.shape}；应为 (B, A, N, N)", "weights"
        )
    if tokens == grid**2 + 1:
        weights = weights[:, :, 1:, 1:]
        return weights / weights.sum(-1, keepdims=True)
    if tokens != grid**2:
        raise checks.ArgumentError(
            f"weights 有 {tokens} 个 token，grid={grid} 应有 {grid**2} 个"
            f"（含分类 token {grid**2 + 1} 个）",
            "weights",
            "grid",
        )
    return weights
