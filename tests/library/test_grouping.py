"""按组切分：同组的不分到两边；分不成、说不出是哪一组的，一句话。"""

import json
import re

import numpy as np
import pytest
from commands import call
from pictures import smooth
from PIL import Image

from vision_attention import data
from vision_attention.data import grouping
from vision_attention.data.listing import list_pictures

PATTERN = "(.+)-"


def shots(root, people="abcdef", burst=3):
    """两类，每人每类连拍几张：几乎相同。"""
    for k, name in enumerate(("left", "right")):
        (root / name).mkdir(parents=True)
        for n, person in enumerate(people):
            image = smooth(100 * k + n)
            for shot in range(burst):
                turned = image.point(lambda value, shot=shot: min(255, value + shot))
                turned.save(root / name / f"{person}-{shot}.png")
    return root


def sides(listing):
    """训练与测试各有哪些人。"""
    people = np.array([file.stem.split("-")[0] for file in listing.files])
    return set(people[~listing.in_test]), set(people[listing.in_test])


@pytest.mark.parametrize("people", ["ab", "abc", "abcdef", "abcdefghijklmno"])
def test_no_group_stands_on_both_sides(tmp_path, people):
    listing = list_pictures(shots(tmp_path, people), PATTERN)
    train, test = sides(listing)
    assert train & test == set()
    assert train | test == set(people)
    for side in (listing.labels[listing.in_test], listing.labels[~listing.in_test]):
        assert set(side) == {0, 1}
    share = listing.in_test.mean()
    assert abs(share - 0.2) <= {2: 0.3}.get(len(people), 0.14)
    assert f"{len(people)} 组里留出 {len(test)} 组" in listing.notes[0]


def test_without_groups_a_burst_is_torn_apart(tmp_path):
    train, test = sides(list_pictures(shots(tmp_path)))
    assert train & test


def test_the_split_does_not_depend_on_the_seed(tmp_path):
    name = f"folder:{shots(tmp_path)}"
    first, second = (
        data.load(name, image_size=8, groups=PATTERN, seed=seed) for seed in (0, 1)
    )
    np.testing.assert_array_equal(first.test_images, second.test_images)


def test_a_table_says_the_group(tmp_path):
    root = shots(tmp_path / "photos", "abcd")
    lines = ["file,patient,day"]
    for k, person in enumerate("abcd"):
        for shot in range(3):
            # 一半写文件名，一半写 类/文件名
            names = [f"{person}-{shot}.png"]
            if k % 2:
                names = [f"{kind}/{person}-{shot}.png" for kind in ("left", "right")]
            lines += [f"{name},P{k // 2},{shot}" for name in names]
    (tmp_path / "who.csv").write_text("\n".join(lines), "utf-8-sig")
    train, test = sides(list_pictures(root, f"{tmp_path / 'who.csv'}:patient"))
    assert {frozenset(train), frozenset(test)} == {frozenset("ab"), frozenset("cd")}


def test_one_row_for_the_same_name_in_several_classes_is_said(tmp_path):
    """两类里都有的名字，一行就把两个文件算成一组：照做，可是说出来。"""
    root, table = shots(tmp_path / "p", "abcd", 1), tmp_path / "who.csv"
    rows = [f"{person}-0.png,{person}" for person in "abc"]
    rows += [f"{kind}/d-0.png,{kind}" for kind in ("left", "right")]
    table.write_text("\n".join(["file,who", *rows]), "utf8")
    code, text = call("look", f"folder:{root}", "--groups", f"{table}:who")
    told = (
        "表里有 3 行各对上几个同名的文件，例如 a-0.png 对上 left/a-0.png、right/a-0.png"
    )
    assert (code, told in text, "都算 a 一组" in text) == (0, True, True)
    assert "“类/文件名”" in text
    words = ["train", "--data", f"folder:{root}", "--groups", f"{table}:who", *QUICK]
    assert told in call(*words, "--out", tmp_path / "runs")[1]
    rows = [f"{k}/{p}-0.png,{k}{p}" for k in ("left", "right") for p in "abcd"]
    table.write_text("\n".join(["file,who", *rows]), "utf8")
    code, text = call("look", f"folder:{root}", "--groups", f"{table}:who")
    assert (code, "同名" in text) == (0, False)


def test_one_name_with_two_groups_is_refused(tmp_path):
    """后一行不能悄悄盖掉前一行。"""
    root, table = shots(tmp_path / "p", "abcd", 1), tmp_path / "who.csv"
    rows = [f"{p}-0.png,{kind}{p}" for kind in ("left", "right") for p in "abcd"]
    table.write_text("\n".join(["file,who", *rows]), "utf8")
    told = (
        "'a-0.png' 写了两种组，lefta 与 righta；几类里都有这个名字的，请写“类/文件名”"
    )
    with pytest.raises(ValueError, match=told):
        list_pictures(root, f"{table}:who")


