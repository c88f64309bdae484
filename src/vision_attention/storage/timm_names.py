"""timm 与 torchvision 的名字，与本书的，互换。不认识任何框架。

- `renamed`：文件里的一串名字 → 本书的名字与它的对应
- `timm_name`：本书的一个名字 → timm 的
- `RESNET`：凭它认得出一份 timm 的 ResNet
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from vision_attention.storage import weights

# timm 与 torchvision 的 ResNet → 本书的；第 k 个卷积在支路里排第 3(k − 1)，中间隔着
# 批归一化与 ReLU
STEM = {"conv1": "stem.0", "bn1": "stem.1", "fc": "head"}
BLOCK = re.compile(r"layer(\d+)\.(\d+)\.(conv|bn|downsample\.)(\d+)\.(\w+)")
OWN = re.compile(r"stages\.(\d+)\.(\d+)\.(branch|shortcut)\.(\d+)\.(\w+)")
RESNET = "layer1.0.conv1.weight"


def renamed(given: Iterable[str]) -> dict[str, str]:
    """本书的名字 → 文件里的名字；包装加的各节去掉，批次计数器不要，不认识的照旧。"""
    kept = [name for name in given if not weights.is_counter(name)]
    plain = {weights.bare(name): name for name in kept}
    if len(plain) < len(kept):  # 去掉之后撞了名，就分不清谁是谁
        return {name: name for name in kept}
    resnet = RESNET in plain
    return {_ours(bare) if resnet else bare: name for bare, name in plain.items()}


def _ours(name: str) -> str:
    first, _, rest = name.partition(".")
    if first in STEM:
        return f"{STEM[first]}.{rest}"
    found = BLOCK.fullmatch(name)
    if not found:
        return name
    layer, block, kind, number, last = found.groups()
    place = f"stages.{int(layer) - 1}.{block}"
    if kind == "downsample.":
        return f"{place}.shortcut.{number}.{last}"
    return f"{place}.branch.{3 * (int(number) - 1) + (kind == 'bn')}.{last}"


def timm_name(name: str) -> str:
    """本书的名字 → timm 的 ResNet 的；不是 ResNet 的照旧。"""
    for theirs, ours in STEM.items():
        if name.startswith(f"{ours}."):
            return f"{theirs}{name.removeprefix(ours)}"
    found = OWN.fullmatch(name)
    if not found:
        return name
    stage, block, kind, number, last = found.groups()
    place = f"layer{int(stage) + 1}.{block}"
    if kind == "shortcut":
        return f"{place}.downsample.{number}.{last}"
    which, norm = divmod(int(number), 3)
    return f"{place}.{'bn' if norm else 'conv'}{which + 1}.{last}"
