"""速度的记录怎样读成表：与公开实现相比、两翼相比、一步随什么长。

记录由 benchmarks/ 里的各份脚本写成；这里只读，不量。
内容: machine_line、by_mode、peer_table、peer_tally、part_table、choice_table、
growth_table。
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from vision_attention.wording import rows

# 一格看的是哪一种：模式与一批几张
MODES = {
    "推理，1 张": ("inference", 1),
    "推理，64 张": ("inference", 64),
    "训练，1 张": ("training", 1),
    "训练，64 张": ("training", 64),
}
WINGS = {"torch": "PyTorch", "paddle": "Paddle"}
# 改什么，与那一样在记录里的名字
AXES = {"token": "tokens", "宽": "embed_dim", "深": "depth", "张数": "batch"}
TO = "\u2060–\u2060"  # 区间的两头不分在两行
ITSELF = "自己"  # 没有同行时，记录里最快的一个


def machine_line(record: Mapping[str, Any]) -> str:
    """在什么机器上、用哪些版本、哪一天量的。"""
    machine = record["machine"]
    packages = "，".join(f"{k} {v}" for k, v in machine["packages"].items())
    place = f"{machine['processor']}，{machine['cores']} 核，用 1 个线程"
    system = f"{machine['system']}，Python {machine['python']}"
    return f"机器：{place}；{system}；{packages}；{machine['date']}。"


def by_mode(peers: Mapping[str, Any]) -> dict[str, dict[tuple[str, int], dict]]:
    """从模块到它的各格；ViT 完整的一步算在“训练”里。"""
    table: dict[str, dict[tuple[str, int], dict]] = {}
    for row in peers["rows"]:
        mode = "training" if row["mode"] == "step" else row["mode"]
        table.setdefault(row["module"], {})[mode, row["batch"]] = row
    return table


def peer_table(peers: Mapping[str, Any], modules: Iterable[str]) -> str:
    """与公开实现相比的表；modules 里还没有量的，各占一行，写“没有量”。"""
    table = by_mode(peers)
    body = []
    for name, found in table.items():
        first = next(iter(found.values()))
        rivals = "、".join(peer for peer in first["seconds"] if peer != "ours")
        cells = [_cell(found.get(key)) for key in MODES.values()]
        body.append([f"`{name}`", rivals or "没有", *cells])
    for name in modules:
        if name not in table:
            body.append([f"`{name}`", "没有量", *["–"] * len(MODES)])
    return rows(["模块", "同行", *MODES], body, left="同行")


def _cell(row: Mapping[str, Any] | None) -> str:
    """一格：比值与四分位数；没有同行就写用时。"""
    if row is None:
        return "–"
    if "ratio" not in row:
        return f"{1e3 * row['seconds']['ours']:.3g} ms"
    low, high = row["quartiles"]
    bold = "**" if low > 1 else ""
    return f"{bold}{row['ratio']:.2f}{bold}（{low:.2f}{TO}{high:.2f}）"


def peer_tally(peers: Mapping[str, Any]) -> str:
    """快的、慢的、分不出的各几格；哪些是后来量的。"""
    found = peers["rows"]
    rated = [row["quartiles"] for row in found if row.get("fastest", ITSELF) != ITSELF]
    slow, fast = sum(low > 1 for low, _ in rated), sum(high < 1 for _, high in rated)
    even = len(rated) - fast - slow
    slower = f"慢的 {slow} 格（粗体）" if slow else "没有一格慢"
    told = f"共 {len(rated)} 格有同行可比，快的 {fast} 格，{slower}，"
    told += f"其余 {even} 格分不出快慢。"
    later = {row["module"]: row for row in found if "machine" in row}
    return told + "".join(
        f"`{name}` 是后来量的。{machine_line(row)}" for name, row in later.items()
    )


def part_table(wings: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """各种运算里 Paddle 的用时是 PyTorch 的几倍，每种处理器、每个设置一列。

    参数: wings 为 wings.json 的内容；labels 从设置的名字到它的说法
    """
    heads, columns = [], []
    for one in wings["machines"]:
        for key, label in labels.items():
            heads.append(f"{one['machine']['processor']}，{label}")
            columns.append([f"{row['ratio']:.1f} 倍" for row in one[key]["parts"]])
    names = [row["name"] for row in wings["machines"][0]["plain"]["parts"]]
    return rows(["运算", *heads], zip(names, *columns, strict=True))


def choice_table(wings: Mapping[str, Any], labels: Iterable[str]) -> str:
    """框架现成的写法是本书写法的几倍，各取 Paddle 的 ViT 较快的那个设置。"""
    columns = {}
    for one in wings["machines"]:
        if "choices" in one["plain"]:
            speed = {key: one[key]["models"][0]["images_per_second"] for key in labels}
            best = max(speed, key=lambda key: speed[key]["paddle"])
            columns[one["machine"]["processor"]] = one[best]["choices"]
    body = [
        [first["name"], *(f"{1 / row['ratio']:.1f} 倍" for row in (first, *others))]
        for first, *others in zip(*columns.values(), strict=True)
    ]
    return rows(["运算", *columns], body)


def growth_table(growth: Mapping[str, Any]) -> str:
    """乘加、时间、内存各是起点的几倍；表下写着起点。"""
    wings = {key: [r for r in growth["rows"] if r["wing"] == key] for key in WINGS}
    bases = {key: found[0] for key, found in wings.items()}
    body = []
    for pair in list(zip(*wings.values(), strict=True))[1:]:
        first, key = pair[0], AXES[pair[0]["axis"]]
        ratios = [first["macs"] / bases[first["wing"]]["macs"]]
        for name in ("seconds", "bytes"):
            ratios += [row[name] / bases[row["wing"]][name] for row in pair]
        change = f"{first['axis']}：{bases[first['wing']][key]} → {first[key]}"
        body.append([change, *(f"{ratio:.2f}" for ratio in ratios)])
    costs = [f"{name} {what}" for what in ("时间", "内存") for name in WINGS.values()]
    base = next(iter(bases.values()))
    start = f"起点：{base['tokens']} 个 token、宽 {base['embed_dim']}"
    start += f"、{base['depth']} 块、{base['batch']} 张"
    for key, name in WINGS.items():
        row = bases[key]
        start += (
            f"；{name} {1e3 * row['seconds']:.0f} ms、{row['bytes'] / 2**20:.0f} MiB"
        )
    return f"{rows(['改什么', '乘加', *costs], body)}\n\n{start}。"
