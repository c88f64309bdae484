"""房子的规矩：谁可以导入谁、函数与文件多大、测试里不许有不作声的比较。

每条规矩是一个函数：给它一个文件的语法树，它说出违规之处；末尾用坏样本证明每条都会红。
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tools.figures import rooms
from tools.figures.rooms import MODELS, PARTS, ROOF, WINGS, imports

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "src" / "vision_attention"
SOURCES = sorted(LIBRARY.rglob("*.py"))
NAMES = [path.relative_to(LIBRARY).as_posix() for path in SOURCES]
HANDED = ROOT / "tests" / "handed_in"  # 交来的作业，照原来的样子
TESTS = sorted(p for p in (ROOT / "tests").rglob("*.py") if p.parent != HANDED)
FRAMEWORKS = {"torch", "paddle"}
# 写在函数里的自己人：画图的库沉，命令行存图时才要
LATE = {("cli/drawing.py", "vision_attention.plots")}


def storey(name):
    """返回文件在哪一处：torch、paddle、ground，或屋顶上的一间。"""
    first = name.split("/")[0].removesuffix(".py")
    return first if first in (*WINGS, *ROOF) else "ground"


def forbidden(name):
    """返回一个文件不许导入的名字（前缀）。"""
    inside, others = storey(name), {f"vision_attention.{part}" for part in ROOF}
    wings = {f"vision_attention.{wing}" for wing in WINGS}
    drawing = {"vision_attention.plots", "matplotlib"}
    if inside == "ground":
        return FRAMEWORKS | wings | others
    if inside in WINGS:
        return (FRAMEWORKS | wings | others | drawing) - {
            inside,
            f"vision_attention.{inside}",
        }
    if inside == "studies":
        above = {"vision_attention.cli", "vision_attention.grading"}
        return FRAMEWORKS | wings | drawing | above
    if inside == "grading":
        upstairs = {"vision_attention.wings", "vision_attention.grading"}
        return FRAMEWORKS | wings | drawing | (others - upstairs)
    if inside == "wings":
        return FRAMEWORKS | wings | drawing | (others - {"vision_attention.wings"})
    return FRAMEWORKS | wings if inside == "cli" else set()


def import_faults(name, tree):
    """HOUSE 的第 1、2、3、4 条：箭头只朝下。"""
    bad = {"torchvision", *forbidden(name)}
    faults = [
        found
        for found in imports(name, tree)
        if any(found == item or found.startswith(f"{item}.") for item in bad)
    ]
    stem = name.split("/")[1].removesuffix(".py") if storey(name) in WINGS else ""
    if stem in PARTS or stem == "training":
        low = {part for part in imports(name, tree) if part.startswith("vision_att")}
        faults += [part for part in low if set(MODELS) & set(part.split("."))]
    return faults


def late_faults(name, tree):
    """自己人一律写在文件开头：不写在函数里，也不藏在 TYPE_CHECKING 下面。"""
    outer = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    early = imports(name, ast.Module(outer, []))
    late = [item for item in imports(name, tree) if item not in early]
    return [
        item
        for item in late
        if item.startswith("vision_attention") and (name, item) not in LATE
    ]


# 一翼的大门把 gates 的 __all__ 原样转出：加一种门，名字只写一处
DOORS = {("torch/__init__.py", "gates"), ("paddle/__init__.py", "gates")}


def star_faults(name, tree):
    """不许 import *，两翼的大门转出 gates 除外。"""
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    stars = [node.module for node in nodes if node.names[0].name == "*"]
    return [module for module in stars if (name, module) not in DOORS]


def word_faults(name, tree):
    """不许 print（命令行除外）、amax、以及把参数整包转手的 **kwargs。"""
    faults = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            word = getattr(called, "id", getattr(called, "attr", ""))
            spoken = word == "print" and storey(name) not in ("cli", "studies")
            slow = word == "amax" and name != "torch/pooling.py"  # 那里不求导时才用
            faults += [word] * (spoken or slow)
        inside_wing = storey(name) in WINGS and isinstance(node, ast.FunctionDef)
        if inside_wing and node.args.kwarg:
            faults.append(f"{node.name}(**{node.args.kwarg.arg})")
    return faults


def body_lines(function):
    """返回函数体占几行，文档字符串不算。"""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def file_lines(name, tree):
    """返回文件有几行，文档字符串不算：它们是接口的说明书。"""
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef)
    documented = (n for n in ast.walk(tree) if isinstance(n, owners))
    texts = [n.body[0] for n in documented if ast.get_docstring(n)]
    total = len((LIBRARY / name).read_text("utf8").splitlines())
    return total - sum(text.end_lineno - text.lineno + 1 for text in texts)


def size_faults(_, tree):
    """函数最多 35 行，forward、gate、weights 14 行，__init__ 25 行、10 个参数。"""
    limits = {"forward": 14, "gate": 14, "weights": 14, "__init__": 25}
    faults = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef):
            continue
        if body_lines(node) > limits.get(node.name, 35):
            faults.append(f"{node.name}: {body_lines(node)} 行")
        if node.name == "__init__":
            plain, keyword = len(node.args.args) - 1, len(node.args.kwonlyargs)
            if plain > 7 or plain + keyword > 10:
                faults.append(f"__init__: {plain + keyword} 个参数")
    return faults


def comparison_faults(_, tree):
    """单独成句的 allclose、array_equal、== 什么也没有检查。"""
    faults = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Expr):
            continue
        value = node.value
        if isinstance(value, ast.Compare):
            faults.append(f"第 {node.lineno} 行")
        if isinstance(value, ast.Call):
            word = getattr(value.func, "attr", getattr(value.func, "id", ""))
            faults += [word] * (word in {"allclose", "array_equal", "isclose", "equal"})
    return faults


def docstring_faults(name, tree):
    """两翼里每个公开的模块类都写明形状与出处；会自己报错的写明错误。"""
    if storey(name) not in WINGS:
        return []
    faults = []
    for node in tree.body:
        if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
            continue
        methods = {n.name for n in node.body if isinstance(n, ast.FunctionDef)}
        text, code = ast.get_docstring(node) or "", ast.unparse(node)
        wanted = ["形状"] if {"forward", "gate"} & methods else []
        wanted += ["出处"] if wanted else []
        wanted += ["错误"] if wanted and "checks." in code else []
        faults += [f"{node.name} 缺「{w}」" for w in wanted if f"{w}: " not in text]
    return faults


def run(words):
    """在仓库的根目录执行一条命令。"""
    return subprocess.run(words, cwd=ROOT, check=False, capture_output=True, text=True)


@pytest.fixture(params=SOURCES, ids=NAMES)
def source(request):
    """程序库的每个文件：名字与语法树。"""
    path = request.param
    return path.relative_to(LIBRARY).as_posix(), ast.parse(path.read_text("utf8"))


@pytest.mark.parametrize(
    "law",
    [
        import_faults,
        late_faults,
        star_faults,
        word_faults,
        size_faults,
        docstring_faults,
    ],
)
def test_every_file_keeps_the_law(source, law):
    assert not law(*source)


def test_file_is_short_enough_to_read(source):
    name, tree = source
    assert file_lines(name, tree) <= (180 if storey(name) in WINGS else 250)


@pytest.mark.parametrize("path", TESTS, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_tests_never_compare_in_silence(path):
    assert not comparison_faults(path.name, ast.parse(path.read_text("utf8")))


@pytest.mark.parametrize("graph", [rooms.modules, rooms.arrows])
def test_no_import_circle(graph):
    """文件之间、房间之间都没有圈；函数里的、只给类型检查看的导入也算。"""
    assert len(graph()) > 20
    assert not rooms.circle(graph())


def test_wings_hold_the_same_files():
    left, right = (
        {name.removeprefix(wing) for name in NAMES if storey(name) == wing}
        for wing in WINGS
    )
    assert left == right


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("vision_attention", ["torch", "paddle", "matplotlib"]),
        ("vision_attention.data", ["torch", "paddle"]),
        ("vision_attention.plots", ["torch", "paddle"]),
        ("vision_attention.torch", ["paddle", "matplotlib"]),
        ("vision_attention.paddle", ["torch", "matplotlib"]),
    ],
)
def test_import_has_no_side_effect(module, absent):
    framework = module.rpartition(".")[2] if module.endswith(WINGS) else "numpy"
    code = (
        f"import random, sys, {framework}; before = random.getstate();"
        f"import {module}; assert random.getstate() == before;"
        f"loaded = [n for n in {absent} if n in sys.modules];"
        "assert not loaded, loaded"
    )
    done = run([sys.executable, "-c", code])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("command", ["check", "format --check"])
def test_ruff_is_content(command):
    words = [sys.executable, "-m", "ruff", *command.split(), "."]
    done = run(words)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("law", "name", "sample"),
    [
        (import_faults, "specs.py", "import torch"),
        (import_faults, "data/digits.py", "def f():\n    from .. import torch"),
        (import_faults, "torch/vit.py", "import paddle"),
        (import_faults, "torch/vit.py", "from vision_attention.paddle import ViT"),
        (import_faults, "paddle/vit.py", "from vision_attention import studies"),
        (import_faults, "torch/gates/cbam.py", "from ..vit import ViT"),
        (import_faults, "torch/training.py", "from .resnet import ResNet"),
        (import_faults, "studies/a.py", "from vision_attention import plots"),
        (import_faults, "studies/a.py", "from vision_attention.cli import app"),
        (import_faults, "wings.py", "from vision_attention import studies"),
        (import_faults, "grading/a.py", "from vision_attention.torch import CBAM"),
        (import_faults, "grading/a.py", "from vision_attention import studies"),
        (import_faults, "studies/a.py", "from vision_attention import grading"),
        (
            late_faults,
            "studies/a.py",
            "def f():\n    from vision_attention import specs",
        ),
        (late_faults, "cli/a.py", "if X:\n    import vision_attention.data"),
        (import_faults, "cli.py", "import vision_attention.torch"),
        (import_faults, "torch/resnet.py", "import torchvision.models"),
        (star_faults, "specs.py", "from math import *"),
        (star_faults, "torch/__init__.py", "from .vit import *"),
        (word_faults, "torch/vit.py", "print(1)"),
        (word_faults, "paddle/vit.py", "x.amax(1)"),
        (word_faults, "torch/vit.py", "def build(**options): pass"),
        (size_faults, "specs.py", "def f():\n" + "    x = 1\n" * 36),
        (size_faults, "torch/vit.py", "def forward(x):\n" + "    x = 1\n" * 15),
        (size_faults, "torch/vit.py", "def __init__(s,a,b,c,d,e,f,g,h): pass"),
        (docstring_faults, "torch/vit.py", "class A:\n    def forward(s): pass"),
        (comparison_faults, "test_x.py", "np.allclose(a, b)"),
        (comparison_faults, "test_x.py", "a == b"),
    ],
)
def test_every_law_has_teeth(law, name, sample):
    assert law(name, ast.parse(sample))


def test_circle_is_found():
    assert rooms.circle({"a": ["b"], "b": ["c"], "c": ["b"]}) == ["b", "c", "b"]


HIDDEN = {
    "函数里": "def f():\n    from vision_attention.studies.results import report",
    "只给类型检查看": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
    "    from vision_attention.studies.results.report import summarize",
    "门面": "def f():\n    from vision_attention.studies import summary",
}


@pytest.mark.parametrize("code", HIDDEN.values(), ids=HIDDEN)
@pytest.mark.parametrize("graph", [rooms.modules, rooms.arrows])
def test_hidden_import_closes_a_circle(graph, code):
    """最底下的一个文件反过来要报告：无论写在哪里，都是一个圈。"""
    name = "studies/design/runs.py"
    found = rooms.circle(graph(rooms.sources() | {name: ast.parse(code)}))
    assert found
    assert {"vision_attention.studies.design.runs", "studies/design"} & set(found)


def test_floors_are_counted_from_below():
    graph = {"a": {"b", "c"}, "b": {"c"}, "c": set(), "d": {"c"}}
    assert rooms.floors(graph) == {"a": 2, "b": 1, "c": 0, "d": 1}
    assert rooms.nearest_only(graph) == {"a": {"b"}, "b": {"c"}, "c": set(), "d": {"c"}}
