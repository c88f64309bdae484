"""一串比较：画成森林图，排成表，数出各种结论。

内容: Line、Forest。
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vision_attention.statistics import ALIKE, DOWN, UNSURE, UP, mean_interval
from vision_attention.studies.results.families import CHOICE
from vision_attention.studies.results.judgement import Judgement, amount, say, told
from vision_attention.wording import DIGITS, number, p_value, rows, signed, span

Values = Mapping[int, float]
# 表的各列：列名 → 填什么，见 Forest.table
COLUMNS = {"比较": "name", "n": "n", "差": "difference", "95 % 区间": "interval"}
COLUMNS |= {"结论": "said"}
WORDY = ("said", "told", "family")


@dataclass(frozen=True)
class Line:
    """一串比较里的一行。

    参数: found 为结论；ours、theirs 为两臂，种子 → 值；metric 为指标；
        gaps 为每粒种子的差，图上的点，写了 beyond 的是两处的差相减
    """

    found: Judgement
    ours: Values
    theirs: Values
    metric: str
    gaps: tuple[float, ...]

    def field(self, name: str) -> str:
        """表里的一格；name 见 Forest.table。"""
        found, one = self.found, self.found.difference
        digits = DIGITS.get(self.metric, 3)
        return {
            "n": lambda: str(one.n),
            "ours": lambda: number(_mean(self.ours), digits),
            "theirs": lambda: number(_mean(self.theirs), digits),
            "difference": lambda: signed(one.mean, digits),
            "interval": lambda: span(one.low, one.high, digits),
            "amount": lambda: (
                f"{signed(one.mean, digits)}（{span(one.low, one.high, digits)}）"
            ),
            "sentence": lambda: amount(one, digits),
            "p": lambda: p_value(found.p),
            "said": lambda: say(found.verdict, found.within, self.metric),
            "told": lambda: told(found, self.metric),
            "family": lambda: (
                found.family + (f"（{found.size} 个）" if found.role == CHOICE else "")
            ),
        }[name]()


class Forest(Mapping[str, Judgement]):
    """一串比较：名字 → 结论，次序照写下的；结论与书的别处是同一个。

    参数: lines 为名字 → Line，由 Findings.forest 或 Findings.versus 给出
    """

    def __init__(self, lines: Mapping[str, Line]) -> None:
        self.lines = dict(lines)

    def __getitem__(self, name: str) -> Judgement:
        return self.lines[name].found

    def __iter__(self) -> Iterator[str]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    @classmethod
    def joined(cls, forests: Iterable[Forest]) -> Forest:
        """几串接成一串，可以出自不同的研究；名字不许重复。"""
        lines: dict[str, Line] = {}
        for one in forests:
            twice = lines.keys() & one.lines.keys()
            if twice:
                raise ValueError(f"两串里都有 {min(twice)!r}；名字不许重复")
            lines |= one.lines
        return cls(lines)

    def picked(self, names: Mapping[str, str]) -> Forest:
        """挑出几行，换上别的名字。

        参数: names 为原来的名字 → 新的名字，次序照它
        """
        return Forest({new: self.lines[old] for old, new in names.items()})

    @property
    def drawn(self) -> dict[str, list]:
        """正好给 plots.paired_differences(**…)：名字、各粒种子的差、结论。"""
        return {
            "names": list(self.lines),
            "differences": [list(line.gaps) for line in self.lines.values()],
            "verdicts": [line.field("told") for line in self.lines.values()],
        }

    @property
    def means(self) -> dict[str, float]:
        """名字 → 平均的差。"""
        return {name: found.difference.mean for name, found in self.items()}

    @property
    def words(self) -> dict[str, str]:
        """名字 → 结论：提高、降低、相差不到 δ、说不准、次数不够。"""
        return {name: found.verdict for name, found in self.items()}

    def those(self, *words: str) -> list[str]:
        """得到这几种结论的名字。"""
        return [name for name, word in self.words.items() if word in words]

    def said(self, name: str, field: str = "sentence") -> str:
        """一行写进句子；field 同表的列，缺省为平均与区间。"""
        return self.lines[name].field(field)

    def column(self, field: str = "difference") -> dict[str, str]:
        """一列：名字 → 写好的字；field 同表的列。"""
        return {name: line.field(field) for name, line in self.lines.items()}

    def counted(self) -> str:
        """一句话：各种结论各有几个。"""
        found = list(self.words.values())
        kinds = (UP, DOWN, ALIKE, UNSURE)
        return "，".join(f"{word} {found.count(word)} 个" for word in kinds)

    def table(
        self, columns: Mapping[str, Any] = COLUMNS, left: Iterable[str] = ()
    ) -> str:
        """Markdown 表，每个比较一行。

        参数: columns 为列名 → 填什么：name 名字，n 种子数，ours、theirs 两臂的平均，
            difference 差，interval 区间，amount 差与区间，p 校正后的 p，
            said 结论，told 结论连同把握，family 族；也可以是名字 → 写好的字。
            left 为另外要靠左的列名
        """
        body = [
            [
                name if what == "name" else _cell(line, name, what)
                for what in columns.values()
            ]
            for name, line in self.lines.items()
        ]
        wordy = [title for title, what in columns.items() if what in WORDY]
        return rows(list(columns), body, left=[*wordy, *left])


def _cell(line: Line, name: str, what: Any) -> str:
    return what[name] if isinstance(what, Mapping) else line.field(what)


def _mean(values: Values) -> float | None:
    return mean_interval(list(values.values())).mean
