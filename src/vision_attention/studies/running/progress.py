"""研究跑着时给人看的：终端里是实时的表，重定向到文件时是一行一行的字。

内容: Progress。
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from vision_attention.studies.design.runs import Run
from vision_attention.studies.running.runner import Event, describe

STATES = ("done", "running", "left", "failed", "elsewhere")
HEADINGS = ("完成", "在跑", "待跑", "失败", "别处在跑")


class Progress:
    """实时进度；当作 run_study 的 watch 用。

    参数: runs 为这一趟要做的；done 为先前已有的记录（用来估时间）；
        workers 为同时跑几个；group 为分行的因素；console 往哪里写
    """

    def __init__(
        self,
        runs: Sequence[Run],
        done: Sequence[dict],
        workers: int,
        group: str | None,
        console: Console,
    ) -> None:
        self.console, self.workers, self.group = console, workers, group
        self.runs = {run.key: run for run in runs}
        self.state = dict.fromkeys(self.runs, "left")
        self.seconds: dict[str, list[float]] = defaultdict(list)
        for record in done:
            self._learn(record)
        self.live = Live(console=console, auto_refresh=False, transient=False)

    def __enter__(self) -> Progress:
        self.began = time.monotonic()
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.live.stop()

    def __call__(self, event: Event) -> None:
        """听到一件事，更新画面。"""
        if event.run is not None:
            state = "running" if event.kind == "start" else event.kind
            self.state[event.run.key] = state
        if event.record is not None:
            self._learn(event.record)
        if self.console.is_terminal:
            self.live.update(self.table(), refresh=True)
        if event.kind in ("failed", "rejected") or not self.console.is_terminal:
            self._line(event)

    def _learn(self, record: dict) -> None:
        framework = record["run"]["framework"]
        name = record["run"].get("model", {}).get("name", "")
        self.seconds[f"{framework} {name}"].append(record["seconds"])

    def _count(self, *states: str) -> int:
        return sum(state in states for state in self.state.values())

    def _line(self, event: Event) -> None:
        """一件事一行。"""
        if event.kind == "start":
            return
        what = describe(event.run) if event.run else ""
        says = {"done": "", "failed": "失败", "elsewhere": "别处在跑", "rejected": ""}
        text = f"{what}：{says[event.kind]}{event.text}"
        if event.record is not None:
            accuracy = event.record["results"].get("test_accuracy")
            score = "" if accuracy is None else f"测试准确率 {accuracy:.4f}，"
            took = f"{event.record['seconds']:.1f} 秒"
            text = f"{what}：{score}{took}；还需约 {self.time_left()}"
        counted = f"[{self._count('done')}/{len(self.runs)}] "
        self.console.print(
            counted + text.lstrip("："), markup=False, highlight=False, soft_wrap=True
        )

    def time_left(self) -> str:
        """还需多久：同一框架同一模型的平均用时 × 剩下的个数 ÷ 进程数。"""
        known = {k: sum(v) / len(v) for k, v in self.seconds.items()}
        if not known:
            return "（等第一个完成）"
        usual = sum(known.values()) / len(known)
        left = [
            known.get(f"{run.framework} {run.model.get('name', '')}", usual)
            for key, run in self.runs.items()
            if self.state[key] in ("left", "running")
        ]
        minutes, seconds = divmod(round(sum(left) / self.workers), 60)
        return f"{minutes} 分 {seconds:02d} 秒"

    def table(self) -> Table:
        """一臂一行的进度表。"""
        rows: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(STATES, 0))
        for key, run in self.runs.items():
            level = run.levels.get(self.group, "") if self.group else ""
            rows[f"{run.framework} {level}"][self.state[key]] += 1
        elapsed = time.monotonic() - self.began
        table = Table(caption=f"已过 {elapsed:.0f} 秒，还需约 {self.time_left()}")
        for heading in ("臂", *HEADINGS):
            table.add_column(heading, justify="left" if heading == "臂" else "right")
        for name, counts in rows.items():
            table.add_row(name, *(str(counts[state]) for state in STATES))
        return table
