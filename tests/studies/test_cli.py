"""命令行：不带选项也能跑，写错时一句中文、退出码 2，存下的东西能再用。"""

import errno
import json
import os
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
from commands import call
from pictures import photographs
from stand_ins import Here, stand_in

from vision_attention import interop, specs
from vision_attention.cli import trials, user_errors
from vision_attention.storage import records
from vision_attention.studies import expand
from vision_attention.studies.running import runner, session
from vision_attention.studies.store.study_file import parse

QUICK = ["--n-train", "40", "--steps", "6", "--eval-every", "3", "--batch-size", "16"]
STUDY = """\
question: 门有没有用？
data: {name: digits, n_train: 40}
model: {name: resnet_narrow}
train: {steps: 4, warmup_steps: 1, batch_size: 16, eval_every: 4, max_train_eval: 10}
grid:
  gate:
    plain: {model.attention: none}
    simam: {model.attention: simam}
compare: {factor: gate, reference: plain}
seeds: 2
frameworks: [torch, paddle]
budget: {minutes: 1}
"""


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(STUDY, "utf8")
    return path


@pytest.mark.parametrize("words", [[], ["train"], ["study"], ["study", "run"]])
def test_help_is_chinese(words):
    code, text = call(*words, "--help")
    assert code == 0
    assert len(re.findall("[一-鿿]", text)) > 20


@pytest.mark.parametrize("framework", ["torch", "paddle"])
def test_train_saves_model_record_and_curves(tmp_path, framework):
    words = ["train", "--framework", framework, "--out", tmp_path, "--name", "one"]
    code, text = call(*words, "--model", "resnet_narrow", "--quiet", *QUICK)
    assert (code, "测试准确率" in text) == (0, True)
    folder = tmp_path / "one"
    record = json.loads((folder / "record.json").read_text("utf8"))
    assert record["data"]["n_train"] == 40
    assert record["curves"]["step"] == [0, 3, 6]
    assert "测试" in (folder / "curves.svg").read_text("utf8")
    assert reloaded_accuracy(framework, folder) == pytest.approx(
        record["results"]["test_accuracy"], abs=1e-6
    )


def reloaded_accuracy(framework, folder):
    """存下的权重装进新模型，在测试集上再评一次。"""
    from vision_attention import data
    from vision_attention.wings import load_wing

    wing = load_wing(framework)
    dataset = data.load("digits", n_train=40, seed=0)
    model = wing.module("models").build(specs.named("resnet_narrow"))
    interop.load(model, folder / "model.safetensors")
    images = dataset.normalize(dataset.test_images)
    return wing.module("training").evaluate(model, images, dataset.test_labels)[1]


@pytest.mark.parametrize(
    ("listing", "before", "after"),
    [
        ("vendor_id : AuthenticAMD\nflags : avx avx2 bmi1\n", None, "5"),
        ("vendor_id : AuthenticAMD\nflags : avx avx2 bmi1\n", "4", "4"),
        ("vendor_id : AuthenticAMD\nflags : sse2 avx bmi1\n", None, None),
        ("vendor_id : GenuineIntel\nflags : avx avx2 bmi1\n", None, None),
        (None, None, None),
    ],
)
def test_old_mkl_wakes_on_amd_only(monkeypatch, tmp_path, listing, before, after):
    """没有 /proc/cpuinfo 的系统、别家的处理器、使用者自己设过的，都不动。"""
    from vision_attention.wings import wake_old_mkl

    name = "MKL_DEBUG_CPU_TYPE"
    monkeypatch.setattr(os, "environ", {} if before is None else {name: before})
    file = tmp_path / "cpuinfo"
    if listing is not None:
        file.write_text(listing, "utf8")
    wake_old_mkl(file)
    assert os.environ.get(name) == after


