"""PaddlePaddle 一翼与 PyTorch 一翼比训练的速度：同一个进程、一个线程、轮流跑。

python benchmarks/wings.py    全部，打印并写进 benchmarks/wings.json

量两次，各在一个新进程里：照原样；以及设 MKL_DEBUG_CPU_TYPE=5。后者让 Paddle 附带的
旧版 MKL 在 AMD 处理器上也用上宽的向量指令；这个变量只在库载入之前有用。
每一种处理器各留一份：在另一种上再量，不盖掉这一种的。
"""

from __future__ import annotations

import argparse
import json
import os
import warnings

import timing

SWITCH = {"MKL_DEBUG_CPU_TYPE": "5"}
BATCH = 64
WIDTH = 128
PACKAGES = ("torch", "paddlepaddle")


def models(seconds: float) -> list[dict]:
    """完整的训练步（各用本书自己的 train_step），每秒多少张。"""
    import numpy as np

    import vision_attention.paddle
    import vision_attention.torch
    from vision_attention import specs
    from vision_attention.training.config import TrainConfig

    rng = np.random.default_rng(0)
    images = rng.standard_normal((BATCH, 3, 32, 32)).astype("float32")
    targets = np.eye(10, dtype="float32")[rng.integers(0, 10, BATCH)]
    vit = specs.ViTSpec(embed_dim=WIDTH, depth=6, patch_size=4)
    rows = []
    for name, spec in {"ViT": vit, "ResNet-20": specs.named("resnet20")}.items():
        runs = {}
        for wing in (vision_attention.torch, vision_attention.paddle):
            config = TrainConfig(device="cpu")
            model = wing.build(spec)
            optimizer = wing.training.build_optimizer(model, config)
            model.train()
            arguments = (model, optimizer, images, targets, config)
            step = wing.training.train_step
            runs[wing.__name__.rpartition(".")[2]] = lambda s=step, a=arguments: s(*a)
        times = timing.alternate(runs, seconds, 9)
        row = {"name": name} | timing.compare(times, "paddle")
        row["images_per_second"] = {k: BATCH / v for k, v in row["seconds"].items()}
        rows.append(row)
        print(name, row["images_per_second"], f"{row['ratio']:.2f}", flush=True)
    return rows


def parts(seconds: float) -> list[dict]:
    """训练步里的各种运算，前向加反向，尺寸取自上面两个模型。"""
    import paddle
    import torch

    import vision_attention.paddle
    import vision_attention.torch

    def attention(wing):
        return lambda x: wing.kernels.fused_attention(*x.unbind(2), 32**-0.5, None)

    tokens = (BATCH, 65, WIDTH)
    image = (BATCH, 16, 32, 32)
    heads = (BATCH, 65, 3, 4, 32)
    table = {
        "全连接 128 → 256": (
            tokens,
            torch.nn.Linear(128, 256),
            paddle.nn.Linear(128, 256),
        ),
        "层归一化": (tokens, torch.nn.LayerNorm(128), paddle.nn.LayerNorm(128)),
        "GELU": (tokens, torch.nn.GELU(), paddle.nn.GELU()),
        "注意力（4 头）": (
            heads,
            attention(vision_attention.torch),
            attention(vision_attention.paddle),
        ),
        "卷积 3×3，16 通道": (
            image,
            torch.nn.Conv2d(16, 16, 3, padding=1, bias=False),
            paddle.nn.Conv2D(16, 16, 3, padding=1, bias_attr=False),
        ),
        "批归一化": (image, torch.nn.BatchNorm2d(16), paddle.nn.BatchNorm2D(16)),
        "ReLU": (image, torch.nn.ReLU(), paddle.nn.ReLU()),
    }
    rows = []
    for name, (shape, left, right) in table.items():
        runs = {"torch": both_ways(torch, left, shape)}
        runs["paddle"] = both_ways(paddle, right, shape)
        times = timing.alternate(runs, seconds, 9)
        rows.append({"name": name} | timing.compare(times, "paddle"))
        print(name, rows[-1]["seconds"], f"{rows[-1]['ratio']:.2f}", flush=True)
    return rows


def choices(seconds: float) -> list[dict]:
    """Paddle 一翼里换过写法的算子：框架现成的写法，与本书的写法。"""
    import paddle
    from paddle.nn import functional as F

    from vision_attention.paddle import kernels, pooling
    from vision_attention.paddle.tokens import patch_convolution

    image = (BATCH, 64, 32, 32)
    table = {
        "沿通道取最大，64 通道": (
            image,
            lambda x: paddle.topk(x, 1, axis=1)[0],
            pooling.channel_max,
        ),
        "沿空间取平均，64 通道": (
            image,
            lambda x: x.mean((2, 3)),
            pooling.global_mean,
        ),
        "切块，P = 4": (
            (BATCH, 3, 32, 32),
            paddle.nn.Conv2D(3, WIDTH, 4, 4),
            patch_convolution(3, WIDTH, 4),
        ),
        "注意力（4 头）": (
            (BATCH, 65, 3, 4, 32),
            lambda x: F.scaled_dot_product_attention(*x.unbind(2)),
            lambda x: kernels.fused_attention(*x.unbind(2), 32**-0.5, None),
        ),
    }
    rows = []
    for name, (shape, theirs, ours) in table.items():
        runs = {"theirs": both_ways(paddle, theirs, shape)}
        runs["ours"] = both_ways(paddle, ours, shape)
        times = timing.alternate(runs, seconds, 9)
        rows.append({"name": name} | timing.compare(times))
        print(name, rows[-1]["seconds"], f"{rows[-1]['ratio']:.2f}", flush=True)
    return rows


def both_ways(framework, module, shape: tuple[int, ...]):
    """前向加反向。"""
    x = framework.randn(shape)
    if framework.__name__ == "torch":
        x.requires_grad_()
        direction = framework.randn(module(x).shape)
        return lambda: module(x).backward(direction)
    x.stop_gradient = False
    direction = framework.randn(module(x).shape)
    return lambda: framework.autograd.backward([module(x)], [direction])


def child(seconds: float) -> None:
    """在这个进程里量，最后一行是 JSON。"""
    timing.quiet()
    warnings.filterwarnings("ignore", "No ccache found|When training, we now always")
    import torch

    torch.set_num_threads(1)
    found = {"models": models(seconds)}
    found |= {"parts": parts(seconds / 4), "choices": choices(seconds / 4)}
    print(json.dumps(found, ensure_ascii=False))


def main() -> None:
    """两种设置各开一个进程，合成一份；同一种处理器的旧的一份换掉。"""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=6.0, help="每种做法跑几秒")
    parser.add_argument("--child", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
        return
    record = {"machine": timing.machine(*PACKAGES), "switch": SWITCH}
    for name, extra in {"plain": {}, "switched": SWITCH}.items():
        print(f"== {extra or '照原样'}", flush=True)
        # make bench 在 AMD 上已设好这个变量，「照原样」要先去掉
        bare = {key: v for key, v in os.environ.items() if key not in SWITCH}
        record[name] = timing.elsewhere(
            __file__, str(options.seconds), env=bare | extra
        )
    path = timing.FOLDER / "wings.json"
    kept = json.loads(path.read_text("utf8"))["machines"] if path.exists() else []
    timing.write("wings", {"machines": by_processor(kept, record)})


def by_processor(kept: list[dict], record: dict) -> list[dict]:
    """一种处理器一份，新的在它旧的那一份的位置上；没有旧的，排在最后。"""
    found = {one["machine"]["processor"]: one for one in kept}
    return list((found | {record["machine"]["processor"]: record}).values())


if __name__ == "__main__":
    main()
