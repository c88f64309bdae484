"""速度与内存的记录：一项不缺、数字合理、那一页只引用记录；这里不计时。

GPU 的那一份在 CPU 上试跑：每样几步，一样出了错不连累别的。
"""

import ast
import json
import re
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "benchmarks"
PAGE = (ROOT / "book" / "appendix" / "speed.md").read_text("utf8")
NAMES = ("peers", "wings", "memory", "growth", "engine", "waits")

sys.path.insert(0, str(FOLDER))
import growth  # noqa: E402
import timing  # noqa: E402
import waits  # noqa: E402

from vision_attention.measure import speed_tables  # noqa: E402


def record(name):
    return json.loads((FOLDER / f"{name}.json").read_text("utf8"))


def cases():
    """peers.py 里登记的模块；不载入它，免得要装公开实现。"""
    tree = ast.parse((FOLDER / "peers.py").read_text("utf8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    firsts = [call.args[0] for call in calls if getattr(call.func, "id", "") == "Case"]
    return [first.value for first in firsts if isinstance(first, ast.Constant)]


@pytest.mark.parametrize("name", NAMES)
def test_machine_is_named(name):
    found = record(name)
    for machine in [one["machine"] for one in found.get("machines", [found])]:
        assert machine["threads"] == 1
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", machine["date"])
        assert machine["processor"] and machine["packages"]["torch"]


def test_this_machine_can_be_named():
    machine = timing.machine("numpy")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", machine["date"])
    assert machine["packages"] == {"numpy": np.__version__}


def test_only_the_same_machine_may_be_added_to():
    machine = timing.machine("numpy")
    assert timing.same(machine, machine | {"date": "2020-01-01"})
    assert not timing.same(machine, machine | {"processor": "another"})


def wanted(module):
    """一个模块该有的各行。"""
    last = "step" if module == "ViT" else "training"
    found = {(mode, batch) for mode in ("inference", last) for batch in (1, 64)}
    # 一张图没有方差可算
    return found - ({("training", 1)} if module == "BAM" else set())


def test_what_was_measured_was_measured_in_every_way():
    """没有量的模块可以缺，页上写「没有量」；量了的要量全，除名的不留。"""
    from vision_attention.torch import GATES

    found = {}
    for row in record("peers")["rows"]:
        found.setdefault(row["module"], set()).add((row["mode"], row["batch"]))
    known = {*cases(), *(gate.__name__ for gate in GATES.values())}
    assert set(found) <= known - {"ConstantGate", "ScalarGate"}
    assert {module: wanted(module) for module in found} == found


def test_adding_a_module_keeps_the_others():
    here, there = ({"date": "d", "processor": name} for name in ("here", "there"))
    old = {"machine": here, "rows": [{"module": "A", "n": 1}, {"module": "C", "n": 2}]}
    new = [{"module": "B", "n": 3}]
    found = timing.merged(old, here, new, ["A", "B", "C"])
    assert found == {"machine": here, "rows": [old["rows"][0], *new, old["rows"][1]]}
    found = timing.merged(old, there, new, ["B", "C"])
    assert found["machine"] == here
    assert found["rows"] == [{"module": "B", "n": 3, "machine": there}, old["rows"][1]]
    again = timing.merged(old, there, [{"module": "A", "n": 9}], ["A", "C"])
    assert [row["n"] for row in again["rows"]] == [9, 2]
    assert timing.merged(None, there, new, ["B"]) == {"machine": there, "rows": new}


def test_a_later_row_says_where_it_was_measured():
    head = record("peers")["machine"]
    for row in record("peers")["rows"]:
        if "machine" in row:
            assert row["machine"].keys() == head.keys()
            assert not timing.same(row["machine"], head)


def test_ratios_agree_with_the_times():
    for row in record("peers")["rows"]:
        assert all(value > 0 for value in row["seconds"].values())
        if "ratio" in row:
            low, high = row["quartiles"]
            assert low <= row["ratio"] <= high
            others = {k: v for k, v in row["seconds"].items() if k != "ours"}
            assert row["fastest"] == min(others, key=others.get)


@pytest.mark.parametrize(
    ("quartiles", "shown"),
    [([1.01, 1.20], "**1.10**（1.01–1.20）"), ([0.99, 1.20], "1.10（0.99–1.20）")],
)
def test_slower_means_that_the_whole_interval_is_above_one(quartiles, shown):
    row = {"module": "甲", "mode": "inference", "batch": 1, "seconds": {"ours": 1.0}}
    row |= {"ratio": 1.1, "quartiles": quartiles}
    *_, line = speed_tables.peer_table({"rows": [row]}, []).splitlines()
    assert line.replace(speed_tables.TO, "–").split(" | ")[2] == shown


def test_the_ruler_is_measured_against_itself():
    """两份一模一样的：比值不许离 1 太远，否则尺子坏了。"""
    itself = [row for row in record("peers")["rows"] if row.get("fastest") == "自己"]
    assert len(itself) == 4
    assert max(abs(row["ratio"] - 1) for row in itself) < 0.03


def test_every_processor_of_the_wings_has_the_same_rows():
    machines = record("wings")["machines"]
    for key in ("models", "parts"):
        rows = [
            [r["name"] for r in one[setting][key]]
            for one in machines
            for setting in ("plain", "switched")
        ]
        assert rows[0] and all(names == rows[0] for names in rows)


def test_another_processor_does_not_lose_the_first():
    import wings

    def one(name, date):
        return {"machine": {"processor": name, "date": date}}

    kept = [one("AMD", 1), one("Intel", 1)]
    assert wings.by_processor(kept, one("AMD", 2)) == [one("AMD", 2), kept[1]]
    assert wings.by_processor(kept[:1], one("Arm", 3)) == [kept[0], one("Arm", 3)]


def test_memory_covers_every_combination():
    rows = record("memory")["rows"]
    keys = {(r["wing"], r["mode"], r["fused"], r["tokens"]) for r in rows}
    tokens = {r["tokens"] for r in rows}
    assert len(keys) == len(rows) == 2 * 2 * 2 * len(tokens)


def test_fused_attention_in_torch_saves_memory():
    rows = [r for r in record("memory")["rows"] if r["wing"] == "torch"]
    most = max(r["tokens"] for r in rows)
    peak = {(r["mode"], r["fused"]): r["bytes"] for r in rows if r["tokens"] == most}
    for mode in ("inference", "training"):
        assert peak[mode, True] < peak[mode, False] / 4


def test_growth_has_the_same_steps_in_both_wings():
    """每一样都有比起点小的与大的，另外三样不变；乘加与记录里的尺寸相符。"""
    rows = {"torch": [], "paddle": []}
    for row in record("growth")["rows"]:
        rows[row.pop("wing")].append(row)
    sizes = [
        [{k: v for k, v in r.items() if k not in ("seconds", "bytes")} for r in wing]
        for wing in rows.values()
    ]
    assert sizes[0] == sizes[1]
    base, *others = sizes[0]
    for row in others:
        changed = [k for k in growth.BASE if row[k] != base[k]]
        assert changed == list(growth.AXES[row["axis"]])
        n, d = row["tokens"], row["embed_dim"]
        # 每块：四个投影 4·N·D²、两两之间 2·N²·D、MLP 8·N·D²
        block = 12 * n * d * d + 2 * n * n * d
        # 最后一块只有键与值算全部 token，其余只算分类 token
        last = 2 * n * d * d + 10 * d * d + 2 * n * d
        patch = (n - 1) * 3 * row["patch_size"] ** 2 * d
        whole = (row["depth"] - 1) * block + last + patch + 10 * d
        assert row["macs"] == row["batch"] * whole


def test_the_engine_is_busy_nine_tenths_of_the_time():
    found = record("engine")
    assert found["each"] >= 10
    assert [row["workers"] for row in found["rows"]] == [1, 2, 4]
    for row in found["rows"]:
        ideal = found["runs"] * found["each"] / row["workers"]
        assert row["used"] == pytest.approx(ideal / row["seconds"], rel=1e-3)
        assert row["used"] >= 0.9


def test_page_reads_the_records():
    for name in NAMES:
        assert f'"{name}.json"' in PAGE


def test_every_wait_is_recorded_and_within_its_bound():
    rows = {row["name"]: row for row in record("waits")["rows"]}
    assert set(waits.PROGRAMS) < set(rows)
    for word in ("笔记本", "搜索", "翻到", "第一次造书"):
        assert any(word in name for name in rows), word
    assert [waits.slow(row) for row in rows.values()] == [""] * len(rows)


def test_a_wait_above_its_bound_is_noticed():
    row = {"name": "a", "seconds": 1.0, "most": 2, "ratio": 1.2, "most_ratio": 1.3}
    assert waits.slow(row) == ""
    assert waits.slow(row | {"ratio": 1.31}) == "比值超过了上限"
    assert waits.slow(row | {"seconds": 2.1}) == "秒数超过了上限"


@pytest.mark.parametrize(
    ("starts", "whole", "found"),
    [([0, 10], True, [30, 8]), ([0, 100], True, [8]), ([0, 10], False, [30])],
)
def test_a_first_build_is_one_without_a_rest(starts, whole, found):
    """中间停过一分钟的，不是一口气做完的；只生成了几页的也不算。"""
    runs = {
        f"{start}": {
            "seconds": 20.0,
            "finished": f"2026-01-01T00:{minute:02}:{second:02}",
        }
        for start in starts
        for minute, second in [divmod(start + 20, 60)]
    }
    built = {"notebooks": runs, "whole": whole, "seconds": {"pages": 8}}
    assert [row["seconds"] for row in waits.built(built)] == found


@pytest.fixture
def gpu():
    """benchmarks/gpu.py；它要 PyTorch，所以用到时才载入。"""
    import gpu

    return gpu


def dry(gpu):
    """没有 GPU 的一次试跑。"""
    import torch

    until = time.perf_counter() + 60
    return gpu.Setup(torch.device("cpu"), True, until, "digits", None)


def test_the_gpu_script_runs_on_the_cpu(gpu, tmp_path, monkeypatch):
    """十几秒；没有装公开实现，就说没有，别的照做。"""
    from vision_attention.torch.device import has_bfloat16

    setup = dry(gpu)
    found = gpu.run(setup, tmp_path)
    failed = {name for name, one in found["sections"].items() if "failed" in one}
    absent = {"各模块的速度"} | (set() if has_bfloat16(setup.device) else {"bfloat16"})
    assert failed <= absent, found["said"]
    assert found["sections"]["续训"]["equal"]
    assert all(found["sections"]["同一种子两遍"]["equal"].values())
    (run,) = found["sections"]["朴素的 ViT"]["runs"]
    assert len(run["log"]) >= 20


def test_one_failure_does_not_lose_the_others(gpu, tmp_path, monkeypatch):
    """做完一样写一次；出错的说出它的话。"""
    seen = []

    def broken(setup):
        seen.extend(json.loads((tmp_path / "gpu.json").read_text("utf8"))["said"])
        sys.exit("不是同一个定义")

    sections = {"甲": lambda setup: {"said": "好"}, "乙": broken}
    sections["丙"] = sections["甲"]
    monkeypatch.setattr(gpu, "SECTIONS", sections)
    gpu.run(dry(gpu), tmp_path)
    said = json.loads((tmp_path / "gpu.json").read_text("utf8"))["said"]
    assert seen[1:] == ["甲：好"]
    assert said[1:] == ["甲：好", "乙：没有做成，SystemExit：不是同一个定义", "丙：好"]


def test_the_page_says_on_which_card_or_that_it_has_not_run():
    path = FOLDER / "gpu.json"
    if path.exists():
        assert record("gpu")["machine"]["card"]
    assert "还没有在 GPU 上跑过" in PAGE


@pytest.mark.parametrize("name", ["channel_max", "global_max"])
@pytest.mark.parametrize("ties", [False, True])
def test_maxima_give_ties_to_the_first(wing, name, ties):
    from frameworks import FRAMEWORKS

    framework = FRAMEWORKS[wing.__name__.rpartition(".")[2]]
    values = np.random.default_rng(0).standard_normal((2, 5, 3, 4)).astype("float32")
    values = np.maximum(values, 1.0) if ties else values
    # 要比的一维放到第二维：通道，或展平的空间
    lines = values.reshape(2, 5, 12)
    lines = lines if name == "channel_max" else lines.swapaxes(1, 2)
    first = lines.argmax(1)[:, None]
    peak = np.take_along_axis(lines, first, 1)
    slope = np.zeros_like(lines)
    np.put_along_axis(slope, first, 2 * peak, 1)
    x = framework.tensor(values, grad=True)
    y = getattr(wing.pooling, name)(x)
    (y * y).sum().backward()
    found = x.grad.numpy().reshape(2, 5, 12)
    found = found if name == "channel_max" else found.swapaxes(1, 2)
    np.testing.assert_array_equal(framework.numpy(y).ravel(), peak.ravel())
    np.testing.assert_array_equal(found, slope)
    # 不求导的那条路，值也相同
    still = getattr(wing.pooling, name)(framework.tensor(values))
    np.testing.assert_array_equal(framework.numpy(still).ravel(), peak.ravel())


def test_ratio_is_the_median_of_the_rounds():
    times = {"ours": [1.0, 2.0, 6.0], "slow": [9.0, 9.0, 9.0], "fast": [2.0, 2.0, 2.0]}
    found = timing.compare(times)
    assert found["fastest"] == "fast"
    assert found["ratio"] == statistics.median([0.5, 1.0, 3.0])
    assert "ratio" not in timing.compare({"ours": [1.0, 2.0]})


def test_every_way_is_run_equally_often():
    order = []
    ways = {name: lambda n=name: order.append(n) for name in ("a", "b")}
    times = timing.alternate(ways, seconds=0.0, rounds=4)
    assert [len(values) for values in times.values()] == [4, 4]
    assert order[-8:] == ["a", "b", "b", "a", "a", "b", "b", "a"]
