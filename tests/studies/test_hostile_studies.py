"""怪的 study.yaml：锚点炸弹、标签、套着自己、太多太大，都是带行号的一句话，很快。"""

import re
import sys

import pytest

from vision_attention.studies import StudyError, expand
from vision_attention.studies.design.positions import read_value, read_yaml
from vision_attention.studies.store.study_file import parse

YAML = """\
question: 门有没有用？
data: {name: digits, n_train: 40}
model: {name: resnet_narrow}
train: {steps: 6, warmup_steps: 1, batch_size: 16}
grid: {model.attention: [none, se]}
compare: {factor: attention, reference: none}
seeds: 3
budget: {minutes: 1}
"""
BOMB = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
MERGES = "a0: &a0 {x0: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}], x{n}: 1}}\n" for n in range(1, 40)
)
DEEP = "套得太深"
NAMED = [
    # 写在哪一行、写什么、哪一行、哪几个字
    ("note", BOMB, 12, "展开以后太大"),
    ("note", MERGES, None, "展开以后太大"),
    ("note", "note: &a [*a]", 8, DEEP),
    ("note", "note: &a {b: *a}", 8, DEEP),
    ("note", "note: &a {<<: *a}", 8, DEEP),
    ("note", f"note: {'[' * 900}{']' * 900}", 8, DEEP),
    ("note", f"note: {'{a: ' * 900}{'}' * 900}", 8, DEEP),
    ("note", "\n".join(f"{' ' * n}n{n}:" for n in range(200)), None, DEEP),
    ("note", "note: !!bool 是", 8, "'是' 不是 bool"),
    ("note", "note: !!int 三", 8, "'三' 不是 int"),
    ("note", "note: !!int ''", 8, "不是 int"),
    ("note", "note: !!float x", 8, "'x' 不是 float"),
    ("note", "note: !!timestamp 昨天", 8, "标签 '!!timestamp' 不认识"),
    ("note", "note: !!python/name:os.system x", 8, "不认识"),
    ("note", "note: !!binary aGk=", 8, "'!!binary' 不认识"),
    ("note", "note: !!set {a, b}", 8, "'!!set' 不认识"),
    ("note", "note: !door x", 8, "'!door' 不认识"),
    ("note", "no[te: 1", 8, "不认识的键 'no[te'"),
    ("note", "1: 1", None, "键应为文字"),
    ("note", "? [a, b]\n: 1", 8, "键应为一个词"),
    ("note", "note: .nan", 8, "'.nan' 不是 float"),
    ("note", "note: 1e999", 8, "'1e999' 不是 float"),
    ("note", f"note: {'9' * 5000}", 8, "不是 int"),
    ("note", f"note: {'9' * 400}", 8, "不是 int"),
    ("note", "note: " + "好" * 40_000, 1, "最多 32000 个"),
    ("note", "note: *b", 8, "undefined alias"),
    ("note", "note: a\n---\nnote: b", None, "another document"),
    ("seeds", f"seeds: {'9' * 5000}", 7, "不是 int"),
    ("seeds", "seeds: 5000000", 7, "种子有 5000000 粒，最多 1000 粒"),
    ("seeds", f"seeds: [{', '.join(map(str, range(1001)))}]", 7, "种子有 1001 粒"),
    ("seeds", "seeds: [1, 2.5]", 7, "应为整数"),
    ("seeds", "seeds: [true]", 7, "应为整数"),
    ("seeds", "seeds: !!seq []", 7, "不能为空"),
    (
        "grid",
        "grid: {" + ", ".join(f"train.k{n}: [1, 2, 3, 4]" for n in range(12)) + "}",
        5,
        "16777216 个组合",
    ),
    ("grid", "grid: {model.attention: [{a: 1}, none]}", 5, "取值是复合的"),
    ("grid", "grid: {model.stages: [[1, 2], [1, 2]]}", 5, "写了两次"),
    ("grid", "grid: {model.attention: [1, true]}", 5, "写了两次"),
    ("grid", "grid: {framework: [[1], [2]]}", 5, "因素不能叫 framework"),
    (
        "seeds",
        "seeds: 900\ntune: {values: {train.lr: [1, 2, 3, 4, 5, 6, 7, 8, 9]}, "
        f"seeds: {list(range(900, 1900))}}}",
        8,
        "调参共 18000 个运行",
    ),
]


