"""我们的 PyTorch 一翼与公开实现比速度：同一个定义、同一组权重、同一个进程。

python benchmarks/peers.py                 全部，打印并写进 benchmarks/peers.json
python benchmarks/peers.py --only SE,ECA   只量名字里含这几个字的，其余的行不动
python benchmarks/peers.py --missing       只量还没有量过的
python benchmarks/peers.py --seconds 0.5   每种做法少跑一会儿

先把我们的权重抄给同行，输出与输入的梯度都对得上，才开始计时。量完一个模块就写一次，
中途停下，量好的都在；在另一台机器上补量的行，行里写着是哪一台。
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import timing

timing.quiet()

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vision_attention.specs import ViTSpec
from vision_attention.torch import (
    BAM,
    CBAM,
    ECA,
    GATES,
    ChannelAttention,
    ConvTokenizer,
    CoordinateAttention,
    MultiHeadSelfAttention,
    PatchEmbedding,
    SelfAttention2d,
    SimAM,
    SpatialAttention,
    SqueezeExcitation,
    TransformerBlock,
    ViT,
)

MAP = (64, 32, 32)
TOKENS = (65, 128)
IMAGE = (3, 32, 32)
SPEC = ViTSpec(embed_dim=128, depth=6, num_heads=4, qkv_bias=False)
RECORD = timing.FOLDER / "peers.json"
PACKAGES = ("torch", "timm", "vit-pytorch", "einops")


def load_torchvision() -> None:
    """让 timm 与 vit-pytorch 要的 torchvision 载入得了：必要时补上两个算子的声明。

    torchvision 的编译部分与 CPU 版的 PyTorch 不配时载入不了，Python 部分又要找这两个
    算子。这里只补声明，没有一个计时的模块用得到它们。
    """
    warnings.filterwarnings("ignore", "Failed to load image Python extension")
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        declared = torch.library.Library("torchvision", "FRAGMENT")
        arguments = "Tensor dets, Tensor scores, float iou_threshold"
        declared.define(f"nms({arguments}) -> Tensor")
        declared.define(f"qnms({arguments}) -> Tensor")
        load_torchvision.kept = declared
        importlib.import_module("torchvision")


load_torchvision()
import timm.layers as theirs
import vit_pytorch.vit
from timm.models.vision_transformer import Block, VisionTransformer
from vit_pytorch.cct import Tokenizer


class VitPytorchBlock(nn.Module):
    """vit-pytorch 的一个块：它的 Transformer 去掉末尾的归一化。"""

    def __init__(self):
        super().__init__()
        whole = vit_pytorch.vit.Transformer(128, 1, 4, 32, 512)
        self.attn, self.ff = whole.layers[0]

    def forward(self, x: Tensor) -> Tensor:
        x = self.attn(x) + x
        return self.ff(x) + x


def vit_pytorch_attention() -> nn.Module:
    """vit-pytorch 的注意力里自带一层归一化，拿掉才是同一个定义。"""
    attention = vit_pytorch.vit.Attention(128, 4, 32)
    attention.norm = nn.Identity()
    return attention


def vit_pytorch_model() -> nn.Module:
    """vit-pytorch 的 ViT 在切块前后各多一层归一化，拿掉才是同一个定义。"""
    model = vit_pytorch.vit.ViT(
        image_size=32, patch_size=4, num_classes=10, dim=128, depth=6, heads=4,
        mlp_dim=512, dim_head=32,
    )  # fmt: skip
    model.to_patch_embedding[1] = model.to_patch_embedding[3] = nn.Identity()
    # 末尾的归一化登记在各层之前；挪到后面，权重才好按次序抄
    last = model.transformer.norm
    del model.transformer.norm
    model.transformer.norm = last
    for layer in model.modules():
        if isinstance(layer, nn.LayerNorm):
            layer.eps = 1e-6
    return model


def timm_model() -> nn.Module:
    """timm 的 ViT；投影的偏置关掉，因为 vit-pytorch 没有这一项。"""
    return VisionTransformer(
        img_size=32, patch_size=4, num_classes=10, embed_dim=128, depth=6, num_heads=4,
        qkv_bias=False,
    )  # fmt: skip


@dataclass(frozen=True)
class Case:
    """一个模块：我们的写法，同一个定义的公开写法，以及怎样才算同一个定义。"""

    name: str
    shape: tuple[int, ...]
    ours: Callable[[], nn.Module]
    peers: dict[str, Callable[[], nn.Module]] = field(default_factory=dict)
    note: str = ""


CASES = [
    Case(
        "ChannelAttention",
        MAP,
        lambda: ChannelAttention(64),
        {"timm": lambda: theirs.cbam.ChannelAttn(64, mlp_bias=True)},
        "timm 的两层默认没有偏置，这里打开",
    ),
    Case(
        "SpatialAttention",
        MAP,
        lambda: SpatialAttention(spatial_norm=True),
        {"timm": theirs.cbam.SpatialAttn},
        "timm 只有带批归一化的一种，我们也打开",
    ),
    Case(
        "CBAM",
        MAP,
        lambda: CBAM(64, spatial_norm=True),
        {"timm": lambda: theirs.cbam.CbamModule(64, mlp_bias=True)},
        "同上两行",
    ),
    Case(
        "SqueezeExcitation",
        MAP,
        lambda: SqueezeExcitation(64),
        {"timm": lambda: theirs.squeeze_excite.SEModule(64, rd_channels=4)},
        "瓶颈宽都取 4（timm 默认凑成 8 的倍数）",
    ),
    Case("ECA", MAP, lambda: ECA(64), {"timm": lambda: theirs.EcaModule(64)}),
    Case(
        "CoordinateAttention",
        MAP,
        lambda: CoordinateAttention(64),
        {"timm": lambda: theirs.coord_attn.CoordAttn(64, rd_channels=8, bias=True)},
        "瓶颈宽都取 8；timm 的卷积默认没有偏置，这里打开",
    ),
    Case("BAM", MAP, lambda: BAM(64)),
    Case("SimAM", MAP, lambda: SimAM(64)),
    Case("SelfAttention2d", (64, 16, 16), lambda: SelfAttention2d(64)),
    Case(
        "MultiHeadSelfAttention",
        TOKENS,
        lambda: MultiHeadSelfAttention(128, 4, qkv_bias=False),
        {
            "timm": lambda: theirs.Attention(128, 4),
            "vit-pytorch": vit_pytorch_attention,
        },
        "投影都不带偏置；vit-pytorch 里自带的归一化换成恒等",
    ),
    Case(
        "TransformerBlock",
        TOKENS,
        lambda: TransformerBlock(128, MultiHeadSelfAttention(128, 4, qkv_bias=False)),
        {"timm": lambda: Block(128, 4), "vit-pytorch": VitPytorchBlock},
        "投影都不带偏置",
    ),
    Case(
        "PatchEmbedding",
        IMAGE,
        lambda: PatchEmbedding(32, 4, 3, 128),
        {"timm": lambda: theirs.PatchEmbed(32, 4, 3, 128)},
    ),
    Case(
        "ConvTokenizer",
        IMAGE,
        lambda: ConvTokenizer(32, 4, 3, 128),
        {
            "vit-pytorch": lambda: Tokenizer(
                3, 1, 1, n_conv_layers=2, n_output_channels=128, activation=nn.ReLU
            )
        },
    ),
    Case(
        "ViT",
        IMAGE,
        lambda: ViT(SPEC),
        {"timm": timm_model, "vit-pytorch": vit_pytorch_model},
        "投影都不带偏置；vit-pytorch 切块前后的归一化换成恒等，其余的 ε 改成 1e-6",
    ),
    Case(
        "CBAM 与 CBAM",
        MAP,
        lambda: CBAM(64, spatial_norm=True),
        {"自己": lambda: CBAM(64, spatial_norm=True)},
        "两份一模一样的；比值离 1 多远，这把尺子就有多粗",
    ),
]


LISTED = {case.name for case in CASES} | {"ConstantGate", "ScalarGate"}
# 表里没有登记的门：没有同行，只量用时
CASES[8:8] = [
    Case(gate.__name__, MAP, lambda gate=gate: gate(64))
    for gate in GATES.values()
    if gate.__name__ not in LISTED
]


def build(case: Case) -> dict[str, nn.Module]:
    """我们的与同行的，权重相同。"""
    torch.manual_seed(0)
    ours = case.ours()
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    models = {"ours": ours}
    for name, maker in case.peers.items():
        models[name] = maker()
        copy(ours, models[name])
    return models


def copy(source: nn.Module, target: nn.Module) -> None:
    """按次序抄权重；1×1 卷积与全连接互换，切块的卷积换成先行列、后通道的全连接。"""
    pairs = zip(source.parameters(), target.parameters(), strict=True)
    with torch.no_grad():
        for ours, peer in pairs:
            if ours.ndim == 4 and peer.ndim == 2:
                peer.copy_(ours.permute(0, 2, 3, 1).flatten(1))
            else:
                peer.copy_(ours.reshape(peer.shape))


def check(case: Case, models: dict[str, nn.Module]) -> None:
    """同一个输入，输出与输入的梯度都要对得上，否则不是同一个定义。"""
    found = {}
    for name, model in models.items():
        x = torch.randn((2, *case.shape), generator=torch.Generator().manual_seed(1))
        x.requires_grad_()
        y = model.train()(x)
        y.square().mean().backward()
        found[name] = y.detach(), x.grad
    for name, pair in found.items():
        for ours, peer in zip(found["ours"], pair, strict=True):
            error = (ours - peer).abs().max() / ours.abs().max()
            if error > 1e-4:
                sys.exit(f"{case.name} 与 {name} 的不是同一个定义：相对差 {error:.1e}")


def inference(model: nn.Module, x: Tensor) -> Callable[[], object]:
    """评估模式，不记梯度，只有前向。"""
    model = model.eval()

    def run() -> Tensor:
        with torch.no_grad():
            return model(x)

    return run


def training(model: nn.Module, x: Tensor) -> Callable[[], object]:
    """训练模式，前向加反向；特征图与记号的梯度也要算，图像的不用。"""
    x.requires_grad_(x.shape[1:] != IMAGE)
    model.train()
    parameters = [x, *model.parameters()]
    direction = torch.randn_like(model(x))

    def run() -> None:
        for parameter in parameters:
            parameter.grad = None
        model(x).backward(direction)

    return run


def step(model: nn.Module, x: Tensor) -> Callable[[], object]:
    """完整的一步：前向、损失、反向、AdamW。"""
    model.train()
    labels = torch.arange(len(x), device=x.device) % 10
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4)

    def run() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(x), labels).backward()
        optimizer.step()

    return run


def measure(case: Case, seconds: float) -> list[dict]:
    """一个模块的全部测量：推理与训练，一张与 64 张。"""
    models = build(case)
    check(case, models)
    last = {"step": step} if case.name == "ViT" else {"training": training}
    modes = {"inference": inference, **last}
    rows = []
    for mode, prepare in modes.items():
        for batch in (1, 64):
            if case.name == "BAM" and batch == 1 and mode == "training":
                continue  # 一张图没有方差可算
            # 大家用同一块内存里的输入：两块内存的快慢也差几个百分点
            x = torch.randn((batch, *case.shape))
            runs = {name: prepare(model, x) for name, model in models.items()}
            times = timing.alternate(runs, seconds)
            row = {"module": case.name, "mode": mode, "batch": batch}
            rows.append(row | timing.compare(times))
            print(line(rows[-1]), flush=True)
    return rows


def line(row: dict) -> str:
    """打印用的一行。"""
    cells = [f"{k} {1e3 * v:9.3f} ms" for k, v in row["seconds"].items()]
    label = f"{row['module']:<24}{row['mode']:<10}{row['batch']:>3}  "
    if "ratio" in row:
        low, high = row["quartiles"]
        cells.append(f"比 {row['ratio']:.2f}（{low:.2f}–{high:.2f}）")
    return label + "，".join(cells)


def arguments() -> argparse.Namespace:
    """命令行。"""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="名字里含这几个字的，逗号隔开")
    parser.add_argument("--missing", action="store_true", help="只量还没有量过的")
    parser.add_argument("--seconds", type=float, default=2.0, help="每种做法跑几秒")
    return parser.parse_args()


def chosen(options: argparse.Namespace, old: dict | None) -> list[Case]:
    """要量的几个模块。"""
    words = [word for word in options.only.split(",") if word]
    done = {row["module"] for row in old["rows"]} if old and options.missing else set()
    named = [c for c in CASES if not words or any(w in c.name for w in words)]
    return [case for case in named if case.name not in done]


def main() -> None:
    """逐个测量，量完一个写一次。"""
    options = arguments()
    torch.set_num_threads(1)
    machine = timing.machine(*PACKAGES)
    old = json.loads(RECORD.read_text("utf8")) if RECORD.exists() else None
    cases = chosen(options, old)
    if len(cases) == len(CASES):
        old = None  # 全部重量：不留旧的行
    notes = {case.name: case.note for case in CASES if case.note}
    order = [case.name for case in CASES]
    for case in cases:
        old = timing.merged(old, machine, measure(case, options.seconds), order)
        timing.write("peers", {"notes": notes, **old})


if __name__ == "__main__":
    main()
