"""手写数字：scikit-learn 自带的 1,797 张 8×8 真实扫描，离线可用。"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from vision_attention.data.dataset import Source
from vision_attention.data.splits import TEST, stratified_order

TEST_SIZE = 500
FILE = "datasets/data/digits.csv.gz"  # 在 scikit-learn 的文件夹里


def read(blocks: bool = False) -> Source:
    """读出全部数字，并切下固定的 500 张测试集，与种子无关。

    形状: 训练池 uint8 (1297, 1, 8, 8)，测试集 uint8 (500, 1, 8, 8)
    参数: blocks 为假时测试集分层随机抽取，13 位写字的人两边都有；为真时取文件末尾连续的
        500 张。文件大致按人排列，所以末尾那几位写的字训练时没有见过，是更严的一题
    单位: 原始灰度 0–16 用整数运算 `(v * 255 + 8) // 16` 化到 0–255，处处逐位相同
    出处: UCI Optical Recognition of Handwritten Digits 的测试部分，scikit-learn 收录
    """
    scans = _scans()
    gray, labels = scans[:, :64].reshape(-1, 8, 8), scans[:, 64]
    images = ((gray * 255 + 8) // 16).astype(np.uint8)[:, None]
    every = np.arange(len(labels))
    order = every[::-1] if blocks else stratified_order(labels, 0, TEST)
    test, pool = np.sort(order[:TEST_SIZE]), np.sort(order[TEST_SIZE:])
    return Source(
        name="digits_blocks" if blocks else "digits",
        pool_images=images[pool],
        pool_labels=labels[pool],
        test_images=images[test],
        test_labels=labels[test],
        class_names=tuple("0123456789"),
        flip=False,  # 翻转的数字是另一个东西
    )


def _scans() -> np.ndarray:
    """每行 64 个灰度与一个标签。

    直接读文件：载入 sklearn.datasets 要 0.8 秒，读它只要百分之一秒；文件搬了家才载入
    """
    package = find_spec("sklearn")
    path = Path(package.origin).parent / FILE if package else Path(FILE)
    if path.exists():
        return np.loadtxt(path, np.int64, delimiter=",")
    from sklearn.datasets import load_digits

    raw = load_digits()
    return np.column_stack([raw.data, raw.target]).astype(np.int64)
