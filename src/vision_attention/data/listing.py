"""文件夹里有什么：各类的图片文件，谁在训练、谁在测试；只看名字，不读图片。

- `Listing`、`list_pictures`：全部图片文件、它们的类与切分
- `list_classes`、`visible`：一层文件夹里的类；一个文件夹里的东西
- `refuse_unwritable_name`、`refuse_doubles`：不能用的名字
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vision_attention.checks import ArgumentError
from vision_attention.data import grouping, held_out
from vision_attention.storage import files

BYSTANDERS = ("thumbs.db", "desktop.ini", "__macosx")  # 系统自己放的，不是图片
# 已经分好的几个文件夹常用的名字；打分的，排在前面的先用
TRAINING = ("train", "training")
HELD_OUT = ("test", "testing", "val", "valid", "validation", "dev")


@dataclass(frozen=True, eq=False)
class Listing:
    """一个文件夹里的全部图片文件。

    形状: labels int64 (N,)；in_test bool (N,)
    参数: class_names 为类名，按名字排序；files 为 N 个文件；in_test 为真的在测试集；
        notes 为怎样切分的，几句话；few 为图片太少、没有列进来的类 → 张数
    """

    class_names: tuple[str, ...]
    files: list[Path]
    labels: np.ndarray
    in_test: np.ndarray
    notes: tuple[str, ...]
    few: Mapping[str, int] = field(default_factory=dict)


def list_pictures(
    root: Path,
    groups: str | None = None,
    test: float | str | None = None,
    *,
    spare: bool = False,
) -> Listing:
    """列出图片，定下切分：有 train/ 与 test/（或 val/）就照它，没有就由 test 说。

    test/ 与 val/ 都有时，用 test/ 打分，val/ 不用，写在 notes 里。
    参数: groups 为怎样认出一组（见 grouping.groups_of）：同组的不分到两边；已经分好的，
        有一组站在两边就拒绝；test 为没有分好时留出的份额，或一份名单（见
        held_out.divide）；spare 为真时，图片太少的类不拒绝，记在 few 里，不列进来
    错误: 文件夹不存在时 FileNotFoundError；少于两类、某类的图片太少、两边的类名
        不同、类名不能用，或有断了的链接时 ValueError
    """
    refuse_unwritable_name(root)
    if parts := divided(root):
        if test is not None:
            raise ArgumentError(
                f"test：{files.printable(root)} 已经分好 {parts[0].name}/ 与 "
                f"{parts[1].name}/，照它；请去掉 test",
                "test",
            )
        return _ready_made(root, parts, groups, spare)
    classes = list_classes(root)
    few = _few(classes, 2)
    if not (spare and few.keys() < classes.keys()):
        _refuse_few(root, few, 2)
    names, members, labels = _members(classes, few)
    held, notes = held_out.divide(
        root, names, members, labels, groups=groups, test=test
    )
    return Listing(names, members, labels, held, notes, few)


def _ready_made(
    root: Path, parts: list[Path], groups: str | None, spare: bool
) -> Listing:
    """已经分好的。"""
    train, held, *unused = parts
    sides = [list_classes(part) for part in (train, held)]
    _refuse_different(train, held, *sides)
    lacking = [_few(side, 1) for side in sides]
    few = lacking[0] | lacking[1]
    if not (spare and few.keys() < sides[0].keys()):
        for part, one in zip((train, held), lacking, strict=True):
            _refuse_few(part, one, 1)
    (names, members, labels), (_, others, marks) = (_members(s, few) for s in sides)
    trained, tested = f"{train.name}/ {len(labels)} 张", f"{held.name}/ {len(marks)} 张"
    how = f"照分好的：训练 {trained}，测试 {tested}"
    notes = (how, *(f"{part.name}/ 没有用到" for part in unused))
    everything = np.concatenate([labels, marks])
    test = np.arange(len(everything)) >= len(labels)
    if groups is not None:
        found, more = grouping.groups_of(root, members + others, groups)
        grouping.refuse_shared(found, test)
        notes += (f"{len(np.unique(found))} 组，没有一组站在两边", *more)
    return Listing(names, members + others, everything, test, notes, few)


def divided(root: Path) -> list[Path]:
    """已经分好的几个文件夹：训练的、打分的、没有用到的；不是这样的就是空的。

    最上一层的文件夹要全是这些名字，而且里面还有文件夹：一类也可以就叫 train（火车）。
    """
    if not files.is_folder(root):
        return []
    found = {p.name.casefold(): p for p in visible(root) if files.is_folder(p)}
    train = [found[name] for name in TRAINING if name in found]
    held = [found[name] for name in HELD_OUT if name in found]
    whole = len(train) == 1 and held and len(found) == 1 + len(held)
    layered = all(any(map(files.is_folder, visible(p))) for p in found.values())
    return train + held if whole and layered else []


def _members(
    classes: dict[str, list[Path]], few: Mapping[str, int]
) -> tuple[tuple[str, ...], list[Path], np.ndarray]:
    """各类的文件排成一列，连同标签；few 里的类不算。"""
    classes = {name: group for name, group in classes.items() if name not in few}
    members = [file for group in classes.values() for file in group]
    sizes = [len(group) for group in classes.values()]
    return tuple(classes), members, np.repeat(np.arange(len(sizes)), sizes)


def _refuse_different(train: Path, held: Path, ours: dict, theirs: dict) -> None:
    """两边的类名要一样。"""
    lines = [
        f"只在 {part.name}/ 里的有 {'、'.join(sorted(names))}"
        for part, names in ((train, ours.keys() - theirs), (held, theirs.keys() - ours))
        if names
    ]
    if lines:
        raise ValueError(
            f"{train.name}/ 与 {held.name}/ 的类名不同：{'；'.join(lines)}；"
            "请把同一类改成同一个名字，两边都要有"
        )


def refuse_unwritable_name(path: Path) -> None:
    """名字要写进记录与指纹，必须是 UTF-8。

    错误: 不是时抛出 ValueError
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"文件夹 {files.printable(path)} 的名字不是 UTF-8；请先改名"
        ) from error


