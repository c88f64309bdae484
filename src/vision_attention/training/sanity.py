"""体检的结果：先分清是程序错了还是过拟合，再去调参数。

- `Sanity`：首步损失、单批过拟合、图与标签三项
- `labelled_images`：请读者核对的几张图与它们的类名
- `one_batch`：反复训练同一批的配置
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vision_attention import checks
from vision_attention.data import Dataset
from vision_attention.training.config import TrainConfig

# 首步损失与 ln(类别数) 的差，最多是后者的这么大一部分
FIRST_LOSS_TOLERANCE = 0.25
# 单批过拟合之后：准确率至少这么高，损失至多是首步的这么大一部分
BATCH_ACCURACY = 0.95
BATCH_LOSS_SHARE = 0.1
# 反复训练的那一批有多少张，请读者核对的图有几张
BATCH_SIZE = 16
# 16 张图训练了这么多步还背不下来，再训练也没有用
MOST_STEPS = 10_000
SHOWN = 8


@dataclass(frozen=True)
class Sanity:
    """一次体检的结果；三项都过，剩下的问题才值得叫过拟合。

    形状: images uint8 (N, C, H, W)，是训练集里的几张；labels 是它们的类名，共 N 个
    参数: first_loss 为首步损失，随机猜时应接近 expected_loss = ln(num_classes)；
        batch_loss、batch_accuracy 为同一批反复训练 batch_steps 步之后的成绩
    单位: 损失为 nat，准确率 0–1
    """

    first_loss: float
    expected_loss: float
    batch_loss: float
    batch_accuracy: float
    batch_steps: int
    images: np.ndarray = field(compare=False, repr=False)
    labels: tuple[str, ...] = field(repr=False)

    @property
    def first_loss_ok(self) -> bool:
        """首步损失是不是接近随机猜。"""
        difference = abs(self.first_loss - self.expected_loss)
        return difference <= FIRST_LOSS_TOLERANCE * self.expected_loss

    @property
    def batch_ok(self) -> bool:
        """同一批是不是背得下来。"""
        learned = self.batch_loss <= BATCH_LOSS_SHARE * self.first_loss
        return learned and self.batch_accuracy >= BATCH_ACCURACY

    @property
    def ok(self) -> bool:
        """能由程序判断的两项是不是都过了；图与标签对不对，要人来看。"""
        return self.first_loss_ok and self.batch_ok

    def __str__(self) -> str:
        first = (
            "通过" if self.first_loss_ok else "不通过：查最后一层的初始化与输入的归一化"
        )
        batch = "通过" if self.batch_ok else "不通过：查损失、标签与梯度是否传到每一层"
        return (
            f"首步损失 {self.first_loss:.3f}，"
            f"随机猜是 {self.expected_loss:.3f}：{first}\n"
            f"同一批训练 {self.batch_steps} 步，损失 {self.batch_loss:.3f}，"
            f"准确率 {self.batch_accuracy:.3f}：{batch}\n"
            f"请看图核对标签：{'、'.join(self.labels)}"
        )


def labelled_images(dataset: Dataset) -> tuple[np.ndarray, tuple[str, ...]]:
    """从训练集均匀抽几张图，配上它们的类名。

    形状: → (images uint8 (N, C, H, W), N 个类名)，N 至多为 SHOWN
    """
    count = len(dataset.train_labels)
    picked = np.linspace(0, count - 1, min(SHOWN, count)).astype(np.int64)
    labels = dataset.train_labels[picked]
    return dataset.train_images[picked], tuple(dataset.class_names[k] for k in labels)


def one_batch(steps: int) -> TrainConfig:
    """反复训练同一批的配置：不增强、不衰减，只看背不背得下来。"""
    steps = checks.positive("steps", steps, MOST_STEPS)
    return TrainConfig(
        lr=3e-3,
        weight_decay=0.0,
        steps=steps,
        warmup_steps=steps // 15,
        batch_size=BATCH_SIZE,
    )
