"""具名的性质：不问怎样写的，只拿输入去试。

内容: `check_properties` 逐条试，记进报告；`PROPERTIES` 哪一样东西该有哪几条。
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np

from vision_attention.grading.opening import refill
from vision_attention.grading.searching import Found, candidates
from vision_attention.grading.state import Examination, close, first

# 说“能”的性质（能低于 ½、会变）一组权重碰巧看不出，最多换这么多组
FILLS = 8
Verdict = tuple[bool, str] | None


class Probe(NamedTuple):
    """待查的模块，认出了什么，试形状时用过的输入。"""

    exam: Examination
    found: Found | None
    inputs: list[np.ndarray]

    def output(self, *inputs: np.ndarray) -> np.ndarray:
        """评估模式下前向一次。"""
        given = [*inputs, *self.inputs[len(inputs) :]]
        return first(self.exam.lab.forward(self.exam.module, given)[0])

    def gate(self, x: np.ndarray) -> np.ndarray:
        """门；交回乘积的，用输出除以输入。"""
        output = self.output(x)
        return output / x if output.shape == x.shape else output


def check_properties(
    exam: Examination, found: Found | None, inputs: list[np.ndarray]
) -> None:
    """逐条试；一条不过，不影响试下一条。"""
    probe = Probe(exam, found, inputs)
    for name, (holds, tasks) in PROPERTIES.items():
        if exam.task.name in tasks and (verdict := holds(probe)) is not None:
            exam.note(name, *verdict)


def alone(probe: Probe) -> Verdict:
    """一份的结果与同一批里别的无关。"""
    x = probe.inputs[0]
    output = probe.output(x)
    if not close(probe.output(x), output):
        return None  # 评估时也在随机丢，下一条会说
    same = close(probe.output(x[:1]), output[:1])
    told = "一份的结果与同一批里别的" + (
        "无关" if same else "有关；看看沿哪个轴求的平均"
    )
    return same, told


def modes(probe: Probe) -> Verdict:
    """两种模式只在批归一化与随机失活处不同；评估时每次都一样。"""
    exam, inputs = probe.exam, probe.inputs
    evaluated = probe.output()
    if not close(probe.output(), evaluated):
        return False, "评估模式下算两次，结果不同；随机失活只在训练时丢"
    training = [
        first(exam.lab.forward(exam.module, inputs, True, still=True)[0])
        for _ in range(2)
    ]
    if exam.lab.random_layers(exam.module) or not close(*training):
        exam.remarks.append("里面有随机失活：训练时的输出与评估时不同，这是该有的")
    same = close(training[0], evaluated) or not close(*training)
    return same, "除了批归一化与随机失活，两种模式算的" + ("一样" if same else "不一样")


def permuted(probe: Probe) -> Verdict:
    """换位置，输出跟着换；单独的通道门不看位置，不变。"""
    x, *masks = probe.inputs
    order = np.random.default_rng(9).permutation(
        x[0, 0].size if x.ndim > 3 else len(x[0])
    )
    masks = [mask[order][:, order] for mask in masks]
    output = probe.output()
    moved = _moved(output, order) if output.shape == x.shape else output
    if close(probe.output(_moved(x, order), *masks), moved):
        return True, "换了位置，输出跟着换"
    return False, "换了位置，输出没有跟着换；看看 reshape 之前有没有换轴"


def _moved(x: np.ndarray, order: np.ndarray) -> np.ndarray:
    """把位置重排：特征图是各像素，序列是各 token。"""
    if x.ndim > 3:
        return x.reshape((*x.shape[:2], -1))[:, :, order].reshape(x.shape)
    return x[:, order]


def rows(probe: Probe) -> Verdict:
    """权重的每一行对键求和是 1。

    输入里有一路恒为 1，值的投影对那一路的梯度就是：行的和，乘上后面的投影。
    """
    matches = list(_roles(probe))
    if not matches:
        return None
    found = [_row_sums(probe, match) for match in matches]
    low, high = min(((s.min(), s.max()) for s in found), key=lambda s: s[1] - s[0])
    if abs(low - 1) < 1e-3 and abs(high - 1) < 1e-3:
        return True, "权重每一行对键求和是 1"
    told = f"权重各行对键的和在 {low:.2f} 与 {high:.2f} 之间，应都是 1"
    return False, f"{told}；看看 softmax 沿哪个轴"


def _roles(probe: Probe) -> Iterator[Found]:
    """值是哪一件：认出了就照认出的，没有认出的把对得上的都试一试。"""
    if probe.found is None:
        if (permuted(probe) or (False,))[0]:
            yield from islice(candidates(probe.exam, False, 0), 24)
    elif all(probe.found.choice.get(a, "heads") == "heads" for a in ("split", "merge")):
        if probe.found.choice.get("flatten", "transpose") == "transpose":
            yield probe.found


def _row_sums(probe: Probe, found: Found) -> np.ndarray:
    """每个位置、每一路：行的和。"""
    exam, weights = probe.exam, found.match.weights
    x, *masks = (array.copy() for array in probe.inputs)
    pixels = x.ndim > 3
    (x if not pixels else np.moveaxis(x, 1, -1))[..., 0] = 1
    direction = np.random.default_rng(10).uniform(1, 2, x.shape[1 if pixels else 2])
    given = weights(exam.lab.values(exam.module), found.slots)
    later = given["proj"].T @ direction if "proj" in given else direction
    later = later * given["gamma"].reshape(-1) if "gamma" in given else later
    slot = "key" if found.choice.get("roles") == "swapped" else "value"
    sums = []
    for place in range(x[0, 0].size if pixels else x.shape[1]):
        upstream = np.zeros(
            (len(x), x[0, 0].size if pixels else x.shape[1], len(direction))
        )
        upstream[0, place] = direction
        upstream = np.moveaxis(upstream, 2, 1) if pixels else upstream
        _, grads = exam.lab.slopes(exam.module, [x, *masks], upstream.reshape(x.shape))
        sums.append(found.match.gradients(grads)[slot][:, 0] / later)
    return np.array(sums)


def mixing_depends(probe: Probe) -> Verdict:
    """权重由输入算：定死的权重，输出对输入是一次的。"""
    x, y = probe.inputs[0], np.flip(probe.inputs[0], 0)
    parts = probe.output(x + y) + probe.output(0 * x), probe.output(x) + probe.output(y)
    bent = not close(*parts, 1e-4)
    return bent, "权重由输入算" if bent else "权重不看输入：定死了，或没有用上"


def _far(x: np.ndarray) -> np.ndarray:
    """离 0 远一点，除得准。"""
    return x + 0.5 * np.where(x < 0, -1, 1).astype(x.dtype)


def _fills(probe: Probe) -> Iterator[None]:
    """换几组权重，最后换回来。"""
    lab, module = probe.exam.lab, probe.exam.module
    kept = lab.values(module)
    try:
        yield
        for seed in range(1, FILLS):
            refill(probe.exam, seed)
            yield
    finally:
        lab.write(module, kept)


def gate_range(probe: Probe) -> Verdict:
    """门在 (0, 1)；低得过 ½（CBAM 是两道门的积，低得过 ¼）。"""
    x = _far(probe.inputs[0])
    floor, name = (0.25, "¼") if probe.exam.task.name == "cbam" else (0.5, "½")
    gate = probe.gate(x)
    spread = f"门在 {gate.min():.2f} 与 {gate.max():.2f} 之间"
    if gate.min() < -1e-6 or gate.max() > 1 + 1e-6:
        return False, f"{spread}，出了 (0, 1)；看看有没有过 σ，有没有多加一条捷径"
    shifts = (0, 6, -6)
    low = any(probe.gate(x + s).min() < floor for _ in _fills(probe) for s in shifts)
    if low:
        return True, f"{spread}，低得过 {name}"
    return False, f"{spread}，从不低于 {name}；看看 σ 之前是不是有 ReLU，或过了两次 σ"


def gate_depends(probe: Probe) -> Verdict:
    """输入变了，门也变。"""
    x = _far(probe.inputs[0])
    changed = any(
        not close(probe.gate(x), probe.gate(1 - 3 * x), 1e-4) for _ in _fills(probe)
    )
    return changed, "输入变了，门" + ("也变" if changed else "不变；门要由输入算")


def refined(probe: Probe) -> Verdict:
    """空间门由 F′ 算。

    把通道重排，F 沿通道的平均与最大都不变，通道门却不是跟着重排：由 F 算的空间门
    一点不变，由 F′ 算的就变了。
    """
    x = _far(probe.inputs[0])
    order = np.random.default_rng(11).permutation(x.shape[1])
    changed = any(
        not close(_pattern(probe.gate(x)), _pattern(probe.gate(x[:, order])), 1e-3)
        for _ in _fills(probe)
    )
    told = "空间门由 F′ 算"
    if not changed:
        told = "把通道重排，空间门一点不变：它是由 F 算的，不是由 F′ 算的"
    return changed, told


def _pattern(gate: np.ndarray) -> np.ndarray:
    """各位置之间的相对大小，去掉通道门的大小与捷径的 1；各通道是一样的，取平均。"""
    flat = gate.reshape((*gate.shape[:2], -1)).astype(np.float64)
    flat = flat - flat.mean(-1, keepdims=True)
    return np.median(flat / (flat.std(-1, keepdims=True) + 1e-12), 1)


GATES = ("channel_attention", "spatial_attention", "cbam")
ATTENTION = ("self_attention_2d", "self_attention", "masked_attention")
ALL = (*GATES, *ATTENTION, "vit_block", "vit_tokens")
# 名字 → 怎样试、哪几样东西该有
PROPERTIES: dict[str, tuple[Callable[[Probe], Verdict], tuple[str, ...]]] = {
    "不看别的样本": (alone, ALL),
    "训练与评估": (modes, ALL),
    "换位置": (permuted, (*ATTENTION, "vit_block", "channel_attention")),
    "行的和": (rows, ATTENTION),
    "权重看输入": (mixing_depends, ATTENTION),
    "门的范围": (gate_range, GATES),
    "门看输入": (gate_depends, GATES),
    "由 F′ 算": (refined, ("cbam",)),
}
