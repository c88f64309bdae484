"""一个组合的设置合不合适：模型、训练、数据的取值交给 specs、config、data 自己去查。

内容: Fault、faults_of、fault_of、known、ELSEWHERE。研究与命令行问的是同一处。
"""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import Any, NamedTuple

from vision_attention import data, specs
from vision_attention.checks import ArgumentError, choice, nearest
from vision_attention.data.loading import NAMES, check_kinds
from vision_attention.studies.design.runs import SECTIONS, plain_values
from vision_attention.studies.tasks import TASKS
from vision_attention.training.config import TrainConfig
from vision_attention.wings import attention_names

# 由 seeds 与命令行给出，写在设置里就会有两个出处
ELSEWHERE = {"data": ("seed", "root"), "train": ("seed",)}


def known(section: str) -> list[str]:
    """一个部分里认识的键；model 与 options 的键由别处检查，返回空。"""
    if section == "train":
        names = [item.name for item in fields(TrainConfig)]
    elif section == "data":
        names = list(inspect.signature(data.load).parameters)
    else:
        return []
    return [name for name in names if name not in ELSEWHERE[section]]


class Fault(NamedTuple):
    """一处不合适的设置。

    参数: section 为它在哪个部分；text 为那句话；paths 为牵涉到的设置，写成「部分.键」
    """

    section: str
    text: str
    paths: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.section}：{self.text}"


def fault_of(section: str, error: ValueError) -> Fault:
    """检查 section 时的一个错；它的参数自己写着部分的（data.classes），以它为准。"""
    named = (getattr(error, "argument", ""), *getattr(error, "others", ()))
    paths = tuple(
        name
        if "." in name and name.partition(".")[0] in SECTIONS
        else f"{section}.{name}"
        for name in named
    )
    return Fault(paths[0].partition(".")[0], str(error), paths)


def faults_of(task: str, sections: dict[str, Any]) -> list[Fault]:
    """一个组合的设置里不合适的；不载入框架，也不读数据。

    参数: task 为任务的名字；sections 为 data、model、train、options 四部分的设置
    """
    checks = {
        "data": lambda: _data(_only_known("data", sections["data"])),
        "model": lambda: _model(plain_values(sections["model"])),
        "train": lambda: TrainConfig(**_only_known("train", sections["train"])),
        "options": lambda: TASKS[task].check(sections),
    }
    faults: list[Fault] = []
    for section, check in checks.items():
        # 任务要看其余各部分；那里已经错了，就先改那里
        if section == "options" and faults:
            break
        try:
            check()
        except ValueError as error:
            faults.append(fault_of(section, error))
        except TypeError as error:
            given = f"请改正：{sections[section]}。原话是 {error}"
            faults.append(Fault(section, f"有一项的取值类型不对，{given}"))
    return faults


def _only_known(section: str, settings: dict[str, Any]) -> dict[str, Any]:
    """设置本身；有不认识的键时抛出 ArgumentError。"""
    for name in settings:
        if name not in known(section):
            hint = nearest(name, known(section))
            raise ArgumentError(f"不认识的键 {name!r}。{hint}", name)
    return settings


def _model(settings: dict[str, Any]) -> None:
    if "name" not in settings:
        raise ArgumentError("缺少 name，例如 model: {name: small_cnn}", "name")
    # ViT 的 attention 是另一回事（global、window、locality），它自己已经查过
    if isinstance(specs.named(**settings), specs.AttentionSpec):
        choice("attention", settings.get("attention", "none"), attention_names())


def _data(settings: dict[str, Any]) -> None:
    """数据集的名字：内置的，或 folder:路径；几个取值的类型。"""
    name = settings.get("name", "digits")
    if name not in NAMES and not str(name).startswith("folder:"):
        raise ArgumentError(f"name={name!r} 不认识。{nearest(name, NAMES)}", "name")
    kinds = inspect.signature(check_kinds).parameters
    check_kinds(**{key: settings[key] for key in kinds if key in settings})
