"""训练之前看一眼：数得对，几乎相同的找得出，读不了的不耽误别的。"""

import shutil

import numpy as np
import pytest
from commands import call
from pictures import photographs, smooth
from PIL import Image

from vision_attention.data import looking


@pytest.fixture
def photos(tmp_path):
    for k, name in enumerate(("a", "b")):
        (tmp_path / name).mkdir()
        for n in range(5):
            smooth(10 * k + n).save(tmp_path / name / f"{n}.png")
    return tmp_path


def names(seen):
    """几乎相同的各对，写成文件名。"""
    label = [f"{file.parent.name}/{file.name}" for file in seen.listing.files]
    return {(label[twin.first], label[twin.second]) for twin in seen.twins}


def test_different_pictures_are_no_twins(photos):
    assert looking.look(photos).twins == []


def test_scaled_recompressed_and_brighter_copies_are_found(photos):
    with Image.open(photos / "a" / "1.png") as image:
        image.resize((100, 100)).save(photos / "b" / "scaled.png")
        image.save(photos / "a" / "worse.jpg", quality=40)
        image.point(lambda value: min(255, value + 5)).save(photos / "a" / "light.webp")
    seen = looking.look(photos)
    copies = {"a/1.png", "a/light.webp", "a/worse.jpg", "b/scaled.png"}
    assert names(seen) == {(x, y) for x in copies for y in copies if x < y}
    other = [twin for twin in seen.twins if twin.other_class]
    assert len(other) == 3
    assert all(
        "b/scaled.png" in pair for pair in list(names(seen)) if pair[1][0] == "b"
    )


def test_plain_colors_are_told_apart(tmp_path):
    """单色的图指纹都一样，颜色不同就不是一对。"""
    for name, color in (("a", "red"), ("b", "blue")):
        (tmp_path / name).mkdir()
        for n in range(2):
            Image.new("RGB", (9, 9), color).save(tmp_path / name / f"{n}.png")
    assert names(looking.look(tmp_path)) == {
        ("a/0.png", "a/1.png"),
        ("b/0.png", "b/1.png"),
    }


def test_blocks_of_rows_do_not_change_the_pairs(photos, monkeypatch):
    shutil.copy(photos / "a" / "4.png", photos / "b" / "again.png")
    whole = names(looking.look(photos))
    monkeypatch.setattr(looking, "ROWS", 3)
    assert names(looking.look(photos)) == whole == {("a/4.png", "b/again.png")}


def test_copies_across_a_ready_made_division_come_first(tmp_path):
    for part, seeds in (("train", (0, 1)), ("val", (2, 3))):
        for k, name in enumerate(("a", "b")):
            (tmp_path / part / name).mkdir(parents=True)
            smooth(seeds[k]).save(tmp_path / part / name / "0.png")
    for n in range(12):
        smooth(50).save(tmp_path / "train" / "a" / f"same{n:02}.png")
    shutil.copy(tmp_path / "train" / "b" / "0.png", tmp_path / "val" / "b" / "1.png")
    code, text = call("look", f"folder:{tmp_path}")
    assert code == 0
    assert "几乎相同的 67 对：1 对分在训练与测试两边，0 对类名不同" in text
    listed = [line for line in text.splitlines() if " 与 " in line]
    assert listed[0].endswith("b/0.png 与 b/1.png（训练、测试各一张）")
    assert "另有 57 对" in text
    assert "测试等于抄答案" in text


def test_counts_sizes_and_colors_are_said(tmp_path):
    photographs(tmp_path / "p", 5, (20, 30))
    Image.new("RGB", (40, 40), (9, 9, 9)).save(tmp_path / "p" / "daisy" / "g.png")
    Image.new("RGBA", (40, 40), (9, 90, 9, 80)).save(tmp_path / "p" / "daisy" / "h.png")
    pixels = np.full((40, 40), 60000, np.uint16)
    Image.fromarray(pixels).save(tmp_path / "p" / "tulip" / "i.png")
    code, text = call("look", f"folder:{tmp_path / 'p'}")
    assert code == 0
    for told in (
        "13 个文件，2 类",
        "  daisy：7 张，训练 5，测试 2",
        "  tulip：6 张，训练 5，测试 1",
        "一律答“daisy”，测试准确率就有 0.667",
        "固定留出 3 张作测试",
        "宽×高：最小 30×20，居中 30×20，最大 40×40",
        "彩色 10 张",
        "灰度 1 张",
        "带透明 1 张",
        "16 位灰度 1 张",
        "10 张不是正方形",
        "没有几乎相同的图",
    ):
        assert told in text


