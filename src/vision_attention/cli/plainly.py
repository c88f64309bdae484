"""使用者的错误说成一句话。

内容: plainly。
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import typer

from vision_attention.history import TrainingDivergedError

USER_ERROR, INTERRUPTED = 2, 130


def plainly(command: Callable[..., None]) -> Callable[..., None]:
    """使用者的错误说成一句中文，退出码 2；Ctrl-C 退出码 130；不印调用栈。"""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except (ValueError, OSError, TrainingDivergedError) as error:
            typer.secho(f"错误：{error}", fg="red", err=True)
            raise typer.Exit(USER_ERROR) from None
        except KeyboardInterrupt:
            typer.secho("已停下；写好的记录都在，再运行同一条命令只做缺的。", err=True)
            raise typer.Exit(INTERRUPTED) from None

    return wrapped
