"""训练：学得会、可重复、断得了、续得上，两翼走同一条曲线。"""

import errno
import importlib
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from gaps import BOUNDS, gap
from limits import largest_file

from vision_attention import data, specs
from vision_attention.storage import files
from vision_attention.training import snapshots
from vision_attention.training.config import TrainConfig
from vision_attention.training.history import History, TrainingDivergedError
from vision_attention.training.journal import Journal, learning_rate

DIGITS = data.load("digits", n_train=50, seed=3, max_test=90)
QUICK = TrainConfig(
    steps=7, warmup_steps=2, batch_size=11, eval_every=3, lr=0.003, device="cpu"
)
# 随机深度要用随机数：续训若漏了它，曲线就会分岔
DROPPING = {"depth": 2, "drop_path_rate": 0.3}


def rooms(name):
    """一翼里与训练有关的房间。"""
    names = ("training", "checkpoint", "device", "sanity", "models", "init", "probe")
    path = f"vision_attention.{name}"
    parts = {n: importlib.import_module(f"{path}.{n}") for n in names}
    return SimpleNamespace(name=name, framework=importlib.import_module(name), **parts)


@pytest.fixture(params=["torch", "paddle"])
def room(request):
    return rooms(request.param)


def network(room, name="small_cnn", seed=0, **options):
    room.init.seed(seed)
    size = {"image_size": 8, "in_channels": 1}
    return room.models.build(specs.named(name, **size, **options))


def arrays(model):
    return {name: np.array(t.numpy()) for name, t in model.state_dict().items()}


def layers(model):
    walk = getattr(model, "modules", None) or model.sublayers
    return list(walk())


def weights(model):
    """可学习的参数；Paddle 把批归一化的两个统计量也叫参数，它们不算。"""
    named = model.named_parameters()
    return [(n, p) for n, p in named if not getattr(p, "stop_gradient", False)]


def values(parameter):
    return np.array(parameter.detach().numpy())


def scale(parameter, factor):
    with_values = getattr(parameter, "set_value", None) or parameter.data.copy_
    with_values(parameter.detach() * factor)


def freeze(parameter):
    parameter.stop_gradient = True
    parameter.requires_grad = False


def assert_same(left, right):
    assert left.keys() == right.keys()
    for name in left:
        np.testing.assert_array_equal(left[name], right[name], err_msg=name)


def batch_losses(room, model, config):
    """逐步的训练损失。"""
    training, losses = room.training, []
    optimizer = training.build_optimizer(model, config)
    model.train()
    for step, batch in enumerate(training.batches(DIGITS, config)):
        training.set_lr(optimizer, learning_rate(config, step))
        losses.append(float(training.train_step(model, optimizer, *batch, config)))
    return losses


class PowerCutError(Exception):
    """测试里的断电。"""


@contextmanager
def power_cut(room, monkeypatch, after):
    """走完 after 步之后断电。"""
    walk, steps = room.training.train_step, []

    def step(*args):
        if len(steps) == after:
            raise PowerCutError
        steps.append(1)
        return walk(*args)

    with monkeypatch.context() as patch, pytest.raises(PowerCutError):
        patch.setattr(room.training, "train_step", step)
        yield


# 学习 ---------------------------------------------------------------------------


def test_memorises_sixteen_digits(room):
    few = data.load("digits", n_train=16, seed=1)
    config = replace(QUICK, steps=120, eval_every=120, batch_size=16, lr=0.01)
    history = room.training.fit(network(room), few, config)
    assert history.train_accuracy[-1] == 1.0
    assert history.train_loss[-1] < 0.1


def test_evaluation_points(room):
    history = room.training.fit(network(room), DIGITS, QUICK)
    assert history.step == [0, 3, 6, 7]
    assert history.lr == [learning_rate(QUICK, step) for step in (0, 3, 6, 7)]


def test_curves_are_evaluations_of_the_plain_images(room):
    model = network(room, "resnet_narrow")
    config = replace(QUICK, augment="strong", label_smoothing=0.2)
    history = room.training.fit(model, DIGITS, config)
    train = DIGITS.normalize(DIGITS.train_images), DIGITS.train_labels
    test = DIGITS.normalize(DIGITS.test_images), DIGITS.test_labels
    last = history.train_loss[-1], history.train_accuracy[-1]
    assert room.training.evaluate(model, *train) == last
    last = history.test_loss[-1], history.test_accuracy[-1]
    assert room.training.evaluate(model, *test) == last


def test_large_training_sets_are_sampled_evenly(room):
    config = replace(QUICK, max_train_eval=9)
    model = network(room)
    history = room.training.fit(model, DIGITS, config)
    picked = np.linspace(0, 49, 9).astype(int)
    images = DIGITS.normalize(DIGITS.train_images[picked])
    score = room.training.evaluate(model, images, DIGITS.train_labels[picked])
    assert (history.train_loss[-1], history.train_accuracy[-1]) == score


def test_times_are_recorded(room):
    """机器快慢不论，外面的钟总比里面的走得多。"""
    model, start = network(room), (time.perf_counter(), time.process_time())
    history = room.training.fit(model, DIGITS, QUICK)
    assert 0 < history.seconds < time.perf_counter() - start[0]
    assert 0 < history.cpu_seconds < time.process_time() - start[1]
    assert history.images_per_second > 7 * 11 / history.seconds


