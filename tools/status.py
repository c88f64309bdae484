"""状态页的三处：笔记本量到的、版本试过的、坏运气各有哪个测试。只用标准库。

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
NAMES = {
    "python": "Python",
    "torch": "PyTorch",
    "paddlepaddle": "PaddlePaddle",
    "numpy": "NumPy",
    "scipy": "SciPy",
    "matplotlib": "Matplotlib",
    "ray": "Ray",
}
TRIALS = {"lowest": "答应的最低版本", "newest": "此刻最新的版本"}


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


def named(items: tuple) -> str:
    """把版本写成一串：名字 版本。"""
    return "，".join(f"{NAMES.get(name, name)} {version}" for name, version in items)


def notebook_tables(runs: dict[str, dict]) -> str:
    """每本笔记本、每个带代码的页面：用时、上次成功；环境不止一个时注明是哪一个。"""
    known = environments(runs)
    several = len(known) > 1
    rows = {True: [], False: []}
    for name, run in runs.items():
        page = f"{{doc}}`/{Path(name).with_suffix('')}`"
        place = known.index((tuple(run["versions"].items()), run["machine"])) + 1
        tail = [f"{run['seconds']:.1f}", day(run["finished"])]
        row = [page, *tail, *([str(place)] if several else [])]
        rows[name.startswith("notebooks/")].append(row)
    head = ["用时（秒）", "上次成功（UTC）", *(["环境"] if several else [])]
    sides = "lrlr" if several else "lrl"
    lines = [
        f"{f'环境 {k}：' if several else ''}{named(items)}。机器：{where}。"
        for k, (items, where) in enumerate(known, start=1)
    ]
    return "\n\n".join(
        [
            *lines,
            table(["笔记本", *head], sides, rows[True]),
            "带着可执行格子的页面：",
            table(["页面", *head], sides, rows[False]),
        ]
    )


def trial_table(trials: dict[str, dict]) -> str:
    """最低与最新的版本各试过一次没有，结果如何。"""
    rows, found = [], []
    for name, what in TRIALS.items():
        trial = trials.get(name)
        if trial is None:
            rows.append([what, f"`make {name}`", "还没有跑过", "–"])
            continue
        result = f"{trial['passed']} 个测试通过，{trial['failed']} 个失败"
        if trial["skipped"]:
            result += f"，{trial['skipped']} 个跳过"
        rows.append([what, f"`make {name}`", result, day(trial["finished"])])
        listed = named(tuple(trial["versions"].items()))
        found.append(f"{what}：{listed}。机器：{trial['machine']}。")
        if trial["names"]:
            listed = "\n".join(f"- {breakable(test)}" for test in trial["names"])
            found.append(f"失败的：\n\n{listed}")
    head = ["试什么", "命令", "结果", "何时（UTC）"]
    return "\n\n".join([table(head, "llll", rows), *found])


def faults() -> list[tuple[str, str, str]]:
    """返回 tests/test_faults.py 里的那张表：坏运气、看到什么、哪个测试。"""
    for node in ast.parse(FAULTS.read_text("utf8")).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "FAULTS":
            return ast.literal_eval(node.value)
    raise ValueError(f"{FAULTS} 里没有 FAULTS 这张表")


def breakable(name: str) -> str:
    """把测试的名字写成能在下划线之后换行的代码：手机上一行放不下。"""
    return f"<code>{name.replace('::', '::<wbr>').replace('_', '&#95;<wbr>')}</code>"


def fault_list() -> str:
    """坏运气逐条：怎样了，是哪个测试。"""
    return "\n\n".join(
        f"{what}\n: {seen}。{breakable(test)}" for what, seen, test in faults()
    )


def write_tables(runs: dict[str, dict]) -> None:
    """写下三张表；没有变的不动；runs 是每本笔记本量到的。"""
    trials = json.loads(VERSIONS.read_text("utf8")) if VERSIONS.exists() else {}
    texts = {"notebooks": notebook_tables(runs), "versions": trial_table(trials)}
    if FAULTS.exists():
        texts["faults"] = fault_list()
    for name, text in texts.items():
        path = TABLES / f"{name}.md"
        if not path.exists() or path.read_text("utf8") != text + "\n":
            write(path, text + "\n")
