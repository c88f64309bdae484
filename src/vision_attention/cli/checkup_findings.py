"""命令 diagnose 的报告里写什么：由做完的训练得出结论，配上图与文件的名字。

内容: Case（要诊断的一次训练）、report_of、names_of（测试图片的名字）。
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vision_attention.cli.checkup_page import Mistake, Report
from vision_attention.cli.checkups import Plan, Progress
from vision_attention.cli.splitting import division
from vision_attention.cli.train import leaks
from vision_attention.data.folder import folder_of
from vision_attention.data.listing import list_pictures
from vision_attention.specs import ViTSpec
from vision_attention.storage import files
from vision_attention.studies.design.runs import Run
from vision_attention.studies.tasks.prepared import PreparedRun
from vision_attention.training.checkup import Checkup, Trained, advise, examine
from vision_attention.training.class_scores import ClassScore, doubt
from vision_attention.training.diagnosis import BROKEN
from vision_attention.training.history import History
from vision_attention.training.sanity import Sanity
from vision_attention.wings import load_wing

WORST = 12  # 报告里最多几张错的


@dataclass(frozen=True)
class Case:
    """要诊断的一次训练。

    参数: folder 为它的文件夹；run 为设置，数据搬了家的写着新的地方；record 为记录；
        prepared 备齐了数据与模型
    """

    folder: Path
    run: Run
    record: dict
    prepared: PreparedRun


def report_of(
    case: Case, plan: Plan, progress: Progress, sanity: Sanity, undone: list[Run]
) -> Report:
    """由做完的训练得出结论，配上图。"""
    record, dataset = case.record, case.prepared.dataset
    full, other = (_finished(runs, progress) for runs in (plan.seeds, plan.other))
    fewer = _finished(plan.fewer, progress)
    checkup = examine(
        [*full, *fewer],
        num_classes=dataset.num_classes,
        test_size=len(dataset.test_labels),
        sanity=sanity,
        others=other,
    )
    checkup, diverged = _with_diverged(checkup, plan, progress)
    scores = [ClassScore(**row) for row in record["classes"]]
    looked, mistakes = _mistakes(case)
    return Report(
        title=f"{case.folder.name}（{case.run.model['name']}，{case.run.framework}）",
        facts=_facts(case, plan),
        warnings=[*diverged, *_warnings(scores), *_leaks(record)],
        checkup=checkup,
        sanity=sanity,
        scores=scores,
        attention=plan.attention,
        curves=[run.curves for run in full],
        arms=_arms(case, plan, full, other),
        test_size=len(dataset.test_labels),
        grouped="groups" in case.run.data,
        mistakes=mistakes,
        looked=looked,
        advice=advise(
            checkup,
            augmented=case.prepared.config.augment != "none",
            transformer=isinstance(case.prepared.model.spec, ViTSpec),
            grouped="groups" in case.run.data,
        ),
        undone=_undone(undone, plan),
    )


def _arms(
    case: Case, plan: Plan, full: list[Trained], other: list[Trained]
) -> dict[str, list[float]]:
    """两臂的名字 → 各粒种子的测试准确率。"""
    own = case.run.model.get("attention", "none")
    ends = {own: full, plan.attention: other} if other else {own: full}
    return {
        "没有注意力" if arm == "none" else arm: [
            run.curves.test_accuracy[-1] for run in runs
        ]
        for arm, runs in ends.items()
    }


def _finished(runs: Sequence[Run], progress: Progress) -> list[Trained]:
    """做完而没有发散的。"""
    found = ((run, progress.records.get(run.key, {})) for run in runs)
    return [
        Trained(run.seed, record["data"]["n_train"], History(**record["curves"]))
        for run, record in found
        if "curves" in record
    ]


def _with_diverged(
    checkup: Checkup, plan: Plan, progress: Progress
) -> tuple[Checkup, list[str]]:
    """有一粒种子发散，就是有毛病。"""
    told = [
        f"种子 {run.seed} 的训练发散了：{progress.records[run.key]['diverged']}"
        for run in plan.seeds
        if "diverged" in progress.records.get(run.key, {})
    ]
    return (replace(checkup, name=BROKEN, why=told[0]) if told else checkup), told[1:]


def _warnings(scores: list[ClassScore]) -> list[str]:
    """要当心的：不比最常见的一类好，某一类只有一张。"""
    alone = [f"“{s.name}”" for s in scores if s.train == 1]
    lines = [doubt(scores)] if doubt(scores) else []
    if alone:
        lines.append(
            f"{'、'.join(alone)}训练里只有 1 张，学不到这一类有哪些变化；请补充图片"
        )
    return lines


def _leaks(record: dict) -> list[str]:
    """几乎相同的图分在训练与测试两边；从前的记录没有查过。"""
    told = leaks(record["twins"]) if "twins" in record else ""
    return [told] if told else []


def _facts(case: Case, plan: Plan) -> list[str]:
    """怎样切分、用了什么、怎样比。"""
    record = case.record
    settings = "，".join(f"{k} {v}" for k, v in case.run.train.items())
    return [
        f"数据：{case.run.data['name']}；训练 {record['data']['n_train']} 张，"
        f"测试 {record['data']['n_test']} 张；指纹 {record['data']['fingerprint']}",
        *record.get("notes", []),
        f"训练的设置：{settings}",
        f"种子 {plan.seeds[0].seed} 到 {plan.seeds[-1].seed}；同一粒的初值与批次相同",
        f"{case.run.framework} {record['framework']['version']}，"
        f"vision-attention {record['code']['version']}",
    ]


def _undone(runs: list[Run], plan: Plan) -> list[str]:
    """预算不够，没有做的，几句话。"""
    parts = (
        (plan.seeds, "粒种子"),
        (plan.other, "次换注意力的"),
        (plan.fewer, "次少用图片的"),
    )
    counts = [(sum(run in part for run in runs), what) for part, what in parts]
    lines = [f"{count} {what}训练" for count, what in counts if count]
    more = "时间到了；--minutes 写大一些，再运行一次，只做没做的"
    return [*lines, more] if lines else []


def _mistakes(case: Case) -> tuple[str, list[Mistake]]:
    """答错而最有把握的几张，与模型看着的地方。"""
    dataset = case.prepared.dataset
    wing = load_wing(case.run.framework)
    trained = wing.module("runs").load_run(case.folder)
    odds = trained.probabilities(dataset.test_images)
    said, sure = odds.argmax(1), odds.max(1)
    wrong = np.flatnonzero(said != dataset.test_labels)
    worst = wrong[np.argsort(-sure[wrong], kind="stable")][:WORST]
    images, names = dataset.test_images[worst], names_of(case)
    try:
        looked, seen = trained.maps(images) if len(worst) else ("", [])
    except ValueError:  # 展平的模型不分位置
        looked, seen = "", [None] * len(worst)
    return looked, [
        Mistake(
            names[n],
            dataset.class_names[dataset.test_labels[n]],
            dataset.class_names[said[n]],
            float(sure[n]),
            dataset.test_images[n],
            values,
        )
        for n, values in zip(worst, seen, strict=True)
    ]


def names_of(case: Case) -> list[str]:
    """测试图片的名字：文件；对不上文件的（例如数字）说第几张。"""
    count = len(case.prepared.dataset.test_labels)
    numbered = [f"测试集第 {k + 1} 张" for k in range(count)]
    kind, _, path = case.run.data.get("name", "").partition(":")
    if kind != "folder" or case.run.data.keys() & {"classes", "max_test", "score"}:
        return numbered
    listing = list_pictures(folder_of(path), **division(case.run))
    held = [listing.files[k] for k in np.flatnonzero(listing.in_test)]
    shown = [files.printable(f"{file.parent.name}/{file.name}") for file in held]
    return shown if len(shown) == count else numbered
