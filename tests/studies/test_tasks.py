"""研究的几种任务：训练并看注意力、代价、看得多远、预训练。"""

import json

import numpy as np
import pytest
from stand_ins import stand_in

from vision_attention import interop
from vision_attention.measure import timing
from vision_attention.studies import StudyError, expand
from vision_attention.studies.design.runs import Run
from vision_attention.studies.running import verify
from vision_attention.studies.running.execute import execute
from vision_attention.studies.running.layout import Layout, best_layout
from vision_attention.studies.store.study_file import parse
from vision_attention.studies.tasks import METRICS, TASKS
from vision_attention.studies.tasks.prepared import prepare
from vision_attention.studies.tasks.reach import spread
from vision_attention.studies.tasks.transfer import MODES
from vision_attention.wings import load_wing

QUICK = {"steps": 6, "warmup_steps": 1, "batch_size": 16, "eval_every": 3}
FAR = {"name": "two_marks", "distance": 12, "n_train": 40, "max_test": 40}
FEW = {"name": "digits", "classes": [5, 6, 7, 8, 9], "n_train": 25}
SOURCE = {"source_classes": [0, 1, 2, 3, 4], "source_n_train": 100, "source_steps": 20}
SMALL = {"name": "small_cnn", "width": 8}
TINY = {"name": "vit_tiny", "embed_dim": 16, "depth": 2, "num_heads": 2}


@pytest.fixture(scope="module", params=["torch", "paddle"])
def framework(request):
    return request.param


def made(task, framework, data, model, options=None, seed=0, **train):
    settings = QUICK | train
    return execute(Run(task, framework, data, model, settings, options or {}, seed))


def test_every_metric_has_a_name_and_a_task():
    measured = {name for task in TASKS.values() for name in task.measures}
    assert measured == METRICS.keys()


# 训练并看 -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def looked(framework):
    """训练并看的一次，几个测试共用。"""
    return made("train_and_look", framework, {"name": "digits", "n_train": 30}, TINY)


def test_looking_changes_nothing_about_the_training(framework, looked):
    plain = made("train", framework, {"name": "digits", "n_train": 30}, TINY)
    assert plain["results"].items() <= looked["results"].items()
    assert plain["curves"].items() <= looked["curves"].items()


def test_distance_is_measured_in_pixels_for_every_layer(looked):
    distances = looked["curves"]["distance"]
    assert looked["curves"]["layer"] == [1, 2]
    results = looked["results"]
    assert results["attention_distance_first"] == distances[0]
    assert results["attention_distance_last"] == distances[-1]
    np.testing.assert_allclose(
        results["attention_distance"], np.mean(distances), rtol=1e-6
    )
    # 4×4 个 token 一视同仁时，平均距离是 2.01 个 token；每个 token 2 像素
    np.testing.assert_allclose(distances, 2 * 2.01, rtol=0.02)


def test_model_without_attention_has_no_distance(framework):
    found = made("train_and_look", framework, {"name": "digits", "n_train": 30}, SMALL)
    assert found["results"]["attention_distance"] is None
    assert found["curves"]["distance"] == []


# 看得多远 -----------------------------------------------------------------------


def reached(framework, model, **options):
    found = made("reach", framework, FAR, model, {"images": 8, **options})
    return found["results"], found["curves"]


def test_plain_network_sees_its_nine_pixels_and_no_more(framework):
    """三层 3×3、后两层步长 2：9×9；四个 4×4 位置里只有左上四个碰得到角上的像素。"""
    results, curves = reached(framework, SMALL, trained=False)
    assert results["reach_share"] <= 81 / 256
    assert results["reach_radius"] <= np.hypot(4.5, 4.5)
    assert curves["stage"] == [1, 2, 3]
    # 16×16 里 2×2 个，8×8 里 2×2 个，4×4 里 2×2 个
    assert curves["noticed"] == [4 / 256, 4 / 64, 4 / 16]
    assert (results["noticed_first"], results["noticed_last"]) == (4 / 256, 4 / 16)


def test_gate_lets_every_position_notice(framework):
    gated = {**SMALL, "attention": "se", "stages": [3]}
    gated["attention_options"] = {"reduction_ratio": 4}
    results, curves = reached(framework, gated, trained=False)
    assert curves["noticed"][:2] == [4 / 256, 4 / 64]
    assert results["noticed_last"] == 1.0


