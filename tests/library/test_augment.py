"""增强：每种变换做了它说的事，而且只由随机数决定。"""

import numpy as np
import pytest
from PIL import Image

from vision_attention import data
from vision_attention.data import augment, transforms

B, C, H = 23, 3, 16


@pytest.fixture
def rng():
    return np.random.default_rng(4)


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (B, C, H, H), dtype=np.uint8)


@pytest.mark.parametrize("policy", augment.POLICIES)
@pytest.mark.parametrize("shape", [(5, 3, 32, 32), (5, 1, 8, 8), (1, 3, 20, 20)])
def test_policies_keep_shape_and_type_and_input(policy, shape, rng):
    images = rng.integers(0, 256, shape, dtype=np.uint8)
    before = images.copy()
    changed = augment.pixels(images, rng, policy, flip=True)
    assert (changed.shape, changed.dtype) == (shape, np.uint8)
    assert np.array_equal(images, before)


@pytest.mark.parametrize("policy", ["weak", "strong"])
def test_same_random_state_same_bytes(policy, images):
    first, second, other = (
        augment.pixels(images, np.random.default_rng(s), policy, flip=True)
        for s in (1, 1, 2)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    "step",
    [
        augment.random_crop,
        augment.random_flip,
        augment.rand_augment,
        augment.color_jitter,
        augment.random_erasing,
    ],
)
def test_each_step_obeys_its_random_state_and_spares_its_input(step, images):
    before = images.copy()
    first, second, other = (step(images, np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    assert np.array_equal(images, before)


def test_none_changes_nothing(images, rng):
    assert augment.pixels(images, rng, "none", flip=True) is images


@pytest.mark.parametrize(("side", "reach"), [(32, 4), (8, 1), (16, 2)])
def test_crop_is_a_shift_of_at_most_an_eighth(side, reach, rng):
    images = np.zeros((4000, 1, side, side), np.uint8)
    images[:, :, side // 2, side // 2] = 255
    cropped = augment.random_crop(images, rng)
    _, _, row, column = np.nonzero(cropped)
    expected = np.arange(side // 2 - reach, side // 2 + reach + 1)
    assert np.array_equal(np.unique(row), expected)
    assert np.array_equal(np.unique(column), expected)
    # 两个方向互不相关
    assert (
        len(set(zip(row.tolist(), column.tolist(), strict=True))) == len(expected) ** 2
    )


def test_crop_moves_channels_together_and_fills_with_black(rng):
    images = np.full((B, C, H, H), 9, np.uint8)
    cropped = augment.random_crop(images, rng)
    assert np.array_equal(cropped[:, 0], cropped[:, 2])
    assert set(np.unique(cropped)) == {0, 9}


def test_half_of_the_images_are_mirrored(rng):
    images = rng.integers(0, 256, (1000, 1, 4, 4), dtype=np.uint8)
    flipped = augment.random_flip(images, rng)
    same = (flipped == images).all((1, 2, 3))
    mirrored = (flipped == images[..., ::-1]).all((1, 2, 3))
    assert np.all(same | mirrored)
    assert 0.45 < mirrored.mean() < 0.55


@pytest.mark.parametrize("policy", ["weak", "strong"])
def test_digits_are_never_mirrored(policy, monkeypatch):
    def refuse(images, rng):
        raise AssertionError("翻转的数字是另一个东西")

    monkeypatch.setattr(augment, "random_flip", refuse)
    digits = data.load("digits", n_train=20)
    images, _ = next(
        data.batches(digits, batch_size=8, steps=1, seed=0, augment=policy)
    )
    assert images.shape == (8, 1, 8, 8)


@pytest.mark.parametrize("operation", transforms.OPERATIONS)
def test_strength_zero_is_the_image_itself(operation, images):
    assert np.array_equal(operation(images, np.zeros(B)), images)


@pytest.mark.parametrize("operation", transforms.OPERATIONS)
def test_strength_is_per_image(operation, images):
    strength = np.where(np.arange(B) < 7, 0, -0.8)
    changed = (operation(images, strength) != images).any((1, 2, 3))
    assert not changed[:7].any()
    assert changed[7:].all()


@pytest.mark.parametrize("operation", transforms.OPERATIONS)
def test_single_channel_is_allowed(operation, images):
    changed = operation(images[:, :1], np.full(B, 0.7))
    assert changed.shape == (B, 1, H, H)
    assert changed.dtype == np.uint8


def ramp():
    """一张左暗右亮、上下相同的图。"""
    return np.tile(np.arange(0, 160, 10, dtype=np.uint8), (1, 1, 16, 1))


@pytest.mark.parametrize(
    ("operation", "strength", "expected"),
    [
        (transforms.brightness, -0.5, lambda v: np.rint(v * 0.55)),
        (transforms.contrast, 1.0, lambda v: np.rint(75 + (v - 75.0) * 1.9)),
        (transforms.posterize, 1.0, lambda v: v // 16 * 16),
        (transforms.solarize, 0.5, lambda v: np.where(v >= 128, 255 - v, v)),
    ],
)
def test_pixel_operations_match_the_formula(operation, strength, expected):
    image = ramp()
    result = operation(image, np.array([strength]))
    # 恰在一半处的舍入可因浮点差一级
    np.testing.assert_allclose(result, np.clip(expected(image), 0, 255), atol=1)


def test_saturation_removes_color(images):
    factor = -1 / 0.9  # 系数 1 + 0.9 × 幅度 恰为 0
    gray = transforms.saturation(images, np.full(B, factor))
    assert np.array_equal(gray[:, 0], gray[:, 1])
    picture = Image.fromarray(images[0].transpose(1, 2, 0).copy())
    expected = np.asarray(picture.convert("L"), int)
    np.testing.assert_allclose(gray[0, 0], expected, atol=1)


def test_sharpness_exaggerates_edges():
    step = np.repeat([[60, 120]], 8, 1).astype(np.uint8)[None, None].repeat(8, 2)
    sharp = transforms.sharpness(step, np.array([1.0]))[0, 0, 4]
    assert sharp.tolist() == [60] * 7 + [42, 138] + [120] * 7
    # 一个亮点：3×3 的平均是 70，自己 70 + 80 × 1.9，八个邻居 70 − 10 × 1.9，别处不动
    spot = np.full((1, 1, 7, 7), 60, np.uint8)
    spot[..., 3, 3] = 150
    wanted = np.full((7, 7), 60)
    wanted[2:5, 2:5], wanted[3, 3] = 51, 222
    assert transforms.sharpness(spot, np.array([1.0]))[0, 0].tolist() == wanted.tolist()


def test_translation_moves_whole_pixels():
    image = ramp()
    strength = np.array([3 * 331 / 150 / 16])  # 恰好 3 像素
    moved = transforms.translate_x(image, strength)
    assert np.array_equal(moved[..., :13], image[..., 3:])
    assert not moved[..., 13:].any()
    tall = image.transpose(0, 1, 3, 2)
    assert np.array_equal(
        transforms.translate_y(tall, strength), moved.transpose(0, 1, 3, 2)
    )


def test_rotation_agrees_with_pillow():
    y, x = np.mgrid[:16, :16]
    smooth = (127 + 60 * np.sin(x / 4) + 60 * np.cos(y / 3)).astype(np.uint8)
    ours = transforms.rotate(smooth[None, None], np.array([0.6]))[0, 0]
    turned = Image.fromarray(smooth).rotate(-18, Image.Resampling.BILINEAR)
    inner = np.s_[4:12, 4:12]
    np.testing.assert_allclose(
        ours[inner].astype(int), np.asarray(turned)[inner], atol=2
    )


def test_shear_slides_rows():
    sheared = transforms.shear_x(ramp(), np.array([1.0]))[0, 0]
    # 第 15 行离中心 7.5，滑动 0.3 × 7.5 = 2.25 像素，每像素 10 级
    np.testing.assert_allclose(sheared[15, 4:12], ramp()[0, 0, 15, 4:12] + 22.5, atol=1)
    np.testing.assert_allclose(sheared[0, 4:12], ramp()[0, 0, 0, 4:12] - 22.5, atol=1)
    upright = transforms.shear_y(ramp().transpose(0, 1, 3, 2), np.array([1.0]))[0, 0]
    assert np.array_equal(upright, sheared.T)


def test_rand_augment_uses_every_operation(monkeypatch, images, rng):
    used = set()

    def spy(k):
        def operation(batch, strength):
            assert np.abs(strength).max() <= augment.MAGNITUDE
            used.add(k)
            return batch

        return operation

    spies = tuple(spy(k) for k in range(len(transforms.OPERATIONS)))
    monkeypatch.setattr(augment, "OPERATIONS", spies)
    for _ in range(10):
        augment.rand_augment(images, rng)
    assert used == set(range(len(spies)))


def test_strong_does_four_things_in_order(monkeypatch, images, rng):
    done = []
    names = ("weak", "rand_augment", "color_jitter", "random_erasing")
    for name in names:

        def spy(batch, rng, name=name, **options):
            done.append(name)
            return batch

        monkeypatch.setattr(augment, name, spy)
    augment.strong(images, rng, flip=True)
    assert done == list(names)


def test_jitter_and_rand_augment_go_both_ways(monkeypatch, images, rng):
    """三种颜色各动一次，幅度在 ±0.3 之间均匀；随机变换的在 ±0.5 之间。"""
    given = {}

    def spy(name):
        def operation(batch, strength):
            given.setdefault(name, []).extend(strength)
            return batch

        return operation

    for name in ("brightness", "contrast", "saturation"):
        monkeypatch.setattr(augment, name, spy(name))
    monkeypatch.setattr(augment, "OPERATIONS", (spy("any"),))
    for _ in range(40):
        augment.rand_augment(augment.color_jitter(images, rng), rng)
    most = {"brightness": 0.3, "contrast": 0.3, "saturation": 0.3, "any": 0.5}
    assert given.keys() == most.keys()
    for name, edge in most.items():
        assert len(given[name]) == 40 * B * (2 if name == "any" else 1)
        assert -edge <= min(given[name]) < -0.97 * edge
        assert 0.97 * edge < max(given[name]) <= edge


def test_erasing_takes_one_rectangle_from_half_the_images(rng):
    images = np.zeros((2000, 3, 24, 24), np.uint8)
    changed = augment.random_erasing(images, rng).any(1)
    hit = changed.any((1, 2))
    area = changed.mean((1, 2))[hit]
    assert 0.46 < hit.mean() < 0.54
    assert 0.15 < area.mean() < 0.25
    assert area.max() < 0.45
    # 行的投影与列的投影之积就是自己：确是矩形（随机值偶尔三通道全 0）
    rows, columns = changed.any(2), changed.any(1)
    box = rows[:, :, None] & columns[:, None, :]
    assert (box != changed).mean() < 1e-4


def mixed(seed, policy="strong"):
    images = np.arange(8, dtype=np.float32)[:, None, None, None]
    images = np.broadcast_to(images, (8, 1, 12, 12))
    rng = np.random.default_rng(seed)
    return augment.mix(images, np.eye(8, dtype=np.float32), rng, policy)


@pytest.mark.parametrize("policy", ["strong", "mixup", "cutmix"])
@pytest.mark.parametrize("seed", range(12))
def test_mixed_targets_say_what_the_image_holds(seed, policy):
    images, targets = mixed(seed, policy)
    assert (images.dtype, targets.dtype) == (np.float32, np.float32)
    np.testing.assert_allclose(targets.sum(1), 1, atol=1e-6)
    # 第 k 张图的像素值就是 k，所以平均像素恰是软标签的期望
    np.testing.assert_allclose(
        images.mean((1, 2, 3)), targets @ np.arange(8), atol=1e-5
    )


def cuts(policy):
    """60 批里有几批是 CutMix：它的像素都是整数，mixup 的不是。"""
    found = [mixed(seed, policy)[0] for seed in range(60)]
    return sum(bool((images == np.rint(images)).all()) for images in found)


def test_both_ways_of_mixing_occur():
    assert 15 < cuts("strong") < 45
    assert (cuts("mixup"), cuts("cutmix")) == (0, 60)


def test_mixing_alone_leaves_the_pixels_before_it_alone():
    images = np.arange(2 * 8 * 8, dtype=np.uint8).reshape(2, 1, 8, 8)
    for policy in ("mixup", "cutmix"):
        rng = np.random.default_rng(0)
        assert augment.pixels(images, rng, policy, flip=True) is images


@pytest.mark.parametrize("policy", ["mixup", "cutmix"])
def test_a_batch_is_mixed_as_asked(policy):
    """一批里：标签成了两类的份额，图是同样两张的份额。"""
    dataset = data.load("digits", n_train=40)
    drawn = {"batch_size": 40, "steps": 1, "seed": 3}
    [(plain, hard)] = data.batches(dataset, **drawn)
    [(images, soft)] = data.batches(dataset, augment=policy, **drawn)
    changed = ~np.isclose(soft, hard).all(1)
    assert changed.sum() > 20
    assert ((soft > 0).sum(1) <= 2).all()
    # 换上一块的，每个像素值原来就有；逐像素相加的不是
    assert np.isin(images, plain).all() == (policy == "cutmix")
    same = (images == plain).all((1, 2, 3))
    assert same[~changed].sum() <= same.sum() < 20


def test_cut_is_one_rectangle():
    for seed in range(12):
        images, _ = mixed(seed)
        other = images[7, 0] != 7
        box = np.outer(other.any(1), other.any(0))
        assert np.array_equal(box, other)


def test_rectangles_are_decided_at_the_centres_of_pixels():
    """四行，中心在 1/8、3/8、5/8、7/8，六列，在 1/12、3/12……；起的算，止的不算。"""
    halves = [np.array([value]) for value in (3 / 8, 7 / 8)]
    (mask,) = augment.rectangles((4, 6), halves, [np.array([0.0]), np.array([0.4])])
    assert mask.sum(1).tolist() == [0, 2, 2, 0]
    assert mask.sum(0).tolist() == [2, 2, 0, 0, 0, 0]


def test_erased_boxes_are_as_long_as_the_paper_says_and_lie_anywhere(rng):
    """高宽比在 0.3 与 1/0.3 之间，对数均匀；差一倍以上的占 1 − ln 2 / ln(1/0.3)。"""
    images = np.zeros((6000, 1, 40, 40), np.uint8)
    changed = augment.random_erasing(images, rng)[:, 0] > 0
    boxes = changed[changed.any((1, 2))]
    tall, wide = boxes.any(2).sum(1), boxes.any(1).sum(1)
    # 长 l 的一边盖住 l − 1 到 l + 1 个像素
    longer, shorter = np.maximum(tall, wide), np.minimum(tall, wide)
    assert ((longer - 1) / (shorter + 1)).max() <= 1 / 0.3
    ratio = longer / shorter
    share = 1 - np.log(2) / np.log(1 / 0.3)
    assert (ratio > 2).mean() == pytest.approx(share, abs=0.04)
    cover = changed.mean(0)
    for mirrored in (cover[::-1], cover[:, ::-1], cover.T):
        np.testing.assert_allclose(cover, mirrored, atol=0.03)


def kept(policy, count, side):
    """混合很多次，每次留下自己的几成：标签里最小的对角元。"""
    images, eye = np.zeros((8, 1, side, side), np.float32), np.eye(8, dtype=np.float32)
    rng = np.random.default_rng(0)
    mixes = (augment.mix(images, eye, rng, policy)[1] for _ in range(count))
    return np.array([targets.diagonal().min() for targets in mixes])


def test_mixup_shares_follow_the_beta_of_deit():
    """Beta(0.8, 0.8) 的方差是 ¼ ÷ (1 + 1.6)；均匀分布的是 1/12。"""
    shares = kept("mixup", 8000, 1)
    assert shares.mean() == pytest.approx(0.5, abs=0.01)
    assert shares.var() == pytest.approx(0.25 / 2.6, abs=0.004)


def test_cut_area_is_uniform_before_the_edge_cuts_it():
    """面积 v 均匀，边长 √v；中心均匀，出界的截去，边长平均剩 √v − v/4。

    两边相乘再对 v 积分：1/2 − 1/5 + 1/48
    """
    shares = kept("cutmix", 5000, 24)
    assert 1 - shares.mean() == pytest.approx(1 / 2 - 1 / 5 + 1 / 48, abs=0.015)
