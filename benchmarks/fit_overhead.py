"""fit 比裸步贵多少：同一进程里交替着跑，报告每步用时的中位数与它们的比。

裸步只有取批次、前向、损失、清零、反向、裁剪、更新；fit 另有日程、播种、
读损失与发散检查。两边都不含评估。

用法: python benchmarks/fit_overhead.py --framework torch --model vit_tiny
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import time

from vision_attention import data, specs
from vision_attention.training.config import TrainConfig


def torch_step(model, optimizer, images, targets, config):
    import torch
    from torch.nn import functional as F

    logits = model(torch.from_numpy(images))
    loss = F.cross_entropy(logits, torch.from_numpy(targets))
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
    optimizer.step()


def paddle_step(model, optimizer, images, targets, config):
    import paddle
    from paddle.nn import functional as F

    logits = model(paddle.to_tensor(images))
    loss = F.cross_entropy(logits, paddle.to_tensor(targets), soft_label=True)
    optimizer.clear_grad()
    loss.backward()
    paddle.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
    optimizer.step()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--framework", choices=("torch", "paddle"), default="torch")
    parser.add_argument("--model", choices=specs.SPECS, default="small_cnn")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=50)
    options = parser.parse_args()

    wing = f"vision_attention.{options.framework}"
    training = importlib.import_module(f"{wing}.training")
    build = importlib.import_module(f"{wing}.models").build
    dataset = data.load("digits", max_test=20)
    config = TrainConfig(
        steps=options.steps, eval_every=options.steps, max_train_eval=20, device="cpu"
    )
    model = build(specs.named(options.model, image_size=8, in_channels=1))
    optimizer = training.build_optimizer(model, config)
    step = {"torch": torch_step, "paddle": paddle_step}[options.framework]

    def bare():
        model.train()
        began = time.perf_counter()
        for images, targets in training.batches(dataset, config):
            step(model, optimizer, images, targets, config)
        return (time.perf_counter() - began) / config.steps

    def fit():
        history = training.fit(model, dataset, config)
        return config.batch_size / history.images_per_second

    times = [(bare(), fit()) for _ in range(options.rounds + 1)][1:]
    bare_time, fit_time = (
        statistics.median(column) for column in zip(*times, strict=True)
    )
    print(
        f"{options.framework} {options.model}（批大小 {config.batch_size}，"
        f"{options.rounds} 轮 × {options.steps} 步）：裸步 {bare_time * 1e3:.2f} ms，"
        f"fit {fit_time * 1e3:.2f} ms，多出 {fit_time / bare_time - 1:+.1%}"
    )


if __name__ == "__main__":
    main()
