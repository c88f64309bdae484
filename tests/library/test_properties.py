"""随手造出的参数与输入，两翼的每个公开类：算得出有限的数，或者一句我们自己的话。

一例是一个好的用例，改掉一两处；FUZZ=几例，缺省每种 40 例；make fuzz 一共 10,000 例。
"""

from __future__ import annotations

import importlib
import inspect
import os
import tempfile
from pathlib import Path

import cases
import hostility
import numpy as np
import pytest
from frameworks import FRAMEWORKS
from hostility import CASES, finite, outcome
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vision_attention import checks, data, specs
from vision_attention.training.config import TrainConfig

WINGS = {w: importlib.import_module(f"vision_attention.{w}") for w in FRAMEWORKS}
NAN, INF = float("nan"), float("inf")
# 尺寸要么小，要么大得装不下：装得下而要几个 GB 的，测试的机器受不了
SMALL = st.one_of(
    st.sampled_from([None, True, False, "", "x", b"x", 10**400, 0.5, 2.5, 1e39, -INF]),
    st.sampled_from([NAN, INF, 5e-324, [], {}, [1, 2], [[1], [1, 2]], (1, 1), object]),
    st.sampled_from(["avg", "max", "both", "keys", "queries", "shared", "concat"]),
    st.sampled_from([np.int64(4), np.float32(0.5), np.ones((11, 11), bool)]),
    st.sampled_from([np.eye(11, dtype=bool), np.zeros((3, 3)), np.array("x")]),
    st.integers(-3, 64),
    st.floats(allow_nan=True, width=32),
    st.text(max_size=4),
)
LARGE = st.sampled_from([10**9, 10**9 + 1, 2**31 - 1, 2**31, 2**63, 10**20])
DTYPES = ["float32"] * 4 + ["float64", "float16", "bfloat16", "int64", "uint8", "bool"]
DTYPES += ["complex64"]
SIZES = [1e-30, 1.0, 300.0, 1e15]


def bounded(share):
    """这一种做几例：平时 40 例；一共 CASES 例里占 share。"""
    return settings(
        max_examples=max(int(CASES * share), 1) if CASES else 40,
        deadline=None,  # 时限由 outcome 管
        database=None,
        derandomize=not CASES,
        suppress_health_check=list(HealthCheck),
    )


def spoiled(good):
    """好的一套参数，改掉零到两处，其中至多一处是很大的数。"""
    few = st.lists(st.sampled_from(sorted(good)), max_size=2, unique=True)

    def change(names):
        first = st.one_of(SMALL, LARGE)
        return st.tuples(*[SMALL if number else first for number in range(len(names))])

    return few.flatmap(
        lambda names: change(names).map(
            lambda values: {**good, **dict(zip(names, values, strict=True))}
        )
    )


def arguments(case):
    """一个用例的全部参数，有名字。"""
    make = getattr(WINGS["torch"], case.build)
    bound = inspect.signature(make).bind(*case.arguments, **case.options)
    bound.apply_defaults()
    return dict(bound.arguments)


CLASSES = [case for case in cases.ALL if case.build != "build"]
MODELS = [case for case in cases.ALL if case.build == "build"]


@st.composite
def inputs(draw, shape):
    """一个输入：改掉几维的大小、类型、数的大小，或者混进坏的数。"""
    sizes = list(shape)
    for place in draw(st.lists(st.integers(0, len(sizes) - 1), max_size=2)):
        sizes[place] = draw(st.sampled_from([0, 1, 1, 2, 3, sizes[place], 17]))
    if draw(st.integers(0, 9)) == 0:
        sizes = draw(st.sampled_from([sizes[1:], [1, *sizes], [], sizes[:1]]))
    values = np.random.default_rng(draw(st.integers(0, 9))).standard_normal(sizes)
    values = values * draw(st.sampled_from(SIZES))
    if values.size and draw(st.integers(0, 9)) == 0:
        values.flat[0] = draw(st.sampled_from([NAN, INF, -INF]))
    return values, draw(st.sampled_from(DTYPES))


def tensor(wing, values, dtype):
    framework = importlib.import_module(wing)
    plain = FRAMEWORKS[wing].tensor(np.asarray(values, "float32"))
    return plain.to(dtype=getattr(framework, dtype))


def plain(wing, y):
    """答案换成双精度的数组。"""
    framework = importlib.import_module(wing)
    kind = framework.complex128 if "complex" in str(y.dtype) else framework.float64
    return y.detach().to(dtype=kind).numpy()


