"""逐类看：每一类对了几张，平衡准确率，比不比一律答最常见的一类好。

- `class_scores`、`ClassScore`：逐类的张数与做对的
- `balanced_accuracy`：各类准确率的平均
- `commonest`：一律答训练里最常见的一类
- `doubt`：不比它好时，该提醒的一句话
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vision_attention.data import Dataset


class ClassScore(NamedTuple):
    """一类：类名，训练的张数，测试的张数，测试里做对的。"""

    name: str
    train: int
    test: int
    correct: int

    @property
    def accuracy(self) -> float | None:
        """做对的份额，0–1；测试里没有这一类时是 None。"""
        return self.correct / self.test if self.test else None


def class_scores(dataset: Dataset, predicted: np.ndarray) -> list[ClassScore]:
    """测试集上逐类的成绩。

    形状: predicted int64 (N,)，测试集每张图的答案
    """
    kinds = dataset.num_classes
    right = dataset.test_labels[predicted == dataset.test_labels]
    counts = [
        np.bincount(labels, minlength=kinds).tolist()
        for labels in (dataset.train_labels, dataset.test_labels, right)
    ]
    return [ClassScore(*row) for row in zip(dataset.class_names, *counts, strict=True)]


def balanced_accuracy(scores: list[ClassScore]) -> float:
    """各类准确率的平均，每类一样重；测试里没有的类不算。"""
    return float(np.mean([s.accuracy for s in scores if s.test]))


def commonest(scores: list[ClassScore]) -> ClassScore:
    """训练里最常见的一类；一样多时取前面的。"""
    return max(scores, key=lambda score: score.train)


def doubt(scores: list[ClassScore]) -> str:
    """测试准确率不比一律答最常见的一类好时，提醒的一句话；好就是空的。"""
    top, total = commonest(scores), sum(score.test for score in scores)
    if sum(score.correct for score in scores) > top.test:
        return ""
    return (
        f"测试准确率不比一律答“{top.name}”好（那样也有 {top.test / total:.4f}）；"
        "请看平衡准确率与各类的成绩，这个模型还不能用"
    )
