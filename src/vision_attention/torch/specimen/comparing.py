"""认得的写法照同样的权重算一遍。

内容: `variant` 每一步；`variant_slopes` 梯度
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..variants import FORWARDS
from .reading import Arrays, array_of


def variant(
    task: str, weights: Arrays, inputs: list[np.ndarray], choice: Mapping[str, str]
) -> dict[str, np.ndarray]:
    """照一种写法算一遍，返回每一步。"""
    w = {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in weights.items()}
    given = [torch.from_numpy(array.astype(np.float32)) for array in inputs]
    with torch.no_grad():
        steps = FORWARDS[task](w, *_order(given, choice))
    return {name: array_of(value) for name, value in steps.items()}


def _order(given: list[Tensor], choice: Mapping[str, str]) -> list[Any]:
    return [given[0], choice, *given[1:]]


def variant_slopes(
    task: str,
    weights: Arrays,
    inputs: list[np.ndarray],
    choice: Mapping[str, str],
    upstream: np.ndarray,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """照一种写法，输出与 upstream 的内积对输入、对每个权重的梯度。"""
    w = {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in weights.items()}
    for value in w.values():
        value.requires_grad_(True)
    given = [torch.from_numpy(array.astype(np.float32)) for array in inputs]
    given[0].requires_grad_(True)
    output = FORWARDS[task](w, *_order(given, choice))["output"]
    (output * torch.from_numpy(upstream.astype(np.float32))).sum().backward()
    grads = {n: array_of(v if v.grad is None else v.grad) for n, v in w.items()}
    return array_of(given[0].grad), grads
