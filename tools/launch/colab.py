"""不用 Colab 也能证明笔记本在 Colab 里跑得通：make colab-check。

每本笔记本有一间空房：自己的 Python、空的工作文件夹，仓库里的东西一样也看不见。房里
原有的包像 Colab（PyTorch）与 AI Studio（PaddlePaddle，名叫 paddlepaddle-gpu，没有
PyTorch）那样已经装好，是从 .venv 借来的链接，不用重装几 GB。第一格从刚造的 wheel
（COURSE_PACKAGE）把缺的装上，整本跑完；有一个原有的包换了版本，就算不通过。

python -m tools.launch.colab [名字…]：只跑这几本，两翼各一；不写就是每一本。
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import release
from tools.build.notebooks import timeout
from tools.build.workplace import (
    CACHE,
    NETWORK,
    ROOT,
    StepError,
    lock,
    remove,
    say,
    told,
    workplace,
    write,
)
from tools.launch.first_cell import notebooks

PLACE = CACHE / "colab"
COMMON = ("pip", "setuptools", "ipykernel", "numpy", "matplotlib", "scikit-learn")
FRAMEWORKS = {"torch": "torch", "paddle": "paddlepaddle"}
RENAMED = {"paddlepaddle": "paddlepaddle-gpu"}  # AI Studio 装的是这一个
SITE_PACKAGES = Path(metadata.distribution("pip").locate_file(""))
VERSIONS = (
    "import json; from importlib import metadata as m;"
    "names = {d.name for d in m.distributions() if d.name};"
    "print(json.dumps({n.lower().replace('_', '-'): m.version(n) for n in names}))"
)


def build_wheel() -> Path:
    """造 wheel；包里的每个文件（研究的问题与记录也在内）都得在里面。"""
    folder = PLACE / "wheel"
    remove(folder)
    release.wheel(folder)
    (wheel,) = folder.glob("*.whl")
    if missing := left_out(wheel):
        raise StepError(f"造 wheel：里面没有 {missing[0]} 等 {len(missing)} 个文件")
    return wheel


def left_out(wheel: Path) -> list[str]:
    """返回源码里有、wheel 里没有的文件。"""
    source = ROOT / "src"
    wanted = {
        path.relative_to(source).as_posix()
        for path in (source / "vision_attention").rglob("*")
        if path.is_file() and not {"__pycache__", ".run"} & set(path.parts)
    }
    return sorted(wanted - set(zipfile.ZipFile(wheel).namelist()))


def pip_settings(env: dict[str, str]) -> dict[str, str]:
    """房里的 HOME 换了地方：pip 仍读使用者自己的镜像设置，下载的东西也留着。"""
    home = Path(env.get("HOME", "/nonexistent"))
    for file in (home / ".config/pip/pip.conf", home / ".pip/pip.conf"):
        if file.exists():
            env.setdefault("PIP_CONFIG_FILE", str(file))
    env.setdefault("PIP_CACHE_DIR", str(CACHE / "pip"))
    return env | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONUTF8": "1"}


def closure(names: tuple[str, ...]) -> dict[str, metadata.Distribution]:
    """返回这些包，连同它们要的一切。"""
    found, todo = {}, list(names)
    while todo:
        name = canonicalize_name(todo.pop())
        if name in found:
            continue
        found[name] = metadata.distribution(name)
        for line in found[name].requires or ():
            need = Requirement(line)
            if not need.marker or need.marker.evaluate({"extra": ""}):
                todo.append(need.name)
    return found


def shelve(framework: str) -> Path:
    """摆出一个平台上原有的包：链接到 .venv 里的那些，别的一个也没有。"""
    shelf = PLACE / framework
    remove(shelf)
    shelf.mkdir(parents=True)
    for name, found in closure((*COMMON, FRAMEWORKS[framework])).items():
        tops = {file.parts[0] for file in found.files} - {"..", "__pycache__"}
        for top in tops:
            info, link = top.endswith(".dist-info"), shelf / top
            if info and name in RENAMED:
                rename_distribution(SITE_PACKAGES / top, shelf, RENAMED[name])
            elif not link.exists():
                link.symlink_to(SITE_PACKAGES / top)
    return shelf


def rename_distribution(info: Path, shelf: Path, name: str) -> None:
    """同一个包换一个名字：照抄它的元数据，只改 Name。"""
    version = info.name.removesuffix(".dist-info").partition("-")[2]
    copy = shelf / f"{name.replace('-', '_')}-{version}.dist-info"
    copy.mkdir()
    text = (info / "METADATA").read_text("utf8")
    write(copy / "METADATA", re.sub(r"^Name: .*$", f"Name: {name}", text, flags=re.M))


class Room:
    """一本笔记本的空房。"""

    def __init__(self, notebook: Path, shelf: Path):
        self.notebook = notebook
        self.name = f"{notebook.parent.name}-{notebook.stem}"
        self.folder = PLACE / "rooms" / self.name
        self.work, self.python = self.folder / "work", self.folder / "bin" / "python"
        remove(self.folder)
        words = [sys.executable, "-m", "venv", "--without-pip", self.folder]
        subprocess.run(words, check=True)
        (site,) = self.folder.glob("lib/python*/site-packages")
        write(site / "platform.pth", f"{shelf}\n")
        self.work.mkdir()
        argv = [str(self.python), "-m", "ipykernel_launcher", "--log-level=ERROR"]
        argv += ["-f", "{connection_file}"]
        spec = {"argv": argv, "display_name": self.name, "language": "python"}
        write(PLACE / "kernels" / self.name / "kernel.json", json.dumps(spec))

    def versions(self) -> dict[str, str]:
        """返回房里每个包的版本。"""
        text = subprocess.check_output([self.python, "-c", VERSIONS], cwd=self.work)
        return json.loads(text)

    def check(self) -> str:
        """跑完这本笔记本；返回哪里不对，没有不对就是空串。"""
        before, start = self.versions(), time.perf_counter()
        if "vision-attention" in before:
            return "房里已经有课程的程序库，什么也证明不了"
        wrong = execute(self.notebook, self.name, self.work)
        after = self.versions()
        wrong = wrong or changed(before, after)
        if not wrong:
            new = len(after) - len(before)
            seconds = time.perf_counter() - start
            say(f"  {self.name} {seconds:5.1f} 秒，装了 {new} 个包，原有的没有动")
        return wrong


def execute(notebook: Path, kernel: str, work: Path) -> str:
    """在房里执行一本笔记本；返回哪一句错了。"""
    note = nbformat.read(notebook, nbformat.NO_CONVERT)
    place = {"metadata": {"path": str(work)}}
    try:
        NotebookClient(
            note, kernel_name=kernel, timeout=timeout(), resources=place
        ).execute()
    except CellExecutionError as error:
        return why(f"{error.ename}: {error.evalue}")
    first = next(cell for cell in note.cells if cell.cell_type == "code")
    noise = [out for out in first.outputs if out.get("name") != "stdout"]
    return f"第一格多出了输出：{noise[0]}"[:200] if noise or not first.outputs else ""


def why(text: str) -> str:
    """返回报错的那一句；连不上网就直说。"""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    if NETWORK.search(text):
        return "连不上网：第一格要下载平台上缺的包，检查网络或 pip 镜像后再来一次"
    return text.partition("\n")[0][:300]


def changed(before: dict[str, str], after: dict[str, str]) -> str:
    """返回哪些原有的包换了版本或不见了；都在就是空串。"""
    moved = (
        f"{name} {version} → {after.get(name, '不见了')}"
        for name, version in sorted(before.items())
        if after.get(name) != version
    )
    found = "，".join(moved)
    return f"换掉了原有的包：{found}" if found else ""


def chosen(names: list[str]) -> list[Path]:
    """返回要跑的笔记本；没有这个名字就直说。"""
    found = notebooks()
    if unknown := set(names) - {path.stem for path in found}:
        raise StepError(f"空房：没有笔记本叫 {sorted(unknown)[0]}")
    return [path for path in found if not names or path.stem in names]


def main(*names: str) -> int:
    """造 wheel、摆房间、两本两本地跑。"""
    books = chosen(list(names))
    lock()
    start = time.perf_counter()
    env = pip_settings(dict(os.environ)) | workplace()
    say("造 wheel……")
    wheel = build_wheel()
    clean = {"COURSE_PACKAGE": str(wheel), "OMP_NUM_THREADS": "1"}
    clean |= {"PATH": os.environ.get("PATH", os.defpath)}
    clean |= {"JUPYTER_PATH": str(PLACE), "JUPYTER_PREFER_ENV_PATH": "0"}
    os.environ |= env | clean
    for name in ("PYTHONWARNINGS", "VIRTUAL_ENV"):  # 平台上没有人替读者设这些
        os.environ.pop(name, None)
    say(f"{wheel.name}，在空房里执行笔记本……")
    shelves = {name: shelve(name) for name in FRAMEWORKS}
    rooms = [Room(path, shelves[path.parent.name]) for path in books]
    with ThreadPoolExecutor(2) as pool:
        faults = dict(zip(rooms, pool.map(Room.check, rooms), strict=True))
    wrong = {room.name: fault for room, fault in faults.items() if fault}
    for fault in sorted(set(wrong.values())):
        names = "、".join(name for name in wrong if wrong[name] == fault)
        print(f"✗ {names}：{fault}", file=sys.stderr)
    if not wrong:
        remove(PLACE)
    say(f"合计 {time.perf_counter() - start:.1f} 秒")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(told(main, *sys.argv[1:]))
