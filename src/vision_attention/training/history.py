"""一次训练的经过：学习曲线与它的用时。

- `History`：逐个评估点的数字，可以直接写进 JSON
- `TrainingDivergedError`：损失或模型里的数不再是有限的
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from vision_attention.training.config import TrainConfig

Score = tuple[float, float]
"""一次评估的结果：(损失, 准确率)。"""


@dataclass(frozen=True)
class History:
    """学习曲线：第 i 个评估点是各列表的第 i 项，第 0 项在训练之前。

    相等与否只看曲线，不看用时：同一种子跑两遍，两份 History 相等。

    参数: step 为已走的步数；lr 为下一步的学习率；train_* 是未经增强的训练图片、
        评估模式下的损失与准确率；test_* 是测试集上的
    单位: 损失为 nat，准确率 0–1；seconds 为墙上时间、cpu_seconds 为处理器时间，
        都含评估；images_per_second 只计训练步
    """

    step: list[int] = field(default_factory=list)
    lr: list[float] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    test_loss: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)
    seconds: float = field(default=0.0, compare=False)
    cpu_seconds: float = field(default=0.0, compare=False)
    images_per_second: float = field(default=0.0, compare=False)

    def with_point(self, step: int, lr: float, train: Score, test: Score) -> History:
        """多一个评估点的新 History；原来的不变。"""
        return replace(
            self,
            step=[*self.step, step],
            lr=[*self.lr, lr],
            train_loss=[*self.train_loss, train[0]],
            train_accuracy=[*self.train_accuracy, train[1]],
            test_loss=[*self.test_loss, test[0]],
            test_accuracy=[*self.test_accuracy, test[1]],
        )


class TrainingDivergedError(RuntimeError):
    """训练发散：某一步的损失，或走到那一步时模型里的数，是 inf 或 nan。

    参数: step 为出事的步（从 0 数起；模型里的数每几步才看一眼，真正出事可能更早）；
        lr 为那一步的学习率；loss 为那一步的损失，None 表示出事的是权重或移动平均
    """

    def __init__(self, step: int, lr: float, loss: float | None, config: TrainConfig):
        found = f"第 {step} 步的损失是 {loss}，不是有限的数"
        if loss is None:
            found = f"到第 {step} 步为止，模型的权重或移动平均里已有 nan 或 inf"
        super().__init__(
            f"{found}；这一步的学习率是 {lr:.3g}。"
            f"可以试：{'；'.join(_remedies(config))}"
        )
        self.step, self.lr, self.loss = step, lr, loss


def _remedies(config: TrainConfig) -> list[str]:
    """按配置挑出还没有用上的办法。"""
    remedies = [f"把 lr 从 {config.lr:g} 降到 {config.lr / 10:g}"]
    longer = min(max(2 * config.warmup_steps, config.steps // 10), config.steps)
    if longer > config.warmup_steps:
        remedies.append(f"升温加长，warmup_steps={longer}")
    if config.clip_norm is None or config.clip_norm > 1:
        remedies.append("裁剪梯度，clip_norm=1.0")
    if config.precision != "float32":
        remedies.append('换回 precision="float32"')
    return [*remedies, "用 sanity(model, dataset) 查模型与数据"]
