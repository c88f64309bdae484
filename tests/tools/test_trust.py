"""可信：次序随机而可重来、锁定的依赖没有过期、什么也不向外报告。"""

import functools
import http.server
import importlib
import itertools
import json
import os
import re
import subprocess
import sys
from importlib import metadata

import pytest
from capabilities import unshared
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from servers import serving

from tools.build import environment, outcomes, status
from tools.build.workplace import ROOT, StepError, workplace
from tools.deps import lock, versions

NOTEBOOKS = ROOT / "notebooks"
SPLIT = "tests/library/test_schedules.py"


def collected(seed, *where):
    """返回这个种子下测试的次序。"""
    words = [sys.executable, "-m", "pytest", "--collect-only", "-q", "--nbval"]
    words += ["--nbval-current-env", "-p", "no:cacheprovider"]
    words += [f"--randomly-seed={seed}", *where]
    options = {"cwd": ROOT, "capture_output": True, "text": True}
    done = subprocess.run(words, check=True, **options)
    return [line for line in done.stdout.splitlines() if "::" in line]


def test_order_is_random_and_can_be_repeated():
    first, again, other = (collected(seed, SPLIT) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert sorted(first) == sorted(other)


def test_cells_of_a_notebook_keep_their_order():
    wheres = (str(NOTEBOOKS), SPLIT)
    for seed in (1, 2):
        cells = [line for line in collected(seed, *wheres) if ".ipynb::" in line]
        books = [cell.partition("::")[0] for cell in cells]
        # 每一本的格子连在一起
        changes = sum(a != b for a, b in itertools.pairwise(books))
        assert changes == len(set(books)) - 1 == len(list(NOTEBOOKS.glob("*/*"))) - 1
        for book in set(books):
            own = [cell for cell in cells if cell.startswith(book)]
            numbers = [int(cell.rpartition(" ")[2]) for cell in own]
            assert numbers == list(range(len(numbers)))


def pinned():
    """返回锁里的版本：名字 → 版本，与每一个的校验和个数。"""
    text = environment.LOCK.read_text("utf8")
    pattern = r"^([\w.-]+)==(\S+)((?: \\\n +--hash=sha256:[0-9a-f]{64})+)$"
    found = re.findall(pattern, text, re.M)
    lines = [line for line in text.splitlines() if re.match(r"[\w.-]+==", line)]
    assert len(found) == len(lines), "有一行没有校验和"
    return {canonicalize_name(name): Version(version) for name, version, _ in found}


def wanted():
    """返回 requirements.txt 与 pyproject.toml 要的一切。"""
    lines = (ROOT / "requirements.txt").read_text("utf8").splitlines()
    texts = [line.partition("#")[0].strip() for line in lines]
    texts = [text for text in texts if text and not text.startswith("-")]
    block = (ROOT / "pyproject.toml").read_text("utf8")
    block = block.partition("dependencies = [")[2].partition("\n]")[0]
    return [Requirement(text) for text in texts + re.findall(r'"(.+?)"', block)]


@pytest.mark.parametrize("requirement", wanted(), ids=str)
def test_lock_satisfies_what_people_get(requirement):
    version = pinned()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version, prereleases=True)


def test_lock_holds_what_builds_this_repository_and_no_cuda():
    names = pinned()
    assert set(lock.BUILDING) <= set(names)
    assert not [name for name in names if name.startswith(("nvidia", "triton"))]
    assert "torchvision" not in names


def test_lock_starts_with_what_make_lock_writes():
    head = lock.HEAD.format(
        python="{}.{}".format(*environment.LOCKED), wheels=lock.CPU_WHEELS
    )
    text = environment.LOCK.read_text("utf8")
    assert text.startswith(head)
    assert re.match(r"[\w.-]+==", text.removeprefix(head))


def test_only_torch_comes_from_the_index_of_pytorch(monkeypatch):
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    assert lock.torch_source() == ["--torch-backend", "cpu"]
    for same in (lock.CPU_WHEELS, lock.CPU_WHEELS + "/", "", " "):
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", same)
        assert lock.torch_source() == ["--torch-backend", "cpu"]
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://mirror.example/torch")
    assert lock.torch_source() == ["--index", "https://mirror.example/torch"]
    monkeypatch.setenv("PIP_FIND_LINKS", "wheels")
    assert lock.torch_source() == ["--find-links", "wheels"]


