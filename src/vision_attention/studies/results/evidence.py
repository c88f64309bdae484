"""书与笔记本从这里取一项研究的结果：按臂的名字取数、配对相减、排成表。

内容: Findings、findings（由名字打开）、told。
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vision_attention.checks import nearest
from vision_attention.statistics import (
    Estimate,
    mean_interval,
    paired_difference,
)
from vision_attention.studies.results.report import summarize, value_of
from vision_attention.studies.store.library import StudyStore, open_study
from vision_attention.studies.tasks.metrics import METRICS
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
        self.summary: dict[str, Any] = summarize(store)
        self.compare = store.study.compare
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

    def versus(self, labels: Mapping[Any, str], **levels: Any) -> dict[str, list]:
        """各臂减参照臂，正好给 plots.paired_differences(**…)。

        参数: labels 为臂 → 写在图上的名字，参照臂略过；levels 为其余因素的取值
        返回: names、differences（每臂各种子的差）、verdicts（Holm 后仍成立的带 ✓）
        """
        theirs = self.cell(**levels, **self._arm(self.compare.reference))["values"]
        arms = [arm for arm in labels if arm != self.compare.reference]
        cells = [self.cell(**levels, **self._arm(arm)) for arm in arms]
        return {
            "names": [labels[arm] for arm in arms],
            "differences": [
                [cell["values"][seed] - theirs[seed] for seed in sorted(shared)]
                for cell in cells
                for shared in [cell["values"].keys() & theirs.keys()]
            ],
            "verdicts": [told(cell) for cell in cells],
        }

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
            means = [self._mean(other, place) for other in extra]
            found = cell["estimate"]
            body.append([name, str(found["n"]), number(found["mean"], digits)])
            body[-1] += [*_versus(cell, digits), *means, told(cell)]
        name = METRICS[metric]
        head = ["臂", "n", name, "差", "95 % 区间", *extra.values(), "结论"]
        return rows(head, body, left="结论")

    def source(self) -> str:
        """一段话：多少次运行、数据、版本、处理器、怎样重做。"""
        found = self.summary
        done = found["n_runs"] - found["missing"]
        count = f"{done} 次" if not found["missing"] else f"{done}/{found['n_runs']} 次"
        return (
            f"共 {count}运行；数据 {'、'.join(found['data'])}；"
            f"框架 {'、'.join(found['frameworks'])}；"
            f"处理器 {'、'.join(found['processors'])}。"
            f"重做：`{found['command']}`"
        )

    def _mean(self, metric: str, levels: Mapping[str, Any]) -> str:
        return number(self.estimate(metric, **levels).mean, DIGITS.get(metric, 3))

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


def told(cell: Mapping[str, Any]) -> str:
    """一个组合的结论；参照臂写（参照），Holm 校正后仍成立的带 ✓。"""
    if "verdict" not in cell:
        return "（参照）"
    return cell["verdict"] + (" ✓" if cell["holds"] else "")


def _versus(cell: Mapping[str, Any], digits: int) -> list[str]:
    """差与区间两格；参照臂空着。"""
    if "difference" not in cell:
        return ["", ""]
    found = cell["difference"]
    return [signed(found["mean"], digits), span(found["low"], found["high"], digits)]
