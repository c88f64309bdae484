"""一份学习曲线的诊断：欠拟合、过拟合，还是有毛病。

- `diagnose`：由曲线的终点与体检的结果得出诊断与一句理由
- `chance_bound`：测试准确率不高过它，就与瞎猜分不开

错的测试图片拆成两份：训练图片里也没有学会的，学会了却没有带到测试上的；
哪一份大，就先治哪一份。先排除毛病：有毛病的曲线不谈拟合。
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from vision_attention import checks
from vision_attention.training.sanity import FIRST_LOSS_TOLERANCE, Sanity

BROKEN, UNDERFIT, OVERFIT, FINE = "有毛病", "欠拟合", "过拟合", "都不明显"
# 两份都不到这么多，就不必治
NEGLIGIBLE = 0.05
# 训练图片会了这么多，测试却与瞎猜分不开，是图与标签对不上
LEARNED = 0.5
# 测试损失比最低点高出这么大一部分，才说它回升
RISE = 0.1


class Curves(Protocol):
    """学习曲线：History，或研究记录里的 curves，各项的末尾是终点。"""

    train_loss: list[float]
    train_accuracy: list[float]
    test_loss: list[float]
    test_accuracy: list[float]


@dataclass(frozen=True)
class Diagnosis:
    """一份曲线的诊断。

    参数: name 为 "有毛病"、"欠拟合"、"过拟合" 或 "都不明显"；why 为一句带数字的
        理由；unlearned 为没学会的一份，1 − 训练准确率；gap 为没带过去的一份，
        训练准确率 − 测试准确率。两份之和是测试错误率
    单位: 准确率与两份都是 0–1
    """

    name: str
    why: str
    unlearned: float
    gap: float


def chance_bound(num_classes: int, test_size: int) -> float:
    """瞎猜的准确率加三个标准误：测试准确率不高过它，与瞎猜分不开。"""
    guess = 1 / checks.positive("num_classes", num_classes)
    checks.positive("test_size", test_size)
    return guess + 3 * math.sqrt(guess * (1 - guess) / test_size)


def diagnose(
    curves: Curves,
    *,
    num_classes: int = 10,
    test_size: int = 500,
    sanity: Sanity | None = None,
) -> Diagnosis:
    """由曲线的终点得出诊断；训练那两条要在没有增强的图片上、用评估模式量。

    依次问五件事：体检过不过；损失是不是有限的数；训练损失有没有冲过瞎猜；训练会了，
    测试是不是像瞎猜；都没有，再比没学会与没带过去哪一份大。

    参数: num_classes 为类别数；test_size 为测试图片数（默认是手写数字的）；sanity 为
        体检的结果，没有做就不写，第一问略过
    错误: 曲线上一个点也没有时抛出 ValueError
    """
    named = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
    if not all(hasattr(curves, name) for name in named):
        raise checks.ArgumentError(
            f"curves={checks.shown(curves)} 不合适；应为 fit 返回的 History", "curves"
        )
    checks.positive("num_classes", num_classes)
    checks.positive("test_size", test_size)
    checks.kind("sanity", sanity, (Sanity, type(None)), "sanity(…) 的结果，或 None")
    if not len(curves.train_accuracy):
        raise ValueError("曲线是空的，无从诊断；至少要评估一次")
    train, test = curves.train_accuracy[-1], curves.test_accuracy[-1]
    unlearned, gap = 1 - train, train - test
    fault = _fault(curves, num_classes, test_size, sanity)
    if fault:
        return Diagnosis(BROKEN, fault, unlearned, gap)
    name = OVERFIT if gap > unlearned else UNDERFIT
    if max(unlearned, gap) < NEGLIGIBLE:
        name = FINE
    return Diagnosis(name, _why(name, curves), unlearned, gap)


def _fault(
    curves: Curves, num_classes: int, test_size: int, sanity: Sanity | None
) -> str:
    """毛病在哪里；没有就是空串。"""
    if sanity is not None and not sanity.ok:
        return _failed(sanity)
    if not all(map(math.isfinite, [*curves.train_loss, *curves.test_loss])):
        return "损失不再是有限的数：训练已经发散，多半是学习率。"
    # 第 0 点在训练之前，由体检的首步损失管
    guess, worst = math.log(num_classes), max(curves.train_loss[1:], default=0.0)
    if worst > (1 + FIRST_LOSS_TOLERANCE) * guess:
        return (
            f"训练损失冲到 {worst:.2f}，瞎猜也只有 ln {num_classes} = {guess:.2f}："
            "一步迈得太大，多半是学习率。"
        )
    train, test = curves.train_accuracy[-1], curves.test_accuracy[-1]
    bound = chance_bound(num_classes, test_size)
    # 两类时瞎猜就有一半：训练自己也要比瞎猜好，才算会了
    if train >= LEARNED and train > bound >= test:
        return (
            f"训练准确率 {train:.2f}，测试只有 {test:.2f}，"
            f"与瞎猜的 {1 / num_classes:.2f} 分不开：图与标签多半对不上。"
        )
    return ""


def _failed(sanity: Sanity) -> str:
    """体检哪一项不过。"""
    if not sanity.first_loss_ok:
        return (
            f"体检不过：首步损失 {sanity.first_loss:.2f}，"
            f"随机猜是 {sanity.expected_loss:.2f}。"
        )
    return (
        f"体检不过：同一批训练 {sanity.batch_steps} 步，损失还有 "
        f"{sanity.batch_loss:.2f}，准确率 {sanity.batch_accuracy:.2f}。"
    )


def _why(name: str, curves: Curves) -> str:
    """比较两份的那一句。"""
    train, test = curves.train_accuracy[-1], curves.test_accuracy[-1]
    shares = (_share(1 - train), _share(train - test))
    parts = f"没学会的 {shares[0]}，没带过去的 {shares[1]}"
    scores = f"训练准确率 {train:.2f}，测试 {test:.2f}"
    if name == FINE:
        return f"{scores}：{parts}，都不到 {NEGLIGIBLE}。"
    larger = "没带过去" if name == OVERFIT else "没学会"
    said = f"{scores}：{parts}，大头是{larger}"
    low, last = min(curves.test_loss), curves.test_loss[-1]
    if name == OVERFIT and last > (1 + RISE) * low:
        said += f"；测试损失从最低的 {low:.2f} 升回 {last:.2f}"
    return f"{said}。"


def _share(value: float) -> str:
    """一份写成两位小数；四舍五入之后是 0 的负数不写成 −0.00。"""
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")
