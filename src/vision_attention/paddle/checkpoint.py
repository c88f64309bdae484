"""检查点：模型与优化器的全部张量，以及到此为止的学习曲线。

- `Checkpoint`：一次训练的存与取
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.optimizer import Optimizer

from vision_attention import checks
from vision_attention.data import Dataset
from vision_attention.paddle.device import array
from vision_attention.training import snapshots
from vision_attention.training.config import TrainConfig
from vision_attention.training.history import History


class Checkpoint:
    """一次训练的检查点。

    随机数不在其中：每一步的随机数只由 (seed, step) 决定。

    参数: path 为文件路径（.safetensors），None 表示既不存也不取
    错误: path 不是路径时抛出 ValueError，文件夹写不进去时抛出 OSError
    """

    def __init__(
        self,
        path: str | Path | None,
        model: nn.Layer,
        optimizer: Optimizer,
        config: TrainConfig,
        dataset: Dataset,
    ):
        self.path = None if path is None else checks.path("checkpoint", path)
        self.model, self.optimizer = model, optimizer
        self.identity: dict[str, Any] = {}
        if self.path is not None:
            snapshots.writable(self.path)
            self.identity = {
                "framework": "paddle",
                "model": repr(model),
                "frozen": ", ".join(_frozen(model)),
                "dataset": dataset.fingerprint,
                "flip": dataset.flip,
                "mean": dataset.mean.tolist(),
                "std": dataset.std.tolist(),
                **asdict(config),
                **snapshots.settings(model.named_sublayers(include_self=True)),
                **snapshots.digests(_fixed(model)),
            }

    def save(self, history: History) -> None:
        """写下此刻的一切。"""
        if self.path is not None:
            snapshots.write(self.path, self._arrays(), self.identity, history)

    def restore(self) -> History:
        """有检查点就载入并返回它的曲线，没有就返回空的曲线。

        错误: 检查点属于另一次训练时抛出 ValueError，模型不变
        """
        if self.path is None or not self.path.exists():
            return History()
        saved = snapshots.read(self.path)
        saved.check(self.identity, self._arrays(), "model.")
        rest(self.model, self.optimizer, saved.learned)
        saved.check(self.identity, self._arrays())
        for name, live in self._tensors().items():
            live.set_value(paddle.to_tensor(saved.arrays[name]).astype(live.dtype))
        return saved.history

    def _arrays(self) -> dict[str, np.ndarray]:
        return {name: array(live) for name, live in self._tensors().items()}

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


def rest(model: nn.Layer, optimizer: Optimizer, learned: set[str]) -> None:
    """以零学习率、零梯度空走一步：参数不变，优化器却建好了它的状态，可以往里写。

    参数: learned 为得到过梯度的参数的名字；别的参数，优化器不该有它们的状态
    """
    forget_gradients(optimizer)
    optimizer.set_lr(0.0)
    for name, parameter in model.named_parameters():
        if name in learned:
            parameter.grad = paddle.zeros_like(parameter)
    optimizer.step()
    # 没有打断过的训练里，得过梯度的参数此时留着梯度；train_step 把它置零，不是拿走
    optimizer.clear_grad()


def forget_gradients(optimizer: Optimizer) -> None:
    """忘掉以前的训练留下的梯度；没有梯度的参数，优化器一点也不碰。"""
    # 默认是置零，而零梯度的参数照样衰减
    optimizer.clear_grad(set_to_zero=False)


def _frozen(model: nn.Layer) -> list[str]:
    """不学习的参数的名字。"""
    names = [name for name, p in model.named_parameters() if p.stop_gradient]
    # 批归一化的 _mean 与 _variance 在这里也叫参数，它们本来就不学
    return [name for name in names if not name.rpartition(".")[2].startswith("_")]


def _fixed(model: nn.Layer) -> dict[str, np.ndarray]:
    """不存盘的缓冲区。"""
    kept = model.state_dict()
    rest = {name: b for name, b in model.named_buffers() if name not in kept}
    return {name: array(buffer) for name, buffer in rest.items()}
