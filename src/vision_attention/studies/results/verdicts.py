"""一个比较，一个结论：书的每一页、报告与决策图都从这里取。

内容: Comparisons（一项研究的比较都在这里判）、grouped。结论的样子见 judgement。

四种量法：均值（按种子配对的 t 区间）；做对的份额（精确的 McNemar 检验）；
先后（有的到上限还没有到，只看正负的符号检验）；数出来的（由结构定死，不作检验）。
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from vision_attention.statistics import (
    ALIKE,
    DOWN,
    UP,
    Estimate,
    answer,
    detectable,
    holm,
    mean_interval,
    share_difference,
    sign_flip_p,
    sign_test_p,
    within,
)
from vision_attention.studies.design.runs import FRAMEWORK, Run
from vision_attention.studies.design.schema import Study
from vision_attention.studies.results.families import Pair, members, name_of, role
from vision_attention.studies.results.judgement import (
    COUNT,
    EQUAL,
    MEAN,
    ORDER,
    SHARE,
    Judgement,
)
from vision_attention.studies.results.values import paired, reached
from vision_attention.studies.tasks.metrics import (
    ACCURACIES,
    CENSORED,
    COUNTED,
    MARGINS,
)

HALF_POINT = 0.005
Records = Mapping[tuple, Mapping[int, dict]]
Values = tuple[tuple[float, ...], tuple[float, ...]]


def grouped(runs: Sequence[Run], done: Mapping[str, dict]) -> Records:
    """运行与记录 → 每个组合的记录：取值 → 种子 → 记录。"""
    found: dict[tuple, dict[int, dict]] = defaultdict(dict)
    for run in runs:
        if run.key in done:
            found[tuple(run.levels.values())][run.seed] = done[run.key]
    return found


class Comparisons:
    """一项研究的比较都在这里判。

    参数: study 为研究；records 为 grouped 的结果
    """

    def __init__(self, study: Study, records: Records) -> None:
        self.study = study
        self._records = records
        self._judged: dict[tuple[Pair, ...], list[Judgement]] = {}

    def judge(self, pair: Pair) -> Judgement:
        """一个比较的结论；同一族的一起判，判过的不再判。"""
        family = tuple(members(self.study, pair))
        if family not in self._judged:
            self._judged[family] = self._family(family)
        return self._judged[family][family.index(pair)]

    def kind(self, pair: Pair) -> str:
        """这个比较照哪一种量法。"""
        judge = self.study.judge
        if pair.metric in COUNTED:
            return COUNT
        counts = judge is not None and judge.solved is not None and not pair.beyond
        if counts and pair.metric == self.study.metric:
            return SHARE
        return ORDER if pair.metric in CENSORED else MEAN

    def margin(self, metric: str) -> float | None:
        """这个指标相差多少以内算“相差不到 δ”。"""
        judge = self.study.judge
        if judge is not None and metric == self.study.metric:
            return judge.margin
        return MARGINS.get(metric)

    def _family(self, family: tuple[Pair, ...]) -> list[Judgement]:
        seeds = [self._seeds(pair) for pair in family]
        found, words = self._answers(family, seeds)
        stays = self._left_out(family, seeds, words)
        adjusted = holm([one.p for one in found])
        return [
            Judgement(
                difference,
                word,
                p,
                name_of(self.study, pair),
                len(family),
                role(self.study, pair),
                self.kind(pair),
                within=self._within(pair.metric, difference) if word == ALIKE else None,
                survives=stay,
                **self._strength(pair, shared, difference),
            )
            for pair, shared, difference, p, word, stay in zip(
                family, seeds, found, adjusted, words, stays, strict=True
            )
        ]

    def _answers(
        self, family: Sequence[Pair], seeds: Sequence[list[int]]
    ) -> tuple[list[Estimate], list[str]]:
        """一族的差与结论，只用给出的种子。"""
        found = [self._estimate(*one) for one in zip(family, seeds, strict=True)]
        adjusted = holm([one.p for one in found])
        trios = zip(family, found, adjusted, strict=True)
        return found, [self._word(*trio) for trio in trios]

    def _word(self, pair: Pair, found: Estimate, adjusted: float | None) -> str:
        """一个结论；数出来的只看大小。"""
        if self.kind(pair) == COUNT and found.mean is not None:
            return EQUAL if found.mean == 0 else UP if found.mean > 0 else DOWN
        return answer(found, self.margin(pair.metric), adjusted)

    def _left_out(
        self, family: Sequence[Pair], seeds: Sequence[list[int]], words: list[str]
    ) -> list[bool | None]:
        """去掉任何一粒种子，整族重判，各个结论是否不变；不足三粒的为 None。"""
        stays: list[bool | None] = [len(one) > 2 or None for one in seeds]
        for left in sorted({seed for one in seeds for seed in one}):
            rest = [[seed for seed in one if seed != left] for one in seeds]
            _, again = self._answers(family, rest)
            pairs = zip(stays, words, again, strict=True)
            stays = [stay and word == other for stay, word, other in pairs]
        return stays

    def _strength(
        self, pair: Pair, seeds: list[int], found: Estimate
    ) -> dict[str, Any]:
        """结论的把握：符号翻转的 p、看得见的最小差，比份额时各做对几粒。"""
        kind, (ours, theirs) = self.kind(pair), self._values(pair, seeds)
        if kind == SHARE:
            return {"hits": (int(sum(ours)), int(sum(theirs)))}
        if kind != MEAN or found.sd is None:
            return {}
        gaps = [a - b for a, b in zip(ours, theirs, strict=True)]
        return {
            "p_sign": sign_flip_p(gaps),
            "detectable": detectable(found.sd, found.n),
        }

    def _within(self, metric: str, found: Estimate) -> float | None:
        """整个区间都在多少之内：准确率先试半个点。"""
        margin = self.margin(metric)
        close = metric in ACCURACIES and margin is not None and margin > HALF_POINT
        return HALF_POINT if close and within(found, HALF_POINT) else margin

    def _estimate(self, pair: Pair, seeds: list[int]) -> Estimate:
        ours, theirs = self._values(pair, seeds)
        kind = self.kind(pair)
        if kind == SHARE:
            solved = [[bool(v) for v in arm] for arm in (ours, theirs)]
            return share_difference(*solved)
        gaps = [a - b for a, b in zip(ours, theirs, strict=True)]
        found = mean_interval(gaps)
        if kind == COUNT:
            return Estimate(found.n, found.mean)
        if kind == ORDER:
            shown = (found.sd, found.low, found.high)
            return Estimate(found.n, found.mean, *shown, sign_test_p(gaps))
        return found

    def _values(self, pair: Pair, seeds: list[int]) -> Values:
        """两臂各粒种子的数；比份额时是做对了没有。"""
        here, there = self._arms(pair)
        ours, theirs = ([arm[seed] for seed in seeds] for arm in (here, there))
        if self.kind(pair) == SHARE:
            line = self.study.judge.solved
            ours, theirs = ([v > line for v in arm] for arm in (ours, theirs))
        return tuple(ours), tuple(theirs)

    def _seeds(self, pair: Pair) -> list[int]:
        here, there = self._arms(pair)
        return sorted(here.keys() & there.keys())

    def _arms(self, pair: Pair) -> tuple[dict[int, float], dict[int, float]]:
        """两边：种子 → 值；写了 beyond 的，两边各是一处的差。"""
        ours, theirs = (self._arm(pair, arm) for arm in (pair.ours, pair.reference))
        if not pair.beyond:
            return ours, theirs
        ours_2, theirs_2 = (
            self._arm(pair, arm, dict(pair.beyond))
            for arm in (pair.ours, pair.reference)
        )
        return paired(ours, theirs), paired(ours_2, theirs_2)

    def _arm(
        self, pair: Pair, arm: Any, other: Mapping[str, Any] = {}
    ) -> dict[int, float]:
        levels = {**dict(pair.place), **other, pair.factor: arm}
        place = tuple(levels[name] for name in [*self.study.factors, FRAMEWORK])
        measured = {
            seed: reached(record, pair.metric)
            for seed, record in self._records.get(place, {}).items()
        }
        return {seed: value for seed, value in measured.items() if value is not None}
