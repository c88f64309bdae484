"""命令 vision-attention diagnose：过拟合还是欠拟合，注意力有没有用，下一步做什么。

内容: diagnose。
"""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from vision_attention.cli import checkups, earlier, trials
from vision_attention.cli.checkup_findings import Case, report_of
from vision_attention.cli.checkup_page import Report, page_of
from vision_attention.cli.checkups import Budget, Plan, Progress
from vision_attention.cli.splitting import share_or_list
from vision_attention.cli.stopping import stop_like_ctrl_c
from vision_attention.cli.user_errors import user_errors
from vision_attention.data.folder import remembered
from vision_attention.storage import files
from vision_attention.studies.design.runs import Run
from vision_attention.studies.store.faults import faults_of
from vision_attention.studies.tasks.prepared import PreparedRun, prepare
from vision_attention.training import saved_run
from vision_attention.training.checkup import (
    ENOUGH,
    PAGES,
    compared,
    spread,
)
from vision_attention.training.class_scores import ClassScore
from vision_attention.training.history import History

REPORT = "report.html"
STOPPED = "已停下；做完的训练存着，再运行同一条命令接着做。"
BIG_STEPS, BATCH, EVERY = 200, 32, 25  # 没有 RUN 时，自己训练的缺省


@functools.partial(user_errors, stopped=STOPPED)
def diagnose(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[RUN]", help="train 存下的文件夹；没有就写 --data。"),
    ] = None,
    *,
    data: Annotated[
        str | None,
        typer.Option(help="没有 RUN：拿 folder:路径 训练一次；有：图片搬去了哪里。"),
    ] = None,
    model: Annotated[str, typer.Option(help="没有 RUN 时用的模型。")] = "small_cnn",
    steps: Annotated[
        int,
        typer.Option(
            min=1,
            help=f"没有 RUN 时训练多少步，每步 {BATCH} 张；比 train 的缺省少，"
            "好在预算之内做完十二次。",
        ),
    ] = BIG_STEPS,
    framework: Annotated[
        str | None, typer.Option(help="没有 RUN 时用 torch 还是 paddle。")
    ] = None,
    groups: Annotated[
        str | None, typer.Option(help="没有 RUN 时，怎样认出一组，同 train。")
    ] = None,
    test: Annotated[
        str | None, typer.Option(help="没有 RUN 时，怎样切下测试，同 train。")
    ] = None,
    minutes: Annotated[float, typer.Option(help="一共最多训练多少分钟。")] = 2.0,
    seeds: Annotated[int, typer.Option(min=1, help="几粒种子；至少 3 粒才作数。")] = 3,
    attention: Annotated[
        str, typer.Option(help="比哪一种注意力；auto 自己挑，skip 不比。")
    ] = checkups.AUTO,
    to: Annotated[
        Path | None, typer.Option(help="报告放在哪个文件夹；缺省为 RUN 里。")
    ] = None,
    data_root: Annotated[
        str | None, typer.Option(help="数据所在：CIFAR-10 的压缩包或文件夹。")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="没有 RUN 时，训练存在哪个文件夹下。")
    ] = Path("runs"),
    name: Annotated[
        str | None, typer.Option(help="没有 RUN 时，那次训练的名字。")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="不说进度。")] = False,
) -> None:
    """诊断一次训练：再做几次，说是哪一种病、下一步做什么，写一份报告。"""
    if not minutes > 0:
        raise ValueError(f"--minutes {minutes:g} 不合适；应大于 0，例如 2")
    budget = Budget(60 * minutes)
    with remembered():
        if folder is None:
            split = {"groups": groups, "test": share_or_list(test)}
            run = _first(data, model, steps, framework, split)
            folder = _trained(run, out, name, data_root, quiet)
            data = None
        case = _case(folder, data, data_root)
        count = int(case.record["data"]["n_train"])
        classes = len(case.record["input"]["class_names"])
        # 照原来的路径排：做没做过，不看图片现在在哪里
        base = Run.from_settings(case.record["run"])
        plan = checkups.plan_of(base, count, classes, seeds, attention)
        plan = replace(plan, data=data)
        _refuse_faults(plan)
        place, rest = to or folder, {"data_root": data_root, "quiet": quiet}
        _done(case, plan, budget, place, **rest)


