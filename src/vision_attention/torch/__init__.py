"""左翼：PyTorch。与 vision_attention.paddle 同名、同参数、同结果。"""

from . import gates, init, inspect
from .gates import *  # noqa: F403 门的名字由 gates 的 __all__ 来，不抄一遍
from .mobile import MobileNet
from .models import build
from .probe import LinearProbe
from .resnet import ImageNetResNet, ResNet
from .runs import TrainedModel, load_run
from .sanity import sanity
from .self_attention import (
    LocalitySelfAttention,
    MultiHeadSelfAttention,
    SelfAttention2d,
)
from .small_cnn import SmallCNN
from .small_mlp import SmallMLP
from .tokens import ConvTokenizer, PatchEmbedding, ShiftedPatchEmbedding
from .training import evaluate, fit
from .transformer import MLP, DropPath, TransformerBlock
from .vit import SequencePool, ViT

__all__ = [
    "MLP",
    "ConvTokenizer",
    "DropPath",
    "ImageNetResNet",
    "LinearProbe",
    "LocalitySelfAttention",
    "MobileNet",
    "MultiHeadSelfAttention",
    "PatchEmbedding",
    "ResNet",
    "SelfAttention2d",
    "SequencePool",
    "ShiftedPatchEmbedding",
    "SmallCNN",
    "SmallMLP",
    "TrainedModel",
    "TransformerBlock",
    "ViT",
    "build",
    "evaluate",
    "fit",
    "init",
    "inspect",
    "load_run",
    "sanity",
]
__all__ += gates.__all__
