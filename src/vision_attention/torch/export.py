"""把训练好的模型交给别的程序：PyTorch 一翼存 ONNX，PaddlePaddle 一翼存静态图。

- `export`：存成一个文件夹；批次大小不定
- `FORMAT`、`NEEDS`：存成什么；另外要装什么
"""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from torch import nn
from torch.export import Dim

FORMAT = "onnx"
NEEDS = ("onnx", "onnxscript")


def export(model: nn.Module, folder: Path) -> None:
    """存进 folder；输入是归一化之后的图，输出是每一类的打分。

    形状: 输入 float32 (B, C, S, S) → float32（B, 类别数），B 不定
    参数: model 为本书的模型，在评估模式，导出的是它的副本；folder 为已有的空文件夹
    错误: 写不进去时抛出 OSError
    """
    spec = model.spec
    x = torch.zeros((2, spec.in_channels, spec.image_size, spec.image_size))
    torch.onnx.export(
        copy.deepcopy(model).cpu(),
        (x,),
        folder / "model.onnx",
        dynamo=True,
        input_names=["input"],  # 写成 x 会与 forward 的参数撞名，见附录「导出」
        output_names=["logits"],
        dynamic_shapes=({0: Dim.DYNAMIC},),
        external_data=False,
        verbose=False,
    )
