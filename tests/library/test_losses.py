"""损失与发散：错得多离谱就记多少，训练坏了两翼说同一句话。"""

from __future__ import annotations

import importlib
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from gaps import close

from vision_attention import data, interop, specs
from vision_attention.storage import weights
from vision_attention.studies.design.runs import Run
from vision_attention.studies.running.execute import execute
from vision_attention.training.config import TrainConfig
from vision_attention.training.history import TrainingDivergedError

DIGITS = data.load("digits", n_train=40, seed=3, max_test=30)
QUICK = TrainConfig(
    steps=12, warmup_steps=0, batch_size=8, eval_every=4, lr=0.003, device="cpu"
)
WINGS = ("torch", "paddle")


def room(wing, name):
    return importlib.import_module(f"vision_attention.{wing}.{name}")


def tensor(wing, values, grad=False):
    framework = importlib.import_module("frameworks").FRAMEWORKS[wing]
    return framework.tensor(values, grad=grad)


def by_hand(logits, targets):
    """双精度的 −Σ 目标 ×（logits − log Σ exp），一批取平均。"""
    x = logits.astype("f8")
    top = x.max(1, keepdims=True)
    whole = top + np.log(np.exp(x - top).sum(1, keepdims=True))
    return float((targets * (whole - x)).sum(1).mean())


def batch(margin, smoothing):
    """四张图，三类；第一张错得有 margin 那么远，第二张对得有那么远。"""
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((4, 3)).astype("f4")
    logits[:2, 0] += np.float32(margin)
    labels = np.array([1, 0, 2, 0])
    targets = np.eye(3, dtype="f4")[labels] * (1 - smoothing) + smoothing / 3
    return logits, labels, targets.astype("f4")


# 损失 ---------------------------------------------------------------------------


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("margin", [0, 60, 64, 65, 100, 1e4, 1e20])
@pytest.mark.parametrize("wing", WINGS)
def test_a_confident_mistake_costs_its_full_price(wing, margin, smoothing):
    logits, labels, targets = batch(margin, smoothing)
    losses = room(wing, "losses")
    found = losses.cross_entropy(tensor(wing, logits), tensor(wing, targets))
    assert float(found) == pytest.approx(by_hand(logits, targets), rel=1e-6)
    total = losses.total_cross_entropy(tensor(wing, logits), tensor(wing, labels))
    hard = np.eye(3)[labels]
    assert float(total) / 4 == pytest.approx(by_hand(logits, hard), rel=1e-6)


@pytest.mark.parametrize("margin", [0, 60, 65, 1e4])
@pytest.mark.parametrize("wing", WINGS)
def test_the_gradient_is_softmax_minus_target(wing, margin):
    logits, _, targets = batch(margin, 0.1)
    x = tensor(wing, logits, grad=True)
    room(wing, "losses").cross_entropy(x, tensor(wing, targets)).backward()
    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    close(x.grad.numpy(), (shares - targets) / 4)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("wing", WINGS)
def test_the_loss_of_half_precision_scores_is_a_single_precision_one(wing, dtype):
    """自动混合精度在 CPU 上交来半精度的打分；损失与在 GPU 上一样，用 float32 算。"""
    logits, _, targets = batch(0, 0.1)
    framework = importlib.import_module(wing)
    scores = tensor(wing, logits).to(dtype=getattr(framework, dtype))
    given = scores.to(dtype=framework.float32)
    found = room(wing, "losses").cross_entropy(scores, tensor(wing, targets))
    assert str(found.dtype).endswith("float32")
    assert float(found) == pytest.approx(by_hand(given.numpy(), targets), rel=1e-6)


