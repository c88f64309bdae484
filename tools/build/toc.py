"""书里有哪些页、归 git 管的有哪些文件：各处都问这里，不各读各的。只用标准库。"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILE = re.compile(r"^\s*(?:- )?(?:file|root): *(\S+)", re.M)


def names(root: Path = ROOT) -> list[str]:
    """_toc.yml 里的每一页，依书中的次序；没有后缀。"""
    found = FILE.findall((root / "_toc.yml").read_text("utf8"))
    return [name.removesuffix(".md").removesuffix(".ipynb") for name in found]


def tracked(*patterns: str, root: Path = ROOT) -> list[str]:
    """归 git 管、此刻也在的文件，包括已经 git add 而没有提交的。

    参数: patterns 为 git ls-files 的样式，不写就是全部
    """
    words = ["git", "ls-files", "-z", *patterns]
    listing = subprocess.check_output(words, cwd=root, text=True)
    return [name for name in listing.split("\0") if name and (root / name).is_file()]
