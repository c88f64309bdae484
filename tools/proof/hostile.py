"""怪输入与 kill -9：随手造 N 例，随机的时刻杀 N 轮；结果写进附录「状态」。

用法: make fuzz N=几例，缺省 10,000；make kills N=几轮，缺省 20。
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tools.build.outcomes import commit, outcome, record
from tools.build.workplace import PYTHON, ROOT, call, say, workplace

# 命令 → 环境变量、缺省几例、哪些测试
KINDS = {
    "fuzz": ("FUZZ", 10_000, ["properties", "properties_files", "fuzz"]),
    "kills": ("KILLS", 20, ["kills"]),
}


def run(kind: str, count: int, place: Path) -> tuple[int, list[str]]:
    """跑一遍，各个结局写在 place 旁边；返回退出码与没有通过的测试。"""
    variable, _, names = KINDS[kind]
    tests = [next((ROOT / "tests").rglob(f"test_{name}.py")) for name in names]
    env = workplace() | {variable: str(count), f"{variable}_REPORT": str(place)}
    env |= {"OMP_NUM_THREADS": "1"}
    report = place.with_suffix(".xml")
    jobs = ["-n", str(os.cpu_count() or 1)] if kind == "fuzz" else []
    words = [PYTHON, "-m", "pytest", "-q", *jobs, f"--junitxml={report}", *tests]
    return call(words, env), outcome(report)["names"]


def main(kind: str) -> int:
    """做一遍，记下来，说一句；有一例不对就不过。"""
    started_from, (_, usual, _) = commit(), KINDS[kind]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "report"
        code, bad = run(kind, int(os.environ.get("N") or usual), place)
        found = {p.suffix[1:]: json.loads(p.read_text("utf8")) for p in _parts(place)}
    if kind == "fuzz":
        counts: Counter = Counter()
        for part in found.values():
            counts.update(part)
        found = dict(counts)
    record(kind, {**found, "bad": bad}, started_from)
    say(json.dumps(found, ensure_ascii=False))
    return code


def _parts(place: Path) -> list[Path]:
    return [p for p in place.parent.glob(f"{place.name}.*") if p.suffix != ".xml"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