def test_train_without_options_asks_for_nothing(monkeypatch, tmp_path):
    """缺省的设置全部通过检查，文件夹自己取名，第二次不覆盖第一次。"""
    taken = []

    def carry_out(run, out, name, data_root, progress):
        taken.append(trials.fresh_folder(tmp_path / out, name, run))
        names = ("test_accuracy", "train_accuracy", "balanced_accuracy", "parameters")
        record = {"run": run.settings(), "results": dict.fromkeys(names, 1)}
        one = {"name": "a", "train": 1, "test": 1, "correct": 1}
        record |= {"seconds": 1.0, "classes": [one], "notes": []}
        record["twins"] = {"count": 0, "pairs": []}
        return trials.Trial(taken[-1], record)

    monkeypatch.setattr(trials, "carry_out", carry_out)
    assert call("train")[0] == call("train")[0] == 0
    assert [folder.name for folder in taken] == [
        "small_cnn-torch-seed0",
        "small_cnn-torch-seed0-2",
    ]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--model", "vit_tyni"], "vit_tiny"),
        (["--data", "digts"], "digits"),
        (["--framework", "tensorflow"], "torch"),
        (["--augment", "week"], "weak"),
        (["--steps", "0"], "steps=0"),
        (["--n-train", "5000"], "5000"),
        (["--set", "model.widht=4"], "width"),
        (["--set", "modle.width=4"], "model"),
        (["--set", "model.width"], "等号"),
        (["--set", "train.seed=4"], "seed"),
        (["--set", "model.attention=cbm"], "cbam"),
        (["--set", "model.name.x=1"], "'model.name.x'"),
        (["--model", "resnet_narrow", "--set", "model.stages=3"], "stages=3"),
        (["--set", "data.n_train=abc"], "n_train='abc'"),
        (["--set", "data.label_noise=abc"], "label_noise='abc'"),
        (["--set", "data.classes=3"], "classes=3"),
        (["--set", "data.pixel_noise=abc"], "pixel_noise='abc'"),
        (["--data", "cifar10", "--data-root", "/没有/这里"], "没有"),
    ],
)
def test_user_mistake_is_one_plain_sentence(tmp_path, words, hint):
    code, text = call("train", "--out", tmp_path, *words)
    assert code == 2
    assert text.startswith("错误：")
    assert hint in text
    assert "Traceback" not in text
    assert list(tmp_path.iterdir()) == []


def test_taken_name_is_refused(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "mine.txt").write_text("")
    (tmp_path / "two").write_text("")
    for name in ("one", "two"):
        code, text = call("train", "--out", tmp_path, "--name", name, *QUICK)
        assert (code, "已经存在" in text) == (2, True)
    assert (tmp_path / "one" / "mine.txt").exists()


def test_unwritable_folder_is_refused(tmp_path, study):
    (tmp_path / "file").write_text("")
    for words in (["train", *QUICK], ["study", "run", study]):
        code, text = call(*words, "--out", tmp_path / "file" / "x")
        assert (code, "--out" in text) == (2, True)


def test_diverged_training_is_one_plain_sentence(tmp_path):
    words = ["--lr", "1e18", "--set", "train.clip_norm=null", "--quiet"]
    code, text = call("train", "--out", tmp_path, *QUICK, *words)
    assert (code, "学习率" in text) == (2, True)


@pytest.mark.parametrize("framework", ["torch", "paddle"])
def test_record_states_the_threads_really_used(tmp_path, framework, monkeypatch):
    """记下的是框架用的线程数，不是机器有几个核。"""
    from vision_attention.wings import threads_used

    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(99), raising=False)
    words = ["train", "--framework", framework, "--out", tmp_path, "--name", "one"]
    assert call(*words, "--quiet", *QUICK)[0] == 0
    record = json.loads((tmp_path / "one" / "record.json").read_text("utf8"))
    assert record["processor"]["threads"] == threads_used(framework)


def test_threads_are_those_of_the_framework(monkeypatch):
    import torch

    from vision_attention.wings import threads_used

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert threads_used("torch") == 3
    finally:
        torch.set_num_threads(before)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert threads_used("paddle") == 5


def test_model_is_saved_before_anything_else_can_fail(tmp_path, monkeypatch):
    def fail(*details):
        raise ValueError("记录写不成")

    monkeypatch.setattr(trials, "record_of", fail)
    words = ["train", "--out", tmp_path, "--name", "one", "--quiet", *QUICK]
    assert call(*words)[0] == 2
    assert (tmp_path / "one" / trials.MODEL).exists()


