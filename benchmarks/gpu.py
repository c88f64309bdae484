"""一张 GPU 上的全部检查与测量：一条命令，八分钟之内。

PYTHONPATH=src python benchmarks/gpu.py               写进 benchmarks/gpu.json
python benchmarks/gpu.py --data cifar10_jpeg75 --root cifar10-jpeg.tar.xz
python benchmarks/gpu.py --tiny --out 文件夹          没有 GPU 时试跑：每样几步，几秒钟

依次是：与 CPU 对齐、同一种子两遍、续训、bfloat16、各模块的速度、训练的速度、朴素的
ViT。做完一样写一次；一样出了错，记下它的话，接着做下一样。
"""

from __future__ import annotations

import argparse
import copy
import importlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from unittest import mock

import timing

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # 确定性的开关要它

import numpy as np
import plain_vit
import torch
from plain_vit import Resident
from torch import Tensor, nn
from torch.utils.benchmark import Timer

from vision_attention import data
from vision_attention.data import Dataset
from vision_attention.specs import named
from vision_attention.torch import GATES, MultiHeadSelfAttention, build, fit, init
from vision_attention.training.config import TrainConfig
from vision_attention.training.journal import Journal


@dataclass(frozen=True)
class Setup:
    """在哪里、做多大、到什么时候为止。

    参数: until 为 perf_counter 的时刻，过了它就不再开始新的测量
    """

    device: torch.device
    tiny: bool
    until: float
    name: str
    root: str | None

    @property
    def left(self) -> float:
        """还剩几秒。"""
        return self.until - time.perf_counter()

    def photos(self) -> Dataset:
        """训练用的照片；试跑时是手写数字。"""
        if self.tiny:
            return data.load("digits", validation=100)
        validation = plain_vit.VALIDATION
        return data.load(self.name, validation=validation, root=self.root)

    def recipe(self) -> tuple[dict, TrainConfig]:
        """朴素的 ViT 的尺寸与训练设置。"""
        if self.tiny:
            return plain_vit.TINY_MODEL, plain_vit.TINY_TRAIN
        return plain_vit.MODEL, plain_vit.TRAIN


def answered(model: nn.Module, x: Tensor) -> list[np.ndarray]:
    """输出、输入的梯度与各个参数的梯度。"""
    x = x.detach().requires_grad_()
    y = model.train()(x)
    y.square().mean().backward()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    return [value.detach().cpu().numpy() for value in (y, x.grad, *grads)]


def gap(ours: list[np.ndarray], theirs: list[np.ndarray]) -> float:
    """最大的差，除以同一个数组里最大的数；有 NaN 就是 NaN。"""
    pairs = zip(ours, theirs, strict=True)
    shares = [abs(a - b).max() / max(abs(a).max(), 1e-6) for a, b in pairs]
    return float(np.max(shares))


def parity(setup: Setup) -> dict:
    """同一份权重，CPU 与这个设备，输出与梯度差多少；Paddle 有 GPU 版就也比。"""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    init.seed(0)
    cases = {key: (gate(16), (3, 16, 11, 13)) for key, gate in GATES.items()}
    cases["self_attention"] = (MultiHeadSelfAttention(48, 3), (2, 11, 48))
    for key in ("vit_tiny", "resnet_narrow"):
        cases[key] = (build(named(key)), (4, 1, 8, 8))
    found = {}
    for key, (model, shape) in cases.items():
        x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
        there = copy.deepcopy(model).to(setup.device)
        found[key] = gap(answered(model, x), answered(there, x.to(setup.device)))
    worst = max(found, key=found.get)
    said = f"与 CPU 最多差 {found[worst]:.1e}（{worst}）；{paddle_said(setup)}"
    return {"gaps": found, "said": said}


def paddle_said(setup: Setup) -> str:
    """Paddle 一翼在同一个设备上，与 PyTorch 的输出差多少；没有 GPU 版就说没有。"""
    with suppress(ImportError):
        paddle = importlib.import_module("paddle")
        if setup.tiny or paddle.is_compiled_with_cuda():
            paddle.set_device("cpu" if setup.tiny else "gpu")
            theirs = importlib.import_module("vision_attention.paddle")
            interop = importlib.import_module("vision_attention.interop")
            left, right = build(named("vit_tiny")), theirs.build(named("vit_tiny"))
            interop.copy_weights(left, right)
            x = np.random.default_rng(0).standard_normal((4, 1, 8, 8)).astype("f4")
            ours = left.to(setup.device)(torch.from_numpy(x).to(setup.device))
            there = right(paddle.to_tensor(x)).numpy()
            return f"两翼的 ViT 差 {gap([ours.detach().cpu().numpy()], [there]):.1e}"
    return "没有 Paddle 的 GPU 版，没有比"


