"""timm 命名的权重：名字换成本书的，位置编码换网格，装不上的头说清楚。不认识任何框架。

- `fit`：文件里的表 → 写得进模型的表，与一份说明 `Loaded`
- `recipe`、`Recipe`：文件自己的归一化
- `resize_positions`：位置编码改到别的网格
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vision_attention import checks
from vision_attention.specs import SPECS, ViTSpec
from vision_attention.storage import files, records, weights
from vision_attention.storage.timm_names import RESNET, renamed, timm_name
from vision_attention.storage.weights import Fault, Slot

Arrays = Mapping[str, np.ndarray]
HEAD = "head."
GATE = re.compile(r"(branch|identity|output)_attention\.")
SHOWN = 12
# 认得出一种模型的名字
ANCHORS = (RESNET, "blocks.0.attn.qkv.weight")
# 装得上公开权重的模型里有的：第四个阶段，与 ViT 的块
LOADABLE = ("stages.3.0.branch.0.weight", ANCHORS[1])
PUBLIC = [name for name, spec in SPECS.items() if spec.image_size == 224]
# timm 没有写明时用的：ImageNet 训练集的均值与标准差
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Loaded:
    """装上了什么，没有装什么。

    参数: count 为装上的项数；head 为真时分类头也装上了；classes 为文件的分类头的
        （类数，模型的类数），文件里没有头时前一个为 None；grids 为位置编码
        （原来，现在）每边几块，没有改时为 None；own 为文件里没有、留着初值的门
    """

    count: int
    head: bool
    classes: tuple[int | None, int]
    grids: tuple[int, int] | None
    own: tuple[str, ...]

    def told(self) -> tuple[str, ...]:
        """一样一句。"""
        lines = [f"装上了预训练的权重，{self.count} 项"]
        theirs, ours = self.classes
        if self.head and ours:
            lines.append(
                f"分类头也装上了：文件也分 {ours} 类，"
                f"当作就是这里的 {ours} 类，次序也相同"
            )
        elif not self.head and theirs is None:
            lines.append(f"文件里没有分类头，这里的 {ours} 类从头学")
        elif not self.head:
            lines.append(f"分类头没有装：文件分 {theirs} 类，这里分 {ours} 类，从头学")
        if self.grids:
            old, new = self.grids
            lines.append(
                f"位置编码由 {old}×{old} 改成 {new}×{new}（双三次），分类 token 的不变"
            )
        if self.own:
            lines.append(f"文件里没有门，插入的门共 {len(self.own)} 项，留着初值")
        return tuple(lines)


def fit(
    given: Arrays, slots: Mapping[str, Slot]
) -> tuple[dict[str, np.ndarray], Loaded]:
    """文件里的表换成写得进模型的表；装不上的头与文件里没有的门，填模型自己的数。

    参数: given 为名字到数组的表，timm 的 ViT、timm 或 torchvision 的 ResNet，或本书的
        名字；slots 为模型的各项
    错误: 名字一个也对不上、对上一部分，或有形状、类型、取值不合的时抛出 ValueError
    """
    names = renamed(given)
    found = {ours: given[theirs] for ours, theirs in names.items()}
    left = set(_head(slots)) if _head_left(found, slots) else set()
    head = not left
    own = tuple(name for name in slots if GATE.search(name) and name not in found)
    left |= set(own)
    grids = _resize(found, slots)
    wanted = [name for name in slots if name not in left]
    _refuse(found, slots, wanted, names)
    rows = slots["head.weight"].shape[0] if "head.weight" in slots else 0
    theirs = len(found["head.weight"]) if "head.weight" in found else None
    loaded = Loaded(len(wanted), head, (theirs, rows), grids, own)
    values = {name: found[name] for name in wanted}
    return values | {name: slots[name].read() for name in left}, loaded


def _head(slots: Mapping[str, Slot]) -> list[str]:
    return [name for name in slots if name.startswith(HEAD)]


def _head_left(found: Arrays, slots: Mapping[str, Slot]) -> bool:
    """分类头不装：文件里没有，或只有类数不同；别处也不同的，留给 _refuse 去说。"""
    names = _head(slots)
    pairs = [(np.shape(found[n]), slots[n].shape) for n in names if n in found]
    if not pairs:
        return bool(names)
    alike = len(pairs) == len(names) and all(a[1:] == b[1:] for a, b in pairs)
    return alike and any(a != b for a, b in pairs)


def _resize(
    found: dict[str, np.ndarray], slots: Mapping[str, Slot]
) -> tuple[int, int] | None:
    """位置编码的格数不同就改，返回（原来，现在）每边几块；不改的返回 None。"""
    old, slot = found.get("pos_embed"), slots.get("pos_embed")
    if old is None or slot is None or np.ndim(old) != 3 or old.shape == slot.shape:
        return None
    first = int("cls_token" in slots)
    sides = [math.isqrt(max(n - first, 0)) for n in (old.shape[1], slot.shape[1])]
    square = [n * n + first for n in sides] == [old.shape[1], slot.shape[1]]
    if old.shape[2] != slot.shape[2] or not square or not all(sides):
        return None
    found["pos_embed"] = resize_positions(old, sides[1], first)
    return sides[0], sides[1]


def resize_positions(table: np.ndarray, grid: int, first: int = 1) -> np.ndarray:
    """位置编码改到每边 grid 块：双三次，缩小时先抹平；开头的 first 行原样留着。

    形状: table (1, first + n², D) → float32 (1, first + grid², D)
    参数: grid 为新的每边块数；first 为不在网格里的行数，分类 token 是 1
    错误: 去掉 first 行以后排不成正方形时抛出 ValueError
    出处: 与 timm 的 resample_abs_pos_embed 相同，即 PyTorch 的 interpolate，
        mode="bicubic"、antialias=True
    """
    table = np.asarray(table, np.float32)
    _, rows, width = table.shape
    side = math.isqrt(rows - first)
    if side**2 != rows - first:
        raise checks.ArgumentError(
            f"table 去掉 {first} 行还有 {rows - first} 行，排不成正方形", "table"
        )
    along = _bicubic(side, checks.positive("grid", grid))
    square = table[0, first:].reshape(side, side, width)
    moved = np.einsum("ai,bj,ijd->abd", along, along, square, optimize=True)
    moved = moved.reshape(1, grid**2, width).astype(np.float32)
    return np.concatenate([table[:, :first], moved], 1)


def _bicubic(old: int, new: int) -> np.ndarray:
    """双三次的权重表：新的每一格由旧的各格怎样合成。

    形状: → (new, old)，每行和为 1
    """
    scale = old / new
    stretch = max(scale, 1.0)  # 缩小时核跟着变宽，就是先抹平
    centers = (np.arange(new) + 0.5) * scale
    reach = np.arange(old) + 0.5
    distance = np.abs(reach - centers[:, None]) / stretch
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    kernel = np.where(distance < 1, near, np.where(distance < 2, far, 0))
    return kernel / kernel.sum(1, keepdims=True)


def _refuse(
    found: Arrays, slots: Mapping[str, Slot], wanted: list[str], names: dict[str, str]
) -> None:
    """有一处对不上就抛出 ValueError；照文件里的名字说，文件里没有的照 timm 的。"""
    missing = [name for name in wanted if name not in found]
    extra = [names[name] for name in found if name not in slots]
    both = [name for name in wanted if name in found]
    faults = [weights.fault(names[name], slots[name], found[name]) for name in both]
    bad: list[Fault] = [fault for fault in faults if fault]
    if not (missing or extra or bad):
        return
    if missing and all(name.startswith(HEAD) for name in both):
        raise ValueError(
            f"权重里的名字与模型一个也对不上：文件里是 {_some(names.values())}，"
            f"{_wants(slots, wanted)}；{_advice(found)}"
        )
    public = RESNET in map(weights.bare, names.values())
    lacking = map(timm_name, missing) if public else missing
    lines = [fault.text for fault in bad]
    lines += [f"缺少 {name}" for name in lacking] + [f"多余 {name}" for name in extra]
    rest = [f"……另有 {len(lines) - SHOWN} 处"] if lines[SHOWN:] else []
    listed = "\n  ".join(lines[:SHOWN] + rest)
    raise ValueError(
        f"权重只对上一部分，什么也没有写入：文件 {len(found)} 项，对上 "
        f"{len(both) - len(bad)} 项，缺少 {len(missing)} 项，多余 {len(extra)} 项，"
        f"不合的 {len(bad)} 项：\n  {listed}\n"
        + (_likely(found) or weights.remedy(missing, extra, {one.kind for one in bad}))
    )


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return "、".join(listed[:2]) + (" 等" if listed[2:] else "") or "空的"


def _wants(slots: Mapping[str, Slot], wanted: list[str]) -> str:
    """模型要哪些名字；没有公开权重的模型，说哪些有。"""
    if not any(name in slots for name in LOADABLE):
        return f"这种模型没有公开的权重；有的是 {'、'.join(PUBLIC)}"
    names = map(timm_name, wanted) if LOADABLE[0] in slots else wanted
    return f"模型要 {_some(names)}"


def _advice(found: Arrays) -> str:
    """一个也对不上时怎么办。"""
    for name in found:
        prefix = next((name.removesuffix(a) for a in ANCHORS if name.endswith(a)), "")
        if prefix:
            return f"文件里的名字多了前缀 {prefix!r}；请去掉它再载入"
    return _likely(found) or (
        "本书认 timm 的名字，ResNet 的也认 torchvision 的；别处的请先换成它们"
    )


def _likely(found: Arrays) -> str:
    """文件像是哪一种模型的；看不出来是空串。"""
    if "stages.0.0.branch.0.weight" in found:
        deep = "stages.0.0.branch.6.weight" in found
        blocks = {name.split(".branch.")[0] for name in found if ".branch." in name}
        depth = 2 + len(blocks) * (3 if deep else 2)
        return f"文件像是 resnet{depth}；请用同一种模型，例如 --model resnet{depth}"
    patch = np.shape(found.get("patch_embed.proj.weight", 0))
    if len(patch) != 4:
        return ""
    depth = len({n.split(".")[1] for n in found if n.startswith("blocks.")})
    told = f"embed_dim={patch[0]}、depth={depth}、patch_size={patch[2]}"
    same = [
        f"，例如 --model {name}"
        for name in PUBLIC
        if isinstance(spec := SPECS[name], ViTSpec)
        and (spec.embed_dim, spec.depth, spec.patch_size) == (patch[0], depth, patch[2])
    ]
    return (
        f"文件像是 ViT，{told}、in_channels={patch[1]}；"
        f"请用同样尺寸的模型{''.join(same)}"
    )


class Recipe(NamedTuple):
    """怎样归一化：各通道的均值与标准差（像素除以 255 之后计），这些数的出处。"""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    source: str


def recipe(path: Path) -> Recipe:
    """权重文件自己的归一化：旁边的 config.json 里 pretrained_cfg 的 mean 与 std。

    timm 在 Hugging Face 上的每份权重都带着它；没有时用 ImageNet 的，并且说出来。

    参数: path 为权重文件
    错误: config.json 读不懂，或里面的 mean、std 不是同样多个数时抛出 ValueError
    """
    place = path.with_name("config.json")
    if not place.exists():
        return Recipe(*IMAGENET, "旁边没有 config.json，用 ImageNet 的")
    files.readable(place)
    try:
        settings = records.plain_json(place.read_bytes())
        settings = settings.get("pretrained_cfg", settings)
        mean = tuple(checks.number("mean", value) for value in settings["mean"])
        std = tuple(checks.number("std", value, above=0) for value in settings["std"])
        if not mean or len(mean) != len(std):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{files.printable(place)} 读不懂：应有 pretrained_cfg 的 mean 与 std，"
            "各是一列有限的数，std 大于 0；请重新取一份，或把它移走"
        ) from error
    return Recipe(mean, std, "照它的 config.json")
