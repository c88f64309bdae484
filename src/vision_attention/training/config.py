"""训练的配置：一份冻结的、建立时就检查过的清单，两翼、研究与命令行共用。

- `TrainConfig`：优化器、日程、批次、增强、种子、精度与设备
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from vision_attention.checks import ArgumentError, choice, number, plain, shown, whole
from vision_attention.data.augment import POLICIES
from vision_attention.data.batches import WEIGHTINGS

CHOICES = {
    "optimizer": ("adamw", "sgd"),
    "augment": POLICIES,
    "precision": ("float32", "bfloat16"),
    "device": ("auto", "cpu", "gpu"),
    "memory_format": ("channels_first", "channels_last"),
    "class_weights": WEIGHTINGS,
}
LEAST = {
    "steps": 1,
    "warmup_steps": 0,
    "batch_size": 1,
    "seed": 0,
    "eval_every": 1,
    "max_train_eval": 1,
}


@dataclass(frozen=True)
class TrainConfig:
    """一次训练的全部设定；写错的值在建立时就被拒绝。

    参数: optimizer 取 "adamw" 或 "sgd"（带动量）；lr 为最高学习率；
        weight_decay 只作用于两维以上的参数，偏置与归一化的参数不衰减；
        momentum 只有 sgd 用；steps 为总步数，其中前 warmup_steps 步升温；
        label_smoothing 取 [0, 1)；clip_norm 为梯度的全局范数上限，None 表示不裁剪；
        augment 取 "none"、"weak"、"strong"，或只做混合的 "mixup"、"cutmix"；
        eval_every 为每隔多少步评估一次；
        max_train_eval 为评估时最多看多少张训练图片（均匀抽取）；
        device 取 "auto" 时有 GPU 用 GPU，没有用 CPU；memory_format 为特征图在内存里的
        排法，channels_last 让 PyTorch 的卷积快一些，算的是同一件事，末位的舍入不同；
        Paddle 没有，收到就拒绝；trunk_lr 为主干的最高学习率，None 表示与 lr 相同：
        微调预训练的模型时取小一些，分类头与插入的门仍用 lr；class_weights 取
        "balanced" 时，损失里各类一样重：少的类每张重一些
    错误: 任何一项不合适时抛出 ValueError
    出处: AdamW 见 Loshchilov 与 Hutter 2019，arXiv:1711.05101；sgd 的衰减与
        torch.optim.SGD 相同，加在梯度上、进入动量，文献里的 5e-4 指的是它
    """

    optimizer: str = "adamw"
    lr: float = 1e-3
    weight_decay: float = 0.05
    momentum: float = 0.9
    steps: int = 500
    warmup_steps: int = 20
    batch_size: int = 64
    label_smoothing: float = 0.0
    clip_norm: float | None = 1.0
    augment: str = "none"
    seed: int = 0
    eval_every: int = 50
    max_train_eval: int = 5000
    precision: str = "float32"
    device: str = "auto"
    memory_format: str = "channels_first"
    trunk_lr: float | None = None
    class_weights: str = "none"

    def __post_init__(self) -> None:
        """逐项检查；NumPy 的标量换成 Python 的数，写得进记录。"""
        for field in fields(self):
            object.__setattr__(self, field.name, plain(getattr(self, field.name)))
        for name, choices in CHOICES.items():
            choice(name, getattr(self, name), choices)
        for name, least in LEAST.items():
            whole(name, getattr(self, name), least)
        number("lr", self.lr, "大于 0 的有限小数，例如 0.001", above=0)
        decay, share = "不小于 0 的有限小数，例如 0.05", "[0, 1) 之间的小数，例如 0.9"
        number("weight_decay", self.weight_decay, decay, least=0)
        number("momentum", self.momentum, share, least=0, below=1)
        number("label_smoothing", self.label_smoothing, share, least=0, below=1)
        if self.clip_norm is not None:
            number("clip_norm", self.clip_norm, "大于 0 的小数，或 None", above=0)
        if self.trunk_lr is not None:
            number("trunk_lr", self.trunk_lr, "大于 0 的小数，或 None", above=0)
        if self.warmup_steps > self.steps:
            raise ArgumentError(
                f"warmup_steps={shown(self.warmup_steps)} 大于 steps={self.steps}；"
                f"升温应是训练的一小段，例如 warmup_steps={self.steps // 20}",
                "warmup_steps",
                "steps",
            )
