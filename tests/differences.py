"""量两翼的差：搬运权重之后，前向、梯度、一步优化与二十步损失各差多少。

用法: PYTHONPATH=. python tests/differences.py [输出.json [全部]]
打印每个类、每个开关的最大差；给出路径时也写成 JSON，书里「框架对照」一章的表由它生成。
记录里已有的用例不再量，除非框架的版本换了，或写了「全部」；在别的机器上量的行照样留着，
行里写着是哪一台。
差一律除以被比较的数的大小（`gap`、`gradients`），上限是 BOUNDS。
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cases
import numpy as np
import paddle
import torch
from frameworks import Paddle, Torch, linear_weights
from gaps import BOUNDS, gap, size, worst

import vision_attention.paddle
import vision_attention.torch
from vision_attention import interop
from vision_attention.storage import files

DIRECTIONS = ("torch→paddle", "paddle→torch")
STEPS = 20


def disturb(model, seed: int = 5) -> None:
    """把每个权重与缓冲区都挪动一点：偏置是 0、方差是 1 的时候，错误会藏起来。"""
    rng = np.random.default_rng(seed)
    values = {}
    for name, array in interop.state(model).items():
        noise = 0.1 * rng.standard_normal(array.shape)
        moved = array + noise
        values[name] = (abs(moved) if "running_var" in name else moved).astype("f4")
    interop.load_state(model, values)


def twins(case, direction: str = DIRECTIONS[0]):
    """两翼各建一个，初始权重不同，再从一翼搬到另一翼。"""
    vision_attention.torch.init.seed(1)
    vision_attention.paddle.init.seed(2)
    left, right = case.make(vision_attention.torch), case.make(vision_attention.paddle)
    source, target = (left, right) if direction == DIRECTIONS[0] else (right, left)
    disturb(source)
    interop.copy_weights(source, target)
    return left, right


def forward(case, mode: str, direction: str = DIRECTIONS[0]) -> float:
    """eval 或 train 模式下，输出的差。"""
    return compared(case, *twins(case, direction), mode)


def compared(case, left, right, mode: str) -> float:
    """两个模型在同一批输入上，输出的差。"""
    getattr(left, mode)(), getattr(right, mode)()
    x = case.values()
    ours = left(Torch.tensor(x)).detach().numpy()
    return gap(ours, right(Paddle.tensor(x)).numpy())


def states(left, right) -> float:
    """权重与缓冲区的差，逐个取最大；方差的移动平均两边定义不同，见 test_traps。"""
    ours, theirs = interop.state(left), interop.state(right)
    assert ours.keys() == theirs.keys()
    same = [name for name in ours if not name.endswith("running_var")]
    return worst(gap(ours[n], theirs[n]) for n in same)


def buffers(case) -> float:
    """训练模式前向一次之后，缓冲区的差。"""
    return updated(case, *twins(case))


def updated(case, left, right) -> float:
    """两个模型在训练模式各前向一次，权重与缓冲区的差。"""
    left.train(), right.train()
    left(Torch.tensor(case.values())), right(Paddle.tensor(case.values()))
    return states(left, right)


def _gradients(framework, model, x) -> dict[str, np.ndarray]:
    """输入与每个权重的梯度，换成 PyTorch 的布局。"""
    x = framework.tensor(x, grad=True)
    y = model(x)
    (y * y).mean().backward()
    flip = linear_weights(model) if framework is Paddle else set()
    found = {"x": x.grad.numpy()}
    for name, parameter in framework.named_parameters(model).items():
        grad = parameter.grad.numpy()
        found[name] = grad.T if name in flip else grad
    return found


def gradients(case) -> float:
    """输入与权重的梯度的差：相对于同一层里最大的梯度。"""
    return descended(case, *twins(case))


def descended(case, left, right) -> float:
    """两个模型的梯度的差，除以同一层的权重与偏置里最大的梯度，逐个取最大。

    理论上恰为 0 的（键的偏置、序列汇集打分的偏置）只剩舍入，没有自己的大小；舍入来自
    同一层的那些加法，所以一层一起看。一层也至少按全体最大值的千分之一算。
    """
    left.eval(), right.eval()
    x = case.values()
    ours, theirs = _gradients(Torch, left, x), _gradients(Paddle, right, x)
    assert ours.keys() == theirs.keys()
    least = max(1e-3 * size(*ours.values()), 1e-30)
    return worst(
        size(grad - theirs[name]) / max(size(*_layer(ours, name)), least)
        for name, grad in ours.items()
    )


def _layer(gradients, name: str) -> list[np.ndarray]:
    """与 name 同一层的梯度；不属于哪一层的（输入、γ）只有自己。"""
    layer = name.rpartition(".")[0]
    if not layer:
        return [gradients[name]]
    return [g for n, g in gradients.items() if n.rpartition(".")[0] == layer]


def _losses(framework, model, x, target, steps: int) -> list[float]:
    """训练模式下走 steps 步带动量的梯度下降，返回每一步的损失。"""
    optimizer = framework.optimizer(model, 0.003)
    curve = []
    for _ in range(steps):
        loss = (model(x) - target).square().mean()
        framework.clear(optimizer)
        loss.backward()
        optimizer.step()
        curve.append(float(loss.detach()))
    return curve


def trained(case, steps: int):
    """两翼各走 steps 步，返回两个模型与两条损失曲线。"""
    left, right = twins(case)
    x = case.values()
    left.eval()
    target = np.tanh(left(Torch.tensor(x)).detach().numpy()[::-1]).copy()
    left.train(), right.train()
    ours = _losses(Torch, left, Torch.tensor(x), Torch.tensor(target), steps)
    theirs = _losses(Paddle, right, Paddle.tensor(x), Paddle.tensor(target), steps)
    return left, right, ours, theirs


def measure(case) -> dict[str, float | str | None]:
    """一个用例的全部差。"""
    row = {
        "case": case.name,
        "eval": worst(forward(case, "eval", d) for d in DIRECTIONS),
        "train": forward(case, "train"),
        "buffers": buffers(case),
        "gradients": gradients(case),
        "step": None,
        "curve": None,
    }
    if case.parameters != 0:
        left, right, _, _ = trained(case, 1)
        row["step"] = states(left, right)
        _, _, ours, theirs = trained(case, STEPS)
        row["curve"] = gap(ours, theirs)
    return row


def known(target: Path | None, here: dict) -> tuple[dict, dict[str, dict]]:
    """已有的记录里还能用的：（记录的开头，用例 → 行）；框架的版本换了就都不能用。"""
    if target is None or not target.exists():
        return here, {}
    old = json.loads(target.read_text("utf8"))
    if any(old[name] != here[name] for name in ("torch", "paddle")):
        return here, {}
    head = {name: old[name] for name in here}
    return head, {row["case"]: row for row in old["rows"]}


def measured_here(case, head: dict, here: dict) -> dict:
    """量一个用例；与记录开头写的不是同一台机器，就记在行里。"""
    row = measure(case)
    same = head["machine"] == here["machine"]
    return row if same else row | {"machine": here["machine"]}


def show(row: dict) -> None:
    """打印一行。"""
    cells = ("–" if row[c] is None else f"{row[c]:.0e}" for c in BOUNDS)
    print(f"{row['case']:<60}" + "".join(f"{cell:>10}" for cell in cells), flush=True)


def main(target: str | None = None, everything: str | None = None) -> None:
    """逐个用例打印；给出路径时只量缺的，写成 JSON。"""
    from tools.build.outcomes import machine  # 它要 Unix 的文件锁；轻量测试到处都跑

    path = Path(target) if target else None
    here = {
        "torch": torch.__version__,
        "paddle": paddle.__version__,
        "machine": machine(),
    }
    head, old = (here, {}) if everything else known(path, here)
    print(f"{'用例':<60}" + "".join(f"{c:>10}" for c in BOUNDS))
    rows = []
    for case in cases.ALL:
        rows.append(old.get(case.name) or measured_here(case, head, here))
        show(rows[-1])
    if path:
        record = head | {"bounds": BOUNDS, "rows": rows}
        with files.replacing(path) as temporary:
            temporary.write_text(json.dumps(record, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
