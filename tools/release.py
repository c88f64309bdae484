"""发布：核对版本；做出轮子、网站、PDF、EPUB 四样，放进 dist/。只用标准库。

用法: python -m tools.release check|notes|build [标签]
      python -m tools.release photos 路径
版本只写在 src/vision_attention/__init__.py；更新记录与引用信息要与它相同。
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tools.build.environment import pip_environment, uses_lock
from tools.build.workplace import (
    BUILD,
    PYTHON,
    ROOT,
    SITE,
    StepError,
    reason,
    remove,
    run,
    told,
)

DIST = ROOT / "dist"
NAME = "vision-attention"
VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.M)
CITED = re.compile(r"^version: *(\S+)$", re.M)
CITED_DATE = re.compile(r"^date-released: *(\S+)$", re.M)
ENTRY = re.compile(r"^## \[(?P<name>[^]]+)\](?: - (?P<date>\S+))?\n", re.M)
NEXT = "未发布"
PHOTOS = ("ARCHIVE", "SHA256")  # jpeg75.py 里的两个名字
PACKED = {".whl", ".xz", ".woff2", ".png", ".jpg"}


def read(name: str, root: Path) -> str:
    """仓库里的一个文件。"""
    return (root / name).read_text("utf8")


def version(root: Path = ROOT) -> str:
    """程序库的版本：别处都从它来。"""
    return VERSION.search(read("src/vision_attention/__init__.py", root))[1]


def entries(root: Path = ROOT) -> dict[str, tuple[str | None, str]]:
    """更新记录的各条：版本 → （日期，正文），新的在前。"""
    text = re.split(r"^\[[^]]+\]: ", read("CHANGELOG.md", root), flags=re.M)[0]
    heads = list(ENTRY.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return {
        head["name"]: (head["date"], text[head.end() : end].strip())
        for head, end in zip(heads, ends, strict=True)
    }


def faults(root: Path = ROOT) -> list[str]:
    """三处的版本与日期是否一致；返回不一致的地方。"""
    have, found = version(root), []
    changes, citation = entries(root), read("CITATION.cff", root)
    top = next((name for name in changes if name != NEXT), "没有")
    if top != have:
        found.append(f"CHANGELOG.md 最上面的版本是 {top}，程序库是 {have}")
    cited = CITED.search(citation)[1]
    if cited != have:
        found.append(f"CITATION.cff 的版本是 {cited}，程序库是 {have}")
    date = changes.get(top, (None, ""))[0]
    if date != CITED_DATE.search(citation)[1]:
        found.append(f"CHANGELOG.md 与 CITATION.cff 里 {top} 的日期不同")
    return found


def tag_faults(tag: str, root: Path = ROOT) -> list[str]:
    """发布时多核对的：标签就是版本，“未发布”里没有落下的条目。"""
    found = faults(root)
    if tag != f"v{version(root)}":
        found.append(f"标签是 {tag}，程序库的版本要求 v{version(root)}")
    if entries(root).get(NEXT, (None, ""))[1]:
        found.append(f"CHANGELOG.md 的“{NEXT}”里还有条目，先移到新版本之下")
    return found


def refuse(found: list[str]) -> None:
    """有不一致的地方就停下。"""
    if found:
        raise StepError("核对版本：" + "；".join(found))


def here() -> str | None:
    """HEAD 上的标签；没有就是 None。"""
    words = ["git", "describe", "--exact-match", "--tags", "HEAD"]
    done = subprocess.run(words, cwd=ROOT, check=False, capture_output=True, text=True)
    return done.stdout.strip() or None


def epoch() -> int:
    """最近一次提交的时刻：同一个提交做出的东西逐字节相同。"""
    words = ["git", "log", "-1", "--format=%ct"]
    return int(subprocess.check_output(words, cwd=ROOT, text=True))


def isolation() -> list[str]:
    """持续集成里用锁住的、核对过校验和的 hatchling；别处 .venv 里没有它，临时下载。"""
    return ["--no-build-isolation"] if uses_lock() else []


def wheel(folder: Path = DIST) -> None:
    """做轮子，放进 folder。"""
    env = pip_environment() | {"SOURCE_DATE_EPOCH": str(epoch())}
    pip = [PYTHON, "-m", "pip", "wheel", "--no-deps", "-q", "-w", folder]
    code, text = run([*pip, *isolation(), "."], env, "wheel.log")
    if code != 0:
        raise StepError(f"做轮子：{reason(text, 'wheel.log')}")


def below(folder: Path, prefix: str = "") -> dict[str, Path]:
    """一个文件夹里的每个文件：包里的名字 → 它在哪里。"""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {prefix + path.relative_to(folder).as_posix(): path for path in files}


def pack(target: Path, files: dict[str, Path]) -> None:
    """打成一个 zip，次序与时刻固定；先写临时的名字，写完才改名。已经压过的不再压。"""
    draft = target.with_name(target.name + ".part")
    with zipfile.ZipFile(draft, "w") as archive:
        for name, path in sorted(files.items()):
            info = zipfile.ZipInfo(f"{target.stem}/{name}", (1980, 1, 1, 0, 0, 0))
            packed = path.suffix in PACKED
            info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, path.read_bytes())
    draft.replace(target)


def site(target: Path) -> None:
    """把网站打成一个 zip。"""
    pack(target, below(SITE))


def write_sums() -> None:
    """重写 dist/SHA256SUMS。"""
    (DIST / "SHA256SUMS").unlink(missing_ok=True)
    (DIST / "SHA256SUMS").write_text(sums(), "utf8")


def sums() -> str:
    """每一样的 SHA-256，写成 sha256sum -c 认得的样子。"""
    paths = sorted(path for path in DIST.iterdir() if path.is_file())
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    lines = zip(digests, paths, strict=True)
    return "".join(f"{digest}  {path.name}\n" for digest, path in lines)


def build(tag: str | None = None) -> None:
    """做出四样与校验和；没有标签时只是预演。"""
    tag = tag or here()
    refuse(tag_faults(tag) if tag else faults())
    if not tag:
        print(f"HEAD 上没有标签：这是 {version()} 的预演", flush=True)
    remove(DIST)
    DIST.mkdir()
    stem = f"{NAME}-{version()}"
    wheel()
    site(DIST / f"{stem}-site.zip")
    for kind in ("pdf", "epub"):
        shutil.copy(BUILD / "take" / f"{NAME}.{kind}", DIST / f"{stem}.{kind}")
    write_sums()
    for path in sorted(DIST.iterdir()):
        print(f"dist/{path.name}  {path.stat().st_size / 2**20:.1f} MB", flush=True)


def photo_archive(root: Path = ROOT) -> tuple[str, str]:
    """研究用的照片：压缩包的名字与校验和，写在 jpeg75.py 里。"""
    text = read("src/vision_attention/data/jpeg75.py", root)
    return tuple(re.search(rf'^{key} = "(.+)"$', text, re.M)[1] for key in PHOTOS)


def checked(path: Path, root: Path = ROOT) -> Path:
    """核对过校验和的照片。"""
    name, wanted = photo_archive(root)
    if not path.is_file():
        raise StepError(f"照片：{path} 不是一个文件；请给出 {name} 的路径")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != wanted:
        raise StepError(f"照片：{path} 的 sha256 是 {found}，应是 {wanted}")
    return path


def photos(path: Path, root: Path = ROOT) -> None:
    """研究用的照片也附在发布页上：核对校验和，放进 dist/，重写 SHA256SUMS。

    照片不在仓库里，持续集成做不出来，所以由人给出路径。
    """
    name, good = photo_archive(root)[0], checked(path, root)
    DIST.mkdir(exist_ok=True)
    shutil.copy(good, DIST / name)
    write_sums()
    print(f"dist/{name}  {path.stat().st_size / 2**20:.1f} MB，校验和相符")


def main(command: str, tag: str = "") -> None:
    """核对、印出这一版的更新记录、做出四样，或者添上照片。"""
    if command == "check":
        refuse(tag_faults(tag) if tag else faults())
    elif command == "notes":
        print(entries()[version()][1])
    elif command == "build":
        build(tag or None)
    elif command == "photos":
        photos(Path(tag))
    else:
        raise StepError(
            f"发布：没有 {command} 这一步；可用 check、notes、build、photos"
        )


if __name__ == "__main__":
    sys.exit(told(main, *sys.argv[1:]))
