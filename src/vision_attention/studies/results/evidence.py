"""书与笔记本从这里取一项研究的结果：按臂的名字取数、配对相减、排成表。

内容: Findings、findings（由名字打开）。
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from vision_attention.checks import nearest
from vision_attention.statistics import (
    Estimate,
    mean_interval,
    paired_difference,
)
from vision_attention.studies.results.families import CHOICE, Pair
from vision_attention.studies.results.forest import Forest, Line
from vision_attention.studies.results.judgement import Judgement, told
from vision_attention.studies.results.report import summarize
from vision_attention.studies.results.values import paired, value_of
from vision_attention.studies.results.verdicts import Comparisons, grouped
from vision_attention.studies.store.library import StudyStore, open_study
from vision_attention.studies.tasks.metrics import METRICS
from vision_attention.training.diagnosis import Diagnosis, diagnose
from vision_attention.wording import DIGITS, number, rows, signed, span

FRAMEWORK = "framework"


class Findings:
    """一项研究的结果。

    臂由各因素的名字与取值指定，如 `values(where="none")`；framework 缺省为 "torch"。
    因素只有一个取值时也要写明。

    参数: store 为 studies.open_study 的结果
    """

    def __init__(self, store: StudyStore) -> None:
        done = store.done()
        self._store = store
        self.summary: dict[str, Any] = summarize(store)
        self.compare = store.study.compare
        self._comparisons = Comparisons(store.study, grouped(store.runs, done))
        self._factors = {**store.study.factors, FRAMEWORK: store.study.frameworks}
        self._runs = [(run, done[run.key]) for run in store.runs if run.key in done]

    def __getitem__(self, name: str) -> Any:
        """取 summary 里的一项，如 findings["missing"]。"""
        return self.summary[name]

    def cell(self, **levels: Any) -> dict[str, Any]:
        """取 summary 里的一个组合：values、estimate、difference、verdict、holds、cost。

        参数: levels 为各因素的取值；framework 缺省为 "torch"
        错误: 因素或取值写错、少写了因素、组合被排除时抛出 ValueError
        """
        asked = self._asked(levels)
        return next(c for c in self.summary["cells"] if c["levels"] == asked)

    def values(self, metric: str | None = None, **levels: Any) -> dict[int, float]:
        """一个组合的指标：种子 → 值；没有测到的种子不在里面。

        参数: metric 为指标，缺省为这项研究自己的；levels 为各因素的取值
        错误: 没有这个指标、因素或取值写错时抛出 ValueError
        """
        asked, metric = self._asked(levels), metric or self.summary["metric"]
        found = {
            run.seed: value_of(record, metric)
            for run, record in self._runs
            if run.levels == asked
        }
        return {seed: value for seed, value in found.items() if value is not None}

    def estimate(self, metric: str | None = None, **levels: Any) -> Estimate:
        """一个组合的均值与 95 % 区间；参数同 values。"""
        return mean_interval(list(self.values(metric, **levels).values()))

    def difference(
        self,
        levels: Mapping[str, Any],
        reference: Mapping[str, Any],
        metric: str | None = None,
    ) -> Estimate:
        """两个组合按种子配对的差（levels 减 reference）。

        参数: levels、reference 为各因素的取值；metric 为指标，缺省为研究自己的
        """
        ours, theirs = self.values(metric, **levels), self.values(metric, **reference)
        return paired_difference(ours, theirs)

    def judged(
        self,
        levels: Mapping[str, Any],
        reference: Mapping[str, Any],
        metric: str | None = None,
        beyond: Mapping[str, Any] = {},
    ) -> Judgement:
        """两个组合比出的结论，与书的别处、报告、决策图是同一个；见 Judgement。

        参照臂减另一臂，就是另一臂减参照臂的那个结论反过来：族与校正都不因说法而变。

        参数: levels、reference 为各因素的取值，只许差一个因素；metric 为指标，
            缺省为研究自己的；beyond 为另一处与这里不同的取值，写了就是两处的差相减
        错误: 两个组合不是恰好差一个因素时抛出 ValueError
        """
        ours, theirs = self._asked(levels), self._asked(reference)
        changed = [name for name in ours if ours[name] != theirs[name]]
        if len(changed) != 1:
            raise ValueError(
                f"{ours} 与 {theirs} 应恰好差一个因素，现在差 {len(changed)} 个"
            )
        [factor] = changed
        compare = self.compare
        if compare and (compare.factor, compare.reference) == (factor, ours[factor]):
            return self.judged(reference, levels, metric, beyond).mirrored
        place = tuple((name, level) for name, level in ours.items() if name != factor)
        there = tuple(beyond.items())
        asked = metric or self.summary["metric"]
        return self._comparisons.judge(
            Pair(factor, ours[factor], theirs[factor], place, asked, there)
        )

    def against(self, metric: str | None = None, **levels: Any) -> Judgement:
        """一个组合减参照臂的结论；参数同 values。"""
        return self.judged(levels, levels | self._arm(self.compare.reference), metric)

    def forest(
        self, asked: Mapping[str, Sequence[Mapping]], metric: str | None = None
    ) -> Forest:
        """一串比较：画图、排表、数结论都从它来。

        参数: asked 为名字 → (ours, reference) 或 (ours, reference, beyond)，
            各是因素的取值，意思同 judged；metric 为指标，缺省为研究自己的
        """
        return Forest({name: self._line(metric, *one) for name, one in asked.items()})

    def versus(
        self, labels: Mapping[Any, str], metric: str | None = None, **levels: Any
    ) -> Forest:
        """一串比较：各臂减参照臂。

        参数: labels 为臂 → 名字，参照臂略过；levels 为其余因素的取值
        """
        reference = levels | self._arm(self.compare.reference)
        arms = {a: name for a, name in labels.items() if a != self.compare.reference}
        asked = {name: (levels | self._arm(a), reference) for a, name in arms.items()}
        return self.forest(asked, metric)

    def table(
        self, labels: Mapping[Any, str], *, extra: Mapping[str, str] = {}, **levels: Any
    ) -> str:
        """Markdown 表：每臂一行，差与结论都是减参照臂。

        参数: labels 为臂 → 写在表里的名字；extra 为再添的列，指标 → 列名；
            levels 为其余因素的取值
        """
        metric = self.summary["metric"]
        digits = DIGITS.get(metric, 3)
        body = []
        for arm, name in labels.items():
            place = levels | self._arm(arm)
            cell = self.cell(**place)
            means = [self.told_mean(metric=other, **place) for other in extra]
            told_here = "（参照）"
            if "verdict" in cell:
                told_here = told(self.against(**place), metric)
            body.append([name, str(cell["estimate"]["n"]), _level(cell, digits)])
            body[-1] += [*_versus(cell, digits), *means, told_here, _family(cell)]
        solved = any("solved" in self.cell(**levels, **self._arm(a)) for a in labels)
        named = "做对的种子" if solved else METRICS[metric]
        head = ["臂", "n", named, "差", "95 % 区间", *extra.values(), "结论", "族"]
        return rows(head, body, left="结论 族")

    def means(
        self,
        first: str,
        lines: Mapping[str, Mapping[str, Any]],
        columns: Mapping[str, Mapping[str, Any]],
        digits: int | None = None,
        **levels: Any,
    ) -> str:
        """Markdown 表，一格一个均值。

        参数: first 为第一列的名字；lines 为行的名字 → 取值，columns 为列的名字 → 取值，
            两样合起来定一格，取值里可以有 metric；digits 缺省照指标；
            levels 为各格共有的取值
        """
        body = []
        for name, line in lines.items():
            cells = [levels | dict(line) | dict(column) for column in columns.values()]
            body.append([name, *(self.told_mean(digits, **one) for one in cells)])
        return rows([first, *columns], body)

    def mean(self, metric: str | None = None, **levels: Any) -> float | None:
        """一个组合的均值；参数同 values。"""
        return self.estimate(metric, **levels).mean

    def told_mean(
        self, digits: int | None = None, metric: str | None = None, **levels: Any
    ) -> str:
        """一个组合的均值，写好了的；digits 缺省照指标。"""
        places = DIGITS.get(metric or self.summary["metric"], 3)
        shown = places if digits is None else digits
        return number(self.mean(metric, **levels), shown)

    def array(
        self,
        arms: Sequence[Mapping[str, Any]],
        metric: str | None = None,
        **levels: Any,
    ) -> np.ndarray:
        """几个组合的指标 [种子, 组合]，只取都有的种子，从小到大。

        参数: arms 为各个组合的取值；levels 为共有的取值
        """
        found = [self.values(metric, **levels, **arm) for arm in arms]
        seeds = sorted(set.intersection(*map(set, found)))
        return np.array([[one[seed] for one in found] for seed in seeds])

    def records(self, **levels: Any) -> dict[int, dict[str, Any]]:
        """一个组合的记录：种子 → 记录。"""
        asked = self._asked(levels)
        return {run.seed: record for run, record in self._runs if run.levels == asked}

    def curves(self, **levels: Any) -> list[SimpleNamespace]:
        """一个组合各粒种子的曲线，正好给 plots.learning_curves 与 diagnose。"""
        found = self.records(**levels).values()
        return [SimpleNamespace(**record["curves"]) for record in found]

    def diagnosed(self, test_size: int = 500, **levels: Any) -> list[Diagnosis]:
        """一个组合各粒种子的诊断。

        参数: test_size 为测试图片数；levels 为各因素的取值
        """
        return [diagnose(run, test_size=test_size) for run in self.curves(**levels)]

    def model(self, **levels: Any) -> dict[str, Any]:
        """一个组合的模型设置，正好给 specs.named(**…)。"""
        asked = self._asked(levels)
        return next(dict(r.model) for r in self._store.runs if r.levels == asked)

    def source(self) -> str:
        """一段话：多少次运行、数据、版本、处理器、怎样重做。"""
        found = self.summary
        done = found["n_runs"] - found["missing"]
        count = f"{done} 次" if not found["missing"] else f"{done}/{found['n_runs']} 次"
        bad = f"（另有 {found['rejected']} 行坏的不算）" if found["rejected"] else ""
        return (
            f"共 {count}运行{bad}；数据 {'、'.join(found['data'])}；"
            f"框架 {'、'.join(found['frameworks'])}；"
            f"处理器 {'、'.join(found['processors'])}。"
            f"重做：`{found['command']}`"
        )

    def _line(
        self,
        metric: str | None,
        ours: Mapping[str, Any],
        reference: Mapping[str, Any],
        beyond: Mapping[str, Any] = {},
    ) -> Line:
        found = self.judged(ours, reference, metric, beyond)
        here, there = (self.values(metric, **one) for one in (ours, reference))
        gaps = paired(here, there)
        if beyond:
            other = [self.values(metric, **one | beyond) for one in (ours, reference)]
            gaps = paired(gaps, paired(*other))
        asked = metric or self.summary["metric"]
        return Line(found, here, there, asked, tuple(gaps[s] for s in sorted(gaps)))

    def _arm(self, arm: Any) -> dict[str, Any]:
        return {self.compare.factor: arm}

    def _asked(self, levels: Mapping[str, Any]) -> dict[str, Any]:
        """核对因素与取值，补上框架，排成 summary 里的次序。"""
        asked = {FRAMEWORK: "torch", **levels}
        for name, level in asked.items():
            if name not in self._factors:
                known = nearest(name, list(self._factors))
                raise ValueError(f"没有因素 {name!r}。{known}")
            if level not in self._factors[name]:
                known = nearest(str(level), [str(v) for v in self._factors[name]])
                raise ValueError(f"因素 {name} 没有取值 {level!r}。{known}")
        asked = {name: asked[name] for name in self._factors if name in asked}
        if asked not in [cell["levels"] for cell in self.summary["cells"]]:
            raise ValueError(f"没有这个组合：{asked}；少写了因素，或它在 exclude 里")
        return asked


def findings(name: str, out: str | Path | None = None) -> Findings:
    """一项研究的结果，按臂的名字取数、相减、排成表；见 Findings。

    参数: 同 open_study
    """
    return Findings(open_study(name, out))


def _family(cell: Mapping[str, Any]) -> str:
    """它算在哪一族，族里几个比较；参照臂空着。"""
    if "family" not in cell:
        return ""
    count = f"（{cell['family_size']} 个）" if cell["role"] == CHOICE else ""
    return cell["family"] + count


def _level(cell: Mapping[str, Any], digits: int) -> str:
    """这一臂自己的数：均值；比做对的份额时是几粒里的几粒。"""
    if "solved" in cell:
        return f"{cell['solved']['hits']}/{cell['solved']['n']}"
    least = "≥ " if cell["unmeasured"] and cell["estimate"]["n"] > 0 else ""
    full = cell["estimate"]["n"] == len(cell["values"]) + cell["unmeasured"]
    mean = number(cell["estimate"]["mean"], digits)
    return (least if full else "") + mean


def _versus(cell: Mapping[str, Any], digits: int) -> list[str]:
    """差与区间两格；参照臂空着。"""
    if "difference" not in cell:
        return ["", ""]
    found = cell["difference"]
    places = 2 if cell["hits"] is not None else digits
    return [signed(found["mean"], places), span(found["low"], found["high"], places)]
