"""试过的：最低与最新的版本、反复测试、查漏洞，结果记在 book/_data/tried.json。

附录「状态」显示它；没有跑过的，那一页照实说没有。只用标准库。
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from xml.etree import ElementTree

from tools.build.workplace import ROOT, write

TRIED = ROOT / "book" / "_data" / "tried.json"


def now() -> str:
    """返回此刻，UTC，到秒。"""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def machine() -> str:
    """返回这台机器的样子：处理器、核数、内存、系统；不含主机名。"""
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text("utf8").splitlines() if listing.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    model = models[0] if models else platform.processor() or platform.machine()
    known = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if known else os.cpu_count()
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        size = f"，内存 {memory:.0f} GiB"
    except (ValueError, OSError, AttributeError):
        size = ""
    return f"{model}，{cores} 核{size}，{platform.system()} {platform.machine()}"


def commit() -> str:
    """返回此刻的提交，有没提交的改动就带 -dirty；不是 git 仓库时是空串。

    记录自己的改动不算：先后记两次，第二次不因第一次而带上它。
    """
    here = f":(exclude,glob)**/{TRIED.name}"
    name = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", here)
    return f"{name}-dirty" if name and changed else name


def _git(*words: str) -> str:
    """返回 git 说的话；没有装 git，或不是仓库，就是空串。"""
    command = ["git", *words]
    try:
        done = subprocess.run(
            command, cwd=ROOT, check=False, capture_output=True, text=True
        )
    except OSError:
        return ""
    return done.stdout.strip()


def outcome(report: Path) -> dict:
    """从 pytest 的 XML 报告里数出通过、失败、跳过，与失败的名字。"""
    cases = list(ElementTree.parse(report).iter("testcase"))
    bad = [
        f"{case.get('classname')}::{case.get('name')}"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]
    skipped = sum(case.find("skipped") is not None for case in cases)
    passed = len(cases) - len(bad) - skipped
    return {"passed": passed, "failed": len(bad), "skipped": skipped, "names": bad}


def everything() -> dict[str, dict]:
    """返回全部记录：试的是什么 → 结果。"""
    return json.loads(TRIED.read_text("utf8")) if TRIED.exists() else {}


def record(name: str, result: dict, started_from: str) -> None:
    """记下一次的结果，连同何时、什么机器；别的几样不动。

    参数: started_from 为动手之前的 commit()：跑上一个钟头，提交可能已经换了
    """
    where = {"finished": now(), "machine": machine(), "commit": started_from}
    known = everything() | {name: {**result, **where}}
    write(TRIED, json.dumps(known, ensure_ascii=False, indent=1) + "\n")