def test_self_attention_starts_blind_and_learns_to_look(framework):
    """γ 从 0 起步：训练之前与没有一样。"""
    model = {**SMALL, "attention": "self_attention", "stages": [3]}
    before, after = (
        made("reach", framework, FAR, model, {"trained": trained}, lr=0.02)["results"]
        for trained in (False, True)
    )
    assert before["noticed_last"] == 4 / 16
    assert after["noticed_last"] > 4 / 16


def test_vit_sees_everything_from_the_first_block(framework):
    results, curves = reached(framework, {**TINY, "pool": "mean"}, trained=False)
    assert curves["noticed"] == [1.0, 1.0]
    # 注意力一视同仁，所以梯度散在全图，不像卷积那样聚在中间
    assert results["reach_radius"] > np.hypot(4.5, 4.5)


def test_trained_reach_also_tells_how_well_it_learned(framework):
    found = made("reach", framework, FAR, SMALL, {"images": 8})
    assert found["curves"]["step"] == [0, 3, 6]
    assert found["results"]["test_accuracy"] == found["curves"]["test_accuracy"][-1]
    untrained = made("reach", framework, FAR, SMALL, {"images": 8, "trained": False})
    assert untrained["results"]["test_accuracy"] == found["curves"]["test_accuracy"][0]
    assert "step" not in untrained["curves"]


def test_spread_by_hand():
    field = np.zeros((5, 5))
    field[2, 2], field[2, 3], field[4, 2] = 90, 5, 5
    # 正中与右边一个已有 95 %：2 个像素，半径 1
    assert spread(field, 2) == (2 / 25, 1.0)
    field[2, 3] = 4
    assert spread(field, 2) == (2 / 25, 2.0)
    assert spread(np.ones((4, 4)), 1.5) == (1.0, pytest.approx(1.5 * 2**0.5))


# 代价 ---------------------------------------------------------------------------


COST = {"reference": {"attention": "none"}, "rounds": 3}
GATED = {"name": "small_cnn", "attention": "cbam", "image_size": 16, "in_channels": 2}
GATED["attention_options"] = {"min_hidden": 2}


def cost_run(framework, model=GATED, seed=0):
    return Run("cost", framework, {"name": "digits"}, model, {**QUICK}, COST, seed)


@pytest.fixture(scope="module")
def priced(framework):
    """量一次代价，几个测试共用。"""
    return execute(cost_run(framework))


def test_cost_measures_everything_it_names(priced):
    found = priced
    names = {*TASKS["cost"].measures} - {"cpu_seconds"}
    assert found["results"].keys() == names
    assert all(value > 0 for value in found["results"].values())
    assert found["results"]["latency_64"] > found["results"]["latency_1"]
    assert found["results"]["train_step"] > found["results"]["latency_64"]
    assert found["curves"] == {}
    json.dumps(found, allow_nan=False)


def test_cost_counts_the_size_that_the_model_has(framework, priced):
    """模型的图是 16×16、两个通道，数据只有 8×8：乘加照模型数。"""
    found = priced["results"]
    plain = execute(cost_run(framework, GATED | {"attention": "none"}))["results"]
    assert plain["parameters_ratio"] == plain["macs_ratio"] == 1
    ratio = found["parameters"] / plain["parameters"]
    np.testing.assert_allclose(found["parameters_ratio"], ratio, rtol=1e-6)
    first, second, third = 256 * 32 * 18, 64 * 32 * 288, 16 * 64 * 288
    assert plain["macs"] == first + second + third + 640


def test_cost_is_measured_on_the_cpu_only(framework, monkeypatch):
    """处理器时间与进程的内存，GPU 上的都不算：写了 gpu 就说，没有写就用 CPU。"""
    room, asked = load_wing(framework).module("device"), []
    find = room.find_device
    monkeypatch.setattr(
        room, "find_device", lambda *words: asked.append(words[0]) or find(*words)
    )
    run = cost_run(framework)
    execute(run)
    assert set(asked) == {"cpu"}
    run.train["device"] = "gpu"
    with pytest.raises(ValueError, match="请写 device: cpu"):
        TASKS["cost"].check(vars(run))


def test_without_proc_there_is_no_memory(framework, monkeypatch):
    def elsewhere(function):
        raise OSError("只能在 Linux 上用")

    monkeypatch.setattr("vision_attention.studies.tasks.cost.peak_memory", elsewhere)
    found = execute(cost_run(framework))["results"]
    assert found["memory"] is None
    assert found["memory_ratio"] is None


