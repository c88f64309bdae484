"""研究：问题（study.yaml）→ 运行 → 记录（records.jsonl）→ 统计与结论。

内容: names、open_study、runs_of、records_of、summary——书与笔记本从这里取数。
"""

from __future__ import annotations

from vision_attention.studies.library import names, open_study, records_of, summary
from vision_attention.studies.runs import Run, expand
from vision_attention.studies.schema import Study, StudyError

__all__ = [
    "Run",
    "Study",
    "StudyError",
    "expand",
    "names",
    "open_study",
    "records_of",
    "summary",
]
