"""停下：SIGTERM 与 Ctrl-C 一样收尾，停下的人说得出怎样接着做。

内容: StoppedError、stop_like_ctrl_c。
"""

from __future__ import annotations

import signal


class StoppedError(KeyboardInterrupt):
    """被使用者停下；它的话就是该说的话：停在哪里，怎样接着做。"""


def stop_like_ctrl_c() -> None:
    """收到 SIGTERM 时也像 Ctrl-C 那样收尾。"""

    def stop(*details: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
