"""复核：随机抽几条 CPU 上的记录重做一遍，看说的话还算不算数。

内容: verify、Check、judge、sample、TOLERANCE。
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vision_attention.checks import ArgumentError
from vision_attention.studies.design.runs import Run
from vision_attention.studies.running.pool import Pool
from vision_attention.studies.running.provenance import processor, version_of
from vision_attention.studies.running.runner import work
from vision_attention.studies.tasks import TASKS

# 换了处理器或版本，浮点求和的次序不同，训练会慢慢走岔；
# 指标许可的差，取 10 粒种子之间常见的标准差的两三倍
TOLERANCE = {
    "test_accuracy": 0.04,
    "train_accuracy": 0.04,
    "test_loss": 0.25,
    "train_loss": 0.1,
    "source_accuracy": 0.04,
    "attention_distance": 0.5,
    "reach_share": 0.1,
    "reach_radius": 2.0,
    "noticed_first": 0.1,
    "noticed_last": 0.1,
}
SAME, CLOSE, DIFFERENT, FAILED = "完全一致", "在容差内", "不一致", "没能重做"


@dataclass(frozen=True)
class Check:
    """一条记录的复核结果。

    参数: record 原记录；outcome 四种结果之一；why 为何这样判
    """

    record: dict
    outcome: str
    why: str

    @property
    def good(self) -> bool:
        """算不算复现了。"""
        return self.outcome in (SAME, CLOSE)


def sample(records: Sequence[dict], fraction: float, seed: int) -> list[dict]:
    """抽出要复核的 CPU 记录，至少一条。

    参数: fraction 为份额，取 (0, 1]；seed 定下抽中哪些
    错误: 份额越界、没有 CPU 记录时抛出 ValueError
    """
    if not 0 < fraction <= 1:
        raise ArgumentError(
            f"fraction={fraction} 超出范围，应取 (0, 1]，例如 0.05", "fraction"
        )
    on_cpu = [r for r in records if r["processor"]["device"] == "cpu"]
    if not on_cpu:
        raise ValueError("没有 CPU 上的记录可复核；请先运行 vision-attention study run")
    count = max(1, round(fraction * len(on_cpu)))
    return random.Random(seed).sample(on_cpu, count)


def same_machine(record: dict) -> bool:
    """现在的框架版本与处理器是否和记录时一样；一样就应当逐位相同。"""
    now = processor("cpu", record["processor"]["threads"])
    names = ("name", "threads", "system", "numpy")
    framework, then = record["framework"], record["processor"]
    # 早先的记录没有记下型号，只比得了名字
    names += ("model",) if "model" in then else ()
    return framework["version"] == version_of(framework["name"]) and all(
        now[name] == then.get(name) for name in names
    )


def judge(record: dict, again: dict, strict: bool) -> Check:
    """比较原记录与重做的记录。

    参数: strict 为真时要求曲线逐位相同，否则最后的指标在 TOLERANCE 之内即可
    """
    if record["data"]["fingerprint"] != again["data"]["fingerprint"]:
        return Check(record, DIFFERENT, "数据的指纹不同")
    timed = TASKS[record["run"]["task"]].timed
    if timed:
        return _judge_exact_part(record, again, timed)
    # 没有训练的臂没有曲线，只有末尾的指标，所以两样都要比
    if all(record[part] == again[part] for part in ("curves", "results")):
        return Check(record, SAME, "每个评估点、每个指标都相同")
    gaps = {
        name: abs(record["results"][name] - again["results"][name])
        for name in TOLERANCE
        if record["results"].get(name) is not None
        and again["results"].get(name) is not None
    }
    listed = "，".join(f"{name} 差 {gap:.4g}" for name, gap in gaps.items())
    if strict:
        return Check(record, DIFFERENT, f"版本与处理器相同，曲线却不同：{listed}")
    within = all(
        gap <= _allowed(name, record["results"][name]) for name, gap in gaps.items()
    )
    return Check(record, CLOSE if within else DIFFERENT, listed)


def _allowed(name: str, value: float) -> float:
    """一个指标许可的差；大于 1 的损失按比例算：背下了随机标签，测试损失可以到 10。"""
    return TOLERANCE[name] * (max(1.0, value) if name.endswith("_loss") else 1.0)


def _judge_exact_part(record: dict, again: dict, timed: Sequence[str]) -> Check:
    """量时间的记录：用时与内存每次都不同，只比其余各项，它们处处应当逐位相同。"""
    first, second = record["results"], again["results"]
    names = [name for name in {**first, **second} if name not in timed]
    wrong = [name for name in names if first.get(name) != second.get(name)]
    if not wrong:
        listed = "、".join(names)
        return Check(record, SAME, f"{listed} 都相同；用时与内存不比")
    gaps = [f"{name} 从 {first.get(name)} 变成 {second.get(name)}" for name in wrong]
    return Check(record, DIFFERENT, "，".join(gaps))


def verify(
    records: Sequence[dict],
    *,
    workers: int = 1,
    data_root: str | None = None,
    watch: Callable[[Check], None] = lambda check: None,
) -> list[Check]:
    """把给定的记录重做一遍，逐条下判断；线程数照原记录。

    参数: records 为抽中的记录；workers 为同时做几条；watch 每判完一条就听到
    """
    checks: list[Check] = []
    for threads in sorted({r["processor"]["threads"] for r in records}):
        group = [r for r in records if r["processor"]["threads"] == threads]
        job = functools.partial(_again, data_root=data_root, threads=threads)
        with Pool(job, workers, threads) as pool:
            while group or pool.running:
                while group and pool.free:
                    pool.submit(group.pop())
                for result in pool.wait():
                    checks.append(_check(result.job, result.value, result.error))
                    watch(checks[-1])
    return checks


def _again(record: dict, data_root: str | None, threads: int) -> dict:
    """工作进程里：照记录的设置重做。"""
    return work(Run.from_settings(record["run"]), data_root, threads)


def _check(record: dict, again: dict | None, error: str | None) -> Check:
    if again is None:
        return Check(record, FAILED, error or "")
    return judge(record, again, same_machine(record))