def test_times_go_on_where_an_earlier_run_stopped(monkeypatch):
    """从前走 3 步、33 张，每秒 3 张，即 11 秒；又走 3 步用 2 秒，评估用 5 秒。"""
    now = [100.0]
    clocks = SimpleNamespace(
        perf_counter=lambda: now[0], process_time=lambda: 4 * now[0]
    )
    monkeypatch.setattr("vision_attention.training.journal.time", clocks)
    score = (1.0, 0.5)
    before = replace(
        History().with_point(3, 0.003, score, score),
        seconds=20.0,
        cpu_seconds=40.0,
        images_per_second=3.0,
    )
    with Journal(QUICK, before, lambda: True) as journal:
        now[0] = 102.0
        for _ in range(3):
            journal.add(0.5)
        now[0] = 107.0
        journal.record(score, score)
    found = journal.history
    assert (found.seconds, found.cpu_seconds) == (20 + 7, 40 + 4 * 7)
    assert found.images_per_second == pytest.approx(66 / (11 + 2))


def test_history_is_json(room):
    history = room.training.fit(network(room), DIGITS, QUICK)
    assert History(**json.loads(json.dumps(asdict(history)))) == history


def test_model_ends_in_training_mode(room):
    model = network(room)
    model.eval()
    room.training.fit(model, DIGITS, QUICK)
    assert all(layer.training for layer in layers(model))


# 可重复 -------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_same_seed_same_history(room, optimizer):
    config = replace(QUICK, optimizer=optimizer, augment="strong")
    first = room.training.fit(network(room, "vit_tiny", **DROPPING), DIGITS, config)
    model = network(room, "vit_tiny", **DROPPING)
    room.init.seed(99)
    assert room.training.fit(model, DIGITS, config) == first


def test_drop_path_follows_the_seed(room):
    model, other = (network(room, "vit_tiny", drop_path_rate=0.5) for _ in range(2))
    optimizers = [room.training.build_optimizer(m, QUICK) for m in (model, other)]
    batch = next(room.training.batches(DIGITS, QUICK))
    losses = []
    for seed, m, optimizer in zip((1, 2), (model, other), optimizers, strict=True):
        room.device.reseed(seed, 0)
        losses.append(float(room.training.train_step(m, optimizer, *batch, QUICK)))
    assert losses[0] != losses[1]


def test_another_seed_another_history(room):
    first = room.training.fit(network(room), DIGITS, QUICK)
    other = room.training.fit(network(room), DIGITS, replace(QUICK, seed=1))
    assert first != other


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("augment", ["none", "strong"])
@pytest.mark.parametrize("name", ["small_cnn", "vit_tiny", "resnet_narrow"])
def test_wings_walk_the_same_curve(name, optimizer, augment):
    config = TrainConfig(
        steps=20,
        warmup_steps=4,
        batch_size=32,
        optimizer=optimizer,
        augment=augment,
        label_smoothing=0.1,
        lr=0.003 if optimizer == "adamw" else 0.05,
        device="cpu",
    )
    curves = [
        batch_losses(room, network(room, name, seed=5), config)
        for room in map(rooms, ("torch", "paddle"))
    ]
    assert curves[0][0] > curves[0][-1]
    assert gap(*curves) <= BOUNDS["curve"]


# 优化器 -------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_only_matrices_and_kernels_decay(room, optimizer):
    config = replace(QUICK, optimizer=optimizer, weight_decay=0.5, lr=0.1)
    model = network(room, "resnet_narrow")
    before = {name: values(p) for name, p in weights(model)}
    optimizer = room.training.build_optimizer(model, config)
    for _, parameter in weights(model):
        parameter.grad = room.framework.zeros_like(parameter)
    optimizer.step()
    for name, parameter in weights(model):
        kept = 0.95 if before[name].ndim >= 2 else 1.0
        np.testing.assert_allclose(values(parameter), kept * before[name], 1e-5)


def test_clipping_bounds_the_step(room):
    config = replace(
        QUICK, optimizer="sgd", momentum=0.0, weight_decay=0.0, lr=1.0, clip_norm=0.01
    )
    model = network(room)
    before = {name: values(p) for name, p in weights(model)}
    optimizer = room.training.build_optimizer(model, config)
    batch = next(room.training.batches(DIGITS, config))
    room.training.train_step(model, optimizer, *batch, config)
    moved = [np.sum((values(p) - before[n]) ** 2) for n, p in weights(model)]
    assert math.sqrt(sum(moved)) == pytest.approx(0.01, rel=1e-3)


def test_frozen_parameters_stay(room):
    model = network(room)
    frozen = weights(model)[0][1]
    freeze(frozen)
    before = values(frozen)
    room.training.fit(model, DIGITS, QUICK)
    np.testing.assert_array_equal(values(frozen), before)


def test_nothing_to_learn_is_said(room):
    model = network(room)
    for _, parameter in weights(model):
        freeze(parameter)
    with pytest.raises(ValueError, match="没有可学习的参数"):
        room.training.fit(model, DIGITS, QUICK)


# 评估 ---------------------------------------------------------------------------


