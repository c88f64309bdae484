"""逐类看：一类多、一类少的时候，总的准确率会骗人。"""

import importlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from commands import call
from PIL import Image

from vision_attention import data
from vision_attention.data.batches import balanced_weights
from vision_attention.training import class_scores as scoring
from vision_attention.training.class_scores import ClassScore
from vision_attention.training.config import TrainConfig

# 测试集：九张甲、一张乙、没有丙；训练集里甲最多
TEST = np.array([0] * 9 + [1])
TRAIN = np.array([0] * 5 + [1, 2])


def scores(predicted):
    digits = data.load("digits", n_train=10)
    three = replace(
        digits, class_names=("甲", "乙", "丙"), train_labels=TRAIN, test_labels=TEST
    )
    return scoring.class_scores(three, np.array(predicted))


def test_every_class_is_counted():
    # 甲对了七张、错成乙一张、错成丙一张；乙错成甲
    found = scores([0] * 7 + [1, 2, 0])
    assert found == [("甲", 5, 9, 7), ("乙", 1, 1, 0), ("丙", 1, 0, 0)]
    assert [score.accuracy for score in found] == [7 / 9, 0.0, None]
    assert scoring.balanced_accuracy(found) == pytest.approx((7 / 9 + 0) / 2)


def test_always_naming_the_commonest_is_doubted():
    found = scores([0] * 10)
    assert scoring.balanced_accuracy(found) == 0.5
    assert "一律答“甲”好（那样也有 0.9000）" in scoring.doubt(found)
    assert scoring.doubt(scores([0] * 9 + [1])) == ""
    # 一样多张做对，做对的不全是甲，也不比它好
    assert scoring.doubt(scores([0] * 8 + [1, 1]))


def test_commonest_is_that_of_the_training():
    found = [ClassScore("甲", 2, 9, 9), ClassScore("乙", 5, 1, 0)]
    assert scoring.commonest(found).name == "乙"
    found.append(ClassScore("丙", 5, 1, 0))  # 一样多，取前面的
    assert scoring.commonest(found).name == "乙"


def test_rare_class_shows_in_what_train_says_and_keeps(tmp_path):
    """六十张与六张：图是噪声，没有什么可学。"""
    rng = np.random.default_rng(0)
    for name, count in (("common", 60), ("rare", 6)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for n in range(count):
            pixels = rng.integers(0, 255, (16, 16, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{n}.png")
    words = "train --steps 20 --eval-every 20 --batch-size 16 --quiet --name it".split()
    words += ["--set", "data.image_size=16", "--data", f"folder:{tmp_path / 'photos'}"]
    code, text = call(*words, "--out", tmp_path)
    assert code == 0
    assert "固定留出 13 张作测试" in text
    record = json.loads((tmp_path / "it" / "record.json").read_text("utf8"))
    kept = {row["name"]: row for row in record["classes"]}
    # 66 张留 13 张，分层
    assert (kept["common"]["test"], kept["rare"]["test"]) == (12, 1)
    assert (kept["common"]["train"], kept["rare"]["train"]) == (48, 5)
    results = record["results"]
    right = [kept[name]["correct"] for name in ("common", "rare")]
    assert results["test_accuracy"] == pytest.approx(sum(right) / 13, abs=1e-6)
    assert results["balanced_accuracy"] == pytest.approx((right[0] / 12 + right[1]) / 2)
    assert results["commonest_class_accuracy"] == pytest.approx(12 / 13)
    assert ("注意：" in text) == (sum(right) <= 12)
    assert f"rare {right[1]}/1" in text


def uneven():
    """十类的数字里只留三类：十二张、三张、一张。"""
    digits = data.load("digits", classes=(0, 1, 2))
    labels = digits.train_labels
    kept = [np.flatnonzero(labels == k)[:n] for k, n in enumerate((12, 3, 1))]
    picked = np.concatenate(kept)
    return replace(
        digits, train_images=digits.train_images[picked], train_labels=labels[picked]
    )


# N = 16，K = 3：16 / (3 × 12)、16 / (3 × 3)、16 / (3 × 1)
BALANCED = [16 / 36, 16 / 9, 16 / 3]


def test_balanced_weights_by_hand():
    found = balanced_weights(uneven().train_labels, 4)
    # 第四类一张也没有
    np.testing.assert_allclose(found, [1 / 3, 4 / 3, 4, 0], rtol=1e-6)


def test_every_class_weighs_the_same_over_one_pass():
    settings = {"batch_size": 16, "steps": 1, "seed": 0, "class_weights": "balanced"}
    ((_, targets),) = data.batches(uneven(), **settings)
    np.testing.assert_allclose(targets.sum(0), [16 / 3] * 3, rtol=1e-6)
    settings["class_weights"] = "none"
    ((_, targets),) = data.batches(uneven(), **settings)
    assert targets.sum(0).tolist() == [12, 3, 1]


@pytest.mark.parametrize("framework", ["torch", "paddle"])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_the_weighted_loss_is_that_of_pytorch(framework, smoothing):
    wing = importlib.import_module(f"vision_attention.{framework}")
    training = importlib.import_module(f"vision_attention.{framework}.training")
    losses = importlib.import_module(f"vision_attention.{framework}.losses")
    device = importlib.import_module(f"vision_attention.{framework}.device")
    config = TrainConfig(
        batch_size=8, label_smoothing=smoothing, class_weights="balanced"
    )
    _, targets = next(training.batches(uneven(), config))
    wing.init.seed(0)
    logits = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    ours = losses.cross_entropy(*(device.tensor(x, "cpu") for x in (logits, targets)))
    plain = TrainConfig(batch_size=8, label_smoothing=smoothing)
    _, unweighted = next(training.batches(uneven(), plain))
    theirs = torch.nn.CrossEntropyLoss(torch.tensor(BALANCED), reduction="none")
    expected = theirs(torch.tensor(logits), torch.tensor(unweighted)).mean()
    assert float(ours) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("framework", ["torch", "paddle"])
def test_class_weights_are_recorded_only_when_asked_for(tmp_path, framework):
    words = ["train", "--n-train", "40", "--steps", "2", "--eval-every", "2", "--quiet"]
    words += ["--framework", framework, "--out", tmp_path]
    for name, more in (("plain", []), ("even", ["--class-weights", "balanced"])):
        assert call(*words, "--name", name, *more)[0] == 0
    plain, even = (
        json.loads((tmp_path / name / "record.json").read_text("utf8"))
        for name in ("plain", "even")
    )
    assert "class_weights" not in plain["run"]["train"]
    assert even["run"]["train"]["class_weights"] == "balanced"
    assert even["train"]["class_weights"] == "balanced"
    code, text = call(*words, "--name", "x", "--class-weights", "balance")
    assert (code, "是不是 'balanced'" in text) == (2, True)
