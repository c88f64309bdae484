"""命令 diagnose：两翼都做得完，停下再来不重做，报告自己就够看，坏输入一句话。"""

import errno
import html
import importlib
import json
import os
import re
import shutil
import signal
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from commands import call
from pictures import photographs
from PIL import Image
from stopping import interrupt, stop_at

from vision_attention import data
from vision_attention.cli import checkup_findings, checkups
from vision_attention.data import folder as folders
from vision_attention.storage import files, locks
from vision_attention.studies.design.runs import Run
from vision_attention.training import journal
from vision_attention.training.config import TrainConfig
from vision_attention.training.history import TrainingDivergedError

# 门面上的 diagnose 是命令，文件要这样取
command = importlib.import_module("vision_attention.cli.diagnose")
QUICK = ["--steps", "4", "--eval-every", "2", "--batch-size", "8", "--quiet"]
SMALL = ["--set", "data.image_size=8"]
WAYS = ("whole", "half")


def trained(root, framework="torch", model="small_cnn", extra=(), count=8):
    """一次很短的训练，与它的图片。"""
    photos = photographs(root / "photos", count)
    words = ["--data", f"folder:{photos}", "--framework", framework, "--model", model]
    words += ["--out", root, "--name", "it", *QUICK, *SMALL, *extra]
    assert call("train", *words)[0] == 0
    return root / "it"


class Clock:
    """自己走的钟：每问一次过一秒。"""

    def __init__(self):
        self.now = 0

    def __call__(self):
        self.now += 1
        return self.now


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """大家共用的一次训练；要改的先抄一份。"""
    return trained(tmp_path_factory.mktemp("one"))


@pytest.fixture
def run(one, tmp_path):
    """抄来的一份，图片仍在原处。"""
    return shutil.copytree(one, tmp_path / "it")


class Page(HTMLParser):
    """报告里的标签与别处的地址。"""

    def __init__(self, text):
        super().__init__()
        self.images, self.outside, self.links = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "img":
            self.images.append(found)
        if tag == "a":
            self.links.append(found["href"])
        for name in ("src", "poster", "data"):
            if not found.get(name, "data:").startswith("data:"):
                self.outside.append(found[name])
        self.outside += [tag] * (tag in ("link", "script", "iframe"))


@pytest.mark.parametrize("framework", ["torch", "paddle"])
def test_a_run_is_diagnosed_in_both_frameworks(tmp_path, framework):
    folder = trained(tmp_path, framework)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    code, text = call("diagnose", folder, "--quiet")
    assert code == 0
    assert re.search("^诊断：(过拟合|欠拟合|有毛病|都不明显|说不准)。", text, re.M)
    for told in (
        "差距 ",
        "图片加倍，测试",
        "换上 cbam，测试",
        "下一步 1：",
    ):
        assert told in text
    assert {n: (folder / n).read_bytes() for n in before} == before
    kept = json.loads((folder / "diagnosis.json").read_text("utf8"))["runs"]
    runs = [record["run"] for record in kept.values()]
    assert sorted({run["seed"] for run in runs}) == [0, 1, 2]
    # 12 张训练：全部、一半、换注意力各三粒；四分之一不足每类两张，不做
    assert sorted(run["data"].get("n_train", 12) for run in runs) == [6] * 3 + [12] * 6
    assert {run["model"].get("attention", "none") for run in runs} == {"none", "cbam"}
    assert all(run["framework"] == framework for run in runs)


def test_the_report_stands_alone_and_shows_the_mistakes(run):
    call("diagnose", run, "--quiet")
    text = (run / "report.html").read_text("utf8")
    page = Page(text)
    assert page.outside == []
    assert all(image["alt"] for image in page.images)
    assert all(link.startswith("https://") for link in page.links)
    record = json.loads((run / "record.json").read_text("utf8"))
    wrong = sum(row["test"] - row["correct"] for row in record["classes"])
    assert len(re.findall("概率 [01]", html.unescape(text))) == 2 * wrong
    assert ("一张也没有错" in text) == (wrong == 0)
    for told in ("训练与测试差多少", "图片多一些", "注意力帮不帮", "体检", "各类"):
        assert told in text


def test_test_pictures_are_named_by_their_file(one):
    """一类偏红，一类偏绿：名字与图对得上。"""
    case = command._case(one, None, None)
    names = checkup_findings.names_of(case)
    assert len(set(names)) == len(case.prepared.dataset.test_labels) == 3
    for name, image in zip(names, case.prepared.dataset.test_images, strict=True):
        with Image.open(one.parent / "photos" / name) as picture:
            brightest = np.asarray(picture).mean((0, 1)).argmax()
        assert image.mean((1, 2)).argmax() == brightest


