"""在 Google 公开的 Colab 镜像里跑每一本笔记本：用镜像里的 Python 与它已有的包。

用法: python tools/colab_image.py
仓库只读地挂进去，笔记本抄到空的文件夹里跑，第一格从刚做的轮子安装程序库。
要 Docker 与约 60 GB 磁盘；每周由工作流跑一次。
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from workplace import CACHE, PYTHON, ROOT, StepError, reason, remove, run, say

IMAGE = "us-docker.pkg.dev/colab-images/public/runtime:latest"
INSIDE = """\
set -e
cd "$(mktemp -d)"
python3 -V
for book in /course/notebooks/*/*.ipynb; do
    echo "== ${book#/course/}"
    cp "$book" here.ipynb
    jupyter execute --timeout=1200 here.ipynb
done
"""


def wheel(folder: Path) -> Path:
    """把现在的源码做成轮子。"""
    remove(folder)
    pip = [PYTHON, "-m", "pip", "wheel", "--no-deps", "-q", "-w", folder, "."]
    code, text = run(pip, {**os.environ, "PYTHONUTF8": "1"}, "wheel.log")
    if code != 0:
        raise StepError(f"做轮子：{reason(text, 'wheel.log')}")
    return next(folder.glob("*.whl"))


def command(package: Path, docker: str = "docker") -> list[str]:
    """返回那条 docker 命令。"""
    mounts = {ROOT: "/course", package.parent: "/wheel"}
    volumes = [f"--volume={path}:{inside}:ro" for path, inside in mounts.items()]
    return [
        *(docker, "run", "--rm", "--entrypoint=bash", *volumes),
        f"--env=COURSE_PACKAGE=/wheel/{package.name}",
        *(IMAGE, "-c", INSIDE),
    ]


def main() -> int:
    """跑完返回容器的退出码。"""
    try:
        docker = shutil.which("docker")
        if docker is None:
            raise StepError(
                "Colab 镜像：没有 Docker；先安装它，或者用 make colab-check"
            )
        package = wheel(CACHE / "colab-image")
    except StepError as failure:
        print(f"✗ {failure}", file=sys.stderr)
        return 1
    say(f"拉取 {IMAGE}（几十 GB，十几分钟）……")
    return subprocess.run(command(package, docker), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
