"""每个归 git 管的文件都写清许可：reuse lint，但不管还没提交的文件。

用法: python -m tools.lint.licences
读者放进仓库的图片、数据不算错；要提交的才要写进 REUSE.toml。
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REUSE = Path(sys.executable).with_name("reuse")
WHAT = {
    "missing_copyright_info": "没有写明作者",
    "missing_licensing_info": "没有写明许可",
    "read_errors": "读不了",
    "missing_licenses": "LICENSES/ 里缺这份许可",
    "unused_licenses": "LICENSES/ 里的这份许可没有用到",
    "bad_licenses": "不是 SPDX 认得的许可",
}


def tracked(root: Path) -> set[str]:
    """归 git 管的文件，包括已经 git add 而没有提交的。"""
    listing = subprocess.check_output(["git", "ls-files", "-z"], cwd=root, text=True)
    return set(listing.split("\0"))


def faults(root: Path = ROOT) -> list[str]:
    """列出不合之处；没有就是空表。"""
    words = [str(REUSE), "lint", "-j"]
    done = subprocess.run(words, cwd=root, check=False, capture_output=True, text=True)
    found, ours, said = json.loads(done.stdout)["non_compliant"], tracked(root), []
    for kind, where in found.items():
        by_file = kind in ("missing_copyright_info", "missing_licensing_info")
        for name in where:
            if not by_file or name in ours:
                said.append(f"{name}：{WHAT.get(kind, kind)}；见 REUSE.toml")
    return said


def main() -> int:
    """印出不合之处；有就返回 1。"""
    found = faults()
    print("\n".join(found), end="\n" * bool(found))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
