"""把一份数据照说明弄难：平移、加噪声、打乱小块；训练池与测试集一起。"""

from __future__ import annotations

from dataclasses import replace
from numbers import Real

import numpy as np

from vision_attention import checks
from vision_attention.data.dataset import Source
from vision_attention.data.splits import (
    PATCHES,
    PIXELS,
    SHIFT,
    permutation,
    random_bits,
)

UNIFORMS = 12  # 12 个 [0, 1) 的均匀数之和，方差恰为 1


def harder(
    source: Source,
    *,
    shift: int = 0,
    pixel_noise: float = 0.0,
    shuffle_patches: int | None = None,
) -> Source:
    """依次平移、加噪声、打乱小块，得到另一份固定的数据。

    每张图片的平移与噪声只取决于它在训练池或测试集里的序号，与运行的种子无关：
    这不是增强，同一张图片每次看到的都一样。

    形状: 各 images 的形状不变
    参数: shift 为行与列各平移 −shift…shift 像素，空出的地方补 0；pixel_noise 为
        加在每个像素上的近似高斯噪声的标准差；shuffle_patches 即 P，把 P×P 的小块按
        一个固定的排列换位置，全部图片相同
    单位: shift 为像素；pixel_noise 以像素值除以 255 之后计
    错误: shift 不小于边长、pixel_noise 超出 [0, 1]、小块切不整齐时抛出 ValueError
    """
    size = source.pool_images.shape[-1]
    shift = checks.whole("shift", shift, 0)
    if shift >= size:
        raise checks.ArgumentError(
            f"shift={shift} 把图片移没了；边长 {size}，应取 0–{size - 1}", "shift"
        )
    if not isinstance(pixel_noise, Real) or not 0 <= pixel_noise <= 1:
        raise checks.ArgumentError(
            f"pixel_noise={checks.shown(pixel_noise)} 超出范围；"
            "以像素值除以 255 之后计，应取 0–1",
            "pixel_noise",
        )
    if shuffle_patches is not None:
        grid = checks.divisible("image_size", size, "shuffle_patches", shuffle_patches)
        if grid == 1:
            raise checks.ArgumentError(
                f"shuffle_patches={shuffle_patches} 只剩一块，没有次序可打乱；"
                f"请取小于 {size} 的",
                "shuffle_patches",
            )
    both = [source.pool_images, source.test_images]
    for number, images in enumerate(both):
        moved = _shifted(images, shift, number) if shift else images
        noisy = _noisy(moved, pixel_noise, number) if pixel_noise else moved
        both[number] = _shuffled(noisy, shuffle_patches) if shuffle_patches else noisy
    return replace(source, pool_images=both[0], test_images=both[1])


def _shifted(images: np.ndarray, shift: int, part: int) -> np.ndarray:
    count, _, size, _ = images.shape
    drawn = random_bits(2 * count, SHIFT, part) % np.uint64(2 * shift + 1)
    padded = np.pad(images, ((0, 0), (0, 0), (shift, shift), (shift, shift)))
    corners = drawn.astype(int).reshape(count, 2)
    moved = [
        image[:, row : row + size, column : column + size]
        for image, (row, column) in zip(padded, corners, strict=True)
    ]
    return np.stack(moved)


def _noisy(images: np.ndarray, std: float, part: int) -> np.ndarray:
    """加噪声，逐张来：整份一起抽，CIFAR-10 要几十 GB。"""
    noisy = np.empty_like(images)
    for index, image in enumerate(images):
        bits = random_bits(image.size * UNIFORMS // 4, PIXELS, part, index)
        uniforms = bits.view(np.uint16).reshape(*image.shape, UNIFORMS)
        # 只用整数求和：浮点求和的次序各处不同，整数处处逐位相同
        sums = uniforms.sum(-1, dtype=np.int64) - UNIFORMS * 65535 // 2
        noisy[index] = np.clip(np.rint(image + sums * (255 * std / 65536)), 0, 255)
    return noisy


def _shuffled(images: np.ndarray, patch_size: int) -> np.ndarray:
    count, channels, size, _ = images.shape
    grid = size // patch_size
    order = permutation(grid**2, PATCHES)
    cells = images.reshape(count, channels, grid, patch_size, grid, patch_size)
    patches = cells.swapaxes(3, 4).reshape(count, channels, grid**2, -1)[:, :, order]
    cells = patches.reshape(count, channels, grid, grid, patch_size, patch_size)
    return np.ascontiguousarray(cells.swapaxes(3, 4).reshape(images.shape))
