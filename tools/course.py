"""课程的构建：造环境、执行笔记本、造书、测试、在本机看书。

只用标准库：它在 .venv 还不存在的时候就要能跑。由 Makefile 经 tools/run 调用。
每一步失败时只说一句话（哪一步、为什么、怎么办），退出码非零；
没做完的东西旁边留着一个 *.unfinished 记号，下一次看见记号就从头再来。
"""

from __future__ import annotations

import errno
import functools
import http.server
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable

from tools.build.environment import install, side
from tools.build.status import write_tables
from tools.build.workplace import (
    BUILD,
    CACHE,
    PYTHON,
    RECORD,
    ROOT,
    SITE,
    VENV,
    StepError,
    call,
    library,
    lock,
    need_book,
    reason,
    remove,
    run,
    say,
    settings,
    sources,
    told,
    unfinished,
    was_broken,
    workplace,
    write,
)
from tools.deps.lock import COMMANDS as TRUST
from tools.deps.versions import COMMANDS as TRIALS
from tools.launch.address import elsewhere
from tools.site.server import Handler


def book(fresh: bool = False) -> None:
    """执行笔记本、造书；没有变化的部分沿用上一次的。fresh 时所有页面重新生成。"""
    lock()
    remove(RECORD)
    forget_stale(fresh)
    start = time.perf_counter()
    with unfinished("book"):
        env = workplace() | threads()
        notebooks = execute_notebooks(env)
        write_tables(notebooks)
        pages_start = time.perf_counter()
        whole = not (BUILD / ".doctrees").exists()  # 每一页都重新生成
        make_pages(env)
    end = time.perf_counter()
    seconds = {"notebooks": pages_start - start, "pages": end - pages_start}
    record = {"sources": sources(), "seconds": seconds, "whole": whole}
    record["notebooks"] = notebooks
    write(RECORD, json.dumps(record, ensure_ascii=False, indent=1))
    new = sum(not note["cached"] for note in notebooks.values())
    counts = f"{len(notebooks)} 份，这次执行 {new} 份"
    say(f"笔记本 {seconds['notebooks']:6.1f} 秒（{counts}）")
    say(f"页面   {seconds['pages']:6.1f} 秒")


def forget_stale(fresh: bool) -> None:
    """丢掉不能再信的东西：做到一半的构建，换了代码或依赖、换了设置之前的输出。"""
    pages = [BUILD / ".doctrees", SITE]
    outputs = CACHE / "jupyter"
    stamps = {
        CACHE / "notebooks.stamp": (library() + sys.version, [outputs, *pages]),
        CACHE / "pages.stamp": (settings(), pages),
    }
    if was_broken("book"):
        remove(outputs, *pages, *stamps)
    for stamp, (current, stale) in stamps.items():
        if not stamp.exists() or stamp.read_text("utf8") != current:
            remove(*stale)
            write(stamp, current)
    if fresh:
        remove(*pages)


