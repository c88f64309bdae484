"""study.yaml 里怎样调参、怎样判，说不说得通。

内容: audit_tune、audit_judge。
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from vision_attention.checks import nearest
from vision_attention.studies.design.positions import Lines, locate
from vision_attention.studies.design.schema import Study
from vision_attention.studies.tasks import TASKS
from vision_attention.training.config import TrainConfig

Problem = tuple[int, str]
TUNABLE = tuple(item.name for item in fields(TrainConfig) if item.name != "seed")


def audit_tune(study: Study, lines: Lines) -> Iterator[Problem]:
    """调参：候选、种子、在哪里挑、按什么挑。"""
    if study.tune is None:
        return
    tune, place = study.tune, locate(lines, ["tune"])
    for path, values in tune.values.items():
        line = locate(lines, ["tune", "values", path])
        section, _, name = path.partition(".")
        if section != "train" or name not in TUNABLE:
            hint = nearest(name or path, TUNABLE)
            yield line, f"只能调 train 的设置，{path!r} 不是。{hint}"
        if len(values) < 2 or len({repr(value) for value in values}) < len(values):
            yield line, f"{path} 的候选 {values} 应有两个以上，互不相同"
    if shared := sorted(set(tune.seeds) & set(study.seeds)):
        yield place, f"tune.seeds 与 seeds 有重合的 {shared}；挑设置要用另外的种子"
    if not study.data.get("reserve"):
        yield place, "调参要有留出的图片；请在 data 里写 reserve，例如 reserve: 300"
    if study.task in TASKS and tune.metric not in TASKS[study.task].metrics:
        hint = nearest(tune.metric, TASKS[study.task].metrics)
        yield place, f"tune.metric={tune.metric!r} 不是任务 {study.task} 的指标。{hint}"
    for factor, level in tune.at.items():
        yield from _level(study, factor, level, locate(lines, ["tune", "at", factor]))


def audit_judge(study: Study, lines: Lines) -> Iterator[Problem]:
    """判法：族、对照与阳性对照都要认得。"""
    if study.judge is None:
        return
    judge, place = study.judge, locate(lines, ["judge"])
    if study.compare is None:
        yield place, "judge 要有参照臂；请补上 compare，或去掉 judge"
        return
    for factor in judge.family:
        if factor not in study.factors or factor == study.compare.factor:
            others = [name for name in study.factors if name != study.compare.factor]
            yield place, f"judge.family 里的 {factor!r} 不对。{nearest(factor, others)}"
    named = [*judge.controls, *([] if judge.positive is None else [judge.positive])]
    for arm in named:
        yield from _level(study, study.compare.factor, arm, place)
        if arm == study.compare.reference:
            yield place, f"参照臂 {arm!r} 不能又是对照"
    yield from _groups(study, place)


def _groups(study: Study, line: int) -> Iterator[Problem]:
    """分组：对照以外的臂不重、不漏。"""
    judge, factor = study.judge, study.compare.factor
    listed = [arm for arms in judge.groups.values() for arm in arms]
    for arm in listed:
        yield from _level(study, factor, arm, line)
    if not listed or factor not in study.factors:
        return  # 没有这个因素，compare 那里已经说了
    apart = {study.compare.reference, judge.positive, *judge.controls}
    wanted = [arm for arm in study.factors[factor] if arm not in apart]
    for arm in wanted:
        if listed.count(arm) != 1:
            yield line, f"judge.groups 里 {arm!r} 应恰好出现一次"
    for arm in listed:
        if arm in apart:
            yield line, f"judge.groups 里的 {arm!r} 是参照或对照，不分组"


def _level(study: Study, factor: str, level: object, line: int) -> Iterator[Problem]:
    """因素与取值都认得。"""
    if factor not in study.factors:
        yield line, f"没有因素 {factor!r}。{nearest(factor, study.factors)}"
    elif level not in list(study.factors[factor]):
        hint = nearest(str(level), [str(known) for known in study.factors[factor]])
        yield line, f"因素 {factor} 没有取值 {level!r}。{hint}"
