"""用哪些图片打分：测试集、没有用过的全部、留给调参的。"""

from __future__ import annotations

from typing import Any

import numpy as np

from vision_attention.checks import choice
from vision_attention.data.dataset import Source
from vision_attention.data.splits import RESERVE, TEST, at_least, stratified_order

SCORES = ("test", "unused", "reserve")


def check_score(score: Any, reserve: Any, max_test: Any) -> None:
    """不读数据就看得出的错：怎样打分，参数同 load。

    错误: score 不认识，或与 reserve、max_test 矛盾时抛出 ValueError
    """
    choice("score", score, SCORES)
    at_least("reserve", reserve, 0)
    if score == "reserve" and reserve == 0:
        raise ValueError('score="reserve" 要有留出的图片；请写 reserve=300 之类')
    if score != "test" and max_test is not None:
        raise ValueError(
            f'max_test={max_test!r} 只用于 score="test"；score={score!r} 时请去掉它'
        )


def reserved(labels: np.ndarray, reserve: int) -> np.ndarray:
    """训练池里固定留给调参的下标，与种子无关。"""
    most = len(labels) - len(np.unique(labels))
    if reserve > most:
        raise ValueError(
            f"reserve={reserve} 太大：训练池只有 {len(labels)} 张，至多留出 {most} 张"
        )
    return np.sort(stratified_order(labels, 0, RESERVE)[:reserve])


def scored(
    source: Source,
    score: str,
    max_test: int | None,
    spared: np.ndarray,
    *taken: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """打分用的图片与标签；spared 为留给调参的下标，taken 为训练与验证用掉的。"""
    if score == "reserve":
        return source.pool_images[spared], source.pool_labels[spared]
    if score == "test":
        test = _first(source.test_labels, max_test)
        return source.test_images[test], source.test_labels[test]
    everything = np.arange(len(source.pool_labels))
    unused = np.setdiff1d(everything, np.concatenate([spared, *taken]))
    return (
        np.concatenate([source.test_images, source.pool_images[unused]]),
        np.concatenate([source.test_labels, source.pool_labels[unused]]),
    )


def _first(labels: np.ndarray, max_test: int | None) -> np.ndarray:
    if max_test is None:
        return np.arange(len(labels))
    at_least("max_test", max_test, 1)
    if max_test > len(labels):
        raise ValueError(f"max_test={max_test} 超出测试集的 {len(labels)} 张；请减小它")
    return np.sort(stratified_order(labels, 0, TEST, 1)[:max_test])
