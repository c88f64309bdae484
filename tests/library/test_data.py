"""数据的入口、切分、随机标签与批次。"""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from vision_attention import data
from vision_attention.data import augment as augmentation
from vision_attention.data import digits as scans
from vision_attention.data import splits
from vision_attention.data.batches import indices
from vision_attention.data.dataset import Source, channel_statistics


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


def test_digits_are_the_scans_of_scikit_learn(digits):
    from sklearn.datasets import load_digits

    raw = load_digits().images.astype(int)
    known = [np.rint(image * 255 / 16).astype(np.uint8).tobytes() for image in raw]
    ours = np.concatenate([digits.train_images, digits.test_images])
    assert ours.shape == (1797, 1, 8, 8)
    assert sorted(image.tobytes() for image in ours) == sorted(known)


def test_gray_levels_round_half_up(digits):
    seen = np.unique(np.concatenate([digits.train_images, digits.test_images]))
    # 0–16 级各自的像素值；8 级恰在 127.5，进到 128
    expected = [0, 16, 32, 48, 64, 80, 96, 112, 128, 143, 159, 175, 191, 207, 223]
    assert seen.tolist() == [*expected, 239, 255]


def test_digits_fingerprint_never_drifts(digits):
    # 换机器、换 NumPy 版本都该是它；变了就说明记录不再可比
    assert digits.fingerprint == "5de2d1c97fc6a8b4"


