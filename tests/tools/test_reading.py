"""每一页说先要懂什么；每一章以“没有看见的”收尾；目录分部。"""

import re

import pytest
import yaml

from tools.build import toc
from tools.build.workplace import ROOT
from tools.site.ext.book_site import needs

NEEDS = needs.written()
ORDER = [name for name in toc.names() if name.startswith("book/")]
PARTS = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))["parts"]
CHAPTERS = [
    chapter["file"]
    for part in PARTS
    for chapter in part["chapters"]
    if part.get("numbered") and chapter.get("sections")
]
END = "没有看见的"


def late(listed):
    """写着先要懂、却排在后面（或者根本不在书里）的。"""
    place = {name: at for at, name in enumerate(ORDER)}
    return [
        (page, name)
        for page, found in listed.items()
        for name in found
        if place.get(name, len(ORDER)) >= place.get(page, -1)
    ]


def last_heading(text):
    """一页最后的一个标题。"""
    prose = re.sub(r"^(`{3,}).*?^\1\s*$", "", text, flags=re.S | re.M)
    return re.findall(r"^#+ (.+)$", prose, re.M)[-1]


def test_what_a_page_needs_stands_before_it():
    assert len(NEEDS) > 50
    assert late(NEEDS) == []


@pytest.mark.parametrize("need", ["book/vit/build", "book/nowhere", "book/cbam/cost"])
def test_a_need_that_comes_later_is_noticed(need):
    assert late({"book/cbam/cost": [need]})


def test_every_section_says_what_it_needs():
    """正文各部的每一页：写了的照写的，没有写的是这一章的首页。"""
    pages = [p for part in PARTS if part.get("numbered") for p in listed(part)]
    assert len(pages) > 50
    silent = [p for p in pages if needs.wanted(p, NEEDS) is None]
    assert silent == []


def listed(part):
    """一部里的课文，笔记本除外。"""
    for chapter in part["chapters"]:
        for page in [chapter, *chapter.get("sections", ())]:
            if page["file"].startswith("book/"):
                yield page["file"]


@pytest.mark.parametrize("page", CHAPTERS)
def test_a_chapter_ends_with_what_was_not_seen(page):
    text = (ROOT / f"{page}.md").read_text("utf8")
    assert last_heading(text) == END
    assert len(text.rsplit(f"## {END}", 1)[1].strip()) > 30


def test_a_chapter_that_ends_otherwise_is_noticed():
    assert last_heading("# 题\n\n## 没有看见的\n\n话\n\n## 小结\n") == "小结"


def test_the_parts_of_the_contents():
    names = [part["caption"] for part in PARTS]
    assert names == "从这里开始 原理 现象 三个问题 用起来 附录".split()
