"""给老师的两条命令：没有解答的副本，一文件夹笔记本汇成一张表。"""

import csv
import json
import os
import re
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import call

from vision_attention.grading import collecting, handout, sheet
from vision_attention.grading.report import RIGHT, VERDICTS
from vision_attention.statistics import answer, mean_interval
from vision_attention.torch import CBAM, MultiHeadSelfAttention, SelfAttention2d
from vision_attention.torch.counting import count_macs, count_parameters

ROOT = Path(__file__).resolve().parents[2]
# 笔记本里的代码自己会惹出框架的警告，与批改无关
pytestmark = pytest.mark.filterwarnings("ignore")
EXERCISES = sorted(ROOT.glob("notebooks/*/exercise_*.ipynb"))
NAMES = [f"{path.parent.name}-{path.stem}" for path in EXERCISES]
each = pytest.mark.parametrize("path", EXERCISES, ids=NAMES)


def solution_lines(notebook):
    """解答里独有的行：题目的各格里没有。"""
    groups = {True: set(), False: set()}
    for cell in notebook["cells"]:
        lines = {line.strip() for line in handout.source_of(cell).splitlines()}
        groups[handout.is_solution(cell)] |= lines
    return {line for line in groups[True] - groups[False] if len(line) > 12}


def test_there_are_five_pairs_of_exercises():
    assert len(EXERCISES) == 10


@each
def test_a_handout_holds_no_trace_of_the_solutions(path):
    notebook = handout.read_notebook(path)
    copy = handout.without_solutions(notebook)
    text = "\n".join(handout.source_of(cell) for cell in copy["cells"])
    assert not re.search("solved|解答", text, re.IGNORECASE)
    code = [cell for cell in copy["cells"] if cell["cell_type"] == "code"]
    text = "\n".join(map(handout.source_of, code))  # 最后一条提示可以说出一行
    assert solution_lines(notebook)
    assert not [line for line in solution_lines(notebook) if line in text]
    assert all(cell["outputs"] == [] for cell in code)
    assert all(cell["execution_count"] is None for cell in code)


def test_a_trace_would_be_seen():
    notebook = handout.read_notebook(EXERCISES[0])
    text = "\n".join(handout.source_of(cell) for cell in notebook["cells"])
    assert [line for line in solution_lines(notebook) if line in text]


@each
def test_an_untouched_handout_runs_and_nothing_in_it_is_right(path, tmp_path):
    copy = handout.without_solutions(handout.read_notebook(path))
    handout.write_notebook(tmp_path / path.name, copy)
    result = sheet.mark(tmp_path / path.name)
    assert result["wrong"] == []
    assert len(result["marks"]) >= 2
    assert {mark["verdict"] for mark in result["marks"]}.isdisjoint({RIGHT, "absent"})


def filled(path):
    """把解答抄成自己写的，放在各题的后面；检查解答的那几行不抄。"""
    notebook = handout.read_notebook(path)
    for cell in notebook["cells"]:
        if handout.is_solution(cell):
            cell["metadata"] = {}
            text = handout.source_of(cell).partition("\n\n\nreport = ")[0]
            text = re.sub(r"\bSolved(?=\w)", "My", text)
            cell["source"] = re.sub(r"\bsolved_(?=\w)", "my_", text)
    # 没有折叠的了，所以自己记下有哪几题、换掉名字
    notebook["cells"] = [handout._own(cell) for cell in notebook["cells"]]
    return notebook


@each
def test_a_handout_filled_in_is_right(path, tmp_path):
    handout.write_notebook(tmp_path / path.name, filled(path))
    result = sheet.mark(tmp_path / path.name)
    assert result["wrong"] == []
    assert [m["told"] for m in result["marks"] if m["verdict"] != RIGHT] == []


def notebook_of(*cells, exercises=(("my_answer", "four_answers"),)):
    """几格代码的一本。"""
    made = [{"cell_type": "code", "source": text, "metadata": {}} for text in cells]
    kept = {"exercises": [list(pair) for pair in exercises]}
    return {"cells": made, "metadata": {handout.MARK: kept}}


ANSWER = """
def my_answer(low, high, delta):
    if low > 0: return "提高"
    if high < 0: return "降低"
    return "相差不到 δ" if -delta < low and high < delta else "说不准"
"""
HAND_INS = {
    "=甲.ipynb": notebook_of(ANSWER),
    "乙.ipynb": notebook_of("1 / 0", "%matplotlib inline\n!ls\n" + ANSWER, "exit()"),
    "丙/空.ipynb": notebook_of("my_other = 1"),
    "丁.ipynb": notebook_of("import os\nos._exit(3)"),
    "戊.ipynb": notebook_of(ANSWER, exercises=[("my_answer", "没有这样的题")]),
    "己.ipynb": {"cells": [], "metadata": {}},
    f"{collecting.CHECKPOINTS}/旧.ipynb": notebook_of(ANSWER),
}