def test_evaluation_averages_by_image(room):
    model = network(room)
    images, labels = DIGITS.normalize(DIGITS.test_images[:47]), DIGITS.test_labels[:47]
    loss, accuracy = room.training.evaluate(model, images, labels, batch_size=13)
    whole = room.training.evaluate(model, images, labels)
    assert loss == pytest.approx(whole[0], rel=1e-5)
    assert accuracy == whole[1]


def test_evaluation_by_hand(room):
    model = network(room)
    images, labels = DIGITS.normalize(DIGITS.test_images[:5]), DIGITS.test_labels[:5]
    model.eval()
    logits = values(model(room.framework.tensor(images)))
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = -np.log(shares[np.arange(5), labels]).mean()
    loss, accuracy = room.training.evaluate(model, images, labels)
    assert loss == pytest.approx(expected, rel=1e-5)
    assert accuracy == (logits.argmax(1) == labels).mean()


def test_evaluation_restores_every_mode(room):
    model = network(room, "resnet_narrow")
    model.train()
    frozen = layers(model)[3]
    frozen.training = False
    before = [layer.training for layer in layers(model)]
    images = DIGITS.normalize(DIGITS.test_images[:5])
    room.training.evaluate(model, images, DIGITS.test_labels[:5])
    assert [layer.training for layer in layers(model)] == before


def test_evaluation_leaves_the_model_alone(room):
    model = network(room, "resnet_narrow")
    before = arrays(model)
    images = DIGITS.normalize(DIGITS.test_images)
    room.training.evaluate(model, images, DIGITS.test_labels)
    assert_same(before, arrays(model))


def test_a_model_without_parameters_is_evaluated(room):
    # 一行四个像素就是四类的打分
    images = np.eye(4, dtype=np.float32).reshape(4, 1, 2, 2) * 3
    labels = np.array([0, 1, 2, 0])
    found = room.training.evaluate(room.framework.nn.Flatten(), images, labels)
    whole = math.log(math.exp(3) + 3)
    assert found == (pytest.approx((4 * whole - 9) / 4, rel=1e-6), 0.75)


def test_raw_pixels_are_refused(room):
    with pytest.raises(ValueError, match="normalize"):
        room.training.evaluate(network(room), DIGITS.test_images, DIGITS.test_labels)


def test_nothing_to_evaluate_is_refused(room):
    none = np.zeros((0, 1, 8, 8), np.float32)
    with pytest.raises(ValueError, match="0 张图片"):
        room.training.evaluate(network(room), none, np.zeros(0, np.int64))


@pytest.mark.parametrize("label", [-1, -100])
def test_negative_labels_are_refused(room, label):
    # −100 是两个框架的「不算」：损失会悄悄变成 0
    images = DIGITS.normalize(DIGITS.test_images[:3])
    with pytest.raises(ValueError, match=f"标签里有 {label}；类别从 0 数起"):
        room.training.evaluate(network(room), images, np.array([0, label, 1]))


@pytest.mark.parametrize("batch_size", [0, -1, 2.5])
def test_impossible_batches_are_refused(room, batch_size):
    images = DIGITS.normalize(DIGITS.test_images[:3])
    with pytest.raises(ValueError, match=f"batch_size={batch_size} 应为正整数"):
        room.training.evaluate(
            network(room), images, DIGITS.test_labels[:3], batch_size
        )


def test_labels_beyond_the_model_are_refused(room):
    with pytest.raises(ValueError, match="num_classes=10"):
        room.training.fit(network(room, num_classes=7), DIGITS, QUICK)


def test_too_many_classes_are_refused(room):
    with pytest.raises(ValueError, match="num_classes=10"):
        room.training.fit(network(room, num_classes=13), DIGITS, QUICK)


# 发散与打印 ---------------------------------------------------------------------


def test_divergence_names_step_rate_and_remedy(room):
    config = replace(QUICK, lr=1e30, clip_norm=None)
    with pytest.raises(TrainingDivergedError, match="到第 2 步为止") as caught:
        room.training.fit(network(room), DIGITS, config)
    assert caught.value.lr == learning_rate(config, 2)
    assert "clip_norm=1.0" in str(caught.value)
    assert "warmup_steps=4" in str(caught.value)  # 从前 2 步，加倍
    assert "1e+29" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "told", "untold"),
    [
        ({"clip_norm": 1.0}, "lr 从 0.001 降到 0.0001", "clip_norm"),  # 已经裁到 1
        ({"clip_norm": 1.5}, "clip_norm=1.0", "precision"),
        ({"warmup_steps": 0}, "warmup_steps=5；", "precision"),  # 50 步的十分之一
        ({"warmup_steps": 30}, "warmup_steps=50；", "precision"),  # 加倍就超过总步数
        ({"warmup_steps": 50}, "sanity", "warmup_steps"),
        ({"precision": "bfloat16"}, 'precision="float32"', "clip_norm"),
    ],
)
def test_only_remedies_not_yet_taken_are_told(changes, told, untold):
    config = TrainConfig(**({"steps": 50, "warmup_steps": 10} | changes))
    said = str(TrainingDivergedError(3, 0.1, math.inf, config))
    assert told in said
    assert untold not in said


