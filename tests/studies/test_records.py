"""记录的读写：写到一半被杀、磁盘满、别人同时在写，都不丢、不坏、不重。"""

import json
import multiprocessing
import signal
import subprocess
import sys
import time

import pytest

from vision_attention.storage import records
from vision_attention.storage.locks import Leases, locked

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "records.jsonl"


def keys(path):
    return [record["key"] for record in records.read(path).records]


def aside(path):
    text = path.with_name(records.REJECTED_NAME).read_text("utf8")
    return [json.loads(line) for line in text.splitlines()]


def with_key(line):
    """一行要有 key。"""
    record = records.plain_json(line)
    if "key" not in record:
        raise ValueError("没有 key")
    return record


def run_python(code, *words):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_is_written_comes_back(path):
    first = {"key": "甲", "value": 0.1}
    assert records.append(path, first)
    assert records.append(path, {"key": "乙", "value": None})
    assert records.read(path).records[0] == first


def test_same_key_is_written_once(path):
    records.append(path, {"key": "a", "value": 1})
    assert not records.append(path, {"key": "a", "value": 2})
    assert records.read(path).records == [{"key": "a", "value": 1}]


def test_reading_reports_a_torn_line_and_leaves_the_file_alone(path):
    path.write_text('{"key": "a"}\n{"key": "b"')
    reading = records.read(path)
    assert [item.line for item in reading.rejected] == [2]
    assert "没有写完" in reading.rejected[0].reason
    assert path.read_text() == '{"key": "a"}\n{"key": "b"'


def test_torn_line_does_not_spoil_the_next(path):
    path.write_text('{"key": "a"}\n{"key": "b", "value": 12')
    records.append(path, {"key": "c"})
    assert keys(path) == ["a", "c"]
    assert [item["text"] for item in aside(path)] == ['{"key": "b", "value": 12']


@pytest.mark.parametrize("line", ["不是 JSON", "[1, 2]", "\0\0\0", '{"other": 1}'])
def test_foreign_line_is_set_aside_with_its_reason(path, line):
    path.write_text('{"key": "a"}\n' + line + '\n{"key": "b"}\n')
    missing = records.set_aside(path, with_key)
    assert keys(path) == ["a", "b"]
    assert aside(path)[0]["text"] == line
    assert [item.line for item in missing] == [2]


def test_setting_aside_twice_changes_nothing(path):
    path.write_text('{"key": "a"}\nxx\n')
    records.set_aside(path)
    assert records.set_aside(path) == []
    assert len(aside(path)) == 1


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63)])
def test_every_whole_number_of_64_bits_is_read(path, value):
    assert records.append(path, {"key": "a", "value": value})
    assert records.read(path).records == [{"key": "a", "value": value}]


@pytest.mark.parametrize(("length", "read"), [(1_000_000, True), (1_000_001, False)])
def test_a_line_may_have_a_million_bytes(path, length, read):
    line = '{"key": "a", "text": "' + "x" * (length - 24) + '"}'
    path.write_text(line + "\n")
    assert len(line) == length
    assert keys(path) == ["a"] * read


def test_nan_never_reaches_the_file(path):
    with pytest.raises(ValueError):
        records.append(path, {"key": "a", "value": float("nan")})
    assert keys(path) == []


SLOW_WRITER = """
import os, sys, time
from vision_attention.storage import records
whole = os.write
def slow(handle, data):
    # 一次只写 9 个字节，然后停一停：父进程在这时杀掉它
    written = whole(handle, bytes(data[:9]))
    time.sleep(0.05)
    return written
os.write = slow
records.append(sys.argv[1], {"key": "b", "text": "x" * 5000})
"""


