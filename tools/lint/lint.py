"""逐项检查代码与正文的写法、许可、工作流、版本；几秒之内跑完，不联网。

用法: python -m tools.lint.lint [项目……]; 不给项目时全部检查，每项说一行结果。
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
MODULE = [sys.executable, "-m"]


def tool(name: str, *arguments: str) -> list[str]:
    """tools/ 里的一个检查。"""
    return [*MODULE, f"tools.{name}", *arguments]


def pages() -> list[str]:
    """归 git 管的书页、笔记本与说明。"""
    words = ["git", "ls-files", "-z", "*.md", "*.ipynb"]
    listing = subprocess.check_output(words, cwd=ROOT, text=True)
    return [name for name in listing.split("\0") if (ROOT / name).is_file()]


def lints() -> dict[str, list[str]]:
    """每一项的名字与命令；退出码非零就是不合。"""
    zizmor = [str(BIN / "zizmor"), "--offline", "-q", "--no-progress"]
    return {
        "写法": [*MODULE, "ruff", "check", "-q", "."],
        "格式": [*MODULE, "ruff", "format", "-q", "--check", "."],
        "标点": tool("lint.punctuation", *pages()),
        "空格": tool("lint.spacing"),
        "术语": tool("lint.glossary"),
        "许可": tool("lint.licences"),
        "工作流": [*zizmor, "--strict-collection", "--collect=all", ".github"],
        "版本": tool("release", "check"),
    }


def check(command: list[str]) -> tuple[int, str]:
    """执行一项；返回退出码与它说的话。"""
    done = subprocess.run(
        command, cwd=ROOT, check=False, capture_output=True, text=True
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def main(*names: str) -> int:
    """依次检查，把不合的都说完；有一项不合就返回 1。"""
    wrong = 0
    every = lints()
    for name in names or every:
        code, text = check(every[name])
        print(f"{'✓' if code == 0 else '✗'} {name}", flush=True)
        if code:
            wrong += 1
            print(text, flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