def test_digits_are_read_without_loading_scikit_learn():
    """载入 sklearn.datasets 要 0.8 秒，每本笔记本都要等它。"""
    code = (
        "import sys; from vision_attention import data; data.load('digits');"
        "heavy = {'sklearn', 'scipy.stats', 'scipy.optimize'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_digits_are_the_same_where_the_file_has_moved(digits, monkeypatch):
    monkeypatch.setattr(scans, "FILE", "搬走了.csv.gz")
    assert data.load("digits").fingerprint == digits.fingerprint


def test_test_set_is_fixed_and_stratified(digits):
    other = data.load("digits", seed=7, n_train=60, label_noise=0.5)
    assert np.array_equal(other.test_images, digits.test_images)
    assert np.array_equal(other.test_labels, digits.test_labels)
    counts = np.bincount(digits.test_labels)
    assert counts.sum() == 500
    assert counts.max() - counts.min() <= 3


def test_train_and_test_share_no_scan(digits):
    train = {image.tobytes() for image in digits.train_images}
    assert len(digits.train_labels) == 1297
    assert not train & {image.tobytes() for image in digits.test_images}


def test_small_training_set_opens_the_large_one():
    small, large = (data.load("digits", n_train=n, seed=3) for n in (50, 100))
    assert np.array_equal(large.train_images[:50], small.train_images)
    assert np.array_equal(large.train_labels[:50], small.train_labels)


def test_training_set_is_stratified():
    assert (
        np.bincount(data.load("digits", n_train=50, seed=5).train_labels).tolist()
        == [5] * 10
    )


def test_seed_decides_the_training_set():
    first, again, other = (data.load("digits", n_train=50, seed=s) for s in (1, 1, 2))
    assert first.fingerprint == again.fingerprint != other.fingerprint


def test_every_class_comes_first_even_when_rare():
    labels = np.repeat([0, 1], [97, 3])
    order = splits.stratified_order(labels, 0, 0)
    assert set(labels[order[:2]]) == {0, 1}
    assert np.array_equal(np.sort(order), np.arange(100))


def test_validation_comes_out_of_the_pool_and_stays_put():
    few, many = (
        data.load("digits", n_train=n, validation=130, seed=2) for n in (50, 700)
    )
    assert np.array_equal(few.validation_images, many.validation_images)
    assert np.ptp(np.bincount(few.validation_labels)) <= 1
    held_out = {image.tobytes() for image in many.validation_images}
    assert len(many.validation_labels) == 130
    assert not held_out & {image.tobytes() for image in many.train_images}


RARE = np.repeat([0, 1], [30, 1])


@pytest.mark.parametrize(
    "taken", [{"validation": 2}, {"reserve": 2, "score": "reserve"}]
)
def test_a_class_is_not_lost_from_training(monkeypatch, taken):
    # 训练池里只有一张的类，先出的那一张就是它：验证与留出会把它拿走
    images = np.arange(31 * 4, dtype=np.uint8).reshape(31, 1, 2, 2)
    source = Source("two", images, RARE, images, RARE, ("常见", "少见"), False)
    monkeypatch.setattr(data.loading, "_read", lambda *_, **__: source)
    name = next(iter(taken))
    with pytest.raises(ValueError, match=f"“少见”.*一张也没有.*{name}") as caught:
        data.load("digits", **taken)
    assert caught.value.argument == name
    assert set(data.load("digits", n_train=2).train_labels) == {0, 1}
    assert set(data.load("digits", reserve=2).train_labels) == {0, 1}


def test_validation_keeps_its_labels(digits):
    dataset = data.load("digits", n_train=50, validation=40, seed=2)
    pool = zip(digits.train_images, digits.train_labels, strict=True)
    known = {image.tobytes(): label for image, label in pool}
    found = [known[image.tobytes()] for image in dataset.validation_images]
    assert found == dataset.validation_labels.tolist()


def test_tuning_view_hides_the_test_set():
    dataset = data.load("digits", n_train=50, validation=20)
    tuning = dataset.for_tuning()
    assert np.array_equal(tuning.test_images, dataset.validation_images)
    assert tuning.fingerprint != dataset.fingerprint


def test_tuning_without_validation_is_refused(digits):
    with pytest.raises(ValueError, match=r"没有验证集.*validation="):
        digits.for_tuning()


def test_noise_redraws_the_exact_share_over_all_classes(digits):
    clean = digits.train_labels
    noisy = data.load("digits", label_noise=1.0).train_labels
    # 全部重抽后约有 1/10 碰巧不变
    assert 0.07 < (noisy == clean).mean() < 0.13
    assert np.bincount(noisy, minlength=10).min() > 90


def test_noise_grows_by_nesting():
    labels = np.arange(1000) % 5
    some, more = (splits.noisy_labels(labels, share, 5, 4) for share in (0.3, 0.6))
    changed = some != labels
    assert 0.3 * 0.7 < changed.mean() < 0.3
    assert np.array_equal(more[changed], some[changed])
    assert (more != labels).sum() > changed.sum()


def test_noise_leaves_test_and_validation_clean():
    clean, noisy = (
        data.load("digits", n_train=300, validation=50, label_noise=share)
        for share in (0.0, 0.9)
    )
    assert np.array_equal(clean.test_labels, noisy.test_labels)
    assert np.array_equal(clean.validation_labels, noisy.validation_labels)
    assert np.array_equal(clean.train_images, noisy.train_images)


def test_classes_are_kept_and_renumbered(digits):
    part = data.load("digits", classes=(7, 2))
    assert part.class_names == ("7", "2")
    assert part.num_classes == 2
    assert len(part.test_labels) == np.isin(digits.test_labels, (7, 2)).sum()
    sevens = digits.test_images[np.isin(digits.test_labels, (7,))]
    assert np.array_equal(part.test_images[part.test_labels == 0], sevens)


def test_max_test_is_a_fixed_stratified_part(digits):
    part = data.load("digits", max_test=50, seed=9)
    assert np.array_equal(
        part.test_images, data.load("digits", max_test=50).test_images
    )
    assert np.bincount(part.test_labels).tolist() == [5] * 10


def test_fingerprint_sees_pixels_labels_and_names(digits):
    from vision_attention.data.dataset import fingerprint

    images, labels = digits.train_images.copy(), digits.train_labels.copy()
    images[3, 0, 4, 5] ^= 1
    labels[11] += 1
    names = ("零", *digits.class_names[1:])
    prints = {
        fingerprint(dataclasses.replace(digits, **change))
        for change in (
            {},
            {"train_images": images},
            {"train_labels": labels},
            {"class_names": names},
        )
    }
    assert len(prints) == 4


def test_statistics_are_those_of_the_selected_images():
    images = np.random.default_rng(0).integers(0, 256, (7, 3, 5, 5), dtype=np.uint8)
    mean, std = channel_statistics(images)
    np.testing.assert_allclose(mean, (images / 255).mean((0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(std, (images / 255).std((0, 2, 3)), rtol=1e-6)


def test_blank_images_are_refused():
    with pytest.raises(ValueError, match="第 1 个通道的像素全部相同"):
        images = np.zeros((2, 2, 3, 3), np.uint8)
        images[0, 0] = 9
        channel_statistics(images)


def test_normalized_training_set_is_standard(digits):
    normalized = digits.normalize(digits.train_images)
    assert normalized.dtype == np.float32
    np.testing.assert_allclose(normalized.mean(), 0, atol=1e-5)
    np.testing.assert_allclose(normalized.std(), 1, atol=1e-5)


def test_normalizing_twice_is_refused(digits):
    with pytest.raises(ValueError, match="float32，应为 uint8"):
        digits.normalize(digits.normalize(digits.train_images))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "digit"}, r"name='digit' 不认识。是不是 'digits'"),
        ({"name": "cifar"}, r"是不是 'cifar10'"),
        ({"n_train": 1298}, r"n_train=1298 不合适；可用的范围是 10–1297"),
        ({"n_train": 1200, "validation": 200}, r"10–1097"),
        ({"n_train": 9}, r"n_train=9 不合适"),
        ({"n_train": 0}, r"n_train=0 不合适"),
        ({"validation": 1290}, r"validation=1290 太大：训练池只有 1297 张"),
        ({"validation": -1}, r"validation=-1 不合适"),
        ({"label_noise": 1.5}, r"label_noise=1.5 超出范围.*0–1"),
        ({"label_noise": -0.1}, r"label_noise=-0.1 超出范围"),
        ({"label_noise": float("nan")}, r"label_noise=nan 超出范围"),
        ({"seed": -1}, r"seed=-1 不合适；应为不小于 0 的整数"),
        ({"max_test": 501}, r"max_test=501 超出测试集的 500 张"),
        ({"max_test": 0}, r"max_test=0 不合适"),
        ({"classes": (3,)}, r"classes=\(3,\) 太少"),
        ({"classes": (3, 10)}, r"classes=\(3, 10\)"),
        ({"name": None}, r"name=None 不认识"),
        ({"n_train": 10.5}, r"n_train=10.5 不合适"),
        ({"n_train": "40"}, r"n_train='40' 不合适"),
        ({"label_noise": "0.1"}, r"label_noise='0.1' 不合适"),
        ({"pixel_noise": "0.1"}, r"pixel_noise='0.1' 超出范围"),
        ({"classes": 3}, r"classes=3 不合适"),
        ({"classes": (k for k in (1, 2))}, "classes=<generator.*不合适"),
        ({"classes": b"\x00\x01"}, r"classes=b.* 不合适"),
        ({"classes": (1.0, 2.0)}, r"classes=\(1.0, 2.0\) 不合适"),
        ({"classes": ([0], 1)}, r"classes=\(\[0\], 1\) 不合适"),
        ({"image_size": 32}, r"image_size=32 只用于 folder"),
        ({"root": "x"}, r"root='x' 只用于 cifar10"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        data.load(**{"name": "digits", **arguments})


def take(dataset, **changes):
    options = {"batch_size": 48, "steps": 40, "seed": 6, **changes}
    return list(data.batches(dataset, **options))


@pytest.mark.parametrize("augment", augmentation.POLICIES)
def test_resumed_stream_is_the_unbroken_one(digits, augment):
    whole = take(digits, augment=augment, label_smoothing=0.1)
    rest = take(digits, augment=augment, label_smoothing=0.1, start=29)
    assert len(rest) == 11
    for ours, theirs in zip(rest, whole[29:], strict=True):
        assert ours[0].tobytes() == theirs[0].tobytes()
        assert ours[1].tobytes() == theirs[1].tobytes()


@pytest.mark.parametrize("augment", augmentation.POLICIES)
def test_batches_are_float32_of_the_right_shape(digits, augment):
    images, targets = take(digits, augment=augment, steps=1)[0]
    assert (images.dtype, targets.dtype) == (np.float32, np.float32)
    assert (images.shape, targets.shape) == ((48, 1, 8, 8), (48, 10))
    np.testing.assert_allclose(targets.sum(1), 1, atol=1e-6)


def test_seeds_give_different_batches(digits):
    first, second = (take(digits, steps=1, seed=seed)[0] for seed in (6, 7))
    assert not np.array_equal(first[0], second[0])


def test_every_batch_has_its_own_random_numbers(digits, monkeypatch):
    drawn = []

    def spy(images, rng, policy, *, flip):
        drawn.append(rng.random())
        return images

    monkeypatch.setattr(augmentation, "pixels", spy)
    for seed in (6, 7):
        take(digits, steps=5, seed=seed)
    assert len(set(drawn)) == 10


def test_augmentation_keeps_the_order(digits):
    plain, weak = (take(digits, augment=augment) for augment in ("none", "weak"))
    for ours, theirs in zip(plain, weak, strict=True):
        assert np.array_equal(ours[1], theirs[1])


def test_every_epoch_shows_every_image_once():
    # 11 张、每批 4 张：第一轮占 0–10 号位置，横跨三批
    stream = np.concatenate([indices(11, k, 4, seed=5) for k in range(11)])
    epochs = stream.reshape(4, 11)
    assert np.array_equal(np.sort(epochs, 1), np.tile(np.arange(11), (4, 1)))
    assert len({tuple(epoch) for epoch in epochs.tolist()}) == 4


def test_batch_may_be_larger_than_the_data():
    assert np.bincount(indices(5, 2, 23, seed=1)).sum() == 23
    assert np.ptp(np.bincount(indices(5, 2, 23, seed=1))) <= 2


def test_images_and_labels_stay_together(digits):
    known = {
        image.tobytes(): label
        for image, label in zip(
            digits.normalize(digits.train_images), digits.train_labels, strict=True
        )
    }
    images, targets = take(digits, steps=1)[0]
    assert [known[image.tobytes()] for image in images] == targets.argmax(1).tolist()


def test_smoothing_spreads_the_target(digits):
    targets = take(digits, steps=1, label_smoothing=0.2)[0][1]
    np.testing.assert_allclose(np.unique(targets), [0.02, 0.82], rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"augment": "week"}, "是不是 'weak'"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"steps": 0}, "steps=0"),
        ({"start": -1}, "start=-1"),
        ({"seed": -2}, "seed=-2"),
        ({"label_smoothing": 1.0}, "label_smoothing=1.0 超出范围"),
    ],
)
def test_bad_batch_arguments_are_refused_at_once(digits, changes, message):
    options = {"batch_size": 48, "steps": 40, "seed": 6, **changes}
    with pytest.raises(ValueError, match=message):
        data.batches(digits, **options)
