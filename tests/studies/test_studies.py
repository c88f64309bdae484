"""研究引擎：写错的 YAML 拦在开跑之前，打断、撞车、出错都不丢记录，结论算得对。"""

import ast
import importlib
import importlib.metadata
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy import stats
from stand_ins import Here, fragile, stand_in

import vision_attention
from vision_attention import statistics
from vision_attention.storage import records
from vision_attention.studies import StudyError, expand, names, open_study
from vision_attention.studies.design.runs import Run
from vision_attention.studies.results import report, tables
from vision_attention.studies.running import provenance, runner, verify
from vision_attention.studies.running.layout import Layout, best_layout, candidates
from vision_attention.studies.running.pool import Pool
from vision_attention.studies.running.preflight import preflight
from vision_attention.studies.running.progress import Progress
from vision_attention.studies.store.faults import faults_of
from vision_attention.studies.store.library import StudyStore
from vision_attention.studies.store.record import Reader
from vision_attention.studies.store.study_file import parse
from vision_attention.wings import attention_names

YAML = """\
question: 门有没有用？
metric: test_accuracy
data: {name: digits, n_train: 40}
model: {name: resnet_narrow}
train:
  steps: 6
  warmup_steps: 1
  batch_size: 16
  eval_every: 3
grid:
  gate:
    plain: {model.attention: none}
    cbam: {model.attention: cbam, model.attention_options.reduction_ratio: 4}
  train.augment: [none, weak]
compare: {factor: gate, reference: plain}
seeds: 3
frameworks: [torch, paddle]
budget: {minutes: 1}
"""
SPAWN = multiprocessing.get_context("spawn")


def edited(*changes):
    """把 YAML 改几处；要改的字必须在。"""
    text = YAML
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def store_in(folder, text=YAML):
    study = parse(text)
    return StudyStore("小研究", study, tuple(expand(study)), Path(folder))


def run_all(store, work=stand_in, watch=runner.quiet):
    with Pool(work, workers=2, threads=1) as executor:
        return runner.run_study(store, runner.pending(store), executor, watch)


def run_here(store, watch=runner.quiet):
    """同 run_all，不起工作进程。"""
    return runner.run_study(store, runner.pending(store), Here(stand_in), watch)


def lines_of(store):
    return [json.loads(line) for line in store.path.read_text("utf8").splitlines()]


# 写错的 YAML


WRONG = [
    (("metric:", "metrik:"), 2, "'metric'"),
    (("budget: {minutes: 1}", "budget: {minuts: 1}"), 18, "'minutes'"),
    (("seeds: 3", "seeds: 0"), 16, "seeds"),
    (("seeds: 3", "seeds: 很多"), 16, "列表"),
    (("seeds: 3", "seeds: [1, 1]"), 16, "互不相同"),
    (("seeds: 3", "seeds: 3\nseeds: 4"), 17, "写了两次"),
    (("[torch, paddle]", "[torch, padle]"), 17, "paddle"),
    (("[torch, paddle]", "[torch, torch]"), 17, "写了两次"),
    (("reference: plain", "reference: plian"), 15, "'plain'"),
    (("factor: gate", "factor: gates"), 15, "'gate'"),
    (("metric: test_accuracy", "metric: test_acuracy"), 2, "'test_accuracy'"),
    (("name: digits", "name: digit"), 3, "'digits'"),
    (("n_train: 40", "n_trian: 40"), 3, "'n_train'"),
    (("name: resnet_narrow", "name: resnet_narow"), 4, "'resnet_narrow'"),
    (("model: {name: resnet_narrow}", "model: {}"), 4, "缺少 name"),
    (("model.attention: none", "model.atention: none"), 12, "'attention'"),
    (("model.attention: none", "model.attention: cbma"), 12, "'cbam'"),
    (("  steps: 6", "  step: 6"), 6, "'steps'"),
    (("warmup_steps: 1", "warmup_steps: 9"), 7, "warmup_steps=9"),
    (("batch_size: 16", "batch_size: 16\n  seed: 3"), 9, "seeds"),
    (("[none, weak]", "[none, week]"), 14, "weak"),
    (("[none, weak]", "[]"), 14, "一个取值也没有"),
    (("[none, weak]", "[none, none]"), 14, "写了两次"),
    (("train.augment:", "trian.augment:"), 14, "train.steps"),
    (("question: 门有没有用？", "question: 门？"), 1, "太短"),
    (("seeds: 3", "seeds: [0"), 17, "YAML"),
    (("budget: {minutes: 1}\n", ""), 1, "budget"),
    (("budget: {minutes: 1}", "budget: {minutes: 0}"), 18, "太小，应大于 0"),
    (("seeds: 3", "seeds: 3\nexclude: [{gate: cbm}]"), 17, "'cbam'"),
    (("seeds: 3", "seeds: 3\noptions: {speed: 1}"), 17, "speed"),
    (("train.augment:", "model.gate:"), 14, "都叫 'gate'"),
    (("train.augment: [none, weak]", "data.name.x: [1]"), 14, "name='digits'"),
    (("seeds: 3", "seeds: 3\nexclude: [{gate: [a, b]}]"), 17, '["a", "b"]'),
    (("门有没有用", "门\x01有没有用"), 1, r"'\x01'"),
    (("n_train: 40", "n_train: lots"), 3, "n_train='lots'"),
    (("n_train: 40", "classes: 5"), 3, "classes=5"),
    (("n_train: 40", "label_noise: much"), 3, "label_noise='much'"),
]


