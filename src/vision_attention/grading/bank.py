"""认得的写法：名字、一句话、出处、在书的哪一页；算法在两翼的 variants/ 里，一行对一行。

内容: Variant、BANK、named。
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

MISTAKE, VARIANT = "mistake", "variant"


@dataclass(frozen=True)
class Variant:
    """认得的一种写法。

    参数: aspect 为它改的是哪一处，key 为两翼表里的键；name 为名字，sentence 为一句话；
        kind 为 mistake（错）或 variant（另一个东西）；source 为出处；page 为书的一页
    """

    aspect: str
    key: str
    name: str
    sentence: str
    kind: str
    source: str
    page: str


_ROWS = yaml.safe_load(Path(__file__).with_name("bank.yaml").read_text("utf8"))
BANK = {(row["aspect"], row["key"]): Variant(**row) for row in _ROWS}


def named(aspect: str, key: str) -> Variant:
    """按哪一处、哪个键取一种写法。"""
    return BANK[aspect, key]
