"""命令 train 的里面：一次训练，存下模型、记录与曲线。

内容: Trial、settle（选项 → 设置，逐项检查）、carry_out（训练并存盘）、
    go_on（接着做）、base_name（缺省的名字）。
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vision_attention import checks, interop
from vision_attention.cli import earlier
from vision_attention.cli.drawing import draw_curves
from vision_attention.cli.splitting import division
from vision_attention.cli.stopping import StoppedError, stop_like_ctrl_c
from vision_attention.data import looking
from vision_attention.data.folder import folder_of
from vision_attention.specs import SPECS
from vision_attention.storage import files, locks
from vision_attention.studies.design.runs import SECTIONS, Run, merge
from vision_attention.studies.running.execute import record_of
from vision_attention.studies.store.faults import faults_of
from vision_attention.studies.tasks import Outcome, train
from vision_attention.studies.tasks.prepared import PreparedRun, prepare
from vision_attention.training import saved_run, snapshots
from vision_attention.training.class_scores import (
    balanced_accuracy,
    class_scores,
    commonest,
)
from vision_attention.training.history import TrainingDivergedError
from vision_attention.training.saved_run import (
    CHECKPOINT,
    CURVES,
    MODEL,
    RECORD,
    SETTINGS,
)
from vision_attention.wings import installed, threads_used

SAVED = MODEL, RECORD, CURVES
NAMED = 5  # 几乎相同的图，记录里写几对的名字


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
            near = checks.nearest(section, SECTIONS)
            raise ValueError(f"设置 {path!r} 不对，应写成「部分.键」。{near}")
    sections = merge({section: {} for section in SECTIONS}, changes)
    faults = faults_of("train", sections)
    if faults:
        raise ValueError("；".join(map(str, faults)))
    return Run("train", framework, seed=seed, **sections)


def fit_size(changes: dict[str, Any]) -> dict[str, Any]:
    """从预训练的权重出发、图片是自己的，又没有写边长：照那种模型的边长。"""
    spec = SPECS.get(str(changes["model.name"]))
    own = str(changes.get("data.name")).startswith("folder:")
    if "options.weights" not in changes or not own or spec is None:
        return changes
    return {"data.image_size": spec.image_size} | changes


def fresh_folder(out: Path, name: str | None, run: Run) -> Path:
    """存放结果的新文件夹；没有指定名字时自动取一个不重复的。

    错误: 指定的名字已被占用时抛出 ValueError；写不进去时抛出 OSError
    """
    if name is not None:
        _refuse_taken(out / name)
    number, chosen = 1, name or base_name(run)
    while name is None and (out / chosen).exists():
        chosen = f"{base_name(run)}-{(number := number + 1)}"
    try:
        (out / chosen).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PermissionError(
            f"建不了文件夹 {files.printable(out / chosen)}（{files.reason(error)}）；"
            "请用 --out 换一个地方"
        ) from error
    return out / chosen


def base_name(run: Run) -> str:
    """没有指定名字时，文件夹叫什么；重名的再添号码。"""
    return f"{run.model['name']}-{run.framework}-seed{run.seed}"


def _refuse_taken(folder: Path) -> None:
    """名字已被占用；空文件夹不算，停在半路的说怎样接着做。"""
    if not (any(folder.iterdir()) if folder.is_dir() else folder.exists()):
        return
    saved_run.refuse_busy(folder)
    if (folder / SETTINGS).exists() and not (folder / RECORD).exists():
        raise ValueError(
            f"{files.printable(folder)} 是停在半路的一次训练；"
            f"{saved_run.going_on(folder)}；要从头来，请换一个 --name，或先把它移走"
        )
    raise ValueError(
        f"{files.printable(folder)} 已经存在；请换一个 --name，或先把它移走"
    )


@contextlib.contextmanager
def resumable(folder: Path) -> Iterator[None]:
    """中途被打断或写不进去：有检查点就留着，说怎样接着做；没有就收走。

    训练发散的不留：照原来的设置接着做，还是发散。
    """
    try:
        yield
    except BaseException as error:
        diverged = isinstance(error, TrainingDivergedError)
        if diverged or not (folder / CHECKPOINT).exists():
            _clear(folder)
            raise
        if isinstance(error, KeyboardInterrupt):
            raise StoppedError(_stopped_at(folder)) from None
        if isinstance(error, OSError):
            raise OSError(f"{error}。{saved_run.going_on(folder)}") from error
        raise


def _clear(folder: Path) -> None:
    """收走训练用的两个文件；文件夹空了也收走，里面有别的东西就不动。"""
    for name in (CHECKPOINT, SETTINGS):
        (folder / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def _stopped_at(folder: Path) -> str:
    """停在第几步，怎样接着做。"""
    saved = snapshots.read(folder / CHECKPOINT)
    done, total = saved.history.step[-1], saved.identity["steps"]
    going_on = saved_run.going_on(folder)
    return f"已停下；做到第 {done} 步（共 {total} 步）的检查点留着。{going_on}"


def carry_out(
    run: Run, out: Path, name: str | None, data_root: str | None, progress: bool
) -> Trial:
    """训练，并在 out/name 里存下 model.safetensors、record.json、curves.svg。

    参数: name 缺省时自动取；data_root 为数据所在；progress 为真时画进度条
    错误: 数据、模型不合适、文件夹写不进去时抛出 ValueError 或 OSError；
        训练发散时抛出 TrainingDivergedError；中途停下时抛出 StoppedError
    """
    out = checks.path("out", out)
    prepared = prepare(run, data_root)
    stop_like_ctrl_c()  # 框架载入时也登记过自己的 SIGTERM，所以在这里才改
    folder = fresh_folder(out, name, run)
    with _only_one(folder), resumable(folder):
        settings = {"run": run.settings(), "data_root": data_root}
        _write(folder / SETTINGS, {"format": saved_run.FORMAT, **settings})
        return _finish(prepared, folder, progress)


def go_on(folder: Path, data_root: str | None, progress: bool) -> Trial:
    """接着做停在半路的一次训练，照它原来的设置；结果与没有停过一样。

    参数: folder 为它的文件夹；data_root 缺省为原来的；progress 为真时画进度条
    错误: 同 carry_out；没有停在半路、设置损坏或由更新的版本写成时抛出 ValueError
    """
    with _only_one(folder):
        run, place = earlier.saved_settings(folder)
        prepared = earlier.as_before(folder, run, data_root or place)
        stop_like_ctrl_c()
        with resumable(folder):
            return _finish(prepared, folder, progress)


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """一个文件夹同时只有一个进程训练：两个会互相盖掉检查点。"""
    with locks.alone(folder) as ours:
        if not ours:
            raise ValueError(saved_run.in_training(folder))
        yield


def _finish(prepared: PreparedRun, folder: Path, progress: bool) -> Trial:
    """训练到底，存下模型、记录与曲线，再收走训练用的两个文件。"""
    outcome = train(prepared, progress, folder / CHECKPOINT, **prepared.run.options)
    # 先存权重：后面的哪一步不成，训练也没有白做
    interop.save(prepared.model, folder / MODEL)
    record = _record(prepared, outcome)
    draw_curves(record, folder / CURVES)
    _write(folder / RECORD, record)
    _clear(folder)
    return Trial(folder, record)


def _record(prepared: PreparedRun, outcome: Outcome) -> dict:
    """训练的记录，加上用它所需的：输入怎样备，逐类的成绩。"""
    run, dataset = prepared.run, prepared.dataset
    odds = prepared.wing.module("runs").odds
    answers = odds(prepared.model, dataset.normalize(dataset.test_images)).argmax(1)
    scores = class_scores(dataset, answers)
    record = record_of(run, prepared, outcome, threads_used(run.framework))
    record["results"] |= {
        "balanced_accuracy": balanced_accuracy(scores),
        "commonest_class_accuracy": commonest(scores).test / len(answers),
    }
    return {
        "format": saved_run.FORMAT,
        **record,
        "classes": [score._asdict() for score in scores],
        "input": saved_run.input_of(dataset),
        "notes": list(dataset.notes),
        "twins": _twins(run),
        **({"pretrained": asdict(prepared.origin)} if prepared.origin else {}),
    }


def _twins(run: Run) -> dict[str, Any]:
    """自己的图片里，几乎相同而分在训练与测试两边的：几对，前几对的名字。"""
    kind, _, path = run.data.get("name", "").partition(":")
    if kind != "folder":
        return {"count": 0, "pairs": []}
    seen = looking.look(folder_of(path), **division(run))
    members = seen.listing.files
    across = [twin for twin in seen.twins if twin.across]
    named = [
        [
            files.printable(f"{members[n].parent.name}/{members[n].name}")
            for n in (twin.first, twin.second)
        ]
        for twin in across[:NAMED]
    ]
    return {"count": len(across), "pairs": named}


def _write(path: Path, content: dict) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)
    with files.replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
