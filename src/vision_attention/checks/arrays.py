"""收下的数组：换成 NumPy，查数据类型与维数。"""

from __future__ import annotations

from typing import Any

import numpy as np

from vision_attention.checks.values import ArgumentError, shown


def array(name: str, value: Any) -> np.ndarray:
    """换成 NumPy 的数组。

    错误: 换不成（长短不一、还记着梯度、NumPy 没有的数据类型）时抛出 ArgumentError
    """
    kind = str(getattr(value, "dtype", ""))
    # Paddle 把 bfloat16 的位当成整数给 NumPy，换出来的数是错的
    if kind.endswith("bfloat16"):
        raise ArgumentError(
            f"{name} 是 bfloat16，NumPy 没有这种数；请先换成 float32", name
        )
    try:
        return np.asarray(value)
    except Exception as error:  # 框架的张量各有各的错
        raise ArgumentError(
            f"{name}={shown(value)} 换不成数组；应为长短一致的数，"
            "张量请先写 x.detach().cpu().numpy()",
            name,
        ) from error


def numbers(name: str, value: Any, dims: int | None = None) -> np.ndarray:
    """实数的数组，布尔也算；dims 为应有的维数，None 表示几维都行。

    错误: 换不成数组、不是实数或维数不对时抛出 ArgumentError
    """
    found = array(name, value)
    if found.dtype.kind not in "biuf":
        raise ArgumentError(
            f"{name} 的数据类型是 {found.dtype}，应为实数：{shown(value)}", name
        )
    if dims is not None and found.ndim != dims:
        raise ArgumentError(
            f"{name} 的形状是 {found.shape}，共 {found.ndim} 维；应为 {dims} 维", name
        )
    return found


def finite(name: str, value: Any, dims: int | None = None) -> np.ndarray:
    """有限的实数的数组。

    错误: 同 numbers；有 NaN 或无穷时抛出 ArgumentError
    """
    found = numbers(name, value, dims)
    if not np.isfinite(found).all():
        bad = int(found.size - np.isfinite(found).sum())
        raise ArgumentError(
            f"{name} 里有 {bad} 个不是有限的数（NaN 或无穷）；请先查它是怎样算出来的",
            name,
        )
    return found
