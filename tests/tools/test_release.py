"""发布与检查：三处的版本相同、引用信息齐全、make lint 的每一项都绿也都会红。"""

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from servers import serving

import vision_attention
from tools import release
from tools.build import toc
from tools.build.workplace import StepError, told
from tools.launch import colab_image
from tools.lint import glossary, links, lint, prose, spacing
from tools.proof import light

ROOT = Path(__file__).resolve().parents[2]
VERSIONED = ["src/vision_attention/__init__.py", "CHANGELOG.md", "CITATION.cff"]
in_git = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="不是 git 仓库")
# ruff 的两项由 test_house 检查
LINTS = ["标点", "空格", "术语", "许可", "工作流", "版本"]


@pytest.fixture
def copy(tmp_path):
    """三处版本的一份抄本，可以弄坏。"""
    for name in VERSIONED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def change(root, name, old, new):
    """把抄本里的一处换掉。"""
    text = (root / name).read_text("utf8")
    assert old in text
    (root / name).write_text(text.replace(old, new), "utf8")


def test_version_is_read_from_the_package():
    assert release.version() == vision_attention.__version__


def test_three_places_agree():
    assert release.faults() == []


@pytest.mark.parametrize("name", VERSIONED)
def test_a_different_version_is_found(copy, name):
    change(copy, name, vision_attention.__version__, "9.9.9")
    assert release.faults(copy)


def test_a_different_date_is_found(copy):
    change(copy, "CITATION.cff", "date-released: ", "date-released: 1")
    assert "日期不同" in release.faults(copy)[0]


def test_tag_is_the_version(copy):
    change(copy, "CHANGELOG.md", f"## [{release.NEXT}]\n", "")
    good = f"v{vision_attention.__version__}"
    assert release.tag_faults(good, copy) == []
    assert "标签是 v0" in release.tag_faults("v0", copy)[0]


def test_forgotten_entries_stop_a_release(copy):
    head = f"## [{release.NEXT}]\n"
    change(copy, "CHANGELOG.md", head, head + "\n- 忘了\n")
    found = release.tag_faults(f"v{vision_attention.__version__}", copy)
    assert "先移到新版本之下" in found[0]


def test_refusal_is_one_line():
    with pytest.raises(StepError, match="核对版本：甲；乙"):
        release.refuse(["甲", "乙"])


def test_notes_are_those_of_this_version():
    date, notes = release.entries()[vision_attention.__version__]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", date)
    assert "###" in notes
    assert "\n## " not in notes
    assert "]: http" not in notes


def test_citation_has_what_the_format_requires():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf8"))
    required = {"cff-version", "message", "title", "authors", "type", "license"}
    assert required <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == vision_attention.__version__
    assert citation["type"] in {"software", "dataset"}
    assert all({"name"} == set(author) for author in citation["authors"])
    pyproject = (ROOT / "pyproject.toml").read_text("utf8")
    assert f'Repository = "{citation["repository-code"]}"' in pyproject


@pytest.mark.parametrize("locked", [True, False])
def test_released_wheel_is_built_by_what_was_locked(monkeypatch, locked):
    seen = []
    monkeypatch.setattr(release, "uses_lock", lambda: locked)
    monkeypatch.setattr(release, "epoch", lambda: 0)
    monkeypatch.setattr(release, "run", lambda words, *_: seen.append(words) or (0, ""))
    release.wheel()
    assert ("--no-build-isolation" in seen[0]) == locked


def test_site_archive_is_the_same_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(release, "SITE", tmp_path / "html")
    for name in ("index.html", "book/a.html"):
        path = tmp_path / "html" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("甲", "utf8")
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    archives = [tmp_path / folder / "book-site.zip" for folder in "12"]
    for archive in archives:
        release.site(archive)
        (tmp_path / "html" / "index.html").touch()
    assert archives[0].read_bytes() == archives[1].read_bytes()
    names = zipfile.ZipFile(archives[0]).namelist()
    assert names == ["book-site/book/a.html", "book-site/index.html"]


