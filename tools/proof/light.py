"""不用 make 也能跑的一小份测试：程序库本身，给 macOS、Windows 和 CI 的轻量任务。

用法: python -m pip install -e ".[torch,paddle]" pytest
      python -m tools.proof.light [pytest 的参数……]
书、笔记本、构建与浏览器的测试要 make 与 Unix，不在这里，在 Linux 上跑。
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[2] / "tests"
# 程序库的测试：不碰构建，不起子进程，不靠 Unix 才有的东西
FILES = (
    "attention", "augment", "bad_input", "config", "data", "inspect",
    "interop", "mirror", "parity", "schedules", "traps",
)  # fmt: skip


class Fixtures:
    """tests/conftest.py 里与构建无关的那几样；它自己要 Unix，这里不载入。"""

    @pytest.fixture(autouse=True)
    def _same_initial_weights(self) -> None:
        """每个测试都从同一串初始权重起步。"""
        importlib.import_module("vision_attention.initial").seed(0)

    @pytest.fixture(params=["torch", "paddle"])
    def wing(self, request: pytest.FixtureRequest) -> object:
        """左翼、右翼各跑一遍。"""
        return importlib.import_module(f"vision_attention.{request.param}")


def paths() -> list[str]:
    """要跑的测试文件；名单里没有的文件算写错了。"""
    found = [TESTS / "library" / f"test_{name}.py" for name in FILES]
    missing = [path.name for path in found if not path.exists()]
    if missing:
        raise FileNotFoundError(f"轻量测试的名单里有不存在的文件：{missing}")
    return [str(path) for path in found]


def main(*arguments: str) -> int:
    """跑完返回 pytest 的退出码。"""
    options = ["--noconftest", "-q", "-p", "no:randomly", *arguments]
    return pytest.main([*options, *paths()], plugins=[Fixtures()])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
