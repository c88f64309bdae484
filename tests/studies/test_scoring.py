"""用哪些图片打分：测试集、没用过的全部、留给调参的；以及换一种切法的数字。"""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from vision_attention import data
from vision_attention.data import jpeg75


def pictures(images):
    """图片的集合；数字没有两张逐像素相同的（第一个测试确认）。"""
    return {image.tobytes() for image in images}


@pytest.fixture(scope="module")
def everything():
    return pictures(((load_digits().images.astype(int) * 255 + 8) // 16).astype("u1"))


def test_every_digit_is_different(everything):
    assert len(everything) == 1797


def test_unused_scores_all_that_was_neither_trained_on_nor_reserved(everything):
    reserve = pictures(
        data.load("digits", reserve=300, score="reserve", n_train=100).test_images
    )
    run = data.load("digits", seed=3, n_train=100, reserve=300, score="unused")
    trained, scored = pictures(run.train_images), pictures(run.test_images)
    assert scored == everything - trained - reserve
    assert len(run.test_images) == len(scored)


def test_reserve_is_the_same_for_every_seed_and_never_trained_on_while_tuning():
    runs = [
        data.load("digits", seed=seed, n_train=200, reserve=300, score="reserve")
        for seed in (0, 1)
    ]
    np.testing.assert_array_equal(runs[0].test_images, runs[1].test_images)
    assert len(runs[0].test_images) == 300
    for run in runs:
        assert not pictures(run.train_images) & pictures(run.test_images)


def test_reserve_alone_changes_nothing():
    plain, reserved = (data.load("digits", n_train=100, reserve=n) for n in (0, 300))
    assert plain.fingerprint == reserved.fingerprint == "844204ceb7bbc464"


def test_validation_is_not_scored_either():
    run = data.load("digits", n_train=100, validation=50, reserve=300, score="unused")
    scored = pictures(run.test_images)
    assert not scored & pictures(run.validation_images)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"score": "train"}, "score='train'"),
        ({"score": "reserve"}, "要有留出的图片"),
        ({"score": "unused", "max_test": 100}, "max_test=100 只用于"),
        ({"reserve": -1}, "reserve=-1"),
        ({"reserve": True}, "reserve=True"),
        ({"reserve": 1290}, "至多留出 1287 张"),
    ],
)
def test_wrong_scoring_is_a_sentence(asked, said):
    with pytest.raises(ValueError, match=said):
        data.load("digits", **asked)


@pytest.mark.parametrize(
    ("asked", "trained", "scored"),
    [
        # 训练池 1297 张、十类，至多留出 1287；测试集 500 张
        ({"reserve": 1287, "score": "reserve", "n_train": 10}, 10, 1287),
        ({"max_test": 500, "n_train": 1297}, 1297, 500),
    ],
)
def test_the_most_that_may_be_asked_is_given(asked, trained, scored):
    run = data.load("digits", **asked)
    assert (len(run.train_labels), len(run.test_labels)) == (trained, scored)


def test_blocks_hold_out_the_last_500_of_the_file():
    raw = load_digits()
    run = data.load("digits_blocks")
    np.testing.assert_array_equal(run.test_labels, raw.target[1297:])
    assert run.name == "digits_blocks"
    # 文件里相邻的字多半出自一个人：末尾的 500 张换了人，最近邻更常认错
    assert neighbour(run) < neighbour(data.load("digits")) - 0.01


def neighbour(run):
    """最近邻的准确率。"""
    train, test = (x.reshape(len(x), -1).astype(float) for x in images(run))
    distance = (test**2).sum(1)[:, None] - 2 * test @ train.T + (train**2).sum(1)
    found = run.train_labels[distance.argmin(1)]
    return (found == run.test_labels).mean()


def images(run):
    return run.train_images, run.test_images


def archive(path, members):
    """照名字放进几张小图的压缩包。"""
    with tarfile.open(path, "w:xz", preset=0) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def jpeg(value, side=32):
    pixels = np.zeros((side, side, 3), np.uint8)
    pixels[...] = (value, 0, 0) if np.ndim(value) == 0 else value
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=75)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"train/cat/0001.jpg": jpeg(9)}, "应有"),
        ({"train/cat/0001.jpg": b"not a picture"}, "损坏或不完整"),
        ({"train/unicorn/0001.jpg": jpeg(9)}, "不该在那里"),
        ({"train/cat/0001.jpg": bytes(200_000)}, "不该在那里"),
    ],
)
def test_a_strange_archive_of_copies_is_refused(tmp_path, monkeypatch, members, said):
    monkeypatch.setenv("VISION_ATTENTION_CACHE", str(tmp_path))
    path = archive(tmp_path / jpeg75.ARCHIVE, members)
    with pytest.raises(ValueError, match=said):
        jpeg75.read(path)


def test_a_spoilt_byte_in_the_archive_of_copies_is_said(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (60, 32, 32, 3), dtype=np.uint8)
    members = {f"train/cat/{k:04}.jpg": jpeg(image) for k, image in enumerate(pixels)}
    content = bytearray(archive(tmp_path / "whole.tar.xz", members).read_bytes())
    content[len(content) // 2] ^= 0xFF
    path = tmp_path / jpeg75.ARCHIVE
    path.write_bytes(content)
    with pytest.raises(ValueError, match="损坏或不完整"):
        jpeg75.decode(path)


def test_a_copy_of_another_size_is_refused(tmp_path):
    # 文件头里自称 65,535×65,535 的一张，和一张 16×16 的
    huge = bytearray(jpeg(9))
    size = huge.index(b"\xff\xc0") + 5
    huge[size : size + 4] = b"\xff" * 4
    for content in (bytes(huge), jpeg(9, 16)):
        path = archive(tmp_path / jpeg75.ARCHIVE, {"train/cat/0001.jpg": content})
        with pytest.raises(ValueError, match=r"损坏或不完整|应是 32×32"):
            jpeg75.decode(path)


def test_missing_copies_say_where_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("VISION_ATTENTION_CACHE", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=jpeg75.SHA256):
        data.load("cifar10_jpeg75")


def test_other_pixels_are_not_taken_for_the_copies(tmp_path, monkeypatch):
    monkeypatch.setenv("VISION_ATTENTION_CACHE", str(tmp_path))
    monkeypatch.setattr(jpeg75, "COUNTS", {"train": 2, "test": 1})
    members = {f"train/cat/000{k}.jpg": jpeg(k) for k in range(2)}
    path = archive(tmp_path / jpeg75.ARCHIVE, members | {"test/dog/0000.jpg": jpeg(7)})
    with pytest.raises(ValueError, match="不是书里的研究所用的"):
        jpeg75.read(path)
