"""坏运气：每一种都真的来一次，每一种在表里都有一行；附录「状态」由这张表生成。

挂载小磁盘、只读的家目录都在自己的挂载空间里做，进程一结束就什么也不剩；
机器不许挂载时，这几个测试跳过，并说明原因。
"""

import ast
import hashlib
import http.server
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest
from status import fault_list
from workplace import BUILD

TESTS = Path(__file__).parent
# 坏运气、结果、哪个测试；tools/status.py 按字面读这张表
FAULTS = [
    (
        "造书到一半被杀（`kill -9`）",
        "下次从头再来，半成品不算数",
        "test_build.py::test_killed_build_is_not_trusted",
    ),
    (
        "装依赖到一半被杀",
        "下次重造 `.venv`",
        "test_build.py::test_killed_installation_starts_anew",
    ),
    (
        "生成页面时被杀",
        "笔记本与页面都重来，书与从没出过事的一样",
        "test_faults.py::test_killed_while_pages_are_made",
    ),
    (
        "写检查点时被杀",
        "接着上一个完整的检查点，结果逐位相同",
        "test_training.py::test_killed_while_writing_a_checkpoint",
    ),
    (
        "研究跑到一半被杀",
        "只丢正在跑的那几次，记录没有半行",
        "test_studies.py::test_stopped_runner_loses_only_the_runs_in_flight",
    ),
    (
        "家目录只读",
        "书照样造成；仓库之外什么也不写",
        "test_faults.py::test_read_only_home_builds_the_book",
    ),
    (
        "家目录只读时训练",
        "照样训练、存下结果，两翼都是",
        "test_faults.py::test_read_only_home_trains",
    ),
    (
        "没有家目录（`HOME` 未设，或指向建不了的地方）",
        "书照样造成",
        "test_faults.py::test_no_home_builds_the_book",
    ),
    (
        "没有家目录时训练",
        "照样训练、存下结果，两翼都是",
        "test_faults.py::test_no_home_trains",
    ),
    (
        "两个 `make book` 同时",
        "后来的等前一个，笔记本只执行一次，两个都成功",
        "test_faults.py::test_two_builds_at_once",
    ),
    (
        "两个进程同时下载数据",
        "只下载一次",
        "test_cifar10.py::test_two_processes_download_once",
    ),
    (
        "两个进程同时跑一份研究",
        "分着跑，记录不重",
        "test_studies.py::test_two_runners_share_the_work_and_repeat_nothing",
    ),
    (
        "第一次装依赖就没有网",
        "一句话，不留半个环境",
        "test_build.py::test_no_network_on_the_first_run",
    ),
    (
        "装依赖下载到一半断网",
        "一句话，不留半个环境；网好了再来一次就成",
        "test_faults.py::test_network_lost_in_the_middle_of_an_installation",
    ),
    (
        "数据下载到一半断网",
        "留下已收到的，下次从断处接着下",
        "test_cifar10.py::test_cut_download_leaves_a_part_and_resumes",
    ),
    (
        "装依赖时磁盘满",
        "一句话，不留半个环境；腾出空间就成",
        "test_faults.py::test_full_disk_for_the_environment",
    ),
    (
        "造书时磁盘满",
        "一句话；腾出空间就成，旧的页面不冒充新的",
        "test_faults.py::test_full_disk_for_the_book",
    ),
    (
        "存检查点、追加记录时磁盘满",
        "说明原因；旧的检查点与每条完整的记录都还在",
        "test_faults.py::test_full_disk_for_a_checkpoint_and_records",
    ),
]
MAKE_NOISE = "import time\nopen('started', 'a').write('x')\n"
TRAIN = "train --steps 2 --n-train 50 --eval-every 2 --quiet --out results --name one"


