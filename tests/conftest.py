"""全体测试共用的准备：两翼的夹具，以及不碰仓库之外任何文件的环境。"""

import importlib
import os
import sys
from pathlib import Path

import pytest

from tools.build.workplace import workplace
from vision_attention import initial


def pytest_configure():
    """直接敲 pytest 与 make test 用同一套环境，笔记本的内核也继承它。"""
    os.environ.update(workplace())
    # 没有设的话 Paddle 载入时把它写成 1，子进程便与已经起好的 PyTorch 线程数不同
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if not list(Path(os.environ["MPLCONFIGDIR"]).glob("fontlist-*")):
        # 字体清单先造好，免得第一个画图的笔记本多出一行提示
        importlib.import_module("matplotlib.font_manager")


def pytest_sessionfinish():
    """随手造的怪输入，数过的写下来。"""
    if "hostility" in sys.modules:
        sys.modules["hostility"].report()


@pytest.fixture(autouse=True)
def _same_initial_weights():
    """每个测试都从同一串初始权重起步，与测试的先后无关。"""
    initial.seed(0)


@pytest.fixture(params=["torch", "paddle"])
def wing(request):
    """左翼、右翼各跑一遍；缺了框架是错误，不是跳过。"""
    return importlib.import_module(f"vision_attention.{request.param}")


@pytest.fixture
def clone(tmp_path):
    """一个新的小仓库。"""
    return importlib.import_module("clones").Clone(tmp_path)


@pytest.fixture
def furnished(clone):
    """一个装好了环境的小仓库。"""
    clone.borrow_packages()
    return clone
