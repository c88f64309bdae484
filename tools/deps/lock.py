"""可信：锁定与松开依赖、查漏洞、反复测试。由 course.py 调用，只用标准库。"""

from __future__ import annotations

import json
import os
import random
import re
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

from tools.build.environment import LOCK, LOCKED, side
from tools.build.outcomes import commit, outcome, record
from tools.build.workplace import (
    CACHE,
    PYTHON,
    ROOT,
    StepError,
    call,
    reason,
    remove,
    run,
    say,
    write,
)
from tools.build.workplace import workplace as surroundings

CPU_WHEELS = "https://download.pytorch.org/whl/cpu"
PAGES = ("https://pypi.org/pypi/{}/{}/json", "https://pypi.org/pypi/{}/json")
HEAD = """# 锁定的依赖，每个都有校验和；由 make lock 解出，不要手改
# 来自 requirements.txt 与 pyproject.toml，只给 Linux x86-64 上的 CPython {python}：
# CI=true 时由 tools/build/environment.py 使用，其余的人与机器用宽松的 requirements.txt
# torch 是 CPU 版（PyPI 上同一个版本的 Linux 轮子要另带几 GB 的 nvidia-*，不在这里）：
# 安装时从 PIP_FIND_LINKS 里的文件夹取，或从下面这个软件源取（PIP_EXTRA_INDEX_URL）：
# {wheels}
# hatchling 与 editables 是造本仓库的轮子用的：-e . 另装，不带依赖，也不临时下载
"""
PINNED = ("requirements.txt", ".binder/requirements.txt")
PIN = re.compile(r"^torch==\S+", re.M)
BUILDING = ("hatchling", "editables")
SUITES = ["tests", "notebooks"]


def tools() -> str:
    """返回 .venv-tools 里放命令的文件夹。"""
    return str(side("tools", ROOT / "tools" / "deps" / "tools.txt").parent)


def uv_environment() -> dict[str, str]:
    """给 uv 的环境：缓存放在仓库里，不画进度条。"""
    env = {**os.environ}
    env.setdefault("UV_CACHE_DIR", str(CACHE / "uv"))
    env["UV_NO_PROGRESS"] = "1"
    return env


def torch_source() -> list[str]:
    """返回 uv 从哪里取 torch；别的包都来自 PyPI。

    PyTorch 自己的源不用 --index：uv 只认最先有这个包的源，而那里也有旧的 NumPy 等等。
    别的源（自己的镜像）照 PIP_EXTRA_INDEX_URL 给 --index，它得是一个完整的镜像。
    """
    if folder := os.environ.get("PIP_FIND_LINKS"):
        return ["--find-links", folder]
    mirrors = os.environ.get("PIP_EXTRA_INDEX_URL", "").split()
    others = [url for url in mirrors if url.rstrip("/") != CPU_WHEELS]
    if not others:
        return ["--torch-backend", "cpu"]
    return [word for url in others for word in ("--index", url)]


def command_lock() -> int:
    """从宽松的依赖解出锁定的一份，连同校验和。"""
    lines = (ROOT / "requirements.txt").read_text("utf8").splitlines()
    kept = [line for line in lines if not line.startswith("-e")]
    source = CACHE / "lock.in"
    write(source, "\n".join([*kept, *BUILDING, ""]))
    target = CACHE / "requirements.lock"
    target.write_text(LOCK.read_text("utf8") if LOCK.exists() else "", "utf8")
    python = "{}.{}".format(*LOCKED)
    words = [f"{tools()}/uv", "pip", "compile", source, ROOT / "pyproject.toml"]
    words += ["--generate-hashes", "--no-annotate", "--no-header", "--upgrade"]
    words += ["--python-version", python, "--no-emit-index-url", "-o", target]
    words += ["--python-platform", "x86_64-manylinux_2_28", "--quiet"]
    env = uv_environment()
    code, text = run([*words, *torch_source()], env, "lock.log")
    if code != 0:
        raise StepError(f"锁定依赖：{reason(text, 'lock.log')}")
    resolved = [
        line for line in target.read_text("utf8").splitlines() if line[:2] != "--"
    ]
    head = HEAD.format(python=python, wheels=CPU_WHEELS)
    LOCK.write_text(head + "\n".join(resolved) + "\n", "utf8")
    packages = len(re.findall(r"^[\w.-]+==", LOCK.read_text("utf8"), re.M))
    say(f"锁定了 {packages} 个包 → {LOCK.name}")
    return 0


