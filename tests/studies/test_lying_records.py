"""说谎的记录：一行不合要求，读的时候就点名拒收，报告不算它，每条命令都说有几行。"""

import json
import os

import pytest
from stand_ins import stand_in
from typer.testing import CliRunner

from vision_attention.cli import app
from vision_attention.storage import records
from vision_attention.studies import open_study
from vision_attention.studies.design.runs import key_of
from vision_attention.studies.results import report, tables
from vision_attention.studies.store.record import Reader

YAML = """\
question: 门有没有用？
model: {name: resnet_narrow}
data: {name: digits, n_train: 40}
grid: {model.attention: [none, se]}
compare: {factor: attention, reference: none}
seeds: 3
budget: {minutes: 1}
"""


@pytest.fixture
def store(tmp_path):
    (tmp_path / "study.yaml").write_text(YAML, "utf8")
    return open_study(str(tmp_path / "study.yaml"))


def changed(record, path, value):
    """改一处；value 是 ... 时删去。"""
    *parents, last = path.split(".")
    place = record = json.loads(json.dumps(record))
    for name in parents:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return record


def keyed(record, path, value):
    """改设置，连 key 一起改：key 对得上，设置仍不像话。"""
    record = changed(record, path, value)
    return record | {"key": key_of(record["run"])}


CHANGES = [
    ("results.test_accuracy", 1.5, "太大，应不大于 1"),
    ("results.test_accuracy", -0.1, "太小，应不小于 0"),
    ("results.test_accuracy", "0.9", "应为数"),
    ("results.test_accuracy", [0.9], "应为数"),
    ("results.test_accuracy", True, "应为数"),
    ("results.test_accuracy", 0.9, "与曲线的最后一点不同"),
    ("results.parameters", 7.5, "应为整数"),
    ("results.parameters", -1, "太小"),
    ("results.accuracy_gap", 2, "太大，应不大于 1"),
    ("results.test_loss", 1e39, "太大，应不大于 1e+38"),
    ("results.acuracy", 0.9, "不认识的键 'results.acuracy'"),
    ("hello", 1, "不认识的键 'hello'"),
    ("curves.test_accuracy", [0.1, 0.2, 0.8], "应一样长"),
    ("curves.test_accuracy", ["高", 0.8], "应为数"),
    ("curves.test_accuracy", 0.8, "应为列表"),
    ("curves.test_accuracy", [7, 0.8], "太大"),
    ("seconds", -1, "太小"),
    ("cpu_seconds", None, "应为数"),
    ("data.fingerprint", "f", "样子不对"),
    ("data.fingerprint", ..., "缺少必填的键 'data.fingerprint'"),
    ("framework.name", "paddle", "设置里的框架是 torch"),
    ("framework", "torch", "不对"),
    ("processor.device", "tpu", "不认识；可用的取值"),
    ("processor.threads", True, "应为整数"),
    ("code.dirty", "no", "应为 true 或 false"),
    ("started", "昨天", "样子不对"),
    ("run.seed", 5, "key 与设置对不上"),
    ("key", ["a"], "应为文字"),
    ("model", {"depth": {"a": [[]]}}, "model"),
]


@pytest.mark.parametrize(("path", "value", "words"), CHANGES)
def test_one_wrong_value_is_named(store, path, value, words):
    line = json.dumps(changed(stand_in(store.runs[0]), path, value)).encode()
    with pytest.raises(ValueError, match=r"[一-鿿]") as caught:
        Reader()(line)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("run.task", "trian", "任务 'trian' 不认识"),
        ("run.seed", -1, "太小"),
        ("run.seed", 0.5, "应为整数"),
        ("run.framework", "jax", "可用的取值"),
        ("run.data", [1], "应为「键: 值」"),
        ("run.levels", {}, "不认识的键"),
    ],
)
def test_settings_nobody_could_run_are_named(store, path, value, words):
    line = json.dumps(keyed(stand_in(store.runs[0]), path, value)).encode()
    with pytest.raises(ValueError) as caught:
        Reader()(line)
    assert words in str(caught.value)


# 只有写成文字才做得出来的：把 "@" 换成这些
RAW = {
    "nan": ("NaN", "不是有限的数"),
    "infinity": ("-Infinity", "不是有限的数"),
    "overflow": ("1e999", "不是有限的数"),
    "400 digits": ("9" * 400, "400 位的整数"),
    "5000 digits": ("9" * 5000, "5000 位的整数"),
    "deep": ("[" * 100_000 + "]" * 100_000, "括号套得太深"),
    "twice": ('0.8, "parameters": 8', "写了两次"),
    "half a pair": ('"\\ud800"', ""),
    "not utf8": (b"\xff", "不是 JSON"),
    "cut": ("", "不是 JSON"),
}


