"""量时间：几种做法在同一个进程里轮流跑，比的是中位数。

机器忙的时候，墙上的钟量的是别人；这里一律只用一个线程，按处理器时间计。
"""

from __future__ import annotations

import ctypes
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from vision_attention.measure.processor import processor_name
from vision_attention.measure.timing import alternate as take_turns

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc 的 malloc.h
FOLDER = Path(__file__).parent


def quiet(*, keep_memory: bool = True) -> None:
    """只用一个线程，内存用过不还；要在载入 NumPy 与两个框架之前调用。

    glibc 默认把大块内存还给系统，下一步再要回来时逐页清零：这笔时间时有时无，
    看的是谁先谁后，与谁的代码好坏无关，所以对所有做法一律免去。
    量内存的时候 keep_memory 要为假。
    """
    for name in ("OMP", "MKL", "OPENBLAS"):
        os.environ[f"{name}_NUM_THREADS"] = "1"
    if keep_memory and platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
            libc.mallopt(option, 2**31 - 1)


def alternate(
    functions: Mapping[str, Callable[[], Any]], seconds: float = 2.0, rounds: int = 15
) -> dict[str, list[float]]:
    """轮流跑，做法见 vision_attention.measure.timing.alternate。

    参数: functions 从名字到做法；seconds 为每种做法一共大约跑多久；rounds 为轮数
    返回：从名字到每轮的用时
    单位: 秒，处理器时间
    """
    return take_turns(functions, rounds, seconds / rounds)


def compare(times: Mapping[str, list[float]], ours: str = "ours") -> dict[str, Any]:
    """与最快的同行相比：逐轮之比的中位数与四分位数。

    机器的快慢会飘，一轮之内飘得少，所以先逐轮相除，再取中位数。
    """
    medians = {name: statistics.median(values) for name, values in times.items()}
    found = {"seconds": medians}
    peers = {name: value for name, value in medians.items() if name != ours}
    if peers:
        fastest = min(peers, key=peers.get)
        each = [a / b for a, b in zip(times[ours], times[fastest], strict=True)]
        low, middle, high = statistics.quantiles(each, n=4)
        found |= {"fastest": fastest, "ratio": middle, "quartiles": [low, high]}
    return found


def elsewhere(
    script: str, *arguments: str, env: Mapping[str, str] | None = None
) -> Any:
    """另开一个进程量：它说的照印，最后一行是 JSON，返回其中的内容。

    参数: script 为量的那一份脚本；env 为环境变量，缺省照旧
    """
    command = [sys.executable, script, "--child", *arguments]
    done = subprocess.run(
        command, env=env, stdout=subprocess.PIPE, text=True, check=True
    )
    *said, last = done.stdout.splitlines()
    print(*said, sep="\n", flush=True)
    return json.loads(last)


def machine(*packages: str) -> dict[str, Any]:
    """在什么机器上、用哪些版本、几个线程、哪一天量的。"""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "threads": 1,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: version(name).partition("+")[0] for name in packages},
    }


def same(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """两次测量是不是同一台机器、同样的版本；日期可以不同。"""
    return {**before, "date": None} == {**now, "date": None}


def merged(
    old: Mapping[str, Any] | None,
    machine: Mapping[str, Any],
    rows: list[dict[str, Any]],
    order: list[str],
) -> dict[str, Any]:
    """新量的行并进原有的记录；与记录开头写的不是同一台机器，就记在行里。

    参数: old 为原有的记录，None 表示没有；machine 为这一次的机器；rows 为新量的行；
        order 为模块的次序，不在里面的已经除名，它的行不留
    """
    head = old["machine"] if old else machine
    if not same(head, machine):
        rows = [row | {"machine": machine} for row in rows]
    again = {row["module"] for row in rows}
    kept = [row for row in old["rows"] if row["module"] not in again] if old else []
    every = [row for row in kept + rows if row["module"] in order]
    every.sort(key=lambda row: order.index(row["module"]))
    return {"machine": head, "rows": every}


def write(name: str, record: Mapping[str, Any], folder: Path = FOLDER) -> None:
    """写成 folder 里的一份 JSON，时间留四位有效数字。"""
    text = json.dumps(rounded(record), ensure_ascii=False, indent=1) + "\n"
    path = folder / f"{name}.json"
    path.with_suffix(".tmp").write_text(text, "utf8")
    path.with_suffix(".tmp").replace(path)


def rounded(value: Any) -> Any:
    """浮点数一律留四位有效数字。"""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, Mapping):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return value
