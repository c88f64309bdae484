"""看进模型：入口的检查，与 Grad-CAM 里不需要框架的那一半。

- `place`：输出里的一处
- `classes`：一张图一个类别
- `mapped`、`cam`：特征图或 token，由斜率合成一张热图
- `reached`：梯度有没有传到
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from vision_attention.checks.values import ArgumentError, plain, shown


def place(position: Any, sizes: Sequence[int]) -> tuple[int, ...]:
    """输出里的一处；没有说是哪一处，就是正中。

    参数: position 在特征图上是 (行, 列)，在 token 上是编号，都从 0 数起，None 为正中；
        sizes 为特征图的 (H, W)，或 token 的 (N,)
    返回: 每一维一个下标
    错误: position 的样子不对，或不在输出里时抛出 ValueError
    """
    middle = tuple(size // 2 for size in sizes)
    if position is None:
        return middle
    several = isinstance(position, tuple | list)
    chosen = tuple(map(plain, position if several else (position,)))
    if len(chosen) == len(sizes) and several == (len(sizes) > 1):
        pairs = zip(chosen, sizes, strict=True)
        if all(type(index) is int and 0 <= index < size for index, size in pairs):
            return chosen
    if len(sizes) > 1:
        told = "×".join(map(str, sizes))
        told = f"输出是 {told} 的特征图，应为它里面的 (行, 列)，例如 {middle}"
    else:
        told = f"输出有 {sizes[0]} 个 token，应为其中一个的编号，例如 {middle[0]}"
    raise ArgumentError(
        f"position={shown(position)} 不合适；{told}，都从 0 数起", "position"
    )


def classes(target: Any, sizes: Sequence[int]) -> list[int]:
    """一张图一个类别。

    参数: target 为收到的类别；sizes 为模型输出的形状，应为 (B, num_classes)
    返回: B 个整数
    错误: 模型的输出不是二维，或类别的个数不对、不是整数、不在模型的类别之内时抛出
        ValueError
    """
    if len(sizes) != 2:
        raise ValueError(f"模型的输出是 {tuple(sizes)}；应为 (B, num_classes)")
    count, num_classes = sizes
    try:
        given = np.asarray(target)
    except ValueError:  # 长短不一的一列
        given = np.empty(0, object)
    whole = given.shape == (count,) and given.dtype.kind in "iu"
    if whole and ((given >= 0) & (given < num_classes)).all():
        return given.tolist()
    raise ArgumentError(
        f"target={shown(target)} 不合适；应为 {count} 个整数，一张图一个，"
        f"都在 0 到 {num_classes - 1} 之间",
        "target",
    )


def mapped(features: Any) -> None:
    """Grad-CAM 要的一层的输出：特征图 (B, C, H, W)，或排得成方阵的 token (B, N, D)。

    错误: 都不是时抛出 ValueError
    """
    shape = getattr(features, "shape", None)
    told = type(features).__name__ if shape is None else tuple(shape)
    sizes = () if shape is None else tuple(shape)
    if len(sizes) not in (3, 4):
        raise ArgumentError(
            f"layer 的输出是 {told}；应为 (B, C, H, W) 的特征图或 (B, N, D) 的 token",
            "layer",
        )
    if len(sizes) == 3 and _side(sizes[1]) is None:
        raise ArgumentError(
            f"layer 的输出有 {sizes[1]} 个 token，排不成方阵；应为 n² 个，"
            "或 n² + 1 个（多一个分类 token）",
            "layer",
        )


def cam(features: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """由斜率合成热图：逐通道的平均斜率乘特征，求和，负的记 0。

    形状: features 与 slopes (B, C, H, W) 或 (B, N, D) → (B, H, W)
    错误: 各块 token 的斜率全是 0 时抛出 ValueError：那张图是空的，看不出什么
    出处: Selvaraju 等 2017，arXiv:1610.02391，式 (1)–(2)
    """
    if features.ndim == 3:
        if (
            features.shape[1] > _side(features.shape[1]) ** 2
            and not slopes[:, 1:].any()
        ):
            raise ArgumentError(
                "layer 之后只用到它的分类 token，各块 token 的梯度全是 0；"
                "请看更早的一层，例如 model.blocks[-1].norm1 或 model.blocks[-2]",
                "layer",
            )
        features, slopes = _unrolled(features), _unrolled(slopes)
    weights = slopes.mean((2, 3), keepdims=True)
    return np.maximum((weights * features).sum(1), 0)


def reached(found: bool, source: str, result: str) -> None:
    """梯度有没有从 result 传到 source。

    错误: 没有传到时抛出 ValueError
    """
    if not found:
        raise ValueError(
            f"{result}对 {source} 没有梯度：前向里有 no_grad 或 detach，"
            f"或{result}根本没有用到它；请去掉它们，或换一处看"
        )


def _side(count: int) -> int | None:
    """这些 token 排成方阵，每边几个；可以多一个分类 token。"""
    side = math.isqrt(count)
    return side if count - side**2 in (0, 1) and side else None


def _unrolled(tokens: np.ndarray) -> np.ndarray:
    """去掉分类 token，按行排成方阵：(B, N, D) → (B, D, n, n)。"""
    side = _side(tokens.shape[1])
    patches = tokens[:, tokens.shape[1] - side**2 :].swapaxes(1, 2)
    return patches.reshape((*patches.shape[:2], side, side))
