"""到处能跑：地址只写一次，分叉的仓库链接全对，第一格不换掉任何已装的包。"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from tools.launch import address, colab, first_cell

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = first_cell.notebooks()
IDS = [path.relative_to(ROOT / "notebooks").as_posix() for path in NOTEBOOKS]
FORK = "https://github.com/{}/{}".format("a-fork", "its-course")
REPO = r"([\w.-]+/[\w-][\w.-]*)"
OWN = (  # 这些链接只可能指向自己的仓库
    rf"colab\.research\.google\.com/github/{REPO}",
    rf"mybinder\.org/v2/gh/{REPO}",
    rf"welcome\?src=https://[\w.]+/{REPO}",
    rf"https://[\w.]+/{REPO}/archive/",
    rf"git\+https://[\w.]+/{REPO}",
    rf"git clone https://[\w.]+/{REPO}",
)
MINI_TOC = """format: jb-book
root: book/index
chapters:
- file: notebooks/torch/cbam
- file: notebooks/paddle/cbam
"""
JB = "from jupyter_book.cli.main import main; main()"


def bibliography(root):
    """返回参考文献；那里引用的是别人的仓库。"""
    return (root / "book" / "references.bib").read_text("utf8")


def strays(root):
    """返回与写下的地址不一致的链接：文件与“主人/名字”。"""
    home = address.declared(root)
    cited = set(re.findall(r"github\.com/([\w.-]+/[\w.-]+\w)", bibliography(root)))
    name = address.slug(home).split("/")[1]
    patterns = [*OWN, rf"github\.com/([\w.-]+/{re.escape(name)})(?![\w-])"]
    found = []
    for path in address.files(root):
        text = address.read(path)
        for pattern in patterns:
            for slug in re.findall(pattern, text):
                right = slug.removesuffix(".git") == address.slug(home)
                found += [] if right or slug in cited else [(path.name, slug)]
        site = rf"https://([\w-]+\.github\.io/{re.escape(name)})(?![\w-])"
        found += [
            (path.name, at)
            for at in re.findall(site, text)
            if at != address.pages(home)
        ]
    return found


def doorsteps(root):
    """返回门口与地址不一致的笔记本。"""
    home, wrong = address.declared(root), []
    for path in first_cell.notebooks(root):
        name, text = path.relative_to(root).as_posix(), path.read_text("utf8")
        note = first_cell.with_doorstep(json.loads(text), home, name)
        if first_cell.written(note) != text:
            wrong.append(name)
    return wrong


@pytest.fixture
def tree(tmp_path):
    """整个仓库的一份抄本。"""
    copy = tmp_path / "tree"
    for path in address.files(ROOT):
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    return copy


def setup_cell(path):
    """返回一本笔记本的第一格。"""
    return next(c for c in json.loads(path.read_text())["cells"] if "outputs" in c)


def test_every_notebook_has_its_doorstep():
    assert doorsteps(ROOT) == [], "运行 make address，把门口写好"


def test_first_cells_differ_only_in_the_framework():
    sources = {"".join(setup_cell(path)["source"]) for path in NOTEBOOKS}
    assert len(sources) == 2
    own = [
        text
        for module, (name, lowest) in first_cell.promises().items()
        for text in (
            f'"{module}": "{name}>={lowest}"',
            f"{name} {lowest} 以上",
            f"[{lowest.replace('.', ', ')}]",
        )
    ]
    neutral = {re.sub("|".join(map(re.escape, own)), "框架", s) for s in sources}
    assert len(neutral) == 1


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_first_cell_has_printed_one_line(path):
    (output,) = setup_cell(path)["outputs"]
    (line,) = output["text"]
    assert path.parent.name in line
    assert "vision_attention" in line


def test_wing_decides_which_platform_comes_first():
    home = address.declared()
    first = {
        wing: next(iter(address.links(home, f"notebooks/{wing}/cbam.ipynb")))
        for wing in first_cell.promises()
    }
    assert first == {"torch": "Colab", "paddle": "飞桨 AI Studio"}


def test_every_link_agrees_with_the_one_address():
    assert strays(ROOT) == [], "地址只写在 pyproject.toml；运行 make address REPO=…"


@pytest.mark.parametrize(
    "line",
    [
        "https://colab.research.google.com/github/{other}/repo/blob/main/a.ipynb",
        "https://mybinder.org/v2/gh/{other}/repo/main",
        "pip install https://github.com/{other}/repo/archive/main.zip",
        "https://github.com/{other}/{name}/issues",
        "https://{other}.github.io/{name}/",
    ],
)
def test_stray_link_is_found(tree, line):
    name = address.slug(address.declared()).split("/")[1]
    (tree / "README.md").write_text(line.format(name=name, other="other"), "utf8")
    assert len(strays(tree)) == 1


def test_fork_gets_right_links_with_one_command(tree):
    old = address.declared()
    words = [
        "make",
        "address",
        f"REPO={address.slug(FORK)}",
        f"PYTHON={sys.executable}",
    ]
    done = subprocess.run(words, cwd=tree, check=True, capture_output=True, text=True)
    assert "README.md" in done.stdout
    assert address.declared(tree) == FORK
    assert strays(tree) == doorsteps(tree) == []
    text = "".join(address.read(path) for path in address.files(tree))
    assert old not in text
    assert address.pages(old) not in text
    for path in first_cell.notebooks(tree):
        assert path.read_text("utf8").count(address.slug(FORK)) == 4


def test_renaming_there_and_back_changes_nothing(tree):
    before = {path: path.read_bytes() for path in address.files(tree)}
    old = address.declared(tree)
    assert address.rename(tree, address.slug(FORK))
    assert address.rename(tree, old)
    assert {path: path.read_bytes() for path in address.files(tree)} == before


@pytest.mark.parametrize(
    "given", ["", "only-a-name", "a/b/c", "a b/c", "github.com/me"]
)
def test_wrong_address_is_refused(tree, given):
    with pytest.raises(ValueError, match="主人/名字"):
        address.rename(tree, given)


def test_address_where_the_platforms_cannot_look_is_refused(tree):
    before = address.declared(tree)
    with pytest.raises(ValueError, match=r"gitee.*不在 github\.com 上"):
        address.rename(tree, "https://gitee.com/me/course")
    assert address.declared(tree) == before


def test_without_an_address_there_is_one_sentence(tree):
    project = tree / "pyproject.toml"
    kept = project.read_text("utf8").replace("Repository = ", "Elsewhere = ")
    project.write_text(kept, "utf8")
    words = [sys.executable, "-m", "tools.launch.address"]
    for given in ([], [address.slug(FORK)]):
        done = subprocess.run(
            [*words, *given], cwd=tree, check=False, capture_output=True, text=True
        )
        assert done.returncode == 1
        assert done.stderr.splitlines() == [
            "✗ 地址：pyproject.toml 的 [project.urls] 里没有 Repository"
        ]


def test_the_host_is_read_without_regard_to_case(tree):
    assert address.rename(tree, "https://GitHub.com/Some-One/course")
    assert address.declared(tree) == "https://github.com/Some-One/course"


def test_fork_may_bear_the_name_of_a_repository_we_cite(tree):
    cited = re.search(r"github\.com/[\w.-]+/([\w-]+)", bibliography(tree))[1]
    address.rename(tree, f"a-fork/{cited}")
    assert strays(tree) == []


def test_another_repository_of_similar_name_is_left_alone():
    old, new = "https://github.com/me/course", FORK
    text = "https://github.com/me/course-2 https://github.com/some-me/course"
    assert address.replaced(text, old, new) == text


def test_github_actions_names_the_repository(monkeypatch):
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    assert address.current() == address.declared()
    assert address.elsewhere() == ""
    monkeypatch.setenv("GITHUB_REPOSITORY", address.slug(FORK))
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    assert address.current() == FORK
    assert f"make address REPO={address.slug(FORK)}" in address.elsewhere()


def test_fork_builds_right_links_in_github_actions(tree):
    (tree / "book" / "index.md").write_text("# 小书\n", "utf8")
    (tree / "_toc.yml").write_text(MINI_TOC, "utf8")
    config = (tree / "_config.yml").read_text("utf8")
    config = config.replace("execute_notebooks: cache", "execute_notebooks: 'off'")
    (tree / "_config.yml").write_text(config, "utf8")
    env = os.environ | {"GITHUB_REPOSITORY": address.slug(FORK)}
    words = [sys.executable, "-c", JB, "build", ".", "--path-output", "."]
    subprocess.run(words, cwd=tree, env=env, check=True, capture_output=True)
    site = tree / "_build" / "html"
    for wing in first_cell.promises():
        page = (site / "notebooks" / wing / "cbam.html").read_text("utf8")
        assert re.findall(r'<nav class="launch"', page) == ['<nav class="launch"']
        links = address.links(FORK, f"notebooks/{wing}/cbam.ipynb")
        assert all(f'href="{url}"' in page for url in links.values())
        assert address.package(FORK) in page
        note = (site / "_sources/notebooks" / wing / "cbam.ipynb").read_text("utf8")
        assert note.count(address.slug(FORK)) == 4
        assert address.declared() not in page + note


def test_binder_takes_the_versions_of_the_book():
    ours = (ROOT / "requirements.txt").read_text("utf8")
    binder = (ROOT / ".binder" / "requirements.txt").read_text("utf8")
    wanted = re.findall(r"^(?:torch|paddlepaddle|-e)\b\S*(?: \.)?", ours, re.M)
    assert sorted(re.findall(r"^[^#\n-].*$|^-e .*$", binder, re.M)) == sorted(wanted)
    assert "download.pytorch.org/whl/cpu" in binder


def test_ci_proves_it_before_the_other_tests():
    text = (ROOT / ".ci" / "run").read_text("utf8")
    assert re.findall(r"^\s*make (\S+)", text, re.M) == ["colab-check", "test"]
    (names,) = re.findall("NOTEBOOKS=(\\S+)", text)
    assert len(colab.chosen([names])) == len(first_cell.promises())


def test_a_name_no_notebook_bears_is_refused():
    assert colab.chosen([]) == NOTEBOOKS
    with pytest.raises(colab.StepError, match="没有笔记本叫 nothing"):
        colab.chosen(["cbam", "nothing"])


# 换到了新的空文件夹里：写的、读的都在那里，够不着仓库
AWAY = "os.chdir(tempfile.mkdtemp())"


def outside(wing, source):
    """返回空房里没有的：别的包、仓库里的文件。每周在空房里跑每一本，平时看这个。"""
    tree = ast.parse(source)
    names = {
        a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names
    }
    names |= {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    have = {"numpy", "matplotlib", "sklearn", "scipy", "PIL", "vision_attention", wing}
    have |= sys.stdlib_module_names
    reach = r"\.\./" if AWAY in source else r"\bopen\(|\bPath\(|\.\./"
    missing = sorted(name for name in names if name.partition(".")[0] not in have)
    return missing + re.findall(reach, source)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_notebook_needs_nothing_the_room_lacks(path):
    cells = json.loads(path.read_text("utf8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert outside(path.parent.name, "\n".join(code)) == []


def test_what_the_room_lacks_is_noticed():
    source = "import os, pandas\nfrom timm import x\nopen('../book/_data/a')"
    assert outside("torch", source) == ["pandas", "timm", "open(", "../"]
    assert outside("torch", f"{AWAY}\n{source}") == ["pandas", "timm", "../"]
    assert outside("torch", "import paddle") == ["paddle"]


# —— 像 Colab 的空房 ——


@pytest.fixture
def whole_room(tmp_path, monkeypatch):
    """一间空房：有 NumPy 与 PyTorch，没有课程的程序库。"""
    monkeypatch.setattr(colab, "PLACE", tmp_path)
    return colab.Room(NOTEBOOKS[-1], colab.shelve("torch"))


@pytest.fixture
def room(whole_room):
    """同样的一间，PyTorch 载入时只有版本号：第一格只问它，真的要载入好几秒。"""
    shelf = colab.PLACE / "torch"
    (shelf / "torch").unlink()
    (shelf / "torch").mkdir()
    line = f"__version__ = {metadata.version('torch')!r}\n"
    (shelf / "torch" / "__init__.py").write_text(line, "utf8")
    return whole_room


@pytest.fixture
def paddle_room(tmp_path, monkeypatch):
    """像 AI Studio 的一间：有 NumPy 与 paddlepaddle-gpu。"""
    monkeypatch.setattr(colab, "PLACE", tmp_path)
    return colab.Room(NOTEBOOKS[0], colab.shelve("paddle"))


@pytest.fixture
def bare_room(tmp_path, monkeypatch):
    """要用 PaddlePaddle 的笔记本，房里却只有 PyTorch。"""
    monkeypatch.setattr(colab, "PLACE", tmp_path)
    return colab.Room(NOTEBOOKS[0], colab.shelve("torch"))


def enter(room, **settings):
    """在房里执行第一格。"""
    source = "".join(setup_cell(room.notebook)["source"])
    env = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    env |= {"PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0", "PYTHONUTF8": "1"}
    return subprocess.run(
        [room.python, "-c", source],
        cwd=room.work,
        env=env | settings,
        check=False,
        capture_output=True,
        text=True,
    )


def fake_wheel(folder, name, version, needs=(), module=None):
    """写一个只有版本号的 wheel。"""
    folder.mkdir(exist_ok=True)
    file = name.replace("-", "_")
    path = folder / f"{file}-{version}-py3-none-any.whl"
    info = f"{file}-{version}.dist-info"
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    head += "".join(f"Requires-Dist: {need}\n" for need in needs)
    tag = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(path, "w") as wheel:
        code = f"__version__ = '{version}'\n"
        wheel.writestr(f"{module or file}/__init__.py", code)
        wheel.writestr(f"{info}/METADATA", head)
        wheel.writestr(f"{info}/WHEEL", tag)
        wheel.writestr(f"{info}/RECORD", "")
    return path


def test_room_holds_the_platform_and_nothing_of_ours(room):
    have = set(room.versions())
    assert {"torch", "numpy", "matplotlib", "scikit-learn", "ipykernel"} <= have
    assert not {"vision-attention", "paddlepaddle", "zhplot", "jupyter-book"} & have
    assert list(room.work.iterdir()) == []


def test_paddle_room_looks_like_ai_studio(paddle_room):
    have = paddle_room.versions()
    assert "paddlepaddle-gpu" in have
    assert not {"torch", "paddlepaddle"} & set(have)


def test_first_cell_installs_what_is_missing(whole_room, tmp_path):
    room = whole_room
    before = room.versions()
    wheel = fake_wheel(tmp_path / "wheels", "vision_attention", "7.0", ["numpy"])
    done = enter(room, COURSE_PACKAGE=str(wheel), PIP_NO_INDEX="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    assert "vision_attention 7.0" in done.stdout
    assert colab.changed(before, room.versions()) == ""


@pytest.mark.parametrize(
    ("kind", "name"),
    [("room", "numpy"), ("room", "torch"), ("paddle_room", "paddlepaddle-gpu")],
)
def test_first_cell_rather_stops_than_changes_it(request, tmp_path, kind, name):
    room, wheels = request.getfixturevalue(kind), tmp_path / "wheels"
    fake_wheel(wheels, name, "99.0")
    wheel = fake_wheel(wheels, "vision_attention", "7.0", [f"{name}>=99"])
    before = room.versions()
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    done = enter(room, COURSE_PACKAGE=str(wheel), **settings)
    assert done.returncode == 1
    assert "没装上" in done.stderr
    assert room.versions() == before


def install(room, wheel):
    """在房里装一个 wheel。"""
    words = [room.python, "-m", "pip", "install", "-q", "--no-index", wheel]
    subprocess.run(words, check=True, cwd=room.work)


def test_first_cell_prefers_what_fits_the_installed(room, tmp_path):
    wheels = tmp_path / "wheels"
    install(room, fake_wheel(wheels, "helper", "1.0"))
    fake_wheel(wheels, "helper", "2.0")
    fake_wheel(wheels, "tool", "1.0", ["helper"])
    fake_wheel(wheels, "tool", "2.0", ["helper>=2"])
    wheel = fake_wheel(wheels, "vision_attention", "7.0", ["tool"])
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    assert enter(room, COURSE_PACKAGE=str(wheel), **settings).returncode == 0
    assert room.versions()["helper"] == room.versions()["tool"] == "1.0"


def test_first_cell_changes_only_what_it_must(room, tmp_path):
    wheels = tmp_path / "wheels"
    install(room, fake_wheel(wheels, "helper", "1.0"))
    fake_wheel(wheels, "helper", "2.0")
    fake_wheel(wheels, "numpy", "99.0")
    wheel = fake_wheel(wheels, "vision_attention", "7.0", ["helper>=2", "numpy"])
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    before = room.versions()
    assert enter(room, COURSE_PACKAGE=str(wheel), **settings).returncode == 0
    said = colab.changed(before, room.versions())
    assert said == "换掉了原有的包：helper 1.0 → 2.0"


def test_first_cell_takes_no_framework_below_the_promise(bare_room, tmp_path):
    wheels, torch = tmp_path / "wheels", bare_room.versions()["torch"]
    install(bare_room, fake_wheel(wheels, "helper", "1.0"))
    fake_wheel(wheels, "helper", "2.0")
    fake_wheel(wheels, "paddlepaddle", "3.1.1", module="paddle")
    fake_wheel(wheels, "paddlepaddle", "3.3.1", ["helper>=2"], "paddle")
    wheel = fake_wheel(wheels, "vision_attention", "7.0")
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    done = enter(bare_room, COURSE_PACKAGE=str(wheel), **settings)
    assert (done.returncode, done.stderr) == (0, "")
    after = bare_room.versions()
    assert (after["paddlepaddle"], after["torch"]) == ("3.3.1", torch)


def test_first_cell_names_a_framework_that_is_too_old(bare_room, tmp_path):
    old = fake_wheel(tmp_path / "wheels", "paddlepaddle", "3.1.1", module="paddle")
    install(bare_room, old)
    wheel = fake_wheel(tmp_path / "wheels", "vision_attention", "7.0")
    done = enter(bare_room, COURSE_PACKAGE=str(wheel), PIP_NO_INDEX="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "课程要 paddlepaddle 3.2 以上" in done.stdout
    assert bare_room.versions()["paddlepaddle"] == "3.1.1"


def test_first_cell_survives_a_package_without_a_name(room, tmp_path):
    (site,) = room.folder.glob("lib/python*/site-packages")
    (site / "lost-1.0.dist-info").mkdir()  # 卸载到一半剩下的
    wheel = fake_wheel(tmp_path / "wheels", "vision_attention", "7.0")
    done = enter(room, COURSE_PACKAGE=str(wheel), PIP_NO_INDEX="1")
    assert (done.returncode, done.stderr) == (0, "")


def test_first_cell_says_what_to_do_without_a_network(room):
    done = enter(room, https_proxy="http://127.0.0.1:9")
    assert done.returncode == 1
    assert "没装上，先连上网" in done.stderr
    assert done.stdout == ""


def test_first_cell_only_reports_where_all_is_installed():
    source = "".join(setup_cell(NOTEBOOKS[-1])["source"])
    words = [sys.executable, "-c", source.replace("run(pip", "run(1 / 0")]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1


def test_first_cell_keeps_everything_on_the_cpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    source = "".join(setup_cell(NOTEBOOKS[-1])["source"])
    seen = "\nassert os.environ['CUDA_VISIBLE_DEVICES'] == ''"
    subprocess.run([sys.executable, "-c", source + seen], check=True)


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ({"numpy": "2.0"}, ""),
        ({"numpy": "2.0", "zhplot": "1.0"}, ""),
        ({"numpy": "2.1"}, "换掉了原有的包：numpy 2.0 → 2.1"),
        ({}, "换掉了原有的包：numpy 2.0 → 不见了"),
    ],
)
def test_changed_version_is_noticed(after, said):
    assert colab.changed({"numpy": "2.0"}, after) == said


def test_lost_network_is_said_in_one_sentence():
    said = colab.why("AssertionError: 没装上\n\x1b[31mHTTPSConnection… ProxyError(…)")
    assert said.startswith("连不上网")
    assert colab.why("NameError: name 'x'\n  第二行") == "NameError: name 'x'"


def test_file_missing_from_the_wheel_is_noticed(tmp_path):
    wheel = fake_wheel(tmp_path, "vision_attention", "7.0")
    missing = colab.left_out(wheel)
    assert "vision_attention/studies/catalog/which_gate/records.jsonl" in missing
    assert "vision_attention/studies/catalog/which_gate/study.yaml" in missing