def hand_in(folder, found):
    for name, notebook in found.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(notebook), "utf8")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """交上来的一文件夹汇成的表：文件 → 那一行。"""
    folder = tmp_path_factory.mktemp("交上来的")
    hand_in(folder, HAND_INS)
    (folder / "庚.ipynb").write_text("不是笔记本", "utf8")
    code, text = call("collect", folder, "--out", folder / "表.csv", "--seconds", "100")
    assert code == 0, text
    assert "乙.ipynb：1 题，对 1" in text
    assert call("collect", folder, "--out", folder / "表.csv")[0] == 2
    data = (folder / "表.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(data.decode("utf-8-sig").splitlines()))
    assert tuple(rows[0]) == collecting.COLUMNS
    assert not list(folder.glob("*result*"))
    return {row["文件"]: row for row in rows}


def test_a_right_one_is_right_and_is_no_formula(table):
    assert table["'=甲.ipynb"]["结论"] == VERDICTS[RIGHT]
    assert table["'=甲.ipynb"]["出错的格子"] == ""


def test_a_cell_that_fails_is_told_and_the_rest_is_graded(table):
    row = table["乙.ipynb"]
    assert row["结论"] == VERDICTS[RIGHT]
    assert "第 1 格 ZeroDivisionError" in row["出错的格子"]
    assert "第 2 格" not in row["出错的格子"]
    assert "第 3 格 SystemExit" in row["出错的格子"]


def test_what_was_not_written_is_said(table):
    assert table["丙/空.ipynb"]["结论"] == "没有写"
    assert "没有 my_answer" in table["丙/空.ipynb"]["一句话"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("丁.ipynb", "没有跑完"),
        ("己.ipynb", "没有要批改的"),
        ("庚.ipynb", "不是笔记本"),
    ],
)
def test_what_cannot_be_graded_takes_one_row(table, name, told):
    assert table[name]["结论"] == collecting.UNREAD
    assert told in table[name]["一句话"]


def test_a_task_nobody_knows_does_not_stop_the_table(table):
    assert "没有这样的题" in table["戊.ipynb"]["一句话"]


def test_copies_that_jupyter_keeps_are_left_out(table):
    assert len(table) == 7


ENDLESS = """
import subprocess, pathlib
child = subprocess.Popen(["sleep", "1000"])
pathlib.Path({place!r}).write_text(str(child.pid))
while True:
    pass
"""


def test_what_never_ends_is_stopped_with_its_children(tmp_path):
    place = tmp_path / "pid"
    hand_in(tmp_path / "in", {"a.ipynb": notebook_of(ENDLESS.format(place=str(place)))})
    [[row]] = collecting.collect(tmp_path / "in", 12.0)
    assert "没有结束" in row["一句话"]
    child = int(place.read_text())
    for _ in range(200):  # 杀掉的进程要等系统收走
        if not alive(child):
            break
        time.sleep(0.01)
    assert not alive(child)


def alive(process):
    """还在跑；等着被收走的不算。"""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return os.name == "nt"
    return state != "Z"


def test_handouts_are_written_and_nothing_is_overwritten(tmp_path):
    words = ["handout", EXERCISES[0], "--out", tmp_path / "out"]
    code, text = call(*words)
    assert code == 0
    assert "3 题" in text
    made = tmp_path / "out" / EXERCISES[0].name
    before = made.read_bytes()
    assert "已经有了" in call(*words)[1]
    assert made.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("notebooks/torch/cbam.ipynb", "没有要批改的练习"),
        ("notebooks/torch/nothing.ipynb", "没有这个文件"),
        ("README.md", "不是笔记本"),
    ],
)
def test_what_cannot_be_handed_out_is_said(tmp_path, name, told):
    code, text = call("handout", ROOT / name, "--out", tmp_path / "out")
    assert code == 2
    assert told in text
    assert not (tmp_path / "out").exists()


def test_an_empty_folder_is_said(tmp_path):
    assert "没有笔记本" in call("collect", tmp_path, "--out", tmp_path / "a.csv")[1]
    assert "没有这个文件夹" in call("collect", tmp_path / "b", "--out", "c.csv")[1]
    assert not (tmp_path / "a.csv").exists()


PAGE = ROOT / "book" / "appendix" / "teaching.md"
PLANS = {"两小时": 120, "一天": 360, "一学期": 14 * 90}


def plan_rows(title):
    """一种安排的各行：第一、二格的文字与分钟。"""
    section = PAGE.read_text("utf8").partition(f"## {title}")[2].partition("\n## ")[0]
    found = re.findall(r"^\| (.+?) \|(.*?)\| (?:\*\*)?(\d+)", section, re.M)
    return [(first, second, int(minutes)) for first, second, minutes in found]


@pytest.mark.parametrize("title", PLANS)
def test_the_minutes_of_a_plan_add_up(title):
    *rows, (last, _, total) = plan_rows(title)
    assert "合计" in last
    assert sum(minutes for *_, minutes in rows) == total == PLANS[title]