def test_sums_are_those_of_sha256sum(tmp_path, monkeypatch):
    monkeypatch.setattr(release, "DIST", tmp_path)
    (tmp_path / "a.whl").write_bytes(b"abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert release.sums() == f"{digest}  a.whl\n"


@in_git
def test_photos_go_with_a_release_once_their_checksum_is_right(tmp_path, monkeypatch):
    given = tmp_path / "photos.tar.xz"
    given.write_bytes("照片".encode())
    digest = subprocess.check_output(["sha256sum", given], text=True).split()[0]
    source = tmp_path / "src/vision_attention/data/jpeg75.py"
    source.parent.mkdir(parents=True)
    source.write_text(f'ARCHIVE = "p.tar.xz"\nSHA256 = "{digest}"\n', "utf8")
    monkeypatch.setattr(release, "DIST", tmp_path / "dist")
    release.photos(given, tmp_path)
    assert (tmp_path / "dist/p.tar.xz").read_bytes() == given.read_bytes()
    assert (tmp_path / "dist/SHA256SUMS").read_text() == f"{digest}  p.tar.xz\n"
    given.write_bytes("别的照片".encode())
    with pytest.raises(release.StepError, match=f"应是 {digest}"):
        release.photos(given, tmp_path)
    with pytest.raises(release.StepError, match=r"不是一个文件；请给出 p\.tar\.xz"):
        release.photos(tmp_path, tmp_path)


@pytest.mark.parametrize("name", LINTS)
def test_lint_is_content(name):
    code, text = lint.check(lint.lints()[name])
    assert code == 0, text


@in_git
def test_every_lint_is_tested():
    assert set(lint.lints()) == {*LINTS, "写法", "格式"}


def test_lint_says_what_is_wrong(capsys, monkeypatch):
    bad = {"甲": [sys.executable, "-c", "print('这里不对'); raise SystemExit(1)"]}
    monkeypatch.setattr(lint, "lints", lambda: bad)
    assert lint.main() == 1
    assert capsys.readouterr().out == "✗ 甲\n这里不对\n"


def test_unlicensed_file_is_found_once_it_is_added(tmp_path):
    shutil.copy(ROOT / "REUSE.toml", tmp_path)
    (tmp_path / "LICENSES").mkdir()
    shutil.copy(ROOT / "LICENSES" / "MIT.txt", tmp_path / "LICENSES")
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "photo.bin").write_bytes(b"\1")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    for name, code in (("a.py", 0), ("photo.bin", 1)):
        subprocess.run(["git", "add", name], cwd=tmp_path, check=True)
        program = lint.lints()["许可"][:2]
        words = [*program, *toc.tracked(root=tmp_path)]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == code
        assert (b"photo.bin" in done.stdout) == bool(code)


@in_git
def test_unsafe_workflow_is_found(tmp_path):
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "bad.yml").write_text(
        "on: pull_request_target\njobs:\n  a:\n    runs-on: ubuntu-latest\n"
        "    steps:\n      - uses: actions/checkout@v4\n"
    )
    command = [*lint.lints()["工作流"][:-1], str(tmp_path)]
    code, text = lint.check(command)
    assert code != 0
    assert "unpinned-uses" in text


TABLE = """```{glossary}
感受野
  Receptive field，也译“感知野”“视野”。

token
  不译；也译“记号”。
```
"""


def test_glossary_table_is_read_from_the_page():
    assert glossary.table(TABLE) == {
        "感知野": "感受野",
        "视野": "感受野",
        "记号": "token",
    }


def test_real_table_has_aliases():
    table = glossary.table(glossary.PAGE.read_text("utf8"))
    assert table["汇聚"] == "池化"
    assert table["记号"] == "token"


def test_one_alias_for_two_terms_is_refused():
    with pytest.raises(ValueError, match="同时是两个词的别名"):
        glossary.table(TABLE + "\n嵌入\n  也译“记号”。\n")


@pytest.mark.parametrize(
    ("line", "wrong"), [("感知野很大", ["感知野"]), ("感受野很大", []), ("好", [])]
)
def test_discouraged_names_are_found(line, wrong):
    assert glossary.faults(line, glossary.table(TABLE), glossary.terms(TABLE)) == wrong


def test_name_inside_a_term_is_fine():
    assert glossary.faults("超参数", {"超参": "超参数"}, ["超参数"]) == []