def trained(setup: Setup, name: str, checkpoint: Path | None = None, **settings):
    """在手写数字上训练一个小模型；返回它的权重与经过。"""
    init.seed(3)
    model = build(named(name))
    steps = 8 if setup.tiny else 200
    settings |= {"steps": steps, "warmup_steps": 2, "eval_every": steps // 4}
    settings |= {"device": "cpu" if setup.tiny else "gpu", "augment": "weak"}
    settings["max_train_eval"] = 200
    dataset, config = data.load("digits", max_test=200), TrainConfig(**settings)
    history = fit(model, dataset, config, checkpoint=checkpoint)
    return [value.cpu() for value in model.state_dict().values()], history


@contextmanager
def deterministic(on: bool):
    """照 on 打开确定性的开关，离开时关上。"""
    torch.use_deterministic_algorithms(on)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


def equal(left: list[Tensor], right: list[Tensor]) -> bool:
    """两份权重是不是逐位相同。"""
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


def same_seed(setup: Setup) -> dict:
    """同一个种子训练两遍，权重是不是逐位相同；不开与打开确定性的开关。"""
    found = {}
    for name in ("vit_tiny", "resnet_narrow"):
        for switch, on in {"不开": False, "打开": True}.items():
            with deterministic(on):
                first, again = (trained(setup, name)[0] for _ in range(2))
            found[f"{name} {switch}开关"] = equal(first, again)
    said = [f"{k}，{'逐位相同' if same else '不同'}" for k, same in found.items()]
    return {"equal": found, "said": "；".join(said)}


def resumed(setup: Setup) -> dict:
    """停在半路，从检查点接着做完，与没有停过的是不是逐位相同。"""
    add, last = Journal.add, 5 if setup.tiny else 130

    def stop(self: Journal, loss: Tensor) -> None:
        add(self, loss)
        if self.step == last:
            raise KeyboardInterrupt

    with tempfile.TemporaryDirectory() as folder, deterministic(True):
        path = Path(folder) / "half.safetensors"
        with mock.patch.object(Journal, "add", stop), suppress(KeyboardInterrupt):
            trained(setup, "vit_tiny", path)
        stopped = path.exists()
        half, whole = (trained(setup, "vit_tiny", p)[0] for p in (path, None))
    same = stopped and equal(whole, half)
    return {"equal": same, "said": f"与没有停过的{'逐位相同' if same else '不同'}"}


def bfloat16(setup: Setup) -> dict:
    """两种精度各训练一遍：准确率与速度。"""
    found = {}
    for precision in ("float32", "bfloat16"):
        _, history = trained(setup, "vit_tiny", precision=precision)
        speed = history.images_per_second
        found[precision] = {"accuracy": history.test_accuracy[-1], "speed": speed}
    said = (f"{k} 的准确率 {one['accuracy']:.3f}" for k, one in found.items())
    return {"precision": found, "said": "，".join(said)}


def alternate(setup: Setup, runs: dict[str, Callable]) -> dict[str, list[float]]:
    """轮流跑，按墙上的钟计，每次都等 GPU 做完。"""
    rounds, least = (2, 0.001) if setup.tiny else (9, 0.02)
    timers = {name: Timer("run()", globals={"run": runs[name]}) for name in runs}
    repeats = {
        name: timer.blocked_autorange(min_run_time=least).number_per_run
        for name, timer in timers.items()
    }
    times = {name: [] for name in runs}
    for number in range(rounds):
        for name in sorted(timers, reverse=bool(number % 2)):
            times[name].append(timers[name].timeit(repeats[name]).median)
    return times


def speed(setup: Setup) -> dict:
    """每个模块与 timm、vit-pytorch 的同一个定义比，64 张；做法见 peers.py。"""
    peers = importlib.import_module("peers")
    rows = []
    for case in peers.CASES[:2] if setup.tiny else peers.CASES:
        if setup.left < 0:
            break
        models = peers.build(case)
        peers.check(case, models)
        x = torch.randn((2 if setup.tiny else 64, *case.shape), device=setup.device)
        for mode in ("inference", "step" if case.name == "ViT" else "training"):
            prepare = getattr(peers, mode)
            runs = {k: prepare(m.to(setup.device), x) for k, m in models.items()}
            found = timing.compare(alternate(setup, runs))
            rows.append({"module": case.name, "mode": mode, **found})
    slow = [row["quartiles"][0] > 1 for row in rows if "ratio" in row]
    said = f"{len(slow)} 格有同行可比，整个区间都比最快的同行慢的 {sum(slow)} 格"
    return {"rows": rows, "said": said}


def throughput(setup: Setup) -> dict:
    """fit（每批从内存搬过去）与数据放在卡上，各是每秒几张。"""
    dataset, (sizes, config) = setup.photos(), setup.recipe()
    steps = 2 if setup.tiny else 40
    model = plain_vit.plain_vit(dataset, sizes)
    where = {"device": "cpu" if setup.tiny else "gpu", "max_train_eval": 500}
    where |= {"steps": steps, "warmup_steps": 0, "eval_every": steps}
    history = fit(model, dataset, replace(config, augment="weak", **where))
    held = Resident(dataset, setup.device)
    resident = plain_vit.pace(model, held, config, steps)
    found = {"fit": history.images_per_second, "resident": resident}
    said = f"每秒：fit {found['fit']:.0f} 张，数据放在卡上 {resident:.0f} 张"
    return {"images_per_second": found, "data": dataset.name, "said": said}


def targets(setup: Setup) -> dict:
    """朴素的 ViT 到 90 % 与 93 % 各要多久：剩下的时间里能做几次就做几次。"""
    dataset, (sizes, config) = setup.photos(), setup.recipe()
    held = Resident(dataset, setup.device)
    seconds, most = (1, 1) if setup.tiny else (plain_vit.SECONDS, plain_vit.RUNS)
    runs = []
    while len(runs) < most and (not runs or setup.left > 1.2 * seconds):
        runs.append(plain_vit.one_run(held, sizes, config, len(runs), seconds))
    mean = statistics.mean(run["test_accuracy"] for run in runs)
    said = [f"{len(runs)} 次，每次约 {seconds} 秒，测试集平均 {mean:.4f}"]
    for at in runs[0]["reached"]:
        times = [run["reached"][at] for run in runs if run["reached"][at]]
        took = f"，平均 {statistics.mean(times):.1f} 秒" if times else ""
        said.append(f"验证集到 {at} 的 {len(times)} 次{took}")
    settings = {"data": dataset.name, "model": sizes, "train": asdict(config)}
    return {**settings, "runs": runs, "said": "；".join(said)}


SECTIONS = {
    "与 CPU 对齐": parity,
    "同一种子两遍": same_seed,
    "续训": resumed,
    "bfloat16": bfloat16,
    "各模块的速度": speed,
    "训练的速度": throughput,
    "朴素的 ViT": targets,
}


def run(setup: Setup, out: Path) -> dict:
    """逐样做；出了错就记下，接着做下一样；每做完一样写一次。"""
    card = None if setup.tiny else torch.cuda.get_device_name(0)
    machine = timing.machine("torch", "numpy") | {"card": card}
    said = [f"{card or '没有 GPU，试跑'}，{machine['date']}"]
    found = {"machine": machine, "said": said, "sections": {}}
    for name, section in SECTIONS.items():
        start = time.perf_counter()
        try:
            done = section(setup)
        except (Exception, SystemExit) as error:
            told = f"{type(error).__name__}：{error}"[:300]
            done = {"failed": True, "said": f"没有做成，{told}"}
        found["sections"][name] = done | {"seconds": time.perf_counter() - start}
        said.append(f"{name}：{done['said']}")
        timing.write("gpu", found, out)
        print(said[-1], flush=True)
    return found


def main() -> None:
    """没有 GPU 又不是试跑，就说一句话。"""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="在 CPU 上试跑，几秒钟")
    parser.add_argument("--budget", type=float, default=450, help="一共至多几秒")
    parser.add_argument("--data", default="cifar10", help="cifar10 或 cifar10_jpeg75")
    parser.add_argument("--root", help="它的压缩包或文件夹")
    parser.add_argument("--out", type=Path, default=timing.FOLDER, help="记录写在哪里")
    options = parser.parse_args()
    if not options.tiny and not torch.cuda.is_available():
        raise SystemExit("✗ gpu：PyTorch 没有找到 GPU；试跑用 --tiny --out 文件夹")
    device = torch.device("cpu" if options.tiny else "cuda")
    until = time.perf_counter() + options.budget
    run(Setup(device, options.tiny, until, options.data, options.root), options.out)


if __name__ == "__main__":
    main()