def test_divergence_never_reaches_the_checkpoint(room, tmp_path):
    path = tmp_path / "run.safetensors"
    config = replace(QUICK, lr=1e30, clip_norm=None)
    with pytest.raises(TrainingDivergedError):
        room.training.fit(network(room), DIGITS, config, checkpoint=path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("losses", [(np.inf, 1.0), (1.0, np.nan)])
def test_evaluation_that_diverged_stops_the_training(losses):
    """步步的损失都有限，评估时才发散：训练图片、测试图片，哪一边都不放过。"""
    with Journal(QUICK, History(), lambda: True) as journal:
        with pytest.raises(TrainingDivergedError, match="第 0 步的损失是"):
            journal.record(*[(loss, 0.5) for loss in losses])
        assert journal.history == History()


def test_silent_by_default(room, capfd):
    room.training.fit(network(room), DIGITS, QUICK)
    assert capfd.readouterr() == ("", "")


def test_progress_shows_loss_accuracy_speed(room, capfd):
    start = time.perf_counter()
    room.training.fit(network(room), DIGITS, QUICK, progress=True)
    seconds = time.perf_counter() - start
    bar = capfd.readouterr().err
    for word in ("损失", "测试准确率", "张/s", "7/7"):
        assert word in bar
    # 只算训练的时间，所以不会比连评估一起算的慢
    speed = int(re.findall(r"(\d+) 张/s", bar)[-1])
    assert speed > QUICK.steps * QUICK.batch_size / seconds - 1


# 设备与精度 ---------------------------------------------------------------------


def test_missing_gpu_is_said(room):
    if room.device.find_device("auto") != room.device.find_device("cpu"):
        pytest.skip("这台机器有 GPU")
    with pytest.raises(ValueError, match='device="gpu"'):
        room.training.fit(network(room), DIGITS, replace(QUICK, device="gpu"))


def test_missing_bfloat16_is_said(room, monkeypatch):
    monkeypatch.setattr(room.device, "has_bfloat16", lambda device: False)
    with pytest.raises(ValueError, match="bfloat16"):
        room.training.fit(network(room), DIGITS, replace(QUICK, precision="bfloat16"))


def test_bfloat16_changes_the_arithmetic_a_little(room):
    device = room.device.find_device("cpu")
    if not room.device.has_bfloat16(device):
        pytest.skip("这里没有 bfloat16")
    plain = room.training.fit(network(room), DIGITS, QUICK)
    config = replace(QUICK, precision="bfloat16")
    coarse = room.training.fit(network(room), DIGITS, config)
    assert coarse.test_loss[-1] != plain.test_loss[-1]
    assert coarse.test_loss[-1] == pytest.approx(plain.test_loss[-1], abs=0.05)


# 检查点 -------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize(
    ("name", "options"), [("vit_tiny", DROPPING), ("resnet_narrow", {})]
)
def test_resumed_equals_unbroken(room, tmp_path, monkeypatch, name, options, optimizer):
    path = tmp_path / "run.safetensors"
    config = replace(QUICK, optimizer=optimizer, augment="strong")
    whole = network(room, name, **options)
    expected = room.training.fit(whole, DIGITS, config)
    with power_cut(room, monkeypatch, after=5):
        broken = network(room, name, **options)
        room.training.fit(broken, DIGITS, config, checkpoint=path)
    resumed = network(room, name, seed=8, **options)
    assert room.training.fit(resumed, DIGITS, config, checkpoint=path) == expected
    assert_same(arrays(resumed), arrays(whole))


def test_finished_run_is_only_loaded(room, tmp_path):
    path = tmp_path / "run.safetensors"
    model = network(room)
    expected = room.training.fit(model, DIGITS, QUICK, checkpoint=path)
    again = network(room, seed=8)
    assert room.training.fit(again, DIGITS, QUICK, checkpoint=path) == expected
    assert_same(arrays(again), arrays(model))


def resumed(room, monkeypatch, path, build, config=QUICK, after=5):
    """走 after 步断电，再续到底；返回没断过的与续上的（曲线，权重）。"""
    whole = build()
    expected = room.training.fit(whole, DIGITS, config), arrays(whole)
    with power_cut(room, monkeypatch, after):
        room.training.fit(build(), DIGITS, config, checkpoint=path)
    model = build()
    found = room.training.fit(model, DIGITS, config, checkpoint=path), arrays(model)
    return expected, found


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_resumed_probe_equals_unbroken(room, tmp_path, monkeypatch, optimizer):
    # 主干没有梯度：续训时优化器也不该替它建状态，更不该让它衰减
    def probe():
        return room.probe.LinearProbe(network(room))

    config = replace(QUICK, optimizer=optimizer, weight_decay=0.5)
    path = tmp_path / "run.safetensors"
    expected, found = resumed(room, monkeypatch, path, probe, config)
    assert found[0] == expected[0]
    assert_same(found[1], expected[1])
    start = arrays(probe())
    backbone = [name for name in start if ".head." not in name]
    assert_same({n: start[n] for n in backbone}, {n: found[1][n] for n in backbone})


def sometimes(room):
    """有一层只在一部分步数里用到；用不用由这一步的随机数定。"""
    base = room.framework.nn
    kind = getattr(base, "Module", None) or base.Layer

    class Sometimes(kind):
        def __init__(self):
            super().__init__()
            self.body = network(room)
            self.extra = network(room, seed=1)

        def forward(self, x):
            y = self.body(x)
            used = self.training and float(room.framework.rand([1]).sum()) < 0.5
            return y + self.extra(x) if used else y

    return Sometimes()