@pytest.mark.parametrize(
    ("change", "line", "words"),
    WRONG,
    ids=[case[0][1] for case in WRONG],
)
def test_wrong_yaml_is_refused_with_line_and_remedy(change, line, words):
    with pytest.raises(StudyError) as caught:
        parse(edited(change))
    assert {number for number, _ in caught.value.problems} == {line}
    assert words in str(caught.value)


def test_a_fault_names_the_settings_it_concerns():
    """错误自己带着参数的名字：哪几项设置，不必从那句话里猜。"""
    model = {"name": "vit_tiny", "embed_dim": 62}
    sections = {"data": {}, "model": model, "train": {"lr": -1}, "options": {}}
    assert [(fault.section, fault.paths) for fault in faults_of("train", sections)] == [
        ("model", ("model.num_heads", "model.embed_dim")),
        ("train", ("train.lr",)),
    ]


def test_the_arm_that_changed_a_setting_is_blamed():
    """不相容的两项里，报错的那一项没有写出来：错在改了另一项的那一臂。"""
    change = ("train.augment: [none, weak]", "train.steps: [6, 0]")
    with pytest.raises(StudyError) as caught:
        parse(edited(change, ("warmup_steps: 1", "warmup_steps: 0")))
    assert {line for line, _ in caught.value.problems} == {14}
    change = ("train.augment: [none, weak]", "train.steps: [60, 6]")
    with pytest.raises(StudyError) as caught:
        parse(edited(change, ("  steps: 6\n  warmup_steps: 1\n", "  lr: 0.1\n\n")))
    assert {line for line, _ in caught.value.problems} == {14}
    assert "warmup_steps=20 大于 steps=6" in str(caught.value)


