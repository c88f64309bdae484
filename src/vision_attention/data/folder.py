"""自己的图片：一个子文件夹一类，或已经分成 train/ 与 val/；PNG、JPEG 或 WebP。"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from vision_attention.checks import ArgumentError, choice, positive, within
from vision_attention.checks import path as as_path
from vision_attention.data.dataset import Source
from vision_attention.data.listing import list_pictures
from vision_attention.data.pictures import (
    SQUARES,
    depth,
    is_square,
    read_pixels,
    reason,
)
from vision_attention.storage import files

SHOWN = 10  # 错误信息里最多点名几个文件
# 正在记着的：（文件与修改时间，边长）→ 图与位数；没有在记就是 None
_SHELF: dict[tuple, tuple[np.ndarray, int]] | None = None


@contextmanager
def remembered() -> Iterator[None]:
    """在里面反复读同样的图片，只解码一次；文件变了就重读，出来就忘。"""
    global _SHELF  # noqa: PLW0603  记不记，整个进程只有一份
    before, _SHELF = _SHELF, {}
    try:
        yield
    finally:
        _SHELF = before


def read(
    path: str | Path,
    image_size: int = 32,
    groups: str | None = None,
    square: str = "crop",
    test: float | str | None = None,
) -> Source:
    """读入一个按类分好子文件夹的图片集；测试集照分好的，没有分好就切下分层的五分之一。

    文件按名字排序，所以同一个文件夹在哪里读都一样；测试集与种子无关，
    每类至少一张。读不了的文件不会被悄悄跳过：全部数出来，报一个错。

    形状: images uint8 (N, 3, H, W)，H = W = image_size
    参数: path 是文件夹；image_size 是边长；groups 为怎样认出一组，同组的不分到两边（见
        grouping.groups_of）；square 为不是正方形的图怎样变成正方形，取 SQUARES 之一；
        test 为没有分好时切下的份额，或一份名单（见 held_out.divide）
    单位: image_size 为像素
    错误: 文件夹不存在时 FileNotFoundError；少于两类、某类的图片太少、train/ 与 test/
        的类名不同、有读不了的文件、类名不能用时 ValueError
    """
    image_size = positive("image_size", image_size)
    within("image_size", 3 * image_size**2, "一张图")
    root = folder_of(path)
    listing = list_pictures(root, groups, test)
    choice("square", square, SQUARES)
    images, bits = _recalled(root, listing.files, image_size, square)
    labels, held = listing.labels, listing.in_test
    return Source(
        name=f"folder:{path}",
        pool_images=images[~held],
        pool_labels=labels[~held],
        test_images=images[held],
        test_labels=labels[held],
        class_names=listing.class_names,
        flip=True,
        bits=bits,
        square=square,
        notes=(*listing.notes, *_oblong(listing.files, square)),
    )


def _oblong(members: Sequence[Path], square: str) -> list[str]:
    """有不是正方形的图时，说怎样变成正方形。"""
    return [] if all(map(is_square, members)) else [SQUARES[square]]


def _recalled(
    root: Path, members: Sequence[Path], image_size: int, square: str
) -> tuple[np.ndarray, int]:
    """read_all；正在记着的，读过就不再读。"""
    if _SHELF is None:
        return read_all(root, members, image_size, square)
    try:
        stamps = tuple((file, file.stat().st_mtime_ns) for file in members)
    except OSError:  # 断了的链接之类，连同别的读不了的，由它点名
        return read_all(root, members, image_size, square)
    key = stamps, image_size, square
    if key not in _SHELF:
        _SHELF[key] = read_all(root, members, image_size, square)
    return _SHELF[key]


def folder_of(path: str | Path) -> Path:
    """folder: 之后的路径。

    错误: 是空的，或不能当路径时抛出 ValueError
    """
    if not str(path):
        raise ArgumentError("folder: 之后缺少路径；写法是 folder:photos", "name")
    return as_path("name", path)


def read_all(
    root: Path, members: Sequence[Path], image_size: int, square: str = "crop"
) -> tuple[np.ndarray, int]:
    """读入全部图片，并说出 16 位灰度图实际用到的位数。

    形状: → uint8 (N, 3, H, W)，位数
    错误: 有读不了的文件时抛出 ValueError，数出个数并点名
    """
    images, broken, deep = [], [], {}
    for file in members:
        try:
            pixels, brightest = read_pixels(file, image_size, square=square)
            if brightest is not None:
                deep[len(images)] = file, brightest
            images.append(pixels)
        except Exception as error:
            # Pillow 的各个解码器什么错都可能抛
            shown = files.printable(file.relative_to(root).as_posix(), longest=80)
            broken.append(f"  {shown}：{reason(file, error)}")
    if broken:
        more = f"\n  ……另有 {len(broken) - SHOWN} 个" if broken[SHOWN:] else ""
        raise ValueError(
            f"有 {len(broken)} 个文件读不了（共 {len(members)} 个）：\n"
            + "\n".join(broken[:SHOWN])
            + more
            + f"\n{remedy(broken)}"
        )
    bits = depth(value for _, value in deep.values())
    for index, (file, _) in deep.items() if bits < 16 else ():
        images[index] = read_pixels(file, image_size, bits, square)[0]
    return np.stack(images), bits


def remedy(broken: list[str]) -> str:
    """读不了的该怎么办；重新存一次只对坏了的、格式不对的有用。"""
    told = "\n".join(broken)
    advice = []
    if any("是文件夹" not in line for line in broken):
        advice.append("移走它们")
    if "损坏" in told or "不是 ." in told:
        advice.append("重新存成 PNG、JPEG、WebP")
    if "太大" in told:
        advice.append("把太大的先缩小")
    if "是文件夹" in told:
        advice.append(
            "把每一类的图片直接放在它自己的子文件夹里；已经分好的，最上一层只放 train"
            " 与 val、test 这几个文件夹"
        )
    return f"请{'，或'.join(advice)}"
