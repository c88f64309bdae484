"""学习率的日程：步数的纯函数，两翼共用。

- `warmup_cosine`：先线性升温，再沿余弦降到底
"""

from __future__ import annotations

import math

from vision_attention import checks


def warmup_cosine(
    step: int, total_steps: int, warmup_steps: int, peak: float, floor: float = 0.0
) -> float:
    """第 step 步（从 0 数起）该用的学习率：线性升温，再沿半个余弦下降。

    升温段的第 k 步用 peak × (k + 1) / warmup_steps，所以第一步不会白走；
    下降段从 peak 开始，到 total_steps 时恰好为 floor。

    参数: total_steps 为总步数；warmup_steps 为升温的步数，0 表示不升温；
        peak 为最高学习率；floor 为终点，默认 0
    错误: step 不在 0 与 total_steps 之间，或 warmup_steps 不在其间时抛出 ValueError
    出处: 余弦见 Loshchilov 与 Hutter 2017，arXiv:1608.03983，式 (5)，不重启；
        升温见 Goyal 等 2017，arXiv:1706.02677，第 2.2 节
    """
    checks.whole("total_steps", total_steps, 0)
    checks.number("peak", peak)
    checks.number("floor", floor)
    for name, value in (("step", step), ("warmup_steps", warmup_steps)):
        checks.number(name, value, "整数")
        if not 0 <= value <= total_steps:
            raise checks.ArgumentError(
                f"{name}={value} 超出范围；"
                f"应满足 0 ≤ {name} ≤ total_steps={total_steps}",
                name,
            )
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = (step - warmup_steps) / max(total_steps - warmup_steps, 1)
    return floor + (peak - floor) * (1 + math.cos(math.pi * progress)) / 2
