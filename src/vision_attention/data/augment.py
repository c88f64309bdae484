"""图像增强：对整批 uint8 图片做的、向量化的 NumPy 变换，只由传入的 rng 决定。

weak = 随机裁剪（+ 允许时左右翻转）；
strong = weak + RandAugment 式变形变色 + 颜色抖动 + 随机擦除，
归一化之后再由 mix 做 mixup 或 CutMix，得到软标签；mixup、cutmix 只做其中一种混合。
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from vision_attention.data.transforms import (
    OPERATIONS,
    brightness,
    contrast,
    saturation,
)

MIXING = ("strong", "mixup", "cutmix")  # 归一化之后还要混合的
POLICIES = ("none", "weak", *MIXING)
ROUNDS = 2  # 每张图片接连做几次随机变换，RandAugment 的 N
MAGNITUDE = 0.5  # 幅度占 OPERATIONS 各自上限的份额，小图取一半
JITTER = 0.3  # 颜色抖动的幅度，占上限的份额


def pixels(
    images: np.ndarray, rng: Generator, policy: str, *, flip: bool
) -> np.ndarray:
    """对像素做 policy 规定的增强；"none"、"mixup"、"cutmix" 不动像素，原样返回。

    形状: images uint8 (B, C, H, W) → uint8 (B, C, H, W)
    参数: flip 表示数据集允许左右翻转（数字不允许，见 Dataset.flip）
    """
    if policy in ("weak", "strong"):
        return {"weak": weak, "strong": strong}[policy](images, rng, flip=flip)
    return images


def weak(images: np.ndarray, rng: Generator, *, flip: bool) -> np.ndarray:
    """随机裁剪，再以一半的概率左右翻转（flip 为真时）。

    形状: images uint8 (B, C, H, W) → uint8 (B, C, H, W)
    """
    cropped = random_crop(images, rng)
    return random_flip(cropped, rng) if flip else cropped


def strong(images: np.ndarray, rng: Generator, *, flip: bool) -> np.ndarray:
    """先做 weak，再做两轮随机变换、颜色抖动与随机擦除。

    形状: images uint8 (B, C, H, W) → uint8 (B, C, H, W)
    """
    images = rand_augment(weak(images, rng, flip=flip), rng)
    return random_erasing(color_jitter(images, rng), rng)


def random_crop(images: np.ndarray, rng: Generator) -> np.ndarray:
    """四周补零后随机裁回原来的大小，即随机平移。

    形状: images uint8 (B, C, H, W) → uint8 (B, C, H, W)
    单位: 补 H // 8 像素：32×32 补 4，8×8 补 1
    出处: 补 4 像素是 He 等 2016，arXiv:1512.03385，第 4.2 节对 CIFAR-10 的做法
    """
    b, c, h, w = images.shape
    pad = h // 8
    padded = np.zeros((b, c, h + 2 * pad, w + 2 * pad), np.uint8)
    padded[:, :, pad : pad + h, pad : pad + w] = images
    top, left = rng.integers(0, 2 * pad + 1, (2, b))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (h, w), (2, 3))
    return windows[np.arange(b), :, top, left]


def random_flip(images: np.ndarray, rng: Generator) -> np.ndarray:
    """每张图片以一半的概率左右翻转。

    形状: images uint8 (B, C, H, W) → uint8 (B, C, H, W)
    """
    flipped = rng.random(len(images)) < 0.5
    return np.where(flipped[:, None, None, None], images[..., ::-1], images)


def rand_augment(images: np.ndarray, rng: Generator) -> np.ndarray:
    """每张图片从 OPERATIONS 里均匀抽一种变换，幅度也均匀随机；共 ROUNDS 轮。

    形状: images uint8 (B, C, H, W) → uint8 (B, C, H, W)
    出处: Cubuk 等 2020，arXiv:1909.13719；差别：幅度逐张随机，
        不设自动对比度与直方图均衡
    """
    images = images.copy()
    for _ in range(ROUNDS):
        which = rng.integers(len(OPERATIONS), size=len(images))
        strength = rng.uniform(-MAGNITUDE, MAGNITUDE, len(images))
        for k, operation in enumerate(OPERATIONS):
            members = np.flatnonzero(which == k)
            if len(members):
                images[members] = operation(images[members], strength[members])
    return images


def color_jitter(images: np.ndarray, rng: Generator) -> np.ndarray:
    """亮度、对比度、饱和度各自随机改变；灰度图的饱和度不变。

    形状: images uint8 (B, C, H, W) → uint8 (B, C, H, W)
    """
    for operation in (brightness, contrast, saturation):
        images = operation(images, rng.uniform(-JITTER, JITTER, len(images)))
    return images


def random_erasing(images: np.ndarray, rng: Generator) -> np.ndarray:
    """以一半的概率把一块矩形换成逐像素的随机值。

    形状: images uint8 (B, C, H, W) → uint8 (B, C, H, W)
    出处: Zhong 等 2020，arXiv:1708.04896：面积 0.02–0.4，高宽比 0.3–1/0.3
    """
    b, _, h, w = images.shape
    area = rng.uniform(0.02, 0.4, b)
    aspect = np.exp(rng.uniform(np.log(0.3), -np.log(0.3), b))
    tall = np.minimum(np.sqrt(area * aspect), 1)
    wide = np.minimum(np.sqrt(area / aspect), 1)
    top, left = rng.random((2, b)) * (1 - np.stack([tall, wide]))
    box = rectangles((h, w), (top, top + tall), (left, left + wide))
    box &= (rng.random(b) < 0.5)[:, None, None]
    noise = rng.integers(0, 256, images.shape, dtype=np.uint8)
    return np.where(box[:, None], noise, images)


def mix(
    images: np.ndarray, targets: np.ndarray, rng: Generator, policy: str
) -> tuple[np.ndarray, np.ndarray]:
    """整批与自己的一个排列混合，图与标签按同样的份额。

    形状: images float32 (B, C, H, W)，targets float32 (B, num_classes) → 同形
    参数: policy 取 "mixup"：逐像素相加；"cutmix"：换上一块矩形；
        "strong"：一半的批次做前一种，另一半做后一种
    出处: mixup，Zhang 等 2018，arXiv:1710.09412；CutMix，Yun 等 2019，
        arXiv:1905.04899；Beta 分布的参数 0.8 与 1.0 同 DeiT，arXiv:2012.12877
    """
    other = rng.permutation(len(images))
    if policy == "strong":
        policy = "mixup" if rng.random() < 0.5 else "cutmix"
    if policy == "mixup":
        keep = np.float32(rng.beta(0.8, 0.8))
        mixed = keep * images + (1 - keep) * images[other]
    else:
        box = _cut(images.shape[2:], np.sqrt(1 - rng.beta(1.0, 1.0)), rng)
        keep = np.float32(1 - box.mean())
        mixed = np.where(box, images[other], images)
    return mixed, keep * targets + (1 - keep) * targets[other]


def _cut(size: tuple[int, int], side: float, rng: Generator) -> np.ndarray:
    """中心均匀、边长占 side 的矩形，出界的部分截去；→ bool (1, H, W)。"""
    row, column = rng.random((2, 1))
    half = side / 2
    rows, columns = (row - half, row + half), (column - half, column + half)
    return rectangles(size, rows, columns)


def rectangles(
    size: tuple[int, int],
    rows: tuple[np.ndarray, np.ndarray],
    columns: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """一批矩形的蒙版：像素中心落在里面为真。

    形状: size 即 H 与 W；rows、columns 各含起止两组 `(B,)` → bool (B, H, W)
    单位: 起止以边长为 1 计
    """

    def inside(length: int, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        centre = (np.arange(length) + 0.5) / length
        return (centre >= start[:, None]) & (centre < stop[:, None])

    return inside(size[0], *rows)[:, :, None] & inside(size[1], *columns)[:, None]
