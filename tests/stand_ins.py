"""代替训练的几个函数：工作进程里也要能载入，所以单独成文件，不带测试工具。"""

import os
import time
from pathlib import Path

from vision_attention.studies.running.pool import Result, attempt

USUAL = object()


class Here:
    """就在这个进程里做的执行者，一次一件：不看工作进程的测试用它，省下起停。"""

    def __init__(self, work):
        self.work, self.job = work, None

    def __enter__(self):
        return self

    def __exit__(self, *details):
        pass

    @property
    def free(self):
        return int(self.job is None)

    def submit(self, job):
        self.job = job

    def wait(self, timeout=None):
        job, self.job = self.job, None
        return [Result(job, *attempt(self.work, job))]


def stand_in(run, accuracy=USUAL):
    """不训练，直接给出一条像样的记录；accuracy 为 None 时没有测到。"""
    if accuracy is USUAL:
        shift = 0.05 if run.model["attention"] == "cbam" else 0.0
        accuracy = 0.8 + shift + 0.01 * run.seed
    return {
        "key": run.key,
        "run": run.settings(),
        "results": {"test_accuracy": accuracy, "parameters": 7, "macs": 11},
        "curves": {"step": [0, 6], "test_accuracy": [0.1, accuracy]},
        "seconds": 0.1,
        "cpu_seconds": 0.2,
        "data": {"name": "digits", "fingerprint": "0123456789abcdef"},
        "framework": {"name": run.framework, "version": "1"},
        "processor": {"device": "cpu", "name": "某处理器", "threads": 1},
        "code": {"version": "0", "commit": None, "dirty": None},
        "started": "2026-01-01T00:00:00+00:00",
    }


def slow_stand_in(run):
    time.sleep(0.15)
    return stand_in(run)


def stuck_stand_in(run):
    """做完头几个就停在半路：信号来得多晚，都还有没做完的。"""
    records = Path(os.environ["RECORDS"])
    if records.exists() and len(records.read_text("utf8").splitlines()) >= 3:
        time.sleep(600)
    return stand_in(run)


def fragile(run):
    """一粒种子出错；另有一个运行连进程一起死掉。"""
    if run.seed == 1:
        raise ValueError("这粒种子不行")
    if run.seed == 2 and list(run.levels.values()) == ["cbam", "weak", "paddle"]:
        os._exit(9)
    return stand_in(run)