def test_timed_records_are_judged_by_their_exact_part():
    run = cost_run("torch")
    record = stand_in(run, 0.5) | {"curves": {}}
    record["results"] = {"latency_1": 0.25, "macs": 11, "macs_ratio": 1.5}
    again = json.loads(json.dumps(record))
    again["results"]["latency_1"] = 0.75
    for strict in (True, False):
        assert verify.judge(record, again, strict).outcome == verify.SAME
    again["results"]["macs_ratio"] = 1.5000001
    for strict in (True, False):
        found = verify.judge(record, again, strict)
        assert found.outcome == verify.DIFFERENT
        assert "macs_ratio 从 1.5 变成 1.5000001" in found.why
    del again["results"]["macs_ratio"]
    assert verify.judge(record, again, False).outcome == verify.DIFFERENT


def test_verify_redoes_a_timed_record():
    record = execute(cost_run("torch"))
    changed = json.loads(json.dumps(record))
    changed["results"]["macs"] += 1
    found = {c.record["results"]["macs"]: c for c in verify.verify([record, changed])}
    told = [found[one["results"]["macs"]].outcome for one in (record, changed)]
    assert told == [verify.SAME, verify.DIFFERENT]


def test_timings_are_taken_one_at_a_time_with_one_thread(monkeypatch):
    """量时间的研究不先比谁快：分法定死，两个进程会抢同一份缓存。"""
    monkeypatch.setattr("vision_attention.studies.running.layout.cores", lambda: 8)
    runs = [cost_run("torch", seed=seed) for seed in range(40)]
    told = []
    assert best_layout(runs, say=told.append) == Layout(1, 1)
    assert "一个线程" in told[0]
    assert best_layout(runs[:1]) == Layout(1, 1)
    assert best_layout(runs, workers=3) == Layout(3, 1)


def test_ways_take_turns():
    order = []
    functions = {0: lambda: order.append(0), 1: lambda: order.append(1)}
    times = timing.alternate(functions, rounds=4)
    assert [len(values) for values in times.values()] == [4, 4]
    turns = [order[i] for i in range(1, len(order)) if order[i] != order[i - 1]]
    # 先后轮换：… 0 1 | 1 0 | 0 1 | 1 0
    assert turns[-5:] == [0, 1, 0, 1, 0]


def test_ratio_is_taken_within_each_round():
    """机器在第三轮慢了十倍，比值不受影响。"""
    assert timing.ratio([2.0, 2.0, 20.0], [1.0, 1.0, 10.0]) == 2.0


# 预训练 -------------------------------------------------------------------------


def transferred(framework, mode, model=SMALL, options=None, **train):
    options = {"mode": mode, **SOURCE, **(options or {})}
    return made("transfer", framework, FEW, model, options, **train)


@pytest.fixture(scope="module", params=[SMALL, TINY], ids=["cnn", "vit"])
def model(request):
    return request.param


@pytest.fixture(scope="module")
def moved(framework, model):
    """三种做法各一次，几个测试共用。"""
    return {mode: transferred(framework, mode, model) for mode in MODES}


def test_pretraining_is_the_same_run_in_each_mode(moved):
    results = {mode: record["results"] for mode, record in moved.items()}
    tuned, probed = results["finetune"], results["linear_probe"]
    assert tuned["source_accuracy"] == probed["source_accuracy"] > 0.2
    assert results["scratch"]["source_accuracy"] is None


def test_scratch_is_plain_training(framework, model, moved):
    plain = made("train", framework, FEW, model)
    assert moved["scratch"]["curves"] == plain["curves"]


def test_probe_and_finetuning_start_from_the_same_features(moved):
    """第 0 步：主干相同、头相同；线性探针的主干此后不动。"""
    curves = {mode: record["curves"] for mode, record in moved.items()}
    first = {m: c["test_loss"][0] for m, c in curves.items()}
    assert first["finetune"] == first["linear_probe"] != first["scratch"]
    assert curves["finetune"]["test_loss"] != curves["linear_probe"]["test_loss"]


def fitted(framework, monkeypatch, mode, **settings):
    """每次训练开始时的权重、数据与设置。"""
    room = load_wing(framework).module("training")
    fit, seen = room.fit, []

    def spy(model, dataset, config):
        seen.append((interop.state(model), dataset, config))
        return fit(model, dataset, config)

    with monkeypatch.context() as patch:
        patch.setattr(room, "fit", spy)
        transferred(framework, mode, **settings)
    return seen


