"""自己的图片：怎样读，怎样拒绝。"""

import shutil

import numpy as np
import pytest
from PIL import Image

from vision_attention import data
from vision_attention.data import folder


def picture(path, size=(40, 30), color=(200, 30, 90), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new(options.pop("mode", "RGB"), size, color)
    image.putpixel((0, 0), options.pop("corner", color))
    image.save(path, **options)
    return path


@pytest.fixture
def photos(tmp_path):
    root = tmp_path / "photos"
    for name, color in (
        ("狗", (90, 60, 20)),
        ("cat", (10, 90, 200)),
        ("Ant", (5, 5, 5)),
    ):
        for k in range(7):
            suffix = ("png", "jpg", "webp", "JPEG")[k % 4]
            picture(root / name / f"{k}.{suffix}", (40 + k, 30), color)
    return root


def test_every_format_and_size_becomes_a_square(photos):
    dataset = data.load(f"folder:{photos}", image_size=24)
    assert dataset.class_names == ("Ant", "cat", "狗")
    assert dataset.train_images.shape[1:] == (3, 24, 24)
    assert len(dataset.train_labels) + len(dataset.test_labels) == 21
    assert dataset.flip


def test_default_side_is_32(photos):
    assert data.load(f"folder:{photos}").image_size == 32


def test_fifth_is_held_out_whatever_the_seed(photos):
    first, second = (data.load(f"folder:{photos}", seed=seed) for seed in (0, 1))
    # 21 张的五分之一是 4 张，三类各至少一张
    assert sorted(np.bincount(first.test_labels).tolist()) == [1, 1, 2]
    assert np.array_equal(first.test_images, second.test_images)


def test_copy_elsewhere_has_the_same_fingerprint(photos, tmp_path):
    shutil.copytree(photos, tmp_path / "moved")
    prints = {
        data.load(f"folder:{root}").fingerprint for root in (photos, tmp_path / "moved")
    }
    assert len(prints) == 1


def test_color_survives_and_label_matches(photos):
    dataset = data.load(f"folder:{photos}")
    colors = dataset.train_images.mean((2, 3))
    expected = np.array([(5, 5, 5), (10, 90, 200), (90, 60, 20)])
    np.testing.assert_allclose(colors, expected[dataset.train_labels], atol=4)


def test_short_side_is_scaled_and_the_middle_kept(tmp_path):
    image = Image.new("RGB", (90, 30), "black")
    image.paste("white", (30, 0, 60, 30))
    image.save(tmp_path / "wide.png")
    square = folder.read_image(tmp_path / "wide.png", 10)
    assert square[:, :, 1:-1].min() == 255  # 最外一列的滤波会沾到裁掉的部分
    assert square.min() > 200


def test_exif_orientation_is_applied(tmp_path):
    image = Image.new("RGB", (20, 20), "black")
    image.paste("white", (0, 0, 10, 20))  # 左半白
    exif = Image.Exif()
    exif[0x0112] = 6  # 显示时顺时针转 90 度，左半应到上面
    image.save(tmp_path / "turned.png", exif=exif)
    upright = folder.read_image(tmp_path / "turned.png", 20)
    assert upright[:, :8].min() > 240
    assert upright[:, 12:].max() < 15


def test_large_photo_is_decoded_small_but_alike(tmp_path):
    gradient = np.linspace(0, 255, 1600).astype(np.uint8)
    large = np.broadcast_to(gradient[:, None], (1600, 1600, 3)[:2])
    Image.fromarray(np.ascontiguousarray(large)).save(tmp_path / "large.jpg")
    small = folder.read_image(tmp_path / "large.jpg", 32)[0].mean(1)
    np.testing.assert_allclose(small, gradient.reshape(32, 50).mean(1), atol=2)


def test_decoding_small_keeps_every_stripe(tmp_path):
    stripes = np.repeat(np.arange(32) % 2 * 255, 4).astype(np.uint8)
    Image.fromarray(np.tile(stripes, (128, 1))).save(tmp_path / "stripes.jpg")
    assert folder.read_image(tmp_path / "stripes.jpg", 32).std() > 50


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [
        ("L", 77, (77, 77, 77)),
        ("I;16", 77 * 256, (77, 77, 77)),
        ("RGBA", (200, 100, 0, 0), (255, 255, 255)),
        ("LA", (0, 0), (255, 255, 255)),
        ("1", 1, (255, 255, 255)),
    ],
)
def test_color_modes_become_rgb(tmp_path, mode, color, expected):
    path = picture(tmp_path / "x.png", (9, 9), color, mode=mode)
    assert folder.read_image(path, 9)[:, 4, 4].tolist() == list(expected)