@pytest.fixture
def lists(tmp_path):
    """两份清单的抄本：书的、Binder 的；都固定了 torch，不管仓库里此刻有没有松开。"""
    for name in lock.PINNED:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        text = (ROOT / name).read_text("utf8")
        text = re.sub(r"^torch\b\S*", "torch==1.2.3", text, flags=re.M)
        (tmp_path / name).write_text(text, "utf8")
    return tmp_path


def test_unpinned_lists_still_agree(lists, monkeypatch):
    assert lock.unpin(lists) == list(lock.PINNED)
    for name in lock.PINNED:
        text = (lists / name).read_text("utf8")
        assert re.findall(r"^torch\b\S*", text, re.M) == ["torch"]
    anywhere = importlib.import_module("test_anywhere")
    monkeypatch.setattr(anywhere, "ROOT", lists)
    anywhere.test_binder_takes_the_versions_of_the_book()


def test_unpinning_twice_changes_nothing_more(lists):
    lock.unpin(lists)
    before = [(lists / name).read_text("utf8") for name in lock.PINNED]
    assert lock.unpin(lists) == []
    assert [(lists / name).read_text("utf8") for name in lock.PINNED] == before


def test_lock_is_used_in_ci_only(monkeypatch):
    monkeypatch.setattr(environment, "LOCKED", sys.version_info[:2])
    monkeypatch.setattr(environment, "THEME_PYTHON", (3, 10))
    monkeypatch.setattr(environment.platform, "system", lambda: "Linux")
    monkeypatch.setattr(environment.platform, "machine", lambda: "x86_64")
    monkeypatch.setenv("CI", "true")
    locked, own = environment.pip_steps()
    assert locked == ["--require-hashes", "-r", "requirements.lock"]
    assert {"--no-deps", "--no-build-isolation"} < set(own)
    in_ci = environment.ready()
    monkeypatch.delenv("CI")
    assert environment.pip_steps() == [["-r", "requirements.txt"]]
    assert environment.ready() != in_ci
    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr(environment.platform, "machine", lambda: "arm64")
    assert environment.pip_steps() == [["-r", "requirements.txt"]]


def test_old_python_gets_the_theme_the_site_is_made_for(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(environment, "THEME_PYTHON", (99,))
    old = environment.ready()
    people, theme = environment.pip_steps()
    assert people == ["-r", "requirements.txt"]
    assert theme[:2] == ["--no-deps", "--ignore-requires-python"]
    locked = {f"{name}=={version}" for name, version in pinned().items()}
    assert set(theme[2:]) < locked
    assert len(theme[2:]) == len(environment.THEME)
    monkeypatch.setattr(environment, "THEME_PYTHON", (3, 10))
    assert environment.ready() != old


@pytest.mark.parametrize("name", environment.THEME)
def test_theme_is_not_older_than_the_site_is_made_for(name):
    """Python 3.10 上 pip 自己只肯装旧的一版，网站的样子、搜索与无障碍全不对。"""
    assert Version(metadata.version(name)) >= pinned()[name]


def test_wrong_hash_installs_nothing(tmp_path):
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    wheel.write_bytes(b"not what was locked")
    listing = tmp_path / "requirements.lock"
    listing.write_text(f"tiny==1.0 --hash=sha256:{'0' * 64}\n", "utf8")
    words = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-index",
        "-d",
        tmp_path / "d",
    ]
    words += ["--find-links", tmp_path, "--require-hashes", "-r", listing]
    env = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    done = subprocess.run(words, env=env, check=False, capture_output=True, text=True)
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not list((tmp_path / "d").glob("*")) if (tmp_path / "d").exists() else True


@pytest.fixture
def table(monkeypatch, tmp_path):
    """一份放在别处的记录，里面已有一条。"""
    path = tmp_path / "tried.json"
    path.write_text('{"newest": {"passed": 1}}', "utf8")
    monkeypatch.setattr(outcomes, "TRIED", path)
    return path


def shown(table, name):
    """状态页照这份记录写的一段。"""
    return status.trial_table({name: json.loads(table.read_text("utf8"))[name]})


class Quiet(http.server.SimpleHTTPRequestHandler):
    """发一个文件夹的服务器；名叫 cut 的一页发到一半就断。"""

    def do_GET(self):
        if self.path != "/cut":
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"{")

    def log_message(self, *_):
        """不说话。"""


PINS = [f"{name}=={version}" for version, name in enumerate("abcdefg", start=1)]


