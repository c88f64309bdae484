"""命令 vision-attention export：把训练好的模型存成别的程序能用的样子。

内容: export。
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from vision_attention.checks import choice
from vision_attention.cli.user_errors import user_errors
from vision_attention.storage import files
from vision_attention.training import saved_run
from vision_attention.training.saved_run import SavedRun
from vision_attention.wings import load_wing

# 存成什么 → 由哪一翼来存
MAKERS = {"onnx": "torch", "paddle": "paddle"}
INPUT = "input.json"


@user_errors
def export(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="train 存下的文件夹。")],
    *,
    to: Annotated[str, typer.Option(help="onnx，或 paddle（静态图）。")],
    out: Annotated[
        Path | None, typer.Option(help="放在哪里；缺省为 RUN 里的同名文件夹。")
    ] = None,
) -> None:
    """导出训练好的模型，连同输入怎样备（input.json）；哪个框架训练的都可以。"""
    choice("to", to, MAKERS)
    run = saved_run.read(folder)
    wing = load_wing(MAKERS[to])
    _refuse_missing(wing.module("export").NEEDS)
    place = out or folder / to
    if place.exists():
        raise ValueError(f"{place} 已经存在；请先把它移走，或用 --out 换一个地方")
    trained = wing.module("runs").load_run(folder, "cpu")
    _write(place, wing.module("export").export, trained, run)
    typer.echo(f"存在 {place}：{'、'.join(sorted(p.name for p in place.iterdir()))}")
    typer.echo(f"输入是归一化之后的图，批次大小不定；怎样备见 {INPUT}")


def _refuse_missing(packages: tuple[str, ...]) -> None:
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(
            f"导出要用 {'、'.join(missing)}；请运行 pip install {' '.join(missing)}"
        )


def _write(place: Path, save: Any, trained: Any, run: SavedRun) -> None:
    """先存进旁边的临时文件夹，存全了再改名。"""
    temporary = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
        with quiet():
            save(trained.model, temporary)
        text = json.dumps(_input(run), ensure_ascii=False, indent=2)
        (temporary / INPUT).write_text(text + "\n", encoding="utf-8")
        temporary.rename(place)
    except OSError as error:
        raise OSError(
            f"写不进 {files.printable(place)}（{files.reason(error)}）；"
            "请腾出空间，或用 --out 换一个地方"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """导出器说给开发者听的话，与使用者无关，不印。"""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _input(run: SavedRun) -> dict[str, Any]:
    """输入怎样备：边长、通道、类名、均值与标准差。"""
    return {
        "image_size": run.spec.image_size,
        "in_channels": run.spec.in_channels,
        "normalize": "(像素 / 255 − mean) / std，逐通道",
        **run.record["input"],
    }
