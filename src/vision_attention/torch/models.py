"""从尺寸到模型：一种尺寸对应一个类。"""

from __future__ import annotations

from torch import nn

from vision_attention import checks
from vision_attention.specs import (
    ImageNetResNetSpec,
    ImageSpec,
    MLPSpec,
    MobileNetSpec,
    ResNetSpec,
    SmallCNNSpec,
    ViTSpec,
)

from .mobile import MobileNet
from .resnet import ImageNetResNet, ResNet
from .small_cnn import SmallCNN
from .small_mlp import SmallMLP
from .vit import ViT

MODELS = {
    ViTSpec: ViT,
    ResNetSpec: ResNet,
    ImageNetResNetSpec: ImageNetResNet,
    MobileNetSpec: MobileNet,
    SmallCNNSpec: SmallCNN,
    MLPSpec: SmallMLP,
}


def build(spec: ImageSpec) -> nn.Module:
    """按尺寸建模型。

    参数: spec 为 specs 里的任一种尺寸，例如 specs.named("vit_tiny")
    返回: 已初始化的模型；先调用 init.seed(n) 可固定初始权重
    错误: 不是已知的尺寸时抛出 ValueError
    """
    return MODELS[checks.choice("spec 的类型", type(spec), MODELS)](spec)
