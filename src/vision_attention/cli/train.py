"""命令 vision-attention train：训练一个模型，存下权重、记录与曲线。

内容: train。
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from vision_attention.checks import shown
from vision_attention.cli import trials
from vision_attention.cli.splitting import share_or_list
from vision_attention.cli.user_errors import user_errors
from vision_attention.studies.design.positions import read_value
from vision_attention.training.class_scores import ClassScore, doubt


def _value(text: str) -> Any:
    """--set 里等号右边的字，按 YAML 读：3 是整数，true 是真。"""
    try:
        return read_value(text)
    except yaml.YAMLError as error:
        raise ValueError(
            f"读不懂 {shown(text)}，应是一个数、一个词或 [列表]"
        ) from error


def _pairs(items: list[str]) -> dict[str, Any]:
    """--set 路径=取值 → 字典。"""
    pairs = {}
    for item in items:
        path, sign, value = item.partition("=")
        if not sign:
            raise ValueError(
                f"--set {item!r} 缺少等号，例如 --set model.attention=cbam"
            )
        pairs[path] = _value(value)
    return pairs


STOPPED = "已停下；还没有第一个检查点，什么也没有留下，再运行同一条命令会从头训练。"
SHOWN = 10  # 逐类的成绩最多说几类
# 接着做时还可以写的
ANEW = ("resume", "data_root", "quiet")


def _refuse_changes(context: typer.Context) -> None:
    """接着做照原来的设置，别的选项不能再写。"""
    for name in context.params:
        source = context.get_parameter_source(name)
        if name not in ANEW and getattr(source, "name", "") == "COMMANDLINE":
            option = name.rstrip("_").replace("_", "-")
            raise ValueError(
                f"--resume 照原来的设置接着做，请去掉 --{option}；"
                "要改设置，请换一个 --name 从头训练"
            )


@functools.partial(user_errors, stopped=STOPPED)
def train(
    context: typer.Context,
    *,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="接着做停在半路的一次训练，照原来的设置。"),
    ] = None,
    model: Annotated[
        str, typer.Option(help="模型的名字，例如 small_cnn、vit_tiny、resnet18。")
    ] = "small_cnn",
    data: Annotated[
        str, typer.Option(help="数据：digits、cifar10，或 folder:路径（自己的图片）。")
    ] = "digits",
    framework: Annotated[
        str | None, typer.Option(help="torch 或 paddle；缺省用已安装的。")
    ] = None,
    n_train: Annotated[
        int | None, typer.Option(help="用多少张训练图片；缺省为全部。")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="种子：数据、初值与次序。")] = 0,
    steps: Annotated[int, typer.Option(help="训练多少步。")] = 300,
    batch_size: Annotated[int, typer.Option(help="每步多少张图片。")] = 64,
    lr: Annotated[float, typer.Option(help="最高学习率。")] = 1e-3,
    augment: Annotated[
        str, typer.Option(help="增强：none、weak、strong、mixup、cutmix。")
    ] = "none",
    eval_every: Annotated[int, typer.Option(help="每隔多少步评估一次。")] = 50,
    device: Annotated[str, typer.Option(help="设备：auto、cpu、gpu。")] = "auto",
    groups: Annotated[
        str | None,
        typer.Option(
            help="自己的图片怎样认出一组（同一个人、同一次连拍），同组的不分到训练与"
            "测试两边：文件名的模式，例如 '(.+)-'，或 表.csv:列名。"
        ),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(
            help="自己的图片没有分好时怎样切下测试：份额，例如 0.3（缺省 0.2），"
            "或一份名单，一行一个文件。"
        ),
    ] = None,
    class_weights: Annotated[
        str, typer.Option(help="类权重：none，或 balanced（少的类每张重一些）。")
    ] = "none",
    square: Annotated[
        str | None,
        typer.Option(help="不是正方形的图：crop（居中裁，缺省）、pad、squash。"),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="从预训练的权重出发：timm 命名的 .safetensors，已在本机的文件。",
        ),
    ] = None,
    freeze: Annotated[
        bool, typer.Option("--freeze", help="冻住主干，只学分类头；与 --weights 同用。")
    ] = False,
    trunk_lr: Annotated[
        float | None, typer.Option(help="主干的最高学习率，微调时取小一些。")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="路径=取值",
            help="其余的设置，可写多次，例如 model.attention=cbam。",
        ),
    ] = None,
    data_root: Annotated[
        str | None, typer.Option(help="数据所在：CIFAR-10 的压缩包或文件夹。")
    ] = None,
    out: Annotated[Path, typer.Option(help="结果放在哪个文件夹下。")] = Path("runs"),
    name: Annotated[str | None, typer.Option(help="这次训练的名字。")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="不画进度条。")] = False,
) -> None:
    """训练一个模型，存下权重、记录与曲线；不带选项也能跑。"""
    if resume is not None:
        _refuse_changes(context)
        trial = trials.go_on(resume, data_root, progress=not quiet)
    else:
        changes = {
            "model.name": model,
            "data.name": data,
            "train.steps": steps,
            "train.warmup_steps": min(20, steps // 10),
            "train.batch_size": batch_size,
            "train.lr": lr,
            "train.augment": augment,
            "train.eval_every": eval_every,
            "train.device": device,
        }
        wanted = {"n_train": n_train, "groups": groups, "square": square}
        wanted["test"] = share_or_list(test)
        changes |= {f"data.{k}": v for k, v in wanted.items() if v is not None}
        # 没有写就不进设置：从前的运行，key 不变
        if class_weights != "none":
            changes["train.class_weights"] = class_weights
        changes |= _from_weights(weights, freeze, trunk_lr) | _pairs(set_ or [])
        changes = trials.fit_size(changes)
        chosen = trials.choose_framework(framework)
        run = trials.settle(chosen, seed, changes)
        trial = trials.carry_out(run, out, name, data_root, progress=not quiet)
    _tell(trial)


def _from_weights(
    weights: Path | None, freeze: bool, trunk_lr: float | None
) -> dict[str, Any]:
    """三个选项 → 设置；没有写的不进设置。"""
    if freeze and weights is None:
        raise ValueError("--freeze 冻住的主干没有学过；请写 --weights 文件")
    written = {
        "options.weights": None if weights is None else str(weights),
        "options.freeze": freeze or None,
        "train.trunk_lr": trunk_lr,
    }
    return {path: value for path, value in written.items() if value is not None}


def _tell(trial: trials.Trial) -> None:
    """做完之后说的几句。"""
    run, results = trial.record["run"], trial.record["results"]
    typer.echo(
        f"{run['model']['name']}（{run['framework']}）："
        f"测试准确率 {results['test_accuracy']:.4f}，"
        f"训练准确率 {results['train_accuracy']:.4f}，"
        f"{results['parameters']:,} 个参数，{trial.record['seconds']:.1f} 秒"
    )
    for note in trial.record["notes"]:
        typer.echo(note)
    scores = [ClassScore(**row) for row in trial.record["classes"]]
    typer.echo(f"平衡准确率 {results['balanced_accuracy']:.4f}；{_worst(scores)}")
    warnings = [doubt(scores), leaks(trial.record["twins"])]
    for warning in filter(None, warnings):
        typer.secho(f"注意：{warning}", fg="yellow", err=True)
    typer.echo(f"存在 {trial.folder}：{'、'.join(trials.SAVED)}")
    typer.echo(
        f"下一步：vision-attention diagnose {trial.folder} 说是哪一种病、怎么办；"
        f"vision-attention predict {trial.folder} 图片… 认新的图"
    )


def leaks(twins: dict[str, Any]) -> str:
    """几乎相同的图分在训练与测试两边时，提醒的一句话；没有就是空的。"""
    if not twins["count"]:
        return ""
    pairs = "；".join(" 与 ".join(pair) for pair in twins["pairs"])
    more = "……" if twins["count"] > len(twins["pairs"]) else ""
    return (
        f"{twins['count']} 对几乎相同的图分在训练与测试两边：{pairs}{more}。"
        "测试等于抄答案，准确率偏高；请只留一张，或用 --groups 把同一处拍的放到同一边"
    )


def _worst(scores: list[ClassScore]) -> str:
    """逐类的成绩，差的在前；类多时只说最差的几类。"""
    tested = sorted((s for s in scores if s.test), key=lambda s: s.accuracy)
    shown = [f"{s.name} {s.correct}/{s.test}" for s in tested[:SHOWN]]
    rest = (
        f"；其余 {len(tested) - SHOWN} 类见 {trials.RECORD}" if tested[SHOWN:] else ""
    )
    return f"各类做对的：{'，'.join(shown)}{rest}"