def test_glossary_and_spacing_stop_a_page(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(prose, "ROOT", tmp_path)
    page = tmp_path / "a.md"
    page.write_text("好\n\n感知野用PyTorch算。\n", "utf8")
    assert glossary.main(str(page)) == 1
    assert spacing.main(str(page)) == 1
    assert capsys.readouterr().out.splitlines() == [
        "a.md:3: “感知野”在本书里叫“感受野”",
        "a.md:3: 感知野用 PyTorch 算。",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "`甲x`",
        "> 甲x",
        "他说“甲x”",
        "$甲x$",
        "```python\n甲x\n```",
        "```{code-cell} ipython3\n:tags: [x]\n# 甲x\n```",
        "[甲](甲x.md)",
    ],
)
def test_code_formulas_and_quotations_are_no_prose(text):
    assert "甲x" not in "".join(line for _, line in prose.markdown(text))


def test_prose_keeps_line_numbers():
    text = "甲\n```python\n乙\n```\n丙 `丁\n戊` 己"
    found = {line.strip(): number for number, line in prose.markdown(text)}
    assert (found["甲"], found["丙"], found["己"]) == (1, 5, 6)


class Site(http.server.BaseHTTPRequestHandler):
    """按网址里的数字回答的网站。"""

    def do_GET(self):
        self.send_response(int(self.path[1:]))
        self.end_headers()

    def log_message(self, *_):
        """不说话。"""


@pytest.fixture
def site():
    """本机的一个网站。"""
    with serving(Site) as address:
        yield address


@pytest.mark.parametrize(
    ("code", "why"), [(200, ""), (403, ""), (404, "HTTP 404"), (500, "HTTP 500")]
)
def test_broken_links_are_found(site, code, why):
    assert links.fault(f"{site}/{code}#here", pause=0) == why


def test_dead_server_is_found():
    assert "refused" in links.fault("http://127.0.0.1:9/", pause=0)


@in_git
def test_links_come_from_the_sources_not_from_outputs():
    found = links.links()
    assert any("arxiv.org" in url for url in found)
    assert not any("www.w3.org" in url or "…" in url for url in found)


def test_light_tests_exist():
    assert len(light.paths()) == len(light.FILES)


