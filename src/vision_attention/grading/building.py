"""照读者自己的参数名把模块建出来。

内容: build、settle、BuildError。
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from vision_attention.grading.tasks import Task
from vision_attention.parts import Part

# 同一个尺寸在各处的叫法
ALIASES = {
    "in_channels": (
        "channels", "channel", "c", "in_planes", "inplanes", "planes", "gate_channels",
        "in_dim", "in_channel", "in_ch", "inp", "num_channels", "dim", "features",
    ),
    "reduction_ratio": ("reduction", "ratio", "r", "rd_ratio", "reduce"),
    "kernel_size": ("kernel", "k", "ks", "spatial_kernel"),
    "embed_dim": (
        "dim", "d", "d_model", "emb_dim", "embedding_dim", "embed_size", "hidden_dim",
        "width", "in_dim", "model_dim",
    ),
    "num_heads": ("heads", "n_heads", "n_head", "nhead", "h", "a", "head"),
    "mlp_ratio": ("ratio", "expansion"),
    "mlp_width": (
        "mlp_dim", "d_ff", "hidden", "hidden_features", "ff_dim", "mlp_width",
    ),
    "image_size": ("img_size", "size", "image", "s"),
    "patch_size": ("patch", "p"),
}  # fmt: skip


class BuildError(Exception):
    """建不起来；消息就是那一句话。"""


def build(maker: Callable[..., Any], settings: Mapping[str, int]) -> Any:
    """照签名把尺寸交给读者的类；已经是模块的不用来这里。

    错误: 有必填的参数不知道该给什么，或构造时出错，抛出 BuildError
    """
    try:
        given = arguments(maker, settings)
        return maker(**given)
    except BuildError:
        raise
    except Exception as error:
        raise BuildError(f"建不起来：{told(error)}") from error


def arguments(maker: Callable[..., Any], settings: Mapping[str, int]) -> dict[str, int]:
    """每个参数给什么：名字对得上的照名字，对不上而必填的依次给剩下的。"""
    known = {
        alias: name
        for name in reversed(list(settings))
        for alias in (name, *ALIASES.get(name, ()))
    } | {name: name for name in settings}
    left, given = list(settings), {}
    for name, parameter in inspect.signature(maker).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        wanted = known.get(name.lower())
        if name.lower() in ALIASES["mlp_width"] and "mlp_ratio" in settings:
            given[name] = settings["embed_dim"] * settings["mlp_ratio"]
            continue
        if wanted not in left and parameter.default is not parameter.empty:
            continue
        if wanted not in left:
            wanted = left[0] if left else None
        if wanted is None:
            raise BuildError(f"不知道构造参数 {name} 该给什么；请给它一个默认值")
        left.remove(wanted)
        given[name] = settings[wanted]
    return given


def told(error: BaseException) -> str:
    """一个错误的第一句话，不带调用栈。"""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # Paddle 把原因写在后面
    plain = [line for line in lines if "Error:" in line or "(" not in line[:2]]
    first = (plain or lines or [""])[0]
    return f"{type(error).__name__}：{first[:200]}" if first else type(error).__name__


def settle(task: Task, given: Mapping[str, int]) -> dict[str, int]:
    """尺寸：读者给的，加上缺省的，再算出由它们决定的。

    错误: 有不认识的名字时抛出 ValueError
    """
    extra = set(given) - set(task.settings)
    if extra:
        names = "、".join(task.settings)
        raise ValueError(f"{task.name} 没有 {min(extra)} 这个尺寸；可用的是 {names}")
    return dict(task.settings) | dict(given)


def inferred(
    task: Task, parts: Sequence[Part], values: Mapping[str, np.ndarray], module: Any
) -> dict[str, int]:
    """收到的是建好的模块：由它自己的权重看出尺寸。"""
    found = {}
    shapes = [matrix(p, values) for p in parts if p.kind == "dense"]
    for name in ("num_heads", "heads", "n_heads", "nhead", "h"):
        if "num_heads" in task.settings and isinstance(
            getattr(module, name, None), int
        ):
            found.setdefault("num_heads", getattr(module, name))
    if shapes and "embed_dim" in task.settings and task.name != "vit_tokens":
        found["embed_dim"] = shapes[0][1]
    gate = task.name in ("cbam", "channel_attention")
    if shapes and "in_channels" in task.settings and task.name != "vit_tokens":
        found["in_channels"] = shapes[1 if gate and len(shapes) > 1 else 0][
            0 if gate else 1
        ]
    return found


def matrix(part: Part, values: Mapping[str, np.ndarray]) -> tuple[int, int]:
    """全连接或 1×1 卷积的（输出，输入）。"""
    shape = values[part.weight].shape
    return (shape[1], shape[0]) if part.transposed else (shape[0], shape[1])


def sizes(
    settings: Mapping[str, int], parts: Sequence[Part], values: Mapping[str, np.ndarray]
) -> list[dict[str, int]]:
    """由尺寸定下各权重的形状；读者的瓶颈、核宽与要的不同时，也照他的试。"""
    shapes = [matrix(p, values) for p in parts if p.kind == "dense"]
    kernels = [values[p.weight].shape[-1] for p in parts if p.kind == "conv"]
    c = settings.get("in_channels", 0)
    d = settings.get("embed_dim", 0)
    wanted = dict(settings)
    wanted["hidden"] = c // settings.get("reduction_ratio", 16)
    wanted["mlp_width"] = d * settings.get("mlp_ratio", 4)
    outs = [out for out, _ in shapes]
    wanted["scales"] = wanted["narrow"] = next(
        (o for o in outs if o != c), max(1, c // 8)
    )
    own = dict(wanted)
    own["hidden"] = next((o for o, i in shapes if i in (c, 2 * c)), wanted["hidden"])
    if "kernel_size" in settings and kernels:
        own["kernel_size"] = kernels[0]
    own["mlp_width"] = next(
        (o for o, i in shapes if i == d != o and o != 3 * d), wanted["mlp_width"]
    )
    return [wanted] if own == wanted else [wanted, own]
