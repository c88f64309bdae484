"""要查的几样东西：各有哪几处可以写得不同，权重是什么形状，拿什么去试。

内容: Task、TASKS、find。
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from vision_attention import checks
from vision_attention.grading.bank import BANK, Variant

Choice = dict[str, str]
Settings = Mapping[str, int]
# 一个权重该是什么：种类与形状
Slots = dict[str, tuple[str, tuple[int, ...]]]


@dataclass(frozen=True)
class Task:
    """要查的一样东西。

    参数: name 为名字，title 为叫法；reference 为参照的写法：哪一处 → 键；others 为
        每一处认得的别的写法；settings 为缺省的尺寸；slots 由写法与尺寸给出权重的形状；
        inputs 由尺寸给出几组输入
    """

    name: str
    title: str
    reference: Choice
    others: Mapping[str, tuple[Variant, ...]]
    settings: Mapping[str, int]
    slots: Callable[[Choice, Settings], Slots]
    inputs: Callable[[Settings, np.random.Generator], list[list[np.ndarray]]]

    def choices(self, most: int = 2) -> Iterator[tuple[Choice, tuple[Variant, ...]]]:
        """参照，再到改一处、两处……的写法，连同改了什么；most 为最多改几处。"""
        for count in range(most + 1):
            for aspects in combinations(self.others, count):
                for found in product(*(self.others[a] for a in aspects)):
                    keys = {a: v.key for a, v in zip(aspects, found, strict=True)}
                    yield self.reference | keys, found


def dense(out: int, given: int) -> tuple[str, tuple[int, ...]]:
    """全连接：（输出，输入）。"""
    return "dense", (out, given)


def conv(*shape: int) -> tuple[str, tuple[int, ...]]:
    """卷积：（输出，输入，核，核）。"""
    return "conv", shape


def channel_slots(choice: Choice, s: Settings) -> Slots:
    """通道门的权重。"""
    c, h = s["in_channels"], s["hidden"]
    wide = 2 * c if choice["score"].startswith("concat") else c
    slots = {"fc1": dense(h, wide), "fc2": dense(c, h)}
    if choice["score"] == "separate":
        slots |= {"max_fc1": dense(h, c), "max_fc2": dense(c, h)}
    return slots


def spatial_slots(choice: Choice, s: Settings) -> Slots:
    """空间门的权重。"""
    c, k, look = s["in_channels"], s["kernel_size"], choice["look"]
    if look == "multiscale":
        slots = {
            "conv1": conv(s["scales"], c, 1, 1),
            "conv3": conv(s["scales"], c, 3, 3),
        }
    elif look == "pixelwise":
        slots = {"pixel": conv(1, c, 1, 1)}
    else:
        slots = {"conv": conv(1, 2 if "_m" in look else 1, k, k)}
    return slots | ({"norm": ("norm", (1,))} if choice["norm"] == "batch" else {})


def cbam_slots(choice: Choice, s: Settings) -> Slots:
    """两道门的权重。"""
    return channel_slots(choice, s) | spatial_slots(choice, s)


def map_slots(choice: Choice, s: Settings) -> Slots:
    """特征图上的自注意力的权重。"""
    c = s["in_channels"]
    e = s["narrow"] if choice["width"] == "narrow" else c
    slots = {"query": dense(e, c), "key": dense(e, c), "value": dense(c, c)}
    return slots | ({"gamma": ("raw", (1,))} if choice["gamma"] == "learned" else {})


def token_slots(choice: Choice, s: Settings) -> Slots:
    """序列上的自注意力的权重。"""
    d = s["embed_dim"]
    slots = {name: dense(d, d) for name in ("query", "key", "value")}
    return slots | ({"proj": dense(d, d)} if choice["projection"] == "kept" else {})


def block_slots(choice: Choice, s: Settings) -> Slots:
    """ViT 的块的权重。"""
    d, m = s["embed_dim"], s["mlp_width"]
    norms = (
        {}
        if choice["norm"] == "missing"
        else dict.fromkeys(("norm1", "norm2"), ("norm", (d,)))
    )
    attention = token_slots(choice, s)
    return norms | attention | {"fc1": dense(m, d), "fc2": dense(d, m)}


def entry_slots(choice: Choice, s: Settings) -> Slots:
    """ViT 的入口的权重。"""
    d, p = s["embed_dim"], s["patch_size"]
    count = (s["image_size"] // p) ** 2
    slots: Slots = {"patch": conv(d, s["in_channels"], p, p)}
    if choice["token"] != "missing":
        slots["token"] = ("raw", (1, 1, d))
    if choice["position"] == "all":
        count += choice["token"] != "missing"
    if choice["position"] != "missing":
        slots["position"] = ("raw", (1, count, d))
    return slots


def maps(s: Settings, rng: np.random.Generator) -> list[list[np.ndarray]]:
    """特征图：不是正方形、只有一张、边长是 1。"""
    shapes = ((3, 7, 5), (1, 6, 9), (2, 1, 4))
    return [[_draw(rng, (b, s["in_channels"], h, w))] for b, h, w in shapes]


def tokens(s: Settings, rng: np.random.Generator) -> list[list[np.ndarray]]:
    """一串 token：长短不同、只有一份、只有一个 token。"""
    return [[_draw(rng, (b, n, s["embed_dim"]))] for b, n in ((3, 7), (1, 11), (2, 1))]


def masked(s: Settings, rng: np.random.Generator) -> list[list[np.ndarray]]:
    """一串 token 与布尔掩码；不对称，写反了、转置了也每行都有看得见的。"""
    found = []
    for b, n in ((3, 7), (1, 6)):
        ahead = np.subtract.outer(np.arange(n), np.arange(n)).T
        seen = (ahead >= -1) & (ahead <= 2)
        found.append([_draw(rng, (b, n, s["embed_dim"])), seen])
    return found


def images(s: Settings, rng: np.random.Generator) -> list[list[np.ndarray]]:
    """图像。"""
    side = s["image_size"]
    return [[_draw(rng, (b, s["in_channels"], side, side))] for b in (3, 1)]


def _draw(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


def _task(
    names: tuple[str, str],
    reference: Choice,
    settings: dict[str, int],
    slots: Callable[[Choice, Settings], Slots],
    inputs: Callable[[Settings, np.random.Generator], list[list[np.ndarray]]],
    **renamed: str,
) -> Task:
    """一行；renamed 为这里的名字与 BANK 里的名字不同的那几处。"""
    others = {
        here: tuple(
            variant
            for (aspect, key), variant in BANK.items()
            if aspect == renamed.get(here, here) and key != kept
        )
        for here, kept in reference.items()
    }
    return Task(*names, reference, others, settings, slots, inputs)


CHANNEL = {"score": "shared", "squash": "sigmoid"}
SPATIAL = {"look": "mean_max", "norm": "none", "spatial_squash": "sigmoid"}
ATTENTION = {
    "scale": "head",
    "axis": "keys",
    "split": "heads",
    "merge": "heads",
    "roles": "named",
    "projection": "kept",
}
SEQUENCE = {"embed_dim": 12, "num_heads": 3}
TASKS = {
    task.name: task
    for task in (
        _task(
            ("channel_attention", "通道注意力"),
            CHANNEL | {"place": "product"},
            {"in_channels": 64, "reduction_ratio": 16},
            channel_slots,
            maps,
        ),
        _task(
            ("spatial_attention", "空间注意力"),
            SPATIAL | {"place": "product"},
            {"kernel_size": 7, "in_channels": 16},
            spatial_slots,
            maps,
        ),
        _task(
            ("cbam", "CBAM"),
            CHANNEL | SPATIAL | {"order": "channel_spatial", "shortcut": "none"},
            {"in_channels": 64, "reduction_ratio": 16, "kernel_size": 7},
            cbam_slots,
            maps,
        ),
        _task(
            ("self_attention_2d", "特征图上的自注意力"),
            {
                "scale": "head",
                "axis": "keys",
                "roles": "named",
                "flatten": "transpose",
                "gamma": "learned",
                "shortcut": "added",
                "width": "full",
            },
            {"in_channels": 16},
            map_slots,
            maps,
            shortcut="attention_shortcut",
        ),
        _task(
            ("self_attention", "自注意力"),
            ATTENTION | {"shortcut": "none"},
            SEQUENCE,
            token_slots,
            tokens,
            shortcut="attention_shortcut",
        ),
        _task(
            ("masked_attention", "带掩码的自注意力"),
            ATTENTION | {"shortcut": "none", "mask": "seen"},
            SEQUENCE,
            token_slots,
            masked,
            shortcut="attention_shortcut",
        ),
        _task(
            ("vit_block", "ViT 的块"),
            ATTENTION | {"norm": "before", "residual": "both", "activation": "gelu"},
            SEQUENCE | {"mlp_ratio": 4},
            block_slots,
            tokens,
            norm="block_norm",
        ),
        _task(
            ("vit_tokens", "ViT 的入口"),
            {"flatten": "transpose", "token": "first", "position": "all"},
            {"image_size": 8, "patch_size": 2, "in_channels": 3, "embed_dim": 10},
            entry_slots,
            images,
        ),
    )
}


def find(name: str) -> Task:
    """按名字取要查的一样东西。

    错误: 名字不认识时抛出 ValueError，给出最近的一个
    """
    return TASKS[checks.choice("task", name, TASKS)]
