"""命令行自己认出的错（选项写错、值的类型不对）也说成一句中文。

内容: PlainGroup。
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from vision_attention.checks import shown

USER_ERROR = 2


class PlainGroup(TyperGroup):
    """一组命令；Typer 的英文报错换成中文，退出码不变。"""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """入口；standalone_mode 为真时以退出码结束进程。"""
        words = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(words, prog_name, standalone_mode=False, **extra)
        except Exception as error:
            # Typer 有时自带 click，有时用装好的，所以不按类型认，按样子认
            if not standalone_mode or not hasattr(error, "format_message"):
                raise
            if type(error).__name__ == "NoArgsIsHelpError":
                typer.echo(error.format_message())
            else:
                told = sentence(error, list(map(str, words)))
                typer.secho(f"错误：{told}", fg="red", err=True)
            sys.exit(USER_ERROR)
        if not standalone_mode:
            return code
        sys.exit(code if isinstance(code, int) else 0)


def sentence(error: Any, words: list[str]) -> str:
    """一句话：哪个选项、收到了什么、该怎么写。"""
    parameter = getattr(error, "param", None)
    kind, option = type(error).__name__, getattr(error, "option_name", None)
    if kind == "MissingParameter" and parameter is not None:
        return f"缺少 {_named(parameter)}；加上 --help 看怎么写"
    if kind == "BadOptionUsage":
        return f"选项 {option} 后面缺少取值；加上 --help 看怎么写"
    if option is not None:
        known = getattr(error, "possibilities", None) or []
        near = difflib.get_close_matches(option, known, n=1)
        hint = f"是不是 {near[0]}？" if near else ""
        return f"选项 {option} 不认识。{hint}加上 --help 看全部选项"
    if parameter is not None:
        names = getattr(parameter, "opts", [])
        return f"{_named(parameter)}{_given(names, words)} 不合适；{_wanted(error)}"
    return f"命令 {shown(' '.join(words))} 不认识；加上 --help 看有哪些命令与参数"


def _named(parameter: Any) -> str:
    return next(iter(getattr(parameter, "opts", [])), "参数")


def _given(names: list[str], words: list[str]) -> str:
    """命令行里这个选项收到的字；找不到就不写。"""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, sign, value = word.partition("=")
        if name in names:
            return f"={shown(value if sign else following)}"
    return ""


def _wanted(error: Any) -> str:
    """应当是什么；由 Typer 的那句话里认出来。"""
    told = error.format_message()
    bound = told.rstrip(". '│").rpartition(" ")[2]
    if "greater than or equal" in told or "x>=" in told:
        return f"应为不小于 {bound.removeprefix('x>=')} 的整数"
    if "integer" in told:
        return "应为整数，例如 100"
    if "number" in told or "float" in told:
        return "应为数，例如 0.001"
    return "加上 --help 看怎么写"
