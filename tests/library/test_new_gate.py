"""加一种门要写四处：缺了哪一处，这里一句话说出来，别的测试不跟着红。"""

from __future__ import annotations

import ast
import json
from pathlib import Path

import cases
import pytest

ROOT = Path(__file__).parents[2]
GATES = "src/vision_attention/{}/gates/__init__.py"
RECORD = ROOT / "book" / "_data" / "differences.json"


def table(wing: str) -> dict[str, str]:
    """一翼的 GATES：名字 → 类；只读源文件。"""
    tree = ast.parse((ROOT / GATES.format(wing)).read_text("utf8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "GATES":
            keys = map(ast.literal_eval, node.value.keys)
            return dict(zip(keys, map(ast.unparse, node.value.values), strict=True))
    raise AssertionError


def missing(torch, paddle, kinds, measured, prose) -> list[str]:
    """缺的地方，一处一句。

    参数: torch、paddle 为两翼公开的门；kinds 为 tests/cases.py 里有行的；measured 为
        量过两翼之差的；prose 为书里写到的
    """
    every = sorted(torch | paddle | kinds)
    places = [
        (torch, f"{GATES.format('torch')} 的 __all__ 里没有它：左翼写一个类"),
        (paddle, f"{GATES.format('paddle')} 的 __all__ 里没有它：右翼写一个类"),
        (kinds, "tests/cases.py 的 KINDS 里没有它的一行"),
        (prose, "书里没有一段写到它：写在 book/which/modules.md 的“延伸阅读”之前"),
        (measured, "两翼的差还没有量：运行 make parity"),
    ]
    # 一种门只说头一处：补上了再说下一处
    firsts = {
        name: [told for have, told in places if name not in have] for name in every
    }
    return [f"{name}：{told[0]}" for name, told in firsts.items() if told]


def test_every_gate_is_whole():
    kinds = {kind.build: {case.name for case in kind.cases} for kind in cases.KINDS}
    rows = {row["case"] for row in json.loads(RECORD.read_text("utf8"))["rows"]}
    pages = "".join(p.read_text("utf8") for p in (ROOT / "book").rglob("*.md"))
    ours, theirs = cases.written("torch"), cases.written("paddle")
    prose = {name for name in ours | theirs if name in pages}
    measured = {name for name, own in kinds.items() if own <= rows}
    assert missing(ours, theirs, set(kinds), measured, prose) == []


def test_a_name_means_the_same_gate_in_both_wings():
    assert table("torch") == table("paddle")
    assert set(table("torch").values()) <= cases.written("torch")


@pytest.mark.parametrize(
    ("absent", "told"),
    [("torch", "左翼"), ("paddle", "右翼"), ("kinds", "KINDS"), ("prose", "一段")],
)
def test_a_missing_piece_is_named_in_one_sentence(absent, told):
    have = {k: {"GCT"} for k in ("torch", "paddle", "kinds", "measured", "prose")}
    assert missing(**have) == []
    (sentence,) = missing(**{**have, "measured": set(), absent: set()})
    assert told in sentence
    assert sentence.startswith("GCT：")
