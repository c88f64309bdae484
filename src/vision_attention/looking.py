"""看进模型时的入口检查：看哪一处、替哪个类别说话。

- `place`：输出里的一处
- `classes`：一张图一个类别
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vision_attention import checks


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
    chosen = tuple(map(checks.plain, position if several else (position,)))
    if len(chosen) == len(sizes) and several == (len(sizes) > 1):
        pairs = zip(chosen, sizes, strict=True)
        if all(type(index) is int and 0 <= index < size for index, size in pairs):
            return chosen
    if len(sizes) > 1:
        told = "×".join(map(str, sizes))
        told = f"输出是 {told} 的特征图，应为它里面的 (行, 列)，例如 {middle}"
    else:
        told = f"输出有 {sizes[0]} 个 token，应为其中一个的编号，例如 {middle[0]}"
    raise ValueError(f"position={position!r} 不合适；{told}，都从 0 数起")


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
    raise ValueError(
        f"target={target!r} 不合适；应为 {count} 个整数，一张图一个，"
        f"都在 0 到 {num_classes - 1} 之间"
    )
