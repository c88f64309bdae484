"""哪个测试走过程序库的哪一行：弄坏一处，只跑走过它的。

每份测试在一个分出来的进程里跑一遍，记下各个测试走过哪些行、用了几秒；
程序库与那份测试都没有变，就沿用上次记下的（.cache/touched）。
"""

from __future__ import annotations

import collections
import functools
import json
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from tools.build.workplace import CACHE, ROOT, fingerprint, write

FOLDER = CACHE / "touched"
PLACES = ("library", "studies")  # 这两间的测试看程序库
# 看的是书、图与命令行，或者多半在别的进程里跑：走过的行看不见
FAR = "cli cluster diagnose export findings manners new_gate plots"
FAR += " properties properties_files said teaching words"
QUIET = ["-q", "-p", "no:cacheprovider"]
Place = tuple[str, int]  # 程序库里的文件、第几行
Lines = set[Place]


class Watcher:
    """pytest 的插件：走过的行记在此刻的那一格里，一格是一个测试、一个夹具或载入。"""

    def __init__(self, source: Path):
        self.prefix = f"{source}{os.sep}"
        self.known: dict[CodeType, bool] = {}
        self.loading: Lines = set()
        self.now = [self.loading]
        self.fixtures: dict[str, Lines] = collections.defaultdict(set)
        self.tests: dict[str, dict] = {}

    def start(self) -> None:
        """从此记下走过的行，别的线程的也算。"""
        threading.settrace(self.call)
        sys.settrace(self.call)

    def call(self, frame: FrameType, event: str, argument: Any) -> Any:
        """进了一个函数：程序库里的才逐行看；写着名字的那一行也算走过。"""
        code = frame.f_code
        if code not in self.known:
            self.known[code] = code.co_filename.startswith(self.prefix)
        if not self.known[code] or code.co_name == "<module>":
            return None
        self.line(frame, event, argument)
        return self.line

    def line(self, frame: FrameType, event: str, argument: Any) -> Any:
        """走过一行。"""
        code = frame.f_code
        self.now[-1].add((code.co_filename[len(self.prefix) :], frame.f_lineno))
        return self.line

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        """几个测试共用的夹具，走过的行算在每一个上。"""
        self.now.append(self.fixtures[fixturedef.argname])
        yield
        self.now.pop()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """一个测试，从准备到收拾。"""
        own: Lines = set()
        self.now.append(own)
        name = f"{item.path}::{item.nodeid.partition('::')[2]}"
        self.tests[item.nodeid] = found = {"name": name, "passed": True}
        began = time.process_time()
        yield
        self.now.pop()
        seconds = time.process_time() - began
        own = own.union(*(self.fixtures[name] for name in item.fixturenames))
        found |= {"seconds": seconds, "lines": own}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """没有通过的不算：它红不说明什么。"""
        if not report.passed:
            self.tests[report.nodeid]["passed"] = False

    def seen(self) -> dict[str, dict]:
        """通过的测试：用了几秒，各个文件里走过的行。"""
        return {
            test["name"]: {"seconds": test["seconds"], "lines": by_file(test["lines"])}
            for test in self.tests.values()
            if test["passed"]
        } | {"": {"seconds": 0, "lines": by_file(self.loading)}}


def by_file(lines: Lines) -> dict[str, list[int]]:
    """按文件分开。"""
    found = collections.defaultdict(list)
    for name, number in sorted(lines):
        found[name].append(number)
    return found


def watch(test: str, source: Path, place: Path) -> int:
    """跑一份测试，写下走过的行。"""
    watcher = Watcher(source)
    watcher.start()
    code = pytest.main([*QUIET, test], plugins=[watcher])
    sys.settrace(None)
    write(place, json.dumps(watcher.seen()))
    return int(code)


def places(source: Path) -> dict[str, Path]:
    """每份测试的记录写在哪里；名字里有指纹。"""
    library = fingerprint(source)
    files = [
        f
        for name in PLACES
        for f in sorted((ROOT / "tests" / name).glob("test_*.py"))
        if f.stem.removeprefix("test_") not in FAR.split()
    ]
    return {
        file.relative_to(ROOT).as_posix(): FOLDER
        / f"{file.stem}-{fingerprint(library, file)[:16]}.json"
        for file in files
    }


class Touched:
    """哪些测试走过哪一行。"""

    def __init__(self, records: Iterable[Path]):
        self.seconds: dict[str, float] = {}
        self.breadth: dict[str, int] = {}
        self.own: dict[Place, set[str]] = collections.defaultdict(set)
        self.loading: dict[Place, set[str]] = collections.defaultdict(set)
        for place in records:
            if place.exists():
                self.add(json.loads(place.read_text("utf8")))

    def add(self, tests: dict[str, dict]) -> None:
        """一份测试的记录；载入时走过的行，算在其中的每个测试上。"""
        loading = tests.pop("")["lines"]
        for name, test in tests.items():
            self.seconds[name] = test["seconds"]
            self.breadth[name] = sum(map(len, test["lines"].values()))
            for kept, lines in ((self.own, test["lines"]), (self.loading, loading)):
                for file, numbers in lines.items():
                    for number in numbers:
                        kept[file, number].add(name)

    @functools.cached_property
    def known(self) -> set[Place]:
        """有测试走过的每一行。"""
        return {*self.own, *self.loading}

    def order(self, places: list[Place], budget: float) -> list[str]:
        """走过这几行的测试，合计至多 budget 秒。

        同一个函数的先各出一个；走过的行少的在前：它看得最近。自己没有走过、载入时走过的
        排在最后。
        """
        own = set().union(*(self.own.get(place, ()) for place in places))
        found = own.union(*(self.loading.get(place, ()) for place in places))
        turns: dict[str, int] = collections.Counter()
        ranked = []
        for name in sorted(found, key=self.breadth.__getitem__):
            function = name.partition("[")[0]
            late = (name not in own, turns[function] > 0)
            ranked.append((*late, self.breadth[name], name))
            turns[function] += 1
        chosen = []
        for *_, name in sorted(ranked):
            budget -= self.seconds[name]
            if budget < 0 and chosen:
                break
            chosen.append(name)
        return chosen
