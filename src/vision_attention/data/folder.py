"""自己的图片：一个子文件夹一类，PNG、JPEG 或 WebP，长宽不限。"""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np

from vision_attention.checks import ArgumentError, positive, within
from vision_attention.checks import path as as_path
from vision_attention.data.dataset import Source
from vision_attention.data.pictures import depth, read_pixels, reason
from vision_attention.data.splits import TEST, stratified_order
from vision_attention.storage import files

BYSTANDERS = ("thumbs.db", "desktop.ini", "__macosx")  # 系统自己放的，不是图片
TEST_SHARE = 0.2
SHOWN = 10  # 错误信息里最多点名几个文件


def read(path: str | Path, image_size: int = 32) -> Source:
    """读入一个按类分好子文件夹的图片集，切下固定的五分之一作分层测试集。

    文件按名字排序，所以同一个文件夹在哪里读都一样；测试集与种子无关，
    每类至少一张。读不了的文件不会被悄悄跳过：全部数出来，报一个错。

    形状: images uint8 (N, 3, H, W)，H = W = image_size
    参数: path 是文件夹；image_size 是边长，先按短边缩放再居中裁成正方形
    单位: image_size 为像素
    错误: 文件夹不存在时 FileNotFoundError；少于两类、某类不足两张、
        有读不了的文件、类名不能用时 ValueError
    """
    image_size = positive("image_size", image_size)
    within("image_size", 3 * image_size**2, "一张图")
    if not str(path):
        raise ArgumentError("folder: 之后缺少路径；写法是 folder:photos", "name")
    root = as_path("name", path)
    refuse_unwritable_name(root)
    class_files = list_classes(root)
    images, labels, bits = read_all(class_files, image_size)
    order = stratified_order(labels, 0, TEST)
    size = max(len(class_files), round(TEST_SHARE * len(labels)))
    test, pool = np.sort(order[:size]), np.sort(order[size:])
    return Source(
        name=f"folder:{path}",
        pool_images=images[pool],
        pool_labels=labels[pool],
        test_images=images[test],
        test_labels=labels[test],
        class_names=tuple(class_files),
        flip=True,
        bits=bits,
    )


def refuse_unwritable_name(path: Path) -> None:
    """名字要写进记录与指纹，必须是 UTF-8。

    错误: 不是时抛出 ValueError
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"文件夹 {files.printable(path)} 的名字不是 UTF-8；请先改名"
        ) from error


def list_classes(root: Path) -> dict[str, list[Path]]:
    """各类的名字与文件，都按名字排序。

    错误: 文件夹不存在时 FileNotFoundError；类太少、某类不足两张、类名不能用，
        或有断了的链接时 ValueError
    """
    if not files.is_folder(root):
        why = files.why_unreadable(root)
        raise FileNotFoundError(
            f"没有文件夹 {files.printable(root)!r}{f'（{why}）' if why else ''}；"
            "写法是 folder:PATH，PATH 下每个子文件夹是一类，"
            "例如 photos/猫/、photos/狗/"
        )
    folders = [path for path in visible(root) if is_class(path)]
    refuse_doubles(folders)
    classes = {folder.name: visible(folder) for folder in folders}
    if len(classes) < 2:
        raise ValueError(
            f"{root} 下只有 {len(classes)} 个子文件夹，分类至少要两类；"
            "请把每一类的图片放进各自的子文件夹"
        )
    few = [f"{name}（{len(f)} 张）" for name, f in classes.items() if len(f) < 2]
    if few:
        raise ValueError(
            f"{root} 下有 {len(few)} 类不足两张图片：{'、'.join(few)}；"
            "训练与测试各要至少一张，请补充图片或移走这些子文件夹"
        )
    return classes


def is_class(path: Path) -> bool:
    """是不是一类的文件夹；散放的文件不算。

    错误: 是断了或绕成圈的链接，或名字不是 UTF-8 时抛出 ValueError
    """
    if files.is_folder(path):
        refuse_unwritable_name(path)
        return True
    if path.is_symlink() and files.why_unreadable(path):
        raise ValueError(
            f"{files.printable(path)}：{files.why_unreadable(path)}；"
            "它也许是一类，请修好或移走"
        )
    return False


def refuse_doubles(folders: list[Path]) -> None:
    """类名只差大小写或 Unicode 的写法，换一个系统就成了同一个文件夹。

    错误: 有这样的两类时抛出 ValueError
    """
    seen: dict[str, str] = {}
    for folder in folders:
        plain = unicodedata.normalize("NFC", folder.name).casefold()
        other = seen.setdefault(plain, folder.name)
        if other != folder.name:
            raise ValueError(
                f"类名 {other!r} 与 {folder.name!r} 只差大小写或字符的写法，"
                "在 macOS 与 Windows 上是同一个文件夹；请改名，或并成一类"
            )


def visible(folder: Path) -> list[Path]:
    """文件夹里的东西，按名字排序，不含隐藏文件与系统文件。

    错误: 打不开时抛出 ValueError
    """
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        raise ValueError(
            f"文件夹 {files.printable(folder)} 打不开：{files.reason(error)}"
        ) from error
    return [
        path
        for path in found
        if not path.name.startswith(".") and path.name.lower() not in BYSTANDERS
    ]


def read_all(
    class_files: dict[str, list[Path]], image_size: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """读入全部图片，并说出 16 位灰度图实际用到的位数。

    形状: → uint8 (N, 3, H, W)，int64 (N,)，位数
    错误: 有读不了的文件时抛出 ValueError，数出个数并点名
    """
    images, labels, broken, deep = [], [], [], {}
    for label, (name, members) in enumerate(class_files.items()):
        for file in members:
            try:
                pixels, brightest = read_pixels(file, image_size)
                if brightest is not None:
                    deep[len(images)] = file, brightest
                images.append(pixels)
                labels.append(label)
            except Exception as error:
                # Pillow 的各个解码器什么错都可能抛
                shown = files.printable(file.name)
                broken.append(f"  {name}/{shown}：{reason(file, error)}")
    if broken:
        more = f"\n  ……另有 {len(broken) - SHOWN} 个" if broken[SHOWN:] else ""
        raise ValueError(
            f"有 {len(broken)} 个文件读不了：\n"
            + "\n".join(broken[:SHOWN])
            + more
            + f"\n{remedy(broken)}"
        )
    bits = depth(value for _, value in deep.values())
    for index, (file, _) in deep.items() if bits < 16 else ():
        images[index] = read_pixels(file, image_size, bits)[0]
    return np.stack(images), np.array(labels, np.int64), bits


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
            "把每一类的图片直接放在它自己的子文件夹里（已经分成 train、val 的，"
            "合到一起，本书自己切分）"
        )
    return f"请{'，或'.join(advice)}"
