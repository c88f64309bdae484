"""CIFAR-10 的 JPEG 副本：同样的照片，以质量 75 存过一次，所以像素不是官方的。

书里照片上的研究用的就是它。18 MB，离线可用；像素由解码得到，读完核对指纹。
"""

from __future__ import annotations

import hashlib
import io
import lzma
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from vision_attention import checks
from vision_attention.data import cifar10, download
from vision_attention.data.dataset import Source
from vision_attention.data.unpacked import cached
from vision_attention.storage import files

NAME = "cifar10_jpeg75"
ARCHIVE = "cifar10-jpeg.tar.xz"
SHA256 = "6254f53a1bc70afc08c46178959354e8597763b03706815cc50b5e2cdff16569"
PIXELS = "3abbe5c320980eedc030461b8edc10a382eed0610416b3334d95df410332787d"
COUNTS = {"train": 50_000, "test": 10_000}
SIDE = 32
LARGEST = 100_000  # 字节；一张 32×32 的 JPEG 约 300 字节
# xz 的错不算 OSError；大得不像话的图，Pillow 另有一种错
DAMAGED = (
    tarfile.TarError,
    lzma.LZMAError,
    EOFError,
    OSError,
    Image.DecompressionBombError,
)
CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)


def read(root: str | Path | None = None) -> Source:
    """读出 JPEG 副本，并核对解码出的每一个像素。

    形状: 训练池 uint8 (50000, 3, 32, 32)，测试集 uint8 (10000, 3, 32, 32)
    参数: root 是 cifar10-jpeg.tar.xz、由它重排成官方样子的压缩包或文件夹，
        或装着它们的文件夹；缺省时看缓存文件夹
    错误: 找不到时 FileNotFoundError；内容损坏、像素与书里的研究所用的不同时 ValueError
    出处: Krizhevsky 2009 的照片，以 JPEG 质量 75 重存；次序由固定的排列打乱
    """
    path = locate(root)
    if path.suffix == ".xz":
        place = download.cache_folder() / f"{NAME}-{cifar10.file_hash(path)[:16]}"
        source = cached(place, lambda: decode(path))
    else:
        source = cifar10.read(path)
    refuse_other_pixels(path, source)
    return replace(source, name=NAME)


def locate(root: str | Path | None) -> Path:
    """在 root 或缓存里找到压缩包。

    错误: 找不到时抛出 FileNotFoundError，信息里是怎样取得
    """
    folder = download.cache_folder() if root is None else checks.path("root", root)
    for path in (folder, folder / ARCHIVE):
        if not files.why_unreadable(path):
            return path
    if root is not None and files.is_folder(folder):
        return cifar10.locate(folder)
    raise FileNotFoundError(
        f"{folder} 处没有 {ARCHIVE}（18 MB，sha256 {SHA256}）；它附在本课程的发布页上，"
        f'下载后放进 {download.cache_folder()}，或写 root="它的路径"'
    )


def decode(path: Path) -> Source:
    """把压缩包里的 JPEG 解成数组，按固定的排列打乱。

    错误: 损坏、张数不对、有不是图片的成员时抛出 ValueError
    """
    found: dict[str, list[tuple[str, int, np.ndarray]]] = {"train": [], "test": []}
    try:
        with tarfile.open(path, "r:xz") as tar:
            for member in tar:
                if member.name.endswith(".jpg"):
                    split, label, name = checked(path, member)
                    pixels = opened(path, tar, member)
                    key = f"{label}_{name}"
                    found[split].append((key, CLASSES.index(label), pixels))
    except DAMAGED as error:
        raise ValueError(
            f"{path} 损坏或不完整（{type(error).__name__}）；"
            f"请重新取一份，sha256 应是 {SHA256}"
        ) from error
    counts = {split: len(items) for split, items in found.items()}
    if counts != COUNTS:
        raise ValueError(f"{path} 里有 {counts} 张图片，应有 {COUNTS}；请重新取一份")
    # 次序与书里的研究所用的相同：先按名字排，再由种子 0 的同一个流依次打乱两部分
    rng = np.random.default_rng(0)
    parts = [arranged(found[split], rng) for split in COUNTS]
    return Source(NAME, *parts[0], *parts[1], CLASSES, flip=True)


def checked(path: Path, member: tarfile.TarInfo) -> tuple[str, str, str]:
    """一个成员的（部分，类别，文件名）。

    错误: 不是普通文件、过大、不在已知的文件夹里时抛出 ValueError
    """
    place = member.name.split("/")[-3:]
    known = len(place) == 3 and place[0] in COUNTS and place[1] in CLASSES
    if not known or not member.isfile() or member.size > LARGEST:
        raise ValueError(
            f"{path} 里的成员 {member.name!r} 不该在那里，已拒绝；请从发布页重新取一份"
        )
    return place[0], place[1], place[2]


def opened(path: Path, tar: tarfile.TarFile, member: tarfile.TarInfo) -> np.ndarray:
    """一个成员的像素。

    形状: → uint8 (32, 32, 3)
    错误: 不是 32×32 时抛出 ValueError；读不了时抛出 Pillow 的异常
    """
    content = io.BytesIO(tar.extractfile(member).read())
    with Image.open(content) as image:
        if image.size != (SIDE, SIDE):
            raise ValueError(
                f"{path} 里的 {member.name!r} 是 {image.width}×{image.height}，"
                f"应是 {SIDE}×{SIDE}；请从发布页重新取一份"
            )
        return np.asarray(image.convert("RGB"))


def arranged(
    items: list[tuple[str, int, np.ndarray]], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """一部分的图片与标签。

    形状: → uint8 (N, 3, 32, 32)，int64 (N,)
    """
    items = sorted(items, key=lambda item: item[0])
    order = rng.permutation(len(items))
    images = np.stack([items[k][2] for k in order]).transpose(0, 3, 1, 2)
    labels = np.array([items[k][1] for k in order], dtype=np.int64)
    return np.ascontiguousarray(images), labels


def refuse_other_pixels(path: Path, source: Source) -> None:
    """像素或次序与研究所用的不同：另一份数据，或另一种 JPEG 解码。

    错误: 不同时抛出 ValueError
    """
    digest = hashlib.sha256()
    for part in ("pool_images", "pool_labels", "test_images", "test_labels"):
        digest.update(np.ascontiguousarray(getattr(source, part)).data)
    if digest.hexdigest() != PIXELS:
        raise ValueError(
            f"{path} 解码出的像素不是书里的研究所用的：不是这份 JPEG 副本，"
            "或这个 Pillow 的 JPEG 解码与众不同；"
            '官方的数据请写 data.load("cifar10")'
        )