def test_a_table_may_name_the_side(tmp_path):
    """train/ 与 val/ 里同名的两张，写从最上一层算起的路径分得开。"""
    for part, seed in (("train", 0), ("val", 9)):
        for k, name in enumerate(("a", "b")):
            (tmp_path / "p" / part / name).mkdir(parents=True)
            smooth(seed + k).save(tmp_path / "p" / part / name / "0.png")
    table = tmp_path / "who.csv"
    rows = [f"{part}/{name}/0.png,{part}" for part in ("train", "val") for name in "ab"]
    table.write_text("\n".join(["file,who", *rows]), "utf8")
    found = list_pictures(tmp_path / "p", f"{table}:who")
    assert found.notes[1:] == ("2 组，没有一组站在两边",)


def test_whole_match_is_the_group_when_there_are_no_brackets(tmp_path):
    listing = list_pictures(shots(tmp_path), "^[a-z]")
    assert sides(listing)[0] & sides(listing)[1] == set()


def test_ready_made_division_with_a_shared_group_is_refused(tmp_path):
    shots(tmp_path / "train", "abc")
    shots(tmp_path / "val", "de")
    assert "没有一组站在两边" in " ".join(list_pictures(tmp_path, PATTERN).notes)
    smooth(1).save(tmp_path / "val" / "left" / "b-9.png")
    with pytest.raises(ValueError, match="有 1 组的图片分在训练与测试两边：b"):
        list_pictures(tmp_path, PATTERN)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("(", "不是正则表达式"),
        ("(x+)-", "有 36 个文件说不出属于哪一组：a-0.png、"),
        ("", "应为文件名的模式"),
        ("没有.csv:who", "没有.csv 读不了：没有这个文件"),
        ("who.csv", "没有说是哪一列；写法是 who.csv:列名"),
    ],
)
def test_what_gives_no_group_is_one_plain_sentence(tmp_path, how, told):
    shots(tmp_path / "p")
    words = ["look", f"folder:{tmp_path / 'p'}", "--groups", how]
    code, text = call(*words)
    assert (code, text.startswith("错误：")) == (2, True)
    assert told in text


def test_table_faults_are_named(tmp_path):
    root = shots(tmp_path / "p", "ab")
    table = tmp_path / "who.csv"
    table.write_text("name,who\nx,1\n", "utf8")
    with pytest.raises(ValueError, match="没有 file 这一列"):
        list_pictures(root, f"{table}:who")
    table.write_text("file,who\na-0.png,1\n", "utf8")
    with pytest.raises(ValueError, match="有 10 个文件说不出"):
        list_pictures(root, f"{table}:who")
    with pytest.raises(ValueError, match="没有 whom 这一列"):
        list_pictures(root, f"{table}:whom")


def test_a_class_in_one_group_only_is_refused(tmp_path):
    shots(tmp_path, "a")
    with pytest.raises(ValueError, match="“left”类的图片全在 a 一组里；每类至少要两组"):
        list_pictures(tmp_path, PATTERN)


def test_groups_that_cannot_be_divided_are_refused():
    """甲类在一、二组，乙类在一、三组，丙类在二、三组：留出哪一组，都有一类分不开。"""
    groups, labels = np.array(list("112233")), np.array([0, 1, 0, 2, 1, 2])
    with pytest.raises(ValueError, match="分不成两边"):
        grouping.hold_out(groups, labels, 0.2)


def test_the_smallest_group_fills_a_class_without_a_test():
    """乙类五张，应留一张；只在三张与两张的两组里，哪一组都太大，留小的那组。"""
    groups = np.array(["p"] * 3 + ["q"] * 2 + list("abcde"))
    labels = np.array([1] * 5 + [0] * 5)
    held = grouping.hold_out(groups, labels, 0.2)
    assert set(groups[held & (labels == 1)]) == {"q"}


def test_the_more_exact_name_in_a_table_wins(tmp_path):
    """表里既写文件名，也写“类/文件名”、从最上一层算起的路径：越具体的越算数。"""
    root, table = tmp_path / "p", tmp_path / "who.csv"
    rows = ["0.png,甲", "a/0.png,乙", "val/a/0.png,丙"]
    table.write_text("\n".join(["file,who", *rows]), "utf8")
    members = [root / part for part in ("val/a/0.png", "train/a/0.png", "val/b/0.png")]
    found = grouping.groups_of(root, members, f"{table}:who")
    assert found.names.tolist() == ["丙", "乙", "甲"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"validation": 2}, "groups 还不能与 validation 合用"),
        ({"reserve": 2}, "groups 还不能与 reserve 合用"),
        ({"score": "unused"}, "groups 还不能与 score 合用"),
    ],
)
def test_what_would_tear_a_group_is_refused(tmp_path, changes, told):
    shots(tmp_path)
    with pytest.raises(ValueError, match=told):
        data.load(f"folder:{tmp_path}", image_size=8, groups=PATTERN, **changes)
    with pytest.raises(ValueError, match="只用于 folder:PATH"):
        data.load("digits", groups=PATTERN)