def test_kill_in_the_middle_of_a_line_loses_only_that_line(path):
    records.append(path, {"key": "a"})
    size = path.stat().st_size
    with subprocess.Popen([sys.executable, "-c", SLOW_WRITER, str(path)]) as writer:
        while path.stat().st_size < size + 20:
            time.sleep(0.01)
        writer.send_signal(signal.SIGKILL)
    assert path.stat().st_size < size + 5000
    records.append(path, {"key": "c"})
    assert keys(path) == ["a", "c"]
    assert aside(path)[0]["text"].startswith('{"key": "b"')


FULL_DISK = """
import resource, signal, sys
from vision_attention.storage import records
# 内核在文件到 300 字节时不再收：先收下一部分，再报错，与磁盘满一样
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
try:
    records.append(sys.argv[1], {"key": "b", "text": "x" * 5000})
except OSError as error:
    print(error)
"""


def test_full_disk_leaves_the_last_whole_record(path):
    records.append(path, {"key": "a"})
    before = path.read_bytes()
    done = run_python(FULL_DISK, path)
    assert "请腾出空间" in done.stdout, done.stderr
    assert path.read_bytes() == before
    assert records.append(path, {"key": "b"})
    assert keys(path) == ["a", "b"]


def test_full_disk_while_setting_aside_keeps_the_bad_line(path, monkeypatch):
    path.write_text('{"key": "a"}\nxx\n')

    def full(handle, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(records.os, "write", full)
    with pytest.raises(OSError, match="腾出空间"):
        records.set_aside(path)
    assert path.read_text() == '{"key": "a"}\nxx\n'


@pytest.mark.parametrize(("step", "kept"), [("write", ["a"]), ("fsync", ["a", "b"])])
def test_ctrl_c_leaves_no_half_line_and_takes_no_whole_one_back(
    path, monkeypatch, step, kept
):
    records.append(path, {"key": "a"})
    real = getattr(records.os, step)

    def stopped(handle, *content):
        real(handle, *(bytes(part[:9]) for part in content))
        raise KeyboardInterrupt

    monkeypatch.setattr(records.os, step, stopped)
    with pytest.raises(KeyboardInterrupt):
        records.append(path, {"key": "b"})
    monkeypatch.undo()
    assert keys(path) == kept
    assert records.read(path).rejected == []


def write_many(path, name):
    for number in range(15):
        records.append(path, {"key": f"{name}{number}", "text": "y" * 3000})
        records.append(path, {"key": f"shared{number}", "text": name})


def test_writers_at_once_lose_and_repeat_nothing(path):
    writers = [SPAWN.Process(target=write_many, args=(path, n)) for n in "ABC"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    expected = {f"{name}{k}" for name in ("A", "B", "C", "shared") for k in range(15)}
    assert sorted(keys(path)) == sorted(expected)
    assert records.read(path).rejected == []


HOLD = """
import sys, time
from vision_attention.storage.locks import Leases
leases = Leases(sys.argv[1])
print(leases.take("x"), flush=True)
time.sleep(60)
"""


def test_claim_is_exclusive_and_dies_with_its_process(tmp_path):
    words = [sys.executable, "-c", HOLD, str(tmp_path)]
    mine = Leases(tmp_path)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "True\n"
        assert not mine.take("x")
        assert mine.take("y")
        holder.send_signal(signal.SIGKILL)
    assert mine.take("x")
    assert not mine.take("x")
    mine.close()


def test_claim_can_be_given_back(tmp_path):
    leases = Leases(tmp_path)
    assert leases.take("x")
    leases.free("x")
    assert leases.take("x")
    leases.close()


def test_unwritable_folder_says_what_to_do(tmp_path):
    # 以 root 运行时权限位不起作用，所以让路径的一段是个文件
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(PermissionError, match="--out"),
        locked(tmp_path / "file" / "records.jsonl"),
    ):
        pass


def test_state_folder_keeps_itself_out_of_git(tmp_path):
    with locked(tmp_path / "records.jsonl"):
        pass
    assert (tmp_path / ".run" / ".gitignore").read_text() == "*\n"
    assert [item.name for item in tmp_path.iterdir()] == [".run"]
