"""交来的文件：在自己的进程里载入、批改，超过时限就停下。

文件里的代码以使用者的权利运行；这里只限时间，不是隔离。
用法: python -m vision_attention.grading.handed 文件 名字 任务 框架 尺寸 结果.json
内容: `grade_file` 在另一个进程里批改；`load` 载入文件里的一个名字
"""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vision_attention import checks
from vision_attention.grading import grade
from vision_attention.grading.apart import run_apart
from vision_attention.grading.report import FAULT, Check, Report
from vision_attention.storage import files
from vision_attention.wings import import_quietly


def load(path: Path, name: str) -> Any:
    """载入文件，取里面的一个名字。

    错误: 没有这个文件、里面没有这个名字时抛出 ValueError
    """
    if not path.is_file():
        raise ValueError(f"没有这个文件：{files.printable(path)}")
    spec = importlib.util.spec_from_file_location("handed_in", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{files.printable(path)} 不是 .py 文件")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    spec.loader.exec_module(module)
    if not hasattr(module, name):
        own = [n for n, v in vars(module).items() if _made_here(v, module.__name__)]
        near = checks.nearest(name, own)
        raise ValueError(f"{path.name} 里没有 {name}；{near}")
    return getattr(module, name)


def _made_here(value: Any, module: str) -> bool:
    """文件自己写的类与函数。"""
    return callable(value) and getattr(value, "__module__", "") == module


def grade_file(
    place: str,
    task: str,
    settings: Mapping[str, int],
    *,
    framework: str | None = None,
    seconds: float = 60.0,
) -> Report:
    """批改 文件.py:名字，在另一个进程里，最多 seconds 秒。

    参数: place 为 文件.py:名字；task、settings、framework 同 grade
    错误: place 写得不对、文件读不了、名字不认识时抛出 ValueError
    """
    path, sign, name = place.rpartition(":")
    if not sign or not path:
        raise ValueError(f"{place!r} 应写成 文件.py:名字，例如 mine.py:CBAM")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "report.json"
        words = [
            path,
            name,
            task,
            framework or "",
            json.dumps(dict(settings)),
            str(target),
        ]
        said = run_apart(["vision_attention.grading.handed", *words], seconds)
        if said is None:
            told = f"{seconds:g} 秒还没有结束，停下了；看看有没有死循环，或等着什么"
            return Report(name, FAULT, (Check("按时结束", False, told),))
        return _reply(target, name, said)


def _reply(target: Path, name: str, said: str) -> Report:
    """另一个进程的回话；没有回话的是中途没了。"""
    if not target.exists():
        last = (said.strip().splitlines() or ["没有说原因"])[-1][:200]
        return Report(name, FAULT, (Check("载入", False, f"文件跑不完：{last}"),))
    told = json.loads(target.read_text("utf8"))
    if "error" in told:
        raise ValueError(told["error"])
    return Report.from_plain(told)


def main(path: str, name: str, task: str, framework: str, *rest: str) -> None:
    """在这个进程里批改，把报告写进 target。"""
    settings, target = rest
    try:
        if framework:
            import_quietly(framework)
        subject = load(Path(path), name)
        report = grade(
            subject, task, framework=framework or None, **json.loads(settings)
        )
        told = report.plain()
    except ValueError as error:
        told = {"error": str(error)}
    with files.replacing(Path(target)) as temporary:
        temporary.write_text(json.dumps(told, ensure_ascii=False), "utf8")


if __name__ == "__main__":
    main(*sys.argv[1:])
