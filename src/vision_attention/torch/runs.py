"""训练好的模型：读 train 留下的文件夹，认新的图，看它看着哪里。

- `load_run`：文件夹 → TrainedModel；在另一个框架里训练的也读
- `TrainedModel`：模型，连同类名与归一化
- `odds`：模型对每张图、每一类的概率
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import nn

from vision_attention import attention_maps, checks
from vision_attention.training import saved_run
from vision_attention.training.saved_run import Prediction, SavedRun

from .device import device_of, find_device, tensor
from .hooks import evaluation_mode
from .inspect import attention, gates, grad_cam
from .models import build
from .slots import slots


class TrainedModel:
    """训练好的模型，连同用它所需的一切。

    参数: model 为模型，在评估模式；run 为读出来的那次训练：run.class_names、
        run.spec、run.record 等
    """

    def __init__(self, model: nn.Module, run: SavedRun):
        self.model, self.run = model, run

    def predict(self, *pictures: str | Path) -> list[Prediction]:
        """认几张图片文件，每张给出类名与概率。

        错误: 有读不了的文件时抛出 ValueError，逐个点名
        """
        paths = [checks.path("pictures", picture) for picture in pictures]
        images, _, broken = saved_run.read_pictures(self.run, paths)
        if broken:
            told = "；".join(f"{paths[n]}：{why}" for n, why in broken.items())
            raise ValueError(f"有 {len(broken)} 个文件读不了：{told}")
        return self.run.answers(self.probabilities(images)) if len(images) else []

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """每张图是每一类的概率。

        形状: images uint8 (B, C, S, S) → float32 (B, 类别数)，每行和为 1
        错误: images 的类型或形状不符时抛出 ValueError
        """
        return odds(self.model, self.run.normalize(images))

    def maps(self, images: np.ndarray) -> tuple[str, np.ndarray]:
        """模型看着哪里：自注意力的权重、门的开度；两样都没有位置可看时是 Grad-CAM。

        形状: images uint8 (B, C, S, S) → (B, h, w)，比图粗，按比例铺满
        返回: 画的是什么，与那些图
        错误: 模型不分位置（例如展平的多层感知机）时抛出 ValueError
        """
        kind = attention_maps.shown_by(self.run.spec)
        x = tensor(self.run.normalize(images), device_of(self.model))
        if kind == "attention":
            return "注意力", attention_maps.looked_at(
                [*attention(self.model, x).values()]
            )
        if kind == "gate":
            opened = attention_maps.opened([*gates(self.model, x).values()])
            if opened is not None:
                return "门的开度", opened
        labels = self.probabilities(images).argmax(1).tolist()
        return "Grad-CAM", grad_cam(self.model, self.model.stages[-1], x, labels)


def odds(model: nn.Module, images: np.ndarray, batch_size: int = 500) -> np.ndarray:
    """模型对每张图、每一类的概率；在评估模式下算，各层原来的模式不变。

    形状: images float32 (N, C, S, S)，已归一化，至少一张 → float32 (N, 类别数)，
        每行和为 1
    """
    device, parts = device_of(model), []
    with evaluation_mode(model):
        for start in range(0, len(images), batch_size):
            x = tensor(images[start : start + batch_size], device)
            parts.append(model(x).cpu().numpy())
    logits = np.concatenate(parts)
    scores = np.exp(logits - logits.max(1, keepdims=True))
    return scores / scores.sum(1, keepdims=True)


def load_run(folder: str | Path, device: str = "auto") -> TrainedModel:
    """读 train 留下的文件夹；在哪个框架里训练的都可以。

    参数: folder 为文件夹，例如 runs/photos；device 取 "auto"（有 GPU 用
        GPU）、"cpu"、"gpu"
    错误: 没有这个文件夹、还没有训练完、损坏或由更新的版本写成时抛出 ValueError 或
        FileNotFoundError，说明该怎么办
    """
    run = saved_run.read(folder)
    checks.choice("device", device, ("auto", "cpu", "gpu"))
    place = find_device(device)
    model = build(run.spec)
    run.fill(dict(slots(model)))
    model.to(place)
    model.eval()
    return TrainedModel(model, run)
