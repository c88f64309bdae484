"""入口检查自己：错误带着参数的名字，取值再怪也说得出一句话，而且立刻就说。"""

from __future__ import annotations

import builtins
import pickle

import numpy as np
import pytest

from vision_attention import checks
from vision_attention.checks import values

HUGE = 10**5000  # 十进制写不出来：Python 只肯写 4300 位


class Speechless:
    """自己的样子也说不出来的东西。"""

    def __repr__(self):
        raise RuntimeError("没有样子")


# 检查、错的取值、它该点出的参数
WRONG = [
    (lambda: checks.choice("pool", "cls", ("class", "mean")), "pool"),
    (lambda: checks.choice("cbam 的参数", "a", ("b",), argument="a"), "a"),
    (lambda: checks.positive("depth", 0), "depth"),
    (lambda: checks.positive("depth", 2**31), "depth"),
    (lambda: checks.deep("depth", 10_001), "depth"),
    (lambda: checks.whole("seed", -1, 0), "seed"),
    (lambda: checks.whole("seed", 2**63, 0), "seed"),
    (lambda: checks.number("lr", "1e-3"), "lr"),
    (lambda: checks.number("lr", 1e39), "lr"),
    (lambda: checks.flag("scale", 1), "scale"),
    (lambda: checks.fraction("label_smoothing", 1.0), "label_smoothing"),
    (lambda: checks.odd("window", 4), "window"),
    (lambda: checks.power_of_two("patch_size", 6), "patch_size"),
    (lambda: checks.divisible("embed_dim", 8, "num_heads", 3), "num_heads"),
    (lambda: checks.several("stages", 3), "stages"),
    (lambda: checks.several("stages", "123"), "stages"),
    (lambda: checks.subset("stages", (1, 4), (1, 2, 3)), "stages"),
    (lambda: checks.options("attention_options", 3), "attention_options"),
    (lambda: checks.within("width", 2**31, "一个权重"), "width"),
    (lambda: checks.quarter(6), "embed_dim"),
    (lambda: checks.mlp_width(8, 0.01), "mlp_ratio"),
    (lambda: checks.mlp_width(2**20, 2**20), "mlp_ratio"),
    (lambda: checks.bottleneck(4, 8), "reduction_ratio"),
    (lambda: checks.bottleneck(2**20, 1), "in_channels"),
    (lambda: checks.bottleneck(8, 8, 2**30), "min_hidden"),
    (lambda: checks.half_patch(1), "patch_size"),
    (lambda: checks.not_alone(1), "num_tokens"),
    (lambda: checks.mask(np.ones((2, 2)), -1), "mask"),
    (lambda: checks.mask([[True], [True, False]], -1), "mask"),
    (lambda: checks.fused_axis(True, "queries"), "softmax_axis"),
    (lambda: checks.unused("multiscale", {"size": (3, 7)}), "size"),
    (lambda: checks.construct("attention", "x", {"y": dict}, 1, {}), "attention"),
    (lambda: checks.construct("attention", "y", {"y": Odd}, 1, {"b": 2}), "b"),
    (lambda: checks.construct("attention", "y", {"y": Odd}, 1, 3), "options"),
    (lambda: checks.array("weights", [[1], [1, 2]]), "weights"),
    (lambda: checks.numbers("weights", ["a"]), "weights"),
    (lambda: checks.numbers("weights", [1.0], 2), "weights"),
    (lambda: checks.finite("weights", [1.0, np.nan]), "weights"),
    (lambda: checks.tensor([1.0]), "x"),
]


class Odd:
    """一个只有 size 可设的类。"""

    def __init__(self, first, size=1):
        self.size = size


@pytest.mark.parametrize(("check", "argument"), WRONG)
def test_every_error_carries_the_name_of_its_argument(check, argument):
    with pytest.raises(checks.ArgumentError) as caught:
        check()
    assert caught.value.argument == argument


