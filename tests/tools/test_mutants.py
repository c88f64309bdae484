"""弄坏一处的那把尺子：改的是说好的四种，两翼一起改，看得出红也看得出绿。"""

import functools
import time

import pytest

from tools.proof import mutants, touched

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


SHAKY = """\
MOST = 3


class Counter:
    step: int = 1

    def next(self, x):
        if x > 0:
            return x + self.step
        return 0


def least(x=MOST):
    return min(
        x,
        2,
    )
"""
# 第几行改了什么；要看的是哪几行
NEAR = [
    (1, "3", (1, 10**9)),
    (5, "1", (4, 10)),
    (8, ">", (8, 8)),
    (9, "+", (9, 9)),
    (16, "2", (14, 17)),
]


@pytest.mark.parametrize(("line", "old", "lines"), NEAR)
def test_lines_that_a_change_concerns(small, line, old, lines):
    small.write_text(SHAKY, "utf8")
    (mutant,) = [m for m in mutants.mutants(small) if (m.line, m.old) == (line, old)]
    assert mutants.nearby(mutant) == lines


@pytest.fixture
def judged(small, monkeypatch):
    """小的程序库与它的测试，跑过一遍，记下了走过的行。"""
    small.write_text(SHAKY, "utf8")
    test = small.with_name("test_shaky.py")
    test.write_text(JUDGES, "utf8")
    monkeypatch.syspath_prepend(str(small.parent))
    place = small.with_name("touched.json")
    job = functools.partial(touched.watch, str(test), small.parent, place)
    assert [code for _, code in mutants.together([(0, job)], 1)] == [1]
    found = touched.Touched([place])
    return small, found


JUDGES = """
import pytest
import shaky


@pytest.fixture(scope="module")
def two():
    return shaky.least(2)


def test_next():
    assert shaky.Counter().next(4) == 5


def test_least():
    assert shaky.least() == 2


def test_shared(two):
    assert two == 2


def test_shared_again(two):
    assert two == 2


def test_wrong():
    assert shaky.least(1) == 5
"""


def test_only_the_tests_that_walked_there_are_run(judged):
    small, found = judged
    lines = [(small.name, 9)], [(small.name, 15)]
    names = [
        [n.rpartition("::")[2] for n in found.order(places, 9)] for places in lines
    ]
    # 走错的不算；几个测试共用的夹具，走过的行算在每一个上
    assert names[0] == ["test_next"]
    assert set(names[1]) == {"test_least", "test_shared", "test_shared_again"}
    assert len(found.order(lines[1], 0)) == 1  # 时间不够，也跑一个


@pytest.mark.parametrize(("old", "new", "code"), [("1", "2", 1), ("0", "1", 0)])
def test_a_noticed_change_is_red_and_an_unnoticed_one_green(judged, old, new, code):
    """每步 1 变 2 看得出来；返回的 0 变 1，没有测试走到。"""
    small, found = judged
    changed = [m for m in mutants.mutants(small) if (m.old, m.new) == (old, new)][-1]
    job = functools.partial(mutants.broken, [changed], mutants.judges(changed, found))
    assert [code for _, code in mutants.together([(0, job)], 1)] == [code]


def test_what_takes_too_long_is_killed(monkeypatch):
    monkeypatch.setattr(mutants, "LIMIT", 0.1)
    job = functools.partial(time.sleep, 60)
    assert [code for _, code in mutants.together([(0, job)], 1)] == [-9]


def test_conftest_that_cannot_load_the_change_is_red(judged):
    """conftest 一载入就用到改过的一份：pytest 说没有这个测试，也算红。"""
    small, found = judged
    small.with_name("conftest.py").write_text("import shaky\nassert shaky.MOST == 3\n")
    (mutant,) = [m for m in mutants.mutants(small) if m.line == 1]
    assert mutants.measure([mutant], found, 1) == [(mutant, True)]
    # 时间到了，不再试下一处
    assert mutants.measure(mutants.within(0, [mutant]), found, 1) == []
    small.with_name("test_shaky.py").write_text("")
    with pytest.raises(mutants.StepError, match="没有跑起来"):
        mutants.measure([mutant], found, 1)