def answer(wing, make, values, dtype, training):
    """建起来，算一遍；输入是有限的数，答案也要是。"""

    def job():
        model = make()
        model.train() if training else model.eval()
        return model(x)

    x = tensor(wing, values, dtype)
    y = outcome(job)
    if y is not None:
        # 半精度装不下的，输入里就已经是无穷
        given = plain(wing, x)
        half = dtype in ("float16", "bfloat16") and np.abs(values).max(initial=0) > 100
        if not half:
            finite(plain(wing, y), given)


@pytest.mark.parametrize("wing", WINGS)
@bounded(0.25)
@given(data_=st.data())
def test_every_class(wing, data_):
    case = data_.draw(st.sampled_from(CLASSES))
    options = data_.draw(spoiled(arguments(case)))
    values, dtype = data_.draw(inputs(case.shape))
    make = getattr(WINGS[wing], case.build)
    training = data_.draw(st.booleans())
    answer(wing, lambda: make(**options), values, dtype, training)


def small(spec):
    """建得起来的尺寸。"""
    numbers = [v for v in vars(spec).values() if type(v) is int]
    return max(numbers) <= 64


@pytest.mark.parametrize("wing", WINGS)
@bounded(0.1)
@given(data_=st.data())
def test_every_model(wing, data_):
    case = data_.draw(st.sampled_from(MODELS))
    (spec,) = case.arguments
    options = data_.draw(spoiled(dict(vars(spec))))
    changed = outcome(lambda: type(spec)(**options))
    if changed is not None and small(changed):
        values, dtype = data_.draw(inputs(case.shape))
        build = WINGS[wing].build
        answer(wing, lambda: build(changed), values, dtype, data_.draw(st.booleans()))


TRAIN = {
    name: item.default
    for name, item in inspect.signature(TrainConfig).parameters.items()
}
LOAD = {
    "name": "digits",
    "n_train": 40,
    "seed": 0,
    "label_noise": 0.1,
    "validation": 20,
}
LOAD |= {
    "classes": (0, 1),
    "max_test": 20,
    "shift": 1,
    "pixel_noise": 0.1,
    "root": None,
}
LOAD |= {"shuffle_patches": 4, "image_size": None, "score": "test", "reserve": 0}


@bounded(0.05)
@given(spoiled(TRAIN))
def test_every_training_config(options):
    outcome(lambda: TrainConfig(**options))


@bounded(0.05)
@given(spoiled(LOAD))
def test_every_way_of_loading(options):
    loaded = outcome(lambda: data.load(**options))
    if loaded is not None:
        finite(loaded.normalize(loaded.test_images))


@bounded(0.05)
@given(st.sampled_from(sorted(specs.SPECS)), st.data())
def test_every_named_size(name, data_):
    good = dict(vars(specs.SPECS[name]))
    options = data_.draw(spoiled(good))
    outcome(lambda: specs.named(name, **options))


# 看守的自己也要看得见：每一种不许的事都真的来一次 ----------------------------------


def forever():
    while True:
        pass


def outside():
    Path(tempfile.gettempdir(), "harm").write_text("x")


FORBIDDEN = {
    "raw": lambda: int("x"),
    "hung": forever,
    "ran": lambda: os.system("true"),
}


@pytest.mark.parametrize("kind", [*FORBIDDEN, "outside"])
def test_what_is_forbidden_is_seen(monkeypatch, tmp_path, kind):
    monkeypatch.setattr(hostility, "COUNTS", hostility.COUNTS.copy())
    short = dict.fromkeys(hostility.LIMITS, 0.2) if kind == "hung" else hostility.LIMITS
    monkeypatch.setattr(hostility, "LIMITS", short)
    job, word = FORBIDDEN.get(kind, outside), "ran" if kind == "outside" else kind
    before = hostility.COUNTS[word]
    with pytest.raises(AssertionError, match=word):
        outcome(job, tmp_path)
    assert hostility.COUNTS[word] == before + 1


def test_a_silent_nan_is_seen(monkeypatch):
    monkeypatch.setattr(hostility, "COUNTS", hostility.COUNTS.copy())
    finite([1.0, NAN], given=[1.0, NAN])
    with pytest.raises(AssertionError, match="悄悄"):
        finite([1.0, NAN], given=[1.0, 2.0])
    assert hostility.COUNTS["silent"] > 0


def test_a_good_answer_and_a_sentence_are_let_through(monkeypatch, tmp_path):
    monkeypatch.setattr(hostility, "COUNTS", hostility.COUNTS.copy())
    assert outcome(lambda: (tmp_path / "x").write_text("x"), tmp_path) == 1
    assert outcome(lambda: checks.positive("n", 0)) is None
