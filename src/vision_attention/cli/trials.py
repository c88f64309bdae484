"""命令 train 的里面：一次训练，存下模型、记录与曲线。

内容: Trial、settle（选项 → 设置，逐项检查）、carry_out（训练并存盘）。
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vision_attention import interop
from vision_attention.checks import nearest
from vision_attention.cli.drawing import draw_curves
from vision_attention.storage import files
from vision_attention.studies.design.runs import SECTIONS, Run, merge
from vision_attention.studies.running.execute import record_of
from vision_attention.studies.store.faults import faults_of
from vision_attention.studies.tasks import train
from vision_attention.studies.tasks.prepared import prepare
from vision_attention.training import saved_run
from vision_attention.training.saved_run import CURVES, MODEL, RECORD
from vision_attention.wings import installed, threads_used

SAVED = MODEL, RECORD, CURVES


@dataclass(frozen=True)
class Trial:
    """做完的一次训练：文件夹与记录。"""

    folder: Path
    record: dict


def choose_framework(name: str | None) -> str:
    """指定的框架，或已安装的第一个。

    错误: 一个也没有安装时抛出 ValueError
    """
    found = installed()
    if name is None and not found:
        raise ValueError(
            "没有安装 PyTorch，也没有安装 PaddlePaddle；"
            "请运行 pip install torch 或 pip install paddlepaddle"
        )
    return name or found[0]


def settle(framework: str, seed: int, changes: dict[str, Any]) -> Run:
    """把「路径: 取值」并成一次运行，并检查每一项。

    参数: changes 的路径同 study.yaml，例如 model.name、train.steps
    错误: 有不认识的键或不合适的取值时抛出 ValueError，指出最近的一个
    """
    for path in changes:
        section, _, rest = path.partition(".")
        if section not in SECTIONS or not rest:
            raise ValueError(
                f"设置 {path!r} 不对，应写成「部分.键」。{nearest(section, SECTIONS)}"
            )
    sections = merge({section: {} for section in SECTIONS}, changes)
    faults = faults_of("train", sections)
    if faults:
        raise ValueError("；".join(map(str, faults)))
    return Run("train", framework, seed=seed, **sections)


def fresh_folder(out: Path, name: str | None, run: Run) -> Path:
    """存放结果的新文件夹；没有指定名字时自动取一个不重复的。

    错误: 指定的名字已被占用时抛出 ValueError；写不进去时抛出 OSError
    """
    if name is not None and (out / name).exists():
        raise ValueError(f"{out / name} 已经存在；请换一个 --name，或先把它移走")
    base = f"{run.model['name']}-{run.framework}-seed{run.seed}"
    number, chosen = 1, name or base
    while (out / chosen).exists():
        number += 1
        chosen = f"{base}-{number}"
    try:
        (out / chosen).mkdir(parents=True)
    except OSError as error:
        raise PermissionError(
            f"建不了文件夹 {files.printable(out / chosen)}（{files.reason(error)}）；"
            "请用 --out 换一个地方"
        ) from error
    return out / chosen


@contextlib.contextmanager
def nothing_left(folder: Path) -> Iterator[None]:
    """中途出错或被打断时，收走还空着的文件夹；里面有东西就不动。"""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            folder.rmdir()
        raise


def carry_out(
    run: Run, out: Path, name: str | None, data_root: str | None, progress: bool
) -> Trial:
    """训练，并在 out/name 里存下 model.safetensors、record.json、curves.svg。

    参数: name 缺省时自动取；data_root 为数据所在；progress 为真时画进度条
    错误: 数据、模型不合适、文件夹写不进去时抛出 ValueError 或 OSError；
        训练发散时抛出 TrainingDivergedError
    """
    prepared = prepare(run, data_root)
    folder = fresh_folder(out, name, run)
    with nothing_left(folder):
        outcome = train(prepared, progress)
        # 先存权重：后面的哪一步不成，训练也没有白做
        interop.save(prepared.model, folder / MODEL)
    record = {
        "format": saved_run.FORMAT,
        **record_of(run, prepared, outcome, threads_used(run.framework)),
        "input": saved_run.input_of(prepared.dataset),
    }
    text = json.dumps(record, ensure_ascii=False, indent=2, allow_nan=False)
    with files.replacing(folder / RECORD) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    draw_curves(record, folder / CURVES)
    return Trial(folder, record)
