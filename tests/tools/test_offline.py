"""离线包：里面有什么，校验和对不对，半份不算数，断网是真的断。整个的证明每周跑。"""

import contextlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from capabilities import unshared

from tools import offline, release
from tools.build import workplace
from tools.build.workplace import StepError
from tools.launch import offline as proof

ROOT = Path(__file__).resolve().parents[2]
LOCK = """# 头
a-b==1.0 \\
    --hash=sha256:{0} \\
    --hash=sha256:{1}
torch==2.0+cpu \\
    --hash=sha256:{1}
"""


def sha256(path):
    """sha256sum 说的校验和。"""
    return subprocess.check_output(["sha256sum", path], text=True).split()[0]


@pytest.fixture
def wheel(tmp_path):
    """一个轮子，里面只有两个字。"""
    path = tmp_path / "wheels" / "a_b-1.0-py3-none-any.whl"
    path.parent.mkdir()
    path.write_bytes("轮子".encode())
    return path


@pytest.fixture
def place(tmp_path, monkeypatch):
    """换了地方的 dist、网站与工作的文件夹；不取真的轮子。"""
    (tmp_path / "html" / "book").mkdir(parents=True)
    for name in ("index.html", "book/a.html"):
        (tmp_path / "html" / name).write_text("页", "utf8")
    for module in (offline, proof):
        monkeypatch.setattr(module, "PLACE", tmp_path / "place")
        monkeypatch.setattr(module, "lock", lambda: 0)
    monkeypatch.setattr(workplace, "lock", lambda: 0)  # make test 拿着真的锁
    monkeypatch.setattr(release, "DIST", tmp_path / "dist")
    monkeypatch.setattr(offline, "SITE", tmp_path / "html")

    def wheels(folder):
        folder.mkdir(parents=True)
        (folder / "a_b-1.0-py3-none-any.whl").write_bytes(b"1")

    monkeypatch.setattr(offline, "wheels", wheels)
    return tmp_path


def test_pins_are_those_of_the_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(offline, "LOCK", tmp_path / "lock")
    offline.LOCK.write_text(LOCK.format("0a", "0b"), "utf8")
    wanted = {"a-b": ("1.0", {"0a", "0b"}), "torch": ("2.0+cpu", {"0b"})}
    assert offline.pins(fits=True) == wanted


def test_other_machines_take_what_is_installed():
    import numpy

    assert offline.pins(fits=False)["numpy"] == (numpy.__version__, set())


def test_requirements_carry_the_checksum_of_each_wheel(wheel):
    text = offline.requirements(wheel.parent, {"a-b": ("1.0", {sha256(wheel)})})
    assert text == f"a-b==1.0 --hash=sha256:{sha256(wheel)}\n"


def test_wheel_that_is_not_the_locked_one_is_refused(wheel):
    with pytest.raises(StepError, match=r"a_b-1\.0.*校验和不在锁里"):
        offline.requirements(wheel.parent, {"a-b": ("1.0", {"0" * 64})})


def test_kit_holds_site_wheels_notebooks_and_data(place, monkeypatch):
    photos = place / "p.tar.xz"
    photos.write_bytes("照片".encode())
    monkeypatch.setattr(
        release, "photo_archive", lambda *_: (photos.name, sha256(photos))
    )
    offline.build(str(photos))
    target = offline.target()
    assert re.fullmatch(r"vision-attention-.*-cp3\d+-.*-offline\.zip", target.name)
    names = zipfile.ZipFile(target).namelist()
    inside = {name.removeprefix(f"{target.stem}/") for name in names}
    books = {
        path.relative_to(ROOT).as_posix() for path in ROOT.glob("notebooks/*/*.ipynb")
    }
    assert {name for name in inside if name.endswith(".ipynb")} == books
    others = {"README.txt", "site/index.html", "site/book/a.html", "data/p.tar.xz"}
    assert others | {"wheels/a_b-1.0-py3-none-any.whl", "LICENSE"} <= inside
    assert (
        release.DIST / "SHA256SUMS"
    ).read_text() == f"{sha256(target)}  {target.name}\n"


def test_wrong_photos_make_no_kit(place):
    (place / "p").write_bytes(b"1")
    with pytest.raises(StepError, match="照片"):
        offline.build(str(place / "p"))
    assert not offline.target().exists()


def test_kit_needs_the_book(place):
    (place / "html" / "index.html").unlink()
    with pytest.raises(StepError, match="先运行 make book"):
        offline.build()


def test_half_a_kit_never_takes_the_place_of_a_whole_one(tmp_path):
    target, good = tmp_path / "a-offline.zip", tmp_path / "good"
    good.write_text("好")
    release.pack(target, {"a": good})
    whole = target.read_bytes()
    with contextlib.suppress(FileNotFoundError):
        release.pack(target, {"a": good, "b": tmp_path / "没有"})
    assert target.read_bytes() == whole


READY = {"读说明": ["test", "-s", "README.txt"], "解开": ["test", "-d", "wheels"]}
CALL = "import socket; socket.create_connection(('127.0.0.1', {}), timeout=5)"


def test_proof_runs_in_the_unpacked_kit(place, monkeypatch, capsys):
    offline.build()
    monkeypatch.setattr(proof, "steps", lambda _: READY)
    proof.check()
    assert "读说明：成了\n  解开：成了\n" in capsys.readouterr().out
    assert not proof.PLACE.exists()


def test_proof_needs_a_kit(place):
    with pytest.raises(StepError, match="先运行 make offline"):
        proof.check()


def test_what_needs_the_network_fails_the_proof(place, monkeypatch):
    if unshared("-n", "true") is None:
        pytest.skip("这台机器不许隔开网络（要 root 或 user namespace）")
    import socket

    offline.build()
    with socket.create_server(("127.0.0.1", 0)) as server:  # 外面的一个服务
        call = [sys.executable, "-c", CALL.format(server.getsockname()[1])]
        subprocess.run(call, check=True)
        monkeypatch.setattr(proof, "steps", lambda _: {"打电话": call})
        with pytest.raises(StepError, match="离线包，打电话"):
            proof.check()


def test_without_a_namespace_it_says_so_and_ci_refuses(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    prefix, blocked, how = proof.cut()
    assert (prefix[0], "只堵住了代理" in how) == ("sh", True)
    assert set(blocked.values()) == {"http://127.0.0.1:9"}
    monkeypatch.setenv("CI", "true")
    with pytest.raises(StepError, match="要真的断网"):
        proof.cut()


def test_both_wings_are_proven_and_nothing_is_fetched():
    words = proof.steps(Path("python"))
    assert "--no-index" in words["装轮子"]
    books = [name for name in words if name.endswith(".ipynb")]
    assert [Path(name).parent.name for name in books] == ["torch", "paddle"]
    assert all((ROOT / name).exists() for name in books)
