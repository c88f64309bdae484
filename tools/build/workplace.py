"""构建的工具箱：位置、环境变量、指纹、锁、记号、执行命令。只用标准库。"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
CACHE = ROOT / ".cache"
BUILD = ROOT / "_build"
SITE = BUILD / "html"
RECORD = BUILD / "built.json"
PYTHON = VENV / "bin" / "python"

# pip 与 jupyter-book 的话很多：全文进日志，屏幕上只留下这几种行
SHOWN = re.compile(r"^\s*Downloading |笔记本 |: (WARNING|ERROR|CRITICAL)")
ERROR = re.compile(r"(^|: )(WARNING|ERROR|CRITICAL)\b|^\w*(Error|Exception)\b")
NETWORK = re.compile(
    r"NewConnectionError|ConnectionError|ConnectTimeout|ReadTimeout|ProxyError"
    r"|Temporary failure|Name or service|Connection (refused|broken|reset)"
    r"|Network is unreachable|getaddrinfo"
)
DISK_FULL = re.compile(r"No space left|Errno 28\b|Disk quota|disk is full")
# 断在半路的下载：pip 不看长度，要到校验或解开时才发现
CUT_SHORT = re.compile(r"DO NOT MATCH THE HASHES|IncompleteRead|BadZipFile|is invalid")


class StepError(Exception):
    """一步没做成；消息就是给人看的那一句话。"""


def told(step: Callable[..., int | None], *arguments: object) -> int:
    """做一步，返回退出码；没做成只说一句话。"""
    try:
        return step(*arguments) or 0
    except StepError as failure:
        line = str(failure)
    except KeyboardInterrupt:
        line = "已中断；没做完的部分下次会从头再来"
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        line = "磁盘满了，腾出约 5 GB 再来一次"
    print(f"✗ {line}", file=sys.stderr, flush=True)
    return 1


def need_book(site: Path = SITE) -> None:
    """书得先造出来。"""
    if not (site / "index.html").exists():
        raise StepError("书还没有造出来；先运行 make book")


def workplace() -> dict[str, str]:
    """返回构建用的环境变量：各个工具在家目录里写的东西都改写到 .cache 之下。

    paddle、matplotlib、jupyter、ipython 一导入就在家目录建文件夹，所以连 HOME 也换掉：
    仓库之外，除了用完就删的临时文件，什么也不写。只有 pip 留着真的 HOME：它要读使用者的
    镜像设置。
    """
    home = CACHE / "home"
    (home / "tmp").mkdir(parents=True, exist_ok=True)
    # 前两个会换掉内核里的包；后一个会让笔记本里的图不见
    foreign = ("PYTHONPATH", "PYTHONHOME", "MPLBACKEND")
    env = {key: value for key, value in os.environ.items() if key not in foreign}
    env |= {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
        "MPLCONFIGDIR": str(home / "matplotlib"),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_CONFIG_DIR": str(home / "jupyter"),
        "JUPYTER_DATA_DIR": str(home / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(home / "jupyter" / "runtime"),
        "JUPYTER_PATH": "",
        # 家目录里同名的内核不算数：笔记本用 .venv 里的那个 Python
        "JUPYTER_PREFER_ENV_PATH": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
        # Paddle 一导入就劝人装 ccache，与课程无关
        "PYTHONWARNINGS": "ignore:No ccache found:UserWarning",
        # 书里的例子都在 CPU 上：有显卡的机器上，模型也不会一半在卡上
        "CUDA_VISIBLE_DEVICES": "",
        # Ray 起集群时默认向它的公司报告用量
        "RAY_USAGE_STATS_ENABLED": "0",
        "PATH": f"{VENV / 'bin'}{os.pathsep}{env.get('PATH', os.defpath)}",
    }
    # Paddle 随身带的旧 MKL 在 AMD 处理器上只用 SSE2；这样它才用 AVX2
    listing = Path("/proc/cpuinfo")
    if listing.exists() and "AuthenticAMD" in listing.read_text("utf8"):
        env.setdefault("MKL_DEBUG_CPU_TYPE", "5")
    # 套接字的路径不能超过 108 个字符：仓库放得太深时，临时文件留在系统的位置
    if len(str(home)) <= 60:
        env["TMPDIR"] = str(home / "tmp")
    return env


def fingerprint(*parts: Path | str) -> str:
    """把若干文件、文件夹、字符串化成一个指纹：任何一处改动都会改变它。"""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            digest.update(part.encode())
            continue
        files = sorted(part.rglob("*")) if part.is_dir() else [part]
        for file in files:
            if file.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & set(
                file.parts
            ):
                digest.update(str(file.relative_to(ROOT)).encode() + b"\0")
                digest.update(file.read_bytes())
    return digest.hexdigest()


def packages() -> str:
    """返回依赖的指纹；pyproject.toml 里各工具的设置不影响安装，不算在内。"""
    head = (ROOT / "pyproject.toml").read_text("utf8").split("\n[tool.")[0]
    return fingerprint(ROOT / "requirements.txt", head)


def library() -> str:
    """返回笔记本所依赖的一切的指纹：变了就要重新执行，缓存作废。"""
    pages = sorted((ROOT / "book").rglob("*.py"))  # 书页从旁边的文件里取的代码
    return fingerprint(ROOT / "src", *pages, packages())


def settings() -> str:
    """返回设置与网站层的指纹：变了就要重新生成每一页。"""
    files = ("_config.yml", "_toc.yml", "tools/site/ext")
    files += ("book/_templates", "book/_static", "book/_data")
    return fingerprint(*(ROOT / name for name in files))


def sources() -> str:
    """返回整本书的源文件的指纹：书是不是旧的，由它说了算。"""
    return fingerprint(ROOT / "book", ROOT / "notebooks", settings(), library())


@functools.cache
def lock() -> int:
    """同一个仓库一次只构建一份；子进程也拿着锁，被杀剩下的孤儿结束之前没人能插手。"""
    CACHE.mkdir(exist_ok=True)
    handle = os.open(CACHE / "lock", os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("另一个 make 正在这里构建，等它结束……")
        fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def say(text: str) -> None:
    """马上写到屏幕上。"""
    print(text, flush=True)


def write(path: Path, text: str) -> None:
    """先写到临时名字再改名：别人看到的要么没有，要么完整。"""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".part")
    draft.write_text(text, "utf8")
    draft.replace(path)


def remove(*paths: Path) -> None:
    """删掉文件或文件夹，没有也不要紧。"""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def unfinished(name: str) -> Iterator[None]:
    """做的时候挂一个记号，做成了才摘下来。"""
    mark = CACHE / f"{name}.unfinished"
    write(mark, "")
    yield
    remove(mark)


def was_broken(name: str) -> bool:
    """上一次做到一半就停了。"""
    return (CACHE / f"{name}.unfinished").exists()


def run(command: list[str | Path], env: dict[str, str], log: str) -> tuple[int, str]:
    """执行一条命令：全文写进 .cache/log，挑要紧的行给人看；返回退出码与全文。"""
    process = subprocess.Popen(
        [str(word) for word in command],
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[lock()],
    )
    lines = []
    try:
        for raw in process.stdout:
            line = raw.decode("utf8", "replace").rstrip()
            lines.append(re.sub(r"\x1b\[[0-9;]*m", "", line))
            if SHOWN.search(lines[-1]):
                say(f"  {lines[-1].strip()}")
    except BaseException:
        process.terminate()
        raise
    finally:
        process.stdout.close()
    text = "\n".join(lines)
    with contextlib.suppress(OSError):  # 磁盘满的时候日志也写不下
        write(CACHE / "log" / log, text)
    return process.wait(), text


def call(command: list[str | Path], env: dict[str, str] | None = None) -> int:
    """执行一条命令，它的话原样上屏；返回退出码。"""
    words = [str(word) for word in command]
    run_in = {"cwd": ROOT, "env": env, "stdin": subprocess.DEVNULL}
    return subprocess.run(words, check=False, **run_in).returncode


def reason(text: str, log: str) -> str:
    """从命令的全文里认出原因，附上怎么办。"""
    if DISK_FULL.search(text):
        return "磁盘满了：腾出约 5 GB 再来一次"
    if NETWORK.search(text):
        return "连不上网：首次安装要联网，检查网络或 pip 镜像后再来一次"
    if CUT_SHORT.search(text):
        return (
            "下到的文件与校验和不符，或打不开：多半是下载到一半断了，再来一次；"
            f"一再这样就换一个 pip 镜像（全文见 .cache/log/{log}）"
        )
    if missing := re.search(r"No matching distribution found for (\S+)", text):
        return (
            f"软件源里没有合适的 {missing[1]}；检查 pip 镜像，或用 PYTHON= 换一个版本"
        )
    errors = [line for line in text.splitlines() if ERROR.search(line)]
    tail = (errors or text.splitlines() or ["没有任何输出"])[-1].strip()
    tail = tail.removeprefix("checking consistency...").strip()
    return f"{tail[:200]}（全文见 .cache/log/{log}）"
