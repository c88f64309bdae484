"""合成的题 two_marks，与把数据弄难的三个开关。"""

import numpy as np
import pytest

from vision_attention import data
from vision_attention.data.dataset import Source
from vision_attention.data.harder import harder


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


def positions_of(image):
    """亮的四格分成两个记号，各取亮格的平均位置。"""
    lit = np.argwhere(image[0] == 255)
    assert len(lit) == 4
    gaps = np.abs(lit[:, None] - lit[None]).max(-1)
    near = gaps[0] <= 1
    return lit[near], lit[~near]


def is_same(image):
    first, second = positions_of(image)
    return kind_of(first) == kind_of(second)


def kind_of(cells):
    """横还是竖。"""
    return tuple(cells[1] - cells[0])


@pytest.mark.parametrize("distance", [4, 9, 14])
def test_label_says_whether_the_two_marks_are_equal(distance):
    dataset = data.load("two_marks", distance=distance, n_train=200)
    for image, label in zip(dataset.train_images, dataset.train_labels, strict=True):
        assert is_same(image) == bool(label)


@pytest.mark.parametrize("distance", [4, 9, 14])
def test_marks_are_as_far_apart_as_asked(distance):
    dataset = data.load("two_marks", distance=distance, n_train=200)
    seen = set()
    for image in dataset.train_images:
        first, second = positions_of(image)
        # 亮格在 2×2 里的位置不定，所以两记号的亮格之差与 distance 最多差 1
        seen.add(round(np.abs(first.mean(0) - second.mean(0)).max() - distance, 1))
    assert seen <= {-0.5, 0.0, 0.5}
    assert 0.0 in seen


def test_one_mark_alone_says_nothing():
    dataset = data.load("two_marks", distance=8)
    firsts = [kind_of(positions_of(image)[0]) for image in dataset.train_images]
    labels = dataset.train_labels
    for kind in set(firsts):
        chosen = np.array([first == kind for first in firsts])
        assert abs(labels[chosen].mean() - 0.5) < 0.05


def test_number_of_lit_pixels_says_nothing():
    dataset = data.load("two_marks", distance=8)
    assert {(image == 255).sum() for image in dataset.train_images} == {4}
    assert np.bincount(dataset.test_labels).tolist() == [250, 250]


def test_marks_fingerprint_never_drifts():
    # 两翼、各台机器看到的都应当是同一批字节；变了就说明记录不再可比
    print_of = {
        d: data.load("two_marks", distance=d, n_train=100).fingerprint for d in (4, 12)
    }
    assert print_of == {4: "123e973686ee61d8", 12: "017fcdab4de22524"}


def test_marks_train_and_test_share_no_image():
    dataset = data.load("two_marks", distance=14)
    assert len(dataset.train_labels) == 4000
    train = {image.tobytes() for image in dataset.train_images}
    assert not train & {image.tobytes() for image in dataset.test_images}


def test_test_set_of_marks_ignores_the_seed():
    first, second = (data.load("two_marks", n_train=50, seed=s) for s in (1, 2))
    assert np.array_equal(first.test_images, second.test_images)
    assert first.fingerprint != second.fingerprint


def test_marks_survive_a_flip():
    image = data.load("two_marks", n_train=20).train_images
    assert all(is_same(one) == is_same(one[:, :, ::-1]) for one in image)


# 弄难 ---------------------------------------------------------------------------


def test_harder_test_set_ignores_the_seed():
    options = {"n_train": 40, "shift": 1, "pixel_noise": 0.2, "shuffle_patches": 2}
    first, second = (data.load("digits", seed=s, **options) for s in (1, 2))
    assert np.array_equal(first.test_images, second.test_images)


def test_noise_has_the_spread_that_was_asked(digits):
    noisy = data.load("digits", pixel_noise=0.1)
    # 只看中间的灰度：靠近两端的被截断
    middle = (digits.train_images > 100) & (digits.train_images < 155)
    gap = noisy.train_images.astype(int) - digits.train_images
    assert abs(gap[middle].std() / 255 - 0.1) < 0.005
    assert abs(gap[middle].mean() / 255) < 0.005


