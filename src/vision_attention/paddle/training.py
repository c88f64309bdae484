"""训练：一个模型、一份数据、一份配置，得到一条学习曲线。

- `fit`：训练的循环，随时可以被打断，再从检查点续上
- `train_step`：一步，六条语句
- `evaluate`：评估模式下的损失与准确率
- `build_optimizer`：优化器，偏置与归一化的参数不衰减
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.optimizer import Optimizer

from vision_attention import checks, data
from vision_attention.data import Dataset
from vision_attention.paddle.checkpoint import Checkpoint, forget_gradients
from vision_attention.paddle.device import (
    arrange,
    autocast,
    device_of,
    find_device,
    reseed,
    tensor,
)
from vision_attention.paddle.hooks import evaluation_mode
from vision_attention.paddle.losses import cross_entropy, total_cross_entropy
from vision_attention.paddle.watching import watch
from vision_attention.training.config import TrainConfig
from vision_attention.training.groups import groups
from vision_attention.training.history import History, Score
from vision_attention.training.journal import (
    Journal,
    check_classes,
    check_given,
    check_scored,
    evaluation_sets,
)


def fit(
    model: nn.Layer,
    dataset: Dataset,
    config: TrainConfig,
    *,
    checkpoint: str | Path | None = None,
    progress: bool = False,
) -> History:
    """训练 model，返回学习曲线；模型就地改变，结束时处于训练模式。

    第 k 步的批次与随机失活都只由 (config.seed, k) 决定，所以同一种子的两次训练
    在 CPU 上逐位相同；被打断的训练从检查点续上，结果与没有打断过一样。

    参数: checkpoint 为检查点的路径（.safetensors），每次评估后写入，已存在则续训；
        progress 为真时画进度条，默认什么也不打印
    错误: 损失、权重或移动平均不是有限的数时抛出 TrainingDivergedError，还没训练就
        不是则抛出 ValueError；检查点属于别的模型、数据或配置时抛出 ValueError；
        checkpoint 写不进去或是文件夹时抛出 OSError，旧的检查点仍然完好
    """
    check_given(model, nn.Layer, dataset)
    checks.kind("config", config, TrainConfig, "TrainConfig")
    device = find_device(config.device, config.precision)
    arrange(model.to(device), config.memory_format)
    optimizer = build_optimizer(model, config)
    forget_gradients(optimizer)
    train, test = evaluation_sets(dataset, config)
    saved = Checkpoint(checkpoint, model, optimizer, config, dataset)
    history = saved.restore()
    with Journal(config, history, watch(model), progress) as journal:
        if not journal.history.step:
            journal.record(evaluate(model, *train), evaluate(model, *test))
        model.train()
        for images, targets in batches(dataset, config, start=journal.step):
            reseed(config.seed, journal.step)
            set_lr(optimizer, journal.lr)
            journal.add(train_step(model, optimizer, images, targets, config))
            if journal.due:
                journal.record(evaluate(model, *train), evaluate(model, *test))
                saved.save(journal.history)
    return journal.history


def batches(
    dataset: Dataset, config: TrainConfig, start: int = 0
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """训练用的批次流，从第 start 批到最后一批。

    形状: 每批 images float32 (B, C, H, W);targets float32 (B, num_classes)
    """
    return data.batches(
        dataset,
        batch_size=config.batch_size,
        steps=config.steps,
        seed=config.seed,
        augment=config.augment,
        label_smoothing=config.label_smoothing,
        class_weights=config.class_weights,
        start=start,
    )


def train_step(
    model: nn.Layer,
    optimizer: Optimizer,
    images: np.ndarray,
    targets: np.ndarray,
    config: TrainConfig,
) -> Tensor:
    """走一步：前向、损失、清零、反向、裁剪、更新。

    形状: images float32 (B, C, H, W);targets float32 (B, num_classes) → 损失 ()
    """
    device = device_of(model)
    with autocast(config.precision, device):
        logits = model(arrange(tensor(images, device), config.memory_format))
        loss = cross_entropy(logits, tensor(targets, device))
    optimizer.clear_grad()
    loss.backward()
    if config.clip_norm is not None:
        nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
    optimizer.step()
    return loss.detach()


def evaluate(
    model: nn.Layer, images: np.ndarray, labels: np.ndarray, batch_size: int = 500
) -> Score:
    """评估模式下的 (平均损失, 准确率)；模型各层原来的模式不变。

    按图片数平均，所以结果与 batch_size 无关；精度一律 float32。

    形状: images float32 (N, C, H, W)，已归一化；labels int64 (N,)
    单位: 损失为 nat，准确率 0–1
    错误: images 不是 float32（例如还没有归一化）、没有图片、标签不在模型的类别之内，或
        batch_size 不是正整数时抛出 ValueError
    """
    checks.kind("model", model, nn.Layer, "模型")
    check_scored(images, labels)
    checks.positive("batch_size", batch_size)
    device = device_of(model)
    loss, hits = 0.0, 0
    with evaluation_mode(model):
        for start in range(0, len(labels), batch_size):
            part = slice(start, start + batch_size)
            logits = model(tensor(images[part], device))
            check_classes(labels[part], logits.shape[1])
            target = tensor(labels[part], device)
            loss += float(total_cross_entropy(logits, target))
            hits += int((logits.argmax(-1) == target).sum())
    return loss / len(labels), hits / len(labels)


def build_optimizer(model: nn.Layer, config: TrainConfig) -> Optimizer:
    """按配置建立优化器；学习率由 fit 逐步设定。

    参数: 两维以上的参数按 config.weight_decay 衰减，其余（偏置、归一化）不衰减；
        写了 config.trunk_lr 时，主干的学习率照比例小
    错误: 模型没有可学习的参数，或写了 trunk_lr 而分不出主干时抛出 ValueError
    """
    learnable = [(n, p) for n, p in model.named_parameters() if not p.stop_gradient]
    parts = [
        {
            "params": part.params,
            "weight_decay": part.weight_decay,
            "learning_rate": part.scale,
        }
        for part in groups(learnable, config)
    ]
    # 不用优化器自带的 grad_clip：参数分组之后，它按组而不按全局裁剪
    if config.optimizer == "sgd":
        return paddle.optimizer.Momentum(config.lr, config.momentum, parts)
    return paddle.optimizer.AdamW(config.lr, parameters=parts)


def set_lr(optimizer: Optimizer, lr: float) -> None:
    """设定下一步的学习率；主干的照比例小。"""
    optimizer.set_lr(lr)
