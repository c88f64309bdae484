"""造 .venv、装依赖：做成了才写下 .venv/.ready，下一次凭它放行。只用标准库。

人用宽松的 requirements.txt；持续集成（CI=true）用锁定的 requirements.lock，
每个文件都核对校验和。锁只给一种机器解，别的机器上即使是 CI 也用宽松的。
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools.build.workplace import (
    CACHE,
    DISK_FULL,
    NETWORK,
    PYTHON,
    ROOT,
    VENV,
    StepError,
    fingerprint,
    lock,
    packages,
    reason,
    remove,
    run,
    say,
    unfinished,
    was_broken,
    write,
)

SPARE = 16 * 2**20  # 字节；剩得比这还少，pip 自己都装不下
LOCK = ROOT / "requirements.lock"
LOCKED = (3, 11)  # 锁是给哪个 CPython 解的；make lock 也照它
# 新的主题不许 pip 装在 Python 3.10 上，其实那里也能用；旧的一版，网站的样子全不对
THEME = ("pydata-sphinx-theme", "sphinx-book-theme", "sphinx-design")
THEME_PYTHON = (3, 11)


def uses_lock() -> bool:
    """这里要不要用锁：在持续集成里，而且机器正是锁所说的那一种。"""
    return os.environ.get("CI", "").lower() == "true" and fits_lock()


def fits_lock() -> bool:
    """这台机器是不是锁所说的那一种。"""
    here = platform.system(), platform.machine(), sys.implementation.name
    fits = here == ("Linux", "x86_64", "cpython") and sys.version_info[:2] == LOCKED
    return fits and LOCK.exists()


def ready() -> str:
    """返回 .venv/.ready 里该写的话：给哪个位置装的、装了什么。"""
    wanted = {"root": str(ROOT), "packages": packages()}
    wanted |= {"lock": fingerprint(LOCK)} if uses_lock() else {}
    return json.dumps(wanted | ({"theme": theme()} if theme() else {}))


def install() -> str:
    """保证 .venv 里装好了 requirements.txt 的一切；返回一句说明。"""
    stamp = VENV / ".ready"
    usable = PYTHON.exists() and not was_broken("venv") and starts(PYTHON)
    if usable and stamp.exists() and stamp.read_text("utf8") == ready():
        refuse_other_python()
        return "已就绪"
    lock()
    moved = stamp.exists() and json.loads(stamp.read_text("utf8"))["root"] != str(ROOT)
    fresh = not usable or moved
    with unfinished("venv"):
        if fresh:
            make_venv()
        else:
            refuse_other_python()
        pip_install(fresh)
        write(stamp, ready())
    return "新装" if fresh else "更新"


def starts(python: Path) -> bool:
    """这个解释器还跑得起来，而且不低于 3.10。"""
    check = "import sys; sys.exit(sys.version_info < (3, 10))"
    try:
        command = [python, "-c", check]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def refuse_other_python() -> None:
    """已有的 .venv 与 PYTHON= 指定的版本不同：说出来，不悄悄忽略。"""
    if not os.environ.get("PYTHON"):
        return
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    have = subprocess.check_output([PYTHON, "-c", ask], text=True).strip()
    want = "{}.{}".format(*sys.version_info)
    if have != want:
        raise StepError(
            f"装环境：.venv 是用 Python {have} 造的，而 PYTHON 指定了 {want};"
            "要换的话先 make distclean"
        )


def make_venv() -> None:
    """从头造一个 .venv。"""
    say(f"造 .venv(Python {sys.version.split()[0]})……")
    remove(VENV)
    code, text = run([sys.executable, "-m", "venv", VENV], {**os.environ}, "venv.log")
    if code == 0:
        return
    # venv 把 ensurepip 说的原因吞掉了，只好自己看磁盘还剩多少
    full = DISK_FULL.search(text) or shutil.disk_usage(ROOT).free < SPARE
    remove(VENV)
    if full:
        raise StepError("造 .venv：磁盘满了，腾出约 5 GB 再来一次")
    if "ensurepip" in text:
        raise StepError(
            "造 .venv：这个 Python 没有 venv 组件；"
            "Debian/Ubuntu 上 apt install python3-venv，或用 PYTHON=路径 换一个"
        )
    raise StepError(f"造 .venv:{reason(text, 'venv.log')}")


def pip_environment() -> dict[str, str]:
    """返回 pip 的环境变量；下载的东西存在仓库里，中断之后不必重下。"""
    env = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONUTF8": "1"}
    env.setdefault("PIP_CACHE_DIR", str(CACHE / "pip"))
    env.pop("PYTHONPATH", None)
    return env


def theme() -> list[str]:
    """返回要绕开 Requires-Python 装的主题，版本照锁；pip 自己肯装的，就不必。"""
    if sys.version_info >= THEME_PYTHON or not LOCK.exists():
        return []
    pins = re.findall(r"^[\w.-]+==[^\s;]+", LOCK.read_text("utf8"), re.M)
    return [pin for pin in pins if pin.partition("==")[0] in THEME]


def pip_steps() -> list[list[str]]:
    """返回要依次执行的 pip install；锁里没有本仓库自己，它另装，什么也不再下载。"""
    if not uses_lock():
        around = ["--no-deps", "--ignore-requires-python", *theme()]
        return [["-r", "requirements.txt"], *([around] if theme() else [])]
    own = ["--no-deps", "--no-build-isolation", "-e", "."]
    return [["--require-hashes", "-r", LOCK.name], own]


def pip_install(fresh: bool) -> None:
    """安装 requirements.txt，或锁定的那一份。"""
    which = f"{LOCK.name}，逐个核对校验和" if uses_lock() else "首次约 1 GB，几分钟"
    say(f"安装依赖（{which}）……")
    command = [PYTHON, "-m", "pip", "install", "--progress-bar", "off"]
    for words in pip_steps():
        code, text = run([*command, *words], pip_environment(), "pip.log")
        if code != 0:
            break
    else:
        return
    if fresh:
        remove(VENV)
    elif NETWORK.search(text):  # 还没开始改动，旧环境照样能用
        remove(CACHE / "venv.unfinished")
    raise StepError(f"安装依赖：{reason(text, 'pip.log')}")


def side(name: str, *lists: Path, alone: Path | None = None) -> Path:
    """造 .venv-name，装上 lists 里的东西；返回它的 Python。已经装好就直接返回。

    参数: alone 里的不带各自的依赖，最后装
    """
    folder = ROOT / f".venv-{name}"
    lists = (*lists, alone) if alone else lists
    python, stamp = folder / "bin" / "python", folder / ".ready"
    ready = "".join(path.read_text("utf8") for path in lists)
    if stamp.exists() and stamp.read_text("utf8") == ready:
        return python
    lock()
    remove(folder)
    say(f"造 {folder.name}……")
    pip = [python, "-m", "pip", "install", "--progress-bar", "off"]
    installs = [
        [*pip, *(["--no-deps"] if path == alone else []), "-r", path] for path in lists
    ]
    for command in ([sys.executable, "-m", "venv", folder], *installs):
        code, text = run(command, pip_environment(), f"{name}.log")
        if code != 0:
            raise StepError(f"造 {folder.name}：{reason(text, f'{name}.log')}")
    write(stamp, ready)
    return python
