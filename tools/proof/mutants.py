"""弄坏一处，看测试红不红：测试有没有牙，量得出来。

用法: make mutants N=几处 SEED=种子，缺省 40 处、种子 0；JOBS=同时几处；
MINUTES=几分钟之后不再试下一处（次序是抽的，试过的仍是随机的几处）。
结果写进附录「状态」；不到 ENOUGH 算不过。
改的只有四种：常数（缺省值也是常数）、比较、算术、丢掉一次调用；两翼同样的一处一起改。
每一处在一个分出来的进程里：框架已经载入，改过的代码从头载入，只跑走过那几行的测试
（见 touched），合计至多 BUDGET 秒。
"""

from __future__ import annotations

import ast
import importlib
import importlib.machinery
import itertools
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tools.build.outcomes import commit, record
from tools.build.workplace import ROOT, StepError, say
from tools.proof.touched import QUIET, Touched, places, watch

SOURCE = ROOT / "src" / "vision_attention"
# 从哪里抽
SITES = (
    *("torch/", "studies/results/", "studies/store/record.py", "studies/design/"),
    *("data/", "training/", "statistics.py", "geometry.py", "specs.py"),
)
COMPARED = {"Lt": "< <=", "LtE": "<= <", "Gt": "> >=", "GtE": ">= >"}
COMPARED |= {"Eq": "== !=", "NotEq": "!= =="}
COMPUTED = {"Add": "+ -", "Sub": "- +", "Mult": "* /", "Div": "/ *"}
COMPUTED |= {"FloorDiv": "// /", "Mod": "% //", "Pow": "** *"}
SWAPS = {name: pair.split() for name, pair in (COMPARED | COMPUTED).items()}
# 分出去之前载入的大家伙；程序库自己不在里面
LARGE = "torch paddle scipy.stats sklearn.datasets matplotlib.pyplot pydantic pytest"
LIMIT = 1500  # 秒；机器忙的时候也够；跑不完的不算红
BUDGET = 40.0  # 秒；一处至多跑这么久的测试
ENOUGH = 0.95  # 至少几成要红
# pytest 的退出码：1 是测试不过，2 是载入时就出错，再往上是没有跑起来；
# 4 是没有这个测试，也可能是 conftest 载入不了改过的那一份
NOT_RUN, NO_SUCH = 3, 4


@dataclass(frozen=True)
class Mutant:
    """改的一处：哪个文件、从第几个字节到第几个、换成什么。"""

    path: Path
    start: int
    stop: int
    old: str
    new: str
    line: int
    last: int

    def __str__(self) -> str:
        return f"{inside(self.path)}:{self.line}  {self.old} → {self.new}"

    def code(self) -> bytes:
        """改过的源文件。"""
        text = self.path.read_bytes()
        return text[: self.start] + self.new.encode() + text[self.stop :]


def inside(path: Path) -> str:
    """一个文件在程序库里的名字，如 torch/vit.py。"""
    return path.relative_to(SOURCE).as_posix()


def mutants(path: Path) -> list[Mutant]:
    """一个文件里能改的每一处，按次序。"""
    text = path.read_bytes()
    found = []
    for node in _nodes(ast.parse(text)):
        for start, stop, new in _changes(node, text):
            old, rows = text[start:stop].decode(), (node.lineno, node.end_lineno)
            found.append(Mutant(path, start, stop, old, new, *rows))
    return sorted(found, key=lambda mutant: (mutant.start, mutant.stop))


def nearby(mutant: Mutant) -> tuple[int, int]:
    """改的这一处是哪几行的事：它所在的那一句；写在函数的头里，是整个函数。

    写在类里、文件里的，是整个类、整个文件。
    """
    first, last, inside_function = 1, 10**9, False
    for each in ast.walk(ast.parse(mutant.path.read_bytes())):  # 由外到里
        if not isinstance(each, ast.stmt):
            continue
        if each.lineno > mutant.line or each.end_lineno < mutant.last:
            continue
        large = isinstance(each, ast.FunctionDef | ast.ClassDef)
        inside_function |= isinstance(each, ast.FunctionDef)
        if large or inside_function:
            first, last = each.lineno, each.end_lineno
        if not large and inside_function and (body := getattr(each, "body", None)):
            last = max(first, body[0].lineno - 1)
    return first, last


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
    files = [p for p in sorted(SOURCE.rglob("*.py")) if inside(p).startswith(SITES)]
    return [mutant for path in files for mutant in mutants(path)]


def judges(mutant: Mutant, touched: Touched) -> list[str]:
    """跑哪些测试：走过那几行的；一个也没有（例如只有一张表的文件），就是那一间的。"""
    name = inside(mutant.path)
    first, last = nearby(mutant)
    lines = [number for file, number in touched.known if file == name]
    near = [number for number in lines if first <= number <= last]
    if found := touched.order([(name, number) for number in near], BUDGET):
        return found
    room = name.rpartition("/")[0]
    beside = [place for place in touched.known if place[0].rpartition("/")[0] == room]
    return touched.order(beside, BUDGET)


def start(job: Callable[[], int]) -> int:
    """在分出来的进程里做一件事；返回进程号，退出码是它的答案。"""
    process = os.fork()
    if process:
        return process
    code = NOT_RUN
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        code = job()
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


