"""训练之前看一眼自己的图片：张数、大小、颜色、几乎相同的、读不了的。

- `look`、`Look`：看到的东西
- `Twin`：几乎相同的一对
- `perceptual_hashes`、`twins`：感知指纹，与指纹相近的各对
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy.fft import dctn

from vision_attention.data.listing import Listing, list_pictures
from vision_attention.data.pictures import read_pixels, reason
from vision_attention.data.transforms import luminance

SIDE = 32  # 指纹取自缩到这么大的图
LOW = 8  # 只看最低的 8×8 个频率
NEAR = 4  # 64 位里至多差这么多位，算几乎相同
SHADE = 12  # 平均颜色各通道至多差这么多（0–255）
ROWS = 1000  # 一次比这么多行，内存不随张数的平方长


class Twin(NamedTuple):
    """几乎相同的一对：两个文件的编号，类名是否不同，是否一张在训练、一张在测试。"""

    first: int
    second: int
    other_class: bool
    across: bool


@dataclass(frozen=True, eq=False)
class Look:
    """看到的东西；编号是 listing.files 里的第几个。

    形状: sizes int64 (M, 2)，宽与高，只含读得了的 M 张
    参数: kinds 为每种颜色的张数；twins 为几乎相同的各对；broken 为读不了的编号 → 原因
    单位: sizes 为像素
    """

    listing: Listing
    sizes: np.ndarray
    kinds: dict[str, int]
    twins: list[Twin]
    broken: dict[int, str]


Watch = Callable[[list[Path]], Iterable[Path]]


def look(
    root: Path,
    watch: Watch = iter,
    groups: str | None = None,
    test: float | str | None = None,
) -> Look:
    """看一个文件夹；不训练，也不改任何东西。

    参数: groups 为怎样认出一组，test 为怎样切下测试，同 list_pictures；
        watch 把文件的一列包成带进度条的，缺省不显示
    错误: 同 list_pictures；读不了的图片、图片太少的类不算错，列在 broken 与
        listing.few 里
    """
    listing = list_pictures(root, groups, test, spare=True)
    sizes, pixels, kept, broken = [], [], [], {}
    kinds: dict[str, int] = {}
    for number, file in enumerate(watch(listing.files)):
        try:
            small, _ = read_pixels(file, SIDE)
            size, kind = _facts(file, small)
        except Exception as error:
            # Pillow 的各个解码器什么错都可能抛
            broken[number] = reason(file, error)
            continue
        kinds[kind] = kinds.get(kind, 0) + 1
        sizes.append(size)
        pixels.append(small)
        kept.append(number)
    found = _pairs(listing, np.stack(pixels), kept) if pixels else []
    shape = np.array(sizes, np.int64).reshape(-1, 2)
    return Look(listing, shape, kinds, found, broken)


def _facts(file: Path, small: np.ndarray) -> tuple[tuple[int, int], str]:
    """大小，与颜色：16 位灰度、带透明、灰度（三个通道相同的也算）、彩色。"""
    with Image.open(file) as image:
        size, mode = image.size, image.mode
        clear = "A" in image.getbands() or "transparency" in image.info
    if mode.startswith("I"):
        return size, "16 位灰度"
    if clear:
        return size, "带透明"
    same = (small == small[:1]).all()
    return size, "灰度" if same else "彩色"


def _pairs(listing: Listing, pixels: np.ndarray, kept: list[int]) -> list[Twin]:
    """几乎相同的各对；在切分两边的排在前面，其次是类名不同的。"""
    labels, test = listing.labels[kept], listing.in_test[kept]
    pairs = [
        Twin(kept[i], kept[j], bool(labels[i] != labels[j]), bool(test[i] != test[j]))
        for i, j in twins(pixels)
    ]
    return sorted(pairs, key=lambda twin: (not twin.across, not twin.other_class))


def perceptual_hashes(pixels: np.ndarray) -> np.ndarray:
    """感知指纹：低频的余弦系数，哪些大于中位数；缩放、重新压缩之后几乎不变。

    形状: pixels uint8 (N, 3, 32, 32) → bool (N, 64)
    出处: Zauner 2010 的 DCT 指纹，写法同 imagehash 的 phash；少装一个包
    """
    waves = dctn(luminance(pixels)[:, 0], axes=(1, 2))
    # 单色的图，系数只剩舍入的零头；先抹平，指纹才相同
    low = waves[:, :LOW, :LOW].reshape(len(pixels), -1).round(3)
    return low > np.median(low, 1, keepdims=True)


def twins(pixels: np.ndarray) -> list[tuple[int, int]]:
    """指纹相近、平均颜色也相近的各对 (i, j)，i < j。

    形状: pixels uint8 (N, 3, 32, 32)
    """
    signs = np.where(perceptual_hashes(pixels), 1, -1).astype(np.float32)
    colors = pixels.mean((2, 3))
    found = []
    for start in range(0, len(signs), ROWS):
        # 相同的位数减不同的位数 = 64 − 2 × 差的位数
        agree = signs[start : start + ROWS] @ signs.T
        for i, j in np.argwhere(agree >= LOW * LOW - 2 * NEAR):
            near = abs(colors[start + i] - colors[j]).max() <= SHADE
            if start + i < j and near:
                found.append((int(start + i), int(j)))
    return found