def test_stopped_in_the_middle_goes_on_where_it_was(run, monkeypatch):
    done, execute = [], checkups.execute

    def stop_at_third(item, **options):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(item.key)
        return execute(item, **options)

    monkeypatch.setattr(checkups, "execute", stop_at_third)
    code, text = call("diagnose", run, "--quiet")
    assert (code, "做完的训练存着" in text) == (130, True)
    assert not (run / "report.html").exists()
    again = []
    monkeypatch.setattr(
        checkups,
        "execute",
        lambda item, **o: again.append(item.key) or execute(item, **o),
    )
    assert call("diagnose", run, "--quiet")[0] == 0
    assert len(done + again) == len({*done, *again}) == 8
    assert (run / "report.html").exists()


def test_budget_stops_between_two_and_says_what_is_missing(run, monkeypatch):
    class Short(checkups.Budget):
        def __init__(self, seconds):
            super().__init__(seconds, Clock())

    monkeypatch.setattr(command, "Budget", Short)
    spoiled(run, "record.json", seconds=1.0, cpu_seconds=1.0)
    code, text = call("diagnose", run, "--minutes", "0.25")
    assert code == 0
    assert "预算 0.25 分钟" in text
    assert re.search(r"训练 1/8：种子 1（已用 \d+ 秒，还要约 \d+ 秒）", text)
    assert re.search("没有做：.*--minutes", text)
    assert "没有做：" in (run / "report.html").read_text("utf8")


def test_a_training_on_a_busy_machine_does_not_eat_the_budget(run):
    """那次训练等了一千秒的处理器，不等于再做一次也要一千秒。"""
    spoiled(run, "record.json", seconds=1000.0, cpu_seconds=0.5)
    code, text = call("diagnose", run, "--attention", "skip", "--seeds", "2")
    assert (code, "每次约 0 秒" in text, "没有做" in text) == (0, True, False)
    spoiled(run, "record.json", seconds=1000.0, cpu_seconds=1000.0)
    code, text = call("diagnose", run, "--attention", "skip", "--seeds", "3")
    assert (code, "每次约 1000 秒" in text, "没有做" in text) == (0, True, True)


def test_a_budget_allows_what_fits():
    budget = checkups.Budget(10, Clock())
    budget.longest = 7
    assert budget.allows_another()  # 第 1 秒：1 + 7
    assert [budget.allows_another() for _ in range(3)] == [True, True, False]


def test_no_run_at_all_trains_first_and_then_goes_on(tmp_path):
    photos = photographs(tmp_path / "photos", 8)
    words = ["diagnose", "--data", f"folder:{photos}", "--steps", "4"]
    words += ["--framework", "torch", "--out", tmp_path, "--name", "mine", "--quiet"]
    words += ["--attention", "skip", "--seeds", "1"]
    code, text = call(*words)
    assert code == 0
    assert "不到 3 粒种子，做不得准" in text
    assert "换上" not in text
    kept = (tmp_path / "mine" / "model.safetensors").read_bytes()
    assert call(*words)[0] == 0
    assert (tmp_path / "mine" / "model.safetensors").read_bytes() == kept


@pytest.mark.parametrize("framework", ["torch", "paddle"])
def test_the_same_command_again_goes_on_without_a_name(tmp_path, framework):
    """没有写 --name：再运行同一条命令，接着用上次的训练，不再从头来。"""
    photos = photographs(tmp_path / "photos", 8)
    words = ["diagnose", "--data", f"folder:{photos}", "--steps", "4"]
    words += ["--framework", framework, "--out", tmp_path / "runs", "--quiet"]
    words += ["--attention", "skip", "--seeds", "1"]
    assert call(*words)[0] == call(*words)[0] == 0
    made = f"small_cnn-{framework}-seed0"
    assert [p.name for p in (tmp_path / "runs").iterdir()] == [made]
    # 坏了的不用；图片变了，是另一次训练
    (tmp_path / "runs" / made / "record.json").write_text("{")
    assert call(*words)[0] == 0
    (photos / "daisy" / "7.png").unlink()
    assert call(*words)[0] == call(*words)[0] == 0
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == [
        made,
        f"{made}-2",
        f"{made}-3",
    ]