def test_transparent_palette_shows_white(tmp_path):
    path = picture(tmp_path / "p.png", (9, 9), 0, mode="P", transparency=0)
    assert folder.read_image(path, 9)[:, 4, 4].tolist() == [255, 255, 255]


def test_cmyk_jpeg_becomes_rgb(tmp_path):
    path = picture(tmp_path / "x.jpg", (16, 16), (0, 0, 0, 0), mode="CMYK")
    assert folder.read_image(path, 16).min() > 250


def test_hidden_and_system_files_are_no_images(photos):
    before = data.load(f"folder:{photos}").fingerprint
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (photos / "cat" / name).write_bytes(b"x")
    (photos / "__MACOSX").mkdir()
    (photos / "说明.txt").write_text("不是子文件夹")
    assert data.load(f"folder:{photos}").fingerprint == before


def test_unreadable_files_are_all_counted_and_named(photos):
    (photos / "cat" / "cut.jpg").write_bytes(
        picture(photos / "cat" / "whole.jpg", (300, 300)).read_bytes()[:900]
    )
    (photos / "狗" / "empty.png").write_bytes(b"")
    (photos / "狗" / "note.txt").write_text("x")
    (photos / "狗" / "fake.webp").write_text("x")
    (photos / "Ant" / "more").mkdir()
    with pytest.raises(ValueError, match="有 5 个文件读不了") as caught:
        data.load(f"folder:{photos}")
    for part in (
        "cat/cut.jpg：损坏或格式不符（OSError）",
        "狗/empty.png：空文件",
        "狗/note.txt：不是 .png",
        "狗/fake.webp：损坏或格式不符（UnidentifiedImageError）",
        "Ant/more：是文件夹",
        "请移走它们",
    ):
        assert part in str(caught.value)


def test_long_lists_of_unreadable_files_are_cut(photos):
    for k in range(23):
        (photos / "cat" / f"bad{k:02}.png").write_bytes(b"x")
    with pytest.raises(ValueError, match="有 23 个文件读不了") as caught:
        data.load(f"folder:{photos}")
    assert "另有 13 个" in str(caught.value)
    assert str(caught.value).count("bad") == folder.SHOWN


def test_decompression_bomb_is_refused(photos, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)
    picture(photos / "cat" / "bomb.png", (100, 100))
    with pytest.raises(ValueError, match=r"bomb\.png.*DecompressionBombError"):
        data.load(f"folder:{photos}")


@pytest.mark.parametrize("count", [0, 1])
def test_class_with_too_few_images_is_named(photos, count):
    for k in range(count):
        picture(photos / "bird" / f"{k}.png")
    (photos / "bird").mkdir(exist_ok=True)
    with pytest.raises(ValueError, match=rf"1 类不足两张图片：bird（{count} 张）"):
        data.load(f"folder:{photos}")


@pytest.mark.parametrize("classes", [(), ("cat",)])
def test_one_class_is_not_a_task(tmp_path, classes):
    for name in classes:
        picture(tmp_path / name / "0.png")
    with pytest.raises(ValueError, match=f"只有 {len(classes)} 个子文件夹.*至少要两类"):
        data.load(f"folder:{tmp_path}")


def test_missing_folder_shows_the_layout(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"没有文件夹 .*photos/猫/"):
        data.load(f"folder:{tmp_path}/nowhere")


@pytest.mark.parametrize("name", ["folder", "folder:"])
def test_empty_path_is_not_the_current_folder(name):
    with pytest.raises(ValueError, match="之后缺少路径"):
        data.load(name)


@pytest.mark.parametrize("image_size", [0, -3, 2.5])
def test_image_size_must_be_positive(photos, image_size):
    with pytest.raises(ValueError, match="image_size="):
        data.load(f"folder:{photos}", image_size=image_size)


def test_root_is_not_for_folders(photos):
    with pytest.raises(ValueError, match="只用于 cifar10"):
        data.load(f"folder:{photos}", root="x")
