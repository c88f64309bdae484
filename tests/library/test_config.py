"""训练的配置：写错的值在建立时就被拒绝。"""

import json
from dataclasses import FrozenInstanceError, asdict

import numpy as np
import pytest

from vision_attention import specs
from vision_attention.training.config import TrainConfig

WRONG = [
    ("optimizer", "adam"),
    ("augment", "strongest"),
    ("precision", "float16"),
    ("device", "cuda"),
    ("memory_format", "nhwc"),
    ("lr", 0),
    ("lr", -0.1),
    ("lr", float("nan")),
    ("lr", float("inf")),
    ("lr", "1e-3"),
    ("weight_decay", -0.1),
    ("momentum", 1.0),
    ("label_smoothing", 1.0),
    ("clip_norm", 0),
    ("steps", 0),
    ("steps", 2.5),
    ("steps", True),
    ("warmup_steps", -1),
    ("batch_size", 0),
    ("seed", -1),
    ("eval_every", 0),
    ("max_train_eval", 0),
    ("class_weights", "balance"),
    ("trunk_lr", 0),
    ("trunk_lr", float("inf")),
    ("trunk_lr", "1e-3"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_wrong_value_is_named(name, value):
    with pytest.raises(ValueError, match=f"{name}={value!r}"):
        TrainConfig(**{name: value})


def test_nearest_choice_is_suggested():
    with pytest.raises(ValueError, match="adamw"):
        TrainConfig(optimizer="adam")


def test_warmup_longer_than_the_run_is_refused():
    with pytest.raises(ValueError, match="warmup_steps=30 大于 steps=20"):
        TrainConfig(steps=20, warmup_steps=30)


def test_warmup_may_be_the_whole_run():
    assert TrainConfig(steps=20, warmup_steps=20).warmup_steps == 20


def test_clipping_can_be_switched_off():
    assert TrainConfig(clip_norm=None).clip_norm is None


def test_config_is_frozen():
    with pytest.raises(FrozenInstanceError):
        TrainConfig().lr = 0.1


def test_config_survives_a_dict():
    config = TrainConfig(lr=0.3, steps=77, optimizer="sgd")
    assert TrainConfig(**asdict(config)) == config


def test_numpy_scalars_are_plain_numbers():
    """用 np.logspace 扫学习率，得到的配置与写 Python 的数相同，也写得成 JSON。"""
    scanned = TrainConfig(
        lr=np.float64(0.001), steps=np.int64(70), batch_size=np.int32(8)
    )
    assert scanned == TrainConfig(lr=0.001, steps=70, batch_size=8)
    assert json.dumps(asdict(scanned)) == json.dumps(
        asdict(TrainConfig(**asdict(scanned)))
    )
    assert {type(v) for v in asdict(scanned).values()} <= {str, int, float, type(None)}


def test_a_wrong_numpy_scalar_is_named_without_its_type():
    with pytest.raises(ValueError, match=r"lr=-1\.0 不合适；应为大于 0"):
        TrainConfig(lr=np.float64(-1))


@pytest.mark.parametrize(
    ("name", "given", "plain"),
    [
        ("vit_tiny", {"depth": np.int64(2), "mlp_ratio": np.float64(2)}, None),
        ("vit_tiny", {"qkv_bias": np.bool_(False)}, {"qkv_bias": False}),
        ("resnet20", {"stages": np.arange(1, 3)}, {"stages": (1, 2)}),
        ("resnet20", {"stage_widths": np.array([8, 9, 10])}, None),
        ("mlp_small", {"width": np.int16(9)}, {"width": 9}),
    ],
)
def test_numpy_scalars_are_plain_sizes(name, given, plain):
    plain = plain or {key: value.tolist() for key, value in given.items()}
    scanned, written = specs.named(name, **given), specs.named(name, **plain)
    assert (scanned, repr(scanned)) == (written, repr(written))