@pytest.mark.parametrize("framework", ["torch", "paddle"])
@pytest.mark.parametrize("named", [["--name", "mine"], []])
def test_stopped_in_its_own_first_training_goes_on(
    tmp_path, monkeypatch, framework, named
):
    """第一次训练还没有做完就停下：再运行同一条命令，接着做，不从头来，也不另做一份。"""
    monkeypatch.setattr(command, "EVERY", 2)
    photos = photographs(tmp_path / "photos", 8)
    words = ["diagnose", "--data", f"folder:{photos}", "--steps", "4"]
    words += ["--framework", framework, "--quiet", "--attention", "skip"]
    words += ["--seeds", "1", *named, "--out"]
    assert call(*words, tmp_path / "whole")[0] == 0
    with monkeypatch.context() as patch:
        stop_at(patch, 3, interrupt)
        assert call(*words, tmp_path / "half")[0] == 130
    (left,) = (tmp_path / "half").iterdir()
    # 图片少了一张：是另一份数据，不接着做
    taken = photos / "daisy" / "7.png"
    pixels = taken.read_bytes()
    taken.unlink()
    code, text = call(*words, tmp_path / "half")
    assert (code, "停在半路" in text) == ((2, True) if named else (0, False))
    assert (left / "checkpoint.safetensors").exists()
    taken.write_bytes(pixels)
    walked, add = [], journal.Journal.add
    monkeypatch.setattr(
        journal.Journal,
        "add",
        lambda self, loss: walked.append(self.step) or add(self, loss),
    )
    assert call(*words, tmp_path / "half")[0] == 0
    assert walked[:2] == [2, 3]
    assert (left / "report.html").exists()
    made = [tmp_path / part / left.name / "model.safetensors" for part in WAYS]
    assert made[0].read_bytes() == made[1].read_bytes()


@pytest.mark.skipif(os.name == "nt", reason="Windows 锁不了文件夹")
def test_two_at_once_do_not_overwrite_each_other(run, tmp_path, monkeypatch):
    """第二个进程要等；诊断时文件夹是锁着的，做完就松开。"""
    words = ["--quiet", "--attention", "skip", "--seeds", "1"]
    before = {p.name: p.read_bytes() for p in run.iterdir()}
    with locks.alone(run):
        code, text = call("diagnose", run, *words)
    assert (code, "正由另一个进程诊断；请等它做完" in text) == (2, True)
    assert {p.name: p.read_bytes() for p in run.iterdir()} == before
    seen, health = [], checkups.health
    monkeypatch.setattr(
        checkups, "health", lambda *a: seen.append(locks.busy(run)) or health(*a)
    )
    assert call("diagnose", run, *words)[0] == 0
    assert (seen, locks.busy(run)) == ([True], False)
    # 报告放在别处的，锁的是那里
    with locks.alone(run):
        assert call("diagnose", run, *words, "--to", tmp_path / "r")[0] == 0


@pytest.mark.parametrize("framework", ["torch", "paddle"])
def test_sigterm_is_like_ctrl_c(tmp_path, monkeypatch, framework):
    """排队的时间到了：说怎样接着做，做完的存着，不留半截。"""
    before = signal.getsignal(signal.SIGTERM)
    run, execute, done = trained(tmp_path, framework), checkups.execute, []

    def terminate_at_third(item, **options):
        if len(done) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        done.append(item.key)
        return execute(item, **options)

    monkeypatch.setattr(checkups, "execute", terminate_at_third)
    # 训练时改过的不算：诊断自己也要改
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        code, text = call("diagnose", run, "--quiet")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (code, "再运行同一条命令接着做" in text) == (130, True)
    kept = json.loads((run / "diagnosis.json").read_text("utf8"))
    assert len(kept["runs"]) == 3
    assert not list(run.glob(".*"))


