"""命令 vision-attention handout、collect：给老师的两条。

内容: handout、collect。
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vision_attention.cli.user_errors import user_errors
from vision_attention.grading import collecting
from vision_attention.grading import handout as sheets
from vision_attention.grading.report import RIGHT, VERDICTS
from vision_attention.storage import files


@user_errors
def handout(
    notebooks: Annotated[
        list[Path], typer.Argument(metavar="笔记本…", help="练习笔记本，一本或几本。")
    ],
    *,
    out: Annotated[Path, typer.Option(help="副本放在哪个文件夹里。")],
) -> None:
    """造没有解答的副本，发给学的人；原来的不动，已有的不覆盖。"""
    made: dict[Path, sheets.Notebook] = {}
    for path in notebooks:
        place = out / path.name
        if place.exists() or place in made:
            raise ValueError(
                f"{files.printable(place)} 已经有了；请先移走，或用 --out 换一个地方"
            )
        try:
            made[place] = sheets.without_solutions(sheets.read_notebook(path))
        except ValueError as error:
            raise ValueError(f"{files.printable(path)}：{error}") from None
    for place, notebook in made.items():
        sheets.write_notebook(place, notebook)
        typer.echo(f"{place}：{len(sheets.exercises(notebook))} 题")


@user_errors
def collect(
    folder: Annotated[Path, typer.Argument(metavar="文件夹", help="交上来的笔记本。")],
    *,
    out: Annotated[Path, typer.Option(help="写成哪个 CSV 文件。")],
    seconds: Annotated[float, typer.Option(min=1, help="一本最多跑多少秒。")] = 120.0,
) -> None:
    """逐本执行交上来的笔记本，逐题批改，汇成 CSV；代码以你的权利运行。"""
    if out.exists():
        raise ValueError(
            f"{files.printable(out)} 已经有了；请先移走，或用 --out 换一个名字"
        )
    collecting.handed_in(folder)
    files.rehearse(out)
    rows: list[collecting.Row] = []
    for found in collecting.collect(folder, seconds):
        rows += found
        typer.echo(_line(found))
        collecting.write_table(out, rows)  # 中途停下，已经批改的也在
    typer.echo(f"写在 {out}：{len(rows)} 行")


def _line(rows: list[collecting.Row]) -> str:
    """一本说一行。"""
    name = rows[0]["文件"]
    if rows[0]["结论"] == collecting.UNREAD:
        return f"{name}：{collecting.UNREAD}，{rows[0]['一句话']}"
    right = sum(row["结论"] == VERDICTS[RIGHT] for row in rows)
    return f"{name}：{len(rows)} 题，对 {right}"
