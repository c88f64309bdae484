"""CIFAR-10：认得官方压缩包与解开后的文件夹；没有就去缓存，再去镜像。"""

from __future__ import annotations

import hashlib
import lzma
import pickle
import tarfile
import zlib
from pathlib import Path, PurePosixPath

import numpy as np

from vision_attention.checks import path as as_path
from vision_attention.checks import shown
from vision_attention.data import download, pickles
from vision_attention.data.dataset import Source
from vision_attention.data.unpacked import cached
from vision_attention.storage import files

TRAIN = tuple(f"data_batch_{k}" for k in range(1, 6))
MEMBERS = (*TRAIN, "test_batch", "batches.meta")
FOLDER = "cifar-10-batches-py"
LARGEST = 100_000_000  # 字节；官方最大的成员约 31 MB
MOST_MEMBERS = 20  # 官方有九个，含文件夹与说明
# 名字太长时，名字自己占一个成员；tarfile 一看见就整个读进来
EXTENSIONS = {b"x", b"g", b"X", b"L", b"K"}
LONGEST_NAME = 1 << 20
UNOFFICIAL = "这不是官方的压缩包，请从可信的来源重新下载"


def read(root: str | Path | None = None) -> Source:
    """读出 CIFAR-10；压缩包只在内存里解开，不往磁盘上写。

    形状: 训练池 uint8 (50000, 3, 32, 32)，测试集 uint8 (10000, 3, 32, 32)
    参数: root 是压缩包、解开后的文件夹，或装着二者之一的文件夹；
        缺省时先看缓存，再依次试各个镜像（见 download.fetch）
    错误: root 不存在时 FileNotFoundError；内容损坏、不全或有危险时 ValueError；
        下载不了时 ConnectionError，缓存写不进去时 PermissionError
    出处: Krizhevsky 2009，Learning Multiple Layers of Features from Tiny Images
    """
    path = download.fetch() if root is None else locate(as_path("root", root))
    if path.is_dir():
        return assemble(path, from_folder(path))
    place = f"cifar10-{file_hash(path)[:16]}"
    return cached(
        download.cache_folder() / place, lambda: assemble(path, from_archive(path))
    )


def file_hash(path: Path) -> str:
    """文件内容的 sha256。"""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def assemble(path: Path, members: dict[str, bytes]) -> Source:
    """把七个成员拼成训练池与测试集。

    错误: 缺少成员或内容不合规格时抛出 ValueError；path 只用来报错
    """
    missing = [name for name in MEMBERS if name not in members]
    if missing:
        raise ValueError(
            f"{path} 里缺少 {'、'.join(missing)}；请换成完整的 {download.ARCHIVE}"
        )
    names = decode(path, members, "batches.meta", b"label_names")
    if names.ndim != 1 or names.dtype.kind != "S":
        raise ValueError(f"{path} 里的 batches.meta 不合规格：label_names 应为一列类名")
    class_names = tuple(name.decode(errors="replace") for name in names.tolist())
    parts = [batch(path, members, name, len(class_names)) for name in MEMBERS[:6]]
    pool_images, pool_labels = (
        np.concatenate(group) for group in zip(*parts[:5], strict=True)
    )
    return Source(
        "cifar10", pool_images, pool_labels, *parts[5], class_names, flip=True
    )


def locate(root: Path) -> Path:
    """在 root 里找到压缩包或批次文件夹。

    错误: 找不到时抛出 FileNotFoundError；是管道、设备或打不开时抛出 ValueError，
        没有权限时抛出 PermissionError
    """
    found = [root / part for part in (MEMBERS[0], f"{FOLDER}/{MEMBERS[0]}")]
    for member in found:
        if not files.why_unreadable(member):
            return member.parent
    archive = root / download.ARCHIVE
    if not files.why_unreadable(archive):
        return archive
    try:
        if files.is_folder(root):
            raise FileNotFoundError
        files.readable(root)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"root={shown(str(root))} 处没有 CIFAR-10；应是 {download.ARCHIVE}、"
            f"解开后的 {FOLDER} 文件夹，或装着二者之一的文件夹"
        ) from error
    return root


