"""文件：写的先写临时文件，落盘后改名；读的先看是不是普通的文件。

- `replacing`：换掉一个文件；半成品不会被当成完整的文件
- `rehearse`：先试试写得进去吗
- `safetensors`：权重文件的路径
- `readable`、`why_unreadable`：读得了吗，为什么
"""

from __future__ import annotations

import errno
import glob
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vision_attention import checks

# 临时文件搁了这么久，写它的进程一定不在了；单位秒
STALE = 3600


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """给出同一文件夹里的临时路径；正常离开时落盘、改名为 path，出错时删去。

    参数: path 为最终的路径，所在文件夹不存在时建立
    错误: 写不进去时抛出 OSError，原有的 path 不变
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path, os.getpid())
    try:
        yield temporary
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def rehearse(path: Path) -> None:
    """试写 path：在同一文件夹里建一个临时文件再删去，path 与别人正在写的都不动。

    以前的进程被 kill -9 时留下的临时文件，搁过 STALE 秒的，顺手收走。

    参数: path 为最终的路径，所在文件夹不存在时建立
    错误: 写不进去时抛出 OSError
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path, os.getpid())
    temporary.touch()
    temporary.unlink()
    for left in path.parent.glob(_temporary(Path(glob.escape(path.name)), "*").name):
        process = left.name.removeprefix(f".{path.name}.").removesuffix(".tmp")
        # 收不走的（别人的，或别的进程先收了）不碍事
        with suppress(OSError):
            if process.isdecimal() and time.time() - left.stat().st_mtime > STALE:
                left.unlink()


def _temporary(path: Path, process: int | str) -> Path:
    return path.with_name(f".{path.name}.{process}.tmp")


def safetensors(name: str, value: Any) -> Path:
    """权重文件的路径。

    参数: name 为参数的名字，出错时用
    错误: 不能当路径，或不以 .safetensors 结尾时抛出 ValueError
    """
    path = checks.path(name, value)
    if path.suffix != ".safetensors":
        raise checks.ArgumentError(
            f"{name}={str(value)!r} 应以 .safetensors 结尾；本书不用 pickle", name
        )
    return path


# 打不开的原因，说成中文；别的只报编号
REASONS = {
    errno.EACCES: "没有权限",
    errno.EBUSY: "正被别的程序占用",
    errno.ELOOP: "链接绕成了圈",
    errno.ENAMETOOLONG: "路径太长",
    errno.EEXIST: "已有同名的文件，不是文件夹",
    errno.EFBIG: "文件太大",
    errno.EINVAL: "路径里有这里不能用的字符",
    errno.EIO: "磁盘读写出错",
    errno.EISDIR: "是文件夹，应为文件",
    errno.EMFILE: "打开的文件太多",
    errno.ENOENT: "没有这个路径",
    errno.ENOSPC: "磁盘满了",
    errno.ENOTDIR: "路径中间有一节不是文件夹",
    errno.EPERM: "没有权限",
    errno.EROFS: "这里只许读",
}


def why_unreadable(path: Path) -> str:
    """一个路径为什么不能当作普通的文件来读；能读就返回空串。"""
    return _obstacle(path)[1]


def _obstacle(path: Path) -> tuple[type[Exception], str]:
    """读不了的错与原因；读得了，原因是空串。

    管道与设备不去打开：一打开就可能永远等下去。
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        broken = path.is_symlink()
        why = f"链接断了，指向 {path.readlink()}" if broken else "没有这个文件"
        return FileNotFoundError, why
    except PermissionError as error:
        return PermissionError, reason(error)
    except (OSError, ValueError) as error:  # 路径里有 \0 时是 ValueError
        return ValueError, reason(error)
    if stat.S_ISREG(mode):
        why = "" if os.access(path, os.R_OK) else REASONS[errno.EACCES]
        return PermissionError, why
    folder = stat.S_ISDIR(mode)
    return ValueError, "是文件夹，应为文件" if folder else "是管道或设备，不是文件"


def is_folder(path: Path) -> bool:
    """是不是文件夹；打不开的、路径太长的都不是。"""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def reason(error: OSError | ValueError) -> str:
    """打不开的原因，一句中文。"""
    if isinstance(error, OSError):
        return REASONS.get(error.errno, f"系统的第 {error.errno} 号错误")
    return "路径里有不能用的字符"


def readable(path: Path) -> None:
    """要读的文件：普通的、读得到的。

    错误: 没有时抛出 FileNotFoundError，没有权限时抛出 PermissionError，别的原因抛出
        ValueError，都说明为什么
    """
    kind, why = _obstacle(path)
    if why:
        raise kind(f"{printable(path)} 读不了：{why}；请检查路径")


def printable(path: Path | str, longest: int | None = 200) -> str:
    """写得出来的路径：不是 UTF-8 的字节写成十六进制；太长的省去中间，文件名在末尾。

    参数: longest 为最多写几个字，None 为一字不省（命令里的路径要能照抄）
    """
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    if longest is None or len(text) <= longest:
        return text
    return f"{text[: longest // 2]}…{text[-(longest // 2) :]}"