@pytest.mark.parametrize("place", ["results.parameters", "run.data.n_train", "model"])
@pytest.mark.parametrize("name", RAW)
def test_what_json_itself_lets_through_is_named(store, name, place):
    raw, words = RAW[name]
    text = json.dumps(changed(stand_in(store.runs[0]), place, "@")).encode()
    line = text.replace(b'"@"', raw if isinstance(raw, bytes) else raw.encode())
    with pytest.raises(ValueError, match=r"[一-鿿]") as caught:
        Reader()(line)
    if place == "results.parameters":
        assert words in str(caught.value)


@pytest.mark.parametrize("gap", ["", " ", "\t", "\r"])
@pytest.mark.parametrize("name", ["key", "test_accuracy", "n_train", "seconds"])
def test_a_doubled_key_is_seen_however_it_is_spaced(store, name, gap):
    record = stand_in(store.runs[0])
    text = json.dumps(record)
    start = text.index(f'"{name}": ')
    value = json.JSONDecoder().raw_decode(text, start + len(name) + 4)[0]
    twice = f'"{name}"{gap}: {json.dumps(value)}, '
    assert Reader()(text.encode()) == record
    with pytest.raises(ValueError, match=f"键 '{name}' 写了两次"):
        Reader()((text[:start] + twice + text[start:]).encode())


def test_another_data_set_under_the_same_settings_is_named(store):
    torch = stand_in(store.runs[0])
    other = changed(stand_in(store.runs[1]), "data.fingerprint", "f" * 16)
    assert store.append(torch)
    with pytest.raises(ValueError, match="没有写：数据的指纹是 ffff"):
        store.append(other)
    store.path.write_text(f"{json.dumps(torch)}\n{json.dumps(other)}\n", "utf8")
    assert [item.line for item in store.read().rejected] == [2]


def test_what_could_not_be_read_back_is_not_written(store):
    """写与读照同一份查：读不回来的不写，写下的都读得回来。"""
    good = stand_in(store.runs[0])
    for path, value, _ in CHANGES:
        with pytest.raises((ValueError, TypeError)):
            store.append(changed(good, path, value))
    assert not store.path.exists()
    assert store.append(good)
    assert store.read().records == [good]


@pytest.fixture
def lying(store):
    """六个运行都有记录；第 3 行的准确率是 NaN，第 5 行是 150 %。"""
    lines = [json.dumps(stand_in(run)) for run in store.runs]
    for number, lie in ((2, "NaN"), (4, "1.5")):
        start, mark, rest = lines[number].partition('"test_accuracy": ')
        lines[number] = start + mark + lie + rest[rest.index(",") :]
    store.path.write_text("\n".join(lines) + "\n", "utf8")
    return store


def test_a_report_does_not_count_bad_lines_and_says_how_many(lying):
    found = report.summarize(lying)
    assert (found["missing"], found["rejected"]) == (2, 2)
    assert sum(cell["estimate"]["n"] for cell in found["cells"]) == 4
    assert "**坏行**：2 行" in tables.markdown(found)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["status"], 1),
        (["report"], 0),
        (["power", "--effect", "0.1", "--first", "2"], 2),
        (["verify", "--fraction", "0"], 2),
    ],
)
def test_every_command_says_how_many_lines_are_bad(lying, words, code):
    file = str(lying.folder / "study.yaml")
    done = CliRunner().invoke(app, ["study", words[0], file, *words[1:]])
    assert done.exit_code == code, done.output
    assert "坏行" in done.output and "Traceback" not in done.output
    if words == ["status"]:
        assert "records.jsonl 第 3 行" in done.output and "第 5 行" in done.output


@pytest.mark.parametrize("kind", ["folder", "pipe", "broken"])
def test_what_is_no_file_is_one_sentence(store, kind):
    if kind == "folder":
        store.path.mkdir()
    elif kind == "pipe":
        os.mkfifo(store.path)
    else:
        store.path.symlink_to("没有")
    for act in (store.read, store.set_aside, lambda: store.append({"key": "a"})):
        with pytest.raises((ValueError, OSError), match=r"读不了：.*请检查路径"):
            act()


def test_a_line_of_a_hundred_megabytes_is_not_even_parsed(tmp_path):
    path = tmp_path / "records.jsonl"
    with path.open("wb") as file:
        file.write(b'{"key": "')
        file.truncate(100_000_000)
        file.seek(0, os.SEEK_END)
        file.write(b'"}\n{"key": "a"}\n')
    reading = records.read(path)
    assert [record["key"] for record in reading.records] == ["a"]
    [bad] = reading.rejected
    assert (bad.line, bad.reason[:19]) == (1, "这一行有 100000002 个字节，"[:19])
