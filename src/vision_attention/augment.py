"""图像增强:对整批 uint8 图片做的、向量化的 NumPy 变换,只由传入的 rng 决定。

weak = 随机裁剪(+ 允许时左右翻转)。
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

POLICIES = ("none", "weak")


def pixels(
    images: np.ndarray, rng: Generator, policy: str, *, flip: bool
) -> np.ndarray:
    """对像素做 policy 规定的增强;"none" 原样返回。

    形状: images uint8 (B, C, H, W) → uint8 (B, C, H, W)
    参数: flip 表示数据集允许左右翻转(数字不允许,见 Dataset.flip)
    """
    if policy == "none":
        return images
    return weak(images, rng, flip=flip)


def weak(images: np.ndarray, rng: Generator, *, flip: bool) -> np.ndarray:
    """随机裁剪,再以一半的概率左右翻转(flip 为真时)。

    形状: images uint8 (B, C, H, W) → uint8 (B, C, H, W)
    """
    cropped = random_crop(images, rng)
    return random_flip(cropped, rng) if flip else cropped


def random_crop(images: np.ndarray, rng: Generator) -> np.ndarray:
    """四周补零后随机裁回原来的大小,即随机平移。

    形状: images uint8 (B, C, H, W) → uint8 (B, C, H, W)
    单位: 补 H // 8 像素:32×32 补 4,8×8 补 1
    出处: 补 4 像素是 He 等 2016,arXiv:1512.03385,第 4.2 节对 CIFAR-10 的做法
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
