"""训练的一步的各种写法：损失收什么，标签对不对得上。

内容: LOSSES、LABELS 两张表，一行一种写法；`step_loss` 照选中的写法算损失
"""

from __future__ import annotations

from collections.abc import Mapping

import paddle
from paddle import Tensor
from paddle.nn import functional as F

LOSSES = {
    "logits": F.cross_entropy,
    "softmax": lambda logits, labels: F.cross_entropy(F.softmax(logits, -1), labels),
    "summed": lambda logits, labels: F.cross_entropy(logits, labels) * len(labels),
}

LABELS = {
    "right": lambda labels, classes: labels,
    "next_class": lambda labels, classes: (labels + 1) % classes,
    "rolled": lambda labels, classes: paddle.concat([labels[1:], labels[:1]], 0),
}


def step_loss(choice: Mapping[str, str], logits: Tensor, labels: Tensor) -> Tensor:
    """这一步的损失。

    形状: logits (B, 类别数)；labels int64 (B,) → ()
    参数: choice 为各处选中的写法
    """
    labels = LABELS[choice["labels"]](labels, logits.shape[-1])
    return LOSSES[choice["loss"]](logits, labels)
