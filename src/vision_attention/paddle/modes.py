"""此刻怎样算：普通地算一遍，还是把前向画成静态图。

静态图里的张量没有设备，也可能没有确定的大小；自己写的核只在普通地算时用。
"""

from __future__ import annotations

import paddle
from paddle.base.dygraph.base import in_sot_simulation_mode


def eager() -> bool:
    """普通地算一遍：自己写的核此刻用得上。"""
    # to_static 默认一面读字节码、一面画图：那时仍算动态图，只有这一问看得出来
    return paddle.in_dynamic_mode() and not in_sot_simulation_mode()
