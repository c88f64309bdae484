"""弄坏一处，看测试红不红：测试有没有牙，量得出来。

用法: make mutants N=几处 SEED=种子，缺省 40 处、种子 0；JOBS=同时几处。
结果写进附录「状态」；不到 ENOUGH 算不过。
改的只有四种：常数（缺省值也是常数）、比较、算术、丢掉一次调用；两翼同样的一处一起改。
每一处在一个分出来的进程里：框架已经载入，改过的代码从头载入，跑与它有关的测试。
"""

from __future__ import annotations

import ast
import importlib
import importlib.machinery
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.build.outcomes import commit, record
from tools.build.workplace import ROOT, StepError, say

SOURCE = ROOT / "src" / "vision_attention"
# 改了哪里、跑哪些测试；快的在前，红了就停
SUITES = {
    "torch/gates/": "defaults bad_input attention parity",
    "torch/": "defaults bad_input attention architecture losses inspect training",
    "studies/results/": "tuning verdicts findings studies",
    "studies/store/record.py": "lying_records",
    "studies/design/": "hostile_studies tuning studies",
    "data/": "augment harder scoring data defaults cifar10 folder",
    "training/": "schedules config diagnosis defaults training",
    "statistics.py": "defaults tuning verdicts studies",
    "geometry.py": "defaults bad_input attention inspect",
    "specs.py": "defaults bad_input architecture",
}
COMPARED = {"Lt": "< <=", "LtE": "<= <", "Gt": "> >=", "GtE": ">= >"}
COMPARED |= {"Eq": "== !=", "NotEq": "!= =="}
COMPUTED = {"Add": "+ -", "Sub": "- +", "Mult": "* /", "Div": "/ *"}
COMPUTED |= {"FloorDiv": "// /", "Mod": "% //", "Pow": "** *"}
SWAPS = {name: pair.split() for name, pair in (COMPARED | COMPUTED).items()}
# 分出去之前载入的大家伙；程序库自己不在里面
LARGE = "torch paddle scipy.stats sklearn.datasets matplotlib.pyplot pydantic pytest"
LIMIT = 600  # 秒；跑不完的不算红
ENOUGH = 0.95  # 至少几成要红
NOT_RUN = 3  # pytest 的退出码：1 是测试不过，2 是载入时就出错，再往上是没有跑起来


@dataclass(frozen=True)
class Mutant:
    """改的一处：哪个文件、从第几个字节到第几个、换成什么。"""

    path: Path
    start: int
    stop: int
    old: str
    new: str
    line: int

    def __str__(self) -> str:
        return f"{inside(self.path)}:{self.line}  {self.old} → {self.new}"

    def code(self) -> bytes:
        """改过的源文件。"""
        text = self.path.read_bytes()
        return text[: self.start] + self.new.encode() + text[self.stop :]


def inside(path: Path) -> str:
    """一个文件在程序库里的名字，如 torch/vit.py。"""
    return path.relative_to(SOURCE).as_posix()


def suites(path: Path) -> list[str]:
    """与一个文件有关的测试。"""
    known = (words for start, words in SUITES.items() if inside(path).startswith(start))
    return [named(word) for word in next(known, "").split()]


def named(word: str) -> str:
    """一份测试在哪里；不管在哪一间。"""
    (path,) = (ROOT / "tests").rglob(f"test_{word}.py")
    return path.relative_to(ROOT).as_posix()


def mutants(path: Path) -> list[Mutant]:
    """一个文件里能改的每一处，按次序。"""
    text = path.read_bytes()
    found = []
    for node in _nodes(ast.parse(text)):
        for start, stop, new in _changes(node, text):
            old = text[start:stop].decode()
            found.append(Mutant(path, start, stop, old, new, node.lineno))
    return sorted(found, key=lambda mutant: (mutant.start, mutant.stop))


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """会改变行为的节点：报错的话、类型标注不算。"""
    if isinstance(tree, ast.Raise | ast.JoinedStr):
        return
    yield tree
    for name, value in ast.iter_fields(tree):
        if name not in ("annotation", "returns"):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from _nodes(child)


def _changes(node: ast.AST, text: bytes) -> Iterator[tuple[int, int, str]]:
    """一个节点能怎样改：从哪里、到哪里、换成什么。"""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield *_span(node, text), _other(node.value)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield *_span(node, text), "None"
    elif isinstance(node, ast.BinOp):
        yield from _symbol(node.left, node.op, node.right, text)
    elif isinstance(node, ast.Compare):
        yield from _symbol(node.left, node.ops[0], node.comparators[0], text)


def _span(node: ast.AST, text: bytes) -> tuple[int, int]:
    """一个节点从第几个字节到第几个。"""
    lines = text.splitlines(keepends=True)
    start = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
    stop = sum(map(len, lines[: node.end_lineno - 1])) + node.end_col_offset
    return start, stop


def _other(value: bool | int | float) -> str:
    """另一个常数：真假相反，整数加 1，小数加倍，0.0 变 1.0。"""
    if isinstance(value, bool):
        return str(not value)
    return repr(value + 1) if isinstance(value, int) else repr(value * 2 or 1.0)


