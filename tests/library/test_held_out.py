"""没有分好的图片怎样切下测试：份额、名单；切不成的，一句话。"""

import re

import numpy as np
import pytest
from commands import call
from pictures import smooth

from vision_attention import data
from vision_attention.data.listing import list_pictures


@pytest.fixture
def photos(tmp_path):
    """两类，各十张。"""
    for k, name in enumerate(("a", "b")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for n in range(10):
            smooth(10 * k + n).save(tmp_path / "photos" / name / f"{n}.png")
    return tmp_path / "photos"


def held(listing):
    """在测试里的，写成“类/文件名”。"""
    members = np.array([f"{f.parent.name}/{f.name}" for f in listing.files])
    return set(members[listing.in_test])


@pytest.fixture
def table(tmp_path):
    def write(text, name="test.txt", encoding="utf8"):
        (tmp_path / name).write_bytes(text.encode(encoding))
        return str(tmp_path / name)

    return write


@pytest.mark.parametrize(("share", "count"), [(None, 4), (0.5, 10), (0.9, 18)])
def test_a_share_of_each_class_is_held_out(photos, share, count):
    found = list_pictures(photos, test=share)
    assert found.in_test.sum() == count
    assert np.bincount(found.labels[found.in_test]).tolist() == [count / 2] * 2
    assert f"从 20 张里固定留出 {count} 张" in found.notes[0]


def test_a_larger_share_contains_a_smaller_one(photos):
    less, more = (held(list_pictures(photos, test=share)) for share in (0.2, 0.5))
    assert less < more


def test_the_named_files_are_held_out(photos, table):
    name = table("\ufeffa/3.png\r\n\r\nb\\7.png\na/3.png\n")
    found = list_pictures(photos, test=name)
    assert held(found) == {"a/3.png", "b/7.png"}
    assert found.notes == (f"照名单 {name}：20 张里的 2 张作测试",)
    dataset = data.load(f"folder:{photos}", image_size=8, test=name)
    assert (len(dataset.train_labels), dataset.test_labels.tolist()) == (18, [0, 1])


def test_groups_may_not_be_torn_apart_by_the_list(photos, table):
    """同一个数字的两张是一组：名单拆开就拒绝，不拆就照它。"""
    whole = list_pictures(photos, "(.+)", table("a/3.png\nb/3.png"))
    assert held(whole) == {"a/3.png", "b/3.png"}
    assert whole.notes[1] == "10 组，没有一组站在两边"
    with pytest.raises(ValueError, match="有 2 组的图片分在训练与测试两边：3、7"):
        list_pictures(photos, "(.+)", table("a/3.png\nb/7.png"))


def test_groups_are_held_out_to_a_share(photos):
    less, more = (list_pictures(photos, "(.+)", share) for share in (0.1, 0.5))
    assert (less.in_test.sum(), more.in_test.sum()) == (2, 10)


@pytest.mark.parametrize(("share", "count", "tail"), [(0.3, 3, ""), (0.4, 4, "……")])
def test_three_groups_are_named_and_no_more(photos, share, count, tail):
    note = list_pictures(photos, "(.+)", share).notes[0]
    assert re.search(rf"留出 {count} 组（\d、\d、\d{tail}）作测试", note)


WRONG = [
    (0, "test=0 不合适；应为大于 0、小于 1 的份额"),
    (1.0, "test=1.0 不合适；应为大于 0、小于 1 的份额"),
    (float("nan"), "test=nan 不合适"),
    (True, "test=True 不合适"),
    (0.97, "“a”类的 10 张都在测试里，训练里一张也没有"),
    ("no.txt", "test 应为份额，例如 0.3，或一份名单的路径"),
]


@pytest.mark.parametrize(("share", "said"), WRONG)
def test_shares_that_do_not_divide_are_refused(photos, share, said):
    with pytest.raises(ValueError) as caught:
        list_pictures(photos, test=share)
    assert said in str(caught.value)


def test_lists_that_do_not_divide_are_refused(photos, table):
    for text, said in (
        ("a/3.png\na/99.png", "有 1 行不是"),
        ("a/3.png", "“b”类的 10 张都在训练里，测试里一张也没有"),
        ("", "“a”类的 10 张都在训练里"),
    ):
        with pytest.raises(ValueError, match=said):
            list_pictures(photos, test=table(text))
    with pytest.raises(ValueError, match="不是 UTF-8 的文本"):
        list_pictures(photos, test=table("a/３.png", encoding="gbk"))


@pytest.mark.parametrize(("count", "tail"), [(5, "；"), (6, "……；")])
def test_five_unknown_lines_are_named_and_no_more(photos, table, count, tail):
    lines = [f"c/{n}.png" for n in range(count)]
    with pytest.raises(ValueError, match=f"有 {count} 行不是") as caught:
        list_pictures(photos, test=table("\n".join(lines)))
    assert f"'c/4.png'{tail}" in str(caught.value)


def test_what_is_already_divided_is_not_divided_again(photos):
    for part in ("train", "val"):
        (photos.parent / "divided").mkdir(exist_ok=True)
        (photos.parent / "divided" / part).mkdir()
        for name in ("a", "b"):
            (photos.parent / "divided" / part / name).mkdir()
            smooth(3).save(photos.parent / "divided" / part / name / "1.png")
    with pytest.raises(ValueError, match="已经分好 train/ 与 val/，照它；请去掉 test"):
        list_pictures(photos.parent / "divided", test=0.5)
    with pytest.raises(ValueError, match=r"test=0\.5 只用于 folder:PATH"):
        data.load("digits", test=0.5)


@pytest.mark.parametrize("listed", [False, True])
def test_from_look_to_the_diagnosis(photos, table, tmp_path, listed):
    """命令行走一遍：份额与名单，训练、接着诊断，处处是同样的测试集。"""
    how = table("a/3.png\nb/3.png\nb/7.png") if listed else "0.4"
    count = 3 if listed else 8
    code, text = call("look", f"folder:{photos}", "--test", how)
    assert (code, f"{count} 张作测试" in text) == (0, True)
    words = ["--steps", "4", "--eval-every", "4", "--batch-size", "8", "--quiet"]
    run = tmp_path / "runs" / "it"
    words += ["--out", run.parent, "--name", "it", "--test", how]
    code, text = call("train", "--data", f"folder:{photos}", *words)
    assert (code, f"{count} 张作测试" in text) == (0, True)
    code, text = call("diagnose", run, "--attention", "skip", "--quiet")
    assert code == 0
    report = (run / "report.html").read_text("utf8")
    assert ("b/7.png" in report) >= listed
    # 报告里错的几张说得出是哪个文件：切分与训练时的一样，才对得上
    assert ".png" in report and "测试集第" not in report
