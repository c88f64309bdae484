"""朴素的 ViT 在一张 GPU 上：数据整个放在卡上，到 90 % 与 93 % 各要多久；gpu.py 用它。

切块 4，没有卷积，没有预训练。配方就是下面的几个常数，没有调过。
"""

from __future__ import annotations

import copy
import time
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.benchmark import Timer

from vision_attention.data import Dataset
from vision_attention.specs import ViTSpec
from vision_attention.torch import build, init
from vision_attention.torch.device import autocast
from vision_attention.torch.training import build_optimizer, set_lr
from vision_attention.training.config import TrainConfig
from vision_attention.training.schedules import warmup_cosine

SECONDS, RUNS = 60, 5  # 一次训练的预算，做几次
LINES = (0.90, 0.93)
# 到没到由留出的这么多张说；测试集每次只在末尾读一次
VALIDATION = 5000
MODEL = {"patch_size": 4, "embed_dim": 256, "depth": 8, "num_heads": 4}
MODEL |= {"pool": "mean", "drop_path_rate": 0.1}
TRAIN = TrainConfig(
    lr=1e-3,
    weight_decay=0.1,
    batch_size=1024,
    label_smoothing=0.1,
    precision="bfloat16",
)
AVERAGED = 0.998  # 权重移动平均的衰减
# 没有 GPU 时试跑的一份：单精度，小得多
TINY_MODEL = MODEL | {"embed_dim": 16, "depth": 2, "num_heads": 2}
TINY_TRAIN = replace(TRAIN, batch_size=32, precision="float32")


class Resident:
    """数据整个放在设备上：取批次、平移、翻转、拼贴都在那里做。

    形状: 各份 images uint8 (N, C, H, W)；labels int64 (N,)
    """

    def __init__(self, dataset: Dataset, device: torch.device):
        def there(name: str) -> Tensor:
            return torch.from_numpy(getattr(dataset, name)).to(device)

        self.parts = {
            part: (there(f"{part}_images"), there(f"{part}_labels"))
            for part in ("train", "validation", "test")
        }
        self.mean, self.std = (255 * there(n)[:, None, None] for n in ("mean", "std"))
        self.dataset, self.device = dataset, device

    def normalized(self, images: Tensor) -> Tensor:
        """像素变成网络的输入。"""
        return (images.float() - self.mean) / self.std

    def batch(self, size: int) -> tuple[Tensor, Tensor]:
        """随手取一批：平移至多八分之一、翻转，一半的批次再拼贴。"""
        images, labels = self.parts["train"]
        picked = torch.randint(len(labels), (size,), device=self.device)
        x = self.normalized(images[picked])
        targets = F.one_hot(labels[picked], self.dataset.num_classes).float()
        if self.dataset.flip:
            turn = torch.rand((size, 1, 1, 1), device=self.device) < 0.5
            x = torch.where(turn, x.flip(3), x)
        x = self.moved(x)
        return pasted(x, targets) if torch.rand(()) < 0.5 else (x, targets)

    def moved(self, x: Tensor) -> Tensor:
        """每张图各平移几个像素，边上照镜子补齐。"""
        size, side = len(x), x.shape[-1]
        pad = side // 8
        start = torch.randint(2 * pad + 1, (2, size, 1), device=self.device)
        rows, columns = start + torch.arange(side, device=self.device)
        every = torch.arange(size, device=self.device)[:, None, None]
        x = F.pad(x, (pad,) * 4, mode="reflect")
        x = x[every, :, rows[:, :, None], columns[:, None, :]]  # (B, H, W, C)
        return x.permute(0, 3, 1, 2).contiguous()

    def accuracy(self, model: nn.Module, part: str) -> float:
        """评估模式下的准确率。"""
        images, labels = self.parts[part]
        with torch.no_grad():
            scores = [model.eval()(self.normalized(x)) for x in images.split(2000)]
        return float((torch.cat(scores).argmax(-1) == labels).float().mean())


def pasted(x: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """CutMix：每张图的一块换成前一张的，标签照面积混。

    出处: Yun 等 2019，arXiv:1905.04899；这里一批共用一块
    """
    side = x.shape[-1]
    width = int(side * torch.rand(()).sqrt())
    top, left = torch.randint(side - width + 1, (2,)).tolist()
    box = (..., slice(top, top + width), slice(left, left + width))
    x[box] = x.roll(1, 0)[box]
    share = (width / side) ** 2
    return x, (1 - share) * targets + share * targets.roll(1, 0)


def plain_vit(dataset: Dataset, sizes: dict) -> nn.Module:
    """配方里的 ViT。"""
    image = {"image_size": dataset.image_size, "in_channels": dataset.in_channels}
    return build(ViTSpec(num_classes=dataset.num_classes, **image, **sizes))


def step(model: nn.Module, optimizer, held: Resident, config: TrainConfig) -> None:
    """走一步：取批次、前向、损失、反向、裁剪、更新；不等 GPU。"""
    x, targets = held.batch(config.batch_size)
    with autocast(config.precision, held.device):
        logits = model.train()(x)
    smooth = config.label_smoothing
    loss = F.cross_entropy(logits.float(), targets, label_smoothing=smooth)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
    optimizer.step()


def pace(model: nn.Module, held: Resident, config: TrainConfig, steps: int) -> float:
    """每秒训练几张；走过的步不算数，模型用的是一份复制品。"""
    model = copy.deepcopy(model)
    known = {"step": step, "model": model, "held": held, "config": config}
    known["optimizer"] = build_optimizer(model, config)
    timer = Timer("step(model, optimizer, held, config)", globals=known)
    return config.batch_size / timer.timeit(steps).median


def one_run(
    held: Resident, sizes: dict, config: TrainConfig, seed: int, seconds: float
) -> dict:
    """一次训练：先量每秒几张，定下预算之内走几步，再从头训练，记下二十次验证。"""
    init.seed(seed)
    torch.manual_seed(seed)
    model = plain_vit(held.dataset, sizes).to(held.device)
    images = 0.95 * seconds * pace(model, held, config, 20)
    steps = max(20, int(images / config.batch_size))
    optimizer = build_optimizer(model, config)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(AVERAGED))
    log, start = [], time.perf_counter()
    for number in range(steps):
        set_lr(optimizer, warmup_cosine(number, steps, steps // 10, config.lr))
        step(model, optimizer, held, config)
        average.update_parameters(model)
        if (number + 1) % (steps // 20) == 0 or number + 1 == steps:
            share = held.accuracy(average.module, "validation")
            log.append([time.perf_counter() - start, share])
    reached = {f"{at:.2f}": next((s for s, a in log if a >= at), None) for at in LINES}
    found = {"seed": seed, "steps": steps, "log": log, "reached": reached}
    return found | {"test_accuracy": held.accuracy(average.module, "test")}
