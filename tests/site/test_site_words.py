"""正文的用词：研究写平实的题目，点开是记录；每页说先要懂什么、读几分钟。"""

import posixpath
import re

import pytest
from lxml import html as parser

from tools.site.ext.book_site import needs
from tools.site.ext.book_site import studies as room
from vision_attention import studies

NAMES = studies.names()
PLAIN = re.compile(rf"\b(?:{'|'.join(n for n in NAMES if '_' in n)})\b")
KEPT = tuple(f"{page}.html" for page in room.KEPT)


def test_every_study_has_a_title_of_its_own():
    titles = room.titles()
    assert set(titles) == set(NAMES)
    assert len(set(titles.values())) == len(titles)
    assert not [t for t in titles.values() if re.search("[a-z]_", t)]


def spoken(path):
    """一页里读者读到的研究名：成段的代码与命令之外的。"""
    article = parser.fromstring(path.read_bytes()).find(".//article")
    if article is None:
        return []
    for block in article.xpath(".//pre | .//script | .//style"):
        block.drop_tree()
    code = [c for c in article.iter("code") if c.text_content() in NAMES]
    for inline in list(article.iter("code")):
        inline.drop_tree()
    return [c.text_content() for c in code] + PLAIN.findall(article.text_content())


def test_no_page_speaks_of_a_study_by_its_name(book):
    pages = {p.relative_to(book).as_posix(): p for p in book.rglob("*.html")}
    found = {n: spoken(p) for n, p in pages.items() if n not in KEPT}
    assert len(found) > 70
    assert {n: names for n, names in found.items() if names} == {}


@pytest.mark.parametrize("text", ["<code>where</code>", "研究 digits_gates 量过"])
def test_a_name_in_the_text_is_noticed(tmp_path, text):
    page = tmp_path / "page.html"
    page.write_text(f"<html><article><p>{text}</p></article></html>", "utf8")
    assert spoken(page)


def test_a_title_leads_to_its_record(book):
    """第一次出现的题目是链接，链到这项研究的那一条。"""
    page = parser.fromstring((book / "book" / "what" / "gate.html").read_bytes())
    (link,) = page.xpath("//article//a[contains(@href, '#study-which-gate')]")
    assert link.text_content() == f"“{room.titles()['which_gate']}”"
    records = (book / "book" / "appendix" / "records.html").read_text("utf8")
    assert all(
        f'id="study-{name.replace("_", "-")}"' in records
        for name in NAMES
        if studies.records_of(name)
    )


def test_a_page_says_what_it_needs_and_how_long_it_takes(book):
    """标题之下的一行：先要懂的页都点得开，分钟在 1 到 30 之间。"""
    listed = needs.written()
    for name, wanted in listed.items():
        page = parser.fromstring((book / f"{name}.html").read_bytes())
        (line,) = page.xpath("//article//h1/following-sibling::p[@class='needs']")
        assert 1 <= int(re.search(r"约 (\d+) 分钟", line.text_content())[1]) <= 30
        assert [a.get("href") for a in line.iter("a")] == [
            posixpath.relpath(f"{one}.html", posixpath.dirname(name)) for one in wanted
        ]
    glossary = (book / "book" / "glossary.html").read_text("utf8")
    assert 'class="needs"' not in glossary
