"""把一项研究缺的运行做完：认领、派活、落盘；随时可以被打断，再来只做缺的。

内容: run_study、Event、Tally、pending。
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from vision_attention.storage import records
from vision_attention.storage.locks import Leases, state_folder
from vision_attention.studies.design.runs import Run
from vision_attention.studies.running.execute import execute
from vision_attention.studies.running.pool import Pool, Result
from vision_attention.studies.store.library import StudyStore


@dataclass(frozen=True)
class Event:
    """跑的过程里发生的一件事。

    参数: kind 为 start / done / failed / elsewhere / rejected；run 为相关的运行；
        record 为写下的记录；text 为要说的话
    """

    kind: str
    run: Run | None = None
    record: dict | None = None
    text: str = ""


Watch = Callable[[Event], None]


@dataclass
class Tally:
    """这一趟的账：写下、失败、别的进程在做的各有几次。"""

    done: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    elsewhere: int = 0


class Executor(Protocol):
    """执行者：本机的 Pool，或 Ray 集群。"""

    free: int

    def submit(self, job: Run) -> None: ...
    def wait(self, timeout: float | None = None) -> list[Result]: ...


def quiet(event: Event) -> None:
    """什么也不说的 watch。"""


def work(run: Run, data_root: str | None = None, threads: int = 1) -> dict:
    """工作进程里做的事。"""
    return execute(run, data_root=data_root, threads=threads)


def pending(
    store: StudyStore, frameworks: Sequence[str] | None = None, limit: int | None = None
) -> list[Run]:
    """还没有记录的运行。

    参数: frameworks 只要这些框架的；limit 最多几个
    """
    done = store.done()
    missing = [
        run
        for run in store.runs
        if run.key not in done and (not frameworks or run.framework in frameworks)
    ]
    return missing[:limit]


def local_executor(workers: int, threads: int, data_root: str | None) -> Pool:
    """本机的工作进程。"""
    job = functools.partial(work, data_root=data_root, threads=threads)
    return Pool(job, workers, threads)


def clean(store: StudyStore, watch: Watch) -> None:
    """开跑前把写坏的、外来的行移开，并逐行报告。"""
    state_folder(store.folder)
    for item in store.set_aside():
        text = f"{store.path.name} 第 {item.line} 行移到了 {records.REJECTED_NAME}："
        watch(Event("rejected", text=text + item.reason))


def run_study(
    store: StudyStore, runs: Sequence[Run], executor: Executor, watch: Watch = quiet
) -> Tally:
    """把 runs 做完，每完成一个就落盘一条。

    参数: store 为研究；runs 为要做的运行；executor 为执行者；watch 听取每件事
    返回: 这一趟的账；失败的运行不写记录，下次再跑会重做
    错误: 记录写不进去时抛出 OSError，已写的不受影响
    """
    tally, leases, queue = Tally(), Leases(store.folder), list(runs)
    busy = 0
    try:
        while queue or busy:
            while queue and executor.free > 0:
                run = queue.pop(0)
                if not _lease(store, leases, run):
                    tally.elsewhere += 1
                    watch(Event("elsewhere", run))
                    continue
                executor.submit(run)
                busy += 1
                watch(Event("start", run))
            if busy:
                for result in executor.wait(1.0):
                    busy -= 1
                    _settle(store, tally, result, watch)
                    leases.free(result.job.key)
    finally:
        leases.close()
    return tally


def _lease(store: StudyStore, leases: Leases, run: Run) -> bool:
    """认领，并确认别人没有刚刚写完它。"""
    if not leases.take(run.key):
        return False
    if run.key in store.done():
        leases.free(run.key)
        return False
    return True


def _settle(store: StudyStore, tally: Tally, result: Result, watch: Watch) -> None:
    """一个运行有了结果：落盘，或记下失败。"""
    run: Run = result.job
    written = False
    if result.error is None:
        try:
            written = store.append(result.value)
        except ValueError as error:  # 做出来的记录不合要求
            result = replace(result, error=str(error))
    if result.error is not None:
        tally.failed[run.key] = result.error
        log = state_folder(store.folder) / f"{run.key}.error.txt"
        log.write_text(f"{run}\n{result.error}\n{result.detail}", encoding="utf-8")
        watch(Event("failed", run, text=result.error))
    elif written:
        tally.done += 1
        watch(Event("done", run, result.value))
    else:
        tally.elsewhere += 1
        watch(Event("elsewhere", run))


def describe(run: Run) -> str:
    """一个运行的一句话。"""
    parts: dict[str, Any] = run.levels or {"framework": run.framework}
    shown = [f"{name}={level}" for name, level in parts.items()]
    return " ".join([*shown, f"seed={run.seed}"])