@pytest.mark.parametrize("framework", ["torch", "paddle"])
def test_attention_names_are_read_without_a_framework(framework):
    """不载入框架就读到的名字，正是两翼那张表里的。"""
    placement = importlib.import_module(f"vision_attention.{framework}.placement")
    assert attention_names() == ("none", *placement.ATTENTION)
    code = (
        "import sys; from vision_attention.wings import attention_names;"
        "attention_names(); assert not {'torch', 'paddle'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_summary_loads_no_heavy_half_of_scipy():
    """读者等的是它：scipy.stats 与 scipy.optimize 光是载入就要一两百毫秒。"""
    code = (
        "import sys; from vision_attention import studies;"
        "found = studies.summary('complexity');"
        "assert any(cell.get('detectable') for cell in found['cells']);"
        "heavy = {'scipy.stats', 'scipy.optimize', 'torch', 'paddle'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def vit_arms(last):
    """把两臂换成 ViT 的两种注意力范围。"""
    gates = "{model.attention: cbam, model.attention_options.reduction_ratio: 4}"
    vit = "{{model.name: vit_tiny, model.attention: {}}}".format
    plain = ("{model.attention: none}", vit("window"))
    return parse(edited(plain, (gates, vit(last))))


def test_attention_of_a_vit_is_its_range():
    """ViT 的 attention 取 window、locality，不是门的名字；卷积网络的正相反。"""
    runs = expand(vit_arms("locality"))
    assert {run.model["attention"] for run in runs} == {"window", "locality"}
    with pytest.raises(StudyError, match="attention='cbam' 不认识"):
        vit_arms("cbam")
    with pytest.raises(StudyError, match="attention='window' 不认识"):
        parse(edited(("model.attention: none", "model.attention: window")))


def test_two_mistakes_are_told_at_once():
    with pytest.raises(StudyError) as caught:
        parse(edited(("metric:", "metrik:"), ("minutes", "minuts")))
    assert [line for line, _ in caught.value.problems] == [2, 18, 18]


def test_arms_with_equal_settings_are_refused():
    same = "{model.attention: cbam, model.attention_options.reduction_ratio: 4}"
    with pytest.raises(StudyError, match="完全相同"):
        parse(edited(("{model.attention: none}", same)))


def test_common_start_needs_a_reference():
    compare = "compare: {factor: gate, reference: plain}"
    with pytest.raises(StudyError, match="参照臂"):
        parse(edited((compare, "common_start: true")))


# 从研究到运行


def test_runs_are_the_full_product_with_seeds_outermost():
    runs = expand(parse(YAML))
    assert len(runs) == 3 * 2 * 2 * 2
    assert [run.seed for run in runs[:8]] == [0] * 8
    assert len({run.key for run in runs}) == len(runs)


def test_excluded_combinations_do_not_run():
    rule = "seeds: 3\nexclude: [{gate: cbam, augment: weak}]"
    runs = expand(parse(edited(("seeds: 3", rule))))
    assert len(runs) == 3 * 2 * 3


def test_paths_reach_into_nested_settings():
    run = expand(parse(YAML))[2]
    assert run.model["attention_options"] == {"reduction_ratio": 4}


def test_key_survives_renamed_arms_and_reordered_yaml():
    renamed = edited(("    cbam:", "    门:"), ("steps: 6\n  warmup_steps: 1", "X"))
    renamed = renamed.replace("X", "warmup_steps: 1\n  steps: 6")
    before, after = (expand(parse(text)) for text in (YAML, renamed))
    assert [run.key for run in before] == [run.key for run in after]


def test_key_is_what_the_committed_records_were_written_with():
    """改动 key 的算法会让已有的记录全部作废；这个数变红时请三思。"""
    run = Run("train", "torch", {"name": "digits"}, {"name": "small_cnn"}, {}, {}, 3)
    assert run.key == "005e389cd5abd2ce"


@pytest.mark.parametrize("written", ["1e-3", "1E-3", "0.001", "1.0e-3", "+1e-3"])
def test_small_numbers_are_numbers(written):
    """YAML 1.1 把 1e-3 读成文字；这里不会。"""
    run = expand(parse(edited(("  steps: 6", f"  lr: {written}\n  steps: 6"))))[0]
    assert run.train["lr"] == 0.001


def test_run_comes_back_from_its_record():
    run = expand(parse(edited(("seeds: 3", "seeds: 3\ncommon_start: true"))))[2]
    assert Run.from_settings(run.settings()) == run
    assert run.start_from == {"name": "resnet_narrow", "attention": "none"}


# 跑


@pytest.fixture
def store(tmp_path):
    return store_in(tmp_path / "records")


def test_every_run_gets_one_record(store):
    tally = run_all(store)
    assert tally.done == len(store.runs)
    assert sorted(r["key"] for r in lines_of(store)) == sorted(
        run.key for run in store.runs
    )


def test_second_run_does_only_what_is_missing(store):
    run_here(store)
    lines = store.path.read_text("utf8").splitlines(keepends=True)
    store.path.write_text("".join(lines[:-3]), "utf8")
    assert len(runner.pending(store)) == run_here(store).done == 3


def test_failed_and_killed_runs_are_told_and_the_others_go_on(store):
    told = []
    tally = run_all(store, fragile, told.append)
    failed = len(store.runs) // 3 + 1
    assert (tally.done, len(tally.failed)) == (len(store.runs) - failed, failed)
    reasons = " ".join(event.text for event in told if event.kind == "failed")
    assert "这粒种子不行" in reasons
    assert "退出码 9" in reasons
    # 经过写在盘上
    details = [
        (store.folder / ".run" / f"{key}.error.txt").read_text("utf8")
        for key in tally.failed
    ]
    assert any("Traceback" in text for text in details)
    assert run_here(store).done == failed


RUNNER = """
import signal
import sys
# 后台的任务继承了「不理 Ctrl-C」：改回来，测试在哪里跑都一样
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path[:0] = [sys.argv[2], f"{sys.argv[2]}/studies"]
import stand_ins
import test_studies as t
if __name__ == "__main__":
    store = t.store_in(sys.argv[1])
    try:
        kinds = []
        work = getattr(stand_ins, sys.argv[3])
        t.run_all(store, work, lambda e: kinds.append(e.kind))
        print(kinds.count("start"), kinds.count("done"), flush=True)
    except KeyboardInterrupt:
        print("停", flush=True)
"""


def start_runner(folder, tmp_path, work="slow_stand_in"):
    script = tmp_path / "runner.py"
    script.write_text(RUNNER, "utf8")
    words = [sys.executable, script, folder, Path(__file__).parents[1], work]
    env = os.environ | {"RECORDS": str(Path(folder) / "records.jsonl")}
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=env)


def wait_for_lines(store, count):
    deadline = time.monotonic() + 300  # 机器忙的时候，光导入框架就要几十秒
    while not store.path.exists() or len(store.path.read_text().splitlines()) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_two_runners_share_the_work_and_repeat_nothing(store, tmp_path):
    pair = [start_runner(store.folder, tmp_path) for _ in range(2)]
    counts = [each.communicate(timeout=100)[0].split() for each in pair]
    started, done = (sum(map(int, column)) for column in zip(*counts, strict=True))
    # 不但记录不重，活也没有白做
    assert started == done == len(lines_of(store)) == len(store.runs)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_stopped_runner_loses_only_the_runs_in_flight(store, tmp_path, how):
    with start_runner(store.folder, tmp_path, "stuck_stand_in") as first:
        wait_for_lines(store, 3)
        first.send_signal(how)
    written = len(lines_of(store))
    assert 3 <= written < len(store.runs)
    assert run_here(store).done == len(store.runs) - written
    assert len(lines_of(store)) == len(store.runs)


def test_workers_leave_when_the_runner_is_killed(store, tmp_path):
    with start_runner(store.folder, tmp_path, "stuck_stand_in") as first:
        wait_for_lines(store, 2)
        children = Path(f"/proc/{first.pid}/task/{first.pid}/children")
        workers = [Path("/proc") / pid for pid in children.read_text().split()]
        first.kill()
    deadline = time.monotonic() + 10
    while any(alive(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(alive(worker) for worker in workers)


def alive(process):
    try:
        return "State:\tZ" not in (process / "status").read_text()
    except OSError:
        return False


def test_torn_and_foreign_lines_are_told_and_set_aside(store):
    run_here(store)
    tampered = lines_of(store)[0]
    tampered["run"]["seed"] = 99
    with store.path.open("a", encoding="utf8") as file:
        file.write(f'{{"hello": 1}}\n{json.dumps(tampered)}\n{{"key": "半')
    told = []
    runner.clean(store, told.append)
    assert [("第 25 行" in e.text) for e in told] == [True, False, False]
    assert ["缺少", "改过", "没有写完"] == [
        next(w for w in ("缺少", "改过", "没有写完") if w in e.text) for e in told
    ]
    assert len(store.done()) == len(store.runs)
    assert len((store.folder / records.REJECTED_NAME).read_text().splitlines()) == 3


REPORTED = ("processor", "code", "seconds", "cpu_seconds", "data", "framework")


@pytest.mark.parametrize("name", REPORTED)
def test_a_line_that_the_report_cannot_use_is_foreign(store, name):
    """少一项，或者那一项不是该有的样子，都在读的时候拦下，不留给报告去出错。"""
    store.folder.mkdir()
    for number, run in enumerate(store.runs[:4]):
        record = stand_in(run)
        if number == 1:
            del record[name]
        if number == 2 and isinstance(record[name], dict):
            record[name] = {}
        records.append(store.path, record)
    rejected = {item.line: item.reason for item in store.read().rejected}
    assert 2 in rejected and all(name in reason for reason in rejected.values())
    assert len(rejected) == (1 if name.endswith("seconds") else 2)
    assert report.summarize(store)["missing"] == len(store.runs) - 4 + len(rejected)


def test_full_disk_stops_the_study_with_whole_records(store, monkeypatch):
    append = records.append

    def full(path, record, **options):
        if len(store.done()) == 4:
            raise OSError(28, "腾出空间")
        return append(path, record, **options)

    monkeypatch.setattr(records, "append", full)
    with pytest.raises(OSError, match="腾出空间"):
        run_here(store)
    assert len(lines_of(store)) == 4
    monkeypatch.undo()
    assert run_here(store).done == len(store.runs) - 4


def test_progress_without_terminal_is_plain_lines(store, tmp_path):
    with (tmp_path / "log").open("w", encoding="utf8") as file:
        with Progress(store.runs, [], 2, "gate", Console(file=file)) as progress:
            run_here(store, progress)
    lines = (tmp_path / "log").read_text("utf8").splitlines()
    assert len(lines) == len(store.runs)
    assert "[24/24]" in lines[-1]
    assert "还需约 0 分 00 秒" in lines[-1]


def test_progress_table_counts_arms(store):
    with Progress(store.runs, [], 2, "gate", Console(quiet=True)) as progress:
        run_all(store, fragile, progress)
        table = progress.table()
    cells = [list(column.cells) for column in table.columns]
    assert sum(map(int, cells[1])) == 15
    assert sum(map(int, cells[4])) == 9


def test_layouts_use_every_core():
    assert candidates(1) == [Layout(1, 1)]
    assert {layout.workers * layout.threads for layout in candidates(8)} == {8}


def test_given_layout_is_obeyed():
    runs = list(expand(parse(YAML)))
    assert best_layout(runs, workers=3) == Layout(3, 1)
    assert best_layout(runs, workers=2, threads=4) == Layout(2, 4)


# 统计与结论


def test_interval_is_the_t_interval():
    values = [0.81, 0.84, 0.79, 0.9]
    found = statistics.mean_interval(values)
    expected = stats.ttest_1samp(values, 0)
    low, high = expected.confidence_interval(0.95)
    np.testing.assert_allclose((found.low, found.high), (low, high), rtol=1e-12)
    np.testing.assert_allclose(found.p, expected.pvalue, rtol=1e-9)


def test_differences_are_paired_by_seed():
    ours, theirs = {0: 0.5, 1: 0.7, 2: 0.9, 7: 0.0}, {2: 0.8, 1: 0.6, 0: 0.4, 5: 1.0}
    found = statistics.paired_difference(ours, theirs)
    assert found.n == 3
    np.testing.assert_allclose(found.mean, 0.1, rtol=1e-12)
    np.testing.assert_allclose((found.low, found.high), (0.1, 0.1), rtol=1e-9)


def test_holm_by_hand():
    """0.01×4 = 0.04，0.012×3 = 0.036 不得小于前一个，0.03×2 = 0.06，0.5×1。"""
    found = statistics.holm([0.012, 0.5, None, 0.01, 0.03])
    np.testing.assert_allclose(
        [p for p in found if p is not None], [0.04, 0.5, 0.04, 0.06], rtol=1e-12
    )
    assert found[2] is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.02, 0.03, 0.025], "提高"),
        ([-0.02, -0.03, -0.025], "降低"),
        ([0.02, -0.03, 0.01], "看不出差别"),
        ([0.0, 0.0, 0.0], "看不出差别"),
        ([0.3], "次数不够"),
        ([], "次数不够"),
    ],
)
def test_verdict_asks_whether_the_interval_contains_zero(values, expected):
    assert statistics.verdict(statistics.mean_interval(values)) == expected