def mounting():
    """返回在自己的挂载空间里执行命令的前缀；不许就是 None。"""
    root = os.geteuid() == 0
    prefix = ["unshare", "-m"] if root else ["unshare", "-r", "-m"]
    try_it = [*prefix, "mount", "-t", "tmpfs", "-o", "size=64k", "none", "/tmp"]
    try:
        done = subprocess.run(try_it, check=False, capture_output=True)
    except FileNotFoundError:
        return None
    return prefix if done.returncode == 0 else None


@pytest.fixture(scope="module")
def inside():
    """一个函数：在自己的挂载空间里执行一段 sh，返回结果。"""
    if (prefix := mounting()) is None:
        pytest.skip("这台机器不许挂载（要 root 或 user namespace），真的小磁盘做不出来")

    def run(script, env, folder):
        words = [*prefix, "sh", "-c", script]
        options = {"cwd": folder, "env": env, "capture_output": True, "text": True}
        return subprocess.run(words, check=False, **options)

    return run


def complaints(done):
    """返回“✗”开头的那些行；出现过 Traceback 就是错。"""
    assert "Traceback" not in done.stderr, done.stderr
    return [line for line in done.stderr.splitlines() if line[:1] == "✗"]


def training(**extra):
    """训练用的环境：没有任何指向别处的缓存文件夹。"""
    foreign = ("XDG_", "MPL", "IPYTHON", "JUPYTER")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    kept.pop("HOME")
    return {**kept, "OMP_NUM_THREADS": "1", **extra}


def trained(folder):
    """训练真的留下了结果。"""
    return sorted(path.name for path in (folder / "results" / "one").iterdir())


def command(wing):
    """返回训练两步的命令。"""
    program = Path(sys.executable).with_name("vision-attention")
    return [str(program), *TRAIN.split(), "--framework", wing]


def test_every_line_has_its_test():
    for _, _, test in FAULTS:
        name, _, function = test.partition("::")
        tree = ast.parse((TESTS / name).read_text("utf8"))
        assert function in {getattr(node, "name", "") for node in tree.body}, test


def test_every_test_here_has_its_line():
    tree = ast.parse(Path(__file__).read_text("utf8"))
    written = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    about_the_table = {name for name in written if "line" in name or "page" in name}
    about_the_table -= {"test_killed_while_pages_are_made"}
    listed = {test.partition("::")[2] for _, _, test in FAULTS if __name__ in test}
    assert written - about_the_table == listed


def test_status_page_shows_every_line():
    page = (BUILD / "status" / "faults.md").read_text("utf8")
    assert page == fault_list() + "\n", "书比这张表旧：先 make book"
    for what, seen, test in FAULTS:
        assert f"{what}\n: {seen}。" in page
        assert test.replace("_", "&#95;<wbr>").replace("::", "::<wbr>") in page


def test_read_only_home_builds_the_book(inside, furnished):
    furnished.notebook("import matplotlib.pyplot\nprint(1)")
    script = 'mount -t tmpfs -o ro,size=4k none "$HOME"; ! touch "$HOME/x" && make book'
    done = inside(script, furnished.environment(), furnished.root)
    assert (done.returncode, complaints(done)) == (0, []), done.stdout
    assert (furnished.root / "_build/html/notebooks/torch/tiny.html").exists()


