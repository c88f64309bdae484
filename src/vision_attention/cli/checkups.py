"""命令 diagnose 的里面：要做哪些训练，在预算之内逐个做，做完一个存一个。

内容: Plan、plan_of（要做哪些）、Progress（做完的，停下再来不重做）、Budget、
    carry_out（逐个做）、moved（图片搬了家）、health（体检）。
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from vision_attention.checks import choice
from vision_attention.specs import SPECS, AttentionSpec
from vision_attention.storage import files, records
from vision_attention.studies.design.runs import Run
from vision_attention.studies.running.execute import execute, tidy
from vision_attention.studies.tasks.prepared import PreparedRun, build_model
from vision_attention.studies.tasks.pretrained import start
from vision_attention.training.history import TrainingDivergedError
from vision_attention.training.sanity import Sanity, labelled_images
from vision_attention.wings import attention_names, threads_used

PROGRESS, FORMAT = "diagnosis.json", 1
AUTO, SKIP = "auto", "skip"
# 窄的网络缩减之后至少留这么多个单元，否则建不起来
ROOMY = {"cbam": {"min_hidden": 4}, "se": {"min_hidden": 4}, "bam": {"min_hidden": 4}}
# 体检：150 步背不下来的，再给这么多步
PATIENT = 600
PICTURED = {"images", "labels"}
# 图片数的曲线：全部、一半、四分之一
SHARES = (2, 4)


@dataclass(frozen=True)
class Plan:
    """要做的训练，要紧的在前：各粒种子，一半的图，换一种注意力，四分之一的图。

    参数: attention 为换成哪一种，不比时是空的；data 为图片搬去了哪里，没有搬是 None
    """

    seeds: list[Run]
    other: list[Run]
    fewer: list[Run]
    attention: str
    data: str | None = None

    @property
    def runs(self) -> list[Run]:
        """全部，照先后。"""
        half = len(self.seeds)
        return [*self.seeds, *self.fewer[:half], *self.other, *self.fewer[half:]]


def plan_of(base: Run, n_train: int, classes: int, seeds: int, attention: str) -> Plan:
    """由一次训练排出要做的。

    参数: n_train 为它的训练图片数；classes 为类数；attention 为 auto、skip 或名字
    错误: 注意力的名字不认识，或这种模型拆不下注意力时抛出 ValueError
    """
    kind = _other_attention(base, attention)
    every = [replace(base, seed=base.seed + k) for k in range(seeds)]
    sizes = [n_train // share for share in SHARES if n_train // share >= 2 * classes]
    fewer = [
        replace(run, data={**run.data, "n_train": n}) for n in sizes for run in every
    ]
    other = [_with_attention(run, kind) for run in every] if kind else []
    return Plan(every, other, fewer, kind)


def _other_attention(base: Run, wanted: str) -> str:
    """换成哪一种注意力；不换是空的。从预训练的权重出发的，缺省不换：权重里没有它。"""
    model = base.model
    choice("attention", wanted, (AUTO, SKIP, *attention_names()))
    own = model.get("attention", "none")
    swappable = isinstance(SPECS[model["name"]], AttentionSpec)
    fixed = not swappable or base.options.get("weights")
    if wanted == SKIP or (wanted == AUTO and fixed):
        return ""
    if not swappable:
        raise ValueError(
            f"{model['name']} 的注意力拆不下来，不能换成 {wanted}；"
            "请用 --attention skip，或换 small_cnn、resnet_narrow 之类的模型"
        )
    if wanted == own:
        raise ValueError(f"这次训练用的就是 {own}；--attention 请写另一种")
    if wanted == AUTO:
        return "cbam" if own == "none" else "none"
    return wanted


def _with_attention(run: Run, kind: str) -> Run:
    """同一次训练，换一种注意力；同名同形的权重从同样的初值出发。"""
    kept = {k: v for k, v in run.model.items() if not k.startswith("attention")}
    changed = {**kept, "attention": kind}
    if kind in ROOMY:
        changed["attention_options"] = dict(ROOMY[kind])
    return replace(run, model=changed, start_from=dict(run.model))


@dataclass
class Budget:
    """时间的预算。

    参数: seconds 为一共多少秒；clock 给出此刻的秒数；longest 为一次训练至多要多久，
        还不知道时是 0；began 为开始的时刻
    """

    seconds: float
    clock: Callable[[], float] = time.monotonic
    longest: float = 0.0
    began: float = field(init=False)

    def __post_init__(self):
        self.began = self.clock()

    @property
    def used(self) -> float:
        """已用的秒数。"""
        return self.clock() - self.began

    def allows_another(self) -> bool:
        """还做不做得完一次。"""
        return self.used + self.longest <= self.seconds


class Progress:
    """做完的训练，存在一个文件里；停下再来，做过的不重做。

    参数: path 为那个文件；fingerprint 为数据的指纹
    错误: 文件损坏、由更新的版本写成，或属于另一份数据时抛出 ValueError；写不进去时抛出
        OSError
    """

    def __init__(self, path: Path, fingerprint: str):
        self.path, self.fingerprint = path, fingerprint
        with _unwritable(path):
            files.rehearse(path)
        self.sanity: dict[str, Any] | None = None
        self.records: dict[str, dict] = {}
        if path.exists():
            self._read()

    def _read(self) -> None:
        away = "请把它移走，再运行一次"
        shown = files.printable(self.path)
        try:
            files.readable(self.path)
            content = records.plain_json(self.path.read_bytes())
            newer, whose = content["format"] > FORMAT, content["fingerprint"]
            found = content["sanity"], dict(content["runs"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{shown} 损坏；{away}") from error
        if newer:
            raise ValueError(f"{shown} 由更新的版本写成；请升级，或{away.lstrip('请')}")
        if whose != self.fingerprint:
            raise ValueError(f"{shown} 属于另一份数据；{away}")
        self.sanity, self.records = found

    def keep(self) -> None:
        """写下做完的：先写临时的名字，再改名。"""
        content = {
            "format": FORMAT,
            "fingerprint": self.fingerprint,
            "sanity": self.sanity,
            "runs": self.records,
        }
        with _unwritable(self.path), files.replacing(self.path) as temporary:
            text = json.dumps(content, ensure_ascii=False, allow_nan=False)
            temporary.write_text(text + "\n", "utf8")


@contextlib.contextmanager
def _unwritable(path: Path) -> Iterator[None]:
    """写不进去：说是哪个文件、为什么、怎么办。"""
    try:
        yield
    except OSError as error:
        raise OSError(
            f"写不进 {files.printable(path)}（{files.reason(error)}）；"
            "请腾出空间，或用 --to 换一个文件夹；做完的训练不会丢"
        ) from error


def write_page(path: Path, text: str) -> None:
    """写下报告；原来的一份，新的写全了才换掉。"""
    with _unwritable(path), files.replacing(path) as temporary:
        temporary.write_text(text, "utf8")


def health(prepared: PreparedRun, progress: Progress) -> Sanity:
    """体检：首步损失与单批过拟合；背不下来的多给些步数，做过的不重做。"""
    dataset = prepared.dataset
    images, labels = labelled_images(dataset)
    if progress.sanity is None:
        examine = prepared.wing.module("sanity").sanity
        model = build_model(prepared.wing, prepared.run, dataset)
        # 从预训练的权重出发的，体检的也是装好了的那一个
        start(model, dataset, prepared.run.options.get("weights"))
        found = examine(model, dataset)
        found = found if found.batch_ok else examine(model, dataset, PATIENT)
        shown = asdict(replace(found, images=np.empty(0), labels=()))
        progress.sanity = tidy({k: shown[k] for k in shown.keys() - PICTURED})
        progress.keep()
    # 背一批时发散的，损失不是数，JSON 里写成 null
    numbers = {k: math.nan if v is None else v for k, v in progress.sanity.items()}
    return Sanity(**numbers, images=images, labels=labels)


def carry_out(
    plan: Plan,
    progress: Progress,
    budget: Budget,
    data_root: str | None = None,
    told: Callable[[str], None] = lambda line: None,
) -> list[Run]:
    """逐个做没做过的，做完一个存一个；预算不够了就停，返回没做的。

    参数: told 收下每一次之前说的话
    """
    todo = [run for run in plan.runs if run.key not in progress.records]
    for number, run in enumerate(todo):
        if not budget.allows_another():
            return todo[number:]
        told(_said(plan, run, number, todo, budget))
        began = budget.clock()
        progress.records[run.key] = _record(moved(run, plan.data), data_root)
        budget.longest = max(budget.longest, budget.clock() - began)
        progress.keep()
    return []


def moved(run: Run, data: str | None) -> Run:
    """同一次训练，图片搬到了 data；没有搬就是它自己。

    认做过没有时用原来的名字：同样的图搬了家，做过的不重做。
    """
    return run if data is None else replace(run, data={**run.data, "name": data})


def _record(run: Run, data_root: str | None) -> dict:
    """一次训练的记录；发散的记下那句话。"""
    try:
        threads = threads_used(run.framework)
        return execute(run, data_root=data_root, threads=threads)
    except TrainingDivergedError as error:
        return {"diverged": str(error)}


def _said(plan: Plan, run: Run, number: int, todo: list[Run], budget: Budget) -> str:
    """第几次、做什么、已用多久、还要多久。"""
    parts = [f"种子 {run.seed}"]
    if run in plan.other:
        parts.append(f"注意力换成 {plan.attention}")
    if run in plan.fewer:
        parts.append(f"只用 {run.data['n_train']} 张")
    left = (len(todo) - number) * budget.longest
    until = min(left, max(budget.seconds - budget.used, 0))
    rest = f"，还要约 {until:.0f} 秒" if budget.longest else ""
    return (
        f"训练 {number + 1}/{len(todo)}：{'，'.join(parts)}"
        f"（已用 {budget.used:.0f} 秒{rest}）"
    )