def noisy(run):
    rng = np.random.default_rng([run.seed, run.framework == "paddle"])
    shift = 0.05 if run.model["attention"] == "cbam" else 0.0
    return stand_in(run, 0.8 + shift + 0.02 * float(rng.standard_normal()))


@pytest.fixture
def finished(store):
    store.folder.mkdir()
    for run in store.runs:
        records.append(store.path, noisy(run))
    return store


def test_summary_compares_each_arm_with_its_own_reference(finished):
    cells = report.summarize(finished)["cells"]
    assert len(cells) == 8
    arms = [cell for cell in cells if cell["levels"]["gate"] == "cbam"]
    # 同一粒种子的噪声相同，配对之后只剩门的 0.05
    for cell in arms:
        np.testing.assert_allclose(cell["difference"]["mean"], 0.05, rtol=1e-9)
        assert cell["verdict"] == "提高"
        assert cell["holds"]
    assert all("verdict" not in cell for cell in cells if cell not in arms)


def test_summary_is_plain_json(finished):
    found = report.summarize(finished)
    again = json.loads(json.dumps(found, allow_nan=False))
    assert again["cells"][0]["estimate"] == found["cells"][0]["estimate"]


def test_table_prints_the_numbers_of_the_summary(finished):
    found = report.summarize(finished)
    table = tables.markdown(found)
    for cell in found["cells"]:
        assert f"{cell['estimate']['mean']:.4f}" in table
    assert "还没有跑完" not in table
    assert found["policy"] in table


