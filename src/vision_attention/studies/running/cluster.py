"""同一项研究放到 Ray 集群上：换一个执行者，认领、落盘与记录的样子都不变。

内容: RayExecutor。节点死了，它手上的运行会在别的节点上重做。
"""

from __future__ import annotations

import functools
import os
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Any

from vision_attention.studies.design.runs import Run
from vision_attention.studies.running.pool import Reply, Result, Work, attempt
from vision_attention.studies.running.runner import work

# 一个运行最多换几次节点；总失败就不是节点的问题了
ATTEMPTS = 5
# 敲门等多久（秒）
KNOCK = 5.0


class RayExecutor:
    """Ray 集群上的执行者，用法同 Pool。

    有 GPU 的集群上，一个 GPU 一次做一个运行（device 写明 cpu 的除外）；
    没有则每个运行占 threads 个核。各节点要装同一版的本包与框架。
    参数: address 为集群的地址（auto、ray://主机:10001、主机:6379）；data_root 为各节点
        都读得到的数据所在；threads 为每个运行的线程数；job 为做的事，测试时可以换
    错误: 没有安装 Ray、连不上集群时抛出 ValueError
    """

    def __init__(
        self,
        address: str,
        data_root: str | None = None,
        threads: int = 1,
        job: Work | None = None,
    ) -> None:
        self.ray, self.threads = _connect(address), threads
        self.gpus = int(self.ray.cluster_resources().get("GPU", 0))
        usual = functools.partial(work, data_root=data_root, threads=threads)
        self.remote = self.ray.remote(_task(job or usual))
        self.jobs: dict[Any, tuple[Run, int]] = {}

    def __enter__(self) -> RayExecutor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for reference in self.jobs:
            self.ray.cancel(reference, force=True)
        self.ray.shutdown()

    @property
    def size(self) -> int:
        """集群此刻能同时做几个；节点加入或退出，它随着变。"""
        found = self.ray.cluster_resources()
        if self.gpus:
            return max(1, int(found.get("GPU", 0)))
        return max(1, int(found.get("CPU", 0)) // self.threads)

    @property
    def free(self) -> int:
        """还能再接几个。"""
        return self.size - len(self.jobs)

    def needs(self, run: Run) -> dict[str, float]:
        """一个运行要占的资源。"""
        wants_gpu = run.train.get("device", "auto") != "cpu"
        return {
            "num_cpus": self.threads,
            "num_gpus": 1 if self.gpus and wants_gpu else 0,
        }

    def submit(self, job: Run) -> None:
        """交出一个运行。"""
        self._send(job, 1)

    def _send(self, run: Run, tries: int) -> None:
        # Ray 按 num_cpus 设好任务进程的 OMP_NUM_THREADS
        options = {**self.needs(run), "max_retries": 0, "name": run.key}
        self.jobs[self.remote.options(**options).remote(run)] = (run, tries)

    def wait(self, timeout: float | None = None) -> list[Result]:
        """等到至少一个有结果；节点死掉的重新交出。"""
        ready, _ = self.ray.wait(list(self.jobs), timeout=timeout)
        results = [self._collect(reference) for reference in ready]
        return [result for result in results if result is not None]

    def _collect(self, reference: Any) -> Result | None:
        run, tries = self.jobs.pop(reference)
        try:
            value, error, detail = self.ray.get(reference)
        except self.ray.exceptions.RayError as lost:
            if tries < ATTEMPTS:
                self._send(run, tries + 1)
                return None
            words = f"换了 {ATTEMPTS} 次节点都没有做完：{type(lost).__name__}"
            return Result(run, error=words, detail=str(lost))
        return Result(run, value, error, detail)


def _task(job: Work) -> Callable[[Run], Reply]:
    """Ray 只收真正的函数，不收 partial。"""

    def task(run: Run) -> Reply:
        return attempt(job, run)

    return task


def _connect(address: str) -> Any:
    # Ray 默认向它的公司报告用量；使用者自己设过的不动
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ModuleNotFoundError as error:
        raise ValueError(
            "没有安装 Ray；请运行 pip install 'vision-attention[cluster]'"
        ) from error
    try:
        _knock(address)
        ray.init(address=address, log_to_driver=False, logging_level="error")
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"连不上 Ray 集群 {address!r}：{error}；"
            "请先在主节点运行 ray start --head --disable-usage-stats，再写它给出的地址"
        ) from error
    return ray


def _knock(address: str) -> None:
    """先敲门：没有人应的地址，Ray 自己要等几分钟才说。"""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host, int(port)), timeout=KNOCK).close()