def test_two_arguments_that_do_not_go_together_are_both_named():
    with pytest.raises(checks.ArgumentError) as caught:
        checks.divisible("embed_dim", 8, "num_heads", 3)
    assert (caught.value.argument, caught.value.others) == ("num_heads", ("embed_dim",))
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.others) == (str(caught.value), ("embed_dim",))


def test_the_closest_name_is_the_same_for_a_value_and_for_a_key():
    """参数的取值、设置的键，猜最近的名字用的是同一个函数。"""
    assert checks.closest("chanel", ["space", "channel"]) == "channel"
    assert checks.closest("x", ["space", "channel"]) is None
    with pytest.raises(checks.ArgumentError, match="是不是 'mean'？"):
        checks.choice("pool", "mn", ("class", "mean"))
    assert "是不是 'mean'？" in checks.nearest("mn", ("class", "mean"))


def test_the_name_survives_the_way_between_processes():
    error = checks.ArgumentError("width=0 应为正整数", "width")
    back = pickle.loads(pickle.dumps(error))
    assert (str(back), back.argument) == ("width=0 应为正整数", "width")


STRANGE = [HUGE, -HUGE, Speechless(), np.ones(3), [1] * 10**5, "x" * 10**5, None]
ASK = {
    "choice": lambda value: checks.choice("a", value, ("b", "c")),
    "positive": lambda value: checks.positive("a", value),
    "whole": lambda value: checks.whole("a", value, 0),
    "number": lambda value: checks.number("a", value),
    "flag": lambda value: checks.flag("a", value),
    "fraction": lambda value: checks.fraction("a", value),
    "odd": lambda value: checks.odd("a", value),
    "power_of_two": lambda value: checks.power_of_two("a", value),
    "divisible": lambda value: checks.divisible("b", 12, "a", value),
    "subset": lambda value: checks.subset("a", value, range(3)),
    "options": lambda value: checks.options("a", value),
    "unused": lambda value: checks.unused("b", {"a": (value, 7)}),
}


@pytest.mark.parametrize("value", STRANGE, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
def test_strange_values_get_one_short_sentence(ask, value):
    with pytest.raises(checks.ArgumentError) as caught:
        ask(value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("kind", [np.int8, np.int64, np.uint32])
def test_integers_of_numpy_are_integers(kind):
    assert checks.positive("depth", kind(7)) == 7
    assert checks.whole("seed", kind(7), 0) == 7
    assert checks.divisible("embed_dim", kind(12), "num_heads", kind(4)) == 3
    assert checks.subset("stages", np.array([1, 3], kind), (1, 2, 3)) == (1, 3)
    assert type(checks.positive("depth", kind(7))) is int


@pytest.mark.parametrize("value", [3.5e38, -1e300, 1e-38, 1e-300, 10**39])
def test_numbers_that_float32_cannot_hold_are_refused(value):
    # 单精度最大 3.4028e38，最小的规格化数 1.1755e-38
    with pytest.raises(ValueError, match="float32 装不下"):
        checks.number("value", value)


@pytest.mark.parametrize("value", [0, 0.0, 3.4e38, -3.4e38, 1.2e-38, True + 1])
def test_numbers_that_float32_can_hold_are_taken(value):
    assert checks.number("value", value) == value


@pytest.mark.parametrize(
    ("value", "listed"),
    [
        (12, "1, 2, 3, 4, 6, 12"),
        (36, "1, 2, 3, 4, 6, 9, 12, 18, …"),
        (7, "1, 7"),
        (2**31 - 1, "1, 2147483647"),  # 梅森素数
    ],
)
def test_divisors_are_found_below_the_square_root(monkeypatch, value, listed):
    def short(*bounds):
        assert len(builtins.range(*bounds)) <= 46_341  # √(2³¹)
        return builtins.range(*bounds)

    monkeypatch.setattr(values, "range", short, raising=False)
    with pytest.raises(ValueError, match=f"可用的取值：{listed}$"):
        checks.divisible("embed_dim", value, "num_heads", 5)
