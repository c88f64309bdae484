"""使用者的错误说成一句话。

内容: user_errors、told、STOPPED。
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import sys
from collections.abc import Callable
from typing import Any

import typer

from vision_attention.storage import files
from vision_attention.training.history import TrainingDivergedError

USER_ERROR, INTERRUPTED, UNREAD = 2, 130, 141
STOPPED = "已停下。"


def user_errors(
    command: Callable[..., None], stopped: str = STOPPED
) -> Callable[..., None]:
    """使用者的错误说成一句中文，退出码 2；Ctrl-C 退出码 130；不印调用栈。

    接在后面的程序不读了（例如 | head），不是错误，不作声，退出码 141。

    参数: command 为命令；stopped 为 Ctrl-C 之后说的话，停下的人自己没有说时用
    """

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except BrokenPipeError:
            # 退出时还要冲一次，没有人读就又是一个错
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(UNREAD) from None
        except (ValueError, OSError, TrainingDivergedError) as error:
            typer.secho(f"错误：{told(error)}", fg="red", err=True)
            raise typer.Exit(USER_ERROR) from None
        except KeyboardInterrupt as stop:
            typer.secho(str(stop) or stopped, err=True)
            raise typer.Exit(INTERRUPTED) from None

    return wrapped


def told(error: Exception) -> str:
    """错误的那句话；系统的英文原话换成路径与原因。"""
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    if re.search("[一-鿿]", error.strerror or ""):
        return error.strerror
    where = f"{files.printable(error.filename)}：" if error.filename else ""
    return where + files.reason(error)
