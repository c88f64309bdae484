"""命令 vision-attention grade、identify：批改一个文件里的模块；认出它是哪一种。

内容: grade、identify。
"""

from __future__ import annotations

from typing import Annotated

import typer

from vision_attention.cli.user_errors import user_errors
from vision_attention.grading import known
from vision_attention.grading.handed import grade_file
from vision_attention.grading.report import Report

Place = Annotated[str, typer.Argument(help="文件与名字，例如 mine.py:MyCBAM。")]
Framework = Annotated[
    str | None, typer.Option(help="torch 或 paddle；看得出来时不用写。")
]
Sizes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="尺寸=数", help="例如 in_channels=32，可写多次。"),
]
Seconds = Annotated[float, typer.Option(min=1, help="最多跑多少秒。")]
FAILED = 1


def _sizes(items: list[str] | None) -> dict[str, int]:
    """--set 尺寸=数 → 字典。"""
    found = {}
    for item in items or []:
        name, sign, value = item.partition("=")
        if not sign or not value.isdecimal():
            raise ValueError(f"--set {item!r} 应写成 尺寸=数，例如 in_channels=32")
        found[name] = int(value)
    return found


def _told(
    place: str,
    task: str,
    sizes: list[str] | None,
    framework: str | None,
    seconds: float,
) -> Report:
    """批改文件里的一份，印出报告。"""
    settings = _sizes(sizes)
    report = grade_file(place, task, settings, framework=framework, seconds=seconds)
    typer.echo(report)
    return report


@user_errors
def grade(
    place: Place,
    as_: Annotated[
        str, typer.Option("--as", help="当作什么来批改，例如 cbam、self_attention。")
    ],
    framework: Framework = None,
    set_: Sizes = None,
    seconds: Seconds = 60.0,
) -> None:
    """批改一个模块：对，还是错成了哪一种；对的退出码 0，不对的 1。"""
    report = _told(place, as_, set_, framework, seconds)
    if not report.right:
        raise typer.Exit(FAILED)


@user_errors
def identify(
    place: Place,
    as_: Annotated[str, typer.Option("--as", help="当作什么来认。")] = "cbam",
    framework: Framework = None,
    set_: Sizes = None,
    seconds: Seconds = 60.0,
) -> None:
    """认出一份代码是哪一种写法，像哪一份公开的代码。"""
    report = _told(place, as_, set_, framework, seconds)
    for line in likeness(report) if as_ == "cbam" else []:
        typer.echo(line)


def likeness(report: Report) -> list[str]:
    """像哪几份公开的代码，一份一句。"""
    found = known.alike(report)
    lines = []
    for code, differences in found:
        told = "；".join(differences) or "一样"
        lines.append(f"像 {code.name}（{code.source}）：{told}")
    return lines or ["不像认得的任何一份 CBAM"]
