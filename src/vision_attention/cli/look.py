"""命令 vision-attention look：训练之前看一眼自己的图片。

内容: look。
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import numpy as np
import typer
from tqdm import tqdm

from vision_attention.cli.splitting import share_or_list
from vision_attention.cli.user_errors import user_errors
from vision_attention.data import looking
from vision_attention.data.folder import SHOWN, folder_of
from vision_attention.data.looking import Look, Twin
from vision_attention.storage import files

COPIED = (
    "分在两边的，测试等于抄答案，准确率偏高；请只留一张，或用 --groups 把同一处拍的"
    "放到同一边"
)


@user_errors
def look(
    data: Annotated[str, typer.Argument(help="自己的图片，写成 folder:路径。")],
    groups: Annotated[
        str | None, typer.Option(help="怎样认出一组：文件名的模式，或 表.csv:列名。")
    ] = None,
    test: Annotated[
        str | None, typer.Option(help="没有分好时怎样切下测试，同 train。")
    ] = None,
) -> None:
    """看一眼自己的图片：张数、大小、颜色、几乎相同的、读不了的；不训练。"""
    kind, _, path = data.partition(":")
    if kind != "folder":
        raise ValueError(f"{data!r} 不是自己的图片；写法是 folder:photos")
    root = folder_of(path)
    seen = looking.look(
        root,
        lambda members: tqdm(members, unit="张", disable=None),
        groups,
        share_or_list(test),
    )
    for line in [*_counts(seen), *_sizes(seen), *_twins(seen)]:
        typer.echo(line)
    faults = _faults(seen)
    for line in faults:
        typer.secho(line, fg="red", err=True)
    if faults:
        raise typer.Exit(1)


def _faults(seen: Look) -> list[str]:
    """不改就训练不了的：图片太少的类，读不了的文件。"""
    lines = [
        f"“{name}”类只有 {count} 张，以上都没有算它；训练与测试各要至少一张，"
        "补充图片或移走它才能训练"
        for name, count in seen.listing.few.items()
    ]
    lines += [
        f"读不了 {_name(seen, number)}：{why}"
        for number, why in list(seen.broken.items())[:SHOWN]
    ]
    if seen.broken:
        lines.append(f"共 {len(seen.broken)} 个读不了；移走它们才能训练")
    return lines


def _name(seen: Look, number: int) -> str:
    """类与文件名。"""
    file = seen.listing.files[number]
    return files.printable(f"{file.parent.name}/{file.name}")


def _counts(seen: Look) -> list[str]:
    """各类的张数，怎样切分，张数相差多少。"""
    listing = seen.listing
    total, test = Counter(listing.labels.tolist()), listing.labels[listing.in_test]
    tested = Counter(test.tolist())
    lines = [f"{len(listing.files)} 个文件，{len(total)} 类", *listing.notes]
    lines += [
        f"  {name}：{total[k]} 张，训练 {total[k] - tested[k]}，测试 {tested[k]}"
        for k, name in enumerate(listing.class_names)
    ]
    if len(total) == 1:
        return lines
    top = max(tested, key=tested.__getitem__)
    share = tested[top] / len(test)
    return [
        *lines,
        f"一律答“{listing.class_names[top]}”，测试准确率就有 {share:.3f}；"
        "比它高才算学到了东西",
    ]


def _sizes(seen: Look) -> list[str]:
    """宽与高的范围，颜色，多少张不是正方形。"""
    if not len(seen.sizes):
        return []
    low, middle, high = (
        "×".join(f"{value:.0f}" for value in np.quantile(seen.sizes, share, axis=0))
        for share in (0, 0.5, 1)
    )
    oblong = int((seen.sizes[:, 0] != seen.sizes[:, 1]).sum())
    kinds = "，".join(f"{kind} {count} 张" for kind, count in seen.kinds.items())
    lines = [f"宽×高：最小 {low}，居中 {middle}，最大 {high}", f"颜色：{kinds}"]
    if oblong:
        lines.append(
            f"{oblong} 张不是正方形：缺省按短边缩放、居中裁；"
            "train --square pad 改为补边，squash 改为压扁"
        )
    return lines


def _twins(seen: Look) -> list[str]:
    """几乎相同的各对；在切分两边的、类名不同的最要紧。"""
    if not seen.twins:
        return ["没有几乎相同的图"]
    across = sum(twin.across for twin in seen.twins)
    other = sum(twin.other_class for twin in seen.twins)
    lines = [f"几乎相同的 {len(seen.twins)} 对：{across} 对分在训练与测试两边，"]
    lines[0] += f"{other} 对类名不同"
    lines += [f"  {_told(seen, twin)}" for twin in seen.twins[:SHOWN]]
    if len(seen.twins) > SHOWN:
        lines.append(f"  ……另有 {len(seen.twins) - SHOWN} 对")
    if across:
        lines.append(COPIED)
    return lines


def _told(seen: Look, twin: Twin) -> str:
    names = " 与 ".join(_name(seen, number) for number in (twin.first, twin.second))
    marks = ["训练、测试各一张"] * twin.across + ["类名不同"] * twin.other_class
    return f"{names}（{'，'.join(marks)}）" if marks else names
