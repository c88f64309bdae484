"""学习率的日程。"""

import math

import pytest

from vision_attention.training.schedules import warmup_cosine


def test_first_step_is_not_wasted():
    assert warmup_cosine(0, 70, 7, 0.21) == pytest.approx(0.03)


def test_warmup_is_a_straight_line():
    rates = [warmup_cosine(step, 70, 7, 0.21) for step in range(7)]
    assert rates == pytest.approx([0.03 * k for k in range(1, 8)])


def test_peak_is_reached_when_warmup_ends():
    assert warmup_cosine(7, 70, 7, 0.21) == pytest.approx(0.21)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_cosine_by_hand(share):
    step = 7 + round(share * 60)
    expected = 0.01 + 0.2 * (1 + math.cos(math.pi * share)) / 2
    assert warmup_cosine(step, 67, 7, 0.21, floor=0.01) == pytest.approx(expected)


def test_ends_at_the_floor():
    assert warmup_cosine(70, 70, 7, 0.21, floor=0.05) == pytest.approx(0.05)


def test_last_step_still_moves():
    assert warmup_cosine(69, 70, 7, 0.21) > 0


def test_no_warmup_starts_at_the_peak():
    assert warmup_cosine(0, 70, 0, 0.21) == pytest.approx(0.21)


def test_warmup_may_fill_the_whole_run():
    assert warmup_cosine(9, 10, 10, 0.5) == pytest.approx(0.5)


@pytest.mark.parametrize(("step", "warmup"), [(-1, 3), (71, 3), (5, 71), (5, -1)])
def test_out_of_range_is_refused(step, warmup):
    with pytest.raises(ValueError, match="total_steps=70"):
        warmup_cosine(step, 70, warmup, 0.1)