@pytest.mark.parametrize("wing", ["torch", "paddle"])
def test_read_only_home_trains(inside, wing, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    mount = 'mount -t tmpfs -o ro,size=4k none "$HOME"; ! touch "$HOME/x"'
    script = f"{mount} && exec {' '.join(command(wing))}"
    done = inside(script, training(HOME=str(home)), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "model.safetensors" in trained(tmp_path)


@pytest.mark.parametrize("home", [None, "/dev/null/home"])
def test_no_home_builds_the_book(furnished, home):
    furnished.notebook("import matplotlib.pyplot\nprint(1)")
    env = furnished.environment()
    env.pop("HOME")
    env |= {"HOME": home} if home else {}
    words = ["make", "book"]
    done = subprocess.run(
        words, cwd=furnished.root, env=env, check=False, capture_output=True, text=True
    )
    assert (done.returncode, complaints(done)) == (0, []), done.stdout
    assert (furnished.root / "_build/html/notebooks/torch/tiny.html").exists()


@pytest.mark.parametrize(
    ("wing", "home"), [("torch", None), ("paddle", "/dev/null/home")]
)
def test_no_home_trains(wing, home, tmp_path):
    env = training(**({"HOME": home} if home else {}))
    options = {"cwd": tmp_path, "env": env, "capture_output": True, "text": True}
    done = subprocess.run(command(wing), check=False, **options)
    assert done.returncode == 0, done.stderr
    assert "model.safetensors" in trained(tmp_path)


def wait_for(condition, seconds=300):
    """等到条件成立，最多这么多秒。"""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "等得太久"
        time.sleep(0.05)


def test_two_builds_at_once(furnished, tmp_path):
    waits = "while not os.path.exists('go'):\n    time.sleep(0.05)\nprint(1)"
    furnished.notebook(f"import os, {MAKE_NOISE.removeprefix('import ')}{waits}")
    notebooks = furnished.root / "notebooks" / "torch"
    options = {"cwd": furnished.root, "env": furnished.environment()}
    said = [tmp_path / "first", tmp_path / "second"]
    builds = []
    for path, seen in zip(said, ("started", None), strict=True):
        with path.open("w") as screen:
            build = subprocess.Popen(["make", "book"], stdout=screen, **options)
        builds.append(build)
        wait_for(lambda: not seen or (notebooks / "started").exists())  # noqa: B023
    wait_for(lambda: "另一个 make 正在这里构建" in said[1].read_text("utf8"))
    (notebooks / "go").touch()
    assert [build.wait(300) for build in builds] == [0, 0]
    assert (notebooks / "started").read_text() == "x"
    assert "这次执行 1 份" in said[0].read_text("utf8")
    assert "这次执行 0 份" in said[1].read_text("utf8")


def test_killed_while_pages_are_made(furnished):
    furnished.notebook("print(1)")
    build = furnished.start("book")
    wait_for((furnished.root / "_build" / ".doctrees").exists)
    os.killpg(build.pid, signal.SIGKILL)
    build.wait()
    assert not (furnished.root / "_build" / "built.json").exists()
    assert "这次执行 1 份" in furnished.make("book")[2]


class Index:
    """本机的软件源：一个包；flaky 时发到一半就断开。"""

    def __init__(self, folder):
        self.flaky, self.cuts = True, 0
        wheel = folder / "tiny_dependency-1.0-py3-none-any.whl"
        info = "tiny_dependency-1.0.dist-info"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("tiny_dependency.py", "# " + "x" * 300_000)
            head = "Metadata-Version: 2.1\nName: tiny-dependency\nVersion: 1.0\n"
            archive.writestr(f"{info}/METADATA", head)
            tag = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            archive.writestr(f"{info}/WHEEL", tag)
            archive.writestr(f"{info}/RECORD", "")
        self.body = wheel.read_bytes()
        digest = hashlib.sha256(self.body).hexdigest()
        self.page = f'<a href="/{wheel.name}#sha256={digest}">{wheel.name}</a>'.encode()
        index = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                index.answer(self)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/simple"
        serve = self.server.serve_forever
        threading.Thread(target=serve, args=(0.01,), daemon=True).start()

    def answer(self, handler):
        """目录页给全；包在 flaky 时只给一半。"""
        wheel = handler.path.endswith(".whl")
        body = self.body if wheel else self.page
        kind = "application/octet-stream" if wheel else "text/html"
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        cut = wheel and self.flaky
        self.cuts += cut
        handler.wfile.write(body[: len(body) // 2] if cut else body)


@pytest.fixture
def index(tmp_path):
    """一个会在半路断开的软件源。"""
    index = Index(tmp_path)
    yield index
    index.server.shutdown()
    index.server.server_close()


def test_network_lost_in_the_middle_of_an_installation(clone, index):
    clone.write("requirements.txt", "tiny-dependency\n")
    source = {"PIP_INDEX_URL": index.url, "NO_PROXY": "127.0.0.1"}
    code, said, _ = clone.make("env", **source)
    assert index.cuts
    assert code != 0
    assert len(said) == 1
    assert "下载到一半断了" in said[0]
    assert not (clone.root / ".venv").exists()
    index.flaky = False
    assert clone.make("env", **source)[0] == 0
    assert list((clone.root / ".venv").rglob("tiny_dependency.py"))


def on_small_disk(clone, size, script):
    """返回一段 sh：把小仓库搬到一块这么大的真磁盘上，在里面执行 script。"""
    copy = clone.root.with_name("copy")
    shutil.copytree(clone.root, copy, symlinks=True)
    mount = f'mount -t tmpfs -o size={size} none "$PWD" && cp -a {copy}/. "$PWD"'
    return f'set -e; {mount}; cd "$PWD"; {script}'


def test_full_disk_for_the_environment(inside, clone):
    retry = 'mount -o remount,size=200m none "$PWD"; make env'
    script = on_small_disk(
        clone, "4m", f"! make env; ! test -e .venv; echo nothing-left; {retry}"
    )
    done = inside(script, clone.environment(), clone.root)
    assert done.returncode == 0, done.stderr
    assert "nothing-left" in done.stdout
    assert len(complaints(done)) == 1
    assert "磁盘满了" in complaints(done)[0]


@pytest.mark.parametrize("left", [0, 200])
def test_full_disk_for_the_book(inside, furnished, left):
    furnished.notebook("print(1)")
    fill = "cat /dev/zero > filler 2>&- || true"
    free = f"truncate -s -{left}k filler; " if left else ""
    again = "rm filler; make book && test -e _build/built.json && echo made-it"
    full = f"{fill}; {free}! make book; ! test -e _build/built.json; {again}"
    script = on_small_disk(furnished, "60m", full)
    done = inside(script, furnished.environment(), furnished.root)
    assert done.returncode == 0, done.stderr
    assert "made-it" in done.stdout
    assert len(complaints(done)) == 1
    assert "磁盘满了" in complaints(done)[0]


STORE = """
import os, sys
from pathlib import Path
import numpy as np
from vision_attention import records, snapshots
from vision_attention.history import History
point, lines = Path("disk/point.safetensors"), Path("disk/records.jsonl")
history = History(**{name: [] for name in History.__dataclass_fields__})
small = {"weight": np.zeros(1000, np.float32)}
large = {"weight": np.zeros(100_000, np.float32)}
snapshots.write(point, small, {"who": 1}, history)
records.append(lines, {"key": "a"})
old = point.read_bytes(), lines.read_bytes()
for attempt in (
    lambda: snapshots.write(point, large, {"who": 1}, history),
    lambda: records.append(lines, {"key": "b", "text": "x" * 500_000}),
):
    try:
        attempt()
    except OSError as error:
        print(error.errno, error)
assert (point.read_bytes(), lines.read_bytes()) == old
assert len(list(Path("disk").glob("point*"))) == 1
print(records.append(lines, {"key": "c"}))
"""


def test_full_disk_for_a_checkpoint_and_records(inside, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "store.py").write_text(STORE, "utf8")
    script = f"mount -t tmpfs -o size=100k none disk && {sys.executable} store.py"
    done = inside(script, training(HOME=str(tmp_path)), tmp_path)
    assert done.returncode == 0, done.stderr
    first, second, third = done.stdout.splitlines()
    assert first.startswith("28 ")
    assert "旧的检查点仍然完好" in first
    assert second.startswith("28 ")
    assert "已退回上一条完整的记录" in second
    assert third == "True"