@pytest.fixture
def projects(monkeypatch, tmp_path):
    """本机上的 PyPI：a、b 有这一版的页，c 到 f 与 cut 只有主页；别的一问是 404。"""
    root = tmp_path / "pypi"
    holes = [{"id": "PYSEC-2"}]
    old = [{"id": "PYSEC-3", "withdrawn": "2020-01-01T00:00:00Z"}]
    pages = {"a/1": ("1", old), "b/2": ("2", holes), "c": ("9", []), "g": ("7", holes)}
    for name, (version, found) in pages.items():
        page = {"info": {"version": version}, "vulnerabilities": found}
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(json.dumps(page), "utf8")
    (root / "d").write_text("<html>", "utf8")
    (root / "f").write_text("{}", "utf8")
    serve = functools.partial(Quiet, directory=root)
    with serving(serve) as address:
        monkeypatch.setattr(lock, "PAGES", (f"{address}/{{}}/{{}}", f"{address}/{{}}"))
        yield


def test_pypi_speaks_only_for_the_locked_version(projects):
    assert lock.holes("a", "1") == []
    assert lock.holes("b", "2") == lock.holes("g", "7") == ["PYSEC-2"]
    others = [("a", "9"), ("c", "3"), *((name, "1") for name in ("d", "e", "f", "cut"))]
    assert [lock.holes(*other) for other in others] == [None] * 6


def test_audit_writes_down_what_it_could_ask(monkeypatch, table, projects):
    monkeypatch.setattr(lock, "pins", lambda: PINS)
    with pytest.raises(
        StepError, match="b 2：PYSEC-2\n  g 7：PYSEC-2\n  c：没有查到\n  d"
    ):
        lock.command_audit()
    assert json.loads(table.read_text("utf8"))["newest"] == {"passed": 1}
    text = shown(table, "audit")
    assert "7 个包：2 个有已知的漏洞，4 个没有查到 |" in text
    assert "- <code>b 2：PYSEC-2</code>" in text
    assert "没有查到的：c、d、e、f。" in text


def test_audit_never_passes_in_silence(monkeypatch, table, projects):
    monkeypatch.setattr(lock, "pins", lambda: ["c==3", "e==5"])
    with pytest.raises(StepError, match="问不到漏洞库"):
        lock.command_audit()
    assert "audit" not in json.loads(table.read_text("utf8"))
    monkeypatch.setattr(lock, "pins", lambda: ["a==1"])
    assert lock.command_audit() == 0


CASES = "<testsuites>{}</testsuites>".format(
    "".join(f'<testcase classname="t" name="{k}">{{}}</testcase>' for k in "ab")
)


def turns(monkeypatch, tmp_path, *bodies):
    """make flaky 的每一遍用写好的报告代替；None 是没有跑完的一遍。"""
    left = iter(bodies)

    def called(words, env):
        body = next(left)
        if body is not None:
            (tmp_path / "flaky.xml").write_text(CASES.format(body, ""), "utf8")
        return int(body != "")

    monkeypatch.setattr(lock, "CACHE", tmp_path)
    monkeypatch.setattr(lock, "call", called)
    monkeypatch.setenv("N", str(len(bodies)))


def test_flaky_writes_down_every_turn(monkeypatch, tmp_path, table):
    turns(monkeypatch, tmp_path, "", "")
    assert lock.command_flaky() == 0
    trial = json.loads(table.read_text("utf8"))["flaky"]
    text = status.trial_table({"flaky": trial})
    assert "2 遍各 2 个测试通过，0 个失败 |" in text
    seeds = [run["seed"] for run in trial["runs"]]
    assert f"种子 {seeds[0]}、{seeds[1]}。" in text
    noted = {"flaky": {**trial, "note": "照输出补记"}}
    assert status.trial_table(noted).endswith("。照输出补记。")


def test_flaky_writes_down_what_failed(monkeypatch, tmp_path, table):
    turns(monkeypatch, tmp_path, "", "<failure/>", "")
    with pytest.raises(StepError, match="3 遍里 1 遍不过"):
        lock.command_flaky()
    text = shown(table, "flaky")
    assert "3 遍：2 遍各 2 个测试通过，0 个失败；1 遍 1 个测试通过，1 个失败 |" in text
    assert "没有通过的：\n\n- <code>t::<wbr>a</code>" in text


def test_unfinished_or_partial_turns_are_not_written_down(monkeypatch, tmp_path, table):
    turns(monkeypatch, tmp_path, "", None)
    with pytest.raises(StepError, match="没有跑完"):
        lock.command_flaky()
    turns(monkeypatch, tmp_path, "")
    monkeypatch.setenv("SUITES", "tests/tools/test_trust.py")
    assert lock.command_flaky() == 0
    assert "flaky" not in json.loads(table.read_text("utf8"))