def _symbol(
    left: ast.AST, kind: ast.AST, right: ast.AST, text: bytes
) -> Iterator[tuple[int, int, str]]:
    """左右之间的那个符号；is、in、@ 不在名单里。"""
    old, new = SWAPS.get(type(kind).__name__, ("", ""))
    if old:
        after, before = _span(left, text)[1], _span(right, text)[0]
        start = text.index(old.encode(), after, before)
        yield start, start + len(old), new


def with_twin(mutant: Mutant) -> list[Mutant]:
    """这一处，与另一翼里同样的一处；两翼对不上的只改这一翼。"""
    name = inside(mutant.path)
    other = SOURCE / name.replace("torch/", "paddle/", 1)
    if not name.startswith("torch/") or not other.exists():
        return [mutant]

    def alike(path: Path) -> list[Mutant]:
        same = (mutant.old, mutant.new)
        return [each for each in mutants(path) if (each.old, each.new) == same]

    ours, theirs = alike(mutant.path), alike(other)
    if len(ours) != len(theirs):
        return [mutant]
    return [mutant, theirs[ours.index(mutant)]]


def every() -> list[Mutant]:
    """程序库里能改的每一处；PaddlePaddle 一翼跟着 PyTorch 一翼改，不另算。"""
    files = [path for path in sorted(SOURCE.rglob("*.py")) if suites(path)]
    return [mutant for path in files for mutant in mutants(path)]


def untouched(chosen: list[Mutant]) -> None:
    """一处也不改，有关的测试应当全绿；不绿的话，红就不说明什么。"""
    for name in sorted({name for mutant in chosen for name in suites(mutant.path)}):
        _, status = os.waitpid(start([], [name]), 0)
        if code := os.waitstatus_to_exitcode(status):
            raise StepError(f"弄坏一处：还没有改，{name} 就不过（退出码 {code}）")


def start(changed: list[Mutant], names: list[str]) -> int:
    """在分出来的进程里改几处、跑几份测试；返回进程号。"""
    process = os.fork()
    if process:
        return process
    code = NOT_RUN
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        put_in(changed)
        code = judge(names)
    finally:
        os._exit(code)


def put_in(changed: list[Mutant]) -> None:
    """从此载入这几个文件时，载入改过的；磁盘上的不动。"""
    codes = {str(mutant.path): mutant.code() for mutant in changed}
    load = importlib.machinery.SourceFileLoader.get_code

    def get_code(loader: importlib.machinery.SourceFileLoader, name: str) -> object:
        path = loader.get_filename(name)
        if path in codes:
            return compile(codes[path], path, "exec", dont_inherit=True)
        return load(loader, name)

    importlib.machinery.SourceFileLoader.get_code = get_code


def judge(names: list[str]) -> int:
    """逐个文件跑，红了就停；0 是全绿，也就是没有看出来。"""
    pytest = importlib.import_module("pytest")
    off = ["no:cacheprovider", "no:randomly", "no:xdist"]
    plugins = [word for name in off for word in ("-p", name)]
    for name in names:
        if code := pytest.main(["-x", "-q", *plugins, name]):
            return int(code)
    return 0


def measure(chosen: list[Mutant], jobs: int) -> list[Mutant]:
    """逐处试，试完一处说一行；返回没有看出来的。"""
    queue, running, alive = list(chosen), {}, []
    while queue or running:
        while queue and len(running) < jobs:
            mutant = queue.pop(0)
            process = start(with_twin(mutant), suites(mutant.path))
            running[process] = (mutant, time.monotonic() + LIMIT)
        process, status = os.waitpid(-1, os.WNOHANG)
        if process:
            mutant, _ = running.pop(process)
            code = os.waitstatus_to_exitcode(status)
            if code >= NOT_RUN:
                raise StepError(f"弄坏一处：{mutant}，测试没有跑起来（退出码 {code}）")
            # 负的是太久、被杀掉的：看不出红不红，不算红
            say(f"{'红' if code > 0 else '绿' if code == 0 else '太久'}  {mutant}")
            alive += [] if code > 0 else [mutant]
            continue
        for process, (_, deadline) in running.items():
            if time.monotonic() > deadline:
                os.killpg(process, signal.SIGKILL)
        time.sleep(0.05)
    return alive


def main() -> int:
    """抽几处量一次，记下结果；没有看出来的逐处列出，太多就不过。"""
    count = int(os.environ.get("N") or 40)
    seed = int(os.environ.get("SEED") or 0)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.chdir(ROOT)
    started_from, sites = commit(), every()
    chosen = random.Random(seed).sample(sites, min(count, len(sites)))
    for name in LARGE.split():
        importlib.import_module(name)
    untouched(chosen)
    alive = measure(chosen, int(os.environ.get("JOBS") or os.cpu_count() or 1))
    red, bad = len(chosen) - len(alive), [str(mutant) for mutant in alive]
    found = {"sites": len(sites), "tried": len(chosen), "red": red, "seed": seed}
    record("mutants", {**found, "bad": bad}, started_from)
    say(f"{len(sites)} 处里抽 {len(chosen)} 处（种子 {seed}），{red} 处红")
    for line in bad:
        say(f"没有看出来：{line}")
    return 0 if red >= ENOUGH * len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