@pytest.mark.parametrize("command", ["train", "run", "report"])
def test_ctrl_c_says_what_is_true_of_the_command(tmp_path, study, monkeypatch, command):
    """研究的记录都在；train 什么也没有存下，空文件夹也不留。"""
    from vision_attention.cli import study as command_study

    def stop(*details):
        raise KeyboardInterrupt

    monkeypatch.setattr(trials, "train", stop)
    monkeypatch.setattr(command_study, "run_session", stop)
    monkeypatch.setattr(command_study, "summarize", stop)
    out = tmp_path / "out"
    words = [command] if command == "train" else ["study", command, study]
    code, text = call(*words, "--out", out)
    said = {"train": "从头训练", "run": "只做缺的", "report": "已停下。\n"}
    assert (code, said.pop(command) in text) == (130, True)
    assert not any(other in text for other in said.values())
    assert not out.exists() or list(out.iterdir()) == []


@pytest.mark.parametrize(
    ("file", "given", "title"),
    [
        ("study.yaml", "study.yaml", "my study"),
        ("mine.yaml", "mine.yaml", "mine"),
        ("study.yaml", "../my study/study.yaml", "my study"),
    ],
)
def test_a_readers_own_study_has_a_title_and_its_command_works(
    tmp_path, study, monkeypatch, file, given, title
):
    folder = tmp_path / "my study"
    folder.mkdir()
    study.rename(folder / file)
    monkeypatch.chdir(folder)
    code, text = call("study", "report", given)
    assert (code, text.startswith(f"# {title}\n")) == (0, True)
    printed = re.search("重做：`vision-attention (.*)`", text)[1]
    words = shlex.split(printed)
    assert words == ["study", "run", given]
    assert call("study", "status", words[-1])[0] == 0
    elsewhere = tmp_path / "别处 的记录"
    text = call("study", "report", given, "--out", elsewhere)[1]
    printed = re.search("重做：`vision-attention (.*)`", text)[1]
    assert shlex.split(printed) == [*words, "--out", str(elsewhere)]


def test_study_runs_reports_and_verifies(tmp_path, study):
    """小研究在两个框架里从头走一遍。"""
    out = ["--out", tmp_path / "records"]
    code, text = call("study", "run", study, *out, "--workers", "1")
    assert (code, "写下 8 条记录，失败 0 个" in text) == (0, True)
    assert "这一趟要做 0 个" in call("study", "run", study, *out)[1]
    code, text = call("study", "status", study, *out)
    assert (code, "torch：完成 4，还缺 0" in text) == (0, True)
    code, text = call("study", "report", study, *out)
    assert (code, "看不出差别" in text or "次数不够" in text) == (0, True)
    found = json.loads(call("study", "report", study, "--json", *out)[1])
    assert found["missing"] == 0
    words = ["--fraction", "0.25", "--seed", "1"]
    code, text = call("study", "verify", study, *out, *words)
    assert (code, "复现了 2/2 条" in text) == (0, True)


@pytest.fixture
def here(monkeypatch):
    """不起工作进程，也不试飞：上一个测试两样都有，这里看的是命令怎么说。"""
    monkeypatch.setattr(session, "local_executor", lambda *layout: Here(runner.work))
    monkeypatch.setattr(session, "preflight", lambda *given: [])


@pytest.mark.usefixtures("here")
def test_failing_run_gives_a_nonzero_exit(tmp_path, study):
    study.write_text(STUDY.replace("max_train_eval: 10", "lr: 1.0e+18"), "utf8")
    out = ["--out", tmp_path / "records"]
    words = ["--framework", "torch", "--limit", "1", "--workers", "1"]
    code, text = call("study", "run", study, *out, *words)
    assert code == 1
    assert "失败 1 个" in text


@pytest.mark.usefixtures("here")
def test_limit_and_framework_choose_the_runs(tmp_path, study):
    out = ["--out", tmp_path / "records"]
    words = ["--framework", "torch", "--limit", "1", "--workers", "1"]
    assert "这一趟要做 1 个" in call("study", "run", study, *out, *words)[1]
    text = call("study", "status", study, *out)[1]
    assert "torch：完成 1，还缺 3" in text
    assert "paddle：完成 0，还缺 4" in text


def test_status_tells_bad_lines_and_old_records(tmp_path, study):
    old = parse(STUDY.replace("seeds: 2", "seeds: [7]"))
    folder = tmp_path / "records"
    folder.mkdir()
    records.append(folder / "records.jsonl", stand_in(expand(old)[0]))
    with (folder / "records.jsonl").open("a") as file:
        file.write("xx\n")
    code, text = call("study", "status", study, "--out", folder)
    assert code == 1
    assert "另有 1 条记录不是现在的 study.yaml 所问的" in text
    assert "第 2 行" in text


