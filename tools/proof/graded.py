"""批改的两个数：写对的有几份被误判，写错的有几份被判成对；结果写进书里。

用法: python -m tools.proof.graded [--write]
交来的在 tests/handed_in/：写对的是一份份代码，其中 unseen_* 的作者只拿到练习题的
文字；写错的是把写对的改动一行，unseen_wrong_* 是同一位作者自己写错的。
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import os
import sys
import time
import warnings
from collections.abc import Iterator
from typing import NamedTuple

from tools.build.workplace import ROOT, say, write

# 张量都很小：多开的线程只会互相等
os.environ.setdefault("OMP_NUM_THREADS", "1")

from vision_attention.grading import TASKS, grade
from vision_attention.grading.steps import FUNCTIONS
from vision_attention.wings import PACKAGES

FOLDER = ROOT / "tests" / "handed_in"
TABLE = ROOT / "book" / "_data" / "grading.json"
WRONG = {"torch": "wrong", "paddle": "wrong_paddle"}


class HandIn(NamedTuple):
    """交来的一份：叫什么，当作什么批改，本身，该认出的名字。"""

    name: str
    task: str
    subject: object
    expected: tuple[str, ...] = ()


def load(name: str) -> object:
    """载入交来的一个文件。"""
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))
    return importlib.import_module(name)


def task_of(name: str) -> str | None:
    """名字的第一节是批改的任务。"""
    names = [task for task in (*TASKS, *FUNCTIONS) if name.startswith(f"{task}_")]
    return max(names, key=len, default=None)


def from_text(framework: str) -> list[HandIn]:
    """写对的里，作者只拿到练习题的文字，没有见过程序库与批改的。"""
    return _handed(f"unseen_{framework}")


def right(framework: str) -> list[HandIn]:
    """写对的。"""
    seen = _handed(f"right_{framework}") + _handed(f"from_text_{framework}")
    return seen + from_text(framework)


def _handed(name: str) -> list[HandIn]:
    found = vars(load(name)).items()
    return [HandIn(n, task, v) for n, v in found if (task := task_of(n))]


@functools.cache
def wrong(framework: str) -> tuple[HandIn, ...]:
    """写错的：把写对的改动一行。"""
    return (*_changed(framework), *_handed(f"unseen_wrong_{framework}"))


# 找一个类要把整个文件再读一遍；一份写对的改出好几份写错的
_source = functools.cache(inspect.getsource)


def _changed(framework: str) -> Iterator[HandIn]:
    for base, old, new, expected in load(WRONG[framework]).WRONG:
        kind = "from_text" if "_text_" in base else "right"
        module = load(f"{kind}_{framework}")
        source = _source(getattr(module, base))
        if old not in source:
            raise ValueError(f"{base} 里没有要改的 {old!r}")
        names = dict(vars(module))
        exec(source.replace(old, new), names)
        yield HandIn(f"{base}: {new}", task_of(base), names[base], expected)


def counts(framework: str) -> dict[str, int]:
    """一翼的几个数。"""
    kept = [grade(h.subject, h.task, framework=framework) for h in right(framework)]
    caught = [grade(h.subject, h.task, framework=framework) for h in wrong(framework)]
    return {
        "right": len(kept),
        "from_text": len(from_text(framework)),
        "false_alarms": sum(not report.right for report in kept),
        "wrong": len(caught),
        "called_right": sum(report.right for report in caught),
        "named": sum(bool(report.found) for report in caught),
    }


def main(*words: str) -> int:
    """印出两个数；--write 写进书里。"""
    warnings.simplefilter("ignore")
    found = {}
    for framework in PACKAGES:
        start = time.process_time()
        told = found[framework] = counts(framework)
        say(
            f"{framework}：写对的 {told['right']} 份"
            f"（{told['from_text']} 份只照题目写），误判 {told['false_alarms']}；"
            f"写错的 {told['wrong']} 份，判成对的 {told['called_right']}，"
            f"叫出名字的 {told['named']}；"
            f"处理器 {time.process_time() - start:.0f} 秒"
        )
    if "--write" in words:
        write(TABLE, json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
