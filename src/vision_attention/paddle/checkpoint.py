"""检查点：模型与优化器的全部张量，以及到此为止的学习曲线。

- `Checkpoint`：一次训练的存与取
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.optimizer import Optimizer

from vision_attention import snapshots
from vision_attention.config import TrainConfig
from vision_attention.data import Dataset
from vision_attention.history import History


class Checkpoint:
    """一次训练的检查点。

    随机数不在其中：每一步的随机数只由 (seed, step) 决定。

    参数: path 为文件路径（.safetensors），None 表示既不存也不取
    错误: 文件夹写不进去时抛出 OSError
    """

    def __init__(
        self,
        path: str | Path | None,
        model: nn.Layer,
        optimizer: Optimizer,
        config: TrainConfig,
        dataset: Dataset,
    ):
        self.path = Path(path) if path is not None else None
        self.model, self.optimizer = model, optimizer
        self.identity = {
            "framework": "paddle",
            "model": repr(model),
            "dataset": dataset.fingerprint,
            **asdict(config),
        }
        if self.path is not None:
            snapshots.writable(self.path)

    def save(self, history: History) -> None:
        """写下此刻的一切。"""
        if self.path is not None:
            snapshots.write(self.path, self._arrays(), self.identity, history)

    def restore(self) -> History:
        """有检查点就载入并返回它的曲线，没有就返回空的曲线。

        错误: 检查点属于另一次训练时抛出 ValueError，模型与优化器都不变
        """
        if self.path is None or not self.path.exists():
            return History()
        rest(self.model, self.optimizer)
        arrays, history = snapshots.read(self.path, self._arrays(), self.identity)
        for name, live in self._tensors().items():
            live.set_value(arrays[name])
        return history

    def _arrays(self) -> dict[str, np.ndarray]:
        return {name: live.numpy() for name, live in self._tensors().items()}

    def _tensors(self) -> dict[str, Tensor]:
        """模型与优化器的张量，键里是参数在模型中的名字；改它们就是改训练的状态。"""
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        names = {p.name: name for name, p in self.model.named_parameters()}
        for label, value in self.optimizer.state_dict().items():
            # label 形如 linear_0.w_0_moment1_0；前半是参数的编号，换个进程就会变
            owner = max((n for n in names if label.startswith(f"{n}_")), key=len)
            key = label.removeprefix(f"{owner}_").rsplit("_", 1)[0]
            tensors[f"optimizer.{names[owner]}.{key}"] = value
        return tensors


def rest(model: nn.Layer, optimizer: Optimizer) -> None:
    """以零学习率、零梯度空走一步：参数不变，优化器却建好了它的状态，可以往里写。"""
    optimizer.set_lr(0.0)
    for parameter in model.parameters():
        if not parameter.stop_gradient:
            parameter.grad = paddle.zeros_like(parameter)
    optimizer.step()
    optimizer.clear_grad()