def _first(
    data: str | None,
    model: str,
    steps: int,
    framework: str | None,
    split: dict[str, Any],
) -> Run:
    """没有 RUN 时，自己训练的那一次的设置。"""
    if data is None:
        raise ValueError(
            "缺少 RUN，也没有 --data；例如 vision-attention diagnose runs/flowers，"
            "或 vision-attention diagnose --data folder:photos"
        )
    settings = {
        "model.name": model,
        "data.name": data,
        "train.steps": steps,
        "train.warmup_steps": min(20, steps // 10),
        "train.batch_size": BATCH,
        "train.eval_every": min(EVERY, steps),
    }
    settings |= {f"data.{k}": v for k, v in split.items() if v is not None}
    return trials.settle(trials.choose_framework(framework), 0, settings)


def _trained(
    run: Run, out: Path, name: str | None, data_root: str | None, quiet: bool
) -> Path:
    """训练一次，存下；已有同样的一次训练，图片也没有变，就用它，停在半路的接着做。"""
    base = trials.base_name(run)
    for taken in [out / name] if name else [out / base, *sorted(out.glob(f"{base}-*"))]:
        if earlier.finished(taken, run, data_root):
            return taken
        if earlier.unfinished(taken, run, data_root):
            return trials.go_on(taken, data_root, progress=not quiet).folder
    if not quiet:
        steps = run.train["steps"]
        typer.echo(f"先训练一次，存下来：{steps} 步，每步 {BATCH} 张", err=True)
    return trials.carry_out(run, out, name, data_root, progress=not quiet).folder


def _case(folder: Path, data: str | None, data_root: str | None) -> Case:
    """读出那次训练，备齐它的数据；数据与当时不同的不诊断。"""
    record = saved_run.read(folder).record
    try:
        run = Run.from_settings(record["run"])
        History(**record["curves"])
        ClassScore(**record["classes"][0])
        fingerprint = record["data"]["fingerprint"]
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(
            f"{folder / saved_run.RECORD} 损坏，或被改过；请重新训练一次"
        ) from error
    run = checkups.moved(run, data)
    prepared = _prepared(run, data_root)
    if prepared.dataset.fingerprint != fingerprint:
        raise ValueError(
            f"现在的图片与训练 {files.printable(folder)} 时的不同（多了、少了或改过）；"
            f"请重新训练一次，或 vision-attention diagnose --data {run.data['name']}"
        )
    return Case(folder, run, record, prepared)


def _prepared(run: Run, data_root: str | None) -> PreparedRun:
    try:
        return prepare(run, data_root)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{error}。诊断要再训练几次，离不开图片；"
            "搬了家，请写 --data folder:新的路径"
        ) from error


def _refuse_faults(plan: Plan) -> None:
    """换了注意力的设置，训练之前先查。"""
    for run in (checkups.moved(run, plan.data) for run in plan.other[:1]):
        sections = {k: getattr(run, k) for k in ("data", "model", "train", "options")}
        if faults := faults_of("train", sections):
            raise ValueError("；".join(map(str, faults)))


def _done(
    case: Case,
    plan: Plan,
    budget: Budget,
    place: Path,
    *,
    data_root: str | None,
    quiet: bool,
) -> None:
    """做完要做的，说结论，写下报告；一处同时只有一个进程诊断。"""
    stop_like_ctrl_c()  # 框架载入时也登记过自己的 SIGTERM，所以在这里才改
    fingerprint = case.record["data"]["fingerprint"]
    with checkups.only_one(place):
        progress = Progress(place / checkups.PROGRESS, fingerprint)
        progress.records[plan.seeds[0].key] = case.record
        rest = {"data_root": data_root, "quiet": quiet}
        _examined(case, plan, budget, progress, **rest)


def _examined(
    case: Case,
    plan: Plan,
    budget: Budget,
    progress: Progress,
    *,
    data_root: str | None,
    quiet: bool,
) -> None:
    """体检，逐个训练，说结论，写下报告。"""
    budget.longest = _guess(case.record)
    told = (lambda line: None) if quiet else functools.partial(typer.echo, err=True)
    told(
        f"至多再做 {len(plan.runs) - 1} 次训练，每次约 {budget.longest:.0f} 秒；"
        f"预算 {budget.seconds / 60:g} 分钟。随时可以停，再来接着做"
    )
    sanity = checkups.health(case.prepared, progress)
    undone = checkups.carry_out(plan, progress, budget, data_root, told)
    report = report_of(case, plan, progress, sanity, undone)
    # 先说结论，再写报告：磁盘满了，结论也没有丢
    _tell(report)
    place = progress.path.with_name(REPORT)
    checkups.write_page(place, page_of(report))
    typer.echo(f"报告在 {files.printable(place)}")


def _guess(record: dict) -> float:
    """再训练一次要多少秒：那次训练时机器正忙的，墙上的钟说多了，照处理器的。"""
    return float(min(record["seconds"], record.get("cpu_seconds") or math.inf))


def _tell(report: Report) -> None:
    """说结论、差距、下一步，与没有做的。"""
    checkup = report.checkup
    typer.echo(f"诊断：{checkup.name}。{checkup.why}")
    typer.echo(f"差距 {spread(checkup.gap)}；测试准确率 {spread(checkup.test)}")
    if told := compared(checkup.more):
        typer.echo(f"图片加倍，测试准确率：{told}")
    if told := compared(checkup.attention):
        changed = report.attention
        verb = "去掉注意力" if changed == "none" else f"换上 {changed}"
        typer.echo(f"{verb}，测试准确率：{told}")
    for number, step in enumerate(report.advice, 1):
        typer.echo(f"下一步 {number}：{step.what}（见《{PAGES[step.page]}》）")
    for line in report.warnings:
        typer.secho(f"注意：{line}", fg="yellow", err=True)
    if len(checkup.by_seed) < ENOUGH:
        typer.secho(f"注意：不到 {ENOUGH} 粒种子，做不得准", fg="yellow", err=True)
    for line in report.undone:
        typer.echo(f"没有做：{line}")