@pytest.mark.parametrize("spread", [0.01, 1, 10])
def test_ordinary_losses_keep_every_bit(spread):
    # 记录里的数是照框架自己的式子算的，补上被截的那一段不能动别处的一位
    import paddle
    from paddle.nn import functional as F

    losses, rng = room("paddle", "losses"), np.random.default_rng(1)
    for _ in range(20):
        logits = (spread * rng.standard_normal((7, 10))).astype("f4")
        targets = rng.dirichlet(np.ones(10), 7).astype("f4")
        seen = []
        for own in (F.log_softmax, losses.log_softmax):
            x = tensor("paddle", logits, grad=True)
            loss = -(tensor("paddle", targets) * own(x)).sum(-1).mean()
            loss.backward()
            seen.append((loss.numpy(), x.grad.numpy()))
        np.testing.assert_array_equal(seen[0][0], seen[1][0])
        np.testing.assert_array_equal(seen[0][1], seen[1][1])
        x, labels = tensor("paddle", logits), paddle.to_tensor(targets.argmax(1))
        plain = F.cross_entropy(x, labels, reduction="sum")
        assert float(losses.total_cross_entropy(x, labels)) == float(plain)


@pytest.mark.parametrize("strange", [np.nan, np.inf])
@pytest.mark.parametrize("wing", WINGS)
def test_strange_scores_give_a_strange_loss(wing, strange):
    logits, labels, targets = batch(0, 0.1)
    logits[0, 2] = strange
    losses = room(wing, "losses")
    found = losses.cross_entropy(tensor(wing, logits), tensor(wing, targets))
    total = losses.total_cross_entropy(tensor(wing, logits), tensor(wing, labels))
    assert not math.isfinite(float(found)) and not math.isfinite(float(total))


@pytest.mark.parametrize("wing", WINGS)
def test_evaluation_reports_it_too(wing):
    room(wing, "init").seed(0)
    model = room(wing, "models").build(
        specs.named("small_cnn", image_size=8, in_channels=1)
    )
    state = interop.state(model)
    state["head.bias"][3] = 1000.0
    interop.load_state(model, state)
    images, labels = DIGITS.normalize(DIGITS.test_images), DIGITS.test_labels
    loss, _ = room(wing, "training").evaluate(model, images, labels)
    assert loss == pytest.approx(1000 * (labels != 3).mean(), rel=1e-2)


# 发散 ---------------------------------------------------------------------------


def network(wing, name="small_cnn", **options):
    room(wing, "init").seed(0)
    spec = specs.named(name, image_size=8, in_channels=1, **options)
    return room(wing, "models").build(spec)


def sentence(run):
    """训练发散时的那句话。"""
    with pytest.raises(TrainingDivergedError) as caught:
        run()
    return str(caught.value)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("clip_norm", [1.0, None])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("small_cnn", {}),
        ("small_cnn", {"attention": "bam", "attention_options": {"min_hidden": 2}}),
        (
            "resnet_narrow",
            {"attention": "cbam", "attention_options": {"min_hidden": 2}},
        ),
        ("vit_tiny", {"depth": 2}),
        ("vit_tiny", {"depth": 2, "attention": "window"}),
        ("mlp_small", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value) or "plain",
)
def test_a_broken_training_stops_with_one_sentence(name, options, clip_norm, optimizer):
    config = replace(QUICK, lr=1e9, clip_norm=clip_norm, optimizer=optimizer)
    ours, theirs = (
        sentence(
            lambda w=wing: room(w, "training").fit(
                network(w, name, **options), DIGITS, config
            )
        )
        for wing in WINGS
    )
    assert ours == theirs
    assert "1e+08" in ours


def spoil(model, state):
    """把坏了的数原样写进模型；load_state 不收 NaN 与无穷。"""
    weights.fill(dict(interop._slots(model)), state, finite=False)


class Spoilt:
    """照常训练，到某一步之后悄悄弄坏一个数；损失看不出来。"""

    def __init__(self, model, step, name, value, real):
        self.model, self.name, self.value = model, name, value
        self.left, self.real = step, real

    def __call__(self, *arguments):
        loss = self.real(*arguments)
        if self.left == 0:
            state = interop.state(self.model)
            state[self.name].flat[0] = self.value
            spoil(self.model, state)
        self.left -= 1
        return loss


