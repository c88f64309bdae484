"""像读者那样跑命令 vision-attention。"""

from __future__ import annotations

from typer.testing import CliRunner

from vision_attention.cli import app


def call(*words):
    """跑一条命令，返回 (退出码, 说的话)；没有接住的错误原样抛出。"""
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output
