"""连通两翼：唯一同时认识两个框架的房间。按层的类型搬运权重，存取 .safetensors。

权重在这里的通用写法是「PyTorch 的名字与布局、NumPy 的数组」：
全连接 (输出, 输入)，批归一化叫 running_mean 与 running_var。
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save as to_bytes

from vision_attention import checks
from vision_attention.data import Dataset
from vision_attention.storage import files, pretrained, weights
from vision_attention.storage.pretrained import Loaded
from vision_attention.storage.weights import Slot


def copy_weights(source: Any, target: Any) -> None:
    """把 source 的权重与缓冲区原样搬进 target，两个模型可属于任意一翼。

    参数: source 与 target 为结构相同的两个模型；被包装过的（DataParallel、compile）
        照它里面的模型算
    错误: 有缺少、多余、形状或类型不符的条目时抛出 ValueError，一次列全，target 不变
    """
    weights.fill(dict(_slots(target)), state(source), finite=False)


def state(model: Any) -> dict[str, np.ndarray]:
    """模型的全部权重与缓冲区，换成通用写法。

    返回: 名字到数组的表；数组是副本，bfloat16 的写成 float32，值不变
    错误: model 不是 torch 或 paddle 的模型时抛出 TypeError；它还没有数（在 meta 上，
        或要先前向一次）时抛出 ValueError
    """
    return {name: slot.read() for name, slot in _slots(model)}


def load_state(model: Any, values: Mapping[str, np.ndarray]) -> None:
    """把通用写法的权重写进模型；有一项不合，就一项也不写。

    被包装过的模型存下的名字多一节（module.、_orig_mod.、_layers.），不算不同；
    PyTorch 的批次计数器（num_batches_tracked）不搬。

    参数: values 为名字到数组的表，见 state
    错误: 有缺少、多余、形状或类型不符、不是有限的数或装不下的条目时抛出
        ValueError，一次列全
    """
    weights.fill(dict(_slots(model)), values)


def save(model: Any, path: str | Path) -> None:
    """存成 .safetensors，两翼都能读；先写临时文件，再改名。

    参数: path 以 .safetensors 结尾
    错误: 后缀不对时抛出 ValueError；写不进去时抛出 OSError，原有文件不变
    """
    path = files.safetensors("path", path)
    values = {name: np.ascontiguousarray(v) for name, v in state(model).items()}
    try:
        packed = to_bytes(values)
    except SafetensorError as error:  # 例如 complex128
        raise ValueError(f".safetensors 装不下这个模型的类型：{error}") from error
    try:
        with files.replacing(path) as temporary:
            temporary.write_bytes(packed)
    except OSError as error:
        old = "原有的文件不变" if not files.why_unreadable(path) else "还没有这个文件"
        raise OSError(
            error.errno,
            f"权重写不进 {files.printable(path)}：{files.reason(error)}；{old}。"
            "请腾出空间、检查权限，或换一个路径",
        ) from error


def load(model: Any, path: str | Path) -> None:
    """读 save 存下的 .safetensors，或别处存下的、名字与形状相同的。

    参数: path 为文件；float64、float32、float16 与 bfloat16 都读，换成模型的类型
    错误: 没有文件时抛出 FileNotFoundError；不是 .safetensors、内容损坏、类型读不了，
        或与模型对不上时抛出 ValueError，模型不变
    """
    load_state(model, weights.read(files.safetensors("path", path)))


def load_timm(model: Any, path: str | Path) -> Loaded:
    """读 timm 命名的权重：ViT，与 resnet18、34、50（torchvision 的也行）。

    类数不同或文件里没有的分类头不装；位置编码的网格不同就改；插进去的门文件里没有，
    留着初值；其余的逐项对上才写入。

    参数: model 为本书的模型，尺寸与权重相同，ViT 的 pool="class"、position="learned"、
        tokenizer="patch"、attention="global"；path 为 .safetensors
    返回: 装上了什么，没有装什么，见 Loaded；told() 是几句话
    错误: 同 load
    出处: timm 的 vision_transformer.py、resnet.py 与 layers/pos_embed.py
    """
    slots = dict(_slots(model))
    values, loaded = pretrained.fit(
        weights.read(files.safetensors("path", path)), slots
    )
    weights.fill(slots, values, finite=False)
    return loaded


def start_from(
    model: Any, dataset: Dataset, path: str | Path
) -> tuple[Dataset, Loaded]:
    """从预训练的权重出发：load_timm，再把数据换成照文件自己的归一化。

    参数: model、path 同 load_timm；dataset 为要学的数据；归一化读自文件旁边的
        config.json，见 storage.pretrained.recipe
    返回: 换了 mean、std 的数据，notes 里添了装上什么；与 Loaded
    错误: 同 load_timm；config.json 读不懂、归一化的通道数与图片不同时抛出
        ValueError，模型不变
    """
    path = files.safetensors("path", path)
    files.readable(path)  # 先说没有这个文件，再说它与图片合不合
    mean, std, source = pretrained.recipe(path)
    if len(mean) != dataset.in_channels:
        raise checks.ArgumentError(
            f"权重的归一化有 {len(mean)} 个通道，图片有 {dataset.in_channels} 个；"
            "请换成同样通道的图片",
            "dataset",
        )
    loaded = load_timm(model, path)
    shown = ["、".join(f"{value:g}" for value in numbers) for numbers in (mean, std)]
    told = f"归一化（{source}）：均值 {shown[0]}，标准差 {shown[1]}"
    changed = replace(
        dataset,
        mean=np.array(mean, np.float32),
        std=np.array(std, np.float32),
        notes=(*dataset.notes, *loaded.told(), told),
    )
    return changed, loaded


def _slots(model: Any) -> Iterator[tuple[str, Slot]]:
    """逐项给出 (通用名, 那一项)。"""
    for package in ("torch", "paddle"):
        # 模型若属于某个框架，这个框架必已载入；不替人载入另一个
        if package in sys.modules:
            framework = importlib.import_module(package)
            base = framework.nn.Module if package == "torch" else framework.nn.Layer
            if isinstance(model, base):
                wing = importlib.import_module(f"vision_attention.{package}.slots")
                return wing.slots(model)
    raise TypeError(f"收到 {type(model).__name__}，应为 torch 或 paddle 的模型")
