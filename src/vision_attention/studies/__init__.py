"""研究：问题（study.yaml）→ 运行 → 记录（records.jsonl）→ 统计与结论。

内容: names、open_study、records_of、summary、findings——书与笔记本从这里取数。
"""

from __future__ import annotations

from vision_attention.studies.library import (
    findings,
    names,
    open_study,
    records_of,
    summary,
)
from vision_attention.studies.runs import Run, expand
from vision_attention.studies.schema import Study, StudyError

__all__ = [
    "Run",
    "Study",
    "StudyError",
    "expand",
    "findings",
    "names",
    "open_study",
    "records_of",
    "summary",
]
