"""train 留下的文件夹：读出来，凭它自己就能认一张新图；不认识任何框架。

- `SavedRun`、`read`：模型的尺寸、类名、怎样归一化、记录与权重
- `input_of`：写进记录的那一份：模型的输入怎样备
- `going_on`、`refuse_busy`、`in_training`：停在半路的，怎样接着做；别处正在训练的，要等
- `read_pictures`：一批图片文件变成模型的输入，读不了的说得出为什么
- `Prediction`：一张图的答案
- `MODEL`、`RECORD`、`CURVES`、`CHECKPOINT`、`SETTINGS`：各个文件的名字
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vision_attention import checks
from vision_attention.data import Dataset
from vision_attention.data.dataset import normalize
from vision_attention.data.pictures import DEPTHS, SQUARES, read_pixels, reason
from vision_attention.data.transforms import luminance
from vision_attention.specs import SPECS, ImageSpec
from vision_attention.storage import files, locks, records, weights
from vision_attention.storage.weights import Slot

MODEL, RECORD, CURVES = "model.safetensors", "record.json", "curves.svg"
# 训练时有、训练完收走的两样
CHECKPOINT, SETTINGS = "checkpoint.safetensors", "settings.json"
# 记录的格式；改了读法就加 1
FORMAT = 1
WINGS = ("torch", "paddle")


class Prediction(NamedTuple):
    """一张图的答案：类名与它的概率。"""

    class_name: str
    probability: float


@dataclass(frozen=True, eq=False)
class SavedRun:
    """读出来的一次训练。

    形状: mean、std float32 (C,)
    参数: folder 为文件夹；framework 为训练用的框架；spec 为模型的尺寸；class_names 为
        类名，次序即类别的编号；bits 为 16 位灰度图实际用到的位数；square 为不是正方形的
        图怎样变成正方形；record 为整份记录
    单位: mean、std 以像素值除以 255 之后计
    """

    folder: Path
    framework: str
    spec: ImageSpec
    class_names: tuple[str, ...]
    mean: np.ndarray
    std: np.ndarray
    bits: int
    square: str
    record: dict

    def weights(self) -> dict[str, np.ndarray]:
        """训练好的权重，通用的写法，两翼都能用。

        错误: 没有文件时抛出 FileNotFoundError；损坏时抛出 ValueError
        """
        return weights.read(self.folder / MODEL)

    def fill(self, slots: Mapping[str, Slot]) -> None:
        """训练好的权重写进模型的各项。

        错误: 同 weights；与模型对不上时抛出 ValueError，说是哪个文件
        """
        values = self.weights()
        try:
            weights.fill(slots, values)
        except ValueError as error:
            raise ValueError(
                f"{files.printable(self.folder / MODEL)} 不是 {RECORD} 里写的模型，"
                f"或已损坏；请放回原来的一份，或重新训练一次。{error}"
            ) from error

    def normalize(self, images: np.ndarray) -> np.ndarray:
        """像素变成模型的输入；与训练时相同。

        形状: images uint8 (B, C, S, S) → float32 (B, C, S, S)
        错误: 类型或形状不符时抛出 ValueError
        """
        images = checks.array("images", images)
        spec = self.spec
        shape = (spec.in_channels, spec.image_size, spec.image_size)
        if images.shape[1:] != shape or not len(images):
            raise checks.ArgumentError(
                f"images 的形状是 {images.shape}，应为 (B, *{shape})，至少一张；"
                "从文件读请用 predict",
                "images",
            )
        return normalize(images, self.mean, self.std)

    def answers(self, probabilities: np.ndarray) -> list[Prediction]:
        """每张图最可能的一类。

        形状: probabilities (B, 类别数)
        """
        best = probabilities.argmax(1)
        return [
            Prediction(self.class_names[label], float(row[label]))
            for label, row in zip(best, probabilities, strict=True)
        ]


def input_of(dataset: Dataset) -> dict[str, Any]:
    """写进记录的一份：类名、归一化与位数；有了它，一张新图就变得成模型的输入。"""
    return {
        "class_names": list(dataset.class_names),
        # 写成 float32 的值：读回来一位不差
        "mean": [float(value) for value in dataset.mean],
        "std": [float(value) for value in dataset.std],
        "bits": dataset.bits,
        "square": dataset.square,
    }


def read(folder: str | Path) -> SavedRun:
    """读 train 留下的文件夹。

    错误: 没有这个文件夹、还没有训练完、由更新或更旧的版本写成、记录损坏时抛出
        ValueError 或 FileNotFoundError，说明该怎么办
    """
    folder = checks.path("folder", folder)
    record = _record(folder)
    version = record.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise ValueError(
            f"{folder} 由更新的版本写成（格式 {version}，这里只认到 {FORMAT}）；"
            "请升级：pip install -U vision-attention"
        )
    if version is None and "run" in record:
        raise ValueError(
            f"{folder} 由旧的版本写成，没有类名与归一化，认不了新图；请重新训练一次"
        )
    try:
        return _checked(folder, record)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"{folder / RECORD} 损坏，或被改过（{_told(error)}）；请重新训练一次"
        ) from error


def going_on(folder: Path) -> str:
    """停在半路的一次训练，怎样接着做。"""
    path = shlex.quote(files.printable(folder, longest=None))
    return f"接着训练：vision-attention train --resume {path}"


def refuse_busy(folder: Path) -> None:
    """另一个进程正在训练它时，不能读，也不能接着做。

    错误: 正在训练时抛出 ValueError
    """
    if (folder / SETTINGS).exists() and locks.busy(folder):
        raise ValueError(in_training(folder))


def in_training(folder: Path) -> str:
    """另一个进程正在训练它，该怎么办。"""
    shown = files.printable(folder)
    return f"{shown} 正由另一个进程训练；请等它做完，或先在那里按 Ctrl-C 停下"


def _told(error: Exception) -> str:
    return f"缺少 {error}" if isinstance(error, KeyError) else str(error)


def _record(folder: Path) -> dict:
    """记录的原文。"""
    if not files.is_folder(folder):
        raise FileNotFoundError(
            f"没有文件夹 {files.printable(folder)}；请写 train 存下的那个文件夹，"
            "例如 runs/small_cnn-torch-seed0"
        )
    path = folder / RECORD
    if not path.exists():
        refuse_busy(folder)
        if (folder / SETTINGS).exists():
            raise ValueError(
                f"{files.printable(folder)} 还没有训练完；{going_on(folder)}"
            )
        raise FileNotFoundError(
            f"{files.printable(folder)} 里没有 {RECORD}；它不是 train 存下的文件夹"
        )
    files.readable(path)
    try:
        return records.plain_json(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} 损坏，不是完整的 JSON；请重新训练一次") from error


def _checked(folder: Path, record: dict) -> SavedRun:
    """逐项核对；有缺少或对不上的就抛出错误。"""
    checks.whole("format", record["format"], 1)
    named = record["run"]["model"]["name"]
    spec = type(SPECS[named])(**record["model"])
    wanted = record["input"]
    mean = [checks.number("mean", value) for value in wanted["mean"]]
    std = [
        checks.number("std", value, "大于 0 的数", above=0) for value in wanted["std"]
    ]
    names = tuple(map(str, checks.several("class_names", wanted["class_names"])))
    if not len(mean) == len(std) == spec.in_channels:
        raise ValueError(f"mean、std 应各有 {spec.in_channels} 个数")
    if len(names) != spec.num_classes:
        raise ValueError(f"{len(names)} 个类名，模型分 {spec.num_classes} 类")
    bits = checks.choice("bits", wanted["bits"], DEPTHS)
    framework = checks.choice("framework", record["framework"]["name"], WINGS)
    # 从前的记录没有写：那时一律居中裁
    square = checks.choice("square", wanted.get("square", "crop"), SQUARES)
    scale = (np.array(mean, np.float32), np.array(std, np.float32))
    return SavedRun(folder, framework, spec, names, *scale, bits, square, record)


def read_pictures(
    run: SavedRun, paths: Sequence[Path]
) -> tuple[np.ndarray, list[int], dict[int, str]]:
    """一批图片文件；读法与训练时相同，读不了的不耽误别的。

    形状: → images uint8 (B, C, S, S)，只含读得了的
    返回: 图片；它们各是 paths 里的第几个；读不了的：第几个 → 原因
    """
    size, channels = run.spec.image_size, run.spec.in_channels
    images, kept, broken = [], [], {}
    for number, path in enumerate(paths):
        try:
            pixels, _ = read_pixels(path, size, run.bits, run.square)
        except Exception as error:
            # Pillow 的各个解码器什么错都可能抛
            broken[number] = reason(path, error)
            continue
        images.append(pixels)
        kept.append(number)
    empty = np.empty((0, channels, size, size), np.uint8)
    if not images:
        return empty, kept, broken
    read = np.stack(images)
    # 只看一个通道的模型，看亮度
    seen = read if channels > 1 else np.rint(luminance(read)).astype(np.uint8)
    return seen, kept, broken
