"""弄坏一处的那把尺子：改的是说好的四种，两翼一起改，看得出红也看得出绿。"""

import os

import pytest

from tools.proof import mutants

CODE = b'''"""\xe8\xaf\xb4 1 + 1"""
def f(x: int = 3, *, flag: bool = True) -> "list[1]":
    check(x)
    if x <= 0.0:
        raise ValueError(f"{x + 1} 2")
    return x // 2 if x in (1,) else -x
'''
# 第几行、原来、换成；手写
WANTED = [
    (2, "3", "4"),
    (2, "True", "False"),
    (3, "check(x)", "None"),
    (4, "<=", "<"),
    (4, "0.0", "1.0"),
    (6, "//", "/"),
    (6, "2", "3"),
    (6, "1", "2"),
]


@pytest.fixture
def small(tmp_path, monkeypatch):
    """一个小的程序库：一个文件，与看它的测试。"""
    monkeypatch.setattr(mutants, "SOURCE", tmp_path)
    path = tmp_path / "shaky.py"
    path.write_bytes(CODE)
    return path


def test_only_the_four_agreed_kinds(small):
    found = [(m.line, m.old, m.new) for m in mutants.mutants(small)]
    assert found == WANTED


def test_every_change_is_still_python(small):
    for mutant in mutants.mutants(small):
        compile(mutant.code(), "x", "exec")
        assert mutant.code() != CODE


def test_both_wings_are_broken_at_the_same_place():
    path = mutants.SOURCE / "torch" / "vit.py"
    epsilon = [m for m in mutants.mutants(path) if m.old == "1e-6"]
    pair = mutants.with_twin(epsilon[0])
    assert [mutants.inside(m.path) for m in pair] == ["torch/vit.py", "paddle/vit.py"]
    assert {(m.old, m.new) for m in pair} == {("1e-6", "2e-06")}
    lines = [m.path.read_text("utf8").splitlines()[m.line - 1] for m in pair]
    assert lines[0].strip() == lines[1].strip()


def test_every_file_named_for_judging_exists():
    for words in mutants.SUITES.values():
        for word in words.split():
            assert mutants.named(word).startswith("tests/"), word


@pytest.mark.parametrize(("number", "code"), [(0, 1), (7, 0)])
def test_a_noticed_change_is_red_and_an_unnoticed_one_green(
    small, monkeypatch, number, code
):
    """缺省 3 变 4 看得出来；(1,) 变 (2,) 没有测试看。"""
    small.write_text("def f(x=3):\n    return x\ny = [0, 0, 0, 0, 0, 0, 1]\n", "utf8")
    test = small.with_name("test_shaky.py")
    test.write_text("import shaky\n\n\ndef test():\n    assert shaky.f() == 3\n")
    monkeypatch.syspath_prepend(str(small.parent))
    process = mutants.start([mutants.mutants(small)[number]], [str(test)])
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == code
