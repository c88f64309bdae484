"""没有网的教室用的一个包：网站、轮子、笔记本、数据 → dist/…-offline.zip。

用法: python -m tools.offline [照片的压缩包]
轮子照造它的这台机器取：正是锁所说的那一种，版本照锁，逐个核对校验和；别的机器照 .venv
里装着的版本。JupyterLab 那几十个不在锁里。tools/launch/offline.py 断了网证明它装得上。
"""

from __future__ import annotations

import hashlib
import platform
import re
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

from packaging.utils import canonicalize_name, parse_wheel_filename

from tools import release
from tools.build.environment import LOCK, fits_lock, pip_environment
from tools.build.workplace import (
    CACHE,
    PYTHON,
    ROOT,
    SITE,
    StepError,
    lock,
    need_book,
    reason,
    remove,
    run,
    say,
    told,
    write,
)
from tools.deps.lock import CPU_WHEELS

PLACE = CACHE / "offline"
SYSTEM = f"cp{sys.version_info[0]}{sys.version_info[1]}-{sysconfig.get_platform()}"
ENTRY = re.compile(r"^([\w.-]+)==(\S+).*?(?=^[\w.-]+==|\Z)", re.M | re.S)
DIGEST = re.compile(r"sha256:(\w+)")
LICENCES = ("LICENSE", "REUSE.toml", "CITATION.cff")
Pins = dict[str, tuple[str, set[str]]]  # 名字 → 版本、认得的校验和
README = """视觉里的注意力 {version}：离线包

只合 {system} 这一种机器（Python {python}；Linux 上要 {libc} 或更新）。全程不用网络。

读书：用浏览器打开 site/index.html。
跑笔记本，在这个文件夹里：

    python{python} -m venv env
    env/bin/python -m pip install --no-index --find-links wheels -r requirements.txt
    env/bin/jupyter lab notebooks

笔记本的第一格什么也不装。手写数字在 scikit-learn 的轮子里，合成图当场画；data/ 里有
{photos} 的话，放进 ~/.cache/vision-attention，重做照片上的研究才用得到。
requirements.txt 里写着每个轮子的校验和，pip 装的时候逐个核对。
"""


def target() -> Path:
    """离线包的位置；名字里写着版本与机器。"""
    stem = f"{release.NAME}-{release.version()}-{SYSTEM}"
    return release.DIST / f"{stem}-offline.zip"


def pins(fits: bool) -> Pins:
    """每个包要哪一版、认哪几个校验和：照锁，或者照 .venv 里装着的（没有校验和）。"""
    if fits:
        found = ENTRY.finditer(LOCK.read_text("utf8"))
        return {one[1]: (one[2], set(DIGEST.findall(one[0]))) for one in found}
    have = ((one.name, one.version) for one in metadata.distributions() if one.name)
    return {canonicalize_name(name): (version, set()) for name, version in have}


def requirements(folder: Path, wanted: Pins) -> str:
    """每个轮子一行，带校验和；锁里有这个包而校验和不在锁里的，停下。"""
    lines, loose = [], 0
    for wheel in sorted(folder.glob("*.whl")):
        name, version = parse_wheel_filename(wheel.name)[:2]
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        allowed = wanted.get(name, ("", set()))[1]
        if allowed and digest not in allowed:
            raise StepError(f"离线包：{wheel.name} 的校验和不在锁里")
        loose += not allowed
        lines.append(f"{name}=={version} --hash=sha256:{digest}\n")
    say(f"  {len(lines)} 个轮子，{len(lines) - loose} 个与锁核对过校验和")
    return "".join(lines)


def wheels(folder: Path) -> None:
    """课程自己的轮子，与读者要的一切：两个框架的 CPU 版、JupyterLab。"""
    fits, listing = fits_lock(), PLACE / "constraints.txt"
    wanted = {name: pin for name, pin in pins(fits).items() if name != release.NAME}
    write(listing, "".join(f"{name}=={pin[0]}\n" for name, pin in wanted.items()))
    release.wheel(folder)
    (own,) = folder.glob("*.whl")
    env = pip_environment()
    if fits and not {"PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"} & set(env):
        env["PIP_EXTRA_INDEX_URL"] = CPU_WHEELS
    words = [PYTHON, "-m", "pip", "download", "--progress-bar", "off", "-d", folder]
    words += ["--only-binary", ":all:", "-c", listing, f"{own}[torch,paddle]"]
    code, text = run([*words, "jupyterlab", "ipykernel"], env, "offline.log")
    if code != 0:
        raise StepError(f"离线包，取轮子：{reason(text, 'offline.log')}")
    write(folder.parent / "requirements.txt", requirements(folder, wanted))


def contents(made: Path, photos: Path | None) -> dict[str, Path]:
    """包里的每个文件：包里的名字 → 它现在在哪里。"""
    books = ROOT.glob("notebooks/*/*.ipynb")
    kept = [*books, *ROOT.glob("LICENSES/*"), *(ROOT / name for name in LICENCES)]
    found = release.below(made) | release.below(SITE, "site/")
    found |= {path.relative_to(ROOT).as_posix(): path for path in kept}
    return found | ({f"data/{photos.name}": photos} if photos else {})


def build(given: str = "") -> None:
    """造离线包；照片给了路径、或者已经在 dist/ 里，核对过校验和就放进去。"""
    lock()
    need_book(SITE)
    name = release.photo_archive()[0]
    at_hand = Path(given) if given else release.DIST / name
    photos = release.checked(at_hand) if given or at_hand.exists() else None
    remove(PLACE)
    release.DIST.mkdir(exist_ok=True)
    say("离线包：取轮子（第一次约 0.6 GB）……")
    made = PLACE / "made"
    wheels(made / "wheels")
    words = {"python": "{}.{}".format(*sys.version_info), "photos": name}
    words |= {"system": SYSTEM, "libc": " ".join(platform.libc_ver())}
    write(made / "README.txt", README.format(version=release.version(), **words))
    release.pack(target(), contents(made, photos))
    release.write_sums()
    remove(PLACE)
    size = target().stat().st_size / 1e6
    say(f"dist/{target().name}  {size:.0f} MB，照片{'在内' if photos else '不在内'}")


if __name__ == "__main__":
    sys.exit(told(build, *sys.argv[1:]))
