"""哪个测试走过程序库的哪一行：弄坏一处，只跑走过它的。

每份测试在一个分出来的进程里跑一遍，记下各个测试走过哪些行、用了几秒；
程序库与那份测试都没有变，就沿用上次记下的（.cache/touched）。
"""

from __future__ import annotations

import ast
import collections
import contextlib
import functools
import json
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import coverage
import pytest

from tools.build.workplace import CACHE, ROOT, fingerprint, write

FOLDER = CACHE / "touched"
PLACES = ("library", "studies")  # 这两间的测试看程序库
# 看的是书、图与命令行，或者多半在别的进程里跑：走过的行看不见
FAR = "cli cluster diagnose export findings manners new_gate plots"
FAR += " properties properties_files said teaching words"
QUIET = ["-q", "-p", "no:cacheprovider"]
LOADING = ""  # 载入时走过的行记在这一格里
Place = tuple[str, int]  # 程序库里的文件、第几行


class Watcher:
    """pytest 的插件：走过的行记在此刻的那一格里，一格是一个测试、一个夹具或载入。"""

    def __init__(self, source: Path):
        self.source = source
        self.walked = coverage.Coverage(
            data_file=None, config_file=False, include=[f"{source}/*"]
        )
        self.now = [LOADING]
        self.tests: dict[str, dict] = {}

    @contextlib.contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """其间走过的行记在叫这个名字的一格里。"""
        self.now.append(name)
        self.walked.switch_context(name)
        yield
        self.now.pop()
        self.walked.switch_context(self.now[-1])

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        """几个测试共用的夹具，走过的行算在每一个上。"""
        with self.inside(f"@{fixturedef.argname}"):
            yield

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """一个测试，从准备到收拾。"""
        name = f"{item.path}::{item.nodeid.partition('::')[2]}"
        cells = [item.nodeid, *(f"@{each}" for each in item.fixturenames)]
        self.tests[item.nodeid] = {"name": name, "cells": cells, "passed": True}
        began = spent()
        with self.inside(item.nodeid):
            yield
        self.tests[item.nodeid]["seconds"] = spent() - began

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """没有通过的不算：它红不说明什么。"""
        if not report.passed:
            self.tests[report.nodeid]["passed"] = False

    def lines(self) -> dict[str, dict[str, list[int]]]:
        """每一格走过的行，按文件分开。"""
        found = collections.defaultdict(lambda: collections.defaultdict(list))
        data = self.walked.get_data()
        for path in sorted(data.measured_files()):
            file, working = Path(path), set(in_functions(Path(path)))
            for number, cells in sorted(data.contexts_by_lineno(path).items()):
                for cell in cells if number in working else ():
                    found[cell][file.relative_to(self.source).as_posix()] += [number]
        return found

    def seen(self) -> dict[str, dict]:
        """通过的测试：用了几秒，各个文件里走过的行。"""
        lines = self.lines()
        return {
            test["name"]: {
                "seconds": test["seconds"],
                "lines": merged(lines[cell] for cell in test["cells"]),
            }
            for test in self.tests.values()
            if test["passed"]
        } | {LOADING: {"seconds": 0, "lines": lines[LOADING]}}


def spent() -> float:
    """到此刻用掉的处理器秒数，分出去又收回来的进程也算。"""
    return time.process_time() + sum(os.times()[2:4])


def in_functions(path: Path) -> Iterator[int]:
    """一个文件里，函数里面的行；载入时人人走过的不算。"""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.FunctionDef):
            yield from range(node.body[0].lineno, node.end_lineno + 1)


def merged(parts: Iterable[dict[str, list[int]]]) -> dict[str, list[int]]:
    """几格合在一起。"""
    found = collections.defaultdict(set)
    for part in parts:
        for file, numbers in part.items():
            found[file].update(numbers)
    return {file: sorted(numbers) for file, numbers in found.items()}


def watch(test: str, source: Path, place: Path) -> int:
    """跑一份测试，写下走过的行。"""
    watcher = Watcher(source)
    with watcher.walked.collect():
        code = pytest.main([*QUIET, test], plugins=[watcher])
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
        loading = tests.pop(LOADING)["lines"]
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

    def cost(self, name: str) -> tuple[int, int]:
        """一个测试先跑后跑：几秒，走过几行。"""
        return round(self.seconds[name]), self.breadth[name]

    def order(self, places: list[Place], budget: float) -> list[str]:
        """走过这几行的测试，合计至多 budget 秒。

        同一个函数的先各出一个；快的在前，一样快的，走过的行少的在前：它看得最近。自己
        没有走过、载入时走过的排在最后。
        """
        own = set().union(*(self.own.get(place, ()) for place in places))
        found = own.union(*(self.loading.get(place, ()) for place in places))
        turns: dict[str, int] = collections.Counter()
        ranked = []
        for name in sorted(found, key=self.cost):
            function = name.partition("[")[0]
            late = (name not in own, turns[function] > 0)
            ranked.append((*late, self.cost(name), name))
            turns[function] += 1
        chosen = []
        for *_, name in sorted(ranked):
            budget -= self.seconds[name]
            if budget < 0 and chosen:
                break
            chosen.append(name)
        return chosen
