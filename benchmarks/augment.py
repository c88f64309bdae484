"""增强的速度：一个核上每秒处理多少张 32×32×3 的图片。

python benchmarks/augment.py            测量，打印一行一种增强
python benchmarks/augment.py --write    同时写进 benchmarks/augment.json
低于下限（weak 为每秒 20,000 张）时以 1 退出。
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from pathlib import Path

# 先于 NumPy 设好：只许一个线程
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

from vision_attention.data import augment
from vision_attention.measure.processor import processor_name

LEAST = {"weak": 20_000}
BATCH, BATCHES, REPEATS = 128, 40, 7
RECORD = Path(__file__).with_suffix(".json")


def measure(policy):
    """连跑 REPEATS 遍，返回每秒张数的中位数与两端；按处理器时间计，机器忙也公平。"""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (BATCH, 3, 32, 32), dtype=np.uint8)
    augment.pixels(images, rng, policy, flip=True)
    rates = []
    for _ in range(REPEATS):
        start = time.process_time()
        for _ in range(BATCHES):
            augment.pixels(images, rng, policy, flip=True)
        rates.append(BATCH * BATCHES / (time.process_time() - start))
    middle = statistics.median(rates)
    return {"median": round(middle), "min": round(min(rates)), "max": round(max(rates))}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="写进记录文件")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    record = {
        "unit": "张每秒，按单核的处理器时间计，uint8 (128, 3, 32, 32)",
        "processor": processor_name(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "images_per_second": {policy: measure(policy) for policy in ("weak", "strong")},
    }
    print(json.dumps(record, ensure_ascii=False, indent=2))
    if arguments.write:
        text = json.dumps(record, ensure_ascii=False, indent=2) + "\n"
        RECORD.write_text(text, encoding="utf-8")
    rates = record["images_per_second"]
    slow = [name for name, least in LEAST.items() if rates[name]["median"] < least]
    sys.exit(f"太慢：{'、'.join(slow)}" if slow else 0)


if __name__ == "__main__":
    main()
