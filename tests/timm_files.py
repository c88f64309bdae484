"""照 timm 的布局造权重，照它的定义重算一遍；名字与形状逐项写明，不看 src。"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}


def _norm(names, place, width):
    names |= {f"{place}.{part}": (width,) for part in ("weight", "bias")}
    names |= {f"{place}.running_{part}": (width,) for part in ("mean", "var")}


def resnet_names(depth, width=8, classes=1000, channels=3):
    """timm 与 torchvision 的 resnet 的名字与形状，照 He 等 2016 表 1 手写。"""
    names = {"conv1.weight": (width, channels, 7, 7)}
    _norm(names, "bn1", width)
    deep, before = depth == 50, width
    for layer, count in enumerate(BLOCKS[depth], 1):
        inner = width * 2 ** (layer - 1)
        outer = 4 * inner if deep else inner
        for number in range(count):
            place = f"layer{layer}.{number}"
            sides = (1, 3, 1) if deep else (3, 3)
            widths = (before, inner, inner, outer) if deep else (before, inner, inner)
            for k, side in enumerate(sides, 1):
                shape = (widths[k], widths[k - 1], side, side)
                names[f"{place}.conv{k}.weight"] = shape
                _norm(names, f"{place}.bn{k}", widths[k])
            if before != outer:
                names[f"{place}.downsample.0.weight"] = (outer, before, 1, 1)
                _norm(names, f"{place}.downsample.1", outer)
            before = outer
    return names | {"fc.weight": (classes, before), "fc.bias": (classes,)}


def vit_names(depth=1, width=24, classes=1000, grid=14, patch=16):
    """timm 的 ViT 的名字与形状。"""
    block = {
        "norm1.weight": (width,),
        "norm1.bias": (width,),
        "attn.qkv.weight": (3 * width, width),
        "attn.qkv.bias": (3 * width,),
        "attn.proj.weight": (width, width),
        "attn.proj.bias": (width,),
        "norm2.weight": (width,),
        "norm2.bias": (width,),
        "mlp.fc1.weight": (4 * width, width),
        "mlp.fc1.bias": (4 * width,),
        "mlp.fc2.weight": (width, 4 * width),
        "mlp.fc2.bias": (width,),
    }
    return {
        "cls_token": (1, 1, width),
        "pos_embed": (1, 1 + grid**2, width),
        "patch_embed.proj.weight": (width, 3, patch, patch),
        "patch_embed.proj.bias": (width,),
        **{f"blocks.{i}.{n}": s for i in range(depth) for n, s in block.items()},
        "norm.weight": (width,),
        "norm.bias": (width,),
        "head.weight": (classes, width),
        "head.bias": (classes,),
    }


def drawn(names, seed=11):
    """每一项都是随机数；方差大于 0，卷积的大小使图不至于越来越大。"""
    rng, values = np.random.default_rng(seed), {}
    for name, shape in names.items():
        value = rng.standard_normal(shape)
        if name.endswith("running_var"):
            value = 0.5 + np.abs(value)
        elif len(shape) == 4:
            value = value * np.sqrt(2 / np.prod(shape[1:]))
        elif name.endswith(("bn1.weight", "bn2.weight", "bn3.weight")):
            value = 0.5 + 0.2 * value
        else:
            value = 0.1 * value
        values[name] = value.astype("float32")
    return values


def resnet_forward(values, images, depth):
    """timm 的 resnet 照定义用 PyTorch 的函数重算，双精度；评估模式。"""
    w = {name: torch.tensor(value).double() for name, value in values.items()}

    def norm(x, place):
        mean, var = w[f"{place}.running_mean"], w[f"{place}.running_var"]
        return F.batch_norm(x, mean, var, w[f"{place}.weight"], w[f"{place}.bias"])

    def conv(x, name, **options):
        return F.conv2d(x, w[f"{name}.weight"], **options)

    x = torch.tensor(images).double()
    x = norm(conv(x, "conv1", stride=2, padding=3), "bn1").relu()
    x = F.max_pool2d(x, 3, 2, 1)
    for layer, count in enumerate(BLOCKS[depth], 1):
        for number in range(count):
            stride = 2 if layer > 1 and number == 0 else 1
            x = _block(x, f"layer{layer}.{number}", stride, depth == 50, (conv, norm))
    return F.linear(x.mean((2, 3)), w["fc.weight"], w["fc.bias"]).numpy()


def _block(x, place, stride, deep, tools):
    conv, norm = tools
    if deep:
        y = norm(conv(x, f"{place}.conv1"), f"{place}.bn1").relu()
        y = conv(y, f"{place}.conv2", stride=stride, padding=1)
        y = norm(y, f"{place}.bn2").relu()
        y = norm(conv(y, f"{place}.conv3"), f"{place}.bn3")
    else:
        y = conv(x, f"{place}.conv1", stride=stride, padding=1)
        y = norm(y, f"{place}.bn1").relu()
        y = norm(conv(y, f"{place}.conv2", padding=1), f"{place}.bn2")
    if y.shape != x.shape:
        x = norm(
            conv(x, f"{place}.downsample.0", stride=stride), f"{place}.downsample.1"
        )
    return (x + y).relu()
