"""单独跑一本笔记本时，也用 make test 的那套环境（家目录、警告、线程）。"""

import os

from workplace import workplace


def pytest_configure():
    """笔记本的内核继承这里的环境变量。"""
    os.environ.update(workplace())