def test_every_image_has_its_own_noise():
    gray, labels = np.full((30, 1, 8, 8), 128, np.uint8), np.zeros(30, np.int64)
    source = Source("灰", gray, labels, gray[:9], labels[:9], ("甲",), False)
    noisy = harder(source, pixel_noise=0.1)
    every = [*noisy.pool_images, *noisy.test_images]
    assert len({image.tobytes() for image in every}) == 39


def test_small_set_has_the_noise_of_the_large_one():
    small, large = (
        data.load("digits", n_train=n, seed=3, pixel_noise=0.3, shift=1)
        for n in (50, 100)
    )
    assert np.array_equal(large.train_images[:50], small.train_images)


def test_shift_moves_by_at_most_so_many_pixels(digits):
    moved = data.load("digits", shift=1)
    padded = np.pad(digits.test_images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    seen = set()
    for image, frame in zip(moved.test_images, padded, strict=True):
        places = [
            (i, j)
            for i in range(3)
            for j in range(3)
            if np.array_equal(frame[:, i : i + 8, j : j + 8], image)
        ]
        assert places
        seen |= set(places)
    assert len(seen) == 9


def test_shuffled_patches_are_the_same_patches_in_one_fixed_order(digits):
    mixed = data.load("digits", shuffle_patches=4)
    corners = [(i, j) for i in (0, 4) for j in (0, 4)]

    def patches(images):
        return [images[:, 0, i : i + 4, j : j + 4] for i, j in corners]

    before, after = patches(digits.train_images), patches(mixed.train_images)
    order = [
        next(k for k, patch in enumerate(before) if np.array_equal(patch, other))
        for other in after
    ]
    assert sorted(order) == [0, 1, 2, 3]
    assert order != [0, 1, 2, 3]
    again = patches(digits.test_images)
    for k, patch in zip(order, patches(mixed.test_images), strict=True):
        assert np.array_equal(patch, again[k])


def test_harder_fingerprint_never_drifts():
    options = {"shift": 2, "pixel_noise": 0.25, "shuffle_patches": 2}
    assert data.load("digits", **options).fingerprint == "488b104e8a7c690f"


def test_labels_stay(digits):
    mixed = data.load("digits", shift=1, pixel_noise=0.2, shuffle_patches=2)
    assert np.array_equal(mixed.train_labels, digits.train_labels)
    assert np.array_equal(mixed.test_labels, digits.test_labels)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "two_mark"}, "是不是 'two_marks'"),
        ({"name": "digits", "distance": 4}, "distance=4 只用于 two_marks"),
        ({"name": "two_marks", "distance": 2}, "distance=2 不合适；应为不小于 3"),
        ({"name": "two_marks", "distance": 15}, "distance=15 太大.*3–14"),
        ({"name": "two_marks", "distance": 4.0}, "distance=4.0 不合适"),
        ({"name": "two_marks", "n_train": 4001}, "n_train=4001 不合适.*2–4000"),
        ({"name": "two_marks", "image_size": 16}, "image_size=16 只用于 folder"),
        ({"name": "two_marks", "root": "x"}, "root='x' 只用于 cifar10"),
        ({"name": "digits", "shift": -1}, "shift=-1 不合适"),
        ({"name": "digits", "shift": 8}, "shift=8 把图片移没了.*0–7"),
        ({"name": "digits", "pixel_noise": -0.1}, "pixel_noise=-0.1 超出范围"),
        ({"name": "digits", "pixel_noise": 20}, "pixel_noise=20 超出范围.*255"),
        ({"name": "digits", "pixel_noise": float("nan")}, "pixel_noise=nan 超出范围"),
        ({"name": "digits", "shuffle_patches": 3}, "shuffle_patches=3 不能整除"),
        ({"name": "digits", "shuffle_patches": 0}, "shuffle_patches=0 应为正整数"),
        ({"name": "digits", "shuffle_patches": 8}, "shuffle_patches=8 只剩一块"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        data.load(**arguments)
