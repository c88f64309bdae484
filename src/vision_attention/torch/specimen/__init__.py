"""待查的模块：读写它的参数，前向，求梯度，听它中间算出了什么。

对外一律是 NumPy 数组；`grading` 经这里看一翼的模块，自己不认识框架。
内容: `reading` 里面有什么；`running` 怎样跑；`comparing` 认得的写法；`drilling` 训练
"""

from .comparing import variant, variant_slopes
from .drilling import assess, known_step, two_layers, walk
from .reading import (
    copy,
    is_module,
    parts,
    precision,
    random_layers,
    values,
    write,
)
from .running import (
    draw,
    forward,
    overheard,
    random_states,
    restore_random,
    seed_random,
    slopes,
)

__all__ = [
    "assess",
    "copy",
    "draw",
    "forward",
    "is_module",
    "known_step",
    "overheard",
    "parts",
    "precision",
    "random_layers",
    "random_states",
    "restore_random",
    "seed_random",
    "slopes",
    "two_layers",
    "values",
    "variant",
    "variant_slopes",
    "walk",
    "write",
]
