"""切分：分层、嵌套、由种子决定的次序；随机标签。"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vision_attention.checks import ArgumentError

# 不同用途各有编号，同一个种子在各处互不相关
POOL, VALIDATION, TEST, NOISE, ORDER, AUGMENT = range(6)
SHIFT, PIXELS, PATCHES, MARKS, RESERVE = range(6, 11)


def random_bits(count: int, *key: int) -> np.ndarray:
    """由 key 决定的 count 个 64 位随机整数；只用位流，不随 NumPy 版本改变。"""
    return np.random.PCG64(np.random.SeedSequence(key)).random_raw(count)


def permutation(count: int, *key: int) -> np.ndarray:
    """由 key 决定的一个排列。

    形状: → int64 (count,)
    """
    return random_bits(count, *key).argsort(kind="stable")


def stratified_order(labels: np.ndarray, *key: int) -> np.ndarray:
    """一个随机次序，它的任何前缀都大致保持各类的比例，且每类先各出一张。

    取前 n 个就是分层抽样；n 变大时，小样本总是大样本的开头（嵌套）。

    形状: labels int64 (N,) → 下标 int64 (N,)
    参数: key 是种子与用途编号
    """
    shuffled = permutation(len(labels), *key)
    position = np.empty(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels[shuffled] == label)
        position[members] = (np.arange(len(members)) + 0.5) / len(members)
        position[members[0]] = 0.0
    return shuffled[position.argsort(kind="stable")]


def refuse_lost(
    labels: np.ndarray, train: np.ndarray, class_names: Sequence[str], taker: str
) -> None:
    """训练池里有的类，训练里都要有：图片太少的，可能全被留走了。

    形状: labels int64 (N,)，训练池的；train 为训练用的下标
    参数: taker 为留走它的参数
    错误: 有一类一张也没有留给训练时抛出 ValueError
    """
    lost = np.setdiff1d(labels, labels[train])
    if len(lost):
        count = int((labels == lost[0]).sum())
        raise ArgumentError(
            f"“{class_names[lost[0]]}”类在训练池里只有 {count} 张，"
            f"全被留走，训练里一张也没有；请给它添图片，或减小 {taker}",
            taker,
        )


def noisy_labels(
    labels: np.ndarray, share: float, num_classes: int, seed: int
) -> np.ndarray:
    """把一部分标签换成随机标签，用来做"记忆"实验。

    恰好 round(share × N) 个标签被选中，每个在全部 num_classes 类里均匀重抽，
    所以其中约 1 / num_classes 碰巧仍是原来的；share 变大时，先前选中的仍被选中、
    新标签也不变。

    形状: labels int64 (N,) → int64 (N,)
    单位: share 取 0–1
    """
    chosen = permutation(len(labels), seed, NOISE)[: round(share * len(labels))]
    drawn = random_bits(len(labels), seed, NOISE, 1) % np.uint64(num_classes)
    noisy = labels.copy()
    noisy[chosen] = drawn[chosen].astype(np.int64)
    return noisy