def test_commit_is_said_and_its_absence_too(monkeypatch, tmp_path):
    monkeypatch.setattr(outcomes, "ROOT", tmp_path)
    monkeypatch.setattr(outcomes, "TRIED", tmp_path / "tried.json")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert outcomes.commit() == ""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for name in ("tried.json", "a.txt"):
        (tmp_path / name).write_text("{}", "utf8")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "a"]):
        subprocess.run([*git, *words], cwd=tmp_path, check=True)
    clean = outcomes.commit()
    assert re.fullmatch("[0-9a-f]{7,}", clean)
    outcomes.record("audit", {}, clean)
    assert outcomes.commit() == clean
    (tmp_path / "a.txt").write_text("b", "utf8")
    assert outcomes.commit() == f"{clean}-dirty"


def test_trial_runs_tests_that_exist():
    assert all((ROOT / name).exists() for name in versions.suites())


def test_trial_counts_what_pytest_reports(tmp_path):
    path = tmp_path / "report.xml"
    case = '<testcase classname="t" name="{}">{}</testcase>'
    bodies = ["", "", "<failure/>", "<error/>", "<skipped/>"]
    cases = "".join(case.format(k, body) for k, body in enumerate(bodies))
    path.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>", "utf8")
    counted = {"passed": 2, "failed": 2, "skipped": 1, "names": ["t::2", "t::3"]}
    assert outcomes.outcome(path) == counted


# 状态页 ---------------------------------------------------------------------------
RUN = {
    "seconds": 12.34,
    "cached": True,
    "finished": "2026-01-02T03:04:05+00:00",
    "versions": {"python": "3.11.7", "torch": "2.13.0"},
    "machine": "两核",
}


def test_status_shows_the_execution_and_not_the_cache_hit():
    text = status.notebook_tables({"notebooks/torch/cbam.ipynb": RUN})
    assert "| {doc}`/notebooks/torch/cbam` | 12.3 | 2026-01-02 03:04 |" in text
    assert "Python 3.11.7，PyTorch 2.13.0。机器：两核。" in text


def test_status_separates_machines_and_versions():
    other = {**RUN, "machine": "四核"}
    text = status.notebook_tables({"book/a.md": RUN, "book/b.md": other, "c/d.md": RUN})
    assert [line[-3:-2] for line in text.splitlines() if "{doc}" in line] == list("121")


def test_unchanged_status_is_not_written_again(monkeypatch, tmp_path):
    monkeypatch.setattr(status, "TABLES", tmp_path)
    status.write_tables({"book/a.md": RUN})
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert set(before) == {"notebooks.md", "tried.md", "faults.md"}
    status.write_tables({"book/a.md": RUN})
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert after == before


def test_figures_of_hostile_input_and_of_kills_are_told():
    counts = {"cases": 10_000, "right": 4000, "said": 5999, "hung": 0, "raw": 1}
    text = status.fuzz_said({**counts, "silent": 0, "ran": 0, "bad": []})
    assert text == (
        "10,000 例：4,000 例算得出，5,999 例是一句话；0 例挂住，1 例是原话，"
        "0 例悄悄给出 NaN 或无穷，0 例执行代码或写到外面"
    )
    rounds = {"study": [20, 55], "torch": [20, 61], "paddle": [20, 48]}
    assert status.kills_said({**rounds, "bad": []}) == (
        "研究 20 轮杀 55 次，PyTorch 训练 20 轮杀 61 次，"
        "PaddlePaddle 训练 20 轮杀 48 次；都与没有打断的一样"
    )


def test_versions_never_tried_are_said_so():
    assert "还没有跑过" in status.trial_table({})
    done = {"passed": 5, "failed": 0, "skipped": 1, "finished": RUN["finished"]}
    done |= {"versions": {"torch": "2.4.0"}, "machine": "两核", "names": ["t::a"]}
    text = status.trial_table({"lowest": done})
    assert "5 个测试通过，0 个失败，1 个跳过" in text
    assert "PyTorch 2.4.0。机器：两核。" in text
    assert "没有通过的：\n\n- <code>t::<wbr>a</code>" in text


def test_machine_says_no_host_name():
    assert os.uname().nodename not in outcomes.machine()


