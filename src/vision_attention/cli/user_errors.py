"""使用者的错误说成一句话。

内容: user_errors、told、STOPPED。
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import typer

from vision_attention.storage import files
from vision_attention.training.history import TrainingDivergedError

USER_ERROR, INTERRUPTED = 2, 130
STOPPED = "已停下。"


def user_errors(
    command: Callable[..., None], stopped: str = STOPPED
) -> Callable[..., None]:
    """使用者的错误说成一句中文，退出码 2；Ctrl-C 退出码 130；不印调用栈。

    参数: command 为命令；stopped 为 Ctrl-C 之后说的话，停下的人自己没有说时用
    """

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
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