def unpin(root: Path = ROOT) -> list[str]:
    """松开 torch 的版本，书的与 Binder 的一起松；返回改了的文件。"""
    changed = []
    for name in PINNED:
        old = (root / name).read_text("utf8")
        new = PIN.sub("torch", old)
        if new != old:
            write(root / name, new)
            changed.append(name)
    return changed


def command_unpin() -> int:
    """为试最新的 PyTorch 松开它的版本。"""
    changed = unpin()
    if changed:
        names = " ".join(changed)
        say(f"松开了 torch 的版本；要改回去：git checkout -- {names}")
    else:
        say("torch 的版本本来就没有固定")
    return 0


def pins() -> list[str]:
    """返回锁里的“名字==版本”；漏洞库不认本地版本号，torch 去掉 +cpu。"""
    found = re.findall(r"^([\w.-]+==[^\s+;]+)", LOCK.read_text("utf8"), re.M)
    return sorted(found)


def holes(name: str, version: str) -> list[str] | None:
    """问 PyPI 这一版已知的漏洞，返回编号；问不到是 None。

    先问这一版的页；有的网络与镜像只有包的主页，那里只说最新的一版，正是它才算问到。
    """
    for page in PAGES:
        try:
            with urllib.request.urlopen(page.format(name, version), timeout=60) as got:
                found = json.load(got)
            if found["info"]["version"] == version:
                known = found["vulnerabilities"]
                return [hole["id"] for hole in known if not hole.get("withdrawn")]
        except (OSError, HTTPException, ValueError, KeyError):
            continue
    return None


def command_audit() -> int:
    """拿锁定的版本去查已知的漏洞；没有查到的照实说，不当作没有漏洞。"""
    locked = dict(pin.split("==") for pin in pins())
    total = len(locked)
    with ThreadPoolExecutor(8) as pool:
        answers = dict(
            zip(locked, pool.map(holes, locked, locked.values()), strict=True)
        )
    unknown = [name for name, known in answers.items() if known is None]
    bad = [f"{k} {locked[k]}：{hole}" for k in locked for hole in answers[k] or ()]
    if len(unknown) == total:
        raise StepError(
            f"查漏洞：问不到漏洞库（pypi.org 的 JSON 接口），{total} 个包一个也没有查；"
            "换一台能上网的机器再来"
        )
    record("audit", {"packages": total, "bad": bad, "unknown": unknown}, commit())
    if bad or unknown:
        lines = [*bad, *(f"{name}：没有查到" for name in unknown)]
        raise StepError(f"查漏洞：{total} 个包里——\n  " + "\n  ".join(lines))
    say(f"{total} 个包都没有已知的漏洞")
    return 0


def command_flaky() -> int:
    """把测试跑 N 遍，每遍一个种子；有一遍不过就说出它的种子。

    跑的是全部测试时记下结果；用 SUITES 只跑几份的不记。
    """
    count = os.environ.get("N") or "5"
    if not count.isdecimal() or count == "0":
        raise StepError(f"反复测试：N={count} 不是正整数；例如 make flaky N=5")
    suites = os.environ.get("SUITES", "").split() or SUITES
    env, runs, report = surroundings(), [], CACHE / "flaky.xml"
    started_from = commit()
    env.setdefault("OMP_NUM_THREADS", "1")
    words = [PYTHON, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile"]
    words += ["--nbval", "--nbval-current-env", f"--junitxml={report}"]
    for turn in range(1, int(count) + 1):
        seed = random.SystemRandom().getrandbits(32)
        say(f"第 {turn} 遍，--randomly-seed={seed}")
        remove(report)
        code = call([*words, f"--randomly-seed={seed}", *suites], env)
        if not report.exists():
            raise StepError(f"反复测试：种子 {seed} 的一遍没有跑完，结果不记")
        runs.append({"seed": seed, "code": code, **outcome(report)})
    if suites == SUITES:
        record("flaky", {"runs": runs}, started_from)
    if failed := [str(run["seed"]) for run in runs if run["code"]]:
        raise StepError(
            f"反复测试：{count} 遍里 {len(failed)} 遍不过，种子 {'、'.join(failed)}；"
            "用 make test SEED=种子 重来"
        )
    say(f"{count} 遍都通过")
    return 0


COMMANDS = {
    "lock": command_lock,
    "unpin": command_unpin,
    "audit": command_audit,
    "flaky": command_flaky,
}