@pytest.mark.parametrize("seed", range(3))
def test_resumed_layer_that_is_used_sometimes(room, tmp_path, monkeypatch, seed):
    config = replace(QUICK, seed=seed, weight_decay=0.5)
    path = tmp_path / "run.safetensors"
    expected, found = resumed(
        room, monkeypatch, path, lambda: sometimes(room), config, after=4
    )
    assert found[0] == expected[0]
    assert_same(found[1], expected[1])


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_old_gradients_do_not_move_the_backbone_of_a_probe(room, optimizer):
    # 预训练留下的梯度还在参数上；探针的训练不该把它们当成自己的
    model = network(room)
    room.training.fit(model, DIGITS, QUICK)
    before = arrays(model)
    config = replace(QUICK, optimizer=optimizer, weight_decay=0.5)
    room.training.fit(room.probe.LinearProbe(model), DIGITS, config)
    after = arrays(model)
    moved = [n for n in before if (before[n] != after[n]).any()]
    assert moved == ["head.weight", "head.bias"]


KILLED = """
import os, sys, time
sys.path[:0] = {tests!r}
import test_training as t
flush, calls = os.fsync, []
def hang(descriptor):
    calls.append(1)
    if len(calls) == 2:
        os.ftruncate(descriptor, 99)
        print("writing", flush=True)
        time.sleep(600)
    flush(descriptor)
os.fsync = hang
room = t.rooms({name!r})
t.room = room
model = t.network(room, "vit_tiny", **t.DROPPING)
room.training.fit(model, t.DIGITS, t.QUICK, checkpoint={path!r})
"""


WRITING = """
import os, sys
from pathlib import Path
import numpy as np
from vision_attention.training import snapshots
from vision_attention.training.history import History
flush = os.fsync
def hang(descriptor):
    print("writing", flush=True)
    sys.stdin.readline()
    flush(descriptor)
os.fsync = hang
snapshots.write(Path({path!r}), {{"x": np.zeros(9)}}, {{}}, History())
"""


def test_killed_while_writing_a_checkpoint(room, tmp_path):
    path = tmp_path / "run.safetensors"
    tests = [str(path) for path in Path(__file__).parents[:2]]
    code = KILLED.format(tests=tests, name=room.name, path=str(path))
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"writing\n"
    child.send_signal(signal.SIGKILL)
    child.communicate()
    expected = room.training.fit(network(room, "vit_tiny", **DROPPING), DIGITS, QUICK)
    (left,) = set(tmp_path.iterdir()) - {path}
    os.utime(left, (0, 0))  # 半截的文件搁久了，下一次训练收走它
    model = network(room, "vit_tiny", seed=8, **DROPPING)
    assert room.training.fit(model, DIGITS, QUICK, checkpoint=path) == expected
    assert list(tmp_path.iterdir()) == [path]


def test_trying_out_a_place_takes_only_its_own_leftovers(tmp_path):
    own, other = tmp_path / ".a.st.5.tmp", tmp_path / ".a.st.bak.5.tmp"
    for left in (own, other):
        left.write_text("", "utf8")
        os.utime(left, (0, 0))
    files.rehearse(tmp_path / "a.st")
    assert list(tmp_path.iterdir()) == [other]
    own.mkdir()  # 收不走的不碍事
    os.utime(own, (0, 0))
    files.rehearse(tmp_path / "a.st")
    assert own.is_dir()


def test_trying_out_a_place_spares_what_others_are_writing(room, tmp_path):
    path = tmp_path / "run.safetensors"
    history = room.training.fit(network(room), DIGITS, QUICK)
    code = WRITING.format(path=str(path))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    child = subprocess.Popen([sys.executable, "-c", code], **pipes)
    assert child.stdout.readline() == b"writing\n"
    assert room.training.fit(network(room), DIGITS, QUICK, checkpoint=path).step
    assert history.step
    child.communicate(b"\n")
    assert child.returncode == 0
    assert list(tmp_path.iterdir()) == [path]


def test_ctrl_c_leaves_no_half_checkpoint(room, tmp_path, monkeypatch):
    def pressed(descriptor):
        raise KeyboardInterrupt

    path = tmp_path / "run.safetensors"
    monkeypatch.setattr(os, "fsync", pressed)
    with pytest.raises(KeyboardInterrupt):
        room.training.fit(network(room), DIGITS, QUICK, checkpoint=path)
    assert list(tmp_path.iterdir()) == []


def test_bfloat16_weights_survive_a_checkpoint(room, tmp_path):
    """NumPy 没有 bfloat16；存成 float32，取回来一位不差。"""
    bfloat16, found = room.framework.bfloat16, []
    for seed in (1, 2):
        model = network(room, "vit_tiny", seed, depth=1).to(dtype=bfloat16)
        optimizer = room.training.build_optimizer(model, QUICK)
        path = tmp_path / "run.safetensors"
        saved = room.checkpoint.Checkpoint(path, model, optimizer, QUICK, DIGITS)
        saved.save(History()) if not path.exists() else saved.restore()
        found.append(
            {
                n: values(p.to(dtype="float32"))
                if room.name == "paddle"
                else values(p.float())
                for n, p in model.named_parameters()
            }
        )
    assert_same(*found)
    assert next(iter(model.parameters())).dtype == bfloat16


