"""坏运气：每一种都真的来一次，每一种在表里都有一行；附录「状态」由这张表生成。

挂载小磁盘、只读的家目录都在自己的挂载命名空间里做，进程一结束就什么也不剩；
机器不许挂载时，这几个测试跳过，并说明原因；持续集成里不许跳过。
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
from capabilities import unshared
from clones import SETTINGS

from tools.build.status import fault_list
from tools.build.workplace import BUILD

TESTS = Path(__file__).parents[1]
# 坏运气、结果、哪个测试；tools/build/status.py 按字面读这张表
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
        "笔记本与页面都重来，书与从没出过事的逐字节相同",
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
        "记录里混进说谎的行（NaN、超出范围、两次的键、被改过的设置）",
        "逐行说出原因，报告不算它，每条命令都说有几行",
        "test_lying_records.py::test_a_report_does_not_count_bad_lines_and_says_how_many",
    ),
    (
        "记录的位置上是文件夹、管道或断了的链接",
        "一句话，什么也不打开",
        "test_lying_records.py::test_what_is_no_file_is_one_sentence",
    ),
    (
        "记录里有一行 100 MB",
        "不去解析，别的行照算",
        "test_lying_records.py::test_a_line_of_a_hundred_megabytes_is_not_even_parsed",
    ),
    (
        "`study.yaml` 里有锚点炸弹、套着自己的锚点、写错的标签、五百万粒种子",
        "带行号的一句话，很快",
        "test_hostile_studies.py::test_a_strange_study_is_one_sentence_with_its_line",
    ),
    (
        "记录里动了几个字节、换了几处、少了几处",
        "读得通，或者是一句我们自己的话",
        "test_fuzz.py::test_a_spoiled_record_is_read_or_named",
    ),
    (
        "`study.yaml` 少了几行、重了几行、插进几个字",
        "读得通，或者是带行号的一句话，从不挂住",
        "test_fuzz.py::test_a_spoiled_study_is_read_or_told",
    ),
    (
        "研究、训练在随机的时刻被杀，一次又一次",
        "不丢、不重、不撕破，做完与没有打断的一样，两翼都是",
        "test_kills.py::test_killed_at_random_moments",
    ),
    (
        "权重文件里同一个名字写了两次，或有一百维的一项",
        "点名拒收，模型一位不变",
        "test_interop.py::test_a_strange_header_is_one_sentence",
    ),
    (
        "权重里混进 NaN、无穷、复数、整数、装不下的数",
        "逐项点名，什么也不写入",
        "test_interop.py::test_the_same_from_a_file",
    ),
    (
        "权重文件随手弄乱",
        "读得对，或者一句话而模型不变",
        "test_properties_files.py::test_every_weight_file",
    ),
    (
        "检查点里的曲线长短不一，或套了十万层括号",
        "一句话，说怎么办",
        "test_training.py::test_a_checkpoint_with_strange_curves_is_said",
    ),
    (
        "检查点的位置上是管道",
        "一句话，不挂住",
        "test_training.py::test_a_pipe_in_place_of_a_checkpoint_does_not_hang",
    ),
    (
        "预训练权重旁边的 `config.json` 里有 NaN、文字、四百位的数",
        "一句话，不拿它去归一化",
        "test_pretrained.py::test_a_broken_recipe_is_one_sentence",
    ),
    (
        "几千字节的 pickle 要展开成几十亿个元素",
        "不占内存就拒绝，不执行里面的任何东西",
        "test_cifar10.py::test_pickles_that_would_fill_the_memory_are_refused",
    ),
    (
        "压缩包里的成员有两份、太多、太大",
        "点名拒绝，不占内存",
        "test_cifar10.py::test_archives_that_would_fill_the_memory_are_refused",
    ),
    (
        "随手放的图片文件夹：管道、设备、断链、怪名字",
        "数得对，或者逐个点名；不挂住",
        "test_properties_files.py::test_every_folder_of_pictures",
    ),
    (
        "参数与输入随手改掉一两处",
        "算得出有限的数，或者一句我们自己的话，两翼的每个类都是",
        "test_properties.py::test_every_class",
    ),
    (
        "特征图的数大到一平方就装不下",
        "SimAM 的门照样算得对",
        "test_precision.py::test_simam_answers_when_a_square_does_not_fit",
    ),
    (
        "家目录只读",
        "书照样造成；仓库之外，除了用完就删的临时文件，什么也不写",
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
        "一句话；原有的书不再算数，腾出空间就成，页面是新的",
        "test_faults.py::test_full_disk_for_the_book",
    ),
    (
        "存检查点、追加记录时磁盘满",
        "说明原因；旧的检查点与每条完整的记录都还在",
        "test_faults.py::test_full_disk_for_a_checkpoint_and_records",
    ),
    (
        "写检查点时按下 Ctrl-C",
        "不留半个检查点",
        "test_training.py::test_ctrl_c_leaves_no_half_checkpoint",
    ),
    (
        "训练到一半发散（出现无穷或 NaN）",
        "停在那一步，说出学习率；坏的权重不会写进检查点，两翼说同一句话",
        "test_training.py::test_divergence_never_reaches_the_checkpoint",
    ),
    (
        "自己的图片里有断了的链接、管道、损坏的与太大的文件",
        "一次列全，各说各的原因，不会卡住",
        "test_folder.py::test_strange_files_are_named_none_hangs_and_all_are_counted",
    ),
    (
        "一个类的文件夹是断了的链接",
        "点出它来，不会悄悄少一类",
        "test_folder.py::test_a_class_behind_a_broken_link_is_not_forgotten",
    ),
    (
        "存放结果的路径认不出是谁的家目录，或者太长",
        "一句话，什么也不建",
        "test_cli.py::test_a_folder_that_cannot_be_is_said_in_chinese",
    ),
]
MAKE_NOISE = "import time\nopen('started', 'a').write('x')\n"
TRAIN = "train --steps 2 --n-train 50 --eval-every 2 --quiet --out results --name one"


# 说明这张表的测试，不是坏运气
ABOUT_THE_TABLE = {
    "test_every_line_has_its_test",
    "test_every_test_here_has_its_line",
    "test_status_page_shows_every_line",
}


@pytest.fixture(scope="module")
def inside():
    """一个函数：在自己的挂载命名空间里执行一段 sh，返回结果。"""
    probe = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", "/tmp"]
    if (prefix := unshared("-m", *probe)) is None:
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
        (path,) = TESTS.rglob(name)
        tree = ast.parse(path.read_text("utf8"))
        assert function in {getattr(node, "name", "") for node in tree.body}, test


def test_every_test_here_has_its_line():
    tree = ast.parse(Path(__file__).read_text("utf8"))
    written = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    listed = {test.partition("::")[2] for _, _, test in FAULTS if __name__ in test}
    assert written == listed | ABOUT_THE_TABLE


def test_status_page_shows_every_line():
    page = (BUILD / "status" / "faults.md").read_text("utf8")
    assert page == fault_list() + "\n", "书比这张表旧：先 make book"
    for what, seen, test in FAULTS:
        assert f"{what}\n: {seen}。" in page
        assert test.replace("_", "&#95;<wbr>").replace("::", "::<wbr>") in page


# 记下每个 Python 进程在仓库之外写的、建的、改名的、删的；字节码缓存不算
WATCH = """
import os, stat, sys
root, seen = {root!r}, {seen!r}
CHANGES = ("os.mkdir", "os.rename", "os.link", "os.symlink", "os.truncate",
           "os.remove", "os.rmdir", "sqlite3.connect")

