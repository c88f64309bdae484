"""最低与最新的版本：各造一个单独的环境，跑程序库的测试，把结果记下来。只用标准库。"""

from __future__ import annotations

import json
import os
import re
import sys
from functools import partial
from pathlib import Path

from tools.build.environment import side
from tools.build.outcomes import TRIED, commit, outcome, record
from tools.build.workplace import CACHE, ROOT, StepError, lock, reason, remove, run, say
from tools.build.workplace import workplace as surroundings
from tools.deps.lock import uv_environment

RESOLUTIONS = {"lowest": "lowest-direct", "newest": "highest"}
PROMISED = re.compile(r'^requires-python = ">=([\d.]+)"', re.M)
EXTRAS = ("torch", "paddle", "cluster")
TOOLS = ["pytest>=8", "pytest-xdist>=3.6", "pytest-randomly>=4", "ipython"]
# 程序库的测试；书、网站、构建、写法与版本无关
SUITES = (
    "attention augment bad_input cifar10 cli cluster config data diagnosis findings "
    "folder harder inspect interop mirror parity plots records schedules small_mlp "
    "studies tasks training traps"
).split()
SHOWN = ("torch", "paddlepaddle", "numpy", "scipy", "scikit-learn", "matplotlib", "ray")
ASK = (
    "import json, platform\n"
    "from importlib import metadata\n"
    f"found = {{name: metadata.version(name) for name in {SHOWN!r}}}\n"
    "print(json.dumps({'Python': platform.python_version(), **found}))\n"
)


def suites() -> list[str]:
    """返回要跑的测试文件，不管在哪一间。"""
    found = (next((ROOT / "tests").rglob(f"test_{name}.py")) for name in SUITES)
    return [path.relative_to(ROOT).as_posix() for path in found]


def interpreter(name: str) -> str:
    """最低的一套配答应的最低的 Python（uv 去找，没有就下载）；最新的用此刻这一个。"""
    if name == "newest":
        return sys.executable
    return PROMISED.search((ROOT / "pyproject.toml").read_text("utf8"))[1]


def make(name: str) -> Path:
    """造 .venv-lowest 或 .venv-newest；返回它的 Python。"""
    uv = side("tools", ROOT / "tools" / "deps" / "tools.txt").with_name("uv")
    lock()
    folder = ROOT / f".venv-{name}"
    python, pinned = folder / "bin" / "python", folder / "versions.txt"
    remove(folder)
    extras = [word for extra in EXTRAS for word in ("--extra", extra)]
    install = [uv, "pip", "install", "--python", python]
    compiled = [uv, "pip", "compile", ROOT / "pyproject.toml", *extras]
    compiled += ["--resolution", RESOLUTIONS[name], "--python", python, "-o", pinned]
    steps = (
        [uv, "venv", "--seed", "--python", interpreter(name), folder],
        compiled,
        [*install, "-r", pinned],
        [*install, "-c", pinned, *TOOLS],
        [*install, "--no-deps", "-e", "."],
    )
    for words in steps:
        say(f"  uv {' '.join(str(word) for word in words[1:3])}……")
        code, text = run(words, uv_environment(), f"{name}.log")
        if code != 0:
            raise StepError(f"造 {folder.name}：{reason(text, f'{name}.log')}")
    return python


def trial(name: str) -> int:
    """试答应的最低版本，或者此刻最新的：造环境、跑测试、写下结果。"""
    started_from = commit()
    python = make(name)
    report = CACHE / f"{name}.xml"
    remove(report)
    env = surroundings() | {"OMP_NUM_THREADS": "1"}
    env["PATH"] = f"{python.parent}{os.pathsep}{env['PATH']}"
    words = [python, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile"]
    # 旧版本在新的 Python 上有弃用的警告，不算课程的错
    words += ["-o", "filterwarnings=", "-o", "addopts=", "-p", "no:cacheprovider"]
    say("  跑程序库的测试……")
    code, text = run(
        [*words, f"--junitxml={report}", *suites()], env, f"{name}-tests.log"
    )
    if not report.exists():
        raise StepError(f"测试：{reason(text, f'{name}-tests.log')}")
    result = outcome(report)
    _, said = run([python, "-c", ASK], env, f"{name}-versions.log")
    result["versions"] = json.loads(said.splitlines()[-1])
    record(name, result, started_from)
    say(f"{result['passed']} 个通过，{result['failed']} 个失败 → {TRIED.name}")
    for test in result["names"]:
        say(f"  ✗ {test}")
    return code


COMMANDS = {name: partial(trial, name) for name in RESOLUTIONS}
