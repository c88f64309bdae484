"""随机变换的零件：每个函数收一批 uint8 图片与逐张的幅度，交回一批 uint8 图片。

幅度 strength 取 [-1, 1]，形状 `(B,)`；幅度 0 就是原图。上限见各函数的出处：
Cubuk 等 2019，arXiv:1805.09501，表 6（AutoAugment 的取值范围）。
"""

from __future__ import annotations

import numpy as np

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601 的亮度权重


def brightness(images: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """亮度：与全黑的图混合，系数 0.1–1.9。"""
    return blend(images, np.zeros((1, 1, 1, 1), np.float32), 1 + 0.9 * strength)


def contrast(images: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """对比度：与平均亮度的灰图混合，系数 0.1–1.9。"""
    mean = luminance(images).mean((1, 2, 3), keepdims=True)
    return blend(images, mean, 1 + 0.9 * strength)


def saturation(images: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """饱和度：与灰度版的自己混合，系数 0.1–1.9；单通道的图不变。"""
    return blend(images, luminance(images), 1 + 0.9 * strength)


def sharpness(images: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """锐度：与 3×3 平均模糊后的自己混合，系数 0.1–1.9。"""
    h, w = images.shape[2:]
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), "edge")
    padded = padded.astype(np.float32)
    shifts = [padded[:, :, i : i + h, j : j + w] for i in range(3) for j in range(3)]
    return blend(images, sum(shifts) / 9, 1 + 0.9 * strength)


def posterize(images: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """减少色阶：每个像素只留高 4–8 位。"""
    dropped = np.rint(4 * np.abs(strength)).astype(np.uint8)
    return images >> per_image(dropped) << per_image(dropped)


def solarize(images: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """中途曝光：不低于阈值 0–256 的像素取反。"""
    threshold = per_image(256 * (1 - np.abs(strength)))
    return np.where(images >= threshold, 255 - images, images)


def rotate(images: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """旋转，至多 30 度。"""
    cos, sin = np.cos(np.pi / 6 * strength), np.sin(np.pi / 6 * strength)
    return warp(images, row=(cos, -sin, 0), column=(sin, cos, 0))


def shear_x(images: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """水平错切，斜率至多 0.3。"""
    return warp(images, row=(1, 0, 0), column=(0.3 * strength, 1, 0))


def shear_y(images: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """竖直错切，斜率至多 0.3。"""
    return warp(images, row=(1, 0.3 * strength, 0), column=(0, 1, 0))


def translate_x(images: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """水平平移，至多边长的 150/331。"""
    shift = 150 / 331 * images.shape[3] * strength
    return warp(images, row=(1, 0, 0), column=(0, 1, shift))


def translate_y(images: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """竖直平移，至多边长的 150/331。"""
    shift = 150 / 331 * images.shape[2] * strength
    return warp(images, row=(1, 0, shift), column=(0, 1, 0))


def warp(images: np.ndarray, row: tuple, column: tuple) -> np.ndarray:
    """仿射变形：输出的每个像素到原图的 row 行 column 列双线性取样，出界为 0。

    形状: images uint8 (B, C, H, W) → uint8 (B, C, H, W)
    参数: row、column 各是三个系数（行的、列的、常数项），每个是数或 `(B,)`，
        坐标以图片中心为原点
    单位: 像素
    """
    b, _, h, w = images.shape
    y, x = np.mgrid[:h, :w].astype(np.float32)
    y, x = y - (h - 1) / 2, x - (w - 1) / 2
    source = [
        sum(per_image(k)[:, 0] * part for k, part in zip(terms, (y, x, 1), strict=True))
        for terms in (row, column)
    ]
    at_row = np.broadcast_to(source[0] + (h - 1) / 2, (b, h, w))
    at_column = np.broadcast_to(source[1] + (w - 1) / 2, (b, h, w))
    at_row, at_column = at_row.astype(np.float32), at_column.astype(np.float32)
    return rounded(bilinear(images, at_row, at_column))


def bilinear(images: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """在小数坐标处取样，四邻按距离加权，图外为 0。

    形状: images uint8 (B, C, H, W)；row、column (B, H, W) → float32 (B, C, H, W)
    """
    b, c, h, w = images.shape
    # 四周补一圈 0 并把坐标夹在圈上，图外自然取到 0
    padded = np.zeros((b, h + 2, w + 2, c), np.float32)
    padded[:, 1:-1, 1:-1] = images.transpose(0, 2, 3, 1)
    row, column = np.clip(row + 1, 0, h + 1), np.clip(column + 1, 0, w + 1)
    top, left = np.minimum(np.floor(row), h), np.minimum(np.floor(column), w)
    down, right = (row - top)[..., None], (column - left)[..., None]
    first = np.arange(b)[:, None, None] * (h + 2) + top.astype(np.intp)
    corner = first * (w + 2) + left.astype(np.intp)

    def at(i: int, j: int) -> np.ndarray:
        return padded.reshape(-1, c).take(corner + (i * (w + 2) + j), 0)

    upper = at(0, 0) * (1 - right) + at(0, 1) * right
    lower = at(1, 0) * (1 - right) + at(1, 1) * right
    return (upper * (1 - down) + lower * down).transpose(0, 3, 1, 2)


def luminance(images: np.ndarray) -> np.ndarray:
    """亮度：三通道按 BT.601 加权，单通道即自身。

    形状: images uint8 (B, C, H, W) → float32 (B, 1, H, W)
    """
    if images.shape[1] == 1:
        return images.astype(np.float32)
    return np.einsum("bchw,c->bhw", images, LUMA)[:, None]


def blend(images: np.ndarray, base: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """从 base 出发走 factor 倍：0 是 base，1 是原图，大于 1 是夸张。

    形状: images uint8 (B, C, H, W)，base 可广播到它，factor (B,) → uint8
    """
    return rounded(base + (images - base) * per_image(factor.astype(np.float32)))


def rounded(values: np.ndarray) -> np.ndarray:
    """四舍六入到 0–255 的 uint8。"""
    return np.rint(values).clip(0, 255).astype(np.uint8)


def per_image(values: float | np.ndarray) -> np.ndarray:
    """把逐张的数 `(B,)` 摆成可与整批相乘的 `(B, 1, 1, 1)`。"""
    return np.reshape(values, (-1, 1, 1, 1))


OPERATIONS = (
    brightness,
    contrast,
    saturation,
    sharpness,
    posterize,
    solarize,
    rotate,
    shear_x,
    shear_y,
    translate_x,
    translate_y,
)
