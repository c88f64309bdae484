"""左翼：PyTorch。与 vision_attention.paddle 同名、同参数、同结果。"""

from . import init, inspect
from .gates import (
    BAM,
    CBAM,
    ECA,
    GATES,
    ChannelAttention,
    ConcatChannelAttention,
    ConstantGate,
    CoordinateAttention,
    MultiScaleSpatialAttention,
    ScalarGate,
    SeparateChannelAttention,
    SimAM,
    SpatialAttention,
    SqueezeExcitation,
    build_gate,
)
from .mobile import MobileNet
from .models import build
from .probe import LinearProbe
from .resnet import ResNet
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
    "BAM",
    "CBAM",
    "ECA",
    "GATES",
    "MLP",
    "ChannelAttention",
    "ConcatChannelAttention",
    "ConstantGate",
    "ConvTokenizer",
    "CoordinateAttention",
    "DropPath",
    "LinearProbe",
    "LocalitySelfAttention",
    "MobileNet",
    "MultiHeadSelfAttention",
    "MultiScaleSpatialAttention",
    "PatchEmbedding",
    "ResNet",
    "ScalarGate",
    "SelfAttention2d",
    "SeparateChannelAttention",
    "SequencePool",
    "ShiftedPatchEmbedding",
    "SimAM",
    "SmallCNN",
    "SmallMLP",
    "SpatialAttention",
    "SqueezeExcitation",
    "TrainedModel",
    "TransformerBlock",
    "ViT",
    "build",
    "build_gate",
    "evaluate",
    "fit",
    "init",
    "inspect",
    "load_run",
    "sanity",
]
