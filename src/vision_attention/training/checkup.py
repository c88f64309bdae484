"""几次训练合起来看：哪一种诊断，差距多大，加图片、加注意力管不管用，下一步做什么。

- `Trained`：一次训练：种子、训练图片数、曲线
- `Checkup`、`examine`：合起来的结论
- `Advice`、`advise`：下一步做什么，书里哪一页在讲

一次训练的诊断由 `diagnosis.diagnose` 给出；几粒种子不一致，就说说不准。
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from vision_attention import checks
from vision_attention.statistics import (
    UP,
    Estimate,
    answer,
    mean_interval,
    paired_difference,
)
from vision_attention.training.diagnosis import (
    BROKEN,
    FINE,
    NEGLIGIBLE,
    UNDERFIT,
    Curves,
    Diagnosis,
    diagnose,
)
from vision_attention.training.sanity import Sanity

UNCLEAR = "说不准"
# 几粒种子起才谈得上一致
ENOUGH = 3
# 比较两种做法时的 δ：整个区间在 ±δ 之内，才说相差不到 δ
MARGIN = 0.02


class Trained(NamedTuple):
    """一次训练：种子、用了几张训练图片、它的曲线。"""

    seed: int
    n_train: int
    curves: Curves


@dataclass(frozen=True)
class Checkup:
    """几次训练合起来的结论。

    参数: name 为三种诊断之一、“都不明显”或“说不准”；why 为一句理由；by_seed 为种子 →
        诊断；train、test、gap 为终点的准确率与差距，各粒种子的平均与区间；by_size 为
        图片数 → 种子 → 测试准确率；more 为图片加倍带来的测试准确率之差，attention 为
        换一种注意力带来的，没有做就是 None
    单位: 准确率 0–1
    """

    name: str
    why: str
    by_seed: dict[int, Diagnosis]
    train: Estimate
    test: Estimate
    gap: Estimate
    by_size: dict[int, dict[int, float]]
    more: Estimate | None
    attention: Estimate | None


def examine(
    runs: Sequence[Trained],
    *,
    num_classes: int,
    test_size: int,
    sanity: Sanity | None = None,
    others: Sequence[Trained] = (),
) -> Checkup:
    """几次训练 → 一个结论。

    参数: runs 为同样的设置、不同的种子与图片数；图片最多的那些定诊断，其余的只画随
        图片数的曲线；others 为换了注意力的，种子与图片最多的那些配对；num_classes、
        test_size、sanity 同 diagnose
    错误: runs 是空的时抛出 ValueError
    """
    if not runs:
        raise checks.ArgumentError("runs 是空的；至少要有一次训练", "runs")
    by_size: dict[int, dict[int, float]] = {}
    for run in sorted(runs, key=lambda run: (run.n_train, run.seed)):
        by_size.setdefault(run.n_train, {})[run.seed] = _end(run)
    most = max(by_size)
    full = sorted((run for run in runs if run.n_train == most), key=lambda r: r.seed)
    sizes = {"num_classes": num_classes, "test_size": test_size}
    found = {r.seed: diagnose(r.curves, **sizes, sanity=sanity) for r in full}
    fewer = [n for n in by_size if n < most]
    other = {run.seed: _end(run) for run in others}
    ends = [(run.curves.train_accuracy[-1], _end(run)) for run in full]
    return Checkup(
        *_concluded(found),
        by_seed=found,
        train=mean_interval([train for train, _ in ends]),
        test=mean_interval([test for _, test in ends]),
        gap=mean_interval([train - test for train, test in ends]),
        by_size=by_size,
        more=paired_difference(by_size[most], by_size[max(fewer)]) if fewer else None,
        attention=paired_difference(other, by_size[most]) if other else None,
    )


def _end(run: Trained) -> float:
    return run.curves.test_accuracy[-1]


def _concluded(found: Mapping[int, Diagnosis]) -> tuple[str, str]:
    """各粒种子的诊断 → 一个名字与一句理由；有一粒有毛病就是有毛病。"""
    names = Counter(diagnosis.name for diagnosis in found.values())
    (name, count), *rest = names.most_common()
    if BROKEN in names:
        name, count = BROKEN, names[BROKEN]
    reason = next(d.why for d in found.values() if d.name == name)
    if rest and name != BROKEN:
        told = "，".join(f"{k} 粒是{kind}" for kind, k in names.most_common())
        close = "两份差不多大"
        if FINE in names:  # 有的过了界，有的没有
            close = f"大的一份就在 {NEGLIGIBLE} 上下"
        return UNCLEAR, f"{len(found)} 粒种子里，{told}：{close}。"
    seeds = f"{len(found)} 粒种子里 {count} 粒如此"
    if len(found) < ENOUGH:
        seeds += f"，不到 {ENOUGH} 粒，做不得准"
    return name, f"{seeds}。{reason}"


def compared(difference: Estimate | None) -> str:
    """一个配对差写成的话：四种回答之一，连同数与区间；没有做就是空的。"""
    if difference is None or difference.mean is None:
        return ""
    told = answer(difference, MARGIN).replace("δ", f"{MARGIN:g}")
    return f"{told}（{spread(difference, signs=True)}）"


def spread(estimate: Estimate, signs: bool = False) -> str:
    """平均与 95 % 区间，三位小数；只有一次的没有区间。"""

    def shown(value: float) -> str:
        rounded = round(value, 3) + 0.0
        text = f"{rounded:+.3f}" if signs else f"{rounded:.3f}"
        return text.replace("-", "−")

    if estimate.low is None or estimate.high is None:
        return f"{shown(estimate.mean)}，只有一次，没有区间"
    return (
        f"{shown(estimate.mean)}，区间 {shown(estimate.low)} 到 {shown(estimate.high)}"
    )


# 书里的页（从 book/ 算起）→ 它的标题
PAGES = {
    "vit/diagnosis": "诊断：把错误拆成两份",
    "vit/curves": "过拟合还是欠拟合：两条曲线，三种诊断",
    "vit/data_size": "要多少数据",
    "remedies/recipe": "配方：哪一味药值多少",
    "remedies/pretraining": "预训练：先学别的，再学要的",
    "remedies/structure": "改结构：把卷积的假设还给 ViT",
    "answers/decisions": "三个问题，一张决策图",
    "photos/split": "切分：测试准确率说的是哪一句话",
}


class Advice(NamedTuple):
    """下一步：做什么，书里哪一页在讲，取自 PAGES。"""

    what: str
    page: str


def advise(
    checkup: Checkup, *, augmented: bool, transformer: bool, grouped: bool = False
) -> list[Advice]:
    """下一步做什么，要紧的在前。

    参数: augmented 为训练时已经用了增强；transformer 为模型是 ViT；grouped 为按组切分
    """
    if checkup.name == BROKEN:
        more = "标签若没有错，就是一点也带不到新的一组上：多拍几组，比每组多拍几张要紧"
        return [
            Advice("先修毛病，别的以后再说：查标签、学习率与体检", "vit/diagnosis"),
            *[Advice(more, "photos/split")] * grouped,
        ]
    if checkup.name == FINE:
        return [
            Advice("两份都小，不必再治；看看错的几张是不是标错了", "answers/decisions")
        ]
    if checkup.name == UNCLEAR:
        return [Advice("种子之间不一致：多跑几粒种子再说", "vit/diagnosis")]
    if checkup.name == UNDERFIT:
        longer = "没学会的是大头：步数加倍，或学习率乘三、除以三各试一次"
        return [
            Advice(longer, "vit/curves"),
            *[Advice("先关掉增强再比：增强让训练更难", "remedies/recipe")] * augmented,
            Advice("训练准确率还是上不去，再加宽模型", "remedies/structure"),
        ]
    return _against_overfitting(checkup, augmented, transformer)


def _against_overfitting(
    checkup: Checkup, augmented: bool, transformer: bool
) -> list[Advice]:
    """过拟合的几步；加图片管用的，放在最前面。"""
    grows = checkup.more is not None and answer(checkup.more, MARGIN) == UP
    data = "再收集图片：刚才图片加倍，测试准确率跟着提高了"
    steps = [Advice(data, "vit/data_size")] * grows
    if not augmented:
        steps.append(Advice("用弱增强：--augment weak", "remedies/recipe"))
    if transformer:
        steps.append(Advice("换卷积网络：--model small_cnn", "remedies/structure"))
    steps.append(Advice("从学过别的图的权重出发", "remedies/pretraining"))
    if not grows:
        steps.append(Advice("再收集图片，收到两倍时再量一次", "vit/data_size"))
    return steps
