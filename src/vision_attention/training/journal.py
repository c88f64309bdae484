"""训练的记事本：计时、进度条、发散检查与逐点记录，不认识任何框架。

- `Journal`：`fit` 每走一步告诉它损失，每次评估告诉它成绩
- `evaluation_sets`：评估时看的两组图片
- `check_given`、`check_whole`：训练的入口检查
- `check_scored`、`check_classes`：评估的入口检查
- `learning_rate`：每一步的学习率
- `step_seed`：每一步的随机种子
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import SupportsFloat

import numpy as np
from tqdm import tqdm

from vision_attention import checks
from vision_attention.data import Dataset
from vision_attention.training.config import TrainConfig
from vision_attention.training.history import History, Score, TrainingDivergedError
from vision_attention.training.schedules import warmup_cosine

# 攒够这么多步才读一次损失：读数会让 GPU 停下来等
READ_EVERY = 10

LabelledImages = tuple[np.ndarray, np.ndarray]


def evaluation_sets(
    dataset: Dataset, config: TrainConfig
) -> tuple[LabelledImages, LabelledImages]:
    """评估时看的两组图片：未经增强的训练图片，与全部测试图片。

    形状: 每组是 (images float32 (N, C, H, W) 已归一化, labels int64 (N,))
    参数: 训练图片多于 config.max_train_eval 张时，均匀抽取这么多张
    """
    count = len(dataset.train_labels)
    picked = np.arange(count)
    if count > config.max_train_eval:
        picked = np.linspace(0, count - 1, config.max_train_eval).astype(np.int64)
    train = dataset.normalize(dataset.train_images[picked])
    test = dataset.normalize(dataset.test_images)
    return (train, dataset.train_labels[picked]), (test, dataset.test_labels)


def check_given(model: object, base: type, dataset: Dataset) -> None:
    """训练的入口检查：两样东西有没有放对位置。

    参数: base 为框架里模型的类
    错误: 有一样不是它该是的东西时抛出 ArgumentError
    """
    checks.kind("model", model, base, "模型，例如 build(specs.named('small_cnn'))")
    checks.kind("dataset", dataset, Dataset, "data.load 读出的数据")


def check_scored(images: np.ndarray, labels: np.ndarray) -> None:
    """评估的入口检查。

    错误: images 不是 float32、一张也没有，或与 labels 的个数不同时抛出 ValueError
    """
    checks.kind("images", images, np.ndarray, "NumPy 数组")
    checks.kind("labels", labels, np.ndarray, "NumPy 数组")
    if images.dtype != np.float32:
        raise ValueError(
            f"images 的类型是 {images.dtype}，应为 float32；"
            "请先归一化：dataset.normalize(images)"
        )
    if labels.dtype.kind not in "iu" or labels.ndim != 1 or not images.ndim:
        raise checks.ArgumentError(
            f"labels 的类型是 {labels.dtype}，形状 {labels.shape}；应为一列整数",
            "labels",
        )
    if not 0 < len(images) == len(labels):
        raise ValueError(
            f"有 {len(images)} 张图片、{len(labels)} 个标签；两者应相等且不为 0"
        )


def check_classes(labels: np.ndarray, num_classes: int) -> None:
    """标签是不是都在模型的类别之内。

    错误: 有标签小于 0 或不小于 num_classes 时抛出 ValueError
    """
    if labels.min() < 0:
        raise ValueError(
            f"标签里有 {labels.min()}；类别从 0 数起，"
            f"标签应在 0 到 {num_classes - 1} 之间"
        )
    if labels.max() >= num_classes:
        raise ValueError(
            f"标签里有 {labels.max()}，而模型只分 {num_classes} 类；"
            f"建立模型时请写 num_classes={labels.max() + 1} 或更大"
        )


def check_whole(whole: Callable[[], bool]) -> None:
    """训练之前问一句：模型里的数是不是都是有限的。

    错误: 不是时抛出 ValueError
    """
    if not whole():
        raise ValueError(
            "还没有训练，模型的权重里就有 nan 或 inf；"
            "请重新建立模型，或换一份完好的权重"
        )


def learning_rate(config: TrainConfig, step: int) -> float:
    """按配置的日程，第 step 步（从 0 数起）的学习率。"""
    return warmup_cosine(step, config.steps, config.warmup_steps, config.lr)


def step_seed(seed: int, step: int) -> int:
    """第 step 步的随机种子：32 位，不同的 (seed, step) 散开。"""
    return (seed * 1_000_003 + step) % 2**32


class Journal:
    """一次训练的记事本；用 with 打开，离开时收起进度条。

    参数: history 为已有的曲线，续训时不空；whole 问模型里的数是不是都还有限；
        progress 为真时画进度条
    错误: 损失或模型里的数不是有限的时，add 与 record 抛出 TrainingDivergedError；
        还没有训练就不是，抛出 ValueError
    """

    def __init__(
        self,
        config: TrainConfig,
        history: History,
        whole: Callable[[], bool],
        progress: bool = False,
    ):
        self.config = config
        self.whole = whole
        self.history = history
        self.step = history.step[-1] if history.step else 0
        self.unread: list[SupportsFloat] = []
        self.bar = tqdm(
            total=config.steps, initial=self.step, unit="步", disable=not progress
        )
        seen = self.step * config.batch_size
        self.train_seconds = seen / history.images_per_second if seen else 0.0
        self.clock = time.perf_counter()
        self.began = self.clock - history.seconds
        self.cpu_began = time.process_time() - history.cpu_seconds

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()

    @property
    def lr(self) -> float:
        """下一步的学习率。"""
        return learning_rate(self.config, self.step)

    @property
    def due(self) -> bool:
        """该评估了没有：每 eval_every 步一次，走完再一次。"""
        finished = self.step == self.config.steps
        return finished or self.step % self.config.eval_every == 0

    def add(self, loss: SupportsFloat) -> None:
        """走完一步，记下它的损失；损失可以还在 GPU 上，攒几步再读。"""
        self.unread.append(loss)
        self.step += 1
        if self.due or len(self.unread) == READ_EVERY:
            self._read()

    def record(self, train: Score, test: Score) -> None:
        """记下一个评估点；评估所花的时间不算进 images_per_second。"""
        if not self.step:
            check_whole(self.whole)
        self._refuse_infinite(self.step, train[0])
        self._refuse_infinite(self.step, test[0])
        self.clock = time.perf_counter()
        seen = self.step * self.config.batch_size
        self.history = replace(
            self.history.with_point(self.step, self.lr, train, test),
            seconds=self.clock - self.began,
            cpu_seconds=time.process_time() - self.cpu_began,
            images_per_second=seen / self.train_seconds if seen else 0.0,
        )

    def _read(self) -> None:
        # 先问模型：同样的发散，一个框架让损失变成 nan，另一个的 ReLU 把 nan 变成 0
        if not self.whole():
            step = self.step - 1
            lr = learning_rate(self.config, step)
            raise TrainingDivergedError(step, lr, None, self.config)
        losses = [float(loss) for loss in self.unread]
        for step, loss in enumerate(losses, self.step - len(losses)):
            self._refuse_infinite(step, loss)
        self.unread.clear()
        now = time.perf_counter()
        self.train_seconds += now - self.clock
        self.clock = now
        self._show(len(losses), sum(losses) / len(losses))

    def _show(self, steps: int, loss: float) -> None:
        speed = self.step * self.config.batch_size / self.train_seconds
        accuracy = self.history.test_accuracy[-1]
        self.bar.set_postfix_str(
            f"损失 {loss:.3f}，测试准确率 {accuracy:.3f}，{speed:.0f} 张/s",
            refresh=False,
        )
        self.bar.update(steps)

    def _refuse_infinite(self, step: int, loss: float) -> None:
        if not math.isfinite(loss):
            lr = learning_rate(self.config, step)
            raise TrainingDivergedError(step, lr, loss, self.config)