@pytest.fixture
def saved(room, tmp_path):
    """走完一次的检查点。"""
    path = tmp_path / "run.safetensors"
    room.training.fit(network(room), DIGITS, QUICK, checkpoint=path)
    return path


def test_checkpoint_of_another_model_is_refused(room, saved):
    model = network(room, "vit_tiny")
    before = arrays(model)
    with pytest.raises(ValueError, match="没有载入任何东西") as caught:
        room.training.fit(model, DIGITS, QUICK, checkpoint=saved)
    assert "model." in str(caught.value)
    assert_same(before, arrays(model))


def test_checkpoint_of_another_config_lists_every_difference(room, saved):
    model = network(room, seed=8)
    before = arrays(model)
    other = replace(QUICK, lr=0.5, augment="weak")
    with pytest.raises(ValueError, match="没有载入任何东西") as caught:
        room.training.fit(model, DIGITS, other, checkpoint=saved)
    assert "lr：检查点 0.003，现在 0.5" in str(caught.value)
    assert "augment：检查点 'none'，现在 'weak'" in str(caught.value)
    assert "momentum" not in str(caught.value)
    assert_same(before, arrays(model))


def test_checkpoint_of_other_data_is_refused(room, saved):
    other = data.load("digits", n_train=51, seed=3, max_test=90)
    with pytest.raises(ValueError, match="dataset：检查点"):
        room.training.fit(network(room), other, QUICK, checkpoint=saved)


CBAM = {"attention": "cbam", "stages": (2,)}
SILENT = {
    "order": (
        "resnet_narrow",
        CBAM | {"attention_options": {"min_hidden": 2}},
        CBAM | {"attention_options": {"min_hidden": 2, "order": "parallel"}},
        "order：检查点 'channel-spatial'，现在 'parallel'",
    ),
    "identity_init": (
        "resnet_narrow",
        CBAM | {"attention_options": {"min_hidden": 2}},
        CBAM | {"attention_options": {"min_hidden": 2, "identity_init": True}},
        "identity_init：检查点 None，现在 True",
    ),
    "drop_path": (
        "vit_tiny",
        {"depth": 2},
        {"depth": 2, "drop_path_rate": 0.3},
        "model.spec.drop_path_rate：检查点 0.0，现在 0.3",
    ),
    "window": (
        "vit_tiny",
        {"depth": 2},
        {"depth": 2, "attention": "window"},
        "model.spec.attention：检查点 'global'，现在 'window'",
    ),
    "position": (
        "vit_tiny",
        {"depth": 2, "position": "sincos"},
        {"depth": 2, "position": "none"},
        "model.spec.position：检查点 'sincos'，现在 'none'",
    ),
}


@pytest.mark.parametrize("change", SILENT)
def test_checkpoint_of_another_setting_is_refused(room, tmp_path, change):
    # 形状与 repr 都相同的两个模型
    name, first, second, message = SILENT[change]
    path = tmp_path / "run.safetensors"
    room.training.fit(network(room, name, **first), DIGITS, QUICK, checkpoint=path)
    model = network(room, name, **second)
    before = arrays(model)
    with pytest.raises(ValueError, match="没有载入任何东西") as caught:
        room.training.fit(model, DIGITS, QUICK, checkpoint=path)
    assert message in str(caught.value)
    assert_same(before, arrays(model))


def test_checkpoint_of_another_setting_inside_a_probe_is_refused(room, tmp_path):
    path = tmp_path / "run.safetensors"
    plain, dropping = (
        room.probe.LinearProbe(network(room, "vit_tiny", drop_path_rate=rate))
        for rate in (0.0, 0.3)
    )
    room.training.fit(plain, DIGITS, QUICK, checkpoint=path)
    with pytest.raises(ValueError, match=r"model\.model\.spec\.drop_path_rate"):
        room.training.fit(dropping, DIGITS, QUICK, checkpoint=path)


def test_checkpoint_of_another_mask_is_refused(room, tmp_path):
    # 手搭的网络没有 spec，遮罩只在不存盘的缓冲区里
    wing = importlib.import_module(f"vision_attention.{room.name}")
    path = tmp_path / "run.safetensors"

    def masked(mask):
        room.init.seed(0)
        nn = room.framework.nn
        return nn.Sequential(
            wing.PatchEmbedding(8, 4, 1, 8),
            wing.MultiHeadSelfAttention(8, 2, mask=mask),
            wing.SequencePool(8),
            nn.Linear(8, 10),
        )

    everything = np.ones((4, 4), bool)
    room.training.fit(masked(everything), DIGITS, QUICK, checkpoint=path)
    with pytest.raises(ValueError, match=r"model\.1\.bias：检查点"):
        room.training.fit(masked(np.tri(4) > 0), DIGITS, QUICK, checkpoint=path)
    again = masked(everything)
    assert room.training.fit(again, DIGITS, QUICK, checkpoint=path).step[-1] == 7


def test_checkpoint_of_other_augmentation_is_refused(room, saved):
    # flip 不在数据的指纹里，却改变增强
    other = replace(DIGITS, flip=not DIGITS.flip)
    assert other.fingerprint == DIGITS.fingerprint
    with pytest.raises(ValueError, match="flip：检查点 False，现在 True"):
        room.training.fit(network(room), other, QUICK, checkpoint=saved)


