"""查的中间：权重对上去，输出与参照、与每一种认得的写法比；都不同的，看哪一步先不同。

内容: Found、candidates、search、notes_own、first_difference、output_of。
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from vision_attention.grading import building
from vision_attention.grading.bank import Variant, named
from vision_attention.grading.matching import Match, matches
from vision_attention.grading.report import WRONG, Report
from vision_attention.grading.state import Examination, close
from vision_attention.grading.tasks import Choice

# 改几处的写法，各试几种对法，一共试多少次：认不出的也要在三秒之内说出来
KEPT, TRIES = (200, 18, 2), 1000


@dataclass(frozen=True)
class Found:
    """认出来了：哪一种写法、权重怎样对、改了哪几处。"""

    choice: Choice
    match: Match
    slots: Mapping[str, Any]
    changed: tuple[Variant, ...]


def notes_own(exam: Examination) -> Report | None:
    """笔记的 AttentionModule：别的形状都不行，只有 W = C、H = 1 时跑得通。"""
    if exam.task.name != "self_attention_2d":
        return None
    c = exam.settings["in_channels"]
    x = np.random.default_rng(2).standard_normal((2, c, 1, c)).astype(np.float32)
    try:
        output, _ = exam.lab.forward(exam.module, [x])
    except Exception:
        return None
    values = exam.lab.values(exam.module)
    slots = {name: ("dense", (c, c)) for name in ("query", "key", "value")}
    for match in matches(exam.parts, values, slots):
        weights = match.weights(values, slots)
        steps = exam.lab.variant("notes_attention", weights, [x], {})
        if close(output, steps["output"]):
            return exam.report(WRONG, (named("whole", "notes"),))
    return None


def candidates(exam: Examination, gate: bool, most: int = 2) -> Iterator[Found]:
    """参照在前，改得越少越在前；读者的尺寸与要的不同的，排在同样多处里的后面。"""
    values = exam.lab.values(exam.module)
    sizes = building.sizes(exam.settings, exam.parts, values)
    fixed = {"num_heads": str(exam.settings.get("num_heads", 1))}
    fixed |= {"place": "gate"} if gate else {}
    for choice, changed in exam.task.choices(most):
        if gate and any(variant.aspect == "place" for variant in changed):
            continue
        for own in sizes:
            slots = exam.task.slots(choice, own)
            pairs = matches(
                exam.parts, values, slots, exam.settings.get("num_heads", 1)
            )
            for match in islice(pairs, KEPT[len(changed)]):
                yield Found(choice | fixed, match, slots, changed)


def search(
    exam: Examination, inputs: list[list[np.ndarray]], outputs: list[np.ndarray]
) -> Found | None:
    """第三、四条：权重对上去，输出与参照、与每一种认得的写法比。"""
    _drop_unused(exam, inputs[0], outputs[0])
    values = exam.lab.values(exam.module)
    gate = _is_gate(exam, outputs[0], inputs[0][0])
    if gate:
        exam.remarks.append("交出的是门，还没有乘回 x：单独用时别忘了这一步")
    found = None
    for found in islice(candidates(exam, gate), TRIES):
        weights = found.match.weights(values, found.slots)
        if all(
            close(output, output_of(exam, found, weights, given))
            for given, output in zip(inputs, outputs, strict=True)
        ):
            return found
    if found is None:
        exam.note("参数", False, _mismatch(exam))
    return None


def _is_gate(exam: Examination, output: np.ndarray, x: np.ndarray) -> bool:
    return "place" in exam.task.reference and output.shape != x.shape


def output_of(
    exam: Examination, found: Found, weights: Mapping[str, Any], given: list[np.ndarray]
) -> np.ndarray:
    """照认出的写法算出的结果。"""
    return exam.lab.variant(exam.task.name, weights, given, found.choice)["output"]


def _drop_unused(
    exam: Examination, given: list[np.ndarray], output: np.ndarray
) -> None:
    """不起作用的参数不算：输出对它的梯度处处是 0。"""
    try:
        upstream = np.random.default_rng(3).standard_normal(output.shape)
        _, grads = exam.lab.slopes(exam.module, given, upstream)
    except Exception as error:
        exam.fault("梯度", f"求不了梯度，{building.told(error)}")
        return
    idle = [part for part in exam.parts if not np.any(grads[part.weight])]
    if idle:
        names = "、".join(part.weight for part in idle)
        exam.remarks.append(f"输出对这些参数的梯度处处是 0：{names}")
        exam.parts = [part for part in exam.parts if part not in idle]


def _mismatch(exam: Examination) -> str:
    """参数对不上：参照要什么，读者有什么。"""
    values = exam.lab.values(exam.module)
    own = [f"{part.weight} {list(values[part.weight].shape)}" for part in exam.parts]
    wanted = building.sizes(exam.settings, exam.parts, values)[0]
    slots = exam.task.slots(exam.task.reference, wanted)
    asked = [f"{slot} {list(shape)}" for slot, (_, shape) in slots.items()]
    return f"对不上：参照要 {'、'.join(asked)}；这里有 {'、'.join(own) or '一个也没有'}"


def first_difference(exam: Examination, given: list[np.ndarray]) -> str:
    """与哪一种都不同：里面哪一步最先与参照不一样。"""
    try:
        heard = exam.lab.overheard(exam.module, given)
    except Exception:
        heard = []
    sorted_heard = [np.sort(array, axis=None) for array in heard]
    values, best = exam.lab.values(exam.module), None
    for found in islice(candidates(exam, False, 0), 48):
        weights = found.match.weights(values, found.slots)
        steps = exam.lab.variant(exam.task.name, weights, given, found.choice)
        missing = [n for n, step in steps.items() if not _heard(step, sorted_heard)]
        if best is None or len(missing) < len(best):
            best = missing
    if best is None:
        return "权重的个数或形状与参照不同，没有再往下比"
    first = best[0] if best else "output"
    inner = {"output": "最后的结果"}.get(first, first)
    return f"与参照、与认得的写法都不同；最先不同的一步是：{inner}"


def _heard(step: np.ndarray, heard: list[np.ndarray]) -> bool:
    """途中算出过这一步吗；轴的次序不计。"""
    wanted = np.sort(step, axis=None)
    return any(close(array, wanted) for array in heard if array.size == wanted.size)