@pytest.mark.parametrize("step", [1, 6, 11], ids=["first", "middle", "last"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stages.2.0.layers.1.running_var", np.inf),
        ("stages.0.0.layers.0.weight", np.nan),
        ("head.weight", -np.inf),
    ],
)
@pytest.mark.parametrize("wing", WINGS)
def test_weights_and_buffers_are_watched(wing, name, value, step, monkeypatch):
    model, training = network(wing), room(wing, "training")
    spoilt = Spoilt(model, step, name, value, training.train_step)
    monkeypatch.setattr(training, "train_step", spoilt)
    told = sentence(lambda: training.fit(model, DIGITS, QUICK))
    seen = {1: 3, 6: 7, 11: 11}[step]
    assert told.startswith(f"到第 {seen} 步为止，模型的权重或移动平均里已有 nan 或 inf")


@pytest.mark.parametrize("wing", WINGS)
def test_a_model_that_was_broken_before_is_not_trained(wing):
    model = network(wing)
    state = interop.state(model)
    state["stages.0.0.layers.0.weight"].flat[0] = np.nan
    spoil(model, state)
    with pytest.raises(ValueError, match="还没有训练，模型的权重里就有 nan 或 inf"):
        room(wing, "training").fit(model, DIGITS, QUICK)


@pytest.mark.parametrize("build", ["ChannelAttention", "SpatialAttention", "BAM"])
@pytest.mark.parametrize("strange", [np.nan, -np.inf])
def test_maps_full_of_nan_do_not_bring_the_process_down(build, strange):
    # 另开一个进程：Paddle 的自适应最大池化反向时会写坏内存，错在事后才发作
    code = f"""
import numpy as np, paddle
from vision_attention import paddle as wing
gate = wing.{build}({"" if build == "SpatialAttention" else 16})
values = np.full((8, 16, 8, 8), np.float32("{strange}"))
for _ in range(30):
    x = paddle.to_tensor(values, stop_gradient=False)
    gate(x).sum().backward()
print("whole")
"""
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=100
    )
    assert (done.returncode, done.stdout) == (0, "whole\n"), done.stderr[-300:]


@pytest.mark.parametrize("mode", ["finetune", "linear_probe"])
def test_a_broken_transfer_says_the_same(mode):
    few = {"name": "digits", "classes": [5, 6, 7, 8, 9], "n_train": 25}
    source = {"source_classes": [0, 1, 2, 3, 4], "source_n_train": 50}
    train = {"steps": 6, "warmup_steps": 0, "batch_size": 16, "lr": 1e9}
    model = {"name": "small_cnn", "width": 8}
    ours, theirs = (
        sentence(
            lambda w=wing: execute(
                Run("transfer", w, few, model, train, {"mode": mode, **source}, 0)
            )
        )
        for wing in WINGS
    )
    assert ours == theirs


def test_a_broken_probe_says_the_same():
    config = replace(QUICK, lr=1e38, optimizer="sgd", clip_norm=None)
    ours, theirs = (
        sentence(
            lambda w=wing: room(w, "training").fit(
                room(w, "probe").LinearProbe(network(w)), DIGITS, config
            )
        )
        for wing in WINGS
    )
    assert ours == theirs


@pytest.mark.parametrize("wing", WINGS)
def test_a_checkup_says_that_the_model_was_broken_before(wing):
    model = network(wing)
    state = interop.state(model)
    state["stages.1.0.layers.1.weight"][:] = np.nan
    spoil(model, state)
    with pytest.raises(ValueError, match="模型的权重里就有 nan 或 inf"):
        room(wing, "sanity").sanity(model, DIGITS, steps=15)


def test_a_checkup_that_breaks_the_model_says_the_same():
    found = []
    for wing in WINGS:
        model = network(wing)
        state = interop.state(model)
        # 第一层放大到平方就溢出：移动方差成了无穷，损失却仍是有限的
        state["stages.0.0.layers.0.weight"] *= np.float32(1e30)
        spoil(model, state)
        found.append(room(wing, "sanity").sanity(model, DIGITS, steps=15))
    assert [math.isnan(one.batch_loss) for one in found] == [True, True]
    assert not any(one.ok for one in found)
