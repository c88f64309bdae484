"""磁盘上的研究：随包发布的，以及读者自己的；一项研究一个文件夹。

内容: names、open_study、StudyStore（一项研究与它的记录）、records_of。
"""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from vision_attention import checks
from vision_attention.storage import records
from vision_attention.studies.design.runs import Run, expand
from vision_attention.studies.design.schema import Study
from vision_attention.studies.design.tuning import (
    Choice,
    changes_of,
    choose,
    tuning_study,
)
from vision_attention.studies.store.record import Reader
from vision_attention.studies.store.study_file import parse

CATALOG = Path(__file__).parents[1] / "catalog"
STUDY_NAME = "study.yaml"
RECORDS_NAME = "records.jsonl"
TUNING_NAME = "tuning.jsonl"


@dataclass(frozen=True)
class StudyStore:
    """一项研究在磁盘上的样子。

    参数: name 为名字；study 为研究；runs 为它要求的运行；folder 为记录所在；
        asked 为命令里它的名字与选项，缺省只有 name；records_name 为记录文件的名字；
        tuning 为它的调参，choices 为各臂挑的经过，waiting 为还没有挑出设置、
        因而不在 runs 里的运行有几个
    """

    name: str
    study: Study
    runs: tuple[Run, ...]
    folder: Path
    asked: tuple[str, ...] = ()
    records_name: str = RECORDS_NAME
    tuning: StudyStore | None = None
    choices: tuple[Choice, ...] = ()
    waiting: int = 0

    @property
    def command(self) -> str:
        """重做它的命令，照这个系统的命令行加引号。"""
        words = ["vision-attention", "study", "run", *(self.asked or [self.name])]
        return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)

    @property
    def path(self) -> Path:
        """记录文件。"""
        return self.folder / self.records_name

    def reopened(self) -> StudyStore:
        """照此刻的记录再打开一次：调参做完以后，各臂的设置才齐。"""
        return store_of(self.name, self.study, self.folder, self.asked)

    def read(self) -> records.Reading:
        """读出记录；坏行另列，文件不动。"""
        return records.read(self.path, Reader())

    def append(self, record: dict) -> bool:
        """写下一条记录；已有同一个 key 时什么都不写并返回 False。

        错误: 写不进去时抛出 OSError；不合要求时抛出 ValueError
        """
        return records.append(self.path, record, decode=Reader())

    def set_aside(self) -> list[records.Rejected]:
        """把坏行移到旁边的文件里，返回移走的行。"""
        return records.set_aside(self.path, Reader())

    def bad(self, reading: records.Reading | None = None) -> int:
        """坏行有几行，调参的也算；reading 为已经读出来的记录。"""
        own = reading or self.read()
        return len(own.rejected) + (self.tuning.bad() if self.tuning else 0)

    def done(self) -> dict[str, dict]:
        """由 key 找到记录，只要这项研究问到的；同一个 key 以先写的为准。"""
        return self.asked_for(self.read())

    def asked_for(self, reading: records.Reading) -> dict[str, dict]:
        """同 done，记录已经读出来了。"""
        asked = {run.key for run in self.runs}
        found: dict[str, dict] = {}
        for record in reading.records:
            if record["key"] in asked:
                found.setdefault(record["key"], record)
        return found


def names() -> list[str]:
    """随包发布的研究。"""
    return sorted(path.parent.name for path in CATALOG.glob(f"*/{STUDY_NAME}"))


def open_study(name: str, out: str | Path | None = None) -> StudyStore:
    """打开一项研究：名字，或者读者自己的 study.yaml 的路径。

    参数: name 为名字或以 .yaml 结尾的路径；out 为记录所在，缺省与 study.yaml 同处
    错误: 没有这项研究、文件读不到时抛出 ValueError；写错时抛出 StudyError
    """
    if name.endswith((".yaml", ".yml")):
        path = checks.path("name", name)
        title = path.resolve().parent.name if path.stem == "study" else path.stem
    elif name in names():
        path, title = CATALOG / name / STUDY_NAME, name
    else:
        raise ValueError(
            f"没有研究 {name!r}。{checks.nearest(name, names())}；"
            "自己的研究请给出 .yaml 文件的路径"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"读不到 {path}：{error}；请检查路径与编码（UTF-8）") from None
    study = parse(text, str(path) if title != name else f"{name}/{STUDY_NAME}")
    folder = path.parent if out is None else checks.path("out", out)
    asked = (name,) if out is None else (name, "--out", str(out))
    return store_of(title, study, folder, asked)


def store_of(
    name: str, study: Study, folder: Path, asked: tuple[str, ...] = ()
) -> StudyStore:
    """一项研究与它的记录；要调参的，由已有的调参记录定下各臂的设置。"""
    runs = expand(study)
    if study.tune is None:
        return StudyStore(name, study, tuple(runs), folder, asked)
    trials = tuning_study(study)
    title = f"{name}（调参）"
    tuning = StudyStore(
        title, trials, tuple(expand(trials)), folder, asked, TUNING_NAME
    )
    measured = {
        key: record["results"].get(study.tune.metric)
        for key, record in tuning.done().items()
    }
    choices = tuple(choose(study, tuning.runs, measured))
    tuned = expand(study, changes_of(study, choices))
    return StudyStore(
        name,
        study,
        tuple(tuned),
        folder,
        asked,
        tuning=tuning,
        choices=choices,
        waiting=len(runs) - len(tuned),
    )


def records_of(name: str, out: str | Path | None = None) -> list[dict]:
    """一项研究已有的记录，按运行的次序。"""
    store = open_study(name, out)
    done = store.done()
    return [done[run.key] for run in store.runs if run.key in done]
