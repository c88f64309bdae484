"""自己的图片：怎样读，怎样拒绝。"""

import os
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vision_attention import data
from vision_attention.data import folder, pictures
from vision_attention.storage import files


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
    square = pictures.read_image(tmp_path / "wide.png", 10)
    assert square[:, :, 1:-1].min() == 255  # 最外一列的滤波会沾到裁掉的部分
    assert square.min() > 200


def test_exif_orientation_is_applied(tmp_path):
    image = Image.new("RGB", (20, 20), "black")
    image.paste("white", (0, 0, 10, 20))  # 左半白
    exif = Image.Exif()
    exif[0x0112] = 6  # 显示时顺时针转 90 度，左半应到上面
    image.save(tmp_path / "turned.png", exif=exif)
    upright = pictures.read_image(tmp_path / "turned.png", 20)
    assert upright[:, :8].min() > 240
    assert upright[:, 12:].max() < 15


def test_large_photo_is_decoded_small_but_alike(tmp_path):
    gradient = np.linspace(0, 255, 1600).astype(np.uint8)
    large = np.broadcast_to(gradient[:, None], (1600, 1600, 3)[:2])
    Image.fromarray(np.ascontiguousarray(large)).save(tmp_path / "large.jpg")
    small = pictures.read_image(tmp_path / "large.jpg", 32)[0].mean(1)
    np.testing.assert_allclose(small, gradient.reshape(32, 50).mean(1), atol=2)


def test_decoding_small_keeps_every_stripe(tmp_path):
    stripes = np.repeat(np.arange(32) % 2 * 255, 4).astype(np.uint8)
    Image.fromarray(np.tile(stripes, (128, 1))).save(tmp_path / "stripes.jpg")
    assert pictures.read_image(tmp_path / "stripes.jpg", 32).std() > 50


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
    assert pictures.read_image(path, 9)[:, 4, 4].tolist() == list(expected)


def test_transparent_palette_shows_white(tmp_path):
    path = picture(tmp_path / "p.png", (9, 9), 0, mode="P", transparency=0)
    assert pictures.read_image(path, 9)[:, 4, 4].tolist() == [255, 255, 255]


def test_cmyk_jpeg_becomes_rgb(tmp_path):
    path = picture(tmp_path / "x.jpg", (16, 16), (0, 0, 0, 0), mode="CMYK")
    assert pictures.read_image(path, 16).min() > 250


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


def test_a_long_path_keeps_the_name_of_the_file(photos):
    """省去的是中间：要移走哪一个，看的是末尾。"""
    deep = photos / ("x" * 200)
    deep.mkdir()
    for name in ("broken.png", "sound.png"):
        (deep / name).write_bytes(b"text")
    with pytest.raises(ValueError, match="有 2 个文件读不了") as caught:
        data.load(f"folder:{photos}", image_size=8)
    first, _ = [line for line in str(caught.value).splitlines() if "…" in line]
    shown = first.strip().partition("：")[0]
    assert shown == "x" * 40 + "…" + "x" * 29 + "/broken.png"


def test_advice_is_for_the_fault_at_hand():
    large, broken = "  a.png：太大，内存装不下", "  b.png：损坏或格式不符（OSError）"
    assert folder.remedy([large]) == "请移走它们，或把太大的先缩小"
    assert folder.remedy([broken]) == "请移走它们，或重新存成 PNG、JPEG、WebP"


@pytest.mark.parametrize(
    ("brightest", "bits"),
    [
        ((), 16),
        ((255,), 8),
        ((7, 256), 10),
        ((1023,), 10),
        ((1024,), 12),
        ((4096,), 14),
        ((16383,), 14),
        ((16384, 9), 16),
        ((65535,), 16),
    ],
)
def test_depth_is_the_least_that_holds_the_brightest(brightest, bits):
    assert pictures.depth(brightest) == bits


def test_paths_of_200_characters_are_written_whole():
    assert files.printable("路" * 200) == "路" * 200
    assert (
        files.printable("路" * 100 + "-" + "径" * 100) == f"{'路' * 100}…{'径' * 100}"
    )


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
    with pytest.raises(ValueError, match=r"bomb\.png：太大，超过 4,000 像素"):
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


