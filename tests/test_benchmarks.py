"""速度与内存的记录：一项不缺、数字合理、那一页只引用记录；这里不计时。"""

import ast
import json
import re
import statistics
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "benchmarks"
PAGE = (ROOT / "book" / "appendix" / "speed.md").read_text("utf8")
NAMES = ("peers", "wings", "memory")

sys.path.insert(0, str(FOLDER))
import timing  # noqa: E402


def record(name):
    return json.loads((FOLDER / f"{name}.json").read_text("utf8"))


def cases():
    """peers.py 里登记的模块；不载入它，免得要装公开实现。"""
    tree = ast.parse((FOLDER / "peers.py").read_text("utf8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [
        call.args[0].value for call in calls if getattr(call.func, "id", "") == "Case"
    ]


@pytest.mark.parametrize("name", NAMES)
def test_machine_is_named(name):
    machine = record(name)["machine"]
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


def test_every_module_was_measured_in_every_way():
    rows = {(r["module"], r["mode"], r["batch"]) for r in record("peers")["rows"]}
    for module in cases():
        last = "step" if module == "ViT" else "training"
        wanted = {(module, m, b) for m in ("inference", last) for b in (1, 64)}
        # 一张图没有方差可算
        wanted -= {("BAM", "training", 1)}
        assert wanted <= rows, module
        rows -= wanted
    assert not rows


def test_every_gate_is_there():
    from vision_attention.torch import GATES

    gates = {factory.__name__ for factory in GATES.values()}
    assert gates - {"ConstantGate", "ScalarGate"} <= set(cases())


def test_ratios_agree_with_the_times():
    for row in record("peers")["rows"]:
        assert all(value > 0 for value in row["seconds"].values())
        if "ratio" in row:
            low, high = row["quartiles"]
            assert low <= row["ratio"] <= high
            others = {k: v for k, v in row["seconds"].items() if k != "ours"}
            assert row["fastest"] == min(others, key=others.get)


def test_both_settings_of_the_wings_have_the_same_rows():
    found = record("wings")
    for key in ("models", "parts"):
        plain, switched = (
            [r["name"] for r in found[s][key]] for s in ("plain", "switched")
        )
        assert plain == switched and plain


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


def test_page_reads_the_records():
    for name in NAMES:
        assert f'"{name}"' in PAGE


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
