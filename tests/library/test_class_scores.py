"""逐类看：一类多、一类少的时候，总的准确率会骗人。"""

import json
from dataclasses import replace

import numpy as np
import pytest
from commands import call
from PIL import Image

from vision_attention import data
from vision_attention.training import class_scores as scoring
from vision_attention.training.class_scores import ClassScore

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
