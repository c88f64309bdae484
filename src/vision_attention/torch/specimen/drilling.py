"""训练的一步与评估：拿小网络去试读者的函数。

内容: `two_layers`、`walk`、`known_step`、`Spy`、`assess`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..variants.steps import step_loss
from .reading import Arrays, array_of, values, write
from .running import arrays_of


def two_layers() -> nn.Module:
    """拿来试训练一步的小网络：有批归一化，所以两种模式算得不同。

    形状: x (B, 1, 4, 4) →（B, 5）
    """
    body = nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten()
    return nn.Sequential(*body, nn.Linear(96, 5))


def walk(
    step: Callable,
    start: Arrays,
    batches: list[tuple[np.ndarray, np.ndarray]],
) -> tuple[dict[str, np.ndarray], list[Any]]:
    """从同样的权重起步，把几批图交给 step（模型，优化器，图，标签）。

    返回: (走完之后的权重与统计量, 每一步交回的东西)
    """
    model = two_layers()
    write(model, start)
    optimizer = torch.optim.SGD(model.parameters(), 0.2)
    model.train()
    returned = []
    for images, labels in batches:
        given = torch.from_numpy(images.copy()), torch.from_numpy(labels.copy())
        returned.append(arrays_of(step(model, optimizer, *given)))
    return values(model), returned


def known_step(choice: Mapping[str, str]) -> Callable:
    """训练的一步，照选中的写法。"""

    def step(
        model: nn.Module, optimizer: Any, images: Tensor, labels: Tensor
    ) -> Tensor:
        if choice["mode"] == "evaluation":
            model.eval()
        logits = model(images)
        loss = step_loss(choice, logits, labels)
        if choice["clear"] == "cleared":
            optimizer.zero_grad()
        loss.backward()
        if choice["update"] == "updated":
            optimizer.step()
        return loss.detach()

    return step


class Spy(nn.Module):
    """给评估用的模型：记下每次前向时的模式与图片，交回事先定好的分数。

    形状: x (B, 1, 4, 4) →（B, 5）
    出处: 本书的工具
    """

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(16, 5)
        self.seen: list[tuple[bool, np.ndarray]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append((self.training, array_of(x)))
        return self.layer(x.flatten(1))


def assess(
    evaluate: Callable, images: np.ndarray, labels: np.ndarray
) -> tuple[Any, list[tuple[bool, np.ndarray]], np.ndarray]:
    """把一个小模型、图片与标签交给读者的 evaluate。

    返回: (它交回的, 每次前向时的模式与图片, 模型对这些图的分数)
    """
    model = Spy()
    rng = np.random.default_rng(5)
    write(
        model,
        {
            n: rng.standard_normal(v.shape).astype(v.dtype)
            for n, v in values(model).items()
        },
    )
    model.train()
    with torch.no_grad():
        logits = array_of(model(torch.from_numpy(images.copy())))
    model.seen.clear()
    given = torch.from_numpy(images.copy()), torch.from_numpy(labels.copy())
    returned = arrays_of(evaluate(model, *given))
    return returned, model.seen, logits
