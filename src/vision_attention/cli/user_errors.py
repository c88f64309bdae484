"""使用者的错误说成一句话。

内容: user_errors、STOPPED。
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import typer

from vision_attention.training.history import TrainingDivergedError

USER_ERROR, INTERRUPTED = 2, 130
STOPPED = "已停下。"


def user_errors(
    command: Callable[..., None], stopped: str = STOPPED
) -> Callable[..., None]:
    """使用者的错误说成一句中文，退出码 2；Ctrl-C 退出码 130；不印调用栈。

    参数: command 为命令；stopped 为 Ctrl-C 之后说的话
    """

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except (ValueError, OSError, TrainingDivergedError) as error:
            typer.secho(f"错误：{error}", fg="red", err=True)
            raise typer.Exit(USER_ERROR) from None
        except KeyboardInterrupt:
            typer.secho(stopped, err=True)
            raise typer.Exit(INTERRUPTED) from None

    return wrapped
