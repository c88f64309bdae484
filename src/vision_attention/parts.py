"""一个模块里的一件可学习的东西，它交回的不是张量的东西：两个框架通用的说法。

内容: Part、NotTensor。
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Part:
    """一层，或一个直接挂在模块上的参数。

    参数: kind 取 dense（全连接、1×1 卷积）、conv（更大的卷积）、norm（批归一化、
        层归一化）、raw（别的参数）；owner 为所在模块的名字；weight、bias 为参数的
        名字，没有偏置时 bias 为 None；transposed 为真时存的是（输入，输出）；
        padded 为假时卷积没有补零；eps 为归一化的 ε；statistics 为批归一化记下的平均
        与方差的名字
    """

    kind: str
    owner: str
    weight: str
    bias: str | None = None
    transposed: bool = False
    padded: bool = True
    eps: float = 0.0
    statistics: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class NotTensor:
    """模块交回的不是张量；kind 说是什么。"""

    kind: str
