"""命令 diagnose 的报告：一份自包含的 HTML，图与样式都在里面，不从别处取任何东西。

内容: Mistake（错得离谱的一张）、Report、page_of（报告 → HTML）、link_to。
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib import metadata
from typing import Any, NamedTuple

import numpy as np

from vision_attention.cli import drawing
from vision_attention.statistics import share_interval
from vision_attention.training.checkup import (
    PAGES,
    Advice,
    Checkup,
    compared,
    spread,
)
from vision_attention.training.class_scores import ClassScore
from vision_attention.training.sanity import Sanity

STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.7 system-ui,"Noto Sans CJK SC","PingFang SC",sans-serif;
max-width:46rem;margin:0 auto;padding:1rem}
h1{font-size:1.5rem;line-height:1.3}h2{font-size:1.15rem;margin-top:2rem}
img{max-width:100%;height:auto}
.verdict{border-left:.3rem solid #1f78c1;padding:.2rem 1rem;font-size:1.05rem}
.warn{border-left:.3rem solid #d55e00;padding:.2rem 1rem}
table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:left}
.scroll{overflow-x:auto}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(10.5rem,1fr));gap:1rem}
figure{margin:0}figcaption{font-size:.85rem;line-height:1.4;overflow-wrap:anywhere}
.grid img{width:47%;image-rendering:pixelated}
pre{overflow-x:auto;padding:.6rem;border:1px solid #757d86}
"""


ALIKE = "同组的图彼此相像，真正的范围更宽。"


class Mistake(NamedTuple):
    """认错的一张测试图。

    形状: image uint8 (C, H, W)；seen (h, w)，模型不分位置时是 None
    参数: name 为文件或第几张；truth、said 为对的与答的类名；odds 为它答的概率
    """

    name: str
    truth: str
    said: str
    odds: float
    image: np.ndarray
    seen: np.ndarray | None


@dataclass(frozen=True)
class Report:
    """报告要的一切。

    参数: title 为哪次训练；facts 为几句话：数据怎样切分、版本；warnings 为要当心的；
        attention 为换成了哪一种；curves 为各粒种子的曲线；arms 为臂的名字 → 各次的测试
        准确率；test_size 为测试图片数；grouped 为按组切分；looked 为画的是什么；
        undone 为没有做的
    """

    title: str
    facts: Sequence[str]
    warnings: Sequence[str]
    checkup: Checkup
    sanity: Sanity
    scores: Sequence[ClassScore]
    attention: str
    curves: Sequence[Any]
    arms: dict[str, Sequence[float]]
    test_size: int
    grouped: bool
    mistakes: Sequence[Mistake]
    looked: str
    advice: Sequence[Advice]
    undone: Sequence[str]


@functools.cache
def repository() -> str:
    """仓库的网址，来自装好的包；没有写就是空的。"""
    found = metadata.metadata("vision-attention").get_all("Project-URL") or []
    pairs = (item.partition(", ") for item in found)
    return next((url for name, _, url in pairs if name == "Repository"), "")


def link_to(page: str) -> str:
    """书里一页的链接。"""
    title = escape(PAGES[page])
    place = f"{repository()}/blob/main/book/{page}.md"
    return f'<a href="{escape(place)}">{title}</a>' if repository() else title


