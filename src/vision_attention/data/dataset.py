"""数据集的两副面孔：读出来的原料 Source，与切分好、可以训练的 Dataset。"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from vision_attention import checks


@dataclass(frozen=True)
class Source:
    """刚从磁盘读出、还没有切分的数据。

    形状: pool_images、test_images uint8 (N, C, H, W)；两份标签 int64 (N,)
    参数: flip 表示左右翻转之后是否仍是同一类；bits 为 16 位灰度图实际用到的位数；
        square 为不是正方形的图怎样变成正方形；notes 为怎样切分与读图的，几句话，自己的
        图片才有
    """

    name: str
    pool_images: np.ndarray
    pool_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    class_names: tuple[str, ...]
    flip: bool
    bits: int = 16
    square: str = "crop"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Dataset:
    """一份切分完毕的数据：两翼从这里拿到同一批字节。

    形状: 各 images uint8 (N, C, H, W)；各 labels int64 (N,)；mean、std float32 (C,)
    参数: flip 表示左右翻转是否保持类别（数字不保持，照片保持），增强据此决定翻不翻；
        自己的图片若含文字，用 dataclasses.replace(dataset, flip=False) 关掉；
        bits 为 16 位灰度图实际用到的位数，square 为不是正方形的图怎样变成正方形，再读
        一张新图时用它们；notes 为怎样切分与读图的，几句话，自己的图片才有
    单位: mean、std 以像素值除以 255 之后计，由选中的训练图片逐通道精确求得
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    validation_images: np.ndarray
    validation_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    class_names: tuple[str, ...]
    mean: np.ndarray
    std: np.ndarray
    flip: bool
    fingerprint: str
    bits: int = 16
    square: str = "crop"
    notes: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int:
        """类别数。"""
        return len(self.class_names)

    @property
    def in_channels(self) -> int:
        """通道数 C：灰度为 1，彩色为 3。"""
        return self.train_images.shape[1]

    @property
    def image_size(self) -> int:
        """图片边长 H（图片一律是正方形），单位像素。"""
        return self.train_images.shape[2]

    def normalize(self, images: np.ndarray) -> np.ndarray:
        """把像素变成网络的输入：除以 255，减均值，除以标准差。

        形状: images uint8 (B, C, H, W) → float32 (B, C, H, W)
        错误: images 不是 uint8 时抛出 ValueError，以免归一化两次
        """
        return normalize(images, self.mean, self.std)

    def for_tuning(self) -> Dataset:
        """让验证集站到测试集的位置上：调参时用它，真正的测试集不被看见。

        错误: 载入时没有留出验证集则抛出 ValueError
        """
        if not len(self.validation_labels):
            raise ValueError(
                "这份数据没有验证集；载入时写 data.load（…， validation=100） 之类"
            )
        tuning = replace(
            self,
            test_images=self.validation_images,
            test_labels=self.validation_labels,
            validation_images=self.validation_images[:0],
            validation_labels=self.validation_labels[:0],
        )
        return replace(tuning, fingerprint=fingerprint(tuning))


def normalize(images: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """除以 255，减均值，除以标准差。

    形状: images uint8 (B, C, H, W)；mean、std float32 (C,) → float32 (B, C, H, W)
    错误: images 不是 uint8 时抛出 ValueError，以免归一化两次
    """
    images = checks.array("images", images)
    if images.dtype != np.uint8:
        raise ValueError(
            f"images 的类型是 {images.dtype}，应为 uint8；"
            "已经归一化的数组不要再传给 normalize"
        )
    scale = (1 / (255 * std)).reshape(-1, 1, 1)
    shift = (mean / std).reshape(-1, 1, 1)
    normalized = images.astype(np.float32)
    normalized *= scale
    normalized -= shift
    return normalized


def channel_statistics(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """逐通道的均值与标准差，由 256 级直方图精确求得，与求和次序无关。

    形状: images uint8 (N, C, H, W) → 两个 float32 (C,)
    单位: 像素值除以 255 之后
    错误: 某个通道的像素全部相同（标准差为 0）时抛出 ValueError
    """
    levels = np.arange(256) / 255
    channels = range(images.shape[1])
    counts = np.stack(
        [np.bincount(images[:, c].reshape(-1), minlength=256) for c in channels]
    )
    share = counts / counts.sum(1, keepdims=True)
    mean = share @ levels
    std = np.sqrt((share * (levels - mean[:, None]) ** 2).sum(1))
    if not std.all():
        raise ValueError(
            f"训练图片第 {int(std.argmin())} 个通道的像素全部相同，无法归一化；"
            "请检查图片是不是空白"
        )
    return mean.astype(np.float32), std.astype(np.float32)


def fingerprint(dataset: Dataset) -> str:
    """数据的指纹：对选中的全部像素、标签与类名求 sha256，取前 16 位十六进制。

    出处: 记录里存它，两次运行的指纹相同就是同一份数据
    """
    digest = hashlib.sha256("\0".join(dataset.class_names).encode())
    for part in ("train", "validation", "test"):
        images = getattr(dataset, f"{part}_images")
        labels = getattr(dataset, f"{part}_labels")
        digest.update(f"{part}{images.shape}".encode())
        digest.update(np.ascontiguousarray(images).data)
        digest.update(np.ascontiguousarray(labels, dtype="<i8").data)
    return digest.hexdigest()[:16]
