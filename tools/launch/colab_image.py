"""在 Google 公开的 Colab 镜像里跑每一本笔记本：用镜像里的 Python 与它已有的包。

用法: python -m tools.launch.colab_image
每一本有自己的新容器，像读者新打开的一样：仓库只读地挂进去，笔记本抄到空的文件夹里，
第一格从刚做的轮子安装程序库。前后各数一遍包的版本：NumPy 与框架换了就算不通过，别的
换了只印出来。一本不过，接着跑其余的。要 Docker 与约 60 GB 磁盘；每周由工作流跑一次。
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tools.build.workplace import ROOT, StepError, lock, say, told
from tools.launch.colab import VERSIONS, build_wheel, changed
from tools.launch.first_cell import notebooks

IMAGE = "us-docker.pkg.dev/colab-images/public/runtime:latest"
KEPT = ("numpy", "torch", "paddlepaddle", "paddlepaddle-gpu")
# 标准输出只有前后两行版本；笔记本自己的话、报错的全文走标准错误，直接上屏
INSIDE = """\
cd "$(mktemp -d)" && cp "/course/$1" here.ipynb || exit
python3 -c "$2"
jupyter execute --timeout=1200 here.ipynb >&2
code=$?
python3 -c "$2"
exit $code
"""


def command(package: Path, notebook: Path, docker: str = "docker") -> list[str]:
    """返回跑一本笔记本的那条 docker 命令。"""
    mounts = {ROOT: "/course", package.parent: "/wheel"}
    volumes = [f"--volume={path}:{inside}:ro" for path, inside in mounts.items()]
    return [
        *(docker, "run", "--rm", "--entrypoint=bash", *volumes),
        f"--env=COURSE_PACKAGE=/wheel/{package.name}",
        *(IMAGE, "-c", INSIDE, "-", notebook.relative_to(ROOT).as_posix(), VERSIONS),
    ]


def moved(before: dict[str, str], after: dict[str, str]) -> tuple[str, str]:
    """返回两句：NumPy 与框架里换掉的，别的包里换掉的；没有就是空串。"""
    kept = {name: before[name] for name in KEPT if name in before}
    rest = {name: before[name] for name in before.keys() - kept.keys()}
    return changed(kept, after), changed(rest, after)


def check(words: list[str]) -> str:
    """跑完一本；返回哪里不对，没有不对就是空串。"""
    done = subprocess.run(words, check=False, stdout=subprocess.PIPE, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if len(lines) != 2:
        return f"没有跑起来，退出码 {done.returncode}"
    before, after = map(json.loads, lines)
    fault, noted = moved(before, after)
    if noted:
        say(f"  {noted}")
    if done.returncode:
        stopped = f"没有跑完，退出码 {done.returncode}"
        fault = f"{stopped}；{fault}" if fault else stopped
    return fault


def check_all(package: Path, docker: str) -> dict[str, str]:
    """跑完每一本；返回不通过的与哪里不对。"""
    faults = {}
    for notebook in notebooks():
        name = notebook.relative_to(ROOT).as_posix()
        say(f"== {name}")
        if fault := check(command(package, notebook, docker)):
            faults[name] = fault
    return faults


def pull(docker: str) -> None:
    """拉取镜像。"""
    say(f"拉取 {IMAGE}（几十 GB，十几分钟）……")
    done = subprocess.run([docker, "pull", "-q", IMAGE], check=False)
    if done.returncode:
        raise StepError(
            "Colab 镜像：没有拉下来；看上面 Docker 说的话，多半是网络或磁盘"
        )


def main() -> int:
    """全部跑完，再把不通过的说一遍。"""
    docker = shutil.which("docker")
    if docker is None:
        raise StepError("Colab 镜像：没有 Docker；先安装它，或者用 make colab-check")
    lock()
    package = build_wheel()
    pull(docker)
    faults = check_all(package, docker)
    for name, fault in faults.items():
        print(f"✗ {name}：{fault}", file=sys.stderr)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(told(main))
