"""几次训练合起来的结论：数照手算，种子不一致就说说不准，每一步都有书页。"""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from vision_attention.training import checkup
from vision_attention.training.checkup import Trained, advise, compared, examine, spread
from vision_attention.training.sanity import Sanity

BOOK = Path(__file__).resolve().parents[2] / "book"
SIZES = {"num_classes": 10, "test_size": 500}


def ended(seed, train, test, n=100):
    """一次训练：只有起点与终点的曲线。"""
    curves = SimpleNamespace(
        train_loss=[2.3, 0.5],
        train_accuracy=[0.1, train],
        test_loss=[2.3, 0.9],
        test_accuracy=[0.1, test],
    )
    return Trained(seed, n, curves)


def test_gap_is_the_mean_over_the_seeds_with_its_interval():
    found = examine(
        [ended(0, 1.0, 0.7), ended(1, 1.0, 0.8), ended(2, 1.0, 0.9)], **SIZES
    )
    assert found.name == "过拟合"
    assert found.why.startswith("3 粒种子里 3 粒如此。训练准确率 1.00，测试 0.70")
    # 差距 0.3、0.2、0.1：平均 0.2，标准差 0.1，t(2) = 4.302653
    assert found.gap.mean == pytest.approx(0.2)
    half = 4.302653 * 0.1 / np.sqrt(3)
    assert found.gap.high == pytest.approx(0.2 + half, abs=1e-6)
    assert spread(found.gap) == "0.200，区间 −0.048 到 0.448"


def test_seeds_that_disagree_are_told_not_outvoted():
    runs = [ended(0, 0.9, 0.75), ended(1, 0.9, 0.78), ended(2, 0.8, 0.75)]
    found = examine(runs, **SIZES)
    assert found.name == "说不准"
    assert "2 粒是过拟合，1 粒是欠拟合" in found.why
    assert [d.name for d in found.by_seed.values()] == ["过拟合", "过拟合", "欠拟合"]


def test_seeds_around_the_threshold_are_not_called_two_equal_halves():
    # 没学会的都是 0；没带过去的 0.04、0.06，只是都在 0.05 上下
    found = examine([ended(k, 1.0, 0.96 - 0.02 * (k > 0)) for k in range(3)], **SIZES)
    assert found.name == "说不准"
    assert "2 粒是过拟合，1 粒是都不明显" in found.why
    (advice,) = advise(found, augmented=False, transformer=False)
    for told in (found.why, advice.what):
        assert "差不多大" not in told
    assert "大的一份就在 0.05 上下" in found.why


def test_one_broken_seed_is_enough():
    runs = [ended(0, 1.0, 0.8), ended(1, 1.0, 0.8), ended(2, 1.0, 0.05)]
    assert examine(runs, **SIZES).name == "有毛病"
    bad = Sanity(2.3, 2.3, 2.0, 0.2, 150, np.empty(0), ())
    assert examine(runs[:1], **SIZES, sanity=bad).name == "有毛病"


def test_too_few_seeds_are_said():
    found = examine([ended(0, 1.0, 0.8)], **SIZES)
    assert "做不得准" in found.why
    assert spread(found.gap) == "0.200，只有一次，没有区间"
    with pytest.raises(ValueError, match="至少要有一次训练"):
        examine([], **SIZES)


def test_only_the_largest_size_decides_and_the_next_one_is_compared():
    full = [ended(k, 1.0, 0.80 + 0.01 * k) for k in range(3)]
    half = [ended(k, 0.2, 0.70 + 0.01 * k, 50) for k in range(3)]
    few = [ended(k, 0.2, 0.1, 25) for k in range(3)]
    found = examine([*few, *full, *half], **SIZES)
    assert found.name == "过拟合"
    assert list(found.by_size) == [25, 50, 100]
    assert found.more.mean == pytest.approx(0.1)
    assert compared(found.more) == "提高（+0.100，区间 +0.100 到 +0.100）"
    assert found.attention is None
    assert compared(None) == ""


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ((0.05, 0.06, 0.07), "提高（"),
        ((-0.05, -0.06, -0.07), "降低（"),
        ((0.001, 0.0, -0.001), "相差不到 0.02（"),
        ((0.1, -0.1, 0.05), "说不准（"),
    ],
)
def test_attention_is_paired_by_seed(changes, told):
    own = [ended(k, 1.0, 0.5 + 0.1 * k) for k in range(3)]
    other = [ended(k, 1.0, 0.5 + 0.1 * k + d) for k, d in enumerate(changes)]
    found = examine(own, **SIZES, others=other)
    assert found.attention.mean == pytest.approx(np.mean(changes))
    assert compared(found.attention).startswith(told)


def steps(train, test, *, half=None, augmented=False, transformer=False):
    runs = [ended(k, train, test + 0.001 * k) for k in range(3)]
    if half is not None:
        runs += [ended(k, 1.0, half + 0.001 * k, 50) for k in range(3)]
    found = examine(runs, **SIZES)
    return [
        step.what
        for step in advise(found, augmented=augmented, transformer=transformer)
    ]


def test_a_fault_with_groups_asks_for_more_groups():
    found = examine([ended(0, 1.0, 0.05)], **SIZES)
    kind = {"augmented": False, "transformer": False}
    assert len(advise(found, **kind)) == 1
    assert "多拍几组" in advise(found, **kind, grouped=True)[1].what


def test_advice_follows_the_diagnosis():
    assert "先修毛病" in steps(1.0, 0.05)[0]
    assert "步数加倍" in steps(0.6, 0.6)[0]
    assert not any("关掉增强" in step for step in steps(0.6, 0.6))
    assert "关掉增强" in steps(0.6, 0.6, augmented=True)[1]
    assert "不必再治" in steps(0.99, 0.98)[0]
    assert "刚才图片加倍" in steps(1.0, 0.8, half=0.6)[0]
    assert steps(1.0, 0.8, half=0.8)[0] == "用弱增强：--augment weak"
    assert not any("--augment" in step for step in steps(1.0, 0.8, augmented=True))
    assert any("small_cnn" in step for step in steps(1.0, 0.8, transformer=True))


@pytest.mark.parametrize("page", checkup.PAGES)
def test_every_page_exists_under_its_title(page):
    text = (BOOK / f"{page}.md").read_text("utf8")
    assert re.search(r"^# (.+)$", text, re.M)[1] == checkup.PAGES[page]
