"""优化器的参数分组：谁衰减，谁用主干的学习率；不认识任何框架。

- `groups`：一组一份（参数，权重衰减，学习率是 lr 的几倍）
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from vision_attention.checks import ArgumentError
from vision_attention.training.config import TrainConfig

# 名字里有这样一节的不是主干：分类头，与插入的门
FRESH = {"head", "branch_attention", "identity_attention", "output_attention"}


class Group(NamedTuple):
    """一组参数。"""

    params: list
    weight_decay: float
    scale: float


def groups(named: Iterable[tuple[str, Any]], config: TrainConfig) -> list[Group]:
    """可学习的参数分组：两维以上的衰减，其余不衰减；写了 trunk_lr 时主干另成两组。

    参数: named 为（名字，参数）
    错误: 没有可学习的参数，或写了 trunk_lr 而分不出主干与分类头时抛出 ValueError
    """
    named = list(named)
    if not named:
        raise ValueError("模型没有可学习的参数，无从训练；请检查是不是全部冻结了")
    parts = [(named, 1.0)]
    if config.trunk_lr is not None:
        trunk = [item for item in named if not FRESH & set(item[0].split("."))]
        fresh = [item for item in named if FRESH & set(item[0].split("."))]
        if not trunk or not fresh:
            raise ArgumentError(
                f"trunk_lr={config.trunk_lr}：模型里分不出学习的主干与分类头；"
                "分类头应叫 head，主干没有全部冻结；否则请去掉 trunk_lr",
                "trunk_lr",
            )
        parts = [(trunk, config.trunk_lr / config.lr), (fresh, 1.0)]
    found = []
    for items, scale in parts:
        decayed = [p for _, p in items if p.ndim >= 2]
        spared = [p for _, p in items if p.ndim < 2]
        found += [Group(decayed, config.weight_decay, scale), Group(spared, 0.0, scale)]
    return [group for group in found if group.params]