def broken(changed: list[Mutant], names: list[str]) -> int:
    """改几处，跑几个测试，红了就停；0 是全绿，也就是没有看出来。"""
    put_in(changed)
    code = importlib.import_module("pytest").main(["-x", *QUIET, *names])
    return int(code)


def runs(names: list[str]) -> bool:
    """什么也不弄坏，这几个测试跑得起来，也都通过。"""
    _, status = os.waitpid(start(partial(broken, [], names)), 0)
    return status == 0


def together(
    jobs: Iterable[tuple[Any, Callable[[], int]]], at_once: int
) -> Iterator[tuple[Any, int]]:
    """几件事同时做，做完一件给出一件的退出码；太久的杀掉，退出码是负的。"""
    queue, running = iter(jobs), {}
    while True:
        while len(running) < at_once and (job := next(queue, None)):
            running[start(job[1])] = (job[0], time.monotonic() + LIMIT)
        if not running:
            return
        process, status = os.waitpid(-1, os.WNOHANG)
        if process:
            yield running.pop(process)[0], os.waitstatus_to_exitcode(status)
            continue
        for process, (_, deadline) in running.items():
            if time.monotonic() > deadline:
                os.killpg(process, signal.SIGKILL)
        time.sleep(0.02)


def measure(
    chosen: Iterable[Mutant], touched: Touched, jobs: int
) -> list[tuple[Mutant, bool]]:
    """逐处试，试完一处说一行；返回试过的每一处与红没有红。"""
    tried = []
    work = (
        (each, partial(broken, with_twin(each), judges(each, touched)))
        for each in chosen
    )
    for mutant, answer in together(work, jobs):
        broke = answer == NO_SUCH and runs(judges(mutant, touched))
        code = 1 if broke else answer
        if code >= NOT_RUN:
            raise StepError(f"弄坏一处：{mutant}，测试没有跑起来（退出码 {code}）")
        # 负的是太久、被杀掉的：看不出红不红，不算红
        say(f"{'红' if code > 0 else '绿' if code == 0 else '太久'}  {mutant}")
        tried.append((mutant, code > 0))
    return tried


def within(minutes: float, things: Iterable[Mutant]) -> Iterator[Mutant]:
    """过了几分钟就不再给出下一个。"""
    deadline = time.monotonic() + 60 * minutes
    return itertools.takewhile(lambda _: time.monotonic() < deadline, things)


def watched(jobs: int) -> Touched:
    """哪个测试走过哪一行；没有记下的先跑一遍。"""
    missing = {n: p for n, p in places(SOURCE).items() if not p.exists()}
    work = (
        (name, partial(watch, name, SOURCE, place)) for name, place in missing.items()
    )
    for name, code in together(work, jobs):
        say(f"记下走过的行（{code}）：{name}")
    return Touched(places(SOURCE).values())


def placed(name: str, line: str, old: str) -> Mutant:
    """一个文件里，写着 line 的那一行上的 old。"""
    path = SOURCE / name
    lines = path.read_text("utf8").splitlines()
    for mutant in mutants(path):
        if mutant.old == old and lines[mutant.line - 1].strip() == line:
            return mutant
    raise StepError(f"弄坏一处：{name} 里没有这一行：{line}（{old}）；请照现在的改")


def sample(rows: list[list[str]]) -> list[str]:
    """固定的几处：文件、那一行、其中的几个字、该红的测试；返回没有红的。"""
    prepare()
    jobs = [
        (f"{name} | {line} | {old}（{test}）", partial(broken, changed, [named(test)]))
        for name, line, old, test in rows
        for changed in [with_twin(placed(name, line, old))]
    ]
    done = together(jobs, os.cpu_count() or 1)
    return [f"{what}：退出码 {code}" for what, code in done if code != 1]


def named(test: str) -> str:
    """文件::测试 → 它的完整名字；文件不管在哪一间。"""
    word, _, function = test.partition("::")
    (path,) = (ROOT / "tests").rglob(f"test_{word}.py")
    return f"{path}::{function}"


def prepare() -> None:
    """分出去之前：一个线程，载入大家伙。"""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # 别的插件（换次序、并行）此处用不上，每个进程少等一秒
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.chdir(ROOT)
    for name in LARGE.split():
        importlib.import_module(name)


def main() -> int:
    """抽几处量一次，记下结果；没有看出来的逐处列出，太多就不过。"""
    count = int(os.environ.get("N") or 40)
    seed = int(os.environ.get("SEED") or 0)
    started_from, sites = commit(), every()
    chosen = random.Random(seed).sample(sites, min(count, len(sites)))
    prepare()
    jobs = int(os.environ.get("JOBS") or os.cpu_count() or 1)
    touched = watched(jobs)
    minutes = float(os.environ.get("MINUTES") or "inf")
    tried = measure(within(minutes, chosen), touched, jobs)
    bad = [str(mutant) for mutant, red in tried if not red]
    found = {"sites": len(sites), "tried": len(tried), "red": len(tried) - len(bad)}
    record("mutants", {**found, "seed": seed, "bad": bad}, started_from)
    say(f"{len(sites)} 处里抽 {len(tried)} 处（种子 {seed}），{found['red']} 处红")
    for line in bad:
        say(f"没有看出来：{line}")
    return 0 if tried and found["red"] >= ENOUGH * len(tried) else 1


if __name__ == "__main__":
    sys.exit(main())
