"""状态页的几处：笔记本量到的、试过的、坏运气各有哪个测试。只用标准库。

造书时先执行笔记本，再由 `write_tables` 把量到的写成 _build/status/*.md，
book/appendix/status.md 引用它们。内容没有变就不动文件，那一页也就不必重新生成。
"""

from __future__ import annotations

import ast
import platform
from collections import Counter
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

from tools.build.outcomes import everything, machine, now
from tools.build.workplace import BUILD, ROOT, write

TABLES = BUILD / "status"
FAULTS = ROOT / "tests" / "tools" / "test_faults.py"
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


def tests_said(counts: dict) -> str:
    """把通过、失败、跳过写成一句。"""
    said = f"{counts['passed']:,} 个测试通过，{counts['failed']} 个失败"
    return said + (f"，{counts['skipped']} 个跳过" if counts["skipped"] else "")


def flaky_said(trial: dict) -> str:
    """反复测试：几遍，各遍怎样。"""
    counts = Counter(tests_said(run) for run in trial["runs"])
    said = [f"{n} 遍{'各' if n > 1 else ''} {what}" for what, n in counts.items()]
    whole = "" if len(said) == 1 else f"{len(trial['runs'])} 遍："
    return whole + "；".join(said)


def audit_said(trial: dict) -> str:
    """查漏洞：查了几个，有没有。"""
    bad, unknown = trial["bad"], trial["unknown"]
    said = f"{trial['packages']} 个包：{len(bad)} 个有已知的漏洞"
    return said + (f"，{len(unknown)} 个没有查到" if unknown else "")


def mutants_said(trial: dict) -> str:
    """弄坏一处：抽了几处，几处红。"""
    share = trial["red"] / trial["tried"]
    return (
        f"{trial['sites']:,} 处里抽 {trial['tried']} 处，"
        f"{trial['red']} 处红（{share:.0%}）"
    )


def fuzz_said(trial: dict) -> str:
    """随手造的怪输入：几例，各是什么结局。"""
    return (
        f"{trial['cases']:,} 例：{trial['right']:,} 例算得出，{trial['said']:,} 例是"
        f"一句话；{trial['hung']} 例挂住，{trial['raw']} 例是原话，"
        f"{trial['silent']} 例悄悄给出 NaN 或无穷，{trial['ran']} 例执行代码或写到外面"
    )


def kills_said(trial: dict) -> str:
    """随机的时刻杀掉：各几轮，共几次。"""
    names = {"study": "研究", "torch": "PyTorch 训练", "paddle": "PaddlePaddle 训练"}
    said = [f"{what} {trial[n][0]} 轮杀 {trial[n][1]} 次" for n, what in names.items()]
    end = f"{len(trial['bad'])} 项不同" if trial["bad"] else "都与没有打断的一样"
    return f"{'，'.join(said)}；{end}"


def details(what: str, trial: dict) -> str:
    """返回表下面的一段：版本或种子、机器、提交，与没有通过的。"""
    facts = []
    if "versions" in trial:
        facts.append(named(tuple(trial["versions"].items())))
    if "runs" in trial:
        facts.append("种子 " + "、".join(str(run["seed"]) for run in trial["runs"]))
    facts.append(f"机器：{trial['machine']}")
    if trial.get("commit"):
        facts.append(f"提交 {trial['commit']}")
    if trial.get("unknown"):
        facts.append("没有查到的：" + "、".join(trial["unknown"]))
    if "note" in trial:
        facts.append(trial["note"])
    lines = [f"{what}：{'。'.join(facts)}。"]
    runs = trial.get("runs", [trial])
    names = [name for run in runs for name in run.get("names", [])]
    if bad := [*names, *trial.get("bad", [])]:
        lines.append("没有通过的：")
        lines.append("\n".join(f"- {breakable(name)}" for name in dict.fromkeys(bad)))
    return "\n\n".join(lines)


def trial_table(trials: dict[str, dict]) -> str:
    """最低与最新的版本、反复测试、查漏洞，各跑过没有，结果如何。"""
    rows, found = [], []
    for name, (what, said) in TRIALS.items():
        trial = trials.get(name)
        if trial is None:
            rows.append([what, f"`make {name}`", "还没有跑过", "–"])
            continue
        rows.append([what, f"`make {name}`", said(trial), day(trial["finished"])])
        found.append(details(what, trial))
    head = ["试什么", "命令", "结果", "何时（UTC）"]
    return "\n\n".join([table(head, "llll", rows), *found])


TRIALS = {
    "lowest": ("答应的最低版本", tests_said),
    "newest": ("此刻最新的版本", tests_said),
    "flaky": ("换着次序反复测试", flaky_said),
    "mutants": ("把程序库弄坏一处，测试红不红", mutants_said),
    "fuzz": ("随手造出的参数、输入与文件", fuzz_said),
    "kills": ("随机的时刻 kill -9，再接着做", kills_said),
    "audit": ("锁定的依赖有没有漏洞", audit_said),
}


def faults() -> list[tuple[str, str, str]]:
    """返回 tests/tools/test_faults.py 里的那张表：坏运气、看到什么、哪个测试。"""
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
    texts = {"notebooks": notebook_tables(runs), "tried": trial_table(everything())}
    if FAULTS.exists():
        texts["faults"] = fault_list()
    for name, text in texts.items():
        path = TABLES / f"{name}.md"
        if not path.exists() or path.read_text("utf8") != text + "\n":
            write(path, text + "\n")
