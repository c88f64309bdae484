"""看得多远：有效感受野有多大，远处一个像素变了谁会察觉。

内容: reach。
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from vision_attention import specs
from vision_attention.checks import ArgumentError, whole
from vision_attention.studies.design.runs import plain_values
from vision_attention.studies.tasks.outcome import Outcome, Sections, one_of
from vision_attention.studies.tasks.prepared import PreparedRun
from vision_attention.studies.tasks.training import first_images, train

MEASURED = (
    "test_accuracy",
    "reach_share",
    "reach_radius",
    "noticed_first",
    "noticed_last",
)
ENERGY = 0.95
# 相对于这个阶段输出的标准差；float32 的舍入在 1e-6 上下
NOTICED = 1e-4


def examine(sections: Sections) -> None:
    """Options 的取值；ViT 要每个位置都算到最后，所以不能只留分类 token。

    错误: 不合适时抛出 ValueError
    """
    options = sections["options"]
    one_of("trained", options.get("trained", True), (True, False))
    whole("images", options.get("images", 32), 1)
    spec = specs.named(**plain_values(sections["model"]))
    if isinstance(spec, specs.MLPSpec):
        raise ArgumentError(
            "多层感知机没有位置，谈不上感受野；请换一个模型", "model.name"
        )
    if getattr(spec, "pool", "mean") == "class":
        raise ArgumentError(
            "pool='class' 只替分类 token 算最后一块；请写 pool: mean", "model.pool"
        )


def reach(prepared: PreparedRun, *, trained: bool = True, images: int = 32) -> Outcome:
    """训练（或不训练）之后，量最后一张特征图正中那一处看得多远。

    有效感受野：那一处对每个输入像素的梯度，取绝对值、平均，从大到小装到 95 %。
    察觉：把左上角那个像素换成反色，一处输出的变化超过该阶段输出标准差的万分之一，
    就算察觉。

    形状: 曲线 stage、noticed 各一项一个阶段（ViT 为一块）
    参数: trained 为假时只看初始权重；images 为看多少张测试图片
    单位: reach_radius 为像素，从那一处的中心量起；其余为份额，0–1
    """
    started = time.perf_counter(), time.process_time()
    found = train(prepared) if trained else None
    score = prepared.wing.module("training").evaluate(
        prepared.model,
        prepared.dataset.normalize(prepared.dataset.test_images),
        prepared.dataset.test_labels,
    )
    prepared.model.eval()
    noticed = _noticed(prepared, images)
    results = {
        "test_accuracy": score[1],
        **_field(prepared, images),
        "noticed_first": noticed[0],
        "noticed_last": noticed[-1],
    }
    curves = {"stage": list(range(1, len(noticed) + 1)), "noticed": noticed}
    return Outcome(
        (found.results if found else {}) | results,
        (found.curves if found else {}) | curves,
        time.perf_counter() - started[0],
        time.process_time() - started[1],
    )


def _stages(model: Any) -> list[Any]:
    """逐个阶段：卷积网络的 stages，ViT 的 blocks。"""
    return list(model.stages if hasattr(model, "stages") else model.blocks)


def _noticed(prepared: PreparedRun, count: int) -> list[float]:
    """每个阶段有几成位置察觉左上角的像素变了。"""
    stages = _stages(prepared.model)

    def outputs(x: Any) -> list[np.ndarray]:
        seen = prepared.wing.module("hooks").look(
            prepared.model,
            x,
            lambda layer: any(layer is stage for stage in stages),
            lambda layer, given, output: output.detach().cpu().numpy(),
        )
        return [_tokens(values) for _, values in seen]

    original = first_images(prepared, count)
    changed = original.clone()
    images = prepared.dataset.test_images[:count, :, :1, :1]
    inverted = prepared.dataset.normalize(255 - images)
    device = prepared.wing.module("device")
    changed[:, :, :1, :1] = device.tensor(inverted, device.device_of(prepared.model))
    shares = []
    for before, after in zip(outputs(original), outputs(changed), strict=True):
        gap = np.abs(after - before).max(-1)
        shares.append(float((gap > NOTICED * before.std()).mean()))
    return shares


def _tokens(values: np.ndarray) -> np.ndarray:
    """特征图或 token → (B, 位置, 宽)。"""
    if values.ndim == 3:
        return values
    return values.reshape(*values.shape[:2], -1).swapaxes(1, 2)


def _field(prepared: PreparedRun, count: int) -> dict[str, float]:
    """有效感受野的份额与半径。"""
    inspect, x = prepared.wing.module("inspect"), first_images(prepared, count)
    last = _last_stage(prepared)
    shape = tuple(last(x).shape)
    grid = shape[2] if len(shape) == 4 else prepared.model.spec.grid
    middle = grid // 2
    position = (middle, middle) if len(shape) == 4 else middle * grid + middle
    field = inspect.effective_receptive_field(last, x, position)
    center = (middle + 0.5) * len(field) / grid - 0.5
    return dict(
        zip(("reach_share", "reach_radius"), spread(field, center), strict=True)
    )


def _last_stage(prepared: PreparedRun) -> Callable[[Any], Any]:
    """一个函数：图片 → 最后一个阶段的输出，带着梯度。"""
    last = _stages(prepared.model)[-1]

    def function(x: Any) -> Any:
        recorded = prepared.wing.module("hooks").recorded
        with recorded(prepared.model, lambda layer: layer is last, _output) as seen:
            prepared.model(x)
        return seen[-1][1]

    return function


def _output(layer: Any, given: Any, output: Any) -> Any:
    return output


def spread(field: np.ndarray, center: float) -> tuple[float, float]:
    """装下 95 % 的梯度，至少要几成像素；以 center 为心的圆，半径要多大。

    形状: field (H, W)，不小于 0
    参数: center 为行与列共同的坐标
    单位: 份额 0–1；半径为像素
    """
    weights = field.astype(np.float64) / field.sum(dtype=np.float64)
    largest = np.sort(weights.reshape(-1))[::-1].cumsum()
    share = (int(np.searchsorted(largest, ENERGY)) + 1) / weights.size
    rows, columns = np.indices(field.shape)
    distance = np.hypot(rows - center, columns - center).reshape(-1)
    order = distance.argsort(kind="stable")
    inside = weights.reshape(-1)[order].cumsum()
    return share, float(distance[order][np.searchsorted(inside, ENERGY)])
