"""书与笔记本的清点：一本不少、两翼同名、没有跳过、没有藏着的错误，而且网真的兜得住。"""

import ast
import itertools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from jupyter_cache import get_cache

from tools.build.notebooks import read as read_for_the_book
from tools.build.notebooks import toc_files
from tools.build.workplace import CACHE

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*/*.ipynb"))
IDS = [path.relative_to(ROOT / "notebooks").as_posix() for path in NOTEBOOKS]
WINGS = ("torch", "paddle")
PAGES = sorted((ROOT / "book").rglob("*.md"))
LIBRARY = ROOT / "src" / "vision_attention"
SKIPPED = {"nbval-skip", "raises-exception", "nbval-raises-exception", "skip-execution"}
IGNORED = {"nbval-ignore-output"}
MARK = re.compile(r"^# *(NBVAL_\w+|PYTEST_VALIDATE_\w+)", re.M)
QUOTE = re.compile(
    r"\{literalinclude\} *(\S+)\n((?::[\w-]+:.*\n)*)", re.M
)  # 文件与它下面的选项


def read(path):
    """读一本笔记本。"""
    return nbformat.read(path, nbformat.NO_CONVERT)


def code_cells(path):
    """返回一本笔记本里写代码的格子。"""
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def tags(cell):
    """返回一格的标签，写在注释里的也算，统一成小写连字符。"""
    written = cell.metadata.get("tags", []) + MARK.findall(cell.source)
    return {tag.lower().replace("_", "-") for tag in written}


def classes(source):
    """返回一段代码里定义的类。"""
    tree = ast.parse(re.sub(r"^[%!].*$", "", source, flags=re.M))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


@pytest.fixture(params=NOTEBOOKS, ids=IDS)
def notebook(request):
    """每一本笔记本的路径。"""
    return request.param


def test_notebooks_on_disk_are_those_in_the_table_of_contents():
    listed = [path for path in toc_files() if path.suffix == ".ipynb"]
    assert sorted(listed) == NOTEBOOKS


def test_every_notebook_sits_in_a_wing():
    assert sorted((ROOT / "notebooks").rglob("*.ipynb")) == NOTEBOOKS
    assert {path.parent.name for path in NOTEBOOKS} == {"torch", "paddle"}


def test_both_wings_have_the_same_notebooks():
    names = {
        wing: {p.name for p in NOTEBOOKS if p.parent.name == wing} for wing in WINGS
    }
    assert names["torch"] == names["paddle"]


def test_every_page_is_in_the_table_of_contents():
    toc = (ROOT / "_toc.yml").read_text("utf8")
    listed = set(re.findall(r"(?:file|root): *(book/\S+)", toc))
    written = {path.relative_to(ROOT).with_suffix("").as_posix() for path in PAGES}
    assert listed == written


def test_configuration_keeps_the_net_closed():
    execute = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))["execute"]
    assert execute["execute_notebooks"] == "cache"
    assert execute.get("allow_errors", False) is False
    assert execute.get("exclude_patterns", []) == []


def test_notebook_skips_nothing(notebook):
    assert not [cell.source for cell in code_cells(notebook) if tags(cell) & SKIPPED]


def only_draws(cell):
    """这一格的输出全是图，没有一个印出来的数。"""
    shown = [set(output.get("data", {"text": ""})) for output in cell.outputs]
    return all(any(kind.startswith("image/") for kind in kinds) for kinds in shown)


def test_ignored_output_is_a_picture_or_followed_by_an_assertion(notebook):
    cells = [*code_cells(notebook), None]
    bare = [
        cell.source
        for cell, following in itertools.pairwise(cells)
        if tags(cell) & IGNORED and not only_draws(cell)
        if "assert" not in cell.source + (following.source if following else "")
    ]
    assert not bare


def test_notebook_stores_no_error(notebook):
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    bad = [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]
    assert not bad


def test_notebook_was_run_from_top_to_bottom(notebook):
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))


def said(cell):
    """返回一格印出来的字：打印的合成一段，结果取它的文字；图不算。"""
    printed = [o["text"] for o in cell.outputs if o.output_type == "stream"]
    shown = [o.data.get("text/plain") for o in cell.outputs if "data" in o]
    return "".join(printed), shown


def differing(stored, executed):
    """返回两次执行里印得不一样的格子；写明不比较的不算。"""
    pairs = zip(stored, executed, strict=True)
    return [a.source for a, b in pairs if not tags(a) & IGNORED and said(a) != said(b)]


@pytest.fixture(scope="module")
def cache():
    """造书时执行过的笔记本；用完关上它的数据库，Python 3.13 起不关会警告。"""
    found = get_cache(str(CACHE / "jupyter"))
    yield found
    found.db.dispose()


def test_the_build_got_the_stored_output_again(notebook, cache):
    """造书执行过一遍；nbval 会再执行一遍。同一份输出，两遍都要得到。"""
    try:
        found = cache.match_cache_notebook(read_for_the_book(notebook))
    except KeyError:
        pytest.fail("书没有造成，或比这本笔记本旧：先 make book")
    executed = cache.get_cache_bundle(found.pk).nb
    cells = [cell for cell in executed.cells if cell.cell_type == "code"]
    assert not differing(code_cells(notebook), cells)


def test_a_different_output_is_noticed():
    path = NOTEBOOKS[0]
    other = code_cells(path)
    compared = [c for c in other if c.outputs and not tags(c) & IGNORED]
    compared[-1].outputs[0] = nbformat.v4.new_output("stream", text="别的")
    assert differing(code_cells(path), other) == [compared[-1].source]


def too_long(cells):
    """返回 25 行以上的格子。"""
    return [cell.source for cell in cells if cell.source.count("\n") >= 25]


def test_cells_are_short(notebook):
    assert not too_long(code_cells(notebook))


def test_a_long_cell_is_noticed():
    cells = code_cells(NOTEBOOKS[0])
    cells[0].source = "\n".join(["pass"] * 26)
    assert too_long(cells) == [cells[0].source]


def test_notebook_knows_one_framework(notebook):
    other = {"torch": "paddle", "paddle": "torch"}[notebook.parent.name]
    text = "\n".join(cell.source for cell in code_cells(notebook))
    assert not re.search(
        rf"^\s*(import|from) (vision_attention\.)?{other}\b", text, re.M
    )


def test_notebook_defines_no_class_of_the_library(notebook):
    own = set().union(*(classes(cell.source) for cell in code_cells(notebook)))
    library = {
        name
        for path in (LIBRARY / notebook.parent.name).rglob("*.py")
        for name in classes(path.read_text("utf8"))
    }
    assert not own & library


def quotes():
    """返回书里每一处代码引用：页面、被引的文件、引的对象（整个文件就是空串）。"""
    for page in PAGES:
        for file, options in QUOTE.findall(page.read_text("utf8")):
            found = re.search(r":pyobject: *(\S+)", options)
            yield page, page.parent / file, found[1] if found else ""


@pytest.mark.parametrize(("page", "file", "name"), list(quotes()), ids=str)
def test_quoted_code_exists(page, file, name):
    assert file.exists()
    if file.suffix != ".py":  # 研究的 YAML 整份引用
        return
    node = ast.parse(file.read_text("utf8"))
    for part in name.split(".") if name else []:
        inside = {child.name: child for child in node.body if hasattr(child, "name")}
        assert part in inside, f"{page.name} 引用的 {name} 不在 {file.name} 里"
        node = inside[part]


NETS = [ROOT / "book" / "where" / f"nets_{wing}.py" for wing in ("torch", "paddle")]
SAID = {"torch": "paddle", "Module": "Layer", "bias=": "bias_attr="}
SAID |= {f"{name}2d(": f"{name}2D(" for name in ("Conv", "BatchNorm")}


def test_the_page_shows_the_same_nets_in_both_wings():
    ours, theirs = (
        ast.unparse(ast.parse(path.read_text("utf8")).body[1:]) for path in NETS
    )
    for mine, other in SAID.items():
        ours = ours.replace(mine, other)
    assert ours == theirs


CELL = re.compile(r"^(`{3,})\{code-cell\}[^\n]*\n(.*?)^\1 *$", re.S | re.M)
# 一格的头：两行 --- 之间的 YAML，或者一行一个 :键: 值
HEAD = re.compile(r"(?:---\n(.*?)^---\n|((?::[\w-]+:[^\n]*\n)+))", re.S | re.M)
MOST = 80  # 一页里藏着的代码，最多几行；空行不算
# 还没有减到的页，只许变短
LONGER = {
    "remedies/pretraining.md": 116,
    "self_attention/heads.md": 104,
    "self_attention/reach.md": 109,
    "settings/yardstick.md": 103,
}
WHOLE = 3500  # 全书


def page_cells(page):
    """返回一页里的每格代码：藏没藏着、代码。"""
    for _, body in CELL.findall(page.read_text("utf8")):
        head = HEAD.match(body)
        written = (head[1] or re.sub(r"^:", "", head[2], flags=re.M)) if head else "{}"
        marks = yaml.safe_load(written).get("tags", [])
        code = body[head.end() :] if head else body
        yield any(mark.startswith(("hide", "remove")) for mark in marks), code


def code_lines(code):
    """返回一段代码里不空的行数。"""
    return sum(bool(line.strip()) for line in code.splitlines())


def hidden_lines(page):
    """返回一页里藏着的代码的行数。"""
    return sum(code_lines(code) for hidden, code in page_cells(page) if hidden)


HIDDEN = {
    page.relative_to(ROOT / "book").as_posix(): hidden_lines(page) for page in PAGES
}


@pytest.mark.parametrize("page", HIDDEN)
def test_a_page_hides_little_code(page):
    assert HIDDEN[page] <= LONGER.get(page, MOST), "挪进 studies/results 或 plots"


def test_the_pages_that_hide_more_are_listed_with_their_length():
    assert {page: HIDDEN[page] for page in LONGER} == LONGER
    assert all(lines > MOST for lines in LONGER.values())


def test_the_book_hides_little_code():
    assert sum(HIDDEN.values()) < WHOLE


def page_functions(page):
    """返回一页里定义的函数：名字，与它的样子（语法树，注释与排版不算）。"""
    for _, code in page_cells(page):
        for node in ast.parse(re.sub(r"^[%!].*$", "", code, flags=re.M)).body:
            if isinstance(node, ast.FunctionDef):
                yield node.name, ast.dump(node)


def repeated(pages):
    """返回两页都有的函数：名字 → 哪几页。"""
    found = {}
    for page in pages:
        for name, shape in page_functions(page):
            found.setdefault(shape, []).append((page.stem, name))
    return [places for places in found.values() if len(places) > 1]


def test_no_function_stands_in_two_pages():
    assert not repeated(PAGES)


def test_a_function_in_two_pages_is_noticed(tmp_path):
    text = "```{code-cell} python\ndef f(x):\n    return x\n```\n"
    pages = [tmp_path / name for name in ("a.md", "b.md")]
    for page in pages:
        page.write_text(text, "utf8")
    assert repeated(pages) == [[("a", "f"), ("b", "f")]]


def test_hidden_lines_are_counted(tmp_path):
    page = tmp_path / "a.md"
    hidden = (
        "```{code-cell} python\n---\ntags: [hide-input]\n---\na = 1\n\nb = 2\n```\n"
    )
    removed = "```{code-cell} python\n:tags: [remove-cell]\n\nassert a\n```\n"
    shown = "```{code-cell} python\nc = 3\n```\n"
    page.write_text(hidden + removed + shown, "utf8")
    assert hidden_lines(page) == 3


# 每本笔记本讲的那个类，换成一眼看不出的坏样子：形状全对，数不对
DAMAGES = [
    (
        "two_machines",
        "gates/squeeze.py",
        "SqueezeExcitation.forward = lambda self, x: x",
    ),
    ("cbam", "gates/cbam.py", "CBAM.forward = lambda self, x: x"),
    (
        "exercise_cbam",
        "variants/gates.py",
        "SCORES['shared'] = SCORES['halved']",
    ),
    (
        "exercise_vit",
        "variants/block.py",
        "ACTIVATIONS['gelu'] = ACTIVATIONS['tanh']",
    ),
    (
        "exercise_training",
        "variants/steps.py",
        "LOSSES['logits'] = LOSSES['softmax']",
    ),
    (
        "exercise_comparing",
        "../grading/paired.py",  # 与框架无关，不在一翼里
        "INTERVAL['interval_error'] = 'deviation'",
    ),
    (
        "exercise_self_attention",
        "variants/attention.py",
        "AXES['keys'] = AXES['sigmoid']",
    ),
    (
        "self_attention",
        "self_attention.py",
        "MultiHeadSelfAttention.forward = lambda self, x: x",
    ),
    (
        "receptive_field",
        "self_attention.py",
        "SelfAttention2d.forward = lambda self, x: x",
    ),
    (
        "vit_overfitting",
        "vit.py",
        "ViT.forward = lambda self, x: self.head(self.embed(x)[:, 0])",
    ),
    (
        "diagnosis",
        "small_cnn.py",
        "SmallCNN.features = lambda self, x: self.stages(x) * 0",
    ),
    (
        "vit_weakness",
        "tokens.py",
        "ShiftedPatchEmbedding.shift = lambda self, x: x.tile((1, 5, 1, 1))",
    ),
    (
        "photos",
        "runs.py",
        "odds = lambda model, images: np.eye(2)[np.zeros(len(images), int)]",
    ),
    (
        "settings",
        "gates/cbam.py",
        "CBAM.open = lambda self, part, x: part.gate(x)",
    ),
    (
        "where",
        "placement.py",
        "Residual.forward = lambda self, x: "
        "self.activation(self.branch(x) + self.shortcut(x))",
    ),
    (
        "which_module",
        "gates/coordinate.py",
        "CoordinateAttention.gate = lambda self, x: x.sigmoid()",
    ),
    (
        "remedies",
        "probe.py",
        "LinearProbe.forward = lambda self, x: self.model(x)",
    ),
]
# 每种各一次，两翼轮着来：模块的前向（卷积的、ViT 的）、练习的表、不在翼里的、
# 顶层的函数；其余的笔记本，与另一翼的那一次，make matrix 才做
SAMPLE = {
    ("cbam", "torch"),
    ("vit_overfitting", "paddle"),
    ("exercise_vit", "torch"),
    ("exercise_comparing", "paddle"),
    ("photos", "torch"),
}
BREAKS = [
    pytest.param(
        f"{wing}/{name}",
        f"{wing}/{file}",
        damage,
        marks=() if (name, wing) in SAMPLE else pytest.mark.matrix,
    )
    for name, file, damage in DAMAGES
    for wing in WINGS
]


def validated(name, library):
    """用这一份程序库再执行一遍笔记本，逐格比较输出。"""
    words = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-x"]
    words += ["-q", "-p", "no:cacheprovider", str(ROOT / "notebooks" / f"{name}.ipynb")]
    env = os.environ | {"PYTHONPATH": str(library)}
    return subprocess.run(
        words, cwd=ROOT, env=env, check=False, capture_output=True, text=True
    )


def test_every_notebook_has_a_line_of_damage():
    assert {f"{each.values[0]}.ipynb" for each in BREAKS} == set(IDS)
    every = {(name, wing) for name, *_ in DAMAGES for wing in WINGS}
    assert SAMPLE <= every


@pytest.mark.parametrize(("name", "file", "damage"), BREAKS)
def test_a_broken_class_makes_a_notebook_fail(tmp_path, name, file, damage):
    copy = shutil.copytree(ROOT / "src", tmp_path / "src")
    with (copy / "vision_attention" / file).open("a", encoding="utf8") as source:
        source.write(f"\n\n{damage}\n")
    done = validated(name, copy)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert "ImportError" not in done.stdout


# 接口一页里不列的：子模块与常量
UNLISTED = {"GATES", "init", "inspect", "COLORS", "INK", "Run", "expand"}
ROOMS = ("torch", "torch.inspect", "data", "studies", "plots")


def public_names(room):
    """一个房间里 __all__ 写着的名字，转出别处的也算；不载入框架。"""
    path = LIBRARY / room.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(path.read_text("utf8"))
    names = set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__":
            names |= set(ast.literal_eval(node.value))
        if isinstance(node, ast.AugAssign) and node.target.id == "__all__":
            names |= public_names(f"{room}.{node.value.value.id}")
    return names


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_is_on_the_api_page(room):
    text = (ROOT / "book" / "appendix" / "api.md").read_text("utf8")
    blocks = re.findall(
        r"currentmodule:: vision_attention\.(\S+)\n(.*?)```", text, re.S
    )
    listed = [
        name
        for where, block in blocks
        if where == room
        for name in re.findall(r"^\.\. auto\w+:: (\w+)", block, re.M)
    ]
    if room == "torch":  # 页上没有写到的门，由 other-gates 补上
        assert text.count(".. other-gates::") == 1
        listed += [n for n in public_names("torch.gates") if n not in listed]
        assert sorted(set(listed)) == sorted(listed)
        listed = [n for n in listed if n not in UNLISTED]
    assert sorted(listed) == sorted(public_names(room) - UNLISTED)
