"""批改“读懂一次比较”：写对的不误判，每一种认得的错叫得出名字。"""

import math

import numpy as np
import pytest
from scipy import stats

from vision_attention import statistics
from vision_attention.grading import BANK, SENTENCES, grade
from vision_attention.grading.comparisons import ANSWERS, CASES, SAYABLE
from vision_attention.grading.paired import INTERVAL, arms
from vision_attention.statistics import ALIKE, DOWN, UNSURE, UP


def gains(ours, theirs):
    return [ours[seed] - theirs[seed] for seed in sorted(set(ours) & set(theirs))]


def plain(ours, theirs):
    d = gains(ours, theirs)
    n, middle = len(d), sum(d) / len(d)
    sd = math.sqrt(sum((x - middle) ** 2 for x in d) / (n - 1))
    half = stats.t.ppf(0.975, n - 1) * sd / math.sqrt(n)
    return [middle, middle - half, middle + half]


def ready_made(ours, theirs):
    found = stats.ttest_1samp(gains(ours, theirs), 0)
    low, high = found.confidence_interval()
    return np.mean(gains(ours, theirs)), low, high


def scipy_interval(ours, theirs):
    d = gains(ours, theirs)
    return np.mean(d), *stats.t.interval(0.95, len(d) - 1, np.mean(d), stats.sem(d))


def rounded(ours, theirs):
    """查表：2.262、2.571，写到三位小数。"""
    d = np.array(gains(ours, theirs))
    half = {10: 2.262157, 6: 2.570582}[len(d)] * d.std(ddof=1) / len(d) ** 0.5
    return np.array([d.mean(), d.mean() - half, d.mean() + half])


RIGHT = [plain, ready_made, scipy_interval, rounded, statistics.paired_difference]


@pytest.mark.parametrize("written", RIGHT)
def test_right_intervals(written):
    report = grade(written, "paired_interval")
    assert report.right, str(report)


def wrong(pairs="seeds", ddof=1, root=True, t=True, sign=1):
    """改动一处的区间。"""

    def interval(ours, theirs):
        if pairs == "order":
            d = np.subtract(*(list(arm.values())[:] for arm in (ours, theirs)))
        else:
            d = np.array(gains(ours, theirs))
        half = d.std(ddof=ddof) / (len(d) ** 0.5 if root else 1)
        quantile = stats.t.ppf(0.975, 9 if t == "fixed" else len(d) - 1) if t else 1.96
        middle = sign * d.mean()
        return middle, middle - quantile * half, middle + quantile * half

    return interval


def unpaired(ours, theirs):
    a, b = list(ours.values()), list(theirs.values())
    found = stats.ttest_ind(a, b)
    low, high = found.confidence_interval()
    return np.mean(a) - np.mean(b), low, high


WRONG = [
    (wrong(pairs="order"), {"照写下的次序相减，不照种子"}),
    (wrong(ddof=0), {"标准差除以了 n，不是 n − 1"}),
    (wrong(root=False), {"没有除以 √n"}),
    (wrong(t=False), {"用了 1.96，不是 t 的分位数"}),
    (wrong(t="fixed"), {"t 的分位数写死了"}),
    (wrong(sign=-1), {"减反了"}),
    (unpaired, {"没有按种子配对"}),
    (
        wrong(t=False, ddof=0),
        {"用了 1.96，不是 t 的分位数", "标准差除以了 n，不是 n − 1"},
    ),
    (lambda ours, theirs: (0.0, -1.0, 1.0), set()),
    (lambda ours, theirs: plain(ours, theirs)[:2], set()),
    (lambda ours, theirs: "提高", set()),
    (lambda ours, theirs: 1 / 0, set()),
]


@pytest.mark.parametrize(("written", "names"), WRONG)
def test_wrong_intervals_are_named(written, names):
    report = grade(written, "paired_interval")
    assert not report.right
    assert set(report.names) == names, str(report)


def test_every_known_interval_mistake_is_tried():
    tried = set().union(*(names for _, names in WRONG))
    assert tried == {v.name for v in BANK.values() if v.aspect in INTERVAL}


def book(low, high, delta):
    """照程序库的判法，写成另一个样子。"""
    found = statistics.Estimate(10, (low + high) / 2, 0.0, low, high)
    if not low <= 0 <= high:
        return statistics.verdict(found)
    return ALIKE.replace(" ", "") if statistics.within(found, delta) else UNSURE


def test_right_answers():
    assert grade(book, "four_answers").right


@pytest.mark.parametrize("key", [key for aspect, key in BANK if aspect == "answers"])
def test_each_wrong_answer_is_named(key):
    report = grade(ANSWERS[key], "four_answers")
    assert report.names == (BANK["answers", key].name,)


def test_each_way_of_answering_differs_somewhere():
    told = [tuple(rule(*case) for case in CASES) for rule in ANSWERS.values()]
    assert len(set(told)) == len(told) == 1 + sum(a == "answers" for a, _ in BANK)


def test_an_unknown_answer_is_said():
    report = grade(lambda low, high, delta: "没有用", "four_answers")
    assert "不是四种回答之一" in str(report)
    report = grade(lambda low, high, delta: UP if high > 0.01 else DOWN, "four_answers")
    assert "应答" in str(report)


def told(ours, theirs, delta, **changed):
    """说得的几句；changed 改动其中一句的说法。"""
    mean, low, high = plain(ours, theirs)
    rules = {
        "甲": mean > 0,
        "乙": low > 0,
        "丙": -delta < low and high < delta,
        "丁": False,
        "戊": False,
    }
    rules |= {letter: rule(mean, low, high, delta) for letter, rule in changed.items()}
    return [letter for letter, said in rules.items() if said]


def zero(mean, low, high, delta):
    return low <= 0 <= high


SAYINGS = [
    ({}, set()),
    ({"甲": lambda m, a, b, d: a > 0}, {"看得见的平均也不敢说"}),
    ({"乙": lambda m, a, b, d: m > 0}, {"平均高就说装了就高"}),
    ({"丙": zero}, {"区间含 0 就说相差不到 δ"}),
    ({"丁": zero}, {"区间含 0 就说没有用"}),
    ({"丁": lambda m, a, b, d: -d < a and b < d}, {"相差不到 δ 就说没有用"}),
    ({"戊": lambda m, a, b, d: a > 0}, {"说到了没有量过的数据上"}),
    ({"丙": zero, "丁": zero}, {"区间含 0 就说相差不到 δ", "区间含 0 就说没有用"}),
]


@pytest.mark.parametrize(("changed", "names"), SAYINGS)
def test_sentences_said_too_far_are_named(changed, names):
    report = grade(lambda *given: told(*given, **changed), "sayable")
    assert set(report.names) == names, str(report)
    assert report.right == (not names)


def test_every_known_saying_is_tried():
    tried = set().union(*(names for _, names in SAYINGS))
    assert tried == {v.name for v in BANK.values() if v.aspect in SAYABLE}


def test_what_cannot_be_said_is_listed():
    assert "多说了 丙、丁、戊" in str(grade(lambda *given: set(SENTENCES), "sayable"))
    assert "漏了 甲" in str(grade(lambda *given: set(), "sayable"))
    assert "没有“庚”这一句" in str(grade(lambda *given: {"庚"}, "sayable"))


def test_the_arms_are_out_of_order_and_each_misses_a_seed():
    ours, theirs = arms(1, 10)
    assert len(set(ours) & set(theirs)) == 10
    assert set(ours) - set(theirs) and set(theirs) - set(ours)
    assert list(ours) != sorted(ours)