def starts(framework, mode, monkeypatch):
    """每次训练开始时的权重。"""
    return [weights for weights, *_ in fitted(framework, monkeypatch, mode)]


def test_only_the_body_is_carried_over(framework, monkeypatch):
    """分类头从同一组数出发：预训练的头认的是别的类，不搬。"""
    (scratch,) = starts(framework, "scratch", monkeypatch)
    teacher, tuned = starts(framework, "finetune", monkeypatch)
    assert teacher.keys() == tuned.keys() == scratch.keys()
    same = {n for n, value in scratch.items() if np.array_equal(value, tuned[n])}
    assert same == {"head.weight", "head.bias"}


def test_trunk_rate_is_for_finetuning_alone(framework, monkeypatch):
    first, second = fitted(framework, monkeypatch, "finetune", trunk_lr=1e-5)
    assert (first[2].trunk_lr, second[2].trunk_lr) == (None, 1e-5)


@pytest.mark.parametrize("how", ["target", "source", "none"])
def test_pictures_are_normalized_as_asked(framework, monkeypatch, how):
    """预训练总按它自己的图片；之后的按说好的。"""
    (_, source, _), (_, target, _) = fitted(
        framework, monkeypatch, "finetune", options={"normalization": how}
    )
    seen = {"source": source.train_images / 255, "target": target.train_images / 255}
    known = {whose: (images.mean(), images.std()) for whose, images in seen.items()}
    known["none"] = 0, 1
    for found, whose in ((source, "source"), (target, how)):
        assert np.allclose((*found.mean, *found.std), known[whose], rtol=1e-5)


def test_head_rate_is_for_the_probe_alone(framework, model, moved):
    options = {**SOURCE, "head_lr": 0.02}
    for mode, expected in (("finetune", 1e-3), ("linear_probe", 0.02)):
        found = made("transfer", framework, FEW, model, {"mode": mode, **options})
        # 第 0 步的 lr 是一步升温之后的最高学习率
        assert found["curves"]["lr"][0] == expected
        plain = moved[mode]["results"]["source_accuracy"]
        assert found["results"]["source_accuracy"] == plain


def test_probe_moves_nothing_but_the_head(framework, model):
    run = Run("train", framework, FEW, model, QUICK, {}, 0)
    prepared = prepare(run)
    before = interop.state(prepared.model)
    probe = prepared.wing.module("probe").LinearProbe(prepared.model)
    prepared.wing.module("training").fit(probe, prepared.dataset, prepared.config)
    after = interop.state(prepared.model)
    moved = {n for n, value in before.items() if not np.array_equal(value, after[n])}
    # 批归一化的移动平均也在这些名字里
    assert moved == {"head.weight", "head.bias"}


# 写错的设置 ---------------------------------------------------------------------


YAML = """\
question: 看得有多远？
metric: {metric}
task: {task}
data: {data}
model: {model}
train: {{steps: 30, warmup_steps: 5}}
options: {options}
grid:
  data.n_train: [50, 100]
seeds: 3
frameworks: [torch, paddle]
budget: {{minutes: 1}}
"""
REACH = {
    "metric": "reach_share",
    "task": "reach",
    "data": "{name: digits}",
    "model": "{name: small_cnn}",
    "options": "{trained: false}",
}
TRANSFER = REACH | {
    "metric": "test_accuracy",
    "task": "transfer",
    "data": "{name: digits, classes: [5, 6]}",
    "options": "{mode: scratch, source_classes: [0, 1]}",
}
PRICE = REACH | {
    "metric": "latency_1_ratio",
    "task": "cost",
    "options": "{reference: {attention: none}}",
}
MODE = {"options": "{mode: finetun, source_classes: [0, 1]}"}
OVERLAP = {"options": "{mode: finetune, source_classes: [0, 5]}"}
ONE = {"options": "{mode: finetune, source_classes: [0]}"}
NESTED = {"options": "{mode: finetune, source_classes: [[0], 1]}"}
STEPS = {"options": "{mode: finetune, source_classes: [0, 1], source_steps: 4}"}
RATE = {"options": "{mode: linear_probe, source_classes: [0, 1], head_lr: -1}"}
SCALE = {"options": "{mode: scratch, source_classes: [0, 1], normalization: sorce}"}
IMAGES = {"options": "{mode: finetune, source_classes: [0, 1], source_n_train: 1}"}

