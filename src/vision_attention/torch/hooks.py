"""记下前向时各层的输入与输出；钩子用完就取下，模型不变。

- `look`、`recorded`：在选中的层上读数
- `evaluation_mode`、`evaluating`：评估模式，不记梯度与照记梯度
- `gradients`：外面不记梯度时，里面也记
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from vision_attention import checks

Read = Callable[[nn.Module, Tensor, Tensor], Any]


def look(
    model: nn.Module, x: Tensor, wanted: Callable, read: Read
) -> list[tuple[str, Any]]:
    """评估模式下前向一次，在选中的层上读数；各层原来的模式不变。

    参数: wanted（层） 为真的层被选中；read（层，输入，输出） 给出读数
    返回: （层的名字，读数），按前向的次序；一层用两次就有两条
    错误: model 不是模型，或 x 不是张量时抛出 ValueError
    """
    checks.kind("model", model, nn.Module, "模型")
    checks.tensor(x)
    with evaluation_mode(model), recorded(model, wanted, read) as seen:
        model(x)
    return seen


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """评估模式、不记梯度；离开时每一层回到各自原来的模式。"""
    with evaluating(model), torch.no_grad():
        yield


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """评估模式，梯度照记；离开时每一层回到各自原来的模式。"""
    modes = [(layer, layer.training) for _, layer in _layers(model)]
    model.eval()
    try:
        yield
    finally:
        for layer, training in modes:
            layer.training = training


@contextmanager
def gradients() -> Iterator[None]:
    """记梯度，哪怕外面写着 no_grad。"""
    with torch.inference_mode(False), torch.enable_grad():
        yield


@contextmanager
def recorded(
    model: nn.Module, wanted: Callable, read: Read
) -> Iterator[list[tuple[str, Any]]]:
    """在选中的层上挂钩子，离开时全部取下；一层用两次就记两条。"""
    seen: list[tuple[str, Any]] = []
    hooks = [
        layer.register_forward_hook(_note(seen, name, read))
        for name, layer in _layers(model)
        if wanted(layer)
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _note(seen: list[tuple[str, Any]], name: str, read: Read) -> Callable:
    def note(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen.append((name, read(layer, inputs[0] if inputs else None, output)))

    return note


def _layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    return model.named_modules()