def test_checkpoint_of_another_normalization_is_refused(room, saved):
    # 均值与标准差也不在指纹里：换了它们，权重看见的就是另一种图
    other = replace(DIGITS, mean=DIGITS.mean + np.float32(0.5))
    assert other.fingerprint == DIGITS.fingerprint
    with pytest.raises(ValueError, match=r"没有载入任何东西[^$]*mean：检查点"):
        room.training.fit(network(room), other, QUICK, checkpoint=saved)


def test_checkpoint_of_another_pooling_is_refused(room, tmp_path):
    # 手搭的网络没有 spec，三种池化的权重与 repr 都相同
    wing = importlib.import_module(f"vision_attention.{room.name}")
    path = tmp_path / "run.safetensors"

    def pooled(pooling):
        nn = room.framework.nn
        return nn.Sequential(
            wing.PatchEmbedding(8, 4, 1, 16),
            wing.SequencePool(16),
            nn.Unflatten(1, (16, 1, 1)),
            wing.ChannelAttention(16, pooling=pooling),
            nn.Flatten(),
            nn.Linear(16, 10),
        )

    room.training.fit(pooled("avg"), DIGITS, QUICK, checkpoint=path)
    with pytest.raises(ValueError, match=r"pooling：检查点 'avg'，现在 'max'"):
        room.training.fit(pooled("max"), DIGITS, QUICK, checkpoint=path)


def test_an_older_checkpoint_without_them_goes_on(room, tmp_path, monkeypatch):
    """从前的检查点没有写归一化与池化：没有写的不比。"""
    path, config = tmp_path / "run.safetensors", replace(QUICK, eval_every=2)
    options = {"attention": "channel", "attention_options": {"min_hidden": 2}}
    write = snapshots.write

    def older(path, arrays, identity, history):
        later = ("mean", "std", "pooling")
        told = {k: v for k, v in identity.items() if k.rpartition(".")[2] not in later}
        assert len(told) < len(identity) - 2
        write(path, arrays, told, history)

    monkeypatch.setattr(snapshots, "write", older)
    room.training.fit(network(room, **options), DIGITS, config, checkpoint=path)
    again = network(room, seed=1, **options)
    assert room.training.fit(again, DIGITS, config, checkpoint=path).step[-1] == 7


def test_checkpoint_of_other_frozen_parameters_is_refused(room, tmp_path):
    path = tmp_path / "run.safetensors"
    model = network(room)
    name, first = weights(model)[0]
    freeze(first)
    room.training.fit(model, DIGITS, QUICK, checkpoint=path)
    with pytest.raises(ValueError, match=f"frozen：检查点 '{name}'，现在 ''"):
        room.training.fit(network(room), DIGITS, QUICK, checkpoint=path)


def test_many_differences_are_cut_short(room, saved):
    with pytest.raises(ValueError, match=r"另有 .* 处不同") as caught:
        room.training.fit(network(room, "vit_tiny"), DIGITS, QUICK, checkpoint=saved)
    assert len(str(caught.value).splitlines()) < 20


@pytest.mark.parametrize(("count", "more"), [(12, ""), (13, "另有 1 处不同")])
def test_twelve_differences_are_all_listed(tmp_path, count, more):
    arrays = {f"model.{n}": np.zeros(n + 1) for n in range(count)}
    saved = snapshots.Snapshot(tmp_path, arrays, {}, History())
    with pytest.raises(ValueError) as caught:
        saved.check({}, {})
    told = str(caught.value)
    assert told.count("现在 没有") == 12
    assert more in told
    assert ("另有" in told) is bool(more)


def test_mark_of_an_array_never_drifts():
    """从前的检查点里存着它：float32(2,) 与八个零字节的 sha256，由 sha256sum 算出。"""
    found = snapshots.digests({"mask": np.zeros(2, np.float32)})
    assert found == {"model.mask": "24e76ceeb26216c9"}


def test_refused_checkpoint_leaves_the_optimizer_alone(room, saved):
    model, config = network(room), replace(QUICK, lr=0.5)
    optimizer = room.training.build_optimizer(model, config)
    point = room.checkpoint.Checkpoint(saved, model, optimizer, config, DIGITS)
    with pytest.raises(ValueError, match=r"lr：检查点 0\.003，现在 0\.5"):
        point.restore()
    if room.name == "torch":
        lr, states = optimizer.param_groups[0]["lr"], optimizer.state
    else:
        lr, states = optimizer.get_lr(), optimizer.state_dict()
    assert (lr, len(states)) == (0.5, 0)