WRONG = [
    (REACH, {"task": "reech"}, 3, "是不是 'reach'"),
    (REACH, {"metric": "reach_shar"}, 2, "是不是 'reach_share'"),
    (REACH, {"metric": "steps_to_fit"}, 2, "任务 reach 不给出 metric='steps_to_fit'"),
    (REACH, {"options": "{traind: false}"}, 7, "是不是 'trained'"),
    (REACH, {"options": "{trained: 0}"}, 7, "trained='0' 不认识"),
    (REACH, {"options": "{images: 0}"}, 7, "images=0 不合适"),
    (REACH, {"model": "{name: mlp_small}"}, 5, "没有位置"),
    (REACH, {"model": "{name: vit_tiny}"}, 5, "pool: mean"),
    (TRANSFER, MODE, 7, "是不是 'finetune'"),
    (TRANSFER, OVERLAP, 7, "都有 [5]"),
    (TRANSFER, ONE, 7, "至少两个类别"),
    (TRANSFER, NESTED, 7, "至少两个类别"),
    (TRANSFER, {"data": "{name: digits, classes: 5}"}, 4, "classes=5 不合适"),
    (TRANSFER, {"data": "{name: digits, classes: [5]}"}, 4, "至少两个类别"),
    (TRANSFER, STEPS, 7, "source_steps=4 不合适；应为不小于 5"),
    (TRANSFER, IMAGES, 7, "source_n_train=1 不合适"),
    (TRANSFER, RATE, 7, "lr=-1 不合适"),
    (TRANSFER, SCALE, 7, "是不是 'source'"),
    (TRANSFER, {"options": "{mode: finetune}"}, 7, "缺少 options.source_classes"),
    (TRANSFER, {"data": "{name: digits}"}, 4, "缺少 classes"),
    (PRICE, {"options": "{reference: {atention: none}}"}, 7, "是不是 'attention'"),
    (PRICE, {"options": "{reference: none}"}, 7, "应为「键: 值」"),
    (PRICE, {"options": "{}"}, 7, "缺少 options.reference"),
    (PRICE, {"options": "{reference: {}, rounds: 2}"}, 7, "rounds=2 不合适"),
    (PRICE, {"metric": "test_accuracy"}, 2, "任务 cost 不给出"),
]


@pytest.mark.parametrize(
    ("base", "change", "line", "words"),
    WRONG,
    ids=[f"{case[0]['task']}-{next(iter(case[1].values()))}" for case in WRONG],
)
def test_wrong_settings_are_refused_with_line_and_remedy(base, change, line, words):
    with pytest.raises(StudyError) as caught:
        parse(YAML.format(**base | change))
    assert {number for number, _ in caught.value.problems} == {line}
    assert words in str(caught.value)


@pytest.mark.parametrize("base", [REACH, TRANSFER, PRICE], ids=lambda b: b["task"])
def test_right_settings_pass(base):
    assert len(expand(parse(YAML.format(**base)))) == 2 * 3 * 2


# Paddle 只做几粒种子 ------------------------------------------------------------


def with_seeds(line):
    return YAML.format(**REACH).replace("seeds: 3", f"seeds: 3\n{line}")


@pytest.mark.parametrize(
    ("line", "seeds"),
    [("paddle_seeds: 1", {0}), ("paddle_seeds: [0, 2]", {0, 2}), ("", {0, 1, 2})],
)
def test_paddle_runs_only_the_seeds_it_was_given(line, seeds):
    runs = expand(parse(with_seeds(line)))
    found = {f: {r.seed for r in runs if r.framework == f} for f in ("torch", "paddle")}
    assert found == {"torch": {0, 1, 2}, "paddle": seeds}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("paddle_seeds: [1, 3]", "应取自 seeds"),
        ("paddle_seeds: [1, 1]", "不重复"),
        ("paddle_seeds: 0", "至少一个"),
        ("paddle_seeds: 多", "列表"),
    ],
)
def test_wrong_paddle_seeds_are_refused(line, words):
    with pytest.raises(StudyError, match=words) as caught:
        parse(with_seeds(line))
    assert {number for number, _ in caught.value.problems} == {11}


def test_paddle_seeds_without_paddle_are_refused():
    text = with_seeds("paddle_seeds: 1").replace("[torch, paddle]", "[torch]")
    with pytest.raises(StudyError, match="frameworks 里却没有 paddle"):
        parse(text)
