"""查完之后的报告：一句结论，逐条的检查，认出的写法。

内容: Check、Report、VERDICTS。
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from vision_attention.grading.bank import Variant

RIGHT, OTHER, WRONG, UNKNOWN, FAULT = "right", "variant", "mistake", "unknown", "fault"
VERDICTS = {
    RIGHT: "对",
    OTHER: "另一种写法",
    WRONG: "认出了错在哪里",
    UNKNOWN: "不对，认不出是哪一种",
    FAULT: "还不能查",
}
SITE = "book/"


@dataclass(frozen=True)
class Check:
    """一条检查：名字、过没过、一句话。"""

    name: str
    passed: bool
    sentence: str

    def __str__(self):
        return f"{'✓' if self.passed else '✗'} {self.name}：{self.sentence}"


@dataclass(frozen=True)
class Report:
    """一份报告；在笔记本里、终端里直接印出来。

    参数: title 为查的是什么；verdict 为 VERDICTS 的一个键；checks 为逐条的检查；
        found 为认出的写法；remarks 为不影响对错、但值得知道的；facts 为量到的尺寸：
        核宽、有没有偏置；空的就是没有对上任何一种写法
    """

    title: str
    verdict: str
    checks: tuple[Check, ...] = ()
    found: tuple[Variant, ...] = ()
    remarks: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def right(self) -> bool:
        """与参照相同，每一条都过。"""
        return self.verdict == RIGHT

    @property
    def names(self) -> tuple[str, ...]:
        """认出的写法的名字。"""
        return tuple(variant.name for variant in self.found)

    def conclusion(self) -> str:
        """一句结论。"""
        if self.found and self.verdict in (OTHER, WRONG):
            told = "”加“".join(self.names)
            return f"{self.title}：你的写法与“{told}”算出的相同"
        if self.verdict == RIGHT:
            return f"{self.title}：对，与参照算出的相同"
        failed = [check.sentence for check in self.checks if not check.passed]
        return f"{self.title}：{VERDICTS[self.verdict]}。{failed[0] if failed else ''}"

    def lines(self) -> list[str]:
        """报告的各行。"""
        told = [
            f"  → {v.name}：{v.sentence}（{v.source}；见 {SITE}{v.page}）"
            for v in self.found
        ]
        notes = [f"  · {remark}" for remark in self.remarks]
        return [self.conclusion(), *told, *(f"  {c}" for c in self.checks), *notes]

    def __str__(self):
        return "\n".join(self.lines())

    def __repr__(self):
        return str(self)

    def plain(self) -> dict[str, Any]:
        """换成 JSON 装得下的样子；from_plain 换回来。"""
        return asdict(self)

    @classmethod
    def from_plain(cls, told: Mapping[str, Any]) -> Report:
        """由 plain 的结果换回来。"""
        checks = tuple(Check(**check) for check in told["checks"])
        found = tuple(Variant(**variant) for variant in told["found"])
        rest = {"remarks": tuple(told["remarks"]), "facts": told["facts"]}
        return cls(told["title"], told["verdict"], checks, found, **rest)