def test_wrong_study_is_refused_before_any_run(tmp_path, study):
    study.write_text(STUDY.replace("simam}", "siman}"), "utf8")
    code, text = call("study", "run", study, "--out", tmp_path / "records")
    assert code == 2
    assert "'simam'" in text
    assert not (tmp_path / "records" / "records.jsonl").exists()


@pytest.mark.parametrize("name", ["vit_data", "没有这个.yaml"])
def test_unknown_study_is_refused(name):
    code, text = call("study", "report", name)
    assert (code, text.startswith("错误：")) == (2, True)


def test_list_shows_every_shipped_study():
    code, text = call("study", "list")
    assert code == 0
    for name in ("vit_data_size", "which_gate"):
        assert name in text


def test_values_after_set_are_read_as_yaml():
    from vision_attention.cli.train import _pairs

    found = _pairs(["a.b=3", "a.c=true", "a.d=[1, 2]", "a.e=cbam", "a.f=1e-3"])
    assert found["a.b"] == 3
    assert found["a.c"] is True
    assert found["a.d"] == [1, 2]
    assert found["a.e"] == "cbam"
    np.testing.assert_allclose(found["a.f"], 1e-3)


@pytest.mark.parametrize("out", ["~nobody-here/x", "x" * 300])
@pytest.mark.parametrize(
    "words",
    [["study", "run"], ["study", "status"], ["study", "verify"], ["train", *QUICK]],
)
def test_a_folder_that_cannot_be_is_said_in_chinese(words, out, study, monkeypatch):
    monkeypatch.chdir(study.parent)
    own = [study] if words[0] == "study" else []
    code, text = call(*words, *own, "--out", out)
    assert code == 2 or out[0] == "x"  # 太长的路径上没有记录，status 照实说没有
    assert re.search("[一-鿿]", text)
    assert not re.search(r"Errno|not|Traceback|No such", text)
    assert [path.name for path in study.parent.iterdir()] == [study.name]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.EACCES, "Permission denied", "a"), "a：没有权限"),
        (OSError(errno.ENOSPC, "记录写不进 a"), "记录写不进 a"),
        (OSError(errno.ENOTTY, "Inappropriate ioctl"), f"第 {errno.ENOTTY} 号错误"),
        (OSError("没有网络"), "没有网络"),
        (ValueError("steps=0 应为正整数"), "steps=0 应为正整数"),
    ],
)
def test_the_systems_english_never_reaches_the_reader(error, told):
    assert user_errors.told(error).endswith(told)
    assert "Errno" not in user_errors.told(error)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["train", "--steps", "x"], "--steps='x' 不合适；应为整数"),
        (["train", "--steps=1e9"], "--steps='1e9' 不合适；应为整数"),
        (["train", "--lr", "fast"], "--lr='fast' 不合适；应为数"),
        (["train", "--seed", "-1"], "--seed='-1' 不合适；应为不小于 0 的整数"),
        (["study", "run", "x", "--limit", "0"], "--limit='0' 不合适；应为不小于 1"),
        (["train", "--stps", "3"], "选项 --stps 不认识。是不是 --steps？"),
        (["train", "--steps"], "--steps 后面缺少取值"),
        (["study", "status"], "缺少 name"),
        (["tain"], "命令 'tain' 不认识"),
        (["train", "extra"], "命令 'train extra' 不认识"),
    ],
)
def test_what_typer_refuses_is_said_in_chinese(words, told):
    code, text = call(*words)
    assert (code, text.startswith("错误：")) == (2, True)
    assert told in text
    assert not re.search("Input should|valid|Usage", text)


def test_no_words_at_all_show_the_help():
    code, text = call()
    assert code == 2
    assert "study" in text


@pytest.mark.skipif(os.name == "nt", reason="Windows 的管道报别的错")
def test_a_reader_that_went_away_is_no_error(tmp_path):
    """Vision-attention look … | head：不说“系统的第 32 号错误”。"""
    photos = photographs(tmp_path / "photos")
    run = "import sys; from vision_attention.cli import app; app(sys.argv[1:])"
    words = [sys.executable, "-W", "ignore", "-c", run, "look", f"folder:{photos}"]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(words, check=False, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    told = done.stderr.decode("utf8")
    assert (done.returncode, "错误" in told, "Broken" in told) == (141, False, False)
