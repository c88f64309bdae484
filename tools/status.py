"""状态页的三张表：笔记本量到的、版本试过的、坏运气各有哪个测试。只用标准库。

造书时先执行笔记本，再由 `write_tables` 把量到的写成 _build/status/*.md，
book/appendix/status.md 引用它们。内容没有变就不动文件，那一页也就不必重新生成。
"""

from __future__ import annotations

import ast
import json
import os
import platform
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

from workplace import BUILD, ROOT, write

TABLES = BUILD / "status"
VERSIONS = ROOT / "book" / "_data" / "versions.json"
FAULTS = ROOT / "tests" / "test_faults.py"
PACKAGES = ("torch", "paddlepaddle", "numpy", "scikit-learn", "matplotlib")
NAMES = {"torch": "PyTorch", "paddlepaddle": "PaddlePaddle", "numpy": "NumPy"}
WINGS = {"torch": "PyTorch", "paddle": "PaddlePaddle"}
TRIALS = {"lowest": "pyproject.toml 答应的最低版本", "newest": "此刻最新的版本"}


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


def versions() -> dict[str, str]:
    """返回此刻这个环境里的版本；没有装的不列。"""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def measured() -> dict:
    """返回一次执行的出处：何时做完、什么版本、什么机器。"""
    return {"finished": now(), "versions": versions(), "machine": machine()}


def day(text: str) -> str:
    """把记录里的时刻写成给人看的样子。"""
    moment = datetime.fromisoformat(text).astimezone(timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M")


def table(head: list[str], aligned: str, rows: list[list[str]]) -> str:
    """写成一张 Markdown 表；aligned 里 r 是靠右的列。"""
    rule = ["---:" if side == "r" else "---" for side in aligned]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])


def environments(runs: dict[str, dict]) -> list[tuple]:
    """返回出现过的环境，各不相同：版本与机器。"""
    seen = [(tuple(run["versions"].items()), run["machine"]) for run in runs.values()]
    return list(dict.fromkeys(seen))


def notebook_tables(runs: dict[str, dict]) -> str:
    """每本笔记本、每个带代码的页面：用时、上次成功、在哪个环境里。"""
    known = environments(runs)
    rows = {"notebooks": [], "pages": []}
    for name, run in runs.items():
        page = f"{{doc}}`/{Path(name).with_suffix('')}`"
        place = known.index((tuple(run["versions"].items()), run["machine"])) + 1
        tail = [f"{run['seconds']:.1f}", day(run["finished"]), str(place)]
        parts = Path(name).parts
        if parts[0] == "notebooks":
            rows["notebooks"].append([page, WINGS.get(parts[1], parts[1]), *tail])
        else:
            rows["pages"].append([page, *tail])
    head = ["用时（秒）", "上次成功（UTC）", "环境"]
    described = [
        [str(k), "，".join(f"{NAMES.get(n, n)} {v}" for n, v in items), where]
        for k, (items, where) in enumerate(known, start=1)
    ]
    return "\n\n".join(
        [
            table(["笔记本", "框架", *head], "llrlr", rows["notebooks"]),
            "带着可执行格子的页面：",
            table(["页面", *head], "lrlr", rows["pages"]),
            "环境：",
            table(["环境", "版本", "机器"], "rll", described),
        ]
    )


def trial_table(trials: dict[str, dict]) -> str:
    """最低与最新的版本各试过一次没有，结果如何。"""
    rows = []
    for name, what in TRIALS.items():
        trial = trials.get(name)
        if trial is None:
            rows.append([what, f"`make {name}`", "还没有跑过", "–", "–"])
            continue
        passed = f"{trial['passed']} 个测试通过，{trial['failed']} 个失败"
        if trial["skipped"]:
            passed += f"，{trial['skipped']} 个跳过"
        shown = "，".join(f"{n} {v}" for n, v in trial["versions"].items())
        rows.append([what, f"`make {name}`", passed, day(trial["finished"]), shown])
    return table(["试什么", "命令", "结果", "何时（UTC）", "版本"], "lllll", rows)


def faults() -> list[tuple[str, str, str]]:
    """返回 tests/test_faults.py 里的那张表：坏运气、看到什么、哪个测试。"""
    for node in ast.parse(FAULTS.read_text("utf8")).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "FAULTS":
            return ast.literal_eval(node.value)
    raise ValueError(f"{FAULTS} 里没有 FAULTS 这张表")


def fault_table() -> str:
    """坏运气的表。"""
    rows = [[what, seen, f"`{test}`"] for what, seen, test in faults()]
    return table(["坏运气", "结果", "测试"], "lll", rows)


def write_tables(runs: dict[str, dict]) -> None:
    """写下三张表；没有变的不动；runs 是每本笔记本量到的。"""
    trials = json.loads(VERSIONS.read_text("utf8")) if VERSIONS.exists() else {}
    texts = {"notebooks": notebook_tables(runs), "versions": trial_table(trials)}
    if FAULTS.exists():
        texts["faults"] = fault_table()
    for name, text in texts.items():
        path = TABLES / f"{name}.md"
        if not path.exists() or path.read_text("utf8") != text + "\n":
            write(path, text + "\n")
