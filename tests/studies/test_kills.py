"""研究与训练，随机的时刻 kill -9：什么也不丢、不重、不撕破，接着做完与没有打断的一样。

KILLS=几轮，缺省 1；make kills 是各 20 轮。
"""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

ROUNDS = int(os.environ.get("KILLS") or 1)
PROGRAM = Path(__file__).parents[1] / "killing.py"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="分出进程要 Unix")
@pytest.mark.parametrize("kind", ["study", "torch", "paddle"])
def test_killed_at_random_moments(tmp_path, kind):
    seed = random.randrange(10**6) if "KILLS" in os.environ else 0
    words = [sys.executable, PROGRAM, kind, str(ROUNDS), str(seed), tmp_path]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        words, check=False, capture_output=True, text=True, env=env, cwd=tmp_path
    )
    assert done.returncode == 0, (seed, done.stderr[-2000:])
    rounds = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rounds) == ROUNDS
    assert all(each["same"] for each in rounds), (seed, rounds)
    # 至少有一次真的杀在半路
    assert ROUNDS < 5 or sum(each["kills"] for each in rounds) > 0
    if place := os.environ.get("KILLS_REPORT"):
        kills = sum(each["kills"] for each in rounds)
        Path(f"{place}.{kind}").write_text(json.dumps([ROUNDS, kills]), "utf8")
