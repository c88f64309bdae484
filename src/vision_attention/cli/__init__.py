"""门铃：命令 vision-attention。

内容: app。下面有 look、train、diagnose、predict、export、study、grade、identify、
    handout、collect。
"""

from __future__ import annotations

import typer

from vision_attention.cli.diagnose import diagnose
from vision_attention.cli.export import export
from vision_attention.cli.grade import grade, identify
from vision_attention.cli.look import look
from vision_attention.cli.predict import predict
from vision_attention.cli.study import app as study_app
from vision_attention.cli.teach import collect, handout
from vision_attention.cli.train import train
from vision_attention.cli.wording import PlainGroup

__all__ = ["app"]

app = typer.Typer(
    cls=PlainGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="视觉注意力：训练一个模型，诊断它，用它认图，做一项研究，或批改自己写的模块。",
)
app.add_typer(study_app, name="study")
app.command("look")(look)
app.command("train")(train)
app.command("diagnose")(diagnose)
app.command("predict")(predict)
app.command("export")(export)
app.command("grade")(grade)
app.command("identify")(identify)
app.command("handout")(handout)
app.command("collect")(collect)
