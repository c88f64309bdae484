"""批次：第 k 批只取决于 seed 与 k，所以训练可以从任何一步精确续上。"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from vision_attention.checks import choice, fraction, kind, positive, whole, within
from vision_attention.data import augment as augmentation
from vision_attention.data.dataset import Dataset
from vision_attention.data.splits import AUGMENT, ORDER, permutation

WEIGHTINGS = ("none", "balanced")


def batches(
    dataset: Dataset,
    *,
    batch_size: int,
    steps: int,
    seed: int,
    augment: str = "none",
    label_smoothing: float = 0.0,
    start: int = 0,
    class_weights: str = "none",
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """训练用的批次流：一轮又一轮地重新洗牌，首尾相接，到第 steps 批为止。

    相邻两轮之间不丢零头：上一轮剩下的与下一轮开头的拼成一批，
    所以每张图片被看见的次数最多差一。batch_size 可以大于数据量。

    形状: 每批 images float32 (B, C, H, W)，已归一化；targets float32 (B, num_classes)
    参数: steps 为总步数；start 为第一批的编号（续训时用）；
        augment 取 augment.POLICIES 之一；label_smoothing 取 [0, 1)；class_weights
        取 WEIGHTINGS 之一，写成 "balanced" 时，targets 的各列乘上那一类的权重
    错误: 参数越界或 augment 无此名时抛出 ValueError
    """
    choice("augment", augment, augmentation.POLICIES)
    kind("dataset", dataset, Dataset, "data.load 读出的数据")
    positive("batch_size", batch_size)
    within("batch_size", batch_size * dataset.train_images[0].size, "一批图")
    positive("steps", steps)
    whole("start", start, 0)
    whole("seed", seed, 0)
    fraction("label_smoothing", label_smoothing)
    choice("class_weights", class_weights, WEIGHTINGS)
    return (
        batch(
            dataset,
            k,
            batch_size=batch_size,
            seed=seed,
            augment=augment,
            label_smoothing=label_smoothing,
            class_weights=class_weights,
        )
        for k in range(start, steps)
    )


def batch(
    dataset: Dataset,
    k: int,
    *,
    batch_size: int,
    seed: int,
    augment: str = "none",
    label_smoothing: float = 0.0,
    class_weights: str = "none",
) -> tuple[np.ndarray, np.ndarray]:
    """编号为 k 的那一批（从 0 数起）。

    形状: → images float32 (B, C, H, W)；targets float32 (B, num_classes)
    """
    picked = indices(len(dataset.train_labels), k, batch_size, seed)
    images = dataset.train_images[picked]
    targets = np.eye(dataset.num_classes, dtype=np.float32)
    targets = targets[dataset.train_labels[picked]]
    rng = np.random.default_rng((seed, AUGMENT, k))
    images = augmentation.pixels(images, rng, augment, flip=dataset.flip)
    images = dataset.normalize(images)
    if augment in augmentation.MIXING:
        images, targets = augmentation.mix(images, targets, rng, augment)
    if label_smoothing:
        targets *= np.float32(1 - label_smoothing)
        targets += np.float32(label_smoothing / dataset.num_classes)
    if class_weights == "balanced":
        targets *= balanced_weights(dataset.train_labels, dataset.num_classes)
    return images, targets


def balanced_weights(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """各类的权重 N / (K · n_c)：每类在损失里一样重，训练图片的平均是 1。

    乘在目标的列上，等于加权的交叉熵 −Σ w_c t_c log p_c，两翼都不必改损失。

    形状: labels int64 (N,) → float32 (num_classes,)；训练里没有的类是 0
    出处: King 与 Zeng 2001，Political Analysis 9(2)；与 scikit-learn 的 "balanced" 相同
    """
    counts = np.bincount(labels, minlength=num_classes)
    weights = len(labels) / (num_classes * np.maximum(counts, 1))
    return np.where(counts > 0, weights, 0).astype(np.float32)


def indices(count: int, k: int, batch_size: int, seed: int) -> np.ndarray:
    """第 k 批取哪些训练图片：在首尾相接的各轮排列上截取一段。

    形状: → int64 (B,)
    """
    place = np.arange(k * batch_size, (k + 1) * batch_size)
    epochs = range(place[0] // count, place[-1] // count + 1)
    orders = np.concatenate([_order(count, seed, epoch) for epoch in epochs])
    return orders[place - epochs[0] * count]


@lru_cache(maxsize=4)
def _order(count: int, seed: int, epoch: int) -> np.ndarray:
    order = permutation(count, seed, ORDER, epoch)
    order.flags.writeable = False
    return order
