"""命令行存下的图。画图的库沉，用到时才载入，所以都在这里。

内容: draw_curves、draw_map；curves_picture、size_picture、paired_picture、
    photo、overlaid（报告里的图，写成 data: 网址）。
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vision_attention.storage import files
from vision_attention.training.history import History


def draw_curves(record: dict, path: Path) -> None:
    """画出一次训练的学习曲线。"""
    from vision_attention import plots

    plots.use_style()
    history = History(**record["curves"])
    figure = plots.learning_curves({record["run"]["model"]["name"]: history})
    _save(figure, path)


def draw_map(
    image: np.ndarray, values: np.ndarray, title: str, label: str, path: Path
) -> None:
    """一张图与模型看着的地方：左边原图，右边叠上。"""
    from vision_attention import plots

    plots.use_style()
    _save(plots.overlay(image, values, title=title, label=label), path)


def _save(figure: Any, path: Path) -> None:
    """存成 SVG；磁盘满了，不留下半张。"""
    with files.replacing(path) as temporary:
        figure.savefig(temporary, format="svg")


def curves_picture(histories: Sequence[Any], title: str) -> str:
    """各粒种子的学习曲线。"""
    from vision_attention import plots

    plots.use_style()
    return _vector(plots.learning_curves({title: list(histories)}, limits=(0, 1.02)))


def size_picture(by_size: Mapping[int, Mapping[int, float]]) -> str:
    """测试准确率随训练图片数怎样变；只用各个张数都做了的种子。"""
    from vision_attention import plots

    plots.use_style()
    seeds = set.intersection(*(set(found) for found in by_size.values()))
    sizes = sorted(by_size)
    rows = [[by_size[n][seed] for n in sizes] for seed in sorted(seeds)]
    words = {"xlabel": "训练图片（张）", "ylabel": "测试准确率"}
    panels = {"": {"测试准确率": (sizes, rows)}}
    return _vector(plots.lines(panels, log="x", ticks=sizes, **words))


def paired_picture(arms: Mapping[str, Sequence[float]]) -> str:
    """各臂每次训练的测试准确率，一次一个点。"""
    from vision_attention import plots

    plots.use_style()
    return _vector(plots.dots({"": dict(arms)}, xlabel="测试准确率"))


def photo(image: np.ndarray) -> str:
    """一张图。

    形状: image uint8 (C, H, W)
    """
    return _raster(_pixels(image))


def overlaid(image: np.ndarray, values: np.ndarray) -> str:
    """一张图，叠上模型看着的地方：越黄看得越重。

    形状: image uint8 (C, H, W)；values (h, w)，按比例铺满
    """
    from matplotlib import colormaps

    values = np.asarray(values, np.float32)
    values = (values - values.min()) / max(float(np.ptp(values)), 1e-12)
    pixels = _pixels(image)
    small = Image.fromarray((255 * values).astype(np.uint8))
    spread = np.asarray(small.resize(pixels.shape[1::-1])) / 255
    tinted = 255 * colormaps["viridis"](spread)[..., :3]
    return _raster((0.45 * pixels + 0.55 * tinted).astype(np.uint8))


def _pixels(image: np.ndarray) -> np.ndarray:
    """(C, H, W) → (H, W, 3)。"""
    return np.broadcast_to(np.moveaxis(image, 0, -1), (*image.shape[1:], 3))


def _vector(figure: Any) -> str:
    """图 → SVG 的 data: 网址。"""
    stream = io.StringIO()
    figure.savefig(stream, format="svg")
    return _address("svg+xml", stream.getvalue().encode())


def _raster(pixels: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG")
    return _address("png", stream.getvalue())


def _address(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