def from_folder(folder: Path) -> dict[str, bytes]:
    """批次文件夹里各成员的内容。

    错误: 有一个大得不像话时抛出 ValueError
    """
    found = [path for path in (folder / name for name in MEMBERS) if path.is_file()]
    for path in found:
        if path.stat().st_size > LARGEST:
            size = f"{path.stat().st_size:,}"
            raise ValueError(f"{path} 有 {size} 字节，过大；{UNOFFICIAL}")
    return {path.name: path.read_bytes() for path in found}


class _StrangeError(Exception):
    """官方的压缩包里不会有的成员；还没有读它。"""

    def __init__(self, name: str, why: str):
        super().__init__(f"{shown(name)} {why}，已拒绝")


class _Member(tarfile.TarInfo):
    """成员的文件头；tarfile 会照它写的大小去读，所以先看大小。"""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> tarfile.TarInfo:
        member = super().frombuf(buf, encoding, errors)
        extended = member.type in EXTENSIONS
        if not 0 <= member.size <= (LONGEST_NAME if extended else LARGEST):
            raise _StrangeError(member.name, "过大")
        return member


def from_archive(path: Path) -> dict[str, bytes]:
    """压缩包里各成员的内容。

    错误: 损坏、截断，有成员指向包外、重复、太多或太大时抛出 ValueError；此前不占内存
    """
    members: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r:*", tarinfo=_Member) as tar:
            for count, member in enumerate(tar):
                refuse_unsafe(member)
                name = PurePosixPath(member.name).name
                if name in members or count > MOST_MEMBERS:
                    why = "有两份" if name in members else "之前已有太多成员"
                    raise _StrangeError(name, why)
                if member.isfile() and name in MEMBERS:
                    members[name] = tar.extractfile(member).read()
            # gzip 的校验和在末尾，tarfile 自己不读到那里
            for _ in iter(lambda: tar.fileobj.read(1 << 20), b""):
                if tar.fileobj.tell() > MOST_MEMBERS * LARGEST:
                    raise _StrangeError(name, "之后还有太多字节")
    except _StrangeError as error:
        raise ValueError(f"{path} 里的成员 {error}；{UNOFFICIAL}") from error
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        raise ValueError(
            f"{path} 损坏或不完整（{path.stat().st_size:,} 字节，"
            f"{type(error).__name__}）；请重新下载，官方文件的 md5 是 {download.MD5}"
        ) from error
    return members


def refuse_unsafe(member: tarfile.TarInfo) -> None:
    """拒绝指向包外的路径、链接与设备，以及大得不像话的成员。"""
    parts = PurePosixPath(member.name.replace("\\", "/"))
    drive = any(":" in part for part in parts.parts[:1])  # “./”没有任何一节
    outside = parts.is_absolute() or ".." in parts.parts or drive
    if outside or not (member.isfile() or member.isdir()) or member.size > LARGEST:
        raise _StrangeError(member.name, "指向包外、是链接或过大")


def decode(path: Path, members: dict[str, bytes], name: str, key: bytes) -> np.ndarray:
    """从一个成员里取出一项，做成数组。

    错误: pickle 损坏、有危险或缺这一项时抛出 ValueError
    """
    try:
        return pickles.column(pickles.loads(members[name])[key])
    except (pickle.UnpicklingError, LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} 里的 {name} 读不了：{error}；请从可信的来源重新下载"
        ) from error


def batch(
    path: Path, members: dict[str, bytes], name: str, num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """一个批次的图片与标签。

    形状: → uint8 (N, 3, 32, 32)，int64 (N,)
    错误: 形状、类型或标签不对时抛出 ValueError
    """
    images = decode(path, members, name, b"data")
    labels = decode(path, members, name, b"labels")
    shapes = labels.size and images.shape == (labels.size, 3072) and labels.ndim == 1
    kinds = images.dtype == np.uint8 and labels.dtype.kind in "iu"
    if not (shapes and kinds and 0 <= labels.min() <= labels.max() < num_classes):
        raise ValueError(
            f"{path} 里的 {name} 不合规格：data 应为 uint8 (N, 3072)，"
            f"labels 应为 N 个 0–{num_classes - 1} 的整数"
        )
    return images.reshape(-1, 3, 32, 32), labels.astype(np.int64)
