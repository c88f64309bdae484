"""构建遇到坏运气：没有 Python、没有网、磁盘满、端口被占、做到一半被杀。

每个测试在自己的小仓库里跑真正的 make：一句话说清、退出码非零、不留半成品。
"""

import gzip
import http.client
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tools.build import notebooks, workplace

ROOT = Path(__file__).resolve().parents[2]

FULL_DISK = """
import builtins, errno, functools, io, os
left, real = [int(os.environ["DISK_LEFT"])], io.open
def full(file, mode="r", *rest, **options):
    if set(mode) & set("wax+"):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device", str(file))
    return real(file, mode, *rest, **options)
# Python 3.10 的 pathlib 把 io.open 放进类里：普通函数在那里会变成方法
builtins.open = io.open = functools.partial(full)
"""


def test_no_python(clone, tmp_path):
    bare = tmp_path / "bin"
    bare.mkdir()
    for tool in ("sh", "make", "dirname"):
        (bare / tool).symlink_to(shutil.which(tool))
    old = bare / "python3"
    old.write_text("#!/bin/sh\nexit 1\n", "utf8")
    old.chmod(0o755)
    code, complaints, _ = clone.make("book", PATH=str(bare), PYTHON="")
    assert code != 0
    assert len(complaints) == 1
    assert "没有 ≥ 3.10 的 Python" in complaints[0]
    assert not (clone.root / ".venv").exists()


def test_unusable_python(clone):
    code, complaints, _ = clone.make("book", PYTHON="/no/such/python")
    assert code != 0
    assert "PYTHON=/no/such/python 不能用" in complaints[0]


def test_no_network_on_the_first_run(clone):
    clone.write("requirements.txt", "a-package-that-is-not-here\n")
    code, complaints, _ = clone.make("book")
    assert code != 0
    assert len(complaints) == 1
    assert "连不上网" in complaints[0]
    assert not (clone.root / ".venv").exists()
    clone.write("requirements.txt", "")  # 网好了
    assert clone.make("env")[0] == 0
    assert (clone.root / ".venv" / ".ready").exists()


def test_no_network_for_an_update_keeps_the_old_environment(furnished):
    furnished.write("requirements.txt", "a-package-that-is-not-here\n")
    assert "连不上网" in furnished.make("env")[1][0]
    furnished.write("requirements.txt", "# 什么也不用装\n")
    assert "已就绪" in furnished.make("env")[2]


@pytest.mark.parametrize("left", ["0", "2"])
def test_full_disk(clone, tmp_path, left):
    site = tmp_path / "full"
    site.mkdir()
    (site / "sitecustomize.py").write_text(FULL_DISK, "utf8")
    full = {"PYTHONPATH": str(site), "DISK_LEFT": left}
    code, complaints, _ = clone.make("env", **full)
    assert code != 0
    assert len(complaints) == 1
    assert "磁盘满了" in complaints[0]
    assert not (clone.root / ".venv").exists()


def test_killed_installation_starts_anew(clone):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        clone.write("requirements.txt", "a-package-that-is-not-here\n")
        index = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        install = clone.start("env", PIP_INDEX_URL=index)
        silent.settimeout(60)
        connection, _ = silent.accept()
        os.killpg(install.pid, signal.SIGKILL)
        install.wait()
        connection.close()
    half = clone.write(".venv/half", "")
    clone.write("requirements.txt", "")
    assert clone.make("env")[0] == 0
    assert not half.exists()


def test_moved_clone_gets_a_new_environment(furnished):
    half = furnished.write(".venv/old", "")
    furnished.root = furnished.root.rename(furnished.root.with_name("moved"))
    assert furnished.make("env")[0] == 0
    assert not (furnished.root / half.relative_to(half.parents[1])).exists()


@pytest.mark.parametrize("port", ["0", "http", "70000"])
def test_port_is_no_port(clone, port):
    code, complaints, _ = clone.make("serve", f"PORT={port}")
    assert code != 0
    assert "不是端口号" in complaints[0]


