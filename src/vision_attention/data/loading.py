"""入口 load：按名字读出原料，按种子切分，交出 Dataset。"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np

from vision_attention.checks import ArgumentError, choice, shown, subset, whole
from vision_attention.data import cifar10, digits, folder, jpeg75, marks
from vision_attention.data.dataset import (
    Dataset,
    Source,
    channel_statistics,
    fingerprint,
)
from vision_attention.data.harder import harder
from vision_attention.data.scoring import check_score, reserved, scored
from vision_attention.data.splits import (
    POOL,
    VALIDATION,
    noisy_labels,
    refuse_lost,
    stratified_order,
)

NAMES = ("digits", "digits_blocks", "cifar10", "cifar10_jpeg75", "two_marks")
NAMES += ("folder:PATH",)


def load(
    name: str,
    *,
    n_train: int | None = None,
    seed: int = 0,
    label_noise: float = 0.0,
    validation: int = 0,
    classes: tuple[int, ...] | None = None,
    root: str | Path | None = None,
    image_size: int | None = None,
    max_test: int | None = None,
    score: str = "test",
    reserve: int = 0,
    distance: int | None = None,
    shift: int = 0,
    pixel_noise: float = 0.0,
    shuffle_patches: int | None = None,
    groups: str | None = None,
    square: str | None = None,
    test: float | str | None = None,
) -> Dataset:
    """载入一份数据，并切成训练、验证与测试三部分。

    测试集与 seed 无关。验证集先从训练池里分层留出，n_train 张训练图片再从余下的里
    分层抽取；种子相同时，小的训练集总是大的训练集的开头。

    调参用的图片（reserve）也与 seed 无关：挑学习率时拿它们打分，正式比较时不再打分。

    形状: 见 Dataset
    参数: name 取 NAMES 之一；n_train 缺省为全部；
        label_noise 为换成随机标签的份额（见 noisy_labels，只动训练标签）；
        validation 为验证集张数；classes 只留这些类别，按所给次序编为 0, 1, …；
        root 为 CIFAR-10 的压缩包或文件夹；image_size 为 folder 的边长，缺省 32；
        max_test 只取测试集里分层固定的那么多张；reserve 为从训练池里固定留出、
        只供挑设置的张数；score 定下用哪些图片打分：test 为测试集，unused 为测试集
        加上训练池里这次没有用来训练、也没有留给调参的全部图片，reserve 为留出的那些
       （此时不拿它们训练）；distance 为 two_marks 两个记号的
        距离，缺省 8；shift、pixel_noise、shuffle_patches 把图片弄难（见
        harder）；groups 为 folder 怎样认出一组：文件名的模式，或“表.csv:列名”，同组的
        不分到训练与测试两边；square 为 folder 里不是正方形的图怎样变成正方形：crop
        （缺省）、pad、squash；test 为 folder 里没有分好的图怎样切下测试：份额，缺省
        0.2，或一份名单的路径，一行一个文件
    单位: label_noise 取 0–1；image_size、distance、shift 为像素；pixel_noise 以像素值
        除以 255 之后计
    错误: 名字不认识、张数超出数据、份额越界、类型不对、参数用错数据集时抛出 ValueError
    """
    seed = whole("seed", seed, 0)
    check_kinds(n_train=n_train, label_noise=label_noise, classes=classes)
    if not 0 <= label_noise <= 1:
        raise ArgumentError(
            f"label_noise={shown(label_noise)} 超出范围；它是份额，应取 0–1",
            "label_noise",
        )
    source = harder(
        _read(
            name,
            root=root,
            image_size=image_size,
            distance=distance,
            groups=groups,
            square=square,
            test=test,
        ),
        shift=shift,
        pixel_noise=pixel_noise,
        shuffle_patches=shuffle_patches,
    )
    if classes is not None:
        source = keep_classes(source, classes)
    check_score(score, reserve, max_test)
    _refuse_mixed(groups, validation, reserve, score)
    spared = reserved(source.pool_labels, reserve)
    kept_away = spared if score == "reserve" else spared[:0]
    train, held_out = _divided(source, kept_away, n_train, validation, seed)
    scores = scored(source, score, max_test, spared, train, held_out)
    labels = source.pool_labels[train]
    labels = noisy_labels(labels, label_noise, len(source.class_names), seed)
    return _assembled(source, train, labels, held_out, scores)


def _assembled(
    source: Source,
    train: np.ndarray,
    labels: np.ndarray,
    held_out: np.ndarray,
    test: tuple[np.ndarray, np.ndarray],
) -> Dataset:
    """三部分合成一份，带上归一化与指纹。"""
    dataset = Dataset(
        source.name,
        source.pool_images[train],
        labels,
        source.pool_images[held_out],
        source.pool_labels[held_out],
        *test,
        source.class_names,
        *channel_statistics(source.pool_images[train]),
        fingerprint="",
        **{name: getattr(source, name) for name in ("flip", "bits", "square", "notes")},
    )
    return replace(dataset, fingerprint=fingerprint(dataset))


def check_kinds(
    *, n_train: Any = None, label_noise: Any = 0.0, classes: Any = None
) -> None:
    """不读数据就看得出的错：三个取值的类型，参数同 load。

    错误: 类型不对时抛出 ValueError
    """
    if n_train is not None and not _whole(n_train):
        raise ArgumentError(
            f"n_train={shown(n_train)} 不合适；应为整数，例如 n_train=200", "n_train"
        )
    if isinstance(label_noise, bool) or not isinstance(label_noise, Real):
        raise ArgumentError(
            f"label_noise={shown(label_noise)} 不合适；它是份额，应取 0–1",
            "label_noise",
        )
    # 只能走一遍的（生成器）看过就空了，不收
    listed = isinstance(classes, Collection) and not isinstance(classes, str | bytes)
    listed = listed and getattr(classes, "ndim", 1) == 1
    if classes is not None and not (listed and all(map(_whole, classes))):
        raise ArgumentError(
            f"classes={shown(classes)} 不合适；应为一列类别的编号，例如 (0, 1, 2)",
            "classes",
        )


def _refuse_mixed(groups: Any, validation: Any, reserve: Any, score: str) -> None:
    """按组切分时，只有测试集照组；会把一组拆开的几样不收。"""
    others = {"validation": validation, "reserve": reserve, "score": score != "test"}
    for name, value in others.items() if groups is not None else ():
        if value:
            raise ArgumentError(
                f"groups 还不能与 {name} 合用：那样会把一组拆到两边；请去掉其中一个",
                name,
                "groups",
            )


def _whole(value: Any) -> bool:
    """整数，NumPy 的也算；真假不算。"""
    return isinstance(value, Integral) and not isinstance(value, bool)


def _read(
    name: str,
    *,
    root: str | Path | None,
    image_size: int | None,
    distance: int | None,
    groups: str | None,
    square: str | None,
    test: float | str | None,
) -> Source:
    if not isinstance(name, str):
        choice("name", name, NAMES)
    kind, _, path = name.partition(":")
    if kind != "folder":
        choice("name", name, NAMES)
    belongs = {
        "image_size": (image_size, ("folder",)),
        "groups": (groups, ("folder",)),
        "square": (square, ("folder",)),
        "test": (test, ("folder",)),
        "root": (root, ("cifar10", "cifar10_jpeg75")),
        "distance": (distance, ("two_marks",)),
    }
    for key, (value, owners) in belongs.items():
        if value is not None and kind not in owners:
            place = "folder:PATH" if owners == ("folder",) else owners[0]
            raise ArgumentError(
                f"{key}={shown(value)} 只用于 {place}；读 {name} 时请去掉它",
                key,
                "name",
            )
    if kind == "folder":
        size = 32 if image_size is None else image_size
        return folder.read(path, size, groups, square or "crop", test)
    if kind == "two_marks":
        return marks.read(8 if distance is None else distance)
    if kind == "cifar10_jpeg75":
        return jpeg75.read(root)
    if kind == "cifar10":
        return cifar10.read(root)
    return digits.read(blocks=kind == "digits_blocks")


def keep_classes(source: Source, classes: tuple[int, ...]) -> Source:
    """只留下若干类别，按所给次序重新编号。

    错误: classes 少于两个、有重复或超出类别编号时抛出 ValueError
    """
    known = range(len(source.class_names))
    classes = subset("classes", classes, known)
    if len(classes) < 2:
        raise ArgumentError(f"classes={classes} 太少；分类至少要两个类别", "classes")
    renumber = np.full(len(known), -1)
    renumber[list(classes)] = np.arange(len(classes))
    pool, test = renumber[source.pool_labels], renumber[source.test_labels]
    return replace(
        source,
        pool_images=source.pool_images[pool >= 0],
        pool_labels=pool[pool >= 0],
        test_images=source.test_images[test >= 0],
        test_labels=test[test >= 0],
        class_names=tuple(source.class_names[k] for k in classes),
    )


def _divided(
    source: Source,
    kept_away: np.ndarray,
    n_train: int | None,
    validation: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """训练与验证各用训练池里的哪些；kept_away 的不许用。"""
    allowed = np.setdiff1d(np.arange(len(source.pool_labels)), kept_away)
    parts = _split(source.pool_labels[allowed], n_train, validation, seed)
    train, held_out = (allowed[part] for part in parts)
    taker = "validation" if len(held_out) else "reserve"
    refuse_lost(source.pool_labels, train, source.class_names, taker)
    return train, held_out


def _split(
    labels: np.ndarray, n_train: int | None, validation: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """从训练池里先留出验证集，再抽训练集；返回两组下标。"""
    whole("validation", validation, 0)
    least = len(np.unique(labels))
    available = len(labels) - validation
    if available < least:
        raise ArgumentError(
            f"validation={shown(validation)} 太大：训练池只有 {len(labels)} 张，"
            f"至少要给训练留下 {least} 张（每类一张）",
            "validation",
        )
    if n_train is None:
        n_train = available
    if not least <= n_train <= available:
        raise ArgumentError(
            f"n_train={shown(n_train)} 不合适；可用的范围是 {least}–{available}"
            "（每类至少一张，至多是训练池减去验证集）",
            "n_train",
        )
    order = stratified_order(labels, seed, VALIDATION)
    held_out, rest = np.sort(order[:validation]), np.sort(order[validation:])
    return rest[stratified_order(labels[rest], seed, POOL)[:n_train]], held_out
