"""随手弄乱的记录与 study.yaml：要么读得通，要么是我们自己的一句话，从不挂住。

弄法由种子定，逐次相同；FUZZ=几次，缺省 100；make fuzz 是 10,000 次。
"""

import json
import math
import os
import random
import re
from copy import deepcopy
from functools import partial

import pytest
from hostility import outcome
from test_hostile_studies import Slow

from vision_attention.studies import StudyError, names
from vision_attention.studies.store.library import CATALOG
from vision_attention.studies.store.record import Reader
from vision_attention.studies.store.study_file import parse

CASES = int(os.environ.get("FUZZ") or 100)
VALUES = [
    *(None, True, -1, 0, 1, 1.5, 10**15, 1e308, float("nan"), float("inf")),
    *("", "x", "1", "\ud800", "是", [], [1], [[]], {}, {"a": 1}, {"a": {"b": [None]}}),
]
PIECES = [
    *("[", "]", "{", "}", ":", "- ", "&a ", "*a", "<<: *a", "!!int ", "!x ", "? "),
    *("'", '"', "#", "%", "\t", "\0", "\ufeff", "\u2028", "1e999", ".nan", "~", "yes"),
    *("2026-01-01", "0x_", "9" * 30, "[[1], [2]]", "\n---\n", "\n...\n", "null", "-1"),
]


def places(content, path=()):
    """一条记录里的每一处。"""
    inner = content.items() if isinstance(content, dict) else enumerate(content)
    for name, value in inner:
        yield (*path, name)
        if isinstance(value, dict | list):
            yield from places(value, (*path, name))


def spoiled_record(line, rng):
    """弄乱一条记录：换掉几处，或者动几个字节。"""
    record = json.loads(line)
    for _ in range(rng.randint(0, 2)):
        *parents, last = rng.choice(list(places(record)))
        inside = record
        for name in parents:
            inside = inside[name]
        if rng.random() < 0.3:
            del inside[last]
        else:
            inside[last] = deepcopy(rng.choice(VALUES))
    text = bytearray(json.dumps(record).encode())
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        spot = rng.randrange(len(text))
        text[spot : spot + rng.randint(0, 3)] = rng.choice([b"", b'"', b"9", b"\xff"])
    return bytes(text)


def numbers(content):
    """一条记录里的每个数。"""
    if isinstance(content, dict | list):
        inner = content.values() if isinstance(content, dict) else content
        for value in inner:
            yield from numbers(value)
    elif isinstance(content, float | int):
        yield content


def lines():
    """随包发布的记录，每份一条。"""
    for path in sorted(CATALOG.glob("*/records.jsonl")):
        with path.open("rb") as file:
            yield file.readline().rstrip(b"\n")


LINES = list(lines())


@pytest.mark.parametrize("start", range(0, 20 * CASES, 500))
def test_a_spoiled_record_is_read_or_named(start):
    for seed in range(start, min(start + 500, 20 * CASES)):
        rng = random.Random(seed)
        line = spoiled_record(rng.choice(LINES), rng)
        record = outcome(partial(Reader(), line))
        if record is None:
            continue
        assert json.loads(line) == record, seed
        assert all(math.isfinite(value) for value in numbers(record)), seed
        shares = [v for k, v in record["results"].items() if k.endswith("accuracy")]
        assert all(value is None or 0 <= value <= 1 for value in shares), seed


def spoiled_study(text, rng):
    """弄乱一份研究：换掉、删去、重复、插进几处。"""
    rows = text.splitlines()
    for _ in range(rng.randint(1, 3)):
        spot = rng.randrange(len(rows))
        how = rng.randrange(4)
        if how == 0:
            del rows[spot]
        elif how == 1:
            rows.insert(spot, rows[spot])
        elif how == 2:
            row, at = rows[spot], rng.randrange(len(rows[spot]) + 1)
            rows[spot] = row[:at] + rng.choice(PIECES) + row[at + rng.randint(0, 4) :]
        else:
            key, sign, _ = rows[spot].partition(":")
            rows[spot] = key + sign + " " + rng.choice(PIECES)
        if not rows:
            return ""
    return "\n".join(rows)


@pytest.mark.parametrize("start", range(0, CASES, 50))
def test_a_spoiled_study_is_read_or_told(start):
    texts = [(CATALOG / name / "study.yaml").read_text("utf8") for name in names()]
    for seed in range(start, min(start + 50, CASES)):
        rng = random.Random(seed)
        text = spoiled_study(rng.choice(texts), rng)
        try:
            with Slow():
                parse(text)
        except StudyError as error:
            assert re.search("[一-鿿]", str(error)), (seed, text)
            assert all(line >= 1 for line, _ in error.problems), seed
        except Exception as error:
            raise AssertionError(f"种子 {seed}：\n{text}") from error
