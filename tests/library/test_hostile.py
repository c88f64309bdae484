"""怪东西：不论给公开的函数什么，要么算得出，要么是一句我们自己的话，而且很快。

一行一个函数与一套好的参数；每个参数轮流换成 HOSTILE 里的每一样。报错里有汉字，
就是我们的话；框架与 NumPy 的原话没有。
"""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from frameworks import FRAMEWORKS

from vision_attention import attention_maps, data, geometry, initial, plots, specs
from vision_attention.measure import memory, timing
from vision_attention.training import config, diagnosis, history, schedules


class Speechless:
    """自己的样子也说不出来。"""

    def __repr__(self):
        raise RuntimeError("没有样子")


HOSTILE = {
    "None": None,
    "True": True,
    "text": "x",
    "empty": "",
    "bytes": b"x",
    "zero": 0,
    "negative": -1,
    "numpy": np.int64(3),
    "half": 2.5,
    "nan": float("nan"),
    "inf": float("inf"),
    "e9": 10**9,
    "e400": 10**400,
    "e5000": 10**5000,
    "list": [],
    "table": {},
    "ragged": [[1], [1, 2]],
    "words": ["a"],
    "array": np.zeros(0),
    "matrix": np.zeros((2, 3)),
    "complex": np.zeros((2, 3), complex),
    "scalar": np.array("x"),
    "speechless": Speechless(),
    "type": int,
}


def first_batch(dataset, **options):
    """批次流的第一批；一批也没有就是 None。"""
    return next(data.batches(dataset, **options), None)


CURVES = history.History(
    [0, 1], [0.1, 0.1], [2.3, 1.0], [0.1, 0.9], [2.3, 1.0], [0.1, 0.8]
)
WEIGHTS = np.full((2, 3, 9, 9), 1 / 9)
SMALL = data.load("digits", n_train=40)
SETTINGS = {f.name: f.default for f in dataclasses.fields(config.TrainConfig)}
FUNCTIONS = [
    (
        data.load,
        {
            "name": "digits",
            "n_train": 40,
            "seed": 0,
            "label_noise": 0.1,
            "validation": 20,
            "classes": (0, 1),
            "max_test": 20,
            "shift": 1,
            "pixel_noise": 0.1,
            "shuffle_patches": 4,
            "root": None,
            "image_size": None,
        },
    ),
    (data.load, {"name": "two_marks", "distance": 8}),
    (
        first_batch,
        {
            "dataset": SMALL,
            "batch_size": 4,
            "steps": 3,
            "seed": 0,
            "augment": "strong",
            "label_smoothing": 0.1,
            "start": 0,
        },
    ),
    (SMALL.normalize, {"images": SMALL.test_images[:2]}),
    (initial.seed, {"value": 0}),
    (config.TrainConfig, SETTINGS),
    *[
        (type(spec), {f.name: getattr(spec, f.name) for f in dataclasses.fields(spec)})
        for spec in map(
            specs.named,
            (
                "vit_tiny",
                "resnet20",
                "resnet18",
                "mobile_narrow",
                "small_cnn",
                "mlp_small",
            ),
        )
    ],
    (specs.named, {"name": "vit_tiny", "depth": 2}),
    (attention_maps.rollout, {"weights": [WEIGHTS, WEIGHTS]}),
    (attention_maps.mean_attention_distance, {"weights": WEIGHTS, "grid": 3}),
    (attention_maps.entropy, {"weights": WEIGHTS}),
    (geometry.token_distance, {"grid": 3}),
    (geometry.window_mask, {"grid": 3, "window": 3, "class_token": True}),
    (geometry.self_excluded, {"num_tokens": 3}),
    (geometry.sincos_2d, {"grid": 3, "embed_dim": 8}),
    (geometry.sincos_1d, {"grid": 3, "embed_dim": 8}),
    (
        schedules.warmup_cosine,
        {"step": 1, "total_steps": 9, "warmup_steps": 2, "peak": 0.1, "floor": 0.0},
    ),
    (
        diagnosis.diagnose,
        {"curves": CURVES, "num_classes": 10, "test_size": 500, "sanity": None},
    ),
    (diagnosis.chance_bound, {"num_classes": 10, "test_size": 500}),
    (timing.ratio, {"own": [1.0, 2.0], "theirs": [1.0, 2.0]}),
    (memory.peak_memory, {"function": dict}),
    (plots.interval, {"values": [1.0, 2.0]}),
    (plots.learning_curves, {"histories": {"a": CURVES}, "metric": "loss"}),
    (plots.accuracy_by_data_size, {"runs": {"a": {10: [0.1, 0.2]}}}),
    (
        plots.bar_with_values,
        {"names": ["a"], "values": [1], "xlabel": "x", "digits": 1},
    ),
    (plots.paired_differences, {"names": ["a"], "differences": [[0.1, 0.2]]}),
    (
        plots.matched,
        {"panels": {"a": ([1], [2])}, "xlabel": "x", "ylabel": "y", "columns": 2},
    ),
    (
        plots.image_grid,
        {
            "images": np.zeros((3, 4, 4)),
            "titles": ["a", "b", "c"],
            "columns": 2,
            "size": 1.0,
            "limits": (0, 1),
        },
    ),
    (plots.heatmap, {"values": np.eye(3), "limits": (0, 1)}),
    (
        plots.overlay,
        {"image": np.eye(4), "values": np.eye(2), "opacity": 0.5},
    ),
    (
        plots.attention_matrix,
        {"weights": np.eye(2), "row_labels": "ab", "col_labels": "cd", "digits": 2},
    ),
    (plots.new_figure, {"rows": 1, "columns": 1, "size": (2.0, 2.0)}),
]
CASES = [
    pytest.param(function, good, name, id=f"{function.__name__}-{name}-{number}")
    for number, (function, good) in enumerate(FUNCTIONS)
    for name in good
]
WORDS = {"xlabel", "ylabel"}  # 什么都写得出来


