"""损失：软目标与硬标签的交叉熵，两翼给出同一个数。

- `cross_entropy`：软目标，训练用
- `total_cross_entropy`：硬标签，评估用
- `log_softmax`：不设下限
"""

from __future__ import annotations

import paddle
from paddle import Tensor
from paddle.nn import functional as F

from .precision import widened

# Paddle 的 CPU 核把 logits − max 截在这里：错得再离谱，一张图的损失也不过 64 nat
CUT = -64.0


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
    each = F.cross_entropy(logits, labels, reduction="none").flatten()
    below = below_top(logits)
    picked = paddle.take_along_axis(below, labels.unsqueeze(1), 1).flatten()
    whole = below.exp().sum(-1).log() - picked
    return paddle.where(picked >= CUT, each, whole).sum()


def log_softmax(logits: Tensor) -> Tensor:
    """对数概率 log softmax，不设下限；半精度的打分换成 float32 再算。

    形状: logits (B, num_classes) → 同
    单位: nat
    """
    found = F.log_softmax(widened(logits), -1)
    # 一处也没有截的时候占多数：CPU 上看一眼只要十来微秒，下面几步要两百多
    if found.place.is_cpu_place() and found.numpy().min() > CUT:
        return found
    with paddle.no_grad():
        below = below_top(logits.astype(found.dtype))
        # 最大的一类没有被截，它的值就是 −log Σ exp；没有截的地方加 0，一位不变
        whole = below + found.max(-1, keepdim=True)
        missing = paddle.where(below >= CUT, 0.0, whole - found)
    return found + missing


def below_top(logits: Tensor) -> Tensor:
    """每一类比最大的一类低多少。

    形状: logits (B, num_classes) → 同，不大于 0
    """
    return logits - logits.max(-1, keepdim=True)