# 16 位的图、各种模式、动图、不是正方形的 -----------------------------------------


@pytest.mark.parametrize(
    ("bits", "values"),
    [
        (8, (0, 100, 255)),
        (10, (0, 400, 1023)),
        (12, (0, 1600, 4095)),
        (14, (0, 6400, 16383)),
        (16, (0, 25600, 65535)),
    ],
)
def test_sixteen_bit_pictures_use_the_bits_they_have(tmp_path, bits, values):
    # 每一位数都是同样的三级灰：0、100、255；最亮的只在其中一张里
    for label in ("a", "b"):
        for k, value in enumerate((*values, values[1])):
            picture(tmp_path / label / f"{k}.png", (9, 9), value, mode="I;16")
    dataset = data.load(f"folder:{tmp_path}", image_size=9)
    images = np.concatenate([dataset.train_images, dataset.test_images])
    assert sorted(set(images.reshape(-1).tolist())) == [0, 100, 255]
    assert (images.mean((1, 2, 3)) == 100).sum() == 4


def test_a_new_picture_brighter_than_the_training_ones_is_white(tmp_path):
    # 训练的图只用到 10 位，新的一张到了 1100：最亮就是最亮，不绕回黑
    picture(tmp_path / "new.png", (9, 9), 1100, mode="I;16")
    pixels, brightest = pictures.read_pixels(tmp_path / "new.png", 9, bits=10)
    assert brightest == 1100
    assert pixels.min() == pixels.max() == 255


@pytest.mark.parametrize(
    ("brightest", "read"), [(1023, False), (16383, False), (16384, True), (65535, True)]
)
def test_low_bits_of_sixteen_bit_colour_are_not_read_as_black(photos, brightest, read):
    path = photos / "cat" / "colour.png"
    pixels = np.full((9, 9, 3), brightest, ">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", 9, 9, 16, 2, 0, 0, 0)  # 宽、高、16 位、彩色
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for kind, body in chunks:
            check = struct.pack(">I", zlib.crc32(kind + body))
            file.write(struct.pack(">I", len(body)) + kind + body + check)
    if read:
        assert pictures.read_image(path, 9).min() == brightest >> 8
    else:
        with pytest.raises(ValueError, match=r"colour\.png：16 位彩色而只用了低位"):
            data.load(f"folder:{photos}")


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_animated_pictures_show_their_first_frame(tmp_path, suffix):
    frames = [Image.new("RGB", (9, 9), color) for color in ("red", "blue")]
    path = tmp_path / f"moving.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    assert pictures.read_image(path, 9)[:, 4, 4].tolist() == [255, 0, 0]


def test_palette_colours_are_looked_up(tmp_path):
    image = Image.new("P", (9, 9), 3)
    image.putpalette([0, 0, 0] * 3 + [10, 200, 30])
    image.save(tmp_path / "p.png")
    assert pictures.read_image(tmp_path / "p.png", 9)[:, 4, 4].tolist() == [10, 200, 30]


def test_cmyk_inks_take_their_own_light_away(tmp_path):
    # 青墨吸收红光：满墨 255 时红为 0
    path = picture(tmp_path / "c.jpg", (16, 16), (255, 0, 0, 0), mode="CMYK")
    red, green, blue = pictures.read_image(path, 16)[:, 8, 8].tolist()
    assert red < 30
    assert min(green, blue) > 160


def test_half_transparent_colour_is_mixed_with_white(tmp_path):
    path = picture(tmp_path / "t.png", (9, 9), (0, 0, 200, 51), mode="RGBA")
    # 51/255 = 0.2：0.2 × 颜色 + 0.8 × 255
    found = pictures.read_image(path, 9)[:, 4, 4].tolist()
    np.testing.assert_allclose(found, [204, 204, 244], atol=1)