def note(line):
    handle = os.open(seen, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(handle, (line + chr(10)).encode())
    os.close(handle)

def plain(path):
    # 设备写了也不留下什么；文件夹已经有了，再建等于没有建
    kind = os.stat(path).st_mode if os.path.exists(path) else stat.S_IFREG
    return stat.S_ISREG(kind)

def watch(event, arguments):
    if event == "open":
        names = arguments[:1] if arguments[2] & (os.O_WRONLY | os.O_RDWR) else ()
    else:
        names = arguments[:2] if event in CHANGES else ()
    for name in names:
        if isinstance(name, int) or name == ":memory:":
            continue
        path = os.path.abspath(os.fsdecode(name))
        inside = path.startswith(root + os.sep)
        if not inside and "__pycache__" not in path and plain(path):
            note(event + " " + path)

note("process " + " ".join(sys.orig_argv[1:3]))
sys.addaudithook(watch)
"""


def watched(clone):
    """让小仓库里的每个 Python 进程都记下它在仓库之外写了什么；返回环境与那份记录。"""
    temporary, seen = clone.home.with_name("temporary"), clone.root / "seen.txt"
    temporary.mkdir()
    text = WATCH.format(root=str(clone.root), seen=str(seen))
    # 先启动的那个 Python 不在 .venv 里，构建又会拿掉 PYTHONPATH：两处都放
    outer = clone.write("watch/sitecustomize.py", text).parent
    site = next((clone.root / ".venv").glob("lib/python*/site-packages"))
    (site / "watch_writes.py").write_text(text, "utf8")
    (site / "watch_writes.pth").write_text("import watch_writes\n", "utf8")
    extra = {"PYTHONPATH": str(outer), "TMPDIR": str(temporary)}
    return clone.environment(**extra), seen, temporary


def test_read_only_home_builds_the_book(inside, furnished):
    uses = "import tempfile\nimport matplotlib.pyplot\n"
    furnished.notebook(f"{uses}with tempfile.TemporaryFile():\n    print(1)")
    env, seen, temporary = watched(furnished)
    script = 'mount -t tmpfs -o ro,size=4k none "$HOME"; ! touch "$HOME/x" && make book'
    done = inside(script, env, furnished.root)
    assert (done.returncode, complaints(done)) == (0, []), done.stdout
    assert (furnished.root / "_build/html/notebooks/torch/tiny.html").exists()
    lines = seen.read_text("utf8").splitlines()
    for program in ("tools.course", "tools.build.notebooks", "ipykernel"):
        assert any("process " in line and program in line for line in lines), program
    writes = {line for line in lines if not line.startswith("process ")}
    assert {line for line in writes if str(temporary) not in line} == set()
    assert writes, "内核里的临时文件没有看见：这里什么也看不见"
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("wing", ["torch", "paddle"])
def test_read_only_home_trains(inside, wing, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    mount = 'mount -t tmpfs -o ro,size=4k none "$HOME"; ! touch "$HOME/x"'
    script = f"{mount} && exec {' '.join(command(wing))}"
    done = inside(script, training(HOME=str(home)), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "model.safetensors" in trained(tmp_path)


# 指向建不了的地方，平时由下面的训练看；造书的这一次 make matrix 才做
NOWHERE = pytest.param("/dev/null/home", marks=pytest.mark.matrix)


@pytest.mark.parametrize("home", [None, NOWHERE])
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


# 写第二页时停住，等着被杀
STALL = """
import time
from pathlib import Path

def wait(app, page, *_):
    if page == "notebooks/torch/tiny" and Path("stall").exists():
        Path("stalled").touch()
        time.sleep(600)

def setup(app):
    app.connect("html-page-context", wait)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
"""


def pages(clone):
    """造好的书：每个文件与它的内容。"""
    site = clone.root / "_build" / "html"
    files = (path for path in site.rglob("*") if path.is_file())
    return {str(path.relative_to(site)): path.read_bytes() for path in files}


def test_killed_while_pages_are_made(furnished):
    furnished.notebook("print(1)")
    extension = "sphinx: {local_extensions: {stall: tools/site/ext}}\n"
    furnished.write("_config.yml", SETTINGS + extension)
    furnished.write("tools/site/ext/stall.py", STALL)
    assert furnished.make("book")[:2] == (0, [])
    untouched = pages(furnished)
    for folder in ("_build", ".cache"):
        shutil.rmtree(furnished.root / folder)
    stall = furnished.write("stall", "")
    build = furnished.start("book")
    wait_for((furnished.root / "stalled").exists)
    os.killpg(build.pid, signal.SIGKILL)
    build.wait()
    stall.unlink()
    assert not (furnished.root / "_build" / "built.json").exists()
    # 再晚一步就会这样：一页只写了一半，另有一页是这次不会再写的
    page = furnished.root / "_build" / "html" / "book" / "index.html"
    page.write_bytes(page.read_bytes()[:1000])
    page.with_name("gone.html").write_text("<html", "utf8")
    code, said, screen = furnished.make("book")
    assert (code, said) == (0, [])
    assert "这次执行 1 份" in screen
    again = pages(furnished)
    assert again.keys() == untouched.keys()
    assert {name for name in again if again[name] != untouched[name]} == set()


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


def fails(command):
    """返回一段 sh：命令要是成了，就以 9 退出；set -e 不管 ! 开头的命令。"""
    return f"if {command}; then exit 9; fi"


def test_full_disk_for_the_environment(inside, clone):
    retry = 'mount -o remount,size=200m none "$PWD"; make env'
    nothing = "test ! -e .venv; echo nothing-left"
    script = on_small_disk(clone, "4m", f"{fails('make env')}; {nothing}; {retry}")
    done = inside(script, clone.environment(), clone.root)
    assert done.returncode == 0, done.stderr
    assert "nothing-left" in done.stdout
    assert len(complaints(done)) == 1
    assert "磁盘满了" in complaints(done)[0]


@pytest.mark.parametrize("left", [0, 200])
def test_full_disk_for_the_book(inside, furnished, left):
    furnished.notebook("print('old' + 'page')")
    page, record = "_build/html/notebooks/torch/tiny.html", "test -e _build/built.json"
    old = f"make book; {record}; grep -q oldpage {page}"
    # 新写的一页比剩下的 200 KB 大：笔记本执行得完，页面写不完
    more = "yes words | head -c 400000 >> book/index.md"
    change = f"sed -i s/old/new/ notebooks/torch/tiny.ipynb; {more}"
    fill = "cat /dev/zero > filler 2>&- || true"
    free = f"truncate -s -{left}k filler" if left else "true"
    full = f"{fill}; {free}; {fails('make book')}; {fails(record)}; echo not-built"
    new = f"rm filler; make book; {record}; grep -q newpage {page}"
    steps = [old, change, full, new, fails(f"grep -q oldpage {page}"), "echo made-it"]
    script = on_small_disk(furnished, "60m", "; ".join(steps))
    done = inside(script, furnished.environment(), furnished.root)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert done.stdout.index("not-built") < done.stdout.index("made-it")
    assert len(complaints(done)) == 1
    assert "磁盘满了" in complaints(done)[0]


STORE = """
import os, sys
from pathlib import Path
import numpy as np
from vision_attention.storage import records
from vision_attention.training import snapshots
from vision_attention.training.history import History
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
