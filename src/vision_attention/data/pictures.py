"""一张图片：任何颜色模式、位数与朝向，读成正方形的 RGB；读不了的说得出为什么。"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from vision_attention.storage import files

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
DEPTHS = (8, 10, 12, 14, 16)  # 16 位的格子里常见的实际位数
# 不是正方形的图怎样变成正方形 → 记进运行的那句话
SQUARES = {
    "crop": "不是正方形的图：按短边缩放，居中裁掉两头",
    "pad": "不是正方形的图：按长边缩放，两边补灰",
    "squash": "不是正方形的图：压成正方形，长宽比变了",
}
GRAY = (128, 128, 128)  # 补的灰：正中的亮度，离哪一类都不近
DARKEST = 64  # 16 位的彩色图，Pillow 只给高 8 位；最亮也不到它，就是只用了低 14 位


class LowBitsError(ValueError):
    """16 位的彩色图只用了低位，Pillow 读出来是一片黑。"""


def depth(brightest: Iterable[int]) -> int:
    """16 位的灰度图实际用到几位；没有这样的图时是 16。

    照相机与显微镜常把 10、12、14 位的数放进 16 位的格子；取高 8 位就是一片黑。
    位数由整个文件夹里最亮的一个像素定，所以图与图之间的明暗不变。

    参数: brightest 为每张 16 位灰度图里最亮的像素
    """
    most = max(brightest, default=1 << DEPTHS[-1] - 1)
    return next(bits for bits in DEPTHS if most < 1 << bits)


def reason(file: Path, error: Exception) -> str:
    """一个文件读不了的原因。"""
    if files.is_folder(file):
        return "是文件夹，每类之下不再分层"
    if file.suffix.lower() not in SUFFIXES:
        return f"不是 {'、'.join(SUFFIXES)}"
    why = files.why_unreadable(file)
    if why or file.stat().st_size == 0:
        return why or "空文件"
    return {
        Image.DecompressionBombError: f"太大，超过 {_most_pixels()} 像素",
        MemoryError: "太大，内存装不下",
        LowBitsError: "16 位彩色而只用了低位，读出来是一片黑；请先换成 8 位",
    }.get(type(error), f"损坏或格式不符（{type(error).__name__}）")


def _most_pixels() -> str:
    """Pillow 肯读的最多像素数；使用者可能取消了上限。"""
    return f"{2 * Image.MAX_IMAGE_PIXELS:,}" if Image.MAX_IMAGE_PIXELS else "限制的"


def read_image(file: Path, image_size: int) -> np.ndarray:
    """一张图片：按 EXIF 摆正，透明处垫白，缩放、居中裁成正方形；动图取第一帧。

    形状: → uint8 (3, H, W)，H = W = image_size
    错误: 后缀不对、不是普通的文件时抛出 ValueError；读不了时抛出 Pillow 的异常
    """
    return read_pixels(file, image_size)[0]


def is_square(file: Path) -> bool:
    """是不是正方形；只看文件头，读不了的当作是，读的时候自会报错。"""
    try:
        with Image.open(file) as image:
            return image.width == image.height
    except Exception:
        return True


def read_pixels(
    file: Path, image_size: int, bits: int = 16, square: str = "crop"
) -> tuple[np.ndarray, int | None]:
    """read_image，并说出 16 位灰度图里最亮的一个像素；别的图是 None。

    参数: bits 为 16 位灰度图实际用到的位数；square 取 SQUARES 之一
    """
    # 管道一打开就可能永远等下去，所以先看它是不是普通的文件
    if file.suffix.lower() not in SUFFIXES or files.why_unreadable(file):
        raise ValueError(files.printable(file))
    with warnings.catch_warnings():
        # 很大而还读得了的图，Pillow 印一句英文；真正太大的，它会抛错
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(file) as image:
            sixteen = any(";16" in str(tile) for tile in image.tile)
            # JPEG 解码时就先缩小，大照片快许多倍；留四倍余量不损画质
            image.draft("RGB", (4 * image_size, 4 * image_size))
            upright = ImageOps.exif_transpose(image)
            wide = upright.mode.startswith("I")
            brightest = int(np.asarray(upright).max()) if wide else None
            upright = to_rgb(upright, bits)
    if sixteen and not wide:
        if max(high for _, high in upright.getextrema()) < DARKEST:
            raise LowBitsError
    pixels = np.asarray(_squared(upright, image_size, square), np.uint8)
    return pixels.transpose(2, 0, 1), brightest


def _squared(image: Image.Image, side: int, how: str) -> Image.Image:
    """变成边长 side 的正方形：裁、补，或压。"""
    size, smooth = (side, side), Image.Resampling.BICUBIC
    if how == "squash":
        return image.resize(size, smooth)
    if how == "pad":
        return ImageOps.pad(image, size, smooth, color=GRAY)
    return ImageOps.fit(image, size, smooth)


def to_rgb(image: Image.Image, bits: int = 16) -> Image.Image:
    """任何颜色模式变成 RGB；16 位灰度取用到的 bits 位里的高 8 位，透明处垫白。"""
    if image.mode.startswith("I"):
        # 认新图时，它可能比训练的图都亮：停在最亮，不绕回黑
        kept = np.minimum(np.asarray(image) >> (bits - 8), 255)
        image = Image.fromarray(kept.astype(np.uint8))
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")