@pytest.mark.parametrize(
    ("turn", "corner"),
    [
        (1, (0, 0)),
        (2, (0, 1)),
        (3, (1, 1)),
        (4, (1, 0)),
        (5, (0, 0)),
        (6, (0, 1)),
        (7, (1, 1)),
        (8, (1, 0)),
    ],
)
def test_every_way_of_holding_the_camera(tmp_path, turn, corner):
    # 存的时候白块在左上角；EXIF 说显示时该在哪一角
    image = Image.new("RGB", (20, 20), "black")
    image.paste("white", (0, 0, 10, 10))
    exif = Image.Exif()
    exif[0x0112] = turn
    image.save(tmp_path / "x.png", exif=exif)
    found = pictures.read_image(tmp_path / "x.png", 20).mean(0)
    quarters = found.reshape(2, 10, 2, 10).mean((1, 3))
    assert np.unravel_index(quarters.argmax(), (2, 2)) == corner


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (33, 7)])
def test_pictures_need_not_be_square(tmp_path, size):
    path = picture(tmp_path / "x.png", size, (9, 99, 199))
    found = pictures.read_image(path, 8)
    assert found.shape == (3, 8, 8)
    assert found.reshape(3, -1).std(1).max() == 0
    assert found[:, 0, 0].tolist() == [9, 99, 199]


# 文件夹里的怪东西 ----------------------------------------------------------------

unix = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="管道与断了的链接要 Unix")


@unix
def test_strange_files_are_named_none_hangs_and_all_are_counted(photos):
    cat = photos / "cat"
    os.mkfifo(cat / "pipe.png")
    (cat / "device.jpg").symlink_to("/dev/zero")
    (cat / "broken.png").symlink_to("nowhere.png")
    (cat / "loop.png").symlink_to("loop.png")
    (cat / "good.png").symlink_to("0.png")
    Image.new("1", (14000, 14000)).save(photos / "狗" / "scan.png")
    Path(os.fsdecode(os.fsencode(cat) + b"/\xff.png")).write_bytes(b"x")
    total = sum(len(list(folder.iterdir())) for folder in photos.iterdir())
    with pytest.raises(ValueError, match=f"有 6 个文件读不了（共 {total} 个") as caught:
        data.load(f"folder:{photos}")
    for told in (
        "cat/pipe.png：是管道或设备，不是文件",
        "cat/device.jpg：是管道或设备",
        "cat/broken.png：链接断了，指向 nowhere.png",
        "cat/loop.png：链接绕成了圈",
        "cat/\\xff.png：损坏或格式不符",
        "狗/scan.png：太大，超过 178,956,970 像素",
        "把太大的先缩小",
    ):
        assert told in str(caught.value)
    str(caught.value).encode()  # 印得出来


def test_folders_inside_a_class_get_advice_that_helps(photos):
    (photos / "cat" / "more").mkdir()
    with pytest.raises(ValueError, match="cat/more：是文件夹") as caught:
        data.load(f"folder:{photos}")
    assert "请把每一类的图片直接放在它自己" in str(caught.value)
    assert "重新存" not in str(caught.value)


@unix
def test_a_broken_link_is_named_while_pictures_are_remembered(photos):
    (photos / "cat" / "gone.png").symlink_to("/nowhere")
    said = r"cat/gone\.png：链接断了"
    with folder.remembered(), pytest.raises(ValueError, match=said):
        data.load(f"folder:{photos}")


@pytest.mark.parametrize("target", ["nowhere", "bird"])
def test_a_class_behind_a_broken_link_is_not_forgotten(photos, target):
    (photos / "bird").symlink_to(target)
    with pytest.raises(ValueError, match=r"bird：链接.*它也许是一类"):
        data.load(f"folder:{photos}")


@unix
def test_class_names_must_be_utf8(photos):
    strange = Path(os.fsdecode(os.fsencode(photos) + b"/\xff\xfe"))
    strange.mkdir()
    with pytest.raises(ValueError, match=r"\\xff\\xfe 的名字不是 UTF-8") as caught:
        data.load(f"folder:{photos}")
    str(caught.value).encode()
    with pytest.raises(ValueError, match="不是 UTF-8"):
        data.load(f"folder:{strange}")


@pytest.mark.parametrize(
    ("one", "other"), [("bird", "Bird"), ("e\u0301", "\u00e9"), ("straße", "STRASSE")]
)
def test_classes_that_are_one_on_other_systems_are_refused(photos, one, other):
    for name in (one, other):
        (photos / name).mkdir(exist_ok=True)
    if len(list(photos.iterdir())) < 5:
        pytest.skip("这个系统不分大小写，本来就只有一个文件夹")
    with pytest.raises(ValueError, match="只差大小写或字符的写法"):
        data.load(f"folder:{photos}")


