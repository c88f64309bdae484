"""一次运行 Run：凭它就能重做，凭它的 key 就知道做没做过。

内容: Run、expand（研究 → 运行的列表）、merge（把臂的设置并进去）、plain_values。
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from vision_attention.checks import ArgumentError
from vision_attention.studies.design.schema import Study

SECTIONS = ("data", "model", "train", "options")
FRAMEWORK = "framework"
_CANONICAL = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
)


@dataclass(frozen=True)
class Run:
    """一次运行的全部设置。

    参数：
        task: 做什么，取 tasks.TASKS 之一
        framework: "torch" 或 "paddle"
        data / model / train / options: 各部分写明了的设置
        seed: 同时定下数据子集、初始权重与批次顺序，配对比较由它对齐
        start_from: 参照臂的 model 设置；同名同形的权重从它出发，None 表示不需要
        levels: 这次运行在各因素上的臂，只用于分组，不参与 key
    """

    task: str
    framework: str
    data: dict[str, Any]
    model: dict[str, Any]
    train: dict[str, Any]
    options: dict[str, Any]
    seed: int
    start_from: dict[str, Any] | None = None
    levels: dict[str, Any] = field(default_factory=dict, compare=False)

    def settings(self) -> dict[str, Any]:
        """写进记录的设置：空的部分省去，日后添了新的部分也不改旧的 key。"""
        parts = {
            "task": self.task,
            "framework": self.framework,
            **{section: getattr(self, section) for section in SECTIONS},
            "start_from": self.start_from,
        }
        return {k: v for k, v in parts.items() if v} | {"seed": self.seed}

    @property
    def key(self) -> str:
        """设置的指纹：规范 JSON 的 sha256 前 16 位；含框架，不含代码版本。"""
        return key_of(self.settings())

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Run:
        """由记录里的设置还原。"""
        empty = {section: {} for section in SECTIONS}
        return cls(**(empty | settings))


def key_of(settings: dict[str, Any]) -> str:
    """设置 → key。

    错误: 设置里有 NaN 或无穷时抛出 ValueError
    """
    try:
        canonical = _CANONICAL.encode(settings)
    except ValueError:
        raise ValueError("设置里有写不成 JSON 的数（NaN、无穷或太长）") from None
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()[:16]


def merge(sections: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """把「路径: 取值」并进设置，返回新的一份；路径可以深入，如 model.options.a。

    错误: 路径半途不是「键: 值」，深入不下去时抛出 ArgumentError
    """
    merged = copy.deepcopy(sections)
    for path, value in changes.items():
        *parents, last = path.split(".")
        place = merged
        for parent in parents:
            inside = place.setdefault(parent, {})
            if not isinstance(inside, dict):
                raise ArgumentError(
                    f"{path!r} 写不进去，"
                    f"{parent}={inside!r} 不是「键: 值」；请去掉 {parent} 后面的部分",
                    path,
                )
            place = inside
        place[last] = copy.deepcopy(value)
    return merged


def fixed(study: Study) -> dict[str, Any]:
    """研究里不随臂变化的设置。"""
    return {section: copy.deepcopy(getattr(study, section)) for section in SECTIONS}


def combinations(study: Study) -> list[dict[str, Any]]:
    """各因素的臂的全部组合，去掉 exclude 里的。"""
    names = list(study.factors)
    crossed = itertools.product(*(study.factors[name] for name in names))
    every = [dict(zip(names, levels, strict=True)) for levels in crossed]
    return [
        levels
        for levels in every
        if not any(rule.items() <= levels.items() for rule in study.exclude)
    ]


def sections_of(study: Study, levels: dict[str, Any]) -> dict[str, Any]:
    """一个组合的全部设置。"""
    sections = fixed(study)
    for name, level in levels.items():
        sections = merge(sections, study.factors[name][level])
    return sections


def _start(study: Study, levels: dict[str, Any]) -> dict[str, Any] | None:
    """common_start 时，参照臂的 model 设置；参照臂自己不需要。"""
    if not study.common_start or study.compare is None:
        return None
    reference = levels | {study.compare.factor: study.compare.reference}
    start = sections_of(study, reference)["model"]
    return None if start == sections_of(study, levels)["model"] else start


def plain_values(settings: dict[str, Any]) -> dict[str, Any]:
    """YAML 的列表变成元组：尺寸表里的 dataclass 是冻结的，不收列表。"""
    return {name: _plain(value) for name, value in settings.items()}


def _plain(value: Any) -> Any:
    return tuple(_plain(item) for item in value) if isinstance(value, list) else value


def arm_of(levels: Mapping[str, Any]) -> tuple:
    """一个组合的身份：各因素与取值，不含框架。"""
    return tuple((name, level) for name, level in levels.items() if name != FRAMEWORK)


Chosen = Mapping[tuple, dict[str, Any]]


def _arms(
    study: Study, chosen: Chosen | None
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """每个组合与它的全部设置；给了 chosen，还没有挑出设置的组合略过。"""
    for levels in combinations(study):
        settings = sections_of(study, levels)
        if chosen is None:
            yield levels, settings
        elif arm_of(levels) in chosen:
            yield levels, merge(settings, chosen[arm_of(levels)])


def expand(study: Study, chosen: Chosen | None = None) -> list[Run]:
    """研究 → 运行的列表；种子在最外层，中途停下时各臂的次数仍然相同。

    参数: chosen 为调参时各臂挑中的设置：arm_of → 路径 → 取值
    """
    arms = [(*arm, _start(study, arm[0])) for arm in _arms(study, chosen)]
    return [
        Run(
            task=study.task,
            framework=framework,
            seed=seed,
            start_from=start,
            levels={**levels, FRAMEWORK: framework},
            **settings,
        )
        for seed in study.seeds
        for framework in study.frameworks
        if seed in study.seeds_of(framework)
        for levels, settings, start in arms
    ]
