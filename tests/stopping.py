"""训练走到一半出事：Ctrl-C、SIGTERM、磁盘满。"""

import errno
import os
import signal

from vision_attention.training import journal


def interrupt(*details):
    raise KeyboardInterrupt


def terminate(*details):
    os.kill(os.getpid(), signal.SIGTERM)


def full(*details):
    raise OSError(errno.ENOSPC, "No space left on device")


def stop_at(monkeypatch, step, how):
    """走完第 step 步之后出事；那一步的评估还没有做。"""
    add = journal.Journal.add

    def added(self, loss):
        add(self, loss)
        if self.step == step:
            how()

    monkeypatch.setattr(journal.Journal, "add", added)
