"""注意力的内存峰值随记号数 N 的增长：自己写的四步与融合核，两翼各量一遍。

python benchmarks/memory.py    打印并写进 benchmarks/memory.json；只能在 Linux 上跑
"""

from __future__ import annotations

import warnings

import timing

timing.quiet(keep_memory=False)
warnings.filterwarnings("ignore", "No ccache found")

import paddle
import torch

import vision_attention.paddle
import vision_attention.torch
from vision_attention.measure.memory import peak_memory

TOKENS = (64, 256, 1024, 2048)
WIDTH, HEADS = 128, 4
PACKAGES = ("torch", "paddlepaddle")


def runner(name: str, fused: bool, tokens: int, training: bool):
    """一次推理，或一次前向加反向。"""
    framework = {"torch": torch, "paddle": paddle}[name]
    wing = {"torch": vision_attention.torch, "paddle": vision_attention.paddle}[name]
    module = wing.MultiHeadSelfAttention(WIDTH, HEADS, fused=fused)
    x = framework.randn((1, tokens, WIDTH))

    def run() -> None:
        if training:
            module(x).sum().backward()
            return
        with framework.no_grad():
            module(x)

    return run


def main() -> None:
    """逐个测量：各预热一次，再量一次。"""
    torch.set_num_threads(1)
    rows = []
    for name in ("torch", "paddle"):
        for training in (False, True):
            for fused in (False, True):
                for tokens in TOKENS:
                    run = runner(name, fused, tokens, training)
                    run()
                    peak = peak_memory(run)
                    rows.append(
                        {
                            "wing": name,
                            "mode": "training" if training else "inference",
                            "fused": fused,
                            "tokens": tokens,
                            "bytes": peak,
                        }
                    )
                    print(rows[-1], flush=True)
    settings = {"embed_dim": WIDTH, "num_heads": HEADS, "batch": 1}
    record = {"machine": timing.machine(*PACKAGES), "settings": settings, "rows": rows}
    timing.write("memory", record)


if __name__ == "__main__":
    main()
