"""自己的图片：一个子文件夹一类，PNG、JPEG 或 WebP，大小不限。"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from vision_attention.checks import positive
from vision_attention.data.dataset import Source
from vision_attention.data.splits import TEST, stratified_order

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
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
        有读不了的文件时 ValueError
    """
    positive("image_size", image_size)
    if not str(path):
        raise ValueError("folder: 之后缺少路径；写法是 folder:photos")
    root = Path(path).expanduser()
    class_files = list_classes(root)
    images, labels = read_all(class_files, image_size)
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
    )


def list_classes(root: Path) -> dict[str, list[Path]]:
    """各类的名字与文件，都按名字排序。

    错误: 文件夹不存在时 FileNotFoundError；类太少、某类不足两张时 ValueError
    """
    if not root.is_dir():
        raise FileNotFoundError(
            f"没有文件夹 {str(root)!r}；写法是 folder:PATH，"
            "PATH 下每个子文件夹是一类，例如 photos/猫/、photos/狗/"
        )
    classes = {
        folder.name: visible(folder) for folder in visible(root) if folder.is_dir()
    }
    if len(classes) < 2:
        raise ValueError(
            f"{root} 下只有 {len(classes)} 个子文件夹，分类至少要两类；"
            "请把每一类的图片放进各自的子文件夹"
        )
    few = [
        f"{name}（{len(files)} 张）"
        for name, files in classes.items()
        if len(files) < 2
    ]
    if few:
        raise ValueError(
            f"{root} 下有 {len(few)} 类不足两张图片：{'、'.join(few)}；"
            "训练与测试各要至少一张，请补充图片或移走这些子文件夹"
        )
    return classes


def visible(folder: Path) -> list[Path]:
    """文件夹里的东西，按名字排序，不含隐藏文件与系统文件。"""
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and path.name.lower() not in BYSTANDERS
    )


def read_all(
    class_files: dict[str, list[Path]], image_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """读入全部图片。

    形状: → uint8 (N, 3, H, W)，int64 (N,)
    错误: 有读不了的文件时抛出 ValueError，数出个数并点名
    """
    images, labels, broken = [], [], []
    for label, (name, files) in enumerate(class_files.items()):
        for file in files:
            try:
                images.append(read_image(file, image_size))
                labels.append(label)
            except Exception as error:
                # Pillow 的各个解码器什么错都可能抛
                broken.append(f"  {name}/{file.name}：{reason(file, error)}")
    if broken:
        more = f"\n  ……另有 {len(broken) - SHOWN} 个" if broken[SHOWN:] else ""
        raise ValueError(
            f"有 {len(broken)} 个文件读不了：\n"
            + "\n".join(broken[:SHOWN])
            + more
            + "\n请移走它们，或重新存成 PNG、JPEG、WebP"
        )
    return np.stack(images), np.array(labels, np.int64)


def reason(file: Path, error: Exception) -> str:
    """一个文件读不了的原因。"""
    if file.is_dir():
        return "是文件夹，每类之下不再分层"
    if file.suffix.lower() not in SUFFIXES:
        return f"不是 {'、'.join(SUFFIXES)}"
    if file.stat().st_size == 0:
        return "空文件"
    return f"损坏或格式不符（{type(error).__name__}）"


def read_image(file: Path, image_size: int) -> np.ndarray:
    """一张图片：按 EXIF 摆正，透明处垫白，缩放、居中裁成正方形。

    形状: → uint8 (3, H, W)，H = W = image_size
    错误: 后缀不对时抛出 ValueError；读不了时抛出 Pillow 的异常
    """
    if file.suffix.lower() not in SUFFIXES:
        raise ValueError(file.suffix)
    with Image.open(file) as image:
        # JPEG 解码时就先缩小，大照片快许多倍；留四倍余量不损画质
        image.draft("RGB", (4 * image_size, 4 * image_size))
        upright = to_rgb(ImageOps.exif_transpose(image))
    square = ImageOps.fit(upright, (image_size, image_size), Image.Resampling.BICUBIC)
    return np.asarray(square, np.uint8).transpose(2, 0, 1)


def to_rgb(image: Image.Image) -> Image.Image:
    """任何颜色模式变成 RGB；16 位灰度取高 8 位，透明处垫白。"""
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")
