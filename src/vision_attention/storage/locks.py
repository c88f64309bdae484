"""文件锁：由操作系统看管，进程一死（哪怕 kill -9）锁就自动松开。

内容: locked（独占一个文件的写入）、alone、busy（独占一个文件夹，不留下文件）、
    Leases（按名字认领，同一名字只有一个进程认得到）。
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from vision_attention.storage import files

try:
    import fcntl
except ImportError:  # Windows 没有 fcntl
    import msvcrt

STATE_FOLDER = ".run"


def state_folder(folder: Path) -> Path:
    """放锁与错误详情的文件夹，自带 .gitignore，不进版本库。

    参数: folder 记录所在的文件夹
    错误: 没有写权限时抛出 PermissionError，信息里给出补救办法
    """
    state = Path(folder) / STATE_FOLDER
    try:
        state.mkdir(parents=True, exist_ok=True)
        ignore = state / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise PermissionError(
            f"文件夹 {files.printable(folder)} 写不进去（{files.reason(error)}）；"
            "请换一个可写的文件夹，例如加上 --out ./runs/记录"
        ) from error
    return state


def _lock(handle: int, offset: int, *, wait: bool) -> bool:
    """锁住一个字节；wait 为假时拿不到就返回 False。"""
    try:
        if os.name == "nt":
            os.lseek(handle, offset, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        else:
            mode = fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB
            fcntl.lockf(handle, mode, 1, offset)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _unlock(handle: int, offset: int) -> None:
    if os.name == "nt":
        os.lseek(handle, offset, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
    else:
        fcntl.lockf(handle, fcntl.LOCK_UN, 1, offset)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """在块内独占 path 的写入；别的进程等着。

    参数: path 被保护的文件（锁在旁边的 .run/ 里，换掉文件本身也不会丢锁）
    """
    path = Path(path)
    lock_file = state_folder(path.parent) / f"{path.name}.lock"
    handle = os.open(lock_file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(handle, 0, wait=True)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """在块内独占一个文件夹，里面不添任何文件；给出占到了没有。

    锁的是文件夹自己。Windows 锁不了文件夹，有的网络盘也锁不了：那里一律当作占到了。
    """
    handle = None
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY) if os.name != "nt" else None
    try:
        yield handle is None or _lock_folder(handle)
    finally:
        if handle is not None:
            os.close(handle)


def busy(folder: Path) -> bool:
    """有没有人正独占着这个文件夹。"""
    with alone(folder) as ours:
        return not ours


def _lock_folder(handle: int) -> bool:
    try:
        # lockf 要可写的文件，文件夹不是，所以用 flock
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # 这种盘锁不了文件夹
    return True


class Leases:
    """认领簿：一个名字同时只有一个进程认得到；进程死后名字自动归还。

    用字节范围锁，一个名字占文件里的一个位置，不留下成堆的锁文件。同一个进程对同一个
    文件夹只建一本：POSIX 的锁归进程所有，关掉其中一本，别的几本认领的也一起松开。
    参数: folder 记录所在的文件夹
    """

    def __init__(self, folder: Path) -> None:
        self._mine: set[str] = set()
        self._handle = os.open(
            state_folder(Path(folder)) / "leases", os.O_RDWR | os.O_CREAT, 0o644
        )

    @staticmethod
    def _offset(name: str) -> int:
        # 60 位：留在各系统 off_t 的范围之内
        return int(hashlib.sha256(name.encode()).hexdigest()[:15], 16)

    def take(self, name: str) -> bool:
        """认领 name；已被别的进程（或自己）认走时返回 False。"""
        if name in self._mine or not _lock(
            self._handle, self._offset(name), wait=False
        ):
            return False
        self._mine.add(name)
        return True

    def free(self, name: str) -> None:
        """归还 name。"""
        _unlock(self._handle, self._offset(name))
        self._mine.discard(name)

    def close(self) -> None:
        """归还全部名字。"""
        os.close(self._handle)
        self._mine.clear()
