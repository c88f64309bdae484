"""没有分好的图片，谁在测试：一个份额、一份名单，或整组整组地留出。

- `divide`：谁在测试，与怎样切分的几句话
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vision_attention import checks
from vision_attention.data import grouping
from vision_attention.data.splits import TEST, stratified_order
from vision_attention.storage import files

SHARE = 0.2  # 没有说时，留出几成
SHOWN = 5


def divide(
    root: Path,
    class_names: Sequence[str],
    members: Sequence[Path],
    labels: np.ndarray,
    *,
    groups: str | None = None,
    test: float | str | None = None,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """谁在测试，与种子无关；每一类两边都有。

    形状: labels int64 (N,) → bool (N,)，为真的在测试集
    参数: groups 为怎样认出一组（见 grouping.groups_of），同组的不分到两边；test 为
        份额，缺省 SHARE，或一份名单的路径：UTF-8 的文本，一行一个从 root 算起的文件
    错误: 份额不在 0 与 1 之间、名单读不了或有不在 root 里的文件、有一类只在一边、名单把
        一组拆到两边时抛出 ValueError
    """
    if isinstance(test, str):
        held, how = _listed(root, members, test)
    else:
        share = SHARE if test is None else test
        checks.number(
            "test", share, "大于 0、小于 1 的份额，例如 0.3", above=0, below=1
        )
        if groups is not None:
            found = grouping.groups_of(root, members, groups)
            return _by_groups(found, labels, class_names, share)
        held = _stratified(labels, share)
        how = f"没有分好：从 {len(labels)} 张里固定留出 {held.sum()} 张作测试，每类都有"
    _refuse_one_sided(labels, held, class_names)
    if groups is None:
        return held, (how,)
    found, notes = grouping.groups_of(root, members, groups)
    grouping.refuse_shared(found, held)
    return held, (how, f"{len(np.unique(found))} 组，没有一组站在两边", *notes)


def _by_groups(
    found: grouping.Groups, labels: np.ndarray, class_names: Sequence[str], share: float
) -> tuple[np.ndarray, tuple[str, ...]]:
    """整组整组地留出。"""
    held = grouping.hold_out(found.names, labels, share, class_names)
    kept = np.unique(found.names[held])
    shown = "、".join(kept[:3]) + ("……" if len(kept) > 3 else "")
    how = (
        f"按组切分：{len(np.unique(found.names))} 组里留出 {len(kept)} 组（{shown}）"
        f"作测试，{len(labels)} 张里的 {held.sum()} 张"
    )
    return held, (how, *found.notes)


def _stratified(labels: np.ndarray, share: float) -> np.ndarray:
    """固定的份额，分层，每类至少一张，与种子无关。"""
    size = max(len(np.unique(labels)), round(share * len(labels)))
    held = np.zeros(len(labels), bool)
    held[stratified_order(labels, 0, TEST)[:size]] = True
    return held


def _listed(root: Path, members: Sequence[Path], test: str) -> tuple[np.ndarray, str]:
    """照名单；空行不算。"""
    names = [member.relative_to(root).as_posix() for member in members]
    wanted = {line.replace("\\", "/") for line in _lines(Path(test))}
    unknown = sorted(wanted - set(names))
    if unknown:
        told = "、".join(map(checks.shown, unknown[:SHOWN]))
        raise checks.ArgumentError(
            f"test：{files.printable(test)} 里有 {len(unknown)} 行不是 "
            f"{files.printable(root)} 里的图片：{told}"
            f"{'……' if unknown[SHOWN:] else ''}；一行写一个，例如 {names[0]}",
            "test",
        )
    held = np.array([name in wanted for name in names])
    count = f"{len(names)} 张里的 {held.sum()} 张作测试"
    return held, f"照名单 {files.printable(test)}：{count}"


def _lines(table: Path) -> list[str]:
    """名单里的各行。"""
    try:
        files.readable(table)
        text = table.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise checks.ArgumentError(
            f"test：{files.printable(table)} 不是 UTF-8 的文本；应一行一个文件", "test"
        ) from error
    except (ValueError, OSError) as error:
        raise checks.ArgumentError(
            f"test：{error}；test 应为份额，例如 0.3，或一份名单的路径", "test"
        ) from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def _refuse_one_sided(
    labels: np.ndarray, held: np.ndarray, class_names: Sequence[str]
) -> None:
    """每一类训练与测试都要有。"""
    for label, name in enumerate(class_names):
        mine = held[labels == label]
        if mine.all() or not mine.any():
            where, lacking = ("测试", "训练") if mine.all() else ("训练", "测试")
            raise checks.ArgumentError(
                f"test：“{name}”类的 {len(mine)} 张都在{where}里，"
                f"{lacking}里一张也没有；每一类两边都要有",
                "test",
            )