def test_missing_runs_are_stated(finished):
    lines = finished.path.read_text("utf8").splitlines(keepends=True)
    finished.path.write_text("".join(lines[:-5]), "utf8")
    found = report.summarize(finished)
    assert found["missing"] == 5
    assert "还缺 5 个" in tables.markdown(found)


def test_frameworks_are_compared_seed_by_seed(finished):
    rows = report.summarize(finished)["agreement"]
    assert len(rows) == 4
    runs = {r["key"]: r for r in finished.read().records}
    values = {
        (run.framework, run.seed): runs[run.key]["results"]["test_accuracy"]
        for run in finished.runs
        if run.levels["gate"] == "cbam" and run.levels["augment"] == "weak"
    }
    gaps = [values["paddle", seed] - values["torch", seed] for seed in range(3)]
    np.testing.assert_allclose(rows[-1]["difference"]["mean"], np.mean(gaps))
    assert rows[-1]["same_verdict"] is True
    printed = tables.markdown(report.summarize(finished)).partition("## 两个框架")[2]
    [line] = [x for x in printed.splitlines() if x.startswith("| cbam | weak |")]
    assert line.endswith("| 相同 |")


def test_one_common_seed_gives_no_verdict_to_compare(tmp_path):
    """Paddle 只做一粒种子时下不了结论：不是「不同」，是没有可比的。"""
    store = store_in(tmp_path, edited(("seeds: 3", "seeds: 3\npaddle_seeds: 1")))
    for run in store.runs:
        records.append(store.path, noisy(run))
    found = report.summarize(store)
    assert [row["difference"]["n"] for row in found["agreement"]] == [1] * 4
    assert {row["same_verdict"] for row in found["agreement"]} == {None}
    assert "两个框架结论相同的" not in tables.markdown(found)


