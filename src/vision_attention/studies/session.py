"""命令 study run 的一趟：试飞、定分法、跑、收账。

内容: Options、run_session。
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console

from vision_attention.locks import STATE_FOLDER
from vision_attention.studies.layout import best_layout
from vision_attention.studies.library import Shelf
from vision_attention.studies.preflight import preflight
from vision_attention.studies.progress import Progress
from vision_attention.studies.runner import (
    Hands,
    Tally,
    clean,
    local_hands,
    pending,
    run_study,
)
from vision_attention.studies.runs import Run
from vision_attention.studies.wings import load_wing


@dataclass(frozen=True)
class Options:
    """一趟的选项，与命令行的选项同名。"""

    framework: list[str] | None = None
    limit: int | None = None
    workers: int | None = None
    threads: int | None = None
    data_root: str | None = None
    ray: str | None = None


def run_session(shelf: Shelf, options: Options, console: Console) -> int:
    """做一趟，返回失败的个数。

    参数: shelf 为研究；options 为选项；console 往哪里说话
    错误: 设置跑不起来、框架没装、文件夹写不进去时抛出 ValueError 或 OSError
    """
    for framework in options.framework or shelf.study.frameworks:
        load_wing(framework)

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    clean(shelf, lambda event: say(event.text))
    runs = pending(shelf, options.framework, options.limit)
    say(f"{shelf.name}：{shelf.study.question}")
    say(f"共 {len(shelf.runs)} 个运行，这一趟要做 {len(runs)} 个；记录在 {shelf.path}")
    if not runs:
        return 0
    problems = preflight(runs, options.data_root)
    if problems:
        raise ValueError("还没有开跑就发现：\n  " + "\n  ".join(problems))
    tally = _work(shelf, runs, options, console)
    _account(shelf, tally, say)
    return len(tally.failed)


def _work(shelf: Shelf, runs: list[Run], options: Options, console: Console) -> Tally:
    """在本机或集群上跑。"""
    if options.ray is not None:
        from vision_attention.studies.cluster import RayHands

        with RayHands(options.ray, options.data_root, options.threads or 1) as hands:
            return _watched(shelf, runs, hands, hands.size, console)
    layout = best_layout(
        runs,
        options.data_root,
        options.workers,
        options.threads,
        lambda text: console.print(text, markup=False, highlight=False, soft_wrap=True),
    )
    with local_hands(layout.workers, layout.threads, options.data_root) as hands:
        return _watched(shelf, runs, hands, layout.workers, console)


def _watched(
    shelf: Shelf, runs: list[Run], hands: Hands, workers: int, console: Console
) -> Tally:
    group = shelf.study.compare.factor if shelf.study.compare else None
    done = list(shelf.done().values())
    with Progress(runs, done, workers, group, console) as progress:
        return run_study(shelf, runs, hands, progress)


def _account(shelf: Shelf, tally: Tally, say: Callable[[str], None]) -> None:
    """收尾的话。"""
    say(f"写下 {tally.done} 条记录，失败 {len(tally.failed)} 个。")
    if tally.elsewhere:
        say(f"{tally.elsewhere} 个由别的进程在做；它若中断，再运行同一条命令即可补上。")
    for key, error in tally.failed.items():
        say(f"  失败 {key}：{error}")
    if tally.failed:
        say(f"详情在 {shelf.folder / STATE_FOLDER}；再运行同一条命令会重做失败的。")
