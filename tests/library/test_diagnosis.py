"""诊断：四个结果各有曲线走到，问的次序不乱，理由里的数就是曲线上的数。"""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from vision_attention.training.diagnosis import (
    BROKEN,
    FINE,
    OVERFIT,
    UNDERFIT,
    chance_bound,
    diagnose,
)
from vision_attention.training.history import History
from vision_attention.training.sanity import Sanity


def curves(train, test, *, train_loss=(2.3, 0.1), test_loss=(2.3, 0.5)):
    """两个评估点的曲线，终点的准确率由参数给出。"""
    return History(
        step=[0, 100],
        train_loss=list(train_loss),
        train_accuracy=[0.1, train],
        test_loss=list(test_loss),
        test_accuracy=[0.1, test],
    )


def checked(first=2.3, loss=0.01, accuracy=1.0):
    """一次体检的结果。"""
    images = np.zeros((1, 1, 8, 8), np.uint8)
    return Sanity(first, math.log(10), loss, accuracy, 150, images, ("0",))


@pytest.mark.parametrize(
    ("train", "test", "name"),
    [
        (1.0, 0.8, OVERFIT),
        (0.6, 0.58, UNDERFIT),
        (0.97, 0.95, FINE),
        (0.88, 0.7, OVERFIT),  # 两样都有，没带过去的多
        (0.8, 0.7, UNDERFIT),  # 两样都有，没学会的多
        (1.0, 0.1, BROKEN),
        (0.2, 0.1, UNDERFIT),  # 训练也没有学会，谈不上对不上
    ],
)
def test_the_larger_share_decides(train, test, name):
    assert diagnose(curves(train, test)).name == name


def test_the_two_shares_add_up_to_the_test_error():
    found = diagnose(curves(0.9, 0.7))
    assert found.unlearned == pytest.approx(0.1)
    assert found.gap == pytest.approx(0.2)
    assert found.unlearned + found.gap == pytest.approx(1 - 0.7)


@pytest.mark.parametrize("bad", [checked(first=4.0), checked(loss=1.5, accuracy=0.9)])
def test_a_failed_check_comes_before_everything(bad):
    for pair in ((1.0, 0.8), (0.6, 0.58), (0.99, 0.98)):
        found = diagnose(curves(*pair), sanity=bad)
        assert found.name == BROKEN
        assert "体检不过" in found.why


def test_a_passed_check_changes_nothing():
    one = curves(1.0, 0.8)
    assert diagnose(one, sanity=checked()) == diagnose(one)


def test_loss_above_guessing_is_a_fault():
    high = curves(1.0, 0.9, train_loss=(2.3, 71.5, 0.1))
    found = diagnose(high)
    assert found.name == BROKEN
    assert "71.50" in found.why
    # 训练之前的那一点不算；刚过 ln K 也不算
    assert diagnose(curves(1.0, 0.8, train_loss=(9.0, 0.1))).name == OVERFIT
    assert diagnose(curves(1.0, 0.8, train_loss=(2.3, 2.5, 0.1))).name == OVERFIT
    # 类别多，瞎猜的损失也高
    many = curves(1.0, 0.8, train_loss=(4.6, 4.8, 0.1))
    assert diagnose(many, num_classes=100).name == OVERFIT


@pytest.mark.parametrize("name", ["train_loss", "test_loss"])
def test_a_loss_that_is_no_number_is_a_fault(name):
    diverged = vars(curves(0.1, 0.1)) | {name: [2.3, math.nan]}
    found = diagnose(SimpleNamespace(**diverged))
    assert found.name == BROKEN
    assert "已经发散" in found.why


def test_empty_curves_are_refused():
    with pytest.raises(ValueError, match="曲线是空的"):
        diagnose(History())


def test_chance_depends_on_the_size_of_the_test_set():
    assert chance_bound(10, 500) == pytest.approx(0.1 + 3 * math.sqrt(0.09 / 500))
    one = curves(1.0, 0.17)
    assert diagnose(one, test_size=100).name == BROKEN
    assert diagnose(one, test_size=500).name == OVERFIT


def test_reason_tells_the_numbers_of_the_curve():
    found = diagnose(curves(1.0, 0.81, test_loss=(2.3, 0.7, 0.86)))
    for number in ("1.00", "0.81", "0.19", "0.70", "0.86"):
        assert number in found.why
    assert "升回" not in diagnose(curves(1.0, 0.81, test_loss=(2.3, 0.70, 0.75))).why


@pytest.mark.parametrize(("test", "written"), [(0.602, "0.00"), (0.65, "−0.05")])
def test_a_test_score_above_training_is_written_well(test, written):
    assert f"没带过去的 {written}，" in diagnose(curves(0.6, test)).why


@pytest.mark.parametrize(
    ("test_size", "train", "test", "name"),
    [
        (100, 0.5, 0.5, UNDERFIT),  # 两类各半：训练也在瞎猜，不是图与标签对不上
        (100, 0.6, 0.5, UNDERFIT),
        (100, 0.95, 0.5, BROKEN),
        (8, 1.0, 1.0, FINE),  # 只有 8 张，界线高过 1：什么也没有说
    ],
)
def test_with_two_classes_a_guess_is_half(test_size, train, test, name):
    loss = [0.7, 0.69]
    found = diagnose(
        History([0, 9], [0, 0], loss, [0.5, train], loss, [0.5, test]),
        num_classes=2,
        test_size=test_size,
    )
    assert found.name == name


@pytest.mark.parametrize(
    ("num_classes", "test_size", "train", "test", "name"),
    [
        (10, 500, 0.5, 0.1, BROKEN),  # 训练恰好会了一半
        # 两类、16 张：三个标准误是 3 × √(¼ / 16) = 3/8，界线恰在 14/16
        (2, 16, 1.0, 14 / 16, BROKEN),
        (2, 16, 1.0, 15 / 16, OVERFIT),
    ],
)
def test_what_lies_on_the_line_is_still_a_guess(
    num_classes, test_size, train, test, name
):
    one = curves(train, test, train_loss=(0.7, 0.1), test_loss=(0.7, 0.5))
    found = diagnose(one, num_classes=num_classes, test_size=test_size)
    assert found.name == name


@pytest.mark.parametrize(
    ("first", "loss", "accuracy", "fine"),
    [
        # 随机猜是 4：差四分之一以内；单批的损失至多是首步的十分之一，准确率至少 0.95
        (5.0, 0.5, 0.95, (True, True)),
        (3.0, 0.25, 1.0, (True, True)),
        (5.1, 0.5, 0.95, (False, True)),
        (2.9, 0.25, 1.0, (False, True)),
        (5.0, 0.51, 1.0, (True, False)),  # 答对了，损失还高
        (5.0, 0.1, 0.94, (True, False)),  # 损失低，没有全背下来
    ],
)
def test_each_half_of_the_check_counts(first, loss, accuracy, fine):
    check = Sanity(first, 4.0, loss, accuracy, 150, np.empty(0), ())
    assert (check.first_loss_ok, check.batch_ok) == fine
    assert check.ok is all(fine)
