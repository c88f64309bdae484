"""随机的时刻 kill -9，接着做，直到做完：一轮一轮，研究与训练都是。

用法: python tests/killing.py study|torch|paddle 几轮 种子 文件夹
逐轮印一行 JSON：杀了几次，与没有被打断的一样不一样。框架只载入一次，每次试都分出去。
"""

import json
import os
import random
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).parent
MOST = 5  # 一轮至多杀几次；再下一次让它做完


def attempt(job, seconds):
    """在分出去的进程里做；过了 seconds 秒就杀掉。返回做完没有。"""
    process = os.fork()
    if not process:
        os.setsid()
        job()
        os._exit(0)
    deadline = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            assert status == 0, status
            return True
        if time.monotonic() > deadline:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            return False
        time.sleep(0.002)


def training(wing, folder):
    """训练：做到底，写下曲线与权重。"""
    import test_training as t

    from vision_attention import interop

    room = t.rooms(wing)
    config = replace(t.QUICK, steps=30, eval_every=3)

    def job(name):
        model = t.network(room, "vit_tiny", **t.DROPPING)
        path = folder / f"{name}.safetensors"
        history = room.training.fit(model, t.DIGITS, config, checkpoint=path)
        interop.save(model, folder / f"{name}-weights.safetensors")
        curves = {k: v for k, v in vars(history).items() if isinstance(v, list)}
        (folder / f"{name}.json").write_text(json.dumps(curves), "utf8")

    def outcome(name):
        weights = (folder / f"{name}-weights.safetensors").read_bytes()
        return (folder / f"{name}.json").read_text("utf8"), weights

    return job, outcome


def study(folder):
    """研究：两个工作进程，每个运行睡一小会儿。"""
    import stand_ins
    import test_studies as t

    def job(name):
        t.run_all(t.store_in(folder / name), stand_ins.slow_stand_in)

    def outcome(name):
        lines = t.lines_of(t.store_in(folder / name))
        results = sorted((line["key"], str(line["results"])) for line in lines)
        return results, sorted(p.name for p in (folder / name).glob("*.jsonl"))

    return job, outcome


def main(kind, rounds, seed, place):
    """先不打断地做一遍，量出要多久；再一轮一轮地杀。"""
    sys.path[:0] = [str(HERE / "library"), str(HERE / "studies")]
    folder = Path(place)
    job, outcome = study(folder) if kind == "study" else training(kind, folder)
    began = time.monotonic()
    assert attempt(lambda: job("whole"), 600)
    longest, rng = time.monotonic() - began, random.Random(int(seed))
    for number in range(int(rounds)):
        name, kills = f"round{number}", 0
        limits = [rng.uniform(0, longest) for _ in range(MOST)] + [600]
        while not attempt(lambda name=name: job(name), limits[kills]):
            kills += 1
        same = outcome(name) == outcome("whole")
        print(json.dumps({"kills": kills, "same": same}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
