"""命令 vision-attention study …：列出、运行、查看、报告、复核。

内容: app（study 的各条命令）。
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from vision_attention.cli.stopping import stop_like_ctrl_c
from vision_attention.cli.user_errors import user_errors
from vision_attention.studies.results.power import plan, write_plan
from vision_attention.studies.results.report import summarize
from vision_attention.studies.results.tables import markdown
from vision_attention.studies.running import verify as checking
from vision_attention.studies.running.session import Options, run_session
from vision_attention.studies.store.library import StudyStore, names, open_study

app = typer.Typer(no_args_is_help=True, help="研究：列出、运行、查看、报告、复核。")

Name = Annotated[str, typer.Argument(help="研究的名字，或自己的 .yaml 文件。")]
Out = Annotated[
    Path | None, typer.Option(help="记录放在哪个文件夹；缺省与 study.yaml 同处。")
]
DataRoot = Annotated[
    str | None, typer.Option(help="数据所在：CIFAR-10 的压缩包或文件夹。")
]


@app.command("list")
@user_errors
def list_studies() -> None:
    """列出随包发布的研究：问题、进度与预算。"""
    for name in names():
        store = open_study(name)
        done, every = len(store.done()), len(store.runs) + store.waiting
        typer.echo(f"{name}  {done}/{every}  约 {store.study.budget.minutes:g} 分钟")
        _say_bad(store)
        typer.echo(f"    {store.study.question}")


@app.command()
@user_errors
def status(name: Name, out: Out = None) -> None:
    """一项研究做了多少、缺什么、有没有坏行。"""
    store = open_study(name, out)
    reading = store.read()
    done = {record["key"] for record in reading.records}
    typer.echo(f"{store.name}：{store.study.question}")
    if store.tuning is not None:
        tried = len(store.tuning.done())
        typer.echo(f"  调参：完成 {tried}，还缺 {len(store.tuning.runs) - tried}")
        if store.waiting:
            typer.echo(f"  另有 {store.waiting} 个运行要等调参做完才定得下来")
    for framework in store.study.frameworks:
        runs = [run for run in store.runs if run.framework == framework]
        finished = sum(run.key in done for run in runs)
        typer.echo(f"  {framework}：完成 {finished}，还缺 {len(runs) - finished}")
    others = len(done - {run.key for run in store.runs})
    if others:
        typer.echo(f"  另有 {others} 条记录不是现在的 study.yaml 所问的，报告里不用")
    bad = [(store.path.name, item) for item in reading.rejected]
    if store.tuning is not None:
        tuning = store.tuning
        bad += [(tuning.path.name, item) for item in tuning.read().rejected]
    for where, item in bad:
        typer.echo(f"  坏行：{where} 第 {item.line} 行，{item.reason}")
    raise typer.Exit(1 if bad else 0)


def _say_bad(store: StudyStore) -> None:
    """有坏行就说几行。"""
    if count := store.bad():
        more = f"study status {store.name} 逐行说明"
        typer.echo(f"    坏行 {count} 行，没有算在内；{more}")


STOPPED = "已停下；写好的记录都在，再运行同一条命令只做缺的。"


@app.command()
@functools.partial(user_errors, stopped=STOPPED)
def run(
    name: Name,
    *,
    out: Out = None,
    data_root: DataRoot = None,
    framework: Annotated[
        list[str] | None, typer.Option(help="只跑这个框架的；可写多次。")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="这一趟最多做几个运行。")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="工作进程数；缺省由测量决定。")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="每个进程的线程数；缺省由测量决定。")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(help="Ray 集群的地址，例如 auto；要先 pip install ray。"),
    ] = None,
) -> None:
    """做完一项研究缺的运行；随时可以 Ctrl-C，再来只做缺的。"""
    stop_like_ctrl_c()
    store = open_study(name, out)
    options = Options(framework, limit, workers, threads, data_root, ray)
    failed = run_session(store, options, Console())
    raise typer.Exit(1 if failed else 0)


@app.command()
@user_errors
def report(
    name: Name,
    out: Out = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="印 JSON 而不是 Markdown。")
    ] = False,
) -> None:
    """一项研究的表与结论。"""
    typer.echo(_report(open_study(name, out), as_json))


def _report(store: StudyStore, as_json: bool) -> str:
    found = summarize(store)
    if as_json:
        return json.dumps(found, ensure_ascii=False, indent=2)
    return markdown(found)


@app.command()
@user_errors
def power(
    name: Name,
    out: Out = None,
    *,
    effect: Annotated[float, typer.Option(help="想看见的差，单位同主要指标。")],
    first: Annotated[int, typer.Option(min=2, help="用头几粒种子估计。")] = 4,
    write: Annotated[
        bool, typer.Option("--write", help="定下来，写在研究旁边；只写一次。")
    ] = False,
) -> None:
    """要几粒种子才看得见想看的差。"""
    store = open_study(name, out)
    _say_bad(store)
    found = plan(store, effect, first)
    for arm in found["arms"]:
        levels = "，".join(f"{k}={v}" for k, v in arm["levels"].items())
        typer.echo(
            f"  {levels}：标准差 {arm['sd']:.4f}，要 {arm['needed']} 粒；"
            f"现在的 {found['planned']} 粒，区间半宽 {arm['half_width']:.4f}，"
            f"看得见 {arm['detectable']:.4f}"
        )
    typer.echo(f"要有八成把握看见 {effect:g}，{found['seeds']} 粒种子")
    if write:
        typer.echo(f"写进了 {write_plan(store, found)}")


@app.command()
@user_errors
def verify(
    name: Annotated[
        list[str] | None, typer.Argument(help="研究的名字；缺省为全部。")
    ] = None,
    *,
    out: Out = None,
    data_root: DataRoot = None,
    fraction: Annotated[float, typer.Option(help="抽几成，取 (0, 1]。")] = 0.05,
    seed: Annotated[int, typer.Option(help="定下抽中哪些。")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="同时做几条。")] = 1,
) -> None:
    """随机抽几条 CPU 上的记录重做，看能否复现。"""
    good, total = 0, 0
    for each in name or names():
        store = open_study(each, out)
        found = list(store.done().values())
        _say_bad(store)
        if not found and not name:
            typer.echo(f"{store.name}：还没有记录，跳过")
            continue
        chosen = checking.sample(found, fraction, seed)
        typer.echo(f"{store.name}：抽中 {len(chosen)} 条")
        checks = checking.verify(
            chosen, workers=workers, data_root=data_root, watch=_say_check
        )
        good, total = good + sum(c.good for c in checks), total + len(checks)
    typer.echo(f"复现了 {good}/{total} 条")
    raise typer.Exit(0 if good == total else 1)


def _say_check(check: Any) -> None:
    """判完一条，说一行。"""
    typer.echo(f"  {check.record['key']} {check.outcome}：{check.why}")