def threads() -> dict[str, str]:
    """几本笔记本同时跑：比核数多一本，等内核起停、等磁盘时有别的可做，内存装得下五本。

    每本一个线程：例子都小，两个线程反而慢，求和的次序也就处处相同。
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    return {"COURSE_JOBS": str(min(cores, 4) + 1), "OMP_NUM_THREADS": "1"}


def execute_notebooks(env: dict[str, str]) -> dict[str, dict]:
    """执行缓存里没有的笔记本与页面；返回每一份用了多少秒、是否来自缓存。"""
    say("执行笔记本……")
    result = CACHE / "notebooks.json"  # 上一次的留着：各本用了几秒，定下先跑哪本
    command = [PYTHON, "-m", "tools.build.notebooks", result]
    code, text = run(command, env, "notebooks.log")
    if code != 0:
        raise StepError(f"执行笔记本：{reason(text, 'notebooks.log')}")
    return json.loads(result.read_text("utf8"))


def make_pages(env: dict[str, str]) -> None:
    """用 Jupyter Book 生成网页；任何警告都算错。"""
    say("生成页面……")
    jb = "from jupyter_book.cli.main import main; main()"
    command = [PYTHON, "-c", jb, "build", ".", "-n", "-W", "--keep-going"]
    code, text = run([*command, "--path-output", "."], env, "book.log")
    if code == 0 and (SITE / "index.html").exists():
        return
    remove(BUILD / ".doctrees")  # 留着它，下一次没有变化的页面就不再报错了
    remove(CACHE / "book.unfinished")  # 笔记本的输出是完整的，可以留用
    raise StepError(f"生成页面：{reason(text, 'book.log')}")


def command_env() -> int:
    """造环境。"""
    start = time.perf_counter()
    how = install()
    say(f"环境   {time.perf_counter() - start:6.1f} 秒（{how}）")
    return 0


def command_book() -> int:
    """造书。"""
    start = time.perf_counter()
    command_env()
    book()
    say(f"合计   {time.perf_counter() - start:6.1f} 秒")
    say(f"书在 {(SITE / 'index.html').relative_to(ROOT)}，用浏览器打开，或 make serve")
    if advice := elsewhere():
        say(advice)
    return 0


def command_test() -> int:
    """检查一切：先把所有页面重新造一遍，再由一次 pytest 检查一切。

    笔记本由 nbval 再执行一遍，逐格比较输出；造书时的那一遍也比（test_book）。
    次序每次不同，种子印在开头；环境变量 SEED 指定种子，就照那个次序重来。
    """
    seed = os.environ.get("SEED", "")
    if seed and not seed.isdecimal():
        raise StepError(f"测试：SEED={seed} 不是种子；照抄 --randomly-seed= 后面的整数")
    install()
    try:
        book(fresh=True)
    except (
        StepError
    ) as failure:  # 书没造成，也让 pytest 把其余的查完；test_site 会是红的
        say(f"✗ {failure}")
    env = workplace() | threads()
    command = [PYTHON, "-m", "pytest", "--nbval", "--nbval-current-env"]
    parallel = ["-n", env["COURSE_JOBS"], "--dist", "loadfile"]
    order = [f"--randomly-seed={seed}"] if seed else []
    return call([*command, *parallel, *order, "tests", "notebooks"], env)


def command_matrix() -> int:
    """每周一遍的大表：逐页、逐个用例、逐种办法。"""
    env = workplace() | threads()
    command = [PYTHON, "-m", "pytest", "-n", env["COURSE_JOBS"], "--dist", "loadfile"]
    return call([*command, "-m", "matrix", "tests"], env)


def command_lint() -> int:
    """检查代码与正文的写法、许可、工作流、版本；逐项在 tools/lint/lint.py。"""
    install()
    return call([PYTHON, "-m", "tools.lint.lint"])


def command_workflows() -> int:
    """用 actionlint 检查工作流：先找 PATH 里的；没有就装一个（首次要联网）。"""
    wanted = ROOT / "tools" / "deps" / "actionlint.txt"
    found = shutil.which("actionlint")
    program = found or side("actionlint", wanted).with_name("actionlint")
    return call([program, *sorted(ROOT.glob(".github/workflows/*.yml"))])


def command_parity() -> int:
    """量两翼的差，写成书里「框架对照」的数据；已有的用例不再量，ALL=1 全部重量。"""
    install()
    target = ROOT / "book" / "_data" / "differences.json"
    env = workplace() | {"PYTHONPATH": str(ROOT)}
    again = ["全部"] if os.environ.get("ALL") else []
    return call([PYTHON, "tests/differences.py", target, *again], env)


def command_bench() -> int:
    """量速度与内存；用自己的环境：公开实现不带依赖。

    timm 与 vit-pytorch 声明要 torchvision，它又会换掉 PyTorch 或拖进几 GB 的 CUDA。
    """
    lock()
    folder, env = ROOT / "benchmarks", workplace()
    python = side("bench", folder / "requirements.txt", alone=folder / "peers.txt")
    for name in ("peers", "wings", "memory", "growth", "engine"):
        say(f"测量 {name}……")
        if code := call([python, f"benchmarks/{name}.py"], env):
            return code
    return 0


def command_waits() -> int:
    """量读者等多久：导入、结论、笔记本、搜索、翻页、造书。"""
    install()
    env = workplace() | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return call([PYTHON, "benchmarks/waits.py"], env)


def command_serve(port: str) -> int:
    """起一个只对本机开放的网站。"""
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise StepError(
            f"看书：PORT={port} 不是端口号；可用 1 到 65535，例如 PORT=8000"
        )
    need_book()
    handler = functools.partial(Handler, site=SITE, age=0)
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), handler)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            why = f"端口 {port} 已被占用；换一个，例如 make serve PORT={int(port) + 1}"
        else:
            why = f"不能使用端口 {port}({error.strerror})；换一个大于 1024 的"
        raise StepError(f"看书：{why}") from None
    say(f"书在 http://127.0.0.1:{port}/ ,按 Ctrl-C 结束")
    server.serve_forever()
    return 0


def command_clean() -> int:
    """删掉造出来的东西，留下 .venv 与下载缓存。"""
    lock()
    kept = {"pip", "lock", "venv.unfinished"}
    remove(BUILD, *(path for path in CACHE.iterdir() if path.name not in kept))
    return 0


def command_distclean() -> int:
    """回到刚克隆的样子。"""
    remove(BUILD, CACHE, VENV, *ROOT.glob(".venv-*"))
    return 0


COMMANDS: dict[str, Callable[..., int]] = {
    "env": command_env,
    "book": command_book,
    "test": command_test,
    "matrix": command_matrix,
    "lint": command_lint,
    "workflows": command_workflows,
    "parity": command_parity,
    "bench": command_bench,
    "waits": command_waits,
    "serve": command_serve,
    "clean": command_clean,
    "distclean": command_distclean,
    **TRUST,
    **TRIALS,
}


def main(name: str, *arguments: str) -> int:
    """执行一个目标；失败时一句话。"""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return told(COMMANDS[name], *arguments)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