def _few(classes: dict[str, list[Path]], least: int) -> dict[str, int]:
    """不足 least 张的类 → 张数。"""
    return {name: len(f) for name, f in classes.items() if len(f) < least}


def _refuse_few(root: Path, few: Mapping[str, int], least: int) -> None:
    """有图片太少的类就拒绝。"""
    if few:
        told = "、".join(f"{name}（{count} 张）" for name, count in few.items())
        raise ValueError(
            f"{root} 下有 {len(few)} 类不足{'一两'[least - 1]}张图片：{told}；"
            "训练与测试各要至少一张，请补充图片或移走这些子文件夹"
        )


def list_classes(root: Path) -> dict[str, list[Path]]:
    """各类的名字与文件，都按名字排序。

    错误: 文件夹不存在时 FileNotFoundError；类太少、类名不能用，或有断了的链接时
        ValueError
    """
    if not files.is_folder(root):
        why = files.why_unreadable(root)
        raise FileNotFoundError(
            f"没有文件夹 {files.printable(root)!r}{f'（{why}）' if why else ''}；"
            "写法是 folder:PATH，PATH 下每个子文件夹是一类，"
            "例如 photos/猫/、photos/狗/"
        )
    folders = [path for path in visible(root) if is_class(path)]
    refuse_doubles(folders)
    classes = {folder.name: visible(folder) for folder in folders}
    if len(classes) < 2:
        raise ValueError(
            f"{root} 下只有 {len(classes)} 个子文件夹，分类至少要两类；"
            "请把每一类的图片放进各自的子文件夹"
        )
    return classes


def is_class(path: Path) -> bool:
    """是不是一类的文件夹；散放的文件不算。

    错误: 是断了或绕成圈的链接，或名字不是 UTF-8 时抛出 ValueError
    """
    if files.is_folder(path):
        refuse_unwritable_name(path)
        return True
    if path.is_symlink() and files.why_unreadable(path):
        raise ValueError(
            f"{files.printable(path)}：{files.why_unreadable(path)}；"
            "它也许是一类，请修好或移走"
        )
    return False


def refuse_doubles(folders: list[Path]) -> None:
    """类名只差大小写或 Unicode 的写法，换一个系统就成了同一个文件夹。

    错误: 有这样的两类时抛出 ValueError
    """
    seen: dict[str, str] = {}
    for folder in folders:
        plain = unicodedata.normalize("NFC", folder.name).casefold()
        other = seen.setdefault(plain, folder.name)
        if other != folder.name:
            raise ValueError(
                f"类名 {other!r} 与 {folder.name!r} 只差大小写或字符的写法，"
                "在 macOS 与 Windows 上是同一个文件夹；请改名，或并成一类"
            )


def visible(folder: Path) -> list[Path]:
    """文件夹里的东西，按名字排序，不含隐藏文件与系统文件。

    错误: 打不开时抛出 ValueError
    """
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        raise ValueError(
            f"文件夹 {files.printable(folder)} 打不开：{files.reason(error)}"
        ) from error
    return [
        path
        for path in found
        if not path.name.startswith(".") and path.name.lower() not in BYSTANDERS
    ]
