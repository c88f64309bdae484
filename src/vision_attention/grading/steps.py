"""批改三个函数：训练的一步、评估、归一化。

内容: FUNCTIONS、examine_function。
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations, product
from types import ModuleType
from typing import Any

import numpy as np

from vision_attention.grading import building
from vision_attention.grading.bank import BANK, MISTAKE, Variant, named
from vision_attention.grading.examining import close
from vision_attention.grading.report import (
    FAULT,
    OTHER,
    RIGHT,
    UNKNOWN,
    WRONG,
    Check,
    Report,
)

STEP = {
    "clear": "cleared",
    "loss": "logits",
    "labels": "right",
    "mode": "training",
    "update": "updated",
}
# 名字 → 叫法；都是 (函数, 一翼的 specimen) → 报告
FUNCTIONS: dict[str, tuple[str, Callable[[Any, ModuleType], Report]]] = {}


def examine_function(subject: Any, task: str, lab: ModuleType) -> Report:
    """查一个函数；出错时说是什么错。"""
    title, examine = FUNCTIONS[task]
    try:
        return examine(subject, lab)
    except Exception as error:
        told = Check("跑得通", False, f"运行时出错，{building.told(error)}")
        return Report(title, FAULT, (told,))


def _report(
    task: str, found: tuple[Variant, ...] | None, checks: list[Check]
) -> Report:
    """认出了什么，就下什么结论；found 为 None 是认不出。"""
    title = FUNCTIONS[task][0]
    if found is None:
        return Report(title, UNKNOWN, tuple(checks))
    wrong = any(variant.kind == MISTAKE for variant in found)
    verdict = WRONG if wrong else OTHER if found else RIGHT
    if verdict == RIGHT and not all(check.passed for check in checks):
        verdict = FAULT
    return Report(title, verdict, tuple(checks), found)


def _step_choices() -> Iterator[tuple[dict[str, str], tuple[Variant, ...]]]:
    """参照，再到改一处、两处的写法。"""
    others = {
        aspect: [v for (a, _), v in BANK.items() if a == aspect] for aspect in STEP
    }
    for count in range(3):
        for aspects in combinations(others, count):
            for found in product(*(others[a] for a in aspects)):
                yield STEP | {v.aspect: v.key for v in found}, found


def training_step(subject: Any, lab: ModuleType) -> Report:
    """三步之后，每个权重、每个统计量都与参照的相同。"""
    rng = np.random.default_rng(6)
    start = lab.values(lab.two_layers())
    start = {
        n: np.abs(rng.standard_normal(v.shape)).astype(v.dtype) - 0.3 * (v.ndim > 1)
        for n, v in start.items()
    }
    images = rng.standard_normal((3, 7, 1, 4, 4)).astype(np.float32)
    batches = list(zip(images, rng.integers(0, 5, (3, 7)), strict=True))
    ended, returned = lab.walk(subject, start, batches)
    for choice, found in _step_choices():
        theirs, losses = lab.walk(lab.known_step(choice), start, batches)
        if all(close(ended[name], theirs[name]) for name in theirs):
            same = all(map(_same_number, returned, losses))
            told = "每一步交回的就是损失" if same else "交回的不是这一步的损失"
            checks = [
                Check("权重", not found, "走三步，与参照的权重比"),
                Check("损失", same, told),
            ]
            return _report("training_step", found, checks)
    told = "走三步之后的权重，与参照、与认得的写法都不同"
    return _report("training_step", None, [Check("权重", False, told)])


def _same_number(left: Any, right: Any) -> bool:
    """交回的是不是这个数；什么也没有交回也行。"""
    if left is None:
        return True
    if isinstance(left, tuple):
        return any(_same_number(item, right) for item in left if item is not None)
    array = np.asarray(left)
    return array.dtype.kind == "f" and close(array, np.asarray(right))


def evaluation(subject: Any, lab: ModuleType) -> Report:
    """模型处于评估模式，看到的就是那些图，准确率算得对。"""
    rng = np.random.default_rng(7)
    images = rng.standard_normal((53, 1, 4, 4)).astype(np.float32)
    labels = rng.integers(0, 5, 53)
    returned, seen, logits = lab.assess(subject, images, labels)
    found = []
    if any(training for training, _ in seen):
        found.append(named("evaluation", "training"))
    looked = (
        np.concatenate([x.reshape((-1, 1, 4, 4)) for _, x in seen])
        if seen
        else images[:0]
    )
    if looked.shape != images.shape or not close(looked, images):
        found.append(named("evaluation", "changed"))
        return _report("evaluation", tuple(found), [])
    accuracy, key = _accuracy(returned, logits, labels)
    if accuracy is None:
        told = "交回的数里没有准确率；应是答对的比例，0 到 1"
        return _report(
            "evaluation", tuple(found) or None, [Check("准确率", False, told)]
        )
    if key != "right":
        found.append(named("evaluation", key))
    told = f"准确率 {accuracy:.4f}"
    return _report("evaluation", tuple(found), [Check("准确率", key == "right", told)])


def _accuracy(
    returned: Any, logits: np.ndarray, labels: np.ndarray
) -> tuple[float | None, str]:
    """交回的数里哪一个是准确率，按哪一种算法。"""
    picked = logits.argmax(-1)
    wanted = {
        "right": np.mean(picked == labels),
        "next_class": np.mean(picked == (labels + 1) % 5),
        "rolled": np.mean(picked == np.roll(labels, -1)),
        "percent": 100 * np.mean(picked == labels),
    }
    numbers = returned if isinstance(returned, tuple) else (returned,)
    for key, value in wanted.items():
        for number in numbers:
            if (
                np.ndim(number) == 0
                and number is not None
                and abs(float(number) - value) < 1e-5
            ):
                return float(value), key
    return None, ""


def _scaled(x: np.ndarray, y: np.ndarray, power: float = 1.0) -> np.ndarray:
    """减去 y 的平均，除以 y 的标准差。"""
    return (x - y.mean()) / y.std() ** power


# 训练集、测试集 → 归一化之后的两份
NORMALISATIONS = {
    "right": lambda a, b: (_scaled(a, a), _scaled(b, a)),
    "test": lambda a, b: (_scaled(a, b), _scaled(b, b)),
    "own": lambda a, b: (_scaled(a, a), _scaled(b, b)),
    "joint": lambda a, b: tuple(_scaled(x, np.concatenate([a, b])) for x in (a, b)),
    "each": lambda a, b: tuple(np.stack([_scaled(i, i) for i in x]) for x in (a, b)),
    "variance": lambda a, b: (_scaled(a, a, 2), _scaled(b, a, 2)),
    "none": lambda a, b: (a, b),
}


def normalisation(subject: Any, lab: ModuleType) -> Report:
    """训练集与测试集都用训练集的平均与标准差。"""
    rng = np.random.default_rng(8)
    train = rng.uniform(0, 1, (11, 1, 4, 4)).astype(np.float32)
    test = rng.uniform(0.4, 3, (5, 1, 4, 4)).astype(np.float32)
    result = subject(train.copy(), test.copy())
    if not isinstance(result, tuple) or len(result) != 2:
        told = "应交回两份：归一化的训练集、归一化的测试集"
        return _report("normalisation", None, [Check("交回两份", False, told)])
    result = [np.asarray(item, np.float64) for item in result]
    for key, way in NORMALISATIONS.items():
        wanted = way(train.astype(np.float64), test.astype(np.float64))
        # 有人在分母里加一个很小的数防止除以 0
        if all(
            close(mine, theirs, 1e-4)
            for mine, theirs in zip(result, wanted, strict=True)
        ):
            found = () if key == "right" else (named("normalisation", key),)
            return _report(
                "normalisation", found, [Check("两份", not found, "与参照比")]
            )
    told = "与参照、与认得的写法都不同"
    return _report("normalisation", None, [Check("两份", False, told)])


FUNCTIONS |= {
    "training_step": ("训练的一步", training_step),
    "evaluation": ("评估", evaluation),
    "normalisation": ("归一化", normalisation),
}


def function_names() -> Mapping[str, str]:
    """名字 → 叫法。"""
    return {name: title for name, (title, _) in FUNCTIONS.items()}