def test_folder_as_a_checkpoint_is_refused(room, tmp_path, monkeypatch):
    monkeypatch.setattr(room.training, "train_step", None)
    with pytest.raises(IsADirectoryError, match="是一个文件夹，应为文件"):
        room.training.fit(network(room), DIGITS, QUICK, checkpoint=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_checkpoint_of_the_other_wing_is_refused(tmp_path):
    path = tmp_path / "run.safetensors"
    left, right = map(rooms, ("torch", "paddle"))
    left.training.fit(network(left), DIGITS, QUICK, checkpoint=path)
    with pytest.raises(ValueError, match="framework：检查点 'torch'，现在 'paddle'"):
        right.training.fit(network(right), DIGITS, QUICK, checkpoint=path)


@pytest.mark.parametrize("damage", ["truncated", "empty", "garbage", "foreign"])
def test_damaged_checkpoint_is_said(room, saved, damage):
    from safetensors.numpy import save

    whole = saved.read_bytes()
    saved.write_bytes(
        {
            "truncated": whole[: len(whole) // 2],
            "empty": b"",
            "garbage": b"\x00" * 999,
            "foreign": save({"weight": np.zeros(3, np.float32)}),
        }[damage]
    )
    with pytest.raises(ValueError, match="读不出来"):
        room.training.fit(network(room), DIGITS, QUICK, checkpoint=saved)


@pytest.mark.parametrize(
    ("history", "told"),
    [
        ('{"step": [1], "lr": []}', "曲线不是一样长的几列数"),
        ('{"step": ["1"]}', "曲线不是一样长的几列数"),
        ('{"step": 1}', "读不出来"),
        ('{"steps": []}', "读不出来"),
        ("[" * 99_999, "读不出来"),
    ],
)
def test_a_checkpoint_with_strange_curves_is_said(room, saved, history, told):
    from safetensors.numpy import save

    header = {"identity": "{}", "history": history}
    saved.write_bytes(save({"model.x": np.zeros(3, "f4")}, header))
    with pytest.raises(ValueError, match=told):
        room.training.fit(network(room), DIGITS, QUICK, checkpoint=saved)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="管道要 Unix")
def test_a_pipe_in_place_of_a_checkpoint_does_not_hang(room, tmp_path):
    os.mkfifo(tmp_path / "run.safetensors")
    with pytest.raises(ValueError, match="是管道或设备"):
        room.training.fit(
            network(room), DIGITS, QUICK, checkpoint=tmp_path / "run.safetensors"
        )


def test_full_disk_keeps_the_old_checkpoint(room, tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    with power_cut(room, monkeypatch, after=5):
        room.training.fit(network(room), DIGITS, QUICK, checkpoint=path)
    old = path.read_bytes()
    message = "旧的检查点仍然完好"
    with largest_file(len(old) // 2), pytest.raises(OSError, match=message) as caught:
        room.training.fit(network(room, seed=8), DIGITS, QUICK, checkpoint=path)
    assert caught.value.errno == errno.EFBIG
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]
    expected = room.training.fit(network(room), DIGITS, QUICK)
    again = room.training.fit(network(room, seed=8), DIGITS, QUICK, checkpoint=path)
    assert again == expected


def test_unwritable_place_is_said_before_training(room, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(room.training, "train_step", None)
    with pytest.raises(OSError, match="还没有旧的检查点"):
        path = tmp_path / "file" / "run.safetensors"
        room.training.fit(network(room), DIGITS, QUICK, checkpoint=path)


def test_checkpoint_is_readable_by_others(room, saved):
    from safetensors import safe_open

    with safe_open(saved, "np") as file:
        header = file.metadata()
    assert json.loads(header["history"])["step"] == [0, 3, 6, 7]
    assert json.loads(header["identity"])["framework"] == room.name


# 体检 ---------------------------------------------------------------------------


def test_healthy_model_passes(room):
    result = room.sanity.sanity(network(room), DIGITS)
    assert result.ok
    assert result.expected_loss == pytest.approx(math.log(10))


def test_sanity_leaves_model_and_randomness_alone(room):
    model = network(room, "vit_tiny", **DROPPING)
    model.eval()
    before = arrays(model)
    room.init.seed(7)
    expected = room.framework.rand([3]).numpy()
    room.init.seed(7)
    room.sanity.sanity(model, DIGITS, steps=3)
    np.testing.assert_array_equal(room.framework.rand([3]).numpy(), expected)
    assert_same(before, arrays(model))
    assert not any(layer.training for layer in layers(model))


def test_sanity_on_the_cpu_leaves_the_gpus_alone(monkeypatch):
    """机器上有两块 GPU 而模型在 CPU 上：不去动它们，也没有一句警告。"""
    room = rooms("torch")
    monkeypatch.setattr(room.framework.cuda, "device_count", lambda: 2)
    with room.device.own_randomness():
        room.device.reseed(1, 2)
    assert not room.framework.cuda.is_initialized()


def test_sanity_shows_images_with_their_names(room):
    result = room.sanity.sanity(network(room), DIGITS, steps=1)
    assert result.images.dtype == np.uint8
    for image, label in zip(result.images, result.labels, strict=True):
        same = (DIGITS.train_images == image).all((1, 2, 3))
        names = {DIGITS.class_names[k] for k in DIGITS.train_labels[same]}
        assert names == {label}


def test_sanity_notices_a_bad_start(room):
    model = network(room)
    scale(weights(model)[-2][1], 500.0)
    result = room.sanity.sanity(model, DIGITS, steps=1)
    assert not result.first_loss_ok
    assert "不通过" in str(result)


def test_sanity_notices_what_cannot_learn(room):
    model = network(room)
    for _, parameter in weights(model)[:-1]:
        freeze(parameter)
    result = room.sanity.sanity(model, DIGITS)
    assert result.first_loss_ok
    assert not result.batch_ok