def test_pictures_that_moved_are_found_again(tmp_path):
    run = trained(tmp_path)
    (tmp_path / "photos").rename(tmp_path / "moved")
    code, text = call("diagnose", run, "--quiet")
    assert (code, "--data folder:新的路径" in text) == (2, True)
    (tmp_path / "moved").rename(tmp_path / "photos")
    words = ["--attention", "skip", "--seeds", "2", "--quiet"]
    assert call("diagnose", run, *words)[0] == 0
    done = json.loads((run / "diagnosis.json").read_text("utf8"))["runs"]
    # 搬了家，做过的不重做，也没有丢；少的那一粒在新的地方做
    (tmp_path / "photos").rename(tmp_path / "moved")
    words += ["--data", f"folder:{tmp_path / 'moved'}"]
    words[3] = "3"
    assert call("diagnose", run, *words)[0] == 0
    again = json.loads((run / "diagnosis.json").read_text("utf8"))["runs"]
    assert {key: again[key] for key in done} == done
    # 多的：一粒种子，一半的图与四分之一的图各一次
    assert len(again) == len(done) + (len(done) // 2)
    (tmp_path / "moved" / "daisy" / "0.png").unlink()
    code, text = call("diagnose", run, *words)
    assert (code, "时的不同（多了、少了或改过）" in text) == (2, True)


def test_a_class_with_one_training_picture_is_pointed_out(tmp_path):
    for part, count in (("train", 6), ("val", 3)):
        photographs(tmp_path / "photos" / part, count)
    for n in range(1, 6):
        (tmp_path / "photos" / "train" / "tulip" / f"{n}.png").unlink()
    words = ["--data", f"folder:{tmp_path / 'photos'}", "--out", tmp_path]
    assert call("train", *words, "--name", "it", *QUICK, *SMALL)[0] == 0
    words = ["--attention", "skip", "--seeds", "1", "--quiet"]
    code, text = call("diagnose", tmp_path / "it", *words)
    assert (code, "“tulip”训练里只有 1 张" in text) == (0, True)


def test_a_class_with_one_picture_altogether_is_refused(tmp_path):
    photos = photographs(tmp_path / "photos", 1)
    code, text = call("diagnose", "--data", f"folder:{photos}", "--out", tmp_path)
    assert (code, "不足两张" in text) == (2, True)


def test_diverged_seed_is_a_fault_of_the_training(run, monkeypatch):
    execute = checkups.execute

    def wild(item, **options):
        if item.seed == 1:
            raise TrainingDivergedError(3, 9.0, float("inf"), TrainConfig())
        return execute(item, **options)

    monkeypatch.setattr(checkups, "execute", wild)
    code, text = call("diagnose", run, "--quiet", "--attention", "skip")
    assert code == 0
    assert "诊断：有毛病。种子 1 的训练发散了：第 3 步的损失是 inf" in text


def spoiled(run, name, **changes):
    path = run / name
    content = json.loads(path.read_text("utf8"))
    path.write_text(json.dumps(content | changes), "utf8")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda run: spoiled(run, "record.json", format=9), "更新的版本"),
        (lambda run: spoiled(run, "record.json", curves={"x": 1}), "损坏"),
        (lambda run: spoiled(run, "record.json", classes=[]), "损坏"),
        (lambda run: (run / "record.json").write_text("{"), "不是完整的 JSON"),
        (lambda run: (run / "model.safetensors").write_bytes(b"x"), "不是完好的"),
        (lambda run: (run / "diagnosis.json").write_text("{"), "损坏；请把它移走"),
        (lambda run: (run / "diagnosis.json").write_text("[" * 99_999), "损坏；请把它"),
        (lambda run: (run / "diagnosis.json").write_text("[1]"), "损坏；请把它移走"),
        (lambda run: spoiled(run, "diagnosis.json", format="9"), "损坏；请把它移走"),
        (lambda run: spoiled(run, "diagnosis.json", format=9), "更新的版本"),
        (lambda run: spoiled(run, "diagnosis.json", fingerprint="0"), "另一份数据"),
    ],
)
def test_damage_is_one_plain_sentence_and_nothing_is_lost(run, spoil, told):
    content = {"format": 1, "fingerprint": "", "sanity": None, "runs": {}}
    (run / "diagnosis.json").write_text(json.dumps(content), "utf8")
    record = json.loads((run / "record.json").read_text("utf8"))
    spoiled(run, "diagnosis.json", fingerprint=record["data"]["fingerprint"])
    spoil(run)
    before = {p.name: p.read_bytes() for p in run.iterdir() if p.suffix != ".json"}
    words = ["--quiet", "--attention", "skip", "--seeds", "1"]
    code, text = call("diagnose", run, *words)
    assert (code, text.startswith("错误：")) == (2, True)
    assert told in text
    assert {n: (run / n).read_bytes() for n in before} == before
    assert not (run / "report.html").exists()


def test_a_training_still_running_is_not_diagnosed(tmp_path, run):
    (run / "record.json").rename(run / "settings.json")
    code, text = call("diagnose", run)
    assert (code, "还没有训练完" in text, "train --resume" in text) == (2, True, True)


