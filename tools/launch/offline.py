"""断了网，离线包也装得上、跑得动：make offline-check。

把 dist/ 里的包解开到空文件夹，切断网络，照包里 README 的两行造环境、装轮子，再两翼各跑
一本笔记本。断网用 unshare -n，只剩本机的回环；不许的机器上只堵住代理，并且说出来。
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tools.build.workplace import StepError, lock, reason, remove, run, say, told
from tools.offline import PLACE, target

PROOF = "two_machines"  # 跑哪一本，两翼各一
CUT = 'ip link set lo up && cd "$0" && exec "$@"'  # 内核在回环上说话
PLAIN = 'cd "$0" && exec "$@"'
NOWHERE = "http://127.0.0.1:9"
BLOCKED = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), NOWHERE)


def cut() -> tuple[list[str], dict[str, str], str]:
    """返回断网执行的前缀、要设的变量、怎样断的。"""
    apart = ["unshare", *([] if os.geteuid() == 0 else ["-r"]), "-n", "sh", "-c", CUT]
    try:
        probe = subprocess.run([*apart, "/", "true"], check=False, capture_output=True)
        if probe.returncode == 0:
            return apart, {}, "unshare -n，只剩回环"
    except FileNotFoundError:
        pass
    if os.environ.get("CI", "").lower() == "true":
        raise StepError("离线包：持续集成里要真的断网，这台机器不许 unshare -n")
    return ["sh", "-c", PLAIN], BLOCKED, "这台机器不许 unshare -n，只堵住了代理"


def steps(python: Path) -> dict[str, list[str | Path]]:
    """断了网要做成的几步：包里 README 的两行，再两翼各一本笔记本。"""
    pip = [python, "-m", "pip", "install", "--no-index", "--find-links", "wheels"]
    made = {"造环境": [sys.executable, "-m", "venv", "env"]}
    made |= {"装轮子": [*pip, "-r", "requirements.txt"]}
    for wing in ("torch", "paddle"):
        book = f"notebooks/{wing}/{PROOF}.ipynb"
        made[book] = [python, "-m", "jupyter", "execute", "--timeout=1200", book]
    return made


def check() -> None:
    """解开、断网、装上、跑完。"""
    lock()
    if not target().exists():
        raise StepError(f"离线包：没有 dist/{target().name}；先运行 make offline")
    remove(PLACE)
    with zipfile.ZipFile(target()) as archive:
        archive.extractall(PLACE)
    (folder,) = PLACE.iterdir()
    prefix, blocked, how = cut()
    say(f"断网：{how}")
    env = {"PATH": os.defpath, "HOME": str(PLACE), "PYTHONUTF8": "1", **blocked}
    env |= {"PIP_CONFIG_FILE": os.devnull, "OMP_NUM_THREADS": "1"}
    for name, words in steps(folder / "env" / "bin" / "python").items():
        code, text = run([*prefix, folder, *words], env, "offline.log")
        if code != 0:
            raise StepError(f"离线包，{name}：{reason(text, 'offline.log')}")
        say(f"  {name}：成了")
    remove(PLACE)


if __name__ == "__main__":
    sys.exit(told(check))