def put(key, line):
    """把 key 那一行换成 line；没有这一行就添在第 8 行。"""
    found = re.subn(f"(?m)^{key}:.*$", lambda _: line, YAML)
    return found[0] if found[1] else YAML.replace("budget", f"{line}\nbudget")


class Slow:
    """记下走了几步：不看时钟，多慢的机器上也一样。"""

    limit = 3_000_000

    def __enter__(self):
        self.calls = 0
        sys.setprofile(self.count)
        return self

    def count(self, frame, event, argument):
        self.calls += 1
        if self.calls > self.limit:
            sys.setprofile(None)
            raise AssertionError("走了三百万步还没有一句话")

    def __exit__(self, *details):
        sys.setprofile(None)


@pytest.mark.parametrize(("key", "line", "number", "words"), NAMED)
def test_a_strange_study_is_one_sentence_with_its_line(key, line, number, words):
    with Slow(), pytest.raises(StudyError) as caught:
        parse(put(key, line))
    assert words in str(caught.value)
    if number is not None:
        assert number in {place for place, _ in caught.value.problems}


def test_merge_keys_work():
    text = put("train", "train: &base {steps: 6, batch_size: 16, warmup_steps: 1}")
    arms = "grid: {a: {x: &x {train.lr: 0.1}, y: {<<: *x, train.steps: 5}}}"
    text = text.replace("grid: {model.attention: [none, se]}", arms)
    text = text.replace("attention, reference: none", "a, reference: x")
    found = {run.levels["a"]: run.train for run in expand(parse(text))}
    assert found["y"] == {"steps": 5, "batch_size": 16, "warmup_steps": 1, "lr": 0.1}
    assert found["x"]["steps"] == 6


def test_what_is_written_wins_over_what_is_merged():
    text = "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {<<: [*a, *b], z: 5}\n"
    content, lines = read_yaml(text, "x")
    assert content["c"] == {"x": 1, "y": 2, "z": 5}
    assert [lines["c", name] for name in "xyz"] == [1, 1, 3]


def test_a_key_written_twice_beside_a_merge_is_still_told():
    with pytest.raises(StudyError, match="'z' 写了两次"):
        read_yaml("a: &a {x: 1}\nc: {<<: *a, z: 5, z: 6}\n", "x")


def test_lists_as_levels_work():
    text = put("grid", "grid: {model.stages: [[1, 2], [2, 3]]}").replace(
        "attention, reference: none", "stages, reference: [1, 2]"
    )
    runs = expand(
        parse(text.replace("resnet_narrow}", "resnet_narrow, attention: se}"))
    )
    assert {run.levels["stages"] for run in runs} == {"[1, 2]", "[2, 3]"}
    assert [run.model["stages"] for run in runs[:2]] == [[1, 2], [2, 3]]
    rule = text.replace("seeds: 3", "seeds: 3\nexclude: [{stages: [2, 3]}]")
    rule = rule.replace("compare: {factor: stages, reference: [1, 2]}\n", "")
    assert len(expand(parse(rule))) == 3


def test_a_thousand_seeds_are_not_too_many():
    assert parse(YAML.replace("seeds: 3", "seeds: 1000")).seeds == list(range(1000))


@pytest.mark.parametrize("text", ["&a [*a]", "[" * 900, "!!int x", "!!timestamp x"])
def test_a_strange_value_on_the_command_line_is_one_sentence(text):
    from vision_attention.cli.train import _value

    with pytest.raises(ValueError, match="读不懂"):
        _value(text)


def test_what_is_just_small_enough_is_read():
    """64 位最大的整数、32,000 个字、20 层：再多一点就是一句话。"""
    assert read_value(str(2**63 - 1)) == 9223372036854775807
    padded = "a: 1 #".ljust(32_000, "x")
    assert read_yaml(padded, "x")[0] == {"a": 1}
    # 最外面的「键: 值」也是一层
    assert read_yaml(f"a: {'[' * 19}{']' * 19}", "x")[0]["a"]
    for text, words in (
        (f"a: {2**63}", "不是 int"),
        (f"{padded}x", "最多 32000 个"),
        (f"a: {'[' * 20}{']' * 20}", "最多 20 层"),
    ):
        with pytest.raises(StudyError, match=words):
            read_yaml(text, "x")


def test_a_date_is_text():
    assert read_value("2026-01-01") == "2026-01-01"