def page_of(report: Report) -> str:
    """报告写成一份 HTML。"""
    checkup = report.checkup
    body = [
        f"<h1>{escape(report.title)}：{escape(checkup.name)}</h1>",
        f'<p class="verdict">{escape(checkup.why)}</p>',
        *(f'<p class="warn">{escape(line)}</p>' for line in report.warnings),
        *_section("下一步", _steps(report)),
        *_section("训练与测试差多少", _gap(report)),
        *_section("图片多一些，会不会好", _sizes(checkup)),
        *_section("注意力帮不帮得上忙", _attention(report)),
        *_section("体检", _sanity(report.sanity)),
        *_section("各类", _classes(report.scores)),
        *_section("错得最离谱的", _mistakes(report)),
        *_section("这份报告怎样来的", _facts(report)),
    ]
    return (
        '<!doctype html>\n<html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(report.title)}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _section(title: str, lines: Iterable[str]) -> list[str]:
    """一节；里面是空的就不要标题。"""
    found = list(lines)
    return [f"<h2>{title}</h2>", *found] if found else []


def _picture(address: str, told: str) -> str:
    return f'<p><img src="{address}" alt="{escape(told)}"></p>'


def _steps(report: Report) -> list[str]:
    items = [
        f"<li>{escape(step.what)}。见{link_to(step.page)}。</li>"
        for step in report.advice
    ]
    return ["<ol>", *items, "</ol>"]


def _gap(report: Report) -> list[str]:
    checkup = report.checkup
    rows = (("训练", checkup.train), ("测试", checkup.test), ("差距", checkup.gap))
    told = "；".join(f"{name} {spread(value)}" for name, value in rows)
    hits = round(checkup.test.mean * report.test_size)
    low, high = share_interval(hits, report.test_size)
    seeds = "、".join(
        f"种子 {seed} {found.name}" for seed, found in checkup.by_seed.items()
    )
    picture = drawing.curves_picture(report.curves, "准确率")
    return [
        f"<p>终点的准确率：{told}。{seeds}。</p>",
        f"<p>区间只含种子的起伏。测试图片只有 {report.test_size} 张，换一批同样的图，"
        f"单看一次训练，测试准确率在 {low:.2f} 到 {high:.2f} 之间都不奇怪。"
        f"{ALIKE if report.grouped else ''}</p>",
        _picture(picture, f"学习曲线，{len(report.curves)} 粒种子；终点：{told}"),
    ]


def _sizes(checkup: Checkup) -> list[str]:
    if checkup.more is None:
        return []
    ends = "；".join(
        f"{n:,} 张 {np.mean(list(found.values())):.3f}"
        for n, found in checkup.by_size.items()
    )
    shared = set.intersection(*(set(found) for found in checkup.by_size.values()))
    told = (
        f"<p>测试准确率的平均：{ends}。图片加倍：{escape(compared(checkup.more))}。</p>"
    )
    if not shared:
        return [told]
    return [told, _picture(drawing.size_picture(checkup.by_size), f"随图片数：{ends}")]


def _attention(report: Report) -> list[str]:
    if report.checkup.attention is None:
        return []
    told = compared(report.checkup.attention)
    name = report.attention
    changed = "去掉注意力" if name == "none" else f"换上 {name}"
    ends = "；".join(f"{k} {np.mean(list(v)):.3f}" for k, v in report.arms.items())
    return [
        f"<p>{escape(changed)}，同样的种子、初值与批次，测试准确率：{escape(told)}。</p>",
        _picture(drawing.paired_picture(report.arms), f"每次训练一个点；平均：{ends}"),
    ]


def _sanity(sanity: Sanity) -> list[str]:
    lines = "<br>".join(escape(line) for line in str(sanity).splitlines()[:2])
    shown = "".join(
        f'<figure><img src="{drawing.photo(image)}" alt="{escape(label)}">'
        f"<figcaption>{escape(label)}</figcaption></figure>"
        for image, label in zip(sanity.images, sanity.labels, strict=True)
    )
    return [
        f"<p>{lines}</p><p>请看图，核对标签：</p>",
        f'<div class="grid">{shown}</div>',
    ]


def _classes(scores: Sequence[ClassScore]) -> list[str]:
    rows = "".join(
        f"<tr><td>{escape(s.name)}</td><td>{s.train}</td><td>{s.correct}/{s.test}</td>"
        for s in sorted((s for s in scores if s.test), key=lambda s: s.accuracy)
    )
    head = "<tr><th>类</th><th>训练张数</th><th>测试做对</th></tr>"
    return [f'<div class="scroll"><table>{head}{rows}</table></div>']


def _mistakes(report: Report) -> list[str]:
    if not report.mistakes:
        return ["<p>测试图片一张也没有错。</p>"]
    shown = "".join(_mistake(one, report.looked) for one in report.mistakes)
    where = f"右边叠上它看着的地方（{escape(report.looked)}）" if report.looked else ""
    return [
        f"<p>答错而最有把握的，在前；左边是原图{'，' + where if where else ''}。</p>",
        f'<div class="grid">{shown}</div>',
    ]


def _mistake(one: Mistake, looked: str) -> str:
    told = f"是{one.truth}，答{one.said}，概率 {one.odds:.2f}"
    images = f'<img src="{drawing.photo(one.image)}" alt="{escape(told)}">'
    if one.seen is not None:
        alt = f"同一张，叠上{looked}"
        address = drawing.overlaid(one.image, one.seen)
        images += f' <img src="{address}" alt="{escape(alt)}">'
    words = f"{escape(told)}<br>{escape(one.name)}"
    return f"<figure>{images}<figcaption>{words}</figcaption></figure>"


def _facts(report: Report) -> list[str]:
    items = "".join(f"<li>{escape(line)}</li>" for line in report.facts)
    undone = "".join(f"<li>没有做：{escape(line)}</li>" for line in report.undone)
    return [f"<ul>{items}{undone}</ul>"]
