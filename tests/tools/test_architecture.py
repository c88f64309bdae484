"""附录「架构」说的规矩，就是 test_house 检查的规矩；图里的房间都真的有。"""

import re
from pathlib import Path

import pytest
import test_house

from tools.figures import rooms

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "book" / "appendix" / "architecture.md").read_text("utf8")
SAMPLES = {
    "底层": "specs.py",
    "左翼": "torch/vit.py",
    "右翼": "paddle/vit.py",
    "选翼": "wings.py",
    "研究": "studies/results/report.py",
    "批改": "grading/report.py",
    "命令行": "cli/train.py",
    "互通": "interop.py",
}
OURS = "vision_attention."
MEANING = {
    "两个框架": {"torch", "paddle"},
    "PyTorch": {"torch"},
    "PaddlePaddle": {"paddle"},
    "两翼": {OURS + "torch", OURS + "paddle"},
    "左翼": {OURS + "torch"},
    "右翼": {OURS + "paddle"},
    "屋顶": {OURS + part for part in rooms.ROOF},
    "研究": {OURS + "studies"},
    "命令行": {OURS + "cli"},
    "批改": {OURS + "grading"},
    "互通": {OURS + "interop"},
    "`plots`": {OURS + "plots"},
    "matplotlib": {"matplotlib"},
    "": set(),
}


def rows():
    """页里那张表：房间 → 最后一格（不许导入）。"""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[-1] for row in cells if row[0] in SAMPLES}


@pytest.mark.parametrize(("name", "sample"), SAMPLES.items())
def test_page_forbids_what_the_house_forbids(name, sample):
    words = rows()[name].split("、")
    assert set().union(*(MEANING[word] for word in words)) == test_house.forbidden(
        sample
    )


def test_named_rooms_exist():
    library = ROOT / "src" / "vision_attention"
    row = re.search(r"^\| 底层 \| (.*?) 等 \|", PAGE, re.M)[1]
    names = [*re.findall(r"`([\w/]+)`", row), *rooms.ROOF]
    missing = [
        name
        for name in names
        if not (library / name).is_dir() and not (library / f"{name}.py").is_file()
    ]
    assert names
    assert missing == []


def test_page_tells_the_floors_of_the_studies():
    """表里的层是从导入里数出来的；写着没有圈，就真的没有。"""
    told = re.findall(r"^\| (\d) \| `(studies/\w+)` \|", PAGE, re.M)
    graph = rooms.arrows()
    inside = {name for name in graph if name.startswith("studies/")}
    floors = rooms.floors({name: graph[name] & inside for name in inside})
    assert {name: int(floor) for floor, name in told} == floors
    assert len(told) == len(floors) == 6
    assert "没有圈" in PAGE
    assert not rooms.circle(rooms.modules())


def test_diagram_shows_every_room():
    svg = (ROOT / "book" / "_static" / "figures" / "house.svg").read_text("utf8")
    words = {
        word.replace("\u200b", "") for word in re.findall(r">([^<>]+)</text>", svg)
    }
    assert set(rooms.arrows()) - {*rooms.WINGS, "studies"} <= words


@pytest.mark.parametrize("number", ["35 行", "14 行", "180 行", "250 行"])
def test_page_states_the_sizes_that_are_checked(number):
    law = (ROOT / "tests" / "tools" / "test_house.py").read_text("utf8")
    assert number in PAGE
    assert re.search(rf"\b{number.split()[0]}\b", law)