@pytest.mark.parametrize("title", PLANS)
def test_a_plan_names_pages_and_exercises_that_exist(title):
    text = " ".join(first + second for first, second, _ in plan_rows(title))
    links = re.findall(r"\]\((\S+?)\)", text)
    assert links
    assert all((PAGE.parent / link).exists() for link in links)
    assert any("exercise_" in link for link in links)
    assert any(link.endswith(".md") for link in links)


def headings(name):
    """一页里的各题。"""
    return re.findall(
        r"^## (第 \d+ 题.*)$", (PAGE.parent / name).read_text("utf8"), re.M
    )


def test_every_hand_calculation_has_its_answer_on_the_other_page():
    asked = headings("hand_sheets.md")
    assert asked == headings("hand_answers.md")
    assert len(asked) == 9
    numbers = {int(n) for n in re.findall(r"第 (\d+) 题", PAGE.read_text("utf8"))}
    assert numbers <= set(range(1, 10))


def test_the_sheet_gives_no_answer_away():
    sheet_text = (PAGE.parent / "hand_sheets.md").read_text("utf8")
    for number in ("0.119", "0.269", "0.670", "391", "624", "4{,}225", "147", "0.0355"):
        assert number in (PAGE.parent / "hand_answers.md").read_text("utf8")
        assert number not in sheet_text


def test_hand_answers_1_to_4_gates_and_four_steps():
    with torch.no_grad():
        cbam = CBAM(2, reduction_ratio=2, kernel_size=1)
        cbam.channel.fc1.weight.copy_(torch.tensor([[1.0, -1]]))
        cbam.channel.fc2.weight.copy_(torch.tensor([[1.0], [-1]]))
        cbam.spatial.conv.weight.copy_(torch.tensor([-1.0, 1]).reshape(1, 2, 1, 1))
        for layer in (cbam.channel.fc1, cbam.channel.fc2, cbam.spatial.conv):
            layer.bias.zero_()
        x = torch.tensor([[[[4.0, 0], [0, 0]], [[2.0, 2], [2, 2]]]])
        gate = cbam.channel.gate(x).flatten()
        fc1, fc2 = cbam.channel.fc1, cbam.channel.fc2
        summed = fc2(fc1(torch.tensor([[5.0, 4]])).relu()).sigmoid()[0]
        pixels = torch.tensor([[[[3.0, 2]], [[1.0, 2]]]])
        spatial = cbam.spatial.gate(pixels).flatten()
        cbam.spatial.conv.weight.neg_()
        turned = cbam.spatial.gate(pixels).flatten()
        layer = MultiHeadSelfAttention(2, num_heads=1)
        layer.qkv.weight.copy_(torch.eye(2).repeat(3, 1))
        layer.qkv.bias.zero_()
        rows = layer.weights(torch.eye(2)[None])[0, 0]
        swapped = layer.weights(torch.eye(2)[None].flip(1))[0, 0]
    np.testing.assert_allclose(gate, [0.881, 0.119], atol=6e-4)
    np.testing.assert_allclose(summed, [0.731, 0.269], atol=6e-4)
    unscaled = torch.softmax(torch.eye(2) @ torch.eye(2), -1)[0]
    np.testing.assert_allclose(unscaled, [0.731, 0.269], atol=6e-4)
    np.testing.assert_allclose(spatial, [0.731, 0.5], atol=6e-4)
    np.testing.assert_allclose(turned[0], 0.269, atol=6e-4)
    np.testing.assert_allclose(rows, [[0.670, 0.330], [0.330, 0.670]], atol=6e-4)
    np.testing.assert_allclose(swapped, rows.flip(0, 1), atol=1e-6)


def test_hand_answers_5_6_and_8_counts():
    assert count_parameters(CBAM(32, reduction_ratio=8)) == 391
    heads = [count_parameters(MultiHeadSelfAttention(12, num_heads=a)) for a in (3, 6)]
    assert heads == [624, 624]
    assert [(32 // p) ** 2 + 1 for p in (4, 2)] == [65, 257]
    assert 65**2 == 4225 and 257**2 == 66_049
    assert count_macs(SelfAttention2d(16), (16, 8, 8)) == 49_152 + 131_072 == 180_224
    assert count_macs(torch.nn.Conv2d(16, 16, 3, padding=1), (16, 8, 8)) == 147_456


def test_hand_answer_7_an_interval():
    found = mean_interval([0.02, 0.01, 0.03, 0.00])
    told = [found.mean, found.sd, found.sd / 2, found.low, found.high]
    np.testing.assert_allclose(
        told, [0.015, 0.0129, 0.0065, -0.0055, 0.0355], atol=6e-5
    )
    assert answer(found, 0.01) == "说不准"


def test_hand_answer_9_gradients_not_cleared():
    walked = {}
    for cleared in (True, False):
        w = torch.zeros(1, requires_grad=True)
        optimizer = torch.optim.SGD([w], 0.1)
        for _ in range(3):
            w.sum().backward()
            optimizer.step()
            if cleared:
                optimizer.zero_grad()
        walked[cleared] = -float(w.detach())
    np.testing.assert_allclose([walked[True], walked[False]], [0.3, 0.6], atol=1e-6)
