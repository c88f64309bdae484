"""系统的限制：真的让磁盘只容得下一小块。"""

import signal
from contextlib import contextmanager

import pytest


@contextmanager
def largest_file(size):
    """磁盘只容得下这么大的文件：写到一半就失败。"""
    resource = pytest.importorskip("resource", reason="限制文件的大小要 Unix")
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
