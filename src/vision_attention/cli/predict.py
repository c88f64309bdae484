"""命令 vision-attention predict：用训练好的模型认图片。

内容: predict。
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from vision_attention.cli.drawing import draw_map
from vision_attention.cli.user_errors import USER_ERROR, user_errors
from vision_attention.data.listing import visible
from vision_attention.storage import files
from vision_attention.training import saved_run
from vision_attention.wings import installed, load_wing

# 一次读这么多张：图片再多，内存也只装这些
BATCH = 250


@user_errors
def predict(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="train 存下的文件夹。")],
    pictures: Annotated[
        list[Path],
        typer.Argument(metavar="PICTURE…", help="图片，或放着图片的文件夹。"),
    ],
    *,
    framework: Annotated[
        str | None, typer.Option(help="torch 或 paddle；缺省用训练时的。")
    ] = None,
    show: Annotated[
        Path | None,
        typer.Option(help="把每张图与模型看着的地方画在一起，存进这个文件夹。"),
    ] = None,
    device: Annotated[str, typer.Option(help="设备：auto、cpu、gpu。")] = "auto",
) -> None:
    """认几张图片：每张一行，路径、类名、概率；读不了的放在最后说。"""
    trained = _load(folder, framework, device)
    paths = list(_listed(pictures))
    if show is not None:
        _refuse_taken(show)
    seconds, broken = 0.0, []
    for start in range(0, len(paths), BATCH):
        part, began = paths[start : start + BATCH], time.perf_counter()
        images, kept, faults = saved_run.read_pictures(trained.run, part)
        answers = _answers(trained, images)
        seconds += time.perf_counter() - began
        for number, answer in zip(kept, answers, strict=True):
            _say(part[number], answer)
        broken += [(part[number], why) for number, why in faults.items()]
        if show is not None and kept:
            _draw(
                trained, images, answers, [_place(show, start + n, paths) for n in kept]
            )
    _sum_up(len(paths) - len(broken), seconds, broken)
    if not paths:
        raise ValueError(_nothing(pictures))


def _load(folder: Path, framework: str | None, device: str) -> Any:
    """在哪个框架里用：指定的，训练时的，或已安装的。"""
    if framework is None:
        own, found = saved_run.read(folder).framework, installed()
        framework = own if own in found or not found else found[0]
    return load_wing(framework).module("runs").load_run(folder, device)


def _listed(pictures: list[Path]) -> Iterator[Path]:
    """文件夹换成它里面的文件；下一层的不看。"""
    for path in pictures:
        if files.is_folder(path):
            yield from (inside for inside in visible(path) if inside.is_file())
        else:
            yield path


def _nothing(pictures: list[Path]) -> str:
    """一张也没有；图片在下一层的，说怎样写。"""
    deeper = [inside for path in pictures for inside in visible(path)]
    hint = f"；下一层的不看，请写 {files.printable(deeper[0])}" if deeper else ""
    return f"一张图片也没有{hint}"


def _answers(trained: Any, images: np.ndarray) -> list:
    if not len(images):
        return []
    return trained.run.answers(trained.probabilities(images))


def _say(path: Path, answer: saved_run.Prediction) -> None:
    shown = files.printable(path)
    typer.echo(f"{shown}\t{answer.class_name}\t{answer.probability:.3f}")


def _refuse_taken(folder: Path) -> None:
    """--show 的文件夹要是空的，免得盖掉别的东西。"""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"--show {folder} 已经有东西；请换一个新的文件夹")
    folder.mkdir(parents=True, exist_ok=True)


def _place(folder: Path, number: int, paths: list[Path]) -> Path:
    """第几张存成什么：带上号码，不同文件夹里的同名图片不相混。"""
    return folder / f"{number + 1:04d}-{files.printable(paths[number].stem)}.svg"


def _draw(trained: Any, images: np.ndarray, answers: list, places: list[Path]) -> None:
    """每张一幅：左边原图，右边叠上模型看着的地方。"""
    kind, maps = trained.maps(images)
    for number, place in enumerate(places):
        name, probability = answers[number]
        title = f"{name}，{probability:.2f}"
        try:
            draw_map(images[number], maps[number], title, kind, place)
        except OSError as error:
            raise OSError(
                f"写不进 {files.printable(place)}（{files.reason(error)}）；"
                "请腾出空间，或用 --show 换一个文件夹"
            ) from error


def _sum_up(count: int, seconds: float, broken: list[tuple[Path, str]]) -> None:
    """认了几张、多快；有读不了的，逐个点名，退出码 2。"""
    if count:
        speed = count / max(seconds, 1e-9)
        typer.echo(f"{count} 张，每秒 {speed:.0f} 张（含读图）", err=True)
    for path, why in broken:
        typer.secho(f"读不了 {files.printable(path)}：{why}", fg="red", err=True)
    if broken:
        raise typer.Exit(USER_ERROR)
