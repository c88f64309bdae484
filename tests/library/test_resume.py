"""停在半路的训练：检查点留着，说得出怎样接着做，接着做完与没有停过一样。"""

import json
import os
import re
import shlex
import signal
from pathlib import Path

import pytest
from commands import call
from pictures import photographs
from stopping import full, interrupt, stop_at, terminate

from vision_attention.cli import trials
from vision_attention.storage import locks
from vision_attention.training.saved_run import going_on
from vision_attention.wings import load_wing

WORDS = ["--n-train", "40", "--steps", "6", "--eval-every", "2", "--batch-size", "16"]
WORDS += ["--model", "resnet_narrow", "--quiet"]
TIMES = ("seconds", "cpu_seconds", "images_per_second")


@pytest.fixture(autouse=True)
def sigterm():
    """命令改了 SIGTERM 怎样收尾；测试之后还原。"""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("how", [interrupt, terminate])
@pytest.mark.parametrize("framework", ["torch", "paddle"])
def test_stopped_training_goes_on_as_if_never_stopped(
    tmp_path, monkeypatch, framework, how
):
    words = ["train", *WORDS, "--framework", framework, "--out", tmp_path / "我 的"]
    assert call(*words, "--name", "whole")[0] == 0
    with monkeypatch.context() as patch:
        stop_at(patch, 5, how)
        code, text = call(*words, "--name", "half")
    assert (code, "做到第 4 步（共 6 步）" in text) == (130, True)
    folder = tmp_path / "我 的" / "half"
    left = sorted(path.name for path in folder.iterdir())
    assert left == ["checkpoint.safetensors", "settings.json"]
    printed = shlex.split(re.search("vision-attention (.*)", text)[1])
    assert printed == ["train", "--resume", str(folder)]
    assert call(*printed, "--quiet")[0] == 0
    whole, half = (
        json.loads((folder.parent / name / "record.json").read_text("utf8"))
        for name in ("whole", "half")
    )
    assert half["curves"] == whole["curves"]
    assert half["run"] == whole["run"]
    assert half["curves"]["step"] == [0, 2, 4, 6]
    assert sorted(path.name for path in folder.iterdir()) == sorted(trials.SAVED)
    weights = [folder.parent / name / trials.MODEL for name in ("whole", "half")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_the_command_to_go_on_has_the_whole_path():
    """太长的路径在别处省去中间；命令要能照抄。"""
    folder = Path("/") / ("a" * 150) / ("b " * 60)
    words = shlex.split(going_on(folder).partition("：")[2])
    assert words == ["vision-attention", "train", "--resume", str(folder)]


def test_stopped_before_the_first_checkpoint_leaves_nothing(tmp_path, monkeypatch):
    stop_at(monkeypatch, 1, interrupt)
    code, text = call("train", *WORDS, "--out", tmp_path, "--name", "it")
    assert (code, "什么也没有留下" in text) == (130, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("framework", ["torch", "paddle"])
def test_sigterm_right_after_the_folder_is_made_leaves_nothing(
    tmp_path, monkeypatch, framework
):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # 没有接管的信号等于没有来
    monkeypatch.setattr(trials, "_write", terminate)
    words = ["train", *WORDS, "--framework", framework, "--out", tmp_path]
    code, text = call(*words, "--name", "it")
    assert (code, "什么也没有留下" in text) == (130, True)
    assert list(tmp_path.iterdir()) == []


def test_same_name_after_a_stop_is_no_dead_end(tmp_path, monkeypatch):
    words = ["train", *WORDS, "--out", tmp_path, "--name", "it"]
    with monkeypatch.context() as patch:
        stop_at(patch, 3, interrupt)
        assert call(*words)[0] == 130
    code, text = call(*words)
    assert (code, f"train --resume {tmp_path / 'it'}" in text) == (2, True)
    assert "还没有训练完" in call("predict", tmp_path / "it", tmp_path)[1]
    # kill -9 也许只留下空文件夹
    (tmp_path / "empty").mkdir()
    assert call(*words[:-1], "empty")[0] == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows 锁不了文件夹")
@pytest.mark.parametrize("command", ["resume", "train", "predict", "diagnose"])
def test_a_run_being_trained_elsewhere_is_left_alone(half, command):
    """另一个进程还在训练：别的命令要等，更不能叫人接着做。"""
    words = {
        "resume": ["train", "--resume", half],
        "train": ["train", *WORDS, "--out", half.parent, "--name", half.name],
        "predict": ["predict", half, half],
        "diagnose": ["diagnose", half],
    }[command]
    before = {path.name: path.read_bytes() for path in half.iterdir()}
    with locks.alone(half):
        code, text = call(*words)
    assert (code, "正由另一个进程训练" in text, "--resume" in text) == (2, True, False)
    assert {path.name: path.read_bytes() for path in half.iterdir()} == before
    assert not locks.busy(half)


@pytest.mark.skipif(os.name == "nt", reason="Windows 锁不了文件夹")
def test_a_training_holds_its_folder(tmp_path, monkeypatch):
    seen = []
    words = ["train", *WORDS, "--out", tmp_path, "--name", "it"]
    with monkeypatch.context() as patch:
        stop_at(patch, 3, lambda: seen.append(locks.busy(tmp_path / "it")))
        assert call(*words)[0] == 0
    assert (seen, locks.busy(tmp_path / "it")) == ([True], False)
    with monkeypatch.context() as patch:
        stop_at(patch, 3, interrupt)
        assert call(*words[:-1], "half")[0] == 130
    with monkeypatch.context() as patch:
        stop_at(patch, 5, lambda: seen.append(locks.busy(tmp_path / "half")))
        assert call("train", "--resume", tmp_path / "half", "--quiet")[0] == 0
    assert seen == [True, True]


def test_disk_full_keeps_the_last_checkpoint_and_says_how_to_go_on(
    tmp_path, monkeypatch
):
    words = ["train", *WORDS, "--out", tmp_path, "--name", "it"]
    with monkeypatch.context() as patch:
        stop_at(patch, 3, full)
        code, text = call(*words)
    assert (code, f"train --resume {tmp_path / 'it'}" in text) == (2, True)
    assert call("train", "--resume", tmp_path / "it", "--quiet")[0] == 0


@pytest.mark.parametrize("last", ["record_of", "draw_curves"])
def test_failure_after_the_last_step_costs_no_step(tmp_path, monkeypatch, last):
    """记录或图写不成：再来时一步也不必走。"""
    words = ["train", *WORDS, "--out", tmp_path, "--name", "it"]
    with monkeypatch.context() as patch:
        patch.setattr(trials, last, full)
        code, text = call(*words)
    assert (code, "--resume" in text) == (2, True)
    training = load_wing("torch").module("training")
    monkeypatch.setattr(training, "train_step", full)
    assert call("train", "--resume", tmp_path / "it", "--quiet")[0] == 0


def test_diverged_training_leaves_nothing_to_go_on_with(tmp_path):
    bad = ["--lr", "1e18", "--set", "train.clip_norm=null"]
    words = ["train", *WORDS, *bad, "--out", tmp_path, "--name", "it"]
    assert call(*words)[0] == 2
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def half(tmp_path, monkeypatch):
    """停在半路的一次训练。"""
    with monkeypatch.context() as patch:
        stop_at(patch, 3, interrupt)
        assert call("train", *WORDS, "--out", tmp_path, "--name", "it")[0] == 130
    return tmp_path / "it"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--steps", "9"], "请去掉 --steps"),
        (["--name", "x"], "请去掉 --name"),
        (["--set", "model.attention=cbam"], "请去掉 --set"),
        (["--n-train", "30"], "请去掉 --n-train"),
    ],
)
def test_going_on_keeps_the_settings(half, words, told):
    code, text = call("train", "--resume", half, *words)
    assert (code, told in text) == (2, True)
    assert (half / "checkpoint.safetensors").exists()


