"""查的前两步：建得起来吗，该收的形状都收吗；不守规矩的说一句。

内容: construct、refill、run、reseeds、own_random。
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from vision_attention.grading import building
from vision_attention.grading.state import Examination


@contextlib.contextmanager
def own_random(exam: Examination) -> Iterator[None]:
    """查完，随机数发生器都回到原来的状态。"""
    states = exam.lab.random_states(), np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        exam.lab.restore_random(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])


def construct(exam: Examination, subject: Any, given: Mapping[str, int]) -> None:
    """第一条：建得起来，而且不动全局的种子。"""
    lab = exam.lab
    if not lab.is_module(subject):
        maker = subject
        try:
            subject, reseeded = reseeds(
                exam, lambda: building.build(maker, exam.settings)
            )
        except building.BuildError as error:
            exam.fail("建得起来", str(error))
        if reseeded:
            exam.seeded("构造时")
        if not lab.is_module(subject):
            exam.fail("建得起来", f"得到的是 {type(subject).__name__}，不是模块")
        exam.module = subject
    else:
        exam.module = lab.copy(subject)
        own = lab.parts(exam.module)
        seen = building.inferred(exam.task, own, lab.values(exam.module), exam.module)
        exam.settings |= {k: v for k, v in seen.items() if k not in given}
    exam.note("建得起来", True, "构造没有出错")
    exam.parts = lab.parts(exam.module)
    refill(exam)


def refill(exam: Examination, seed: int = 0) -> None:
    """把参数换成有意义的随机数：起步是 0 的、是 1 的，都看得出作用。"""
    rng = np.random.default_rng(seed)
    lab, kinds = exam.lab, {}
    for part in lab.parts(exam.module):
        kinds |= dict.fromkeys(filter(None, (part.weight, part.bias)), part)
    arrays = {}
    for name, old in lab.values(exam.module).items():
        if not np.issubdtype(old.dtype, np.floating):
            continue
        fan = max(1, old.size // max(1, old.shape[0])) if old.ndim > 1 else 4
        drawn = rng.standard_normal(old.shape) * (1.6 / np.sqrt(fan))
        if name not in kinds:  # 批归一化记下的统计量，方差是正的
            drawn = np.abs(drawn) + 0.5
        elif kinds[name].kind == "norm" and name == kinds[name].weight:
            drawn = 1 + 0.4 * drawn
        arrays[name] = np.asarray(drawn, old.dtype)
    lab.write(exam.module, arrays)


def reseeds(exam: Examination, action: Callable[[], Any]) -> tuple[Any, bool]:
    """做一遍，看它有没有把全局的种子设成定数：从两处起步，之后抽到的却一样。"""
    drawn = []
    for start in (20, 21):
        exam.lab.seed_random(start)
        np.random.seed(start)
        random.seed(start)
        result = action()
        drawn.append((exam.lab.draw(), np.random.random(), random.random()))
    return result, any(left == right for left, right in zip(*drawn, strict=True))


def run(exam: Examination, inputs: list[list[np.ndarray]]) -> list[np.ndarray]:
    """第二条：该收的形状都收，交回的是一个大小正确、有限的张量。"""
    outputs = []
    for given in inputs:
        shape = tuple(given[0].shape)
        try:
            output, changed = exam.lab.forward(exam.module, given)
        except Exception as error:
            reason = _why(exam, error)
            exam.fail(
                "形状", f"输入 {list(shape)} 时出错，{building.told(error)}{reason}"
            )
        if changed:
            exam.fault(
                "不改输入",
                "前向改了输入张量；就地的运算（如 x *= …）换成新的张量",
            )
        outputs.append(_plain(exam, output, given))
    wanted = "不是正方形、只有一份、边长是 1 的都收"
    exam.note("形状", True, wanted)
    (_, reseeded) = reseeds(exam, lambda: exam.lab.forward(exam.module, inputs[0]))
    if reseeded:
        exam.seeded("前向时")
    return outputs


def _plain(exam: Examination, output: Any, given: list[np.ndarray]) -> np.ndarray:
    """交回的东西里的那个数组；不合格的说一句，还能查的接着查。"""
    if isinstance(output, tuple) and output and isinstance(output[0], np.ndarray):
        exam.fault("交回一个张量", "返回了元组；只返回结果，权重另写一个方法")
        output = output[0]
    if not isinstance(output, np.ndarray):
        kind = getattr(output, "kind", type(output).__name__)
        exam.fail("交回一个张量", f"返回的是 {kind}，不是张量")
    wanted = exam.lab.precision(exam.module)
    if str(output.dtype) != wanted:
        exam.fault("类型", f"输出是 {output.dtype}，参数是 {wanted}；不要在途中换类型")
    x = given[0]
    sizes = _allowed(exam, x)
    if output.shape not in sizes:
        told = "，或 ".join(str(list(size)) for size in sizes)
        hint = "；" + _unpadded(exam) if _unpadded(exam) else ""
        exam.fail(
            "形状",
            f"输入 {list(x.shape)}，输出 {list(output.shape)}，应为 {told}{hint}",
        )
    if not np.isfinite(output).all():
        exam.fail("有限的数", "输出里有 NaN 或无穷；看看有没有除以 0、对负数开方")
    return output.astype(np.float64)


def _allowed(exam: Examination, x: np.ndarray) -> list[tuple[int, ...]]:
    """输出可以是的形状；单独的门，交门本身也行。"""
    if exam.task.name == "vit_tokens":
        count = (exam.settings["image_size"] // exam.settings["patch_size"]) ** 2
        d = exam.settings["embed_dim"]
        return [(len(x), count + 1, d), (len(x), count, d)]
    if exam.task.name == "channel_attention":
        return [x.shape, (*x.shape[:2], 1, 1), x.shape[:2]]
    if exam.task.name == "spatial_attention":
        return [x.shape, (len(x), 1, *x.shape[2:])]
    return [x.shape]


def _unpadded(exam: Examination) -> str:
    """没有补零的卷积，说一句；都补了就不说。"""
    if exam.task.name not in ("spatial_attention", "cbam"):
        return ""
    bare = [part for part in exam.parts if part.kind == "conv" and not part.padded]
    return "卷积没有补零，门比输入小一圈：padding 取核宽的一半" if bare else ""


def _why(exam: Examination, error: Exception) -> str:
    """出错的原因里，这门课认得的。"""
    told = _unpadded(exam)
    return f"；{told}" if told else ""
