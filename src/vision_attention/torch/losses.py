"""损失：软目标与硬标签的交叉熵，两翼给出同一个数。

- `cross_entropy`：软目标，训练用
- `total_cross_entropy`：硬标签，评估用
- `log_softmax`：不设下限
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from .precision import widened


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """软目标的交叉熵：−Σ 目标 × log softmax(logits)，再对一批取平均。

    标签平滑、mixup 与 CutMix 都已写在 targets 里，损失只有这一个式子。

    形状: logits (B, num_classes)；targets (B, num_classes) → ()
    单位: nat
    错误: 两者形状不同时抛出 ValueError
    """
    if logits.shape != targets.shape:
        raise ValueError(
            f"模型的输出是 {tuple(logits.shape)}，数据的目标是 {tuple(targets.shape)}；"
            f"建立模型时请写 num_classes={targets.shape[1]}"
        )
    return -(targets * log_softmax(logits)).sum(-1).mean()


def total_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """硬标签的交叉熵，一批之和；只用来评估，不必求梯度。

    形状: logits (B, num_classes)；labels int64 (B,) → ()
    单位: nat
    """
    return F.cross_entropy(logits, labels, reduction="sum")


def log_softmax(logits: Tensor) -> Tensor:
    """对数概率 log softmax，不设下限；半精度的打分换成 float32 再算。

    形状: logits (B, num_classes) → 同
    单位: nat
    """
    return F.log_softmax(widened(logits), -1)