def test_light_tests_need_nothing_of_linux():
    # 两翼的对照与编译不碰系统，占去大半时间，只收集不跑
    words = ["-p", "no:cacheprovider", "-k", "not test_parity and not compiles"]
    program = [sys.executable, str(ROOT / "tests" / "elsewhere.py"), *words]
    done = subprocess.run(program, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


ATTEMPTS = """
import os, elsewhere
elsewhere.hide()
from vision_attention.measure import memory
for attempt in (
    lambda: __import__("fcntl"),
    lambda: os.sched_getaffinity(0),
    lambda: memory.peak_memory(int),
):
    try:
        print(attempt())
    except (ImportError, AttributeError, OSError) as error:
        print(error)
"""


def test_what_linux_alone_has_is_hidden_elsewhere():
    options = {"cwd": ROOT / "tests", "capture_output": True, "text": True}
    program = [sys.executable, "-c", ATTEMPTS]
    done = subprocess.run(program, check=True, **options)
    module, function, memory = done.stdout.splitlines()
    assert "import of fcntl halted" in module
    assert "no attribute 'sched_getaffinity'" in function
    assert "peak_memory 只能在 Linux 上用" in memory


# —— 真的 Colab 镜像：用一个假的 docker，在本机执行容器里的那几行 ——
DOCKER = """#!/bin/sh
test -e "$PLACE/broken" && exit 125
while [ "$1" != -c ]; do shift; done
inside=$(printf '%s' "$2" | sed "s|/course/|$PLACE/|")
shift 2
exec bash -c "$inside" "$@"
"""
JUPYTER = """#!/bin/sh
cp "$PLACE/after.json" "$PLACE/now.json"
! grep -q bad here.ipynb
"""
HAVE = {"numpy": "2.0", "torch": "2.6.0+cu124", "helper": "1.0"}


@pytest.fixture
def image(tmp_path, monkeypatch):
    """假的 docker、jupyter 与 python3，仓库里有一好一坏两本笔记本。"""
    python = '#!/bin/sh\ncat "$PLACE/now.json"\n'
    tools = {"docker": DOCKER, "jupyter": JUPYTER, "python3": python}
    for name, text in tools.items():
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    for name in ("bad", "good"):
        (tmp_path / f"{name}.ipynb").write_text(name)
    (tmp_path / "now.json").write_text(json.dumps(HAVE) + "\n")
    (tmp_path / "after.json").write_text(json.dumps(HAVE) + "\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PLACE", str(tmp_path))
    monkeypatch.setattr(colab_image, "ROOT", tmp_path)
    return tmp_path


def in_image(image, name="good"):
    """在假的镜像里跑一本。"""
    words = colab_image.command(image / "wheel" / "a.whl", image / f"{name}.ipynb")
    return colab_image.check(words)


def test_colab_image_sees_the_repository_read_only(image):
    words = colab_image.command(image / "wheel" / "a.whl", image / "good.ipynb")
    volumes = [word for word in words if word.startswith("--volume=")]
    assert len(volumes) == 2
    assert all(word.endswith(":ro") for word in volumes)
    assert "--env=COURSE_PACKAGE=/wheel/a.whl" in words


@pytest.mark.parametrize(
    ("after", "fault", "said"),
    [
        ({}, "", ""),
        ({"new": "1.0"}, "", ""),
        ({"helper": "2.0"}, "", "  换掉了原有的包：helper 1.0 → 2.0\n"),
        ({"numpy": "9.9"}, "换掉了原有的包：numpy 2.0 → 9.9", ""),
        ({"torch": "2.6.0"}, "换掉了原有的包：torch 2.6.0+cu124 → 2.6.0", ""),
    ],
)
def test_colab_image_keeps_numpy_and_frameworks(image, capsys, after, fault, said):
    (image / "after.json").write_text(json.dumps(HAVE | after) + "\n")
    assert (in_image(image), capsys.readouterr().out) == (fault, said)


def test_colab_image_names_every_notebook_that_fails(image, monkeypatch):
    (image / "worse.ipynb").write_text("bad")
    books = [image / f"{name}.ipynb" for name in ("bad", "good", "worse")]
    monkeypatch.setattr(colab_image, "notebooks", lambda: books)
    faults = colab_image.check_all(image / "wheel" / "a.whl", "docker")
    why = "没有跑完，退出码 1"
    assert faults == {"bad.ipynb": why, "worse.ipynb": why}


def test_package_without_a_name_is_passed_over(tmp_path):
    (tmp_path / "half-1.0.dist-info").mkdir()
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    words = [sys.executable, "-c", colab_image.VERSIONS]
    assert "pytest" in json.loads(subprocess.check_output(words, env=env))


def test_container_that_does_not_start_is_a_fault(image):
    (image / "broken").touch()
    assert in_image(image) == "没有跑起来，退出码 125"


def test_colab_image_refuses_an_incomplete_wheel(monkeypatch, capsys):
    def incomplete():
        raise StepError("造 wheel：里面没有 a 等 1 个文件")

    monkeypatch.setattr(colab_image, "build_wheel", incomplete)
    monkeypatch.setattr(colab_image.shutil, "which", lambda _: "docker")
    monkeypatch.setattr(colab_image, "lock", lambda: 0)
    assert told(colab_image.main) == 1
    assert capsys.readouterr().err == "✗ 造 wheel：里面没有 a 等 1 个文件\n"


def targets():
    """Makefile 里写明的目标。"""
    text = (ROOT / "Makefile").read_text("utf8")
    lines = re.findall(r"^\.PHONY: (.*)$", text, re.M)
    return {name for line in lines for name in line.split()}


def test_help_names_every_target():
    words = ["make", "--no-print-directory", "help"]
    done = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True)
    shown = {line.split()[1] for line in done.stdout.splitlines()}
    assert shown == targets()


def test_readme_names_every_target_and_no_other():
    named = {
        name: set(re.findall(r"`make ([a-z-]+)", (ROOT / name).read_text("utf8")))
        for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
    }
    assert set().union(*named.values()) <= targets()
    assert targets() <= named["README.md"] | {"help", "env"}