QUICK = (
    "--steps 2 --eval-every 2 --batch-size 8 --quiet --set data.image_size=8".split()
)


@pytest.mark.parametrize("framework", ["torch", "paddle"])
def test_train_counts_and_names_the_copies_across(tmp_path, framework):
    photos = shots(tmp_path / "p")
    words = ["train", "--data", f"folder:{photos}", "--out", tmp_path, *QUICK]
    words += ["--framework", framework]
    code, text = call(*words, "--name", "torn")
    assert code == 0
    found = re.search(r"注意：(\d+) 对几乎相同的图分在训练与测试两边：(\S+) 与", text)
    record = json.loads((tmp_path / "torn" / "record.json").read_text("utf8"))
    assert record["twins"]["count"] == int(found[1]) > 0
    assert found[2] == record["twins"]["pairs"][0][0]
    code, text = call(*words, "--name", "whole", "--groups", PATTERN)
    assert (code, "几乎相同" in text, "按组切分：6 组里" in text) == (0, False, True)
    record = json.loads((tmp_path / "whole" / "record.json").read_text("utf8"))
    assert record["twins"] == {"count": 0, "pairs": []}
    assert record["run"]["data"]["groups"] == PATTERN


def striped(root):
    """宽是高的两倍：左边四分之一红，右边四分之一蓝，中间绿。"""
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, :10, 0] = pixels[:, 10:30, 1] = pixels[:, 30:, 2] = 200
    for name in ("a", "b"):
        (root / name).mkdir(parents=True)
        for n in range(2):
            Image.fromarray(pixels).save(root / name / f"{n}.png")
    return root


@pytest.mark.parametrize(
    ("square", "corner", "edge", "told"),
    [
        ("crop", [0, 200, 0], [0, 200, 0], "居中裁掉两头"),
        ("pad", [128, 128, 128], [200, 0, 0], "两边补灰"),
        ("squash", [200, 0, 0], [200, 0, 0], "长宽比变了"),
    ],
)
def test_oblong_pictures_become_square_as_asked(tmp_path, square, corner, edge, told):
    name = f"folder:{striped(tmp_path)}"
    found = data.load(name, image_size=16, square=square)
    picture = found.train_images[0]
    # 裁在两色的交界上，插值差几级
    for place, color in (((0, 0), corner), ((8, 0), edge), ((8, 8), [0, 200, 0])):
        np.testing.assert_allclose(picture[(slice(None), *place)], color, atol=40)
    assert [told in note for note in found.notes] == [False, True]


def test_square_pictures_need_no_word(tmp_path):
    found = data.load(f"folder:{shots(tmp_path)}", image_size=8)
    assert len(found.notes) == 1
    with pytest.raises(ValueError, match="square='cut'"):
        data.load(f"folder:{tmp_path}", square="cut")


@pytest.mark.parametrize(
    ("framework", "square", "told", "corner"),
    [
        ("torch", "pad", "两边补灰", [128, 128, 128]),
        ("paddle", "squash", "长宽比变了", [200, 0, 0]),
        ("paddle", "crop", "居中裁掉两头", [0, 200, 0]),
    ],
)
def test_a_new_picture_is_squared_like_the_old_ones(
    tmp_path, framework, square, told, corner
):
    """说一次，记进运行；认新图照它，不看新图旁边有什么。"""
    photos = striped(tmp_path / "p")
    words = ["train", "--data", f"folder:{photos}", "--square", square, *QUICK]
    words += ["--framework", framework]
    code, text = call(*words, "--out", tmp_path, "--name", "it")
    assert (code, text.count(told)) == (0, 1)
    from vision_attention.training import saved_run

    run = saved_run.read(tmp_path / "it")
    images, _, _ = saved_run.read_pictures(run, [photos / "a" / "0.png"])
    assert run.square == square
    np.testing.assert_allclose(images[0, :, 0, 0], corner, atol=40)
    assert call("predict", tmp_path / "it", photos / "a" / "0.png")[0] == 0
    record = json.loads((tmp_path / "it" / "record.json").read_text("utf8"))
    del record["input"]["square"]
    (tmp_path / "it" / "record.json").write_text(json.dumps(record), "utf8")
    assert saved_run.read(tmp_path / "it").square == "crop"
