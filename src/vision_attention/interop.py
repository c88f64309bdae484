"""连通两翼：唯一同时认识两个框架的房间。按层的类型搬运权重，存取 .safetensors。

权重在这里的通用写法是「PyTorch 的名字与布局、NumPy 的数组」：
全连接 (输出, 输入)，批归一化叫 running_mean 与 running_var。
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.numpy import save as to_bytes

from vision_attention import files

# Paddle 的缓冲区名 → 通用名；批次计数器只有 PyTorch 有，不搬
BUFFER_NAMES = {"_mean": "running_mean", "_variance": "running_var"}
COUNTER = "num_batches_tracked"


def copy_weights(source: Any, target: Any) -> None:
    """把 source 的权重与缓冲区原样搬进 target，两个模型可属于任意一翼。

    参数: source 与 target 为结构相同的两个模型
    错误: 有缺少、多余或形状不符的条目时抛出 ValueError，一次列全，target 不变
    """
    load_state(target, state(source))


def state(model: Any) -> dict[str, np.ndarray]:
    """模型的全部权重与缓冲区，换成通用写法。

    返回: 名字到数组的表；数组是副本，bfloat16 的写成 float32，值不变
    错误: model 不是 torch 或 paddle 的模型时抛出 TypeError
    """
    return {name: read() for name, (read, _) in _entries(model)}


def load_state(model: Any, values: Mapping[str, np.ndarray]) -> None:
    """把通用写法的权重写进模型；有一项不合，就一项也不写。

    参数: values 为名字到数组的表，见 state
    错误: 有缺少、多余或形状不符的条目时抛出 ValueError，一次列全
    """
    entries = dict(_entries(model))
    problems = [f"缺少 {name}" for name in entries if name not in values]
    problems += [f"多余 {name}" for name in values if name not in entries]
    for name in entries.keys() & values.keys():
        wanted, given = entries[name][0]().shape, values[name].shape
        if wanted != given:
            problems.append(f"{name} 的形状应为 {wanted}，收到 {given}")
    if problems:
        listed = "\n  ".join(sorted(problems))
        raise ValueError(
            f"权重与模型对不上，共 {len(problems)} 处，什么也没有写入：\n  {listed}\n"
            "请确认两边是同一种尺寸（例如 specs.named 的名字与字段都相同）"
        )
    for name, (_, write) in entries.items():
        write(values[name])


def save(model: Any, path: str | Path) -> None:
    """存成 .safetensors，两翼都能读；先写临时文件，再改名。

    参数: path 以 .safetensors 结尾
    错误: 后缀不对时抛出 ValueError；写不进去时抛出 OSError，原有文件不变
    """
    path = _checked_path(path)
    values = {name: np.ascontiguousarray(v) for name, v in state(model).items()}
    try:
        with files.replacing(path) as temporary:
            temporary.write_bytes(to_bytes(values))
    except OSError as error:
        old = "原有的文件不变" if path.is_file() else "还没有这个文件"
        raise OSError(
            error.errno,
            f"权重写不进 {path}：{error.strerror}；{old}。"
            "请腾出空间、检查权限，或换一个路径",
        ) from error


def load(model: Any, path: str | Path) -> None:
    """读 save 存下的 .safetensors。

    错误: 没有文件时抛出 FileNotFoundError；不是 .safetensors、内容损坏或与模型对不上时
        抛出 ValueError，模型不变
    """
    load_state(model, _read(path))


def load_timm(model: Any, path: str | Path) -> None:
    """读 timm 的 ViT 权重（vit_*_patch16_224 的名字与形状），逐项对上才写入。

    参数: model 为本书的 ViT，尺寸与权重相同：pool="class"、position="learned"、
        tokenizer="patch"、attention="global"；path 为 timm 模型的 .safetensors
    错误: 同 load
    出处: timm 的 vision_transformer.py；本书 ViT 的参数名与它相同
    """
    load_state(model, _read(path))


def _checked_path(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"path={str(path)!r} 应以 .safetensors 结尾；本书不用 pickle")
    return path


def _read(path: str | Path) -> dict[str, np.ndarray]:
    path = _checked_path(path)
    if not path.is_file():
        raise FileNotFoundError(f"没有这个文件：{path}")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} 不是完好的 .safetensors：{error}") from error


Entry = tuple[Callable[[], np.ndarray], Callable[[np.ndarray], None]]


def _entries(model: Any) -> Iterator[tuple[str, Entry]]:
    """逐项给出 (通用名, (读, 写))。"""
    for package, entries in (("torch", _torch_entries), ("paddle", _paddle_entries)):
        # 模型若属于某个框架，这个框架必已载入；不替人载入另一个
        if package in sys.modules:
            framework = importlib.import_module(package)
            base = framework.nn.Module if package == "torch" else framework.nn.Layer
            if isinstance(model, base):
                return entries(model, framework)
    raise TypeError(f"收到 {type(model).__name__}，应为 torch 或 paddle 的模型")


def _torch_entries(model: Any, torch: Any) -> Iterator[tuple[str, Entry]]:
    for name, value in model.state_dict().items():
        if name.rpartition(".")[2] != COUNTER:
            yield name, _torch_entry(value, torch)


def _torch_entry(value: Any, torch: Any) -> Entry:
    def write(array: np.ndarray) -> None:
        with torch.no_grad():
            value.copy_(torch.from_numpy(np.array(array)))

    def read() -> np.ndarray:
        # NumPy 没有 bfloat16；float32 装得下它，一位不差
        coarse = value.dtype == torch.bfloat16
        found = value.detach().float() if coarse else value.detach()
        return found.cpu().numpy().copy()

    return read, write


def _paddle_entries(model: Any, paddle: Any) -> Iterator[tuple[str, Entry]]:
    for prefix, layer in model.named_sublayers(include_self=True):
        # 转置与否只看层的类型，不看形状：方阵转没转，形状上看不出来
        transposed = isinstance(layer, paddle.nn.Linear)
        own = layer.state_dict(include_sublayers=False)
        for name, value in own.items():
            common = BUFFER_NAMES.get(name, name)
            full = f"{prefix}.{common}" if prefix else common
            yield full, _paddle_entry(value, transposed and name == "weight", paddle)


def _paddle_entry(value: Any, transposed: bool, paddle: Any) -> Entry:
    # Paddle 把 bfloat16 的位原样当成整数给 NumPy，要先换成 float32
    coarse = value.dtype == paddle.bfloat16

    def read() -> np.ndarray:
        array = (value.astype("float32") if coarse else value).numpy()
        return np.array(array.T if transposed else array)

    def write(array: np.ndarray) -> None:
        kind = np.float32 if coarse else value.numpy().dtype
        array = np.ascontiguousarray(array.T if transposed else array, dtype=kind)
        value.set_value(
            paddle.to_tensor(array).astype(value.dtype) if coarse else array
        )

    return read, write
