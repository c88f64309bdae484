"""研究：问题（study.yaml）→ 运行 → 记录（records.jsonl）→ 统计与结论。

内容: names、open_study、records_of、summary、findings——书与笔记本从这里取数。
里面: design 问题与运行；tasks 一次运行做什么；store 磁盘上的研究；running 做完缺的；
    results 统计与报告；claims 笔记的话怎样判；catalog 随包发布的研究与记录。
"""

from __future__ import annotations

from vision_attention.studies.design.positions import StudyError
from vision_attention.studies.design.runs import Run, expand
from vision_attention.studies.design.schema import Study
from vision_attention.studies.results.evidence import findings
from vision_attention.studies.results.report import summary
from vision_attention.studies.store.library import names, open_study, records_of

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
