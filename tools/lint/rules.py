"""每条判法早于还是晚于它用的记录：由 Git 的历史算出，写在判法旁边。

用法: python -m tools.lint.rules          # 与写下的比，不同就列出来，返回 1
      python -m tools.lint.rules --write  # 重写 claims/timing.yaml
判法以现在的样子第一次提交的时候为准；记录以这项研究第一次提交记录的时候为准。
文件挪过地方，所以照文件名找，不照路径。没有完整的历史时算不出来。
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from vision_attention.studies.claims import timing
from vision_attention.studies.store.library import names, open_study

ROOT = Path(__file__).resolve().parents[2]
NOW = 10**9  # 还没有提交：排在一切之后
HEAD = """\
# 每条判法早于还是晚于它用的记录。由 python -m tools.lint.rules --write 写出，不要手改；
# 测试由 Git 的历史重算。claims 是 claims.yaml 的句子，branches 是 decisions.yaml 的
# 各个条件，families 是各项研究的 judge（族、对照、相差不到多少）。
"""


def git(*words: str) -> str:
    """一条 git 命令的输出。"""
    done = subprocess.run(
        ["git", *words], cwd=ROOT, check=True, capture_output=True, encoding="utf8"
    )
    return done.stdout


def complete() -> bool:
    """有没有完整的历史；不是仓库、只取了一层的都没有。"""
    try:
        top = git("rev-parse", "--show-toplevel").strip()
        shallow = git("rev-parse", "--is-shallow-repository").strip()
    except (OSError, subprocess.CalledProcessError):
        return False
    return Path(top).resolve() == ROOT and shallow == "false"


@cache
def order() -> dict[str, int]:
    """提交 → 它排第几，从最早的数起。"""
    listed = git("rev-list", "--topo-order", "--reverse", "HEAD").split()
    return {commit: place for place, commit in enumerate(listed)}


def versions(name: str) -> Iterator[tuple[int, str, str]]:
    """一个文件的各个版本，从早到晚：排第几、提交的时刻、内容。

    参数: name 为文件名，可以带上一层文件夹；挪过的地方一并算
    """
    listed = git(
        "log", "--topo-order", "--reverse", "--format=>%H %aI", "--name-only",
        "--diff-filter=AMR", "--", f":(glob)**/{name}",
    )  # fmt: skip
    commit = when = ""
    for line in filter(None, listed.splitlines()):
        if line.startswith(">"):
            commit, when = line[1:].split()
        else:
            yield order()[commit], when, git("show", f"{commit}:{line}")


@cache
def recorded(study: str) -> tuple[int, str] | None:
    """一项研究的记录：第一次提交排第几、第一次运行开始的时刻；没有记录为 None。"""
    for place, _, text in versions(f"{study}/records.jsonl"):
        if text.strip():
            lines = filter(None, text.splitlines())
            return place, min(json.loads(line)["started"] for line in lines)
    return None


def first(
    name: str, present: Any, forms: Callable[[Any], list[Any]]
) -> tuple[int, str]:
    """现在的样子第一次提交：排第几、时刻；还没有提交的排在最后。

    参数: forms 由一个版本的内容得出里面的各条判法
    """
    for place, when, text in versions(name):
        try:
            listed = forms(yaml.safe_load(text))
        except (KeyError, TypeError, yaml.YAMLError):
            continue  # 早先的样子不同，里面没有这样的判法
        if present in listed:
            return place, when
    return NOW, ""


def told(rule: tuple[int, str], studies: list[str]) -> str:
    """一条判法与它用的各项研究的记录，谁先谁后。"""
    found = [one for one in map(recorded, studies) if one is not None]
    if not found:
        return timing.NONE
    if any(rule[0] >= place for place, _ in found):
        return timing.AFTER
    # 时刻都是带时区的 ISO 写法，时区可能不同，换成秒再比
    early = all(seconds(rule[1]) < seconds(started) for _, started in found)
    return timing.BEFORE if early else timing.DURING


def seconds(moment: str) -> float:
    """ISO 时刻 → 秒。"""
    return datetime.fromisoformat(moment).timestamp()


def plain(comparison: dict[str, Any]) -> dict[str, Any]:
    """一个比较里管判法的部分：说法（do）不算，缺省的省去。"""
    kept = {k: v for k, v in comparison.items() if k != "do" and v not in ({}, False)}
    return {"expect": "提高"} | kept


def claim_rule(item: dict[str, Any]) -> dict[str, Any]:
    """一句话里管判法的部分。"""
    compared = [plain(one) for one in item.get("comparisons") or ()]
    return {"id": item["id"], "settled": item.get("settled"), "compared": compared}


def branch_rule(branch: dict[str, Any]) -> list[dict[str, Any]]:
    """一个条件里管判法的部分：比哪几样。"""
    return [plain(arrow) for arrow in branch["arrows"]]


def branch_rules(content: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """一个版本的 decisions.yaml 里的各个条件。"""
    return [branch_rule(b) for question in content for b in question["branches"]]


def listed() -> Iterator[tuple[str, str, list[str], tuple[str, Any, Callable]]]:
    """每一条判法：哪一部分、名字、用的研究，以及要问 first 的三样。"""
    for item in read("claims.yaml"):
        rule = claim_rule(item)
        used = sorted({one["study"] for one in rule["compared"]})
        asked = "claims.yaml", rule, lambda old: [*map(claim_rule, old)]
        yield "claims", item["id"], used, asked
    for question in read("decisions.yaml"):
        for branch in question["branches"]:
            rule = branch_rule(branch)
            used = sorted({one["study"] for one in rule})
            name = timing.branch_name(question["id"], branch["when"])
            yield "branches", name, used, ("decisions.yaml", rule, branch_rules)
    for name in names():
        path = open_study(name).folder / "study.yaml"
        present = yaml.safe_load(path.read_text("utf8")).get("judge")
        asked = f"{name}/study.yaml", present, lambda old: [old.get("judge")]
        yield "families", name, [name], asked


def read(name: str) -> list[dict[str, Any]]:
    """现在的 claims.yaml 或 decisions.yaml。"""
    return yaml.safe_load(timing.PATH.with_name(name).read_text("utf8"))


def times() -> dict[str, dict[str, str]]:
    """全部，由历史算出；由定义判定的句子不用记录。"""
    found: dict[str, dict[str, str]] = {"claims": {}, "branches": {}, "families": {}}
    for part, name, studies, asked in listed():
        settled = part == "claims" and asked[1]["settled"]
        word = timing.SETTLED if settled else told(first(*asked), studies)
        found[part][name] = word
    return found


def main(*arguments: str) -> int:
    """比对，或者重写。"""
    if not complete():
        print("没有完整的 Git 历史，算不出来；请 git fetch --unshallow")
        return 1
    found = times()
    if "--write" in arguments:
        text = yaml.safe_dump(found, allow_unicode=True, sort_keys=False)
        timing.PATH.write_text(HEAD + text, "utf8")
        return 0
    written = timing.written()
    wrong = [
        f"{part}：{name} 写的是“{written[part].get(name)}”，历史说“{word}”"
        for part, listed in found.items()
        for name, word in listed.items()
        if written[part].get(name) != word
    ]
    print("\n".join(wrong) or "判法与记录的先后，写下的与历史相同")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
