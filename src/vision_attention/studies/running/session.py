"""命令 study run 的一趟：试飞、定分法、跑、收账。

内容: Options、run_session。
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from rich.console import Console

from vision_attention.storage.locks import STATE_FOLDER
from vision_attention.studies.design.runs import Run
from vision_attention.studies.running.cluster import RayExecutor
from vision_attention.studies.running.layout import best_layout
from vision_attention.studies.running.preflight import preflight
from vision_attention.studies.running.progress import Progress
from vision_attention.studies.running.runner import (
    Executor,
    Tally,
    clean,
    local_executor,
    pending,
    run_study,
)
from vision_attention.studies.store.library import StudyStore
from vision_attention.wings import load_wing


@dataclass(frozen=True)
class Options:
    """一趟的选项，与命令行的选项同名。"""

    framework: list[str] | None = None
    limit: int | None = None
    workers: int | None = None
    threads: int | None = None
    data_root: str | None = None
    ray: str | None = None


def run_session(store: StudyStore, options: Options, console: Console) -> int:
    """做一趟，返回失败的个数。

    参数: store 为研究；options 为选项；console 往哪里说话
    错误: 设置跑不起来、框架没装、文件夹写不进去时抛出 ValueError 或 OSError
    """
    if store.tuning is not None and pending(store.tuning):
        # 设置还没有挑完：先做调参，各臂的学习率定下来才知道要做哪些运行
        if failed := run_session(
            store.tuning, replace(options, framework=None), console
        ):
            return failed
        store = store.reopened()
    for framework in options.framework or store.study.frameworks:
        load_wing(framework)

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    clean(store, lambda event: say(event.text))
    runs = pending(store, options.framework, options.limit)
    say(f"{store.name}：{store.study.question}")
    say(f"共 {len(store.runs)} 个运行，这一趟要做 {len(runs)} 个；记录在 {store.path}")
    if not runs:
        return 0
    problems = preflight(runs, options.data_root)
    if problems:
        raise ValueError("还没有开跑就发现：\n  " + "\n  ".join(problems))
    tally = _work(store, runs, options, console)
    _account(store, tally, say)
    return len(tally.failed)


def _work(
    store: StudyStore, runs: list[Run], options: Options, console: Console
) -> Tally:
    """在本机或集群上跑。"""
    if options.ray is not None:
        with RayExecutor(
            options.ray, options.data_root, options.threads or 1
        ) as executor:
            return _watched(store, runs, executor, executor.size, console)
    layout = best_layout(
        runs,
        options.data_root,
        options.workers,
        options.threads,
        lambda text: console.print(text, markup=False, highlight=False, soft_wrap=True),
    )
    with local_executor(layout.workers, layout.threads, options.data_root) as executor:
        return _watched(store, runs, executor, layout.workers, console)


def _watched(
    store: StudyStore,
    runs: list[Run],
    executor: Executor,
    workers: int,
    console: Console,
) -> Tally:
    group = store.study.compare.factor if store.study.compare else None
    done = list(store.done().values())
    with Progress(runs, done, workers, group, console) as progress:
        return run_study(store, runs, executor, progress)


def _account(store: StudyStore, tally: Tally, say: Callable[[str], None]) -> None:
    """收尾的话。"""
    say(f"写下 {tally.done} 条记录，失败 {len(tally.failed)} 个。")
    if tally.elsewhere:
        say(f"{tally.elsewhere} 个由别的进程在做；它若中断，再运行同一条命令即可补上。")
    for key, error in tally.failed.items():
        say(f"  失败 {key}：{error}")
    if tally.failed:
        say(f"详情在 {store.folder / STATE_FOLDER}；再运行同一条命令会重做失败的。")
