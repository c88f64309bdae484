"""工作进程：每个进程一次做一件活，死了一个不牵连别的，主进程死了它们也走。

内容: Pool、Result、attempt。进程用 spawn 启动，框架只在工作进程里载入。
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)

# 闲着的进程收拾自己的时间（秒）
PATIENCE = 5.0

Work = Callable[[Any], Any]


@dataclass(frozen=True)
class Result:
    """一件活的结果；失败时 value 为 None，error 是一行话，detail 是全部经过。"""

    job: Any
    value: Any = None
    error: str | None = None
    detail: str = ""


Reply = tuple[Any, "str | None", str]


def attempt(work: Work, job: Any) -> Reply:
    """做一件活，返回 (结果, 错误的一句话, 全部经过)；不让错误跑出去。"""
    try:
        return work(job), None, ""
    except Exception as error:
        words = str(error).strip() or "没有说明"
        # 这两类是写给使用者看的整句话，别的要带上类名才看得懂
        plain = isinstance(error, ValueError | OSError)
        sentence = words if plain else f"{type(error).__name__}：{words}"
        return None, sentence, traceback.format_exc()


def _leave_with_parent() -> None:
    """主进程一死（包括 kill -9）就退出，不留孤儿继续占 CPU。"""
    wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _serve(pipe: Connection, work: Work) -> None:
    """工作进程的一生：收活，做活，交结果。"""
    # Ctrl-C 由主进程处理；终端会把信号发给整组进程
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    while True:
        try:
            job = pipe.recv()
            pipe.send(attempt(work, job))
        except (EOFError, OSError):
            # 主进程不在了，没有人要结果
            return


@contextlib.contextmanager
def _threads_set(threads: int) -> Iterator[None]:
    """启动子进程的片刻里设好线程数：数学库在载入时就读它。"""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class _Worker:
    """一个工作进程，连同它手上的活。"""

    def __init__(self, work: Work, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, work), daemon=True)
        with _threads_set(threads):
            self.process.start()
        theirs.close()
        self.job: Any = None

    def start(self, job: Any) -> None:
        self.job = job
        with contextlib.suppress(BrokenPipeError):
            self.pipe.send(job)

    def collect(self) -> Result:
        """取回结果；进程已死时说明它是怎么死的。"""
        job, self.job = self.job, None
        try:
            value, error, detail = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            code = self.process.exitcode
            return Result(
                job, error=f"工作进程意外结束（退出码 {code}），可能是内存不足"
            )
        return Result(job, value, error, detail)

    def stop(self) -> None:
        """闲着的请它自己走，忙着的或不肯走的就结束它。"""
        self.pipe.close()
        if self.job is None:
            self.process.join(PATIENCE)
        self.process.kill()
        self.process.join()


class Pool:
    """若干工作进程。

    参数: work 在工作进程里做一件活的函数，可被 pickle；workers 为进程数；
        threads 为每个进程的线程数
    """

    def __init__(self, work: Work, workers: int, threads: int) -> None:
        self.work, self.size, self.threads = work, workers, threads
        self._workers: list[_Worker] = []

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *details: object) -> None:
        for worker in self._workers:
            worker.stop()

    @property
    def running(self) -> list[Any]:
        """在做的活。"""
        return [worker.job for worker in self._workers if worker.job is not None]

    @property
    def free(self) -> int:
        """还能再接几件活。"""
        return self.size - len(self.running)

    def submit(self, job: Any) -> None:
        """交出一件活；没有空闲的进程就新开一个。"""
        idle = [w for w in self._workers if w.job is None and w.process.is_alive()]
        if not idle:
            idle = [_Worker(self.work, self.threads)]
            self._workers.append(idle[0])
        idle[0].start(job)

    def wait(self, timeout: float | None = None) -> list[Result]:
        """等到至少一件活有结果；超时返回空列表。"""
        busy = {w.pipe: w for w in self._workers if w.job is not None}
        ready = [busy[pipe] for pipe in wait(list(busy), timeout)]
        results = [worker.collect() for worker in ready]
        for worker in ready:
            if not worker.process.is_alive():
                worker.stop()
                self._workers.remove(worker)
        return results
