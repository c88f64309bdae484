"""把一个模块从头查到尾：建、试形状、对参数、比输出与梯度、几条性质。

内容: examine。
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

from vision_attention.grading import building
from vision_attention.grading.bank import MISTAKE
from vision_attention.grading.opening import construct, own_random, run
from vision_attention.grading.properties import check_properties
from vision_attention.grading.report import FAULT, OTHER, RIGHT, UNKNOWN, WRONG, Report
from vision_attention.grading.searching import (
    Found,
    first_difference,
    notes_own,
    output_of,
    search,
)
from vision_attention.grading.state import GRADIENT, Examination, Stop, close
from vision_attention.grading.tasks import Task


def examine(
    subject: Any, task: Task, lab: ModuleType, given: Mapping[str, int]
) -> Report:
    """查一个模块或类。

    参数: lab 为一翼的 specimen；given 为读者给的尺寸
    """
    exam = Examination(task, lab, building.settle(task, given))
    with quiet() as said, own_random(exam):
        try:
            report = _examine(exam, subject, given)
        except Stop:
            report = exam.report(FAULT)
    return replace(report, remarks=(*report.remarks, *said))


def _examine(exam: Examination, subject: Any, given: Mapping[str, int]) -> Report:
    construct(exam, subject, given)
    inputs = exam.task.inputs(exam.settings, np.random.default_rng(1))
    try:
        outputs = run(exam, inputs)
    except Stop:
        return notes_own(exam) or exam.report(FAULT)
    found = search(exam, inputs, outputs)
    if found is None:
        exam.note("输出", False, first_difference(exam, inputs[0]))
        check_properties(exam, None, inputs[0])
        return exam.report(UNKNOWN)
    exam.note("参数", True, _paired(exam, found))
    right = not found.changed
    exam.note(
        "输出", right, "与参照相同" if right else "与参照不同，与认得的一种写法相同"
    )
    _gradients(exam, found, inputs[0])
    check_properties(exam, found, inputs[0])
    return exam.report(_verdict(exam, found), found.changed)


def _verdict(exam: Examination, found: Found) -> str:
    if any(variant.kind == MISTAKE for variant in found.changed):
        return WRONG
    if found.changed:
        return OTHER
    return RIGHT if all(c.passed for c in exam.checks) and not exam.faulty else FAULT


@contextlib.contextmanager
def quiet() -> Iterator[list[str]]:
    """读者的模块印了什么，收起来，只说一句；查完才填进交出的名单。"""
    said, told = io.StringIO(), []
    with contextlib.redirect_stdout(said):
        yield told
    if said.getvalue().strip():
        first = said.getvalue().strip().splitlines()[0][:60]
        told.append(f"模块会往屏幕上印字（{first}）；交之前删掉 print")


def _paired(exam: Examination, found: Found) -> str:
    """参数怎样对上的，以及与参照不同而不影响式子的。"""
    bare = found.match.without_bias()
    if bare:
        exam.remarks.append(f"没有偏置：{'、'.join(bare)}（式子照旧；timm 的也没有）")
    values = exam.lab.values(exam.module)
    kernels = [shape[-1] for kind, (_, shape) in found.slots.items() if kind == "conv"]
    exam.facts |= {
        "changed": sorted(f"{v.aspect}.{v.key}" for v in found.changed),
        "without_bias": sorted(bare),
        "kernel_size": kernels[0] if kernels else None,
    }
    wanted = exam.task.slots(
        found.choice, building.sizes(exam.settings, exam.parts, values)[0]
    )
    for slot, (_, shape) in found.slots.items():
        if shape != wanted[slot][1]:
            told = (
                f"{slot} 的形状是 {list(shape)}，照给的尺寸应为 {list(wanted[slot][1])}"
            )
            exam.fault("尺寸", f"{told}；看看是不是把数写死了")
    return f"{len(found.slots)} 组权重照形状与角色对上了"


def _gradients(exam: Examination, found: Found, given: list[np.ndarray]) -> None:
    """第五条：对输入、对每个参数的梯度也相同。"""
    values, lab = exam.lab.values(exam.module), exam.lab
    weights = found.match.weights(values, found.slots)
    output = output_of(exam, found, weights, given)
    upstream = np.random.default_rng(4).standard_normal(output.shape)
    try:
        mine, grads = lab.slopes(exam.module, given, upstream)
    except Exception:
        return  # 求不了梯度，_drop_unused 已经说过
    theirs, wanted = lab.variant_slopes(
        exam.task.name, weights, given, found.choice, upstream
    )
    named_grads = found.match.gradients(grads)
    wrong = [n for n, g in named_grads.items() if not close(g, wanted[n], GRADIENT)]
    if not close(mine, theirs, GRADIENT):
        wrong.append("输入")
    told = f"与{'认出的写法' if found.changed else '参照'}相同"
    if wrong:
        told = f"前向相同，对 {'、'.join(wrong)} 的梯度不同；看看有没有 detach"
    exam.note("梯度", not wrong, told)