# 什么也不向外报告 -----------------------------------------------------------------
WATCH = """
import fcntl, socket, struct, sys
HOSTS = []
def watch(event, arguments):
    if event == "socket.connect" and arguments[0].family != socket.AF_UNIX:
        host = str(arguments[1][0])
        if not (host.startswith("127.") or host == "::1"):
            HOSTS.append(f"connect {arguments[1]}")
    if event == "socket.getaddrinfo" and arguments[0] not in (None, "", "localhost",
        "127.0.0.1", "::1"):
        HOSTS.append(f"lookup {arguments[0]}")
sys.addaudithook(watch)
def counters():
    '''此刻这个网络命名空间里，因为没有路而发不出去的包；含 C++ 里发的。'''
    total = 0
    rows = [line.split() for line in open("/proc/self/net/snmp") if line[:3] == "Ip:"]
    total += int(rows[1][rows[0].index("OutNoRoutes")])
    for line in open("/proc/self/net/snmp6"):
        if line.startswith("Ip6OutNoRoutes"):
            total += int(line.split()[1])
    return total
if sys.argv[1] == "alone":
    with socket.socket() as link:
        request = struct.pack("16sh14x", b"lo", 1)
        fcntl.ioctl(link, 0x8914, request)
before = counters()
"""
REPORT = """
lost = counters() - before if sys.argv[1] == "alone" else 0
assert not HOSTS and not lost, (HOSTS, lost)
print("安静")
"""
RUNS = {
    "ground": "import vision_attention.data as d; d.load('digits', n_train=50)\n"
    "from vision_attention import plots; plots.use_style()",
    "roof": "import vision_attention.studies, vision_attention.interop",
    "download": "from vision_attention.data import cifar10, download",
    "ray": "import vision_attention.studies.running.cluster, ray",
    **{
        f"train-{wing}": f"sys.argv[1:2] = []\nsys.argv[1:] = ['train', '--steps', '2',"
        f"'--n-train', '50', '--framework', '{wing}', '--quiet', '--out', '.']\n"
        "from vision_attention.cli import app\ntry:\n    app()\n"
        "except SystemExit as done:\n    assert not done.code, done.code"
        for wing in ("torch", "paddle")
    },
}


def alone():
    """返回在一个没有网络的空间里执行命令的前缀；不许就是空表。"""
    return unshared("-n", "true") or []


def quiet(code, folder):
    """执行一段代码：有没有找过别的机器。能隔开网络就连 C++ 里的也数。"""
    prefix = alone()
    how = "alone" if prefix else "plain"
    code = f"{WATCH}\nhow = sys.argv[1]\n{code}\nsys.argv[1:] = [how]\n{REPORT}"
    words = [*prefix, sys.executable, "-c", code, how]
    env = os.environ | {"OMP_NUM_THREADS": "1", "HOME": str(folder)}
    options = {"cwd": folder, "env": env, "capture_output": True, "text": True}
    return subprocess.run(words, check=False, **options)


@pytest.mark.parametrize("what", list(RUNS))
def test_nothing_phones_home(what, tmp_path):
    done = quiet(RUNS[what], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("安静\n")


@pytest.mark.parametrize(
    "call",
    [
        "socket.create_connection(('192.0.2.1', 80), timeout=0.2)",
        "socket.getaddrinfo('example.org', 80)",
    ],
)
def test_phoning_home_would_be_heard(call, tmp_path):
    done = quiet(f"try:\n    {call}\nexcept OSError:\n    pass", tmp_path)
    assert done.returncode == 1
    assert "AssertionError" in done.stderr


def test_native_packets_are_heard_too(tmp_path):
    if not alone():
        pytest.skip("这台机器不许隔开网络（要 root 或 user namespace）")
    # ctypes 直接调 C 的 connect：Python 的审计钩子看不见它
    code = (
        "import ctypes\nlibc = ctypes.CDLL(None)\n"
        "place = struct.pack('!4x4s8x', socket.inet_aton('192.0.2.1'))\n"
        "place = struct.pack('H', socket.AF_INET) + struct.pack('!H', 80) + place[4:]\n"
        "with socket.socket() as link:\n"
        "    libc.connect(link.fileno(), place, len(place))"
    )
    done = quiet(code, tmp_path)
    assert done.returncode == 1
    assert "([], 1)" in done.stderr


def test_ray_reports_no_usage(tmp_path):
    code = (
        "from ray._common.usage import usage_lib\n"
        "assert not usage_lib.usage_stats_enabled()"
    )
    env = os.environ | {**workplace(), "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
