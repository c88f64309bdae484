"""每次运行做什么：任务的名单。一项新的研究若不只是训练，在这里添一行。

内容: TASKS；METRICS、Outcome、Task、train 从各自的文件转来。
"""

from __future__ import annotations

from vision_attention.studies.tasks import cost, pretrained, reach, transfer
from vision_attention.studies.tasks.metrics import METRICS
from vision_attention.studies.tasks.outcome import Outcome, Task
from vision_attention.studies.tasks.training import (
    LOOKED,
    TRAINED,
    train,
    train_and_look,
)

TASKS = {
    "train": Task(train, TRAINED, examine=pretrained.examine),
    "train_and_look": Task(train_and_look, (*TRAINED, *LOOKED)),
    "cost": Task(cost.cost, cost.EXACT, timed=cost.TIMED, examine=cost.examine),
    "reach": Task(reach.reach, reach.MEASURED, examine=reach.examine),
    "transfer": Task(
        transfer.transfer, (*TRAINED, *transfer.MEASURED), examine=transfer.examine
    ),
}

__all__ = ["METRICS", "TASKS", "Outcome", "Task", "train"]
