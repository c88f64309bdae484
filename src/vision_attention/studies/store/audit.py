"""study.yaml 写法都对之后，再查它是否说得通：设置认不认识，前后矛不矛盾。

内容: audit。取值合不合适由 faults 去查。
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from vision_attention.checks import ArgumentError, nearest
from vision_attention.studies.design.positions import Lines, locate
from vision_attention.studies.design.runs import (
    SECTIONS,
    combinations,
    expand,
    sections_of,
)
from vision_attention.studies.design.schema import Study, factor_name, level_name
from vision_attention.studies.store.audit_design import audit_judge, audit_tune
from vision_attention.studies.store.faults import (
    ELSEWHERE,
    Fault,
    fault_of,
    faults_of,
    known,
)
from vision_attention.studies.tasks import METRICS, TASKS

Problem = tuple[int, str]
FRAMEWORK = "framework"
# 每个组合都要试建一次；最大的研究 32 个组合、640 个运行
MOST_ARMS, MOST_RUNS = 1000, 10_000


def audit(study: Study, lines: Lines) -> list[Problem]:
    """检查一项研究，返回 (行号, 问题) 的列表；空列表表示没有问题。

    参数: study 为写法正确的研究；lines 为每个键的行号
    """
    problems = [*_names(study, lines), *_settings(study, lines), *_size(study, lines)]
    if not problems:
        problems = [
            *_exclude(study, lines),
            *_compare(study, lines),
            *audit_tune(study, lines),
            *audit_judge(study, lines),
        ]
    if not problems:
        problems = [*_values(study, lines)]
    return problems or [*_repeated(study, lines)]


def _names(study: Study, lines: Lines) -> Iterator[Problem]:
    if study.task not in TASKS:
        yield locate(lines, ["task"]), f"task 不认识。{nearest(study.task, TASKS)}"
    if study.metric not in METRICS:
        hint = nearest(study.metric, METRICS)
        yield locate(lines, ["metric"]), f"metric={study.metric!r} 不认识。{hint}"
    elif study.task in TASKS and study.metric not in TASKS[study.task].measures:
        hint = nearest(study.metric, TASKS[study.task].measures)
        text = f"任务 {study.task} 不给出 metric={study.metric!r}。{hint}"
        yield locate(lines, ["metric"]), text
    if len(set(study.seeds)) < len(study.seeds) or min(study.seeds) < 0:
        yield locate(lines, ["seeds"]), "seeds 应为互不相同、不小于 0 的整数"
    if len(set(study.frameworks)) < len(study.frameworks):
        yield locate(lines, ["frameworks"]), "frameworks 里同一个框架写了两次"
    yield from _paddle_seeds(study, lines)
    yield from _same_names(study, lines)
    if FRAMEWORK in study.factors:
        place = locate(lines, ["grid", FRAMEWORK])
        yield place, "因素不能叫 framework；比较框架请写 frameworks: [torch, paddle]"


def _paddle_seeds(study: Study, lines: Lines) -> Iterator[Problem]:
    place, chosen = locate(lines, ["paddle_seeds"]), study.paddle_seeds
    if chosen is None:
        return
    if "paddle" not in study.frameworks:
        yield place, "写了 paddle_seeds，frameworks 里却没有 paddle；请补上或去掉它"
    if not chosen or len(set(chosen)) < len(chosen) or set(chosen) - set(study.seeds):
        yield place, f"paddle_seeds={chosen} 应取自 seeds，不重复，至少一个"


def _same_names(study: Study, lines: Lines) -> Iterator[Problem]:
    """两个因素同名时，后一个会顶掉前一个。"""
    seen: dict[str, str] = {}
    for path, levels in study.grid.items():
        name = factor_name(path, levels)
        if name in seen:
            text = f"因素 {path!r} 与 {seen[name]!r} 都叫 {name!r}，只能留一个；"
            remedy = "请给其中一个另取名字，写成「名字: {臂: {路径: 取值}}」"
            yield locate(lines, ["grid", path]), text + remedy
        seen.setdefault(name, path)


def _paths(study: Study) -> Iterator[tuple[str, list]]:
    """每条设置的路径，以及它在 YAML 里的位置。"""
    for section in SECTIONS:
        for name in getattr(study, section):
            yield f"{section}.{name}", [section, name]
    for factor, levels in study.grid.items():
        if isinstance(levels, list):
            yield factor, ["grid", factor]
            continue
        for level, changes in levels.items():
            for path in changes:
                yield path, ["grid", factor, level, path]


def _settings(study: Study, lines: Lines) -> Iterator[Problem]:
    for path, place in _paths(study):
        section, _, name = path.partition(".")
        line = locate(lines, place)
        if section not in SECTIONS or not name:
            hint = "应写成「部分.键」，例如 data.n_train、model.name、train.steps"
            yield line, f"路径 {path!r} 不对。{hint}"
        elif name in ELSEWHERE.get(section, ()):
            yield line, f"{path} 不能写在这里：种子写在 seeds，数据所在用 --data-root"
        elif known(section) and name.split(".")[0] not in known(section):
            yield line, f"不认识的键 {path!r}。{nearest(name, known(section))}"
    for factor, levels in study.grid.items():
        line = locate(lines, ["grid", factor])
        if not levels:
            yield line, f"因素 {factor!r} 一个取值也没有"
        if isinstance(levels, list) and any(isinstance(v, dict) for v in levels):
            yield line, f"{factor} 的取值是复合的；请用「臂: {{路径: 取值}}」的写法"
        elif len({level_name(level) for level in levels}) < len(levels):
            yield line, f"{factor} 里同一个取值写了两次"


def _size(study: Study, lines: Lines) -> Iterator[Problem]:
    """组合太多的，展开以前就拦下。"""
    arms = math.prod(len(levels) for levels in study.factors.values())
    runs = arms * len(study.seeds) * len(study.frameworks)
    if arms > MOST_ARMS or runs > MOST_RUNS:
        told = f"共 {arms} 个组合、{runs} 个运行，最多 {MOST_ARMS} 个、{MOST_RUNS} 个"
        yield locate(lines, ["grid"]), told
    if study.tune is not None:
        tried = math.prod(len(values) for values in study.tune.values.values())
        trials = arms * tried * len(study.tune.seeds)
        if trials > MOST_RUNS:
            told = f"调参共 {trials} 个运行，最多 {MOST_RUNS} 个"
            yield locate(lines, ["tune"]), told


def _exclude(study: Study, lines: Lines) -> Iterator[Problem]:
    for index, rule in enumerate(study.exclude):
        for factor, level in rule.items():
            line = locate(lines, ["exclude", index, factor])
            if factor not in study.factors:
                yield line, f"没有因素 {factor!r}。{nearest(factor, study.factors)}"
            # 列表里找，不用字典：取值写错成列表时散列不了
            elif level not in list(study.factors[factor]):
                hint = nearest(level, study.factors[factor])
                yield line, f"因素 {factor} 没有取值 {level!r}。{hint}"
    if not combinations(study):
        yield locate(lines, ["exclude"]), "exclude 去掉了全部组合，没有运行可做"


def _compare(study: Study, lines: Lines) -> Iterator[Problem]:
    if study.compare is None:
        if study.common_start:
            line = locate(lines, ["common_start"])
            yield line, "common_start 要有参照臂；请补上 compare，或去掉 common_start"
        return
    factor, reference = study.compare.factor, study.compare.reference
    every = {**study.factors, FRAMEWORK: dict.fromkeys(study.frameworks)}
    if factor not in every:
        line = locate(lines, ["compare", "factor"])
        yield line, f"compare.factor={factor!r} 不是因素。{nearest(factor, every)}"
    elif reference not in every[factor]:
        line = locate(lines, ["compare", "reference"])
        hint = nearest(reference, every[factor])
        yield line, f"参照臂 {reference!r} 不在因素 {factor} 里。{hint}"
    elif len(every[factor]) < 2:
        line = locate(lines, ["compare", "factor"])
        yield line, f"因素 {factor} 只有参照臂自己，没有可比的"


def _values(study: Study, lines: Lines) -> Iterator[Problem]:
    """每个不同的组合都建一次配置与尺寸，看有没有不合适的取值。"""
    for levels in combinations(study):
        try:
            faults = faults_of(study.task, sections_of(study, levels))
        except ArgumentError as error:
            faults = [fault_of("model", error)]
        for fault in faults:
            yield locate(lines, _blame(study, levels, fault)), str(fault)


def _blame(study: Study, levels: dict[str, Any], fault: Fault) -> list:
    """问题写在哪里：改到它牵涉的键的臂，否则是那个部分。"""
    for path, place in reversed(list(_paths(study))):
        section, _, name = path.partition(".")
        # 选项写得深，检查只认最后一节：model.attention_options.reduction_ratio
        short = f"{section}.{name.rpartition('.')[2]}"
        used = len(place) < 3 or levels.get(place[1]) == place[2]
        if used and {path, short} & set(fault.paths):
            return place
    return [fault.section]


def _repeated(study: Study, lines: Lines) -> Iterator[Problem]:
    seen: dict[str, dict] = {}
    for run in expand(study):
        first = seen.setdefault(run.key, run.levels)
        if first != run.levels:
            yield (
                locate(lines, ["grid"]),
                f"两个组合的设置完全相同，分不出谁是谁：{first} 与 {run.levels}",
            )
            return
