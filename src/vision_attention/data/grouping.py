"""按组切分：同一个人、同一位病人、同一次连拍的图，不分到训练与测试两边。

- `groups_of`、`Groups`：每个文件属于哪一组，由文件名的模式或 CSV 的一列说
- `hold_out`：整组整组地留出测试
- `refuse_shared`：已经分好的，有没有一组站在两边
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vision_attention import checks
from vision_attention.data.splits import TEST, permutation
from vision_attention.storage import files

SHOWN = 5
FILE = "file"


class Groups(NamedTuple):
    """每个文件的组，与要当心的几句话。

    形状: names str (N,)
    """

    names: np.ndarray
    notes: tuple[str, ...] = ()


def groups_of(root: Path, members: Sequence[Path], how: str) -> Groups:
    """每个文件的组。

    参数: how 为文件名的模式（正则表达式，有括号的取第一个括号里的，例如 "(.+)-"），或
        “表.csv:列名”：表里的 file 一列写文件名、“类/文件名”，或从 root 算起的路径；
        一行对上几个同名的文件，就都算这一组，写在 notes 里
    错误: 模式不合写法、有文件不合模式、表读不了、缺列、缺文件、同一个文件写了两种
        组时抛出 ValueError，点名
    """
    if not isinstance(how, str) or not how:
        raise checks.ArgumentError(
            f"groups={checks.shown(how)} 不合适；应为文件名的模式，例如 '(.+)-'，"
            "或 表.csv:列名",
            "groups",
        )
    if how.lower().endswith(".csv"):
        raise checks.ArgumentError(
            f"groups={checks.shown(how)} 没有说是哪一列；写法是 {how}:列名", "groups"
        )
    table, sign, column = how.rpartition(":")
    notes: tuple[str, ...] = ()
    if sign and table.lower().endswith(".csv"):
        found, notes = _by_table(root, members, _rows(Path(table), column))
    else:
        found = _by_pattern(members, how)
    missing = [m for m, group in zip(members, found, strict=True) if group is None]
    if missing:
        told = "、".join(files.printable(m.name) for m in missing[:SHOWN])
        raise checks.ArgumentError(
            f"groups={checks.shown(how)}：有 {len(missing)} 个文件说不出属于哪一组："
            f"{told}{'……' if missing[SHOWN:] else ''}；请改模式，或补全表",
            "groups",
        )
    return Groups(np.array(found), notes)


def _by_pattern(members: Sequence[Path], how: str) -> list[str | None]:
    try:
        pattern = re.compile(how)
    except re.error as error:
        raise checks.ArgumentError(
            f"groups={checks.shown(how)} 不是正则表达式；例如 '(.+)-'，"
            "取名字里最后一个横线之前的",
            "groups",
        ) from error
    found = (pattern.search(member.stem) for member in members)
    return [match and match[min(1, pattern.groups)] for match in found]


def _by_table(
    root: Path, members: Sequence[Path], told: dict[str, str]
) -> tuple[list[str | None], tuple[str, ...]]:
    """照表说的；一行对上几个同名的文件，提醒一句。"""
    found: list[str | None] = []
    shared = defaultdict(list)
    for member in members:
        path = member.relative_to(root).as_posix()
        names = (path, f"{member.parent.name}/{member.name}", member.name)
        name = next((name for name in names if name in told), None)
        found.append(name and told[name])
        shared[name].append(path)
    several = {k: paths for k, paths in shared.items() if k and len(paths) > 1}
    if not several:
        return found, ()
    name, paths = next(iter(several.items()))
    return found, (
        f"表里有 {len(several)} 行各对上几个同名的文件，例如 {name} 对上 "
        f"{'、'.join(map(files.printable, paths[:SHOWN]))}，都算 {told[name]} 一组；"
        "若不是同一组，请在 file 一列写“类/文件名”",
    )


def _rows(table: Path, column: str) -> dict[str, str]:
    """表 → 文件的名字：组；没有写组的行不算。"""
    try:
        files.readable(table)
    except (ValueError, OSError) as error:
        raise checks.ArgumentError(f"groups：{error}", "groups") from error
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (ValueError, OSError, csv.Error) as error:
        raise checks.ArgumentError(
            f"groups：{files.printable(table)} 读不了；应为 UTF-8 的 CSV，"
            f"有 {FILE} 与 {column} 两列",
            "groups",
        ) from error
    for wanted in (FILE, column):
        if not rows or wanted not in rows[0]:
            raise checks.ArgumentError(
                f"groups：{files.printable(table)} 里没有 {wanted} 这一列；"
                f"应有 {FILE} 与 {column} 两列",
                "groups",
            )
    return _consistent(table, [(row[FILE], row[column]) for row in rows if row[column]])


def _consistent(table: Path, pairs: list[tuple[str, str]]) -> dict[str, str]:
    """同一个名字只能有一种组：两类里各有一个 1.png 的，要写明是哪一类的。"""
    told: dict[str, str] = {}
    for name, group in pairs:
        if told.setdefault(name, group) != group:
            raise checks.ArgumentError(
                f"groups：{files.printable(table)} 里 {checks.shown(name)} 写了两种组，"
                f"{told[name]} 与 {group}；几类里都有这个名字的，请写“类/文件名”",
                "groups",
            )
    return told


def hold_out(
    groups: np.ndarray,
    labels: np.ndarray,
    share: float,
    class_names: Sequence[str] = (),
) -> np.ndarray:
    """整组地留出约 share 的图作测试；每类两边都有，与种子无关。

    形状: groups str (N,)；labels int64 (N,) → bool (N,)，为真的在测试集
    参数: class_names 为类名，出错时点名用；没有就说第几类
    错误: 有一类只在一组里时抛出 ValueError
    """
    names = np.unique(groups)
    counts = np.stack(
        [np.bincount(labels[groups == g], minlength=labels.max() + 1) for g in names]
    )
    _refuse_lonely(counts, names, class_names)
    total = counts.sum(0)
    order = permutation(len(names), 0, TEST)
    held = np.zeros(len(names), bool)
    for k in order:
        now, then = (
            abs(share * total - counts[held].sum(0) - extra).sum()
            for extra in (0, counts[k])
        )
        held[k] = then < now and ((counts[held].sum(0) + counts[k]) < total).all()
    for label in np.flatnonzero(counts[held].sum(0) == 0):
        _cover(held, counts, total, label)
    return held[np.searchsorted(names, groups)]


def _cover(held: np.ndarray, counts: np.ndarray, total: np.ndarray, label: int) -> None:
    """测试里还没有这一类：留出含它的最小的一组，别的类在训练里仍要有。"""
    if counts[held].sum(0)[label]:
        return
    fits = [
        k
        for k in np.flatnonzero(counts[:, label] * ~held)
        if ((counts[held].sum(0) + counts[k]) < total).all()
    ]
    if not fits:
        raise checks.ArgumentError(
            "groups：分不成两边，使每一类在训练与测试里都有；请多拍几组，"
            "或自己分成 train/ 与 test/",
            "groups",
        )
    held[min(fits, key=lambda k: counts[k].sum())] = True


def _refuse_lonely(
    counts: np.ndarray, names: np.ndarray, class_names: Sequence[str]
) -> None:
    """每类至少要在两组里。"""
    alone = np.flatnonzero((counts > 0).sum(0) < 2)
    if len(alone):
        group = names[counts[:, alone[0]].argmax()]
        told = f"“{class_names[alone[0]]}”" if class_names else f"第 {alone[0] + 1} "
        raise checks.ArgumentError(
            f"groups：{told}类的图片全在 {group} 一组里；"
            "每类至少要两组，一组训练、一组测试。请再拍一组",
            "groups",
        )


def refuse_shared(groups: np.ndarray, test: np.ndarray) -> None:
    """已经分好的：一组不能站在两边。

    形状: groups str (N,)；test bool (N,)
    错误: 有这样的组时抛出 ValueError，点名
    """
    shared = sorted(set(groups[test]) & set(groups[~test]))
    if shared:
        told = "、".join(shared[:SHOWN]) + ("……" if shared[SHOWN:] else "")
        raise checks.ArgumentError(
            f"groups：有 {len(shared)} 组的图片分在训练与测试两边：{told}；"
            "请把一组的图片都放到同一边",
            "groups",
        )
