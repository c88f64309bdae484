"""笔记的话与三个问题：由记录得出结论，排成表。

内容: Claim、Comparison、Judged、claims、compared、judge、measure，以及五种结论 TRUE、
    PARTLY、FALSE、UNSEEN、UNTESTED；由 judging 转出。
另有 claim_tables（排成表）与 decisions（决策图）。
"""

from __future__ import annotations

from vision_attention.studies.claims.judging import (
    FALSE,
    PARTLY,
    TRUE,
    UNSEEN,
    UNTESTED,
    Claim,
    Comparison,
    Judged,
    claims,
    compared,
    judge,
    measure,
)

__all__ = [
    "FALSE",
    "PARTLY",
    "TRUE",
    "UNSEEN",
    "UNTESTED",
    "Claim",
    "Comparison",
    "Judged",
    "claims",
    "compared",
    "judge",
    "measure",
]
