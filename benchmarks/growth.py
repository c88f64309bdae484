"""ViT 的一个训练步随什么长：token、宽、深、张数各改一样，秒数与内存，旁边是乘加之比。

python benchmarks/growth.py    两翼，打印并写进 benchmarks/growth.json；要 Linux
"""

from __future__ import annotations

import argparse
import json
import statistics
import warnings

import timing

PACKAGES = ("torch", "paddlepaddle")
# 起点：图 32×32 切成 64 块，加分类 token 是 65 个；每次只改一样
BASE = {"patch_size": 4, "embed_dim": 128, "depth": 6, "batch": 64}
AXES = {
    "token": {"patch_size": (8, 4, 2)},
    "宽": {"embed_dim": (64, 128, 256)},
    "深": {"depth": (3, 6, 12)},
    "张数": {"batch": (16, 64, 256)},
}
ROUNDS = 5


def cases() -> list[dict]:
    """起点与每次改的一样，起点只量一次。"""
    found = [{"axis": None, **BASE}]
    for axis, changes in AXES.items():
        ((name, values),) = changes.items()
        found += [{"axis": axis, **BASE, name: v} for v in values if v != BASE[name]]
    return found


def step_of(wing_name: str, case: dict):
    """完整的一步，与一张图的 token 数、乘加次数。"""
    import numpy as np

    from vision_attention import specs
    from vision_attention.training.config import TrainConfig
    from vision_attention.wings import load_wing

    wing = load_wing(wing_name)
    training = wing.module("training")
    sizes = {name: case[name] for name in ("patch_size", "embed_dim", "depth")}
    # 每头的宽不变，头数随宽长
    spec = specs.ViTSpec(**sizes, num_heads=case["embed_dim"] // 32)
    rng = np.random.default_rng(0)
    images = rng.standard_normal((case["batch"], 3, 32, 32)).astype("float32")
    targets = np.eye(10, dtype="float32")[rng.integers(0, 10, case["batch"])]
    config = TrainConfig(device="cpu")
    model = wing.module("models").build(spec)
    optimizer = training.build_optimizer(model, config)
    model.train()
    macs = wing.module("counting").count_macs(model, (3, 32, 32))
    tokens = (32 // case["patch_size"]) ** 2 + 1

    def step() -> None:
        training.train_step(model, optimizer, images, targets, config)

    return step, {"tokens": tokens, "macs": macs * case["batch"]}


def child(wing_name: str, memory: bool) -> None:
    """在这个进程里量一翼的秒数或内存，最后一行是 JSON。"""
    timing.quiet(keep_memory=not memory)
    warnings.filterwarnings("ignore", "No ccache found|When training, we now always")
    import torch

    from vision_attention.measure.memory import peak_memory
    from vision_attention.measure.timing import clocked

    torch.set_num_threads(1)
    rows = []
    for case in cases():
        step, sizes = step_of(wing_name, case)
        step()  # 预热
        if memory:
            found = {"bytes": peak_memory(step)}
        else:
            times = [clocked(step, 1) for _ in range(ROUNDS)]
            found = {"seconds": statistics.median(times)}
        rows.append(case | sizes | found)
        print(wing_name, rows[-1], flush=True)
    print(json.dumps(rows, ensure_ascii=False))


def main() -> None:
    """一翼的秒数与内存各开一个进程：量秒数时内存用过不还，量内存时要还。"""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child[0], options.child[1] == "memory")
        return
    rows = []
    for wing in ("torch", "paddle"):
        seconds, memory = (
            timing.elsewhere(__file__, wing, what) for what in ("seconds", "memory")
        )
        rows += [
            {"wing": wing, **one, "bytes": other["bytes"]}
            for one, other in zip(seconds, memory, strict=True)
        ]
    timing.write("growth", {"machine": timing.machine(*PACKAGES), "rows": rows})


if __name__ == "__main__":
    main()
