"""体检：训练之前花几秒钟，分清是程序错了还是过拟合。

- `sanity`：首步损失、单批过拟合、图与标签
"""

from __future__ import annotations

import copy
import math

from torch import nn

from vision_attention.data import Dataset
from vision_attention.torch.device import own_randomness, reseed
from vision_attention.torch.training import (
    batches,
    build_optimizer,
    evaluate,
    set_lr,
    train_step,
)
from vision_attention.torch.watching import watch
from vision_attention.training.journal import check_given, check_whole, learning_rate
from vision_attention.training.sanity import Sanity, labelled_images, one_batch


def sanity(model: nn.Module, dataset: Dataset, steps: int = 150) -> Sanity:
    """给模型与数据做一次体检；在副本上进行，模型与随机数都不变。

    首步损失应接近 ln(num_classes)：没学过的模型只能随机猜。同一批图反复训练应能
    背下来：背不下来的是程序错了，背得下来而测试差的才是过拟合。

    参数: steps 为在同一批上训练的步数，默认 150，至多一万
    错误: steps 不是这样的数，或模型的权重里已有 nan 或 inf 时抛出 ValueError
    """
    check_given(model, nn.Module, dataset)
    trial = copy.deepcopy(model)
    trial.train()
    whole = watch(trial)
    check_whole(whole)
    config = one_batch(steps)
    images, targets = next(batches(dataset, config))
    optimizer = build_optimizer(trial, config)
    losses = []
    with own_randomness():
        for step in range(steps):
            reseed(config.seed, step)
            set_lr(optimizer, learning_rate(config, step))
            losses.append(train_step(trial, optimizer, images, targets, config))
    loss, accuracy = evaluate(trial, images, targets.argmax(1))
    if not whole():
        loss = math.nan
    shown, labels = labelled_images(dataset)
    return Sanity(
        first_loss=float(losses[0]),
        expected_loss=math.log(dataset.num_classes),
        batch_loss=loss,
        batch_accuracy=accuracy,
        batch_steps=steps,
        images=shown,
        labels=labels,
    )
