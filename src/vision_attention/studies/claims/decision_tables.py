"""把决策图排成 Markdown 的列表，与一份给页面里那张表单用的数据。

内容: MARKS、CASES、tree、atlas。
"""

from __future__ import annotations

from typing import Any

from vision_attention.studies.claims import timing
from vision_attention.studies.claims.decisions import (
    Arrow,
    Branch,
    Question,
    Step,
    questions,
    weighed,
)
from vision_attention.studies.claims.judging import findings_of
from vision_attention.studies.results.cost import Cost, cost
from vision_attention.studies.results.judgement import Judgement, say
from vision_attention.wording import number, p_value, signed

# 结果 → （页面上的记号，颜色的名字）；BOUND 处写相差不到多少
MARKS = {
    "更好": ("▲ 更好", "better"),
    "更差": ("▼ 更差", "worse"),
    "相差不到 δ": ("≈ BOUND", "unseen"),
    "说不准": ("○ 说不准", "unseen"),
    "没有测": ("? 没有测", "unseen"),
}

# 读者说处境用的四组按钮：组 →（名字，取值 → 按钮上的字）；空的取值是“不限”。
# 张数分档，取值是这一档不到多少张；照片与大网络还没有一支箭头，选了就照实说
CASES = {
    "question": (
        "想问",
        {
            "": "都想问",
            "where": "在哪里加",
            "which": "用哪种",
            "settings": "参数怎么设",
        },
    ),
    "pictures": (
        "你的图",
        {
            "": "不限",
            "digits": "字、图标那样的小图",
            "marks": "答案要看相隔很远的两处",
            "photos": "照片",
        },
    ),
    "network": (
        "你的网络",
        {
            "": "不限",
            "conv": "卷积网络",
            "tiny": "窄到学不动的",
            "mobile": "移动端的",
            "vit": "ViT",
            "large": "ResNet-18 以上",
        },
    ),
    "images": (
        "训练用几张",
        {
            "": "不限",
            "25": "十来张",
            "150": "一百张上下",
            "350": "二百张上下",
            "1000": "五百张上下",
            "5000": "一千到五千张",
            "1e12": "五千张以上",
        },
    ),
}


def tree(question: Question) -> str:
    """一个问题的图：各个条件与它们的箭头；判法与记录谁先谁后写在后面。

    参数: question 为 decisions.questions() 里的一个
    """
    lines = []
    for branch, steps in weighed(question):
        studies = [step.arrow.study for step in steps]
        when = timing.of_branch(question.id, branch.when, studies)
        head = f"- [{branch.when}](../{branch.page}.md)，与“{branch.against}”比"
        lines += [f"{head}（{when}）：", "", *map(_arrow, steps)]
    return "{.decision}\n" + "\n".join(lines)


def atlas() -> list[dict[str, Any]]:
    """全部条件：哪个问题、什么处境、每支箭头的结果与代价；话都写好了的。"""
    return [
        _place(question, branch, steps)
        for question in questions().values()
        for branch, steps in weighed(question)
    ]


def _place(question: Question, branch: Branch, steps: list[Step]) -> dict[str, Any]:
    return {
        "question": question.id,
        "when": branch.when,
        "against": branch.against,
        "page": branch.page,
        "case": branch.case.model_dump(),
        "arrows": [_told(step) for step in steps],
    }


def _told(step: Step) -> dict[str, Any]:
    """一支箭头，各项写成话。"""
    return {
        "do": step.arrow.do,
        "outcome": step.outcome,
        "mark": _mark(step),
        "size": _size(step.found),
        "strength": _strength(step.found).removeprefix("；"),
        "cost": _price(step.arrow),
        "study": step.arrow.study,
    }


def _arrow(step: Step) -> str:
    """一支箭头：做法、结果、差与区间、经不经得住、族、代价、出自哪项研究。"""
    found, colour = step.found, MARKS[step.outcome][1]
    text = f"{step.arrow.do}　[**{_mark(step)}**]{{.{colour}}}"
    if found.difference.low is not None:
        count = f"，{found.size} 个" if found.role == "选择" else ""
        text += f"　{_size(found)}{_strength(found)}；族：{found.family}{count}"
        text += f"；{_price(step.arrow)}"
    return f"    - {text}　`{step.arrow.study}`"


def _mark(step: Step) -> str:
    metric = step.arrow.metric or "test_accuracy"
    said = say(step.found.verdict, step.found.within, metric)
    return MARKS[step.outcome][0].replace("BOUND", said)


def _strength(found: Judgement) -> str:
    """经不经得住：▲▼ 看少一粒种子与符号翻转，○ 看半宽与看得见的最小差。"""
    if found.seen:
        kept = "；少任何一粒种子不变" if found.survives else "；少一粒种子就变"
        flipped = f"，翻转 p {p_value(found.p_sign)}"
        return kept + (flipped if found.p_sign is not None else "")
    if found.verdict == "说不准" and found.detectable is not None:
        least = number(found.detectable)
        return f"；半宽 {number(found.half_width)}，看得见 {least}"
    return ""


def _size(found: Judgement) -> str:
    """差与区间；比份额的，两臂各做对几粒。"""
    one = found.difference
    if found.hits is not None:
        return "做对 {}/{n}，对 {}/{n}".format(*found.hits, n=one.n)
    if one.low is None:
        return ""
    return f"{signed(one.mean)}（{signed(one.low)} … {signed(one.high)}，n = {one.n}）"


def _price(arrow: Arrow) -> str:
    """代价写成话：参数多几个，处理器的秒数是几倍；没有记录时为空。"""
    place = {name: value for name, [value] in arrow.at.items()}
    ours, theirs = (
        place | {arrow.factor: arm} for arm in (arrow.ours, arrow.reference)
    )
    try:
        return _said(cost(findings_of(arrow.study), ours, theirs))
    except ValueError:
        return ""


def _said(found: Cost) -> str:
    if not found.parameters:
        return f"参数一样多，时间 ×{found.time:.2f}"
    share = f"{abs(found.share):.0%}" if abs(found.share) >= 0.005 else "不到 1%"
    count = f"{'多' if found.parameters > 0 else '少'} {abs(found.parameters):,}"
    return f"参数{count}（{share}），时间 ×{found.time:.2f}"