def test_unreadable_files_are_named_and_the_rest_is_told(photos):
    (photos / "a" / "text.jpg").write_text("不是图")
    (photos / "b" / "more").mkdir()
    code, text = call("look", f"folder:{photos}")
    assert code == 1
    assert "读不了 a/text.jpg：损坏或格式不符" in text
    assert "读不了 b/more：是文件夹" in text
    assert "彩色 10 张" in text


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("digits", "写法是 folder:photos"),
        ("folder:", "缺少路径"),
        ("folder:/没有/这里", "没有文件夹"),
    ],
)
def test_what_is_no_folder_is_one_plain_sentence(what, told):
    code, text = call("look", what)
    assert (code, text.startswith("错误：")) == (2, True)
    assert told in text


def test_folder_of_unreadable_files_only(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for n in range(2):
            (tmp_path / name / f"{n}.png").write_text("x")
    code, text = call("look", f"folder:{tmp_path}")
    assert (code, "共 4 个读不了" in text) == (1, True)


@pytest.mark.parametrize("count", [0, 1])
def test_a_class_too_small_is_named_and_the_rest_is_told(photos, count):
    """不能训练，可是别的照报。"""
    (photos / "c").mkdir()
    if count:
        smooth(77).save(photos / "c" / "0.png")
    (photos / "b" / "text.jpg").write_text("不是图")
    code, text = call("look", f"folder:{photos}")
    assert code == 1
    for told in (
        "11 个文件，2 类",
        "  a：5 张，训练 4，测试 1",
        "彩色 10 张",
        "没有几乎相同的图",
        f"“c”类只有 {count} 张，以上都没有算它",
        "补充图片或移走它才能训练",
        "读不了 b/text.jpg",
    ):
        assert told in text
    code, told = call("train", "--data", f"folder:{photos}", "--out", photos / "runs")
    assert (code, f"1 类不足两张图片：c（{count} 张）" in told) == (2, True)


def test_a_class_missing_on_one_side_is_named(tmp_path):
    """已经分好的：一边没有图的类，两边都不算。"""
    for part, names in (("train", "abc"), ("val", "ab")):
        for k, name in enumerate(names):
            (tmp_path / part / name).mkdir(parents=True)
            for n in range(2):
                smooth(50 * len(names) + 10 * k + n).save(
                    tmp_path / part / name / f"{n}.png"
                )
    (tmp_path / "val" / "c").mkdir()
    code, text = call("look", f"folder:{tmp_path}")
    assert (code, "“c”类只有 0 张" in text, "8 个文件，2 类" in text) == (1, True, True)


def test_two_classes_one_too_small(photos):
    """只剩一类：不说“一律答它就全对”。"""
    for n in range(1, 5):
        (photos / "b" / f"{n}.png").unlink()
    code, text = call("look", f"folder:{photos}")
    assert (code, "a：5 张" in text, "一律答" in text) == (1, True, False)
    for n in range(1, 5):
        (photos / "a" / f"{n}.png").unlink()
    code, text = call("look", f"folder:{photos}")
    assert (code, "2 类不足两张图片：a（1 张）、b（1 张）" in text) == (2, True)


@pytest.mark.parametrize(("bits", "alike"), [(0, True), (4, True), (5, False)])
def test_fingerprints_may_differ_in_four_bits(monkeypatch, bits, alike):
    hashes = np.zeros((2, 64), bool)
    hashes[1, :bits] = True
    monkeypatch.setattr(looking, "perceptual_hashes", lambda _: hashes)
    found = looking.twins(np.full((2, 3, 32, 32), 90, np.uint8))
    assert found == ([(0, 1)] if alike else [])


@pytest.mark.parametrize(("shade", "alike"), [(12, True), (13, False)])
def test_colours_may_differ_by_twelve(shade, alike):
    pixels = np.full((2, 3, 32, 32), 90, np.uint8)
    pixels[1, 2] += shade
    assert looking.twins(pixels) == ([(0, 1)] if alike else [])


def test_twins_across_come_first_then_those_of_two_classes(tmp_path):
    """三对几乎相同的：同类同边的名字最靠前，却排在最后。"""
    seeds = {"train/a/0": 1, "train/a/1": 1, "train/a/2": 2, "train/b/0": 2}
    seeds |= {"train/b/1": 3, "val/b/0": 3, "val/a/0": 4}
    for name, seed in seeds.items():
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        smooth(seed).save(path)
    seen = looking.look(tmp_path)
    found = [(twin.across, twin.other_class) for twin in seen.twins]
    assert found == [(True, False), (False, True), (False, False)]