def test_wrong_folder_is_one_plain_sentence(half, tmp_path):
    def told(folder):
        code, text = call("train", "--resume", folder, "--quiet")
        assert code == 2
        return text

    assert "不是停在半路的训练：没有这个文件夹" in told(tmp_path / "none")
    assert "里面没有 settings.json" in told(tmp_path)
    settings = json.loads((half / "settings.json").read_text("utf8"))
    for content, words in (
        ("{", "损坏"),
        ("[" * 99_999, "损坏"),
        ("[1]", "损坏"),
        (json.dumps({"format": 1}), "损坏"),
        (json.dumps(settings | {"format": "2"}), "损坏"),
        (json.dumps(settings | {"run": 3}), "损坏"),
        (json.dumps(settings | {"run": {"what": 1}}), "损坏"),
        (json.dumps(settings | {"format": 2}), "更新的版本"),
    ):
        (half / "settings.json").write_text(content, "utf8")
        assert words in told(half)
    settings["run"]["data"]["n_train"] = 50
    (half / "settings.json").write_text(json.dumps(settings), "utf8")
    assert "属于另一次训练" in told(half)
    assert (half / "checkpoint.safetensors").exists()
    (half / "record.json").write_text("{}")
    assert "已经训练完" in told(half)


@pytest.mark.parametrize("framework", ["torch", "paddle"])
def test_pictures_moved_or_changed_while_stopped_are_said(
    tmp_path, monkeypatch, framework
):
    photos = photographs(tmp_path / "photos")
    words = ["train", "--data", f"folder:{photos}", "--framework", framework]
    words += ["--steps", "6", "--eval-every", "2", "--quiet", "--out", tmp_path]
    with monkeypatch.context() as patch:
        stop_at(patch, 3, interrupt)
        assert call(*words, "--name", "it")[0] == 130
    half = tmp_path / "it"
    before = {path.name: path.read_bytes() for path in half.iterdir()}

    def told():
        code, text = call("train", "--resume", half, "--quiet")
        assert (code, text.startswith("错误：")) == (2, True)
        assert {path.name: path.read_bytes() for path in half.iterdir()} == before
        return text

    photos.rename(tmp_path / "moved")
    assert f"请把图片放回 {photos}" in told()
    (tmp_path / "moved").rename(photos)
    (photos / "daisy" / "0.png").rename(tmp_path / "0.png")
    text = told()
    assert "现在的图片与开始训练时的不同（多了、少了或改过）" in text
    assert "换一个路径" not in text
    (tmp_path / "0.png").rename(photos / "daisy" / "0.png")
    assert call("train", "--resume", half, "--quiet")[0] == 0


def test_a_damaged_checkpoint_says_how_to_begin_again(half):
    checkpoint = half / "checkpoint.safetensors"
    checkpoint.write_bytes(checkpoint.read_bytes()[:999])
    code, text = call("train", "--resume", half, "--quiet")
    assert (code, "读不出来" in text) == (2, True)
    # safetensors 的英文原话不到读者那里
    assert "header" not in text
    checkpoint.unlink()
    assert call("train", "--resume", half, "--quiet")[0] == 0
