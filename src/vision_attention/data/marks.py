"""两个记号：一道只有看得够远才答得出的题，图由整数位流画成，处处逐位相同。"""

from __future__ import annotations

import numpy as np

from vision_attention.checks import ArgumentError, whole
from vision_attention.data.dataset import Source
from vision_attention.data.splits import MARKS, random_bits

SIZE = 16
POOL_SIZE, TEST_SIZE = 4000, 500
FAINTEST, BRIGHT = 32, 255
# 两种记号，一横一竖，亮的都是两格：只数亮点分不出它们
PATTERNS = np.array([[[1, 1], [0, 0]], [[1, 0], [1, 0]]], bool)
FURTHEST = SIZE - PATTERNS.shape[1]


def read(distance: int) -> Source:
    """画出全部图片：每张两个记号，相距 distance，标签是两个记号相同与否。

    记号有两种：两格长的横线与竖线。两类各半；不论标签，每个记号都在两种里均匀取，
    所以只看一个记号等于没看。两个记号的方位与位置随机，背景是 0–31 的均匀噪声。

    形状: 训练池 uint8 (4000, 1, 16, 16)，测试集 uint8 (500, 1, 16, 16)
    参数: distance 为两个记号行差与列差中较大的一个，取 3–14；卷积看得见的是方形，
        所以用它而不用直线距离
    单位: 像素
    错误: distance 超出范围时抛出 ValueError
    出处: 本书的题
    """
    distance = whole("distance", distance, 3)
    if distance > FURTHEST:
        raise ArgumentError(
            f"distance={distance} 太大：图只有 {SIZE}×{SIZE}，记号宽 2，"
            f"应取 3–{FURTHEST}",
            "distance",
        )
    images, labels = _draw(POOL_SIZE + TEST_SIZE, distance)
    return Source(
        name="two_marks",
        pool_images=images[TEST_SIZE:],
        pool_labels=labels[TEST_SIZE:],
        test_images=images[:TEST_SIZE],
        test_labels=labels[:TEST_SIZE],
        class_names=("不同", "相同"),
        flip=True,  # 翻转把两个记号一起翻，相同的仍然相同
    )


def _draw(count: int, distance: int) -> tuple[np.ndarray, np.ndarray]:
    """画 count 张；第 k 张只取决于 k 与 distance。"""
    noise = random_bits(count * SIZE**2, MARKS, distance, 0) % np.uint64(FAINTEST)
    images = noise.astype(np.uint8).reshape(count, SIZE, SIZE)
    # 每张用 7 个随机数：第一个定记号，后面的定方位与位置
    drawn = random_bits(7 * count, MARKS, distance, 1).reshape(count, 7)
    labels = np.arange(count) % 2
    first = (drawn[:, 0] % np.uint64(2)).astype(int)
    kinds_of = np.stack([first, np.where(labels == 1, first, 1 - first)], 1)
    for image, kinds, numbers in zip(images, kinds_of, drawn[:, 1:], strict=True):
        for kind, (row, column) in zip(kinds, _places(numbers, distance), strict=True):
            image[row : row + 2, column : column + 2][PATTERNS[kind]] = BRIGHT
    return images[:, None], labels.astype(np.int64)


def _places(numbers: np.ndarray, distance: int) -> list[tuple[int, int]]:
    """两个记号左上角的 （行，列）；长的一边差 distance，另一边差不超过它。"""
    turn, mirror, across, along, aside, swap = (int(number) for number in numbers)
    short = across % (distance + 1)
    start, beside = along % (FURTHEST - distance + 1), aside % (FURTHEST - short + 1)
    pair = [(start, beside), (start + distance, beside + short)]
    if mirror % 2:
        pair = [(start, beside + short), (start + distance, beside)]
    if turn % 2:
        pair = [(column, row) for row, column in pair]
    return pair[::-1] if swap % 2 else pair