def test_port_in_use(clone):
    clone.write("_build/html/index.html", "")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, complaints, _ = clone.make("serve", f"PORT={port}")
    assert code != 0
    assert len(complaints) == 1
    assert f"端口 {port} 已被占用" in complaints[0]


def test_serve_shows_the_book_and_its_own_missing_page(clone):
    clone.write("_build/html/index.html", "首页")
    clone.write("_build/html/404.html", "这一页找不到")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    site = subprocess.Popen(
        ["make", "serve", f"PORT={port}"],
        cwd=clone.root,
        env=clone.environment(),
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert f":{port}/".encode() in site.stdout.readline()
        for path, status, text in [("", 200, "首页"), ("no", 404, "这一页找不到")]:
            asked = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            asked.request("GET", f"/{path}")
            answer = asked.getresponse()
            assert answer.status == status
            assert gzip.decompress(answer.read()).decode() == text
            # 改了书再看，浏览器不能拿旧的
            assert answer.headers["Cache-Control"] == "max-age=0"
            asked.close()
    finally:
        os.killpg(site.pid, signal.SIGKILL)
        site.wait()
        site.stdout.close()


def test_serve_before_the_book_is_built(clone):
    code, complaints, _ = clone.make("serve")
    assert code != 0
    assert "先运行 make book" in complaints[0]


def test_book_leaves_home_alone_and_uses_its_own_python(furnished):
    kernel = furnished.home / ".local/share/jupyter/kernels/python3/kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text('{"argv": ["false"], "display_name": "x", "language": "python"}')
    before = sorted(furnished.home.rglob("*"))
    furnished.notebook("import sys\nimport matplotlib.pyplot\nprint(sys.prefix)")
    code, complaints, _ = furnished.make("book")
    assert (code, complaints) == (0, [])
    page = (furnished.root / "_build/html/notebooks/torch/tiny.html").read_text("utf8")
    assert f"{furnished.root / '.venv'}\n" in page
    assert sorted(furnished.home.rglob("*")) == before


def test_raising_notebook_fails_every_time(furnished):
    furnished.notebook("raise RuntimeError('坏了')")
    for _ in range(2):
        code, complaints, _ = furnished.make("book")
        assert code != 0
        assert "notebooks/torch/tiny.ipynb 没有跑通" in complaints[0]
    assert not (furnished.root / "_build" / "built.json").exists()


def test_warning_in_a_notebook_is_an_error(furnished):
    furnished.notebook("import warnings\nwarnings.warn('小心')")
    code, complaints, _ = furnished.make("book")
    assert code != 0
    assert "冒出了警告" in complaints[0]


def test_broken_page_fails_every_time(furnished):
    furnished.write("book/index.md", "# 小书\n\n[不存在](nowhere.md)\n")
    for _ in range(2):
        code, complaints, _ = furnished.make("book")
        assert code != 0
        assert "nowhere.md" in complaints[0]


def test_changed_library_runs_the_notebooks_again(furnished):
    furnished.notebook("print(1)")
    assert "这次执行 1 份" in furnished.make("book")[2]
    assert "这次执行 0 份" in furnished.make("book")[2]
    furnished.write("src/tiny.py", "x = 1\n")
    assert "这次执行 1 份" in furnished.make("book")[2]


def test_killed_build_is_not_trusted(furnished):
    furnished.notebook("import time\nopen('started', 'w').close()\ntime.sleep(60)")
    build = furnished.start("book")
    started = furnished.root / "notebooks" / "torch" / "started"
    deadline = time.monotonic() + 60
    while not started.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(build.pid, signal.SIGKILL)
    build.wait()
    half = furnished.write("_build/html/index.html", "<html")
    old = furnished.write(".cache/jupyter/executed/half", "{")
    furnished.notebook("print(1)")
    assert furnished.make("book")[0] == 0
    assert half.read_text("utf8") != "<html"
    assert not old.exists()


def targets():
    """make help 列出的每一个目标。"""
    words = ["make", "-s", "--no-print-directory", "help"]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    return [line.split()[1] for line in listed.stdout.splitlines()]


@pytest.mark.parametrize("target", targets())
def test_every_target_starts_with_a_program_that_exists(target):
    # make test 自己也是 make：它留下的变量会让里面的 make 多说几句
    env = {key: v for key, v in os.environ.items() if not key.startswith("MAKE")}
    plan = subprocess.run(
        ["make", "-n", target],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert plan.returncode == 0, plan.stderr
    for line in plan.stdout.splitlines():
        words = [word for word in line.split() if "=" not in word]
        assert shutil.which(words[0], path=f"{os.environ['PATH']}:{ROOT}"), line


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_kernel_that_lost_its_port_is_started_again(monkeypatch, lost):
    """内核没有应声就换一个再来，最多三次；别的错不再试。"""
    tried = []

    def execution(notebook, **settings):
        tried.append(notebook)
        if len(tried) <= lost:
            raise RuntimeError("Kernel didn't respond in 60 seconds")
        return "结果"

    monkeypatch.setattr(notebooks, "single_nb_execution", execution)
    page = Path(__file__).resolve().parents[2] / "notebooks/torch/two_machines.ipynb"
    if lost == 3:
        with pytest.raises(RuntimeError, match="didn't respond"):
            notebooks.execute(page)
    else:
        assert notebooks.execute(page)[1] == "结果"
    assert len(tried) == min(lost + 1, 3)


def test_another_error_is_not_tried_again(monkeypatch):
    def execution(notebook, **settings):
        raise RuntimeError("别的错")

    monkeypatch.setattr(notebooks, "single_nb_execution", execution)
    page = Path(__file__).resolve().parents[2] / "notebooks/torch/two_machines.ipynb"
    with pytest.raises(RuntimeError, match="别的错"):
        notebooks.execute(page)


def test_changed_data_is_read_again(tmp_path, monkeypatch):
    """格子没有变，写着名字的数据变了：缓存里的一次不算；别的数据变了，照样算。"""
    for module in (notebooks, workplace):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    read, other = tmp_path / "benchmarks/peers.json", tmp_path / "book/_data/calls.yaml"
    for file in (read, other):
        file.parent.mkdir(parents=True)
        file.write_text("1", "utf8")
    page = tmp_path / "book/speed.md"
    page.write_text('json.load(open("../benchmarks/peers.json"))', "utf8")
    ran = {"finished": "2026-11-30", "data_read": notebooks.data_read(page)}
    cache = SimpleNamespace(match_cache_notebook=lambda _: SimpleNamespace(data=ran))
    assert notebooks.cached_run(cache, page) == ran
    other.write_text("2", "utf8")
    assert notebooks.cached_run(cache, page) == ran
    read.write_text("2", "utf8")
    assert notebooks.cached_run(cache, page) is None


def test_the_longest_notebook_goes_first():
    """没有量过的当作最长；都没有量过就照书的次序。"""
    names = ["notebooks/torch/a.ipynb", "book/b.md", "book/new.md", "book/c.md"]
    paths = [ROOT / name for name in names]
    a, b, new, c = paths
    seconds = {names[0]: 3.0, names[1]: 58.7, names[3]: 20.0}
    assert notebooks.longest_first(paths, seconds) == [new, b, c, a]
    assert notebooks.longest_first(paths, {}) == paths


@pytest.mark.parametrize(
    "name", ["_toc.yml", "book/_static/site.css", "book/_data/synonyms.yml"]
)
def test_what_every_page_is_made_of_makes_them_again(name, tmp_path, monkeypatch):
    """只改样式、脚本、同义词，没有一页的正文变过：页面也要重做，不然还是旧的。"""
    monkeypatch.setattr(workplace, "ROOT", tmp_path)
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("旧", "utf8")
    before = workplace.settings()
    path.write_text("新", "utf8")
    assert workplace.settings() != before


def test_code_beside_a_page_counts_as_the_library(tmp_path, monkeypatch):
    monkeypatch.setattr(workplace, "ROOT", tmp_path)
    for name in ("requirements.txt", "pyproject.toml", "src/a.py", "book/b/c.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1", "utf8")
    before = workplace.library()
    (tmp_path / "book/b/c.py").write_text("2", "utf8")
    assert workplace.library() != before
