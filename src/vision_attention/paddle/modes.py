"""此刻怎样算：普通地算一遍，还是把前向画成静态图。

静态图里的张量没有设备，也可能没有确定的大小；自己写的核只在普通地算时用。
"""

from __future__ import annotations

import paddle


def eager() -> bool:
    """普通地算一遍：自己写的核此刻用得上。"""
    return paddle.in_dynamic_mode()
