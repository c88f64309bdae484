"""把 summary 排成 Markdown 表；数字只在这里取整，不在这里计算。

内容: markdown。
"""

from __future__ import annotations

from typing import Any

from vision_attention.studies.results.judgement import say
from vision_attention.wording import p_value

# 大到不必看小数的指标；其余留四位
LARGE = {"steps_to_fit", "cpu_seconds", "parameters", "macs", "memory"}


def markdown(summary: dict[str, Any]) -> str:
    """一项研究的报告：问题、结论表、两个框架的一致程度、出处。

    参数: summary 为 report.summarize 的结果
    """
    parts = [f"# {summary['name']}", f"**问题** {summary['question']}"]
    if summary["missing"]:
        missing, n_runs = summary["missing"], summary["n_runs"]
        parts.append(f"**还没有跑完**：{n_runs} 个运行还缺 {missing} 个，结论会变。")
    if summary["rejected"]:
        parts.append(f"**坏行**：{summary['rejected']} 行不合要求，没有算在内。")
    if summary["blind"]:
        listed = "；".join(_named(levels) for levels in summary["blind"])
        parts.append(f"**这项研究看不见**：阳性对照没有显出差别（{listed}）。")
    parts += [_main(summary), summary["policy"]]
    mixed = sum(cell.get("mixed", 0) for cell in summary["cells"])
    if mixed:
        parts.append(f"有 {mixed} 对比较的两边出自不同版本的代码。")
    if summary["tuning"]:
        parts += ["## 各臂的设置怎样挑的", _tuning(summary["tuning"])]
    if summary["note"]:
        parts.append(summary["note"].strip())
    if summary["agreement"]:
        parts += ["## 两个框架是否一致", _agreement(summary)]
    parts.append(_source(summary))
    return "\n\n".join(parts) + "\n"


def _rows(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _main(summary: dict[str, Any]) -> str:
    """主表：每个组合一行。"""
    names = list(summary["cells"][0]["levels"])
    compare = summary["compare"]
    versus = []
    if compare:
        versus = [f"减 {compare['reference']}", "区间", "Holm p", "结论"]
        versus += ["少一粒种子", "符号翻转 p", "看得见的最小差", "族"]
    header = [*names, "n", summary["metric_name"], "95 % 区间", *versus]
    header += ["参数", "乘加", "CPU 秒"]
    rows = [
        [
            *(str(level) for level in cell["levels"].values()),
            *_own(cell, summary["metric"]),
            *(_versus(cell, summary["metric"]) if compare else []),
            *(_sturdy(cell, summary["metric"]) if compare else []),
            _count(cell["cost"]["parameters"]),
            _count(cell["cost"]["macs"]),
            _number(cell["cost"]["cpu_seconds"], 1),
        ]
        for cell in summary["cells"]
    ]
    return _rows(header, rows)


def _named(levels: dict[str, Any]) -> str:
    return "，".join(f"{name}={level}" for name, level in levels.items())


def _tuning(choices: list[dict[str, Any]]) -> str:
    """每臂一行：试了什么、各得多少、挑中哪个；挑中的是头或尾的另外说。"""
    rows = []
    for choice in choices:
        tried = "；".join(
            f"{name} → {_number(mean, 4)}" for name, mean in choice["tried"].items()
        )
        note = "（到了候选的头尾）" if choice["at_end"] else ""
        chosen = (choice["chosen"] or "还没有试完") + note
        rows.append([_named(choice["levels"]), str(choice["n"]), tried, chosen])
    return _rows(["臂", "种子数", "在留出的图片上", "挑中"], rows)


def _estimate(estimate: dict, metric: str, sign: bool = False) -> list[str]:
    """n、均值、区间三格。"""
    digits = 1 if metric in LARGE else 4
    low = _number(estimate["low"], digits, sign)
    high = _number(estimate["high"], digits, sign)
    mean = _number(estimate["mean"], digits, sign)
    return [str(estimate["n"]), mean, "—" if low == "—" else f"{low} … {high}"]


def _own(cell: dict[str, Any], metric: str) -> list[str]:
    """一臂自己的三格：均值，或者做对的份额。"""
    if "solved" in cell:
        return _solved(cell)
    n, mean, interval = _estimate(cell["estimate"], metric)
    if cell["unmeasured"]:
        mean += f"（{cell['unmeasured']} 粒没有到）"
    return [n, mean, interval]


def _solved(cell: dict[str, Any]) -> list[str]:
    """n、做对几粒、占几成的精确区间三格。"""
    found = cell["solved"]
    interval = f"{found['low']:.2f} … {found['high']:.2f}"
    return [str(found["n"]), f"做对 {found['hits']}", interval]


def _versus(cell: dict[str, Any], metric: str) -> list[str]:
    """与参照臂相比的四格；参照臂自己是短横。"""
    if "difference" not in cell:
        return ["—", "—", "—", "（参照）"]
    _, mean, interval = _estimate(cell["difference"], metric, sign=True)
    word = say(cell["verdict"], cell["within"], metric)
    return [mean, interval, p_value(cell["p_holm"]), word]


def _sturdy(cell: dict[str, Any], metric: str) -> list[str]:
    """结论经不经得住的四格。"""
    if "difference" not in cell:
        return ["—"] * 4
    kept = {True: "不变", False: "会变", None: "—"}[cell["survives"]]
    digits = 1 if metric in LARGE else 4
    smallest = _number(cell["detectable"], digits)
    family = f"{cell['family']}（{cell['family_size']} 个）"
    return [kept, p_value(cell["p_sign"]), smallest, family]


def _agreement(summary: dict[str, Any]) -> str:
    """用 paddle 减 torch 的表，以及两边结论相同的比例。"""
    rows = []
    for row in summary["agreement"]:
        _, mean, interval = _estimate(row["difference"], summary["metric"], sign=True)
        same = {True: "相同", False: "不同", None: "—"}[row["same_verdict"]]
        levels = [str(level) for level in row["levels"].values()]
        n = str(row["difference"]["n"])
        rows.append([*levels, n, mean, interval, row["verdict"], same])
    names = list(summary["agreement"][0]["levels"])
    header = [*names, "n", "paddle − torch", "区间", "差别", "对参照臂的结论"]
    judged = [r for r in summary["agreement"] if r["same_verdict"] is not None]
    same = sum(r["same_verdict"] for r in judged)
    line = (
        f"\n\n{len(judged)} 个比较里，两个框架结论相同的有 {same} 个。"
        if judged
        else ""
    )
    return _rows(header, rows) + line


def _source(summary: dict[str, Any]) -> str:
    """出处与重做的命令。"""
    listed = "；".join(
        [
            f"数据 {'、'.join(summary['data'])}",
            f"框架 {'、'.join(summary['frameworks'])}",
            f"处理器 {'、'.join(summary['processors'])}",
        ]
    )
    return f"{listed}。重做：`{summary['command']}`"


def _number(value: float | None, digits: int, sign: bool = False) -> str:
    if value is None:
        return "—"
    return f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"


def _count(value: float | None) -> str:
    return "—" if value is None else f"{value:,.0f}"