def test_unmeasured_values_are_counted_not_averaged(store):
    store.folder.mkdir()
    for run in store.runs:
        record = noisy(run) if run.seed else stand_in(run, None)
        records.append(store.path, record)
    cell = report.summarize(store)["cells"][0]
    assert (cell["estimate"]["n"], cell["unmeasured"]) == (2, 1)


# 真的训练


SMALL = edited(("[none, weak]", "[none]"), ("seeds: 3", "seeds: 1\ncommon_start: true"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    store = store_in(tmp_path_factory.mktemp("trained"), SMALL)
    with runner.local_executor(1, 1, None) as executor:
        tally = runner.run_study(store, runner.pending(store), executor)
    assert tally.failed == {}
    return store


def test_real_study_runs_in_both_frameworks(trained):
    found = lines_of(trained)
    assert {r["framework"]["name"] for r in found} == {"torch", "paddle"}
    assert all(Reader()(json.dumps(r).encode()) == r for r in found)


def test_records_say_everything_needed_to_trust_them(trained):
    for record in lines_of(trained):
        assert record["results"]["parameters"] > 1000
        assert record["results"]["macs"] > record["results"]["parameters"]
        assert record["curves"]["step"] == [0, 3, 6]
        assert len(record["data"]["fingerprint"]) == 16
        assert record["model"]["attention_options"] in ({}, {"reduction_ratio": 4})
        assert record["train"]["seed"] == 0
        assert record["processor"]["threads"] == 1
        assert record["framework"]["version"][0].isdigit()
        assert record["cpu_seconds"] > 0
        assert record["started"].endswith("+00:00")
        assert set(record["code"]) == {"version", "commit", "dirty", "task"}


def test_the_two_wings_tell_the_same_story(trained):
    by_framework = {}
    for record in lines_of(trained):
        gate = record["run"]["model"]["attention"]
        by_framework.setdefault(gate, []).append(record["curves"]["test_loss"])
    for curves in by_framework.values():
        np.testing.assert_allclose(*curves, rtol=5e-3)


def test_arms_start_from_the_same_function_where_shapes_agree(trained):
    """常数以外的门会改变输出，但没有门的层从同一组数出发。"""
    from vision_attention import interop
    from vision_attention.studies.tasks.prepared import build_model, load_data
    from vision_attention.wings import load_wing

    plain, gated = (run for run in trained.runs if run.framework == "torch")
    dataset = load_data(plain)
    wing = load_wing("torch")
    ours, theirs = (
        interop.state(build_model(wing, run, dataset)) for run in (plain, gated)
    )
    for name, value in ours.items():
        np.testing.assert_array_equal(value, theirs[name])


@pytest.mark.parametrize(
    ("study", "arm", "part", "start"),
    [
        ("settings_attention", "gamma_1", "branch_attention.gamma", 1.0),
        ("settings", "identity_init", "branch_attention.channel.fc2.weight", 0.0),
        ("settings", "identity_init", "branch_attention.spatial.conv.weight", 0.0),
    ],
)
@pytest.mark.parametrize("framework", ["torch", "paddle"])
def test_what_an_arm_sets_at_the_start_is_not_overwritten(
    study, arm, part, start, framework
):
    """同名同形的权重从参照臂出发，可是 γ 与写成 0 的打分是这一臂的设置。"""
    from vision_attention import interop
    from vision_attention.studies import open_study
    from vision_attention.studies.tasks.prepared import build_model, load_data
    from vision_attention.wings import load_wing

    picked = {
        run.levels["setting"]: run
        for run in open_study(study).runs
        if run.framework == framework and run.seed == 0
    }
    wing, dataset = load_wing(framework), load_data(picked[arm])
    ours, theirs = (
        interop.state(build_model(wing, picked[name], dataset))
        for name in (arm, "default")
    )
    found = [value for name, value in ours.items() if name.endswith(part)]
    assert len(found) == 3 and all((value == start).all() for value in found)
    stem = next(name for name in ours if name.startswith("stem"))
    np.testing.assert_array_equal(ours[stem], theirs[stem])


def test_verify_finds_the_records_true_and_a_false_one_false(trained):
    found = [r for r in lines_of(trained) if r["framework"]["name"] == "torch"]
    found[1]["curves"]["test_loss"][1] += 1e-6
    outcomes = {c.record["key"]: c.outcome for c in verify.verify(found)}
    assert outcomes[found[0]["key"]] == verify.SAME
    assert outcomes[found[1]["key"]] == verify.DIFFERENT


def test_elsewhere_the_metrics_need_only_be_close():
    run = expand(parse(YAML))[0]
    record, again = stand_in(run, 0.80), stand_in(run, 0.83)
    assert verify.judge(record, again, strict=False).outcome == verify.CLOSE
    assert verify.judge(record, again, strict=True).outcome == verify.DIFFERENT
    again["results"]["test_accuracy"] = 0.9
    assert verify.judge(record, again, strict=False).outcome == verify.DIFFERENT


def test_an_untrained_arm_is_judged_by_its_metrics():
    """没有曲线可比时，指标不同也要看得出来。"""
    run = expand(parse(YAML))[0]
    record, again = stand_in(run), stand_in(run)
    record["curves"] = again["curves"] = {}
    assert verify.judge(record, again, strict=True).outcome == verify.SAME
    again["results"]["test_accuracy"] += 0.01
    assert verify.judge(record, again, strict=True).outcome == verify.DIFFERENT


@pytest.mark.parametrize(("loss", "gap"), [(0.5, 0.2), (8.0, 1.5)])
def test_a_large_loss_is_compared_in_proportion(loss, gap):
    run = expand(parse(YAML))[0]
    record, again = stand_in(run), stand_in(run)
    record["results"]["test_loss"] = loss
    for change, outcome in [(gap, verify.CLOSE), (2 * gap, verify.DIFFERENT)]:
        again["results"]["test_loss"] = loss + change
        assert verify.judge(record, again, strict=False).outcome == outcome


def test_sample_is_seeded_and_never_empty():
    found = [stand_in(run) for run in expand(parse(YAML))]
    assert verify.sample(found, 0.25, 1) == verify.sample(found, 0.25, 1)
    assert len(verify.sample(found, 0.25, 1)) == 6
    assert len(verify.sample(found, 0.001, 1)) == 1
    with pytest.raises(ValueError, match="fraction"):
        verify.sample(found, 0, 1)


def test_preflight_stops_what_only_a_framework_can_judge():
    typo = ("attention_options.reduction_ratio", "attention_options.reduction_raito")
    runs = expand(parse(edited(typo)))
    problems = preflight([run for run in runs if run.framework == "torch"])
    assert len(problems) == 1
    assert "'reduction_ratio'" in problems[0]


def test_preflight_stops_too_many_images():
    run = expand(parse(edited(("n_train: 40", "n_train: 5000"))))[0]
    assert "5000" in preflight([run])[0]


def test_a_wrong_kind_found_while_building_is_one_sentence(monkeypatch):
    from vision_attention.studies.tasks import prepared
    from vision_attention.wings import load_wing

    def build(spec):
        raise TypeError("unsupported operand")

    wing, run = load_wing("torch"), expand(parse(YAML))[0]
    monkeypatch.setattr(wing.module("models"), "build", build)
    with pytest.raises(
        ValueError, match=r"model：.*resnet_narrow.*unsupported operand"
    ):
        prepared.build_model(wing, run, prepared.load_data(run))


# 一条记录的来历


@pytest.mark.parametrize("framework", ["torch", "paddle"])
def test_version_is_asked_of_the_framework(framework, monkeypatch):
    """装的也许是 paddlepaddle-gpu：按包名去找就找不到。"""
    module = importlib.import_module(framework)

    def nowhere(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata.Distribution, "from_name", nowhere)
    assert provenance.version_of(framework) == str(module.__version__)


@pytest.fixture
def somebody(tmp_path, monkeypatch):
    """别人的仓库，有一次提交；返回运行 git 的函数，以及包所在的文件夹。"""

    def git(*words):
        who = ["-c", "user.name=某人", "-c", "user.email=a@b.c"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True)

    package = tmp_path / ".venv" / "vision_attention"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (tmp_path / "theirs.py").touch()
    git("init", "-q")
    git("add", "theirs.py")
    git("commit", "-q", "-m", "x")
    monkeypatch.setattr(provenance, "PACKAGE_FOLDER", package)
    provenance.code_version.cache_clear()
    yield git
    provenance.code_version.cache_clear()


def test_commit_is_that_of_the_package_not_of_whoever_holds_it(somebody):
    found = provenance.code_version()
    assert (found["commit"], found["dirty"]) == (None, None)
    somebody("add", ".venv")
    somebody("commit", "-q", "-m", "y")
    provenance.code_version.cache_clear()
    found = provenance.code_version()
    assert (len(found["commit"]), found["dirty"]) == (40, False)


# 随包发布的研究


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("part", ["records", "tuning"])
def test_shipped_study_is_sound(name, part):
    store = open_study(name)
    if part == "tuning":
        if store.tuning is None:
            return
        store = store.tuning
    reading = store.read()
    assert reading.rejected == []
    asked = {run.key for run in store.runs}
    keys = [record["key"] for record in reading.records]
    assert len(keys) == len(set(keys))
    assert set(keys) <= asked


@pytest.mark.parametrize("name", names())
def test_shipped_study_reports(name):
    store = open_study(name)
    if not store.path.exists():
        pytest.skip(f"{name} 还没有记录")
    found = report.summarize(store)
    assert found["missing"] + len(store.done()) == found["n_runs"]
    assert store.study.question in tables.markdown(found)


# 每个文件的目录

LIBRARY = Path(vision_attention.__file__).parent
ROOF = [
    *(LIBRARY / f"{name}.py" for name in ("wings", "statistics", "wording")),
    *(path for part in ("studies", "cli") for path in (LIBRARY / part).rglob("*.py")),
]


@pytest.mark.parametrize("path", ROOF, ids=lambda path: "/".join(path.parts[-2:]))
def test_contents_line_names_what_is_there(path):
    """文档字符串里「内容」一行说的名字，文件里都有。"""
    tree = ast.parse(path.read_text("utf8"))
    listed = re.search(
        r"^内容: (.*?)(。|——|；由|\Z)", ast.get_docstring(tree), re.M | re.S
    )
    said = re.sub("（.*?）", "", listed[1]) if listed else ""
    found = {
        getattr(node, "name", getattr(node, "asname", None) or getattr(node, "id", ""))
        for node in ast.walk(tree)
    }
    for word in re.findall("[A-Za-z_][A-Za-z_0-9]*", said):
        assert word in found
