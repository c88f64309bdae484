"""笔记本页顶上的按钮：每一页都有、指向自己的仓库、没有脚本也能点。"""

import re

import pytest
from conftest import opened, toc_pages
from lxml import html as parser

from tools.build.workplace import ROOT
from tools.launch import address

NOTES = [page for page in toc_pages() if page.startswith("notebooks/")]


@pytest.mark.parametrize("path", NOTES)
def test_every_notebook_page_has_its_four_links(book, path):
    found = parser.parse(str(book / path)).xpath("//nav[@class='launch']//li//a")
    links = address.links(address.current(), path.replace(".html", ".ipynb"))
    assert {link.text_content(): link.get("href") for link in found} == links
    assert len(found) == 4


def test_other_pages_have_none(book):
    pages = {path.relative_to(book).as_posix(): path for path in book.rglob("*.html")}
    marked = {n for n, path in pages.items() if 'class="launch"' in path.read_text()}
    assert marked == set(NOTES)


def test_links_of_the_notebook_are_not_said_twice(book):
    for path in NOTES:
        text = (book / path).read_text("utf8")
        assert "在线运行：" not in text
        assert len(re.findall("没有直达的网址", text)) == 1


def test_download_is_the_notebook_itself(tab, root):
    tab.goto(root + NOTES[0])
    with tab.expect_download() as download:
        tab.click("nav.launch p a[download]")
    name = NOTES[0].rsplit("/", 1)[1].replace(".html", ".ipynb")
    assert download.value.suggested_filename == name
    source = (ROOT / NOTES[0]).with_suffix(".ipynb")
    old, new = address.declared(), address.current()
    want = address.replaced(source.read_text("utf8"), old, new)
    assert download.value.path().read_text("utf8") == want


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_buttons_work_without_script_on_a_phone(browser, root, mode):
    with opened(browser, mode, width=390, java_script_enabled=False) as page:
        page.goto(root + NOTES[0])
        boxes = [
            link.bounding_box() for link in page.query_selector_all("nav.launch a")
        ]
    assert len(boxes) == 6
    for box in boxes[:4]:
        assert box["height"] >= 24
        assert 0 <= box["x"] <= box["x"] + box["width"] <= 390


def test_fork_in_the_buttons(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools" / "site" / "ext"))
    from book_site import launch

    fork = "{}/{}".format("a-fork", "its-course")
    monkeypatch.setenv("GITHUB_REPOSITORY", fork)
    html = launch.buttons("notebooks/paddle/cbam", "../../")
    assert html.count(fork) == 3
    assert address.slug(address.declared()) not in html
    assert html.index("AI Studio") < html.index("Colab")