@pytest.mark.parametrize("full", ["diagnosis.json", "report.html"])
def test_full_disk_keeps_what_was_done(run, monkeypatch, full):
    (run / "report.html").write_text("旧的一份")
    replacing, count = files.replacing, []

    def fails(path):
        if path.name == full:
            count.append(path)
            if full == "report.html" or len(count) > 2:
                raise OSError(errno.ENOSPC, "No space left on device")
        return replacing(path)

    monkeypatch.setattr(files, "replacing", fails)
    code, text = call("diagnose", run, "--quiet", "--attention", "skip")
    assert (code, f"{full}（磁盘满了）" in text) == (2, True)
    assert "做完的训练不会丢" in text
    # 报告写不下，结论照说
    assert ("诊断：" in text) == (full == "report.html")
    assert (run / "report.html").read_text() == "旧的一份"
    kept = json.loads((run / "diagnosis.json").read_text("utf8"))
    assert len(kept["runs"]) == {"diagnosis.json": 2, "report.html": 6}[full]
    assert not list(run.glob("*.tmp"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "缺少 RUN，也没有 --data"),
        (["--data", "folder:"], "缺少路径"),
        (["RUN", "--minutes", "0"], "--minutes 0"),
        (["RUN", "--attention", "cbma"], "cbam"),
        (["RUN", "--attention", "none"], "用的就是 none"),
        (["RUN", "--to", "FILE/x"], "--to"),
        (["没有这里"], "没有文件夹"),
    ],
)
def test_mistakes_are_one_plain_sentence(run, tmp_path, words, told):
    (tmp_path / "file").write_text("")
    places = {"RUN": run, "FILE/x": tmp_path / "file" / "x"}
    code, text = call(
        "diagnose", "--quiet", *(places.get(word, word) for word in words)
    )
    assert (code, text.startswith("错误：")) == (2, True)
    assert told in text


def test_report_may_go_elsewhere(run, tmp_path):
    words = ["--quiet", "--attention", "skip", "--seeds", "1", "--to", tmp_path / "r"]
    before = sorted(p.name for p in run.iterdir())
    assert call("diagnose", run, *words)[0] == 0
    assert sorted(p.name for p in run.iterdir()) == before
    assert sorted(p.name for p in (tmp_path / "r").iterdir()) == [
        "diagnosis.json",
        "report.html",
    ]


BASE = Run("train", "torch", {"name": "digits"}, {"name": "small_cnn"}, {}, {}, 5)


def test_plan_puts_what_matters_first():
    plan = checkups.plan_of(BASE, 40, 2, 3, "auto")
    assert [run.seed for run in plan.runs[:3]] == [5, 6, 7]
    assert [run.data.get("n_train") for run in plan.runs] == (
        [None] * 3 + [20] * 3 + [None] * 3 + [10] * 3
    )
    assert plan.runs[0] == BASE
    assert {run.model.get("attention") for run in plan.other} == {"cbam"}
    assert all(run.start_from == {"name": "small_cnn"} for run in plan.other)


def test_attention_is_chosen_by_what_the_run_has():
    gated = replace(BASE, model={"name": "small_cnn", "attention": "se"})
    assert checkups.plan_of(gated, 40, 2, 3, "auto").attention == "none"
    vit = replace(BASE, model={"name": "vit_tiny"})
    assert checkups.plan_of(vit, 40, 2, 3, "auto").other == []
    with pytest.raises(ValueError, match="拆不下来"):
        checkups.plan_of(vit, 40, 2, 3, "cbam")


def test_flat_model_has_mistakes_without_places(tmp_path):
    run = trained(tmp_path, model="mlp_small")
    words = ["--quiet", "--seeds", "1"]
    assert call("diagnose", run, *words)[0] == 0
    assert "叠上" not in (run / "report.html").read_text("utf8")


def test_pictures_are_decoded_once_and_again_when_changed(tmp_path, monkeypatch):
    photos = photographs(tmp_path, 3)
    seen, read = [], folders.read_pixels

    def watched(file, *words, **options):
        seen.append(file)
        return read(file, *words, **options)

    monkeypatch.setattr(folders, "read_pixels", watched)
    with folders.remembered():
        first = data.load(f"folder:{photos}", image_size=8)
        again = data.load(f"folder:{photos}", image_size=8, seed=1)
        assert (len(seen), first.name) == (6, again.name)
        Image.new("RGB", (9, 9), "blue").save(photos / "daisy" / "0.png")
        changed = data.load(f"folder:{photos}", image_size=8)
        assert (len(seen), changed.fingerprint != first.fingerprint) == (12, True)
    data.load(f"folder:{photos}", image_size=8)
    assert len(seen) == 18