@pytest.mark.parametrize(
    ("path", "kind", "told"),
    [
        ("长" * 500, FileNotFoundError, "路径太长"),
        ("a\0b", ValueError, "不能用的字符"),
        ("~nobody-here/photos", ValueError, "认不出是谁的家目录"),
        ("cat/0.png", FileNotFoundError, "没有文件夹"),
    ],
)
def test_roots_that_are_no_folder_are_named(photos, monkeypatch, path, kind, told):
    monkeypatch.chdir(photos)
    with pytest.raises(kind, match=told) as caught:
        data.load(f"folder:{path}")
    assert len(str(caught.value)) < 600


def parted(root, *parts):
    """已经分好的：每个 (文件夹, 每类几张, 颜色的底)。"""
    for part, count, base in parts:
        for k, name in enumerate(("cat", "狗")):
            for n in range(count):
                picture(
                    root / part / name / f"{n}.png", color=(base + n, 90 * k, 9 + n)
                )
    return root


@pytest.mark.parametrize("train", ["train", "Training"])
@pytest.mark.parametrize(
    "held", ["val", "test", "Valid", "testing", "validation", "dev"]
)
def test_ready_made_division_is_kept(tmp_path, train, held):
    root = parted(tmp_path, (train, 3, 10), (held, 1, 200))
    dataset = data.load(f"folder:{root}")
    assert dataset.class_names == ("cat", "狗")
    assert np.bincount(dataset.train_labels).tolist() == [3, 3]
    assert dataset.test_labels.tolist() == [0, 1]
    assert dataset.train_images[:, 0].max() < 20
    assert dataset.test_images[:, 0].min() == 200
    assert dataset.notes[0] == f"照分好的：训练 {train}/ 6 张，测试 {held}/ 2 张"


def test_test_is_scored_and_val_is_said_to_be_unused(tmp_path):
    root = parted(tmp_path, ("train", 2, 10), ("val", 2, 100), ("test", 1, 200))
    dataset = data.load(f"folder:{root}")
    assert dataset.test_images[:, 0].min() == 200
    assert dataset.notes[1] == "val/ 没有用到"


def test_classes_may_be_called_train_and_test(tmp_path):
    """火车与试管：里面没有再分文件夹，就是两类。"""
    for name in ("train", "test"):
        for n in range(5):
            picture(tmp_path / name / f"{n}.png", color=(n, n, n))
    dataset = data.load(f"folder:{tmp_path}")
    assert dataset.class_names == ("test", "train")
    assert dataset.notes[0] == "没有分好：从 10 张里固定留出 2 张作测试，每类都有"


def test_different_classes_on_the_two_sides_are_named(tmp_path):
    root = parted(tmp_path, ("train", 2, 10), ("val", 1, 200))
    (root / "val" / "狗").rename(root / "val" / "dog")
    told = "只在 train/ 里的有 狗；只在 val/ 里的有 dog"
    with pytest.raises(ValueError, match=told):
        data.load(f"folder:{root}")


def test_empty_class_on_one_side_is_named(tmp_path):
    root = parted(tmp_path, ("train", 2, 10), ("val", 1, 200))
    (root / "val" / "狗" / "0.png").unlink()
    with pytest.raises(ValueError, match=r"val 下有 1 类不足一张图片：狗（0 张）"):
        data.load(f"folder:{root}")


def test_unreadable_file_is_named_with_its_side(tmp_path):
    root = parted(tmp_path, ("train", 2, 10), ("val", 1, 200))
    (root / "val" / "狗" / "bad.jpg").write_text("x")
    with pytest.raises(ValueError, match=r"val/狗/bad\.jpg：损坏"):
        data.load(f"folder:{root}")


def test_pictures_that_are_too_large_are_counted(tmp_path):
    with pytest.raises(ValueError, match="一张图要有 3,221,225,472 个数"):
        data.load(f"folder:{tmp_path}", image_size=2**15)
