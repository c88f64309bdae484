"""仓库的地址：只写在 pyproject.toml 的 [project.urls] Repository 里，别处都从它来。

python -m tools.launch.address              说出现在的地址
python -m tools.launch.address 主人/名字    换成自己的：笔记本、README 里的每一处一起改
在 GitHub Actions 里造书，地址来自 GITHUB_REPOSITORY，什么也不用改。只用标准库。
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

ROOT = Path(__file__).resolve().parents[2]
BRANCH = "main"
DECLARED = re.compile(r'^(Repository *= *")([^"]+)(")', re.M)
HOME = "https://github.com"  # Colab、Kaggle、Binder 只从这里取笔记本
GIVEN = re.compile(r"(?:(https://[\w.:-]+)/)?([\w-]+)/([\w.-]+?)(?:\.git)?/?")
PUBLIC = (".github", ".ci", ".binder")  # 点开头而属于仓库的文件夹
BUILT = {"_build", "dist", "runs", "node_modules", "__pycache__"}
AI_STUDIO = "https://aistudio.baidu.com/"  # 没有打开 GitHub 笔记本的直达网址


def declared(root: Path = ROOT) -> str:
    """返回写在 pyproject.toml 里的地址，形如 https://github.com/主人/名字。"""
    found = DECLARED.search((root / "pyproject.toml").read_text("utf8"))
    if not found:
        raise ValueError("pyproject.toml 的 [project.urls] 里没有 Repository")
    return found[2]


def current(root: Path = ROOT) -> str:
    """返回造书时该用的地址：在 GitHub Actions 里是那个仓库自己的，否则是写下的。"""
    if name := os.environ.get("GITHUB_REPOSITORY"):
        return f"{os.environ.get('GITHUB_SERVER_URL', HOME)}/{name}"
    return declared(root)


def slug(address: str) -> str:
    """返回地址里的“主人/名字”。"""
    return urlsplit(address).path.strip("/")


def pages(address: str) -> str:
    """返回 GitHub Pages 发布这本书的网址，不带 https://。"""
    owner, name = slug(address).lower().split("/")[0], slug(address).split("/")[1]
    host = f"{owner}.github.io"
    return host if name.lower() == host else f"{host}/{name}"


def package(address: str) -> str:
    """返回 pip 可以直接安装的网址：主干的压缩包，不需要 git。"""
    return f"{address}/archive/{BRANCH}.zip"


def links(address: str, notebook: str) -> dict[str, str]:
    """返回一本笔记本的四个去处；写 PaddlePaddle 的那一翼，AI Studio 在前。

    参数: notebook 为从仓库根数起的路径，例如 notebooks/torch/cbam.ipynb
    """
    place = f"{slug(address)}/blob/{BRANCH}/{notebook}"
    binder = f"{slug(address)}/{BRANCH}?labpath={quote(notebook, safe='')}"
    online = {
        "Colab": f"https://colab.research.google.com/github/{place}",
        "飞桨 AI Studio": AI_STUDIO,
        "Kaggle": f"https://kaggle.com/kernels/welcome?src=https://github.com/{place}",
        "Binder": f"https://mybinder.org/v2/gh/{binder}",
    }
    if "/paddle/" in notebook:
        return {"飞桨 AI Studio": online.pop("飞桨 AI Studio"), **online}
    return online


def replaced(text: str, old: str, new: str) -> str:
    """把一段文字里的旧地址换成新地址：完整的、Pages 的、只有“主人/名字”的。"""
    if old == new:
        return text
    forms = {old: new, pages(old): pages(new), slug(old): slug(new)}
    words = "|".join(re.escape(form) for form in forms)
    pattern = re.compile(rf"(?<![\w.-])(?:{words})(?![\w-])")
    return pattern.sub(lambda match: forms[match[0]], text)


def files(root: Path) -> Iterator[Path]:
    """逐个给出属于仓库的文件；造出来的、点开头的文件夹不看。"""
    for folder, names, here in os.walk(root):
        top = Path(folder) == root
        names[:] = [
            name
            for name in names
            if (name[0] != "." or (top and name in PUBLIC))
            and name not in BUILT
            and not name.endswith(".egg-info")
        ]
        yield from (Path(folder, name) for name in sorted(here))


def read(path: Path) -> str:
    """返回一个文件的文字；不是文字的返回空串。"""
    try:
        return path.read_bytes().decode("utf8")
    except (UnicodeDecodeError, OSError):
        return ""


def rename(root: Path, given: str) -> list[str]:
    """把整个仓库的地址换成 given（主人/名字，或完整网址）；返回改动了的文件。"""
    match = GIVEN.fullmatch(given)
    if not match:
        raise ValueError(
            f"REPO={given} 不是仓库的地址；写成 主人/名字，例如 me/attention"
        )
    if (match[1] or HOME).lower() != HOME:
        raise ValueError(
            f"REPO={given} 不在 github.com 上，Colab、Kaggle、Binder 打不开；"
            "在 GitHub 上放一份镜像，写它的 主人/名字"
        )
    old = declared(root)
    new = f"{HOME}/{match[2]}/{match[3]}"
    changed = []
    for path in files(root):
        text = read(path)
        better = replaced(text, old, new)
        if better != text:
            path.write_bytes(better.encode())
            changed.append(path.relative_to(root).as_posix())
    return changed


def main(*given: str) -> int:
    """没有参数时报告地址；给了就换。"""
    try:
        for name in rename(ROOT, *given) if given else []:
            print(f"  改了 {name}")
        print(f"仓库的地址是 {declared()}")
        if advice := elsewhere():
            print(advice)
    except ValueError as error:
        print(f"✗ 地址：{error}", file=sys.stderr)
        return 1
    return 0


def elsewhere() -> str:
    """造书用的不是写下的地址时，返回该怎么办；相同就是空串。"""
    if current() == declared():
        return ""
    return (
        f"这里造的书用 {current()}，笔记本的第一格装的仍是 {declared()} 的包；"
        f"要它们也用自己的，运行 make address REPO={slug(current())}，再提交"
    )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
