"""训练的配置：写错的值在建立时就被拒绝。"""

from dataclasses import FrozenInstanceError, asdict

import pytest

from vision_attention.config import TrainConfig

WRONG = [
    ("optimizer", "adam"),
    ("augment", "strongest"),
    ("precision", "float16"),
    ("device", "cuda"),
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


def test_clipping_can_be_switched_off():
    assert TrainConfig(clip_norm=None).clip_norm is None


def test_config_is_frozen():
    with pytest.raises(FrozenInstanceError):
        TrainConfig().lr = 0.1


def test_config_survives_a_dict():
    config = TrainConfig(lr=0.3, steps=77, optimizer="sgd")
    assert TrainConfig(**asdict(config)) == config
