"""命令行存下的图。画图的库沉，用到时才载入，所以都在这里。

内容: draw_curves、draw_map。
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vision_attention.training.history import History


def draw_curves(record: dict, path: Path) -> None:
    """画出一次训练的学习曲线。"""
    from vision_attention import plots

    plots.use_style()
    history = History(**record["curves"])
    figure = plots.learning_curves({record["run"]["model"]["name"]: history})
    figure.savefig(path)


def draw_map(
    image: np.ndarray, values: np.ndarray, title: str, label: str, path: Path
) -> None:
    """一张图与模型看着的地方：左边原图，右边叠上。"""
    from vision_attention import plots

    plots.use_style()
    plots.overlay(image, values, title=title, label=label).savefig(path)