@pytest.mark.parametrize(("function", "good", "name"), CASES)
def test_whatever_is_given_the_answer_is_ours(function, good, name):
    function(**good)
    if name in WORDS:
        return
    raw = {}
    for label, value in HOSTILE.items():
        try:
            function(**{**good, name: value})
        except Exception as error:
            if not re.search("[一-鿿]", str(error)) or len(str(error)) > 900:
                raw[label] = f"{type(error).__name__}: {error}"
    assert raw == {}


def wing_functions(wing):
    """一翼里的函数与一套好的参数；训练一步，图很小。"""
    narrow = {"width": 2, "attention": "simam"}
    model = wing.build(specs.named("small_cnn", **narrow))
    vit = wing.build(specs.named("vit_tiny", embed_dim=8, depth=1))
    images, labels = SMALL.normalize(SMALL.test_images[:4]), SMALL.test_labels[:4]
    brief = config.TrainConfig(steps=1, warmup_steps=0, batch_size=2, eval_every=1)
    x = FRAMEWORKS[wing.__name__.rpartition(".")[2]].tensor(images)
    layer, spot = model.stages[0], (1, 1)
    return {
        "gates": {"model": model, "x": x},
        "attention": {"model": vit, "x": x},
        "effective_receptive_field": {
            "function": model.eval().features,
            "x": x,
            "position": spot,
        },
        "grad_cam": {"model": model, "layer": layer, "x": x, "target": [0] * 4},
        "LinearProbe": {"model": model},
        "count_parameters": {"model": model},
        "fit": {"model": model, "dataset": SMALL, "config": brief, "checkpoint": None},
        "evaluate": {
            "model": model,
            "images": images,
            "labels": labels,
            "batch_size": 2,
        },
        "sanity": {"model": model, "dataset": SMALL, "steps": 1},
        "build": {"spec": specs.named("small_cnn")},
        "build_gate": {"name": "cbam", "in_channels": 16},
        "count_macs": {"model": model, "input_shape": (1, 8, 8)},
        "seed": {"value": 0},
    }


@pytest.mark.parametrize(
    ("function", "name"),
    [
        ("fit", "model"),
        ("fit", "dataset"),
        ("fit", "config"),
        ("fit", "checkpoint"),
        ("evaluate", "model"),
        ("evaluate", "images"),
        ("evaluate", "labels"),
        ("evaluate", "batch_size"),
        ("sanity", "model"),
        ("sanity", "dataset"),
        ("sanity", "steps"),
        ("build", "spec"),
        ("build_gate", "name"),
        ("build_gate", "in_channels"),
        ("count_macs", "model"),
        ("count_macs", "input_shape"),
        ("count_parameters", "model"),
        ("gates", "model"),
        ("gates", "x"),
        ("attention", "model"),
        ("attention", "x"),
        ("effective_receptive_field", "function"),
        ("effective_receptive_field", "x"),
        ("effective_receptive_field", "position"),
        ("grad_cam", "model"),
        ("grad_cam", "layer"),
        ("grad_cam", "x"),
        ("grad_cam", "target"),
        ("LinearProbe", "model"),
        ("seed", "value"),
    ],
)
def test_whatever_a_wing_is_given_the_answer_is_ours(
    wing, function, name, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    owners = [wing.inspect, wing, wing.init]
    owner = next(owner for owner in owners if hasattr(owner, function))
    good, raw = wing_functions(wing)[function], {}
    getattr(owner, function)(**good)
    for label, value in HOSTILE.items():
        if (name, label) == ("function", "type"):
            continue  # int 也是函数；读者的函数里报的错，照原样给他看
        try:
            getattr(owner, function)(**{**good, name: value})
        except Exception as error:
            if not re.search("[一-鿿]", str(error)):
                raw[label] = f"{type(error).__name__}: {error}"
    assert raw == {}
