"""一例怪输入：算得出，或者一句我们自己的话；不挂，不执行，不碰外面的文件。

`outcome` 做一例；每一种结局数在 COUNTS 里，FUZZ_REPORT 指着的文件里有总数。
"""

import json
import os
import re
import signal
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np

CASES = int(os.environ.get("FUZZ") or 0)  # 一共几例；0 是平时的一小份
# 秒：处理器的时间，与墙上的时间；机器忙的时候，前一个才算数
LIMITS = {signal.ITIMER_PROF: 5, signal.ITIMER_REAL: 60}
SIGNALS = (signal.SIGPROF, signal.SIGALRM)
LONGEST = 900  # 一句话至多几个字
COUNTS = Counter(
    dict.fromkeys(("cases", "right", "said", "hung", "raw", "silent", "ran"), 0)
)
RUNNING = {"os.system", "os.exec", "os.posix_spawn", "os.spawn", "subprocess.Popen"}
RUNNING |= {"socket.connect", "socket.bind", "os.startfile", "pty.spawn"}
CHANGING = {"os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink"}
CHANGING |= {"os.truncate", "os.chmod", "shutil.rmtree"}


class HungError(BaseException):
    """算了五秒，或等了一分钟，还没有答案。"""


class Watch:
    """记下执行了什么、在文件夹外面写了什么；不在看的时候什么也不记。"""

    def __init__(self):
        self.home = None
        self.seen = []

    def __call__(self, event, arguments):
        if self.home is None:
            return
        if event in RUNNING:
            self.seen.append(event)
        writing = event == "open" and isinstance(arguments[2], int)
        if writing and not arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        if writing or event in CHANGING:
            place = arguments[0]
            # 不用 resolve：链接指到哪里不要紧，要紧的是名字
            number = isinstance(place, int)
            path = Path() if number else Path.cwd() / os.fsdecode(place)
            inside = number or path.is_relative_to(self.home)
            if not inside:
                self.seen.append(f"{event} {place}")


WATCH = Watch()
sys.addaudithook(WATCH)


@contextmanager
def watched(folder):
    """限时，看着它做了什么。"""

    def late(*_):
        raise HungError

    timed = threading.current_thread() is threading.main_thread()
    if timed:
        before = [signal.signal(number, late) for number in SIGNALS]
        for clock, seconds in LIMITS.items():
            signal.setitimer(clock, seconds)
    WATCH.home, WATCH.seen = folder, []
    try:
        yield
    finally:
        WATCH.home = None
        if timed:
            for clock, number, old in zip(LIMITS, SIGNALS, before, strict=True):
                signal.setitimer(clock, 0)
                signal.signal(number, old)


def outcome(job, folder=Path("/nowhere")):
    """做一例：返回答案；被一句话拒绝的，返回 None。

    参数: folder 是唯一可以写的文件夹
    """
    COUNTS["cases"] += 1
    try:
        with watched(folder):
            answer = job()
        kind, fault = "right", None
    except HungError as error:
        answer, kind, fault = None, "hung", error
    except Exception as error:
        said = re.search("[一-鿿]", str(error)) and len(str(error)) <= LONGEST
        answer, kind, fault = None, "said" if said else "raw", error
    if WATCH.seen:
        kind, fault = "ran", AssertionError(WATCH.seen)
    COUNTS[kind] += 1
    if kind not in ("right", "said"):
        raise AssertionError(f"{kind}：{fault!r}") from fault
    return answer


def report():
    """写下各个结局的个数；由 conftest 在最后调用。"""
    if (place := os.environ.get("FUZZ_REPORT")) and COUNTS["cases"]:
        Path(f"{place}.{os.getpid()}").write_text(json.dumps(COUNTS), "utf8")


def finite(values, given=None):
    """答案里没有 NaN 与无穷；输入里本来就有的不算。"""
    if given is not None and not np.isfinite(given).all():
        return
    if not np.isfinite(np.asarray(values, dtype=complex)).all():
        COUNTS["silent"] += 1
        raise AssertionError("悄悄给出了 NaN 或无穷")
