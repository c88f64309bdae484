"""读注意力权重：逐层相乘的 rollout，平均注意距离，熵。只用 NumPy。"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vision_attention import checks, geometry


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
