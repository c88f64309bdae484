"""读起来：没有脚本也读得到，一行的字数合适，标点不掉到行首，键盘走得通。"""

import json

import pytest
from conftest import HAN, SAMPLE, SUBPATH, opened, sampled, toc_pages
from lxml import html as parser
from probes import BROKEN, FORMULAS, LINES, ORPHANS, RAW

from tools.site.server import serving

PAGES = [page for page in toc_pages() if page.startswith(("book/", "notebooks/"))]
TEXT = "document.querySelector('article').innerText.trim().length"


@pytest.fixture(scope="module")
def plain(browser):
    """没有脚本的标签页。"""
    with opened(browser, java_script_enabled=False) as page:
        yield page


@pytest.fixture(scope="module")
def phones(lettered):
    """字体的名字 → 一部 360 像素宽、只有这种中文字体的手机。"""
    found = {}

    def of(name):
        if name not in found:
            found[name] = lettered(name).new_page(
                viewport={"width": 360, "height": 800}
            )
        return found[name]

    return of


@pytest.fixture(scope="module")
def desk(browser):
    """1280 像素宽的电脑。"""
    with opened(browser, width=1280) as page:
        yield page


@pytest.mark.parametrize("path", sampled(PAGES))
def test_page_reads_without_javascript(plain, root, path):
    plain.goto(root + path)
    assert plain.evaluate(TEXT) > 60
    assert plain.evaluate(FORMULAS) == []
    assert not plain.evaluate(RAW)
    assert plain.evaluate(BROKEN) == []


@pytest.mark.parametrize("path", sampled(PAGES))
def test_line_length_suits_the_eye(desk, root, path):
    desk.goto(root + path)
    widths = desk.evaluate(LINES)
    assert all(32 <= width <= 40 for width in widths), widths


@pytest.mark.parametrize("path", sampled(PAGES))
@pytest.mark.parametrize("font", HAN)
def test_no_line_starts_with_punctuation(phones, root, path, font):
    page = phones(font)
    page.goto(root + path)
    assert page.evaluate(ORPHANS) == []


def test_line_length_on_a_wall(browser, root):
    with opened(browser, width=3840) as page:
        for path in PAGES[:4]:
            page.goto(root + path)
            widths = page.evaluate(LINES)
            assert all(32 <= width <= 40 for width in widths), widths


def test_folded_answers_open_without_javascript(browser, root):
    folded = 0
    with opened(browser, java_script_enabled=False) as page:
        for path in SAMPLE:
            page.goto(root + path)
            for fold in page.query_selector_all("article details:not([open])")[:1]:
                fold.query_selector("summary").click()
                assert fold.evaluate("fold => fold.open")
                folded += 1
    assert folded > 0


def test_keyboard_reaches_everything(tab, root):
    """从页首按 Tab：先是跳过导航，再是目录、正文；每一站都看得见焦点。"""
    tab.goto(root + "book/glossary.html")
    tab.keyboard.press("Tab")
    assert "跳转至主要内容" in tab.evaluate("document.activeElement.innerText")
    seen = []
    for _ in range(60):  # 目录有多长，就要按多少下
        tab.keyboard.press("Tab")
        seen.append(tab.evaluate(FOCUS))
    names = {name for name, _ in seen}
    assert len(names) > 15
    assert [name for name, visible in seen if not visible] == []
    assert any("search-button" in name for name in names)
    assert any("theme-switch" in name for name in names)


FOCUS = """(() => {
  const e = document.activeElement;
  const style = getComputedStyle(e);
  const box = e.getBoundingClientRect();
  const ring = style.outlineStyle !== 'none' || style.boxShadow !== 'none'
    || e.querySelector(':scope *') !== null && e.matches('summary');
  const key = `${e.tagName} ${e.className} ${e.innerText || e.ariaLabel}`;
  return [key, e === document.body || (box.width > 0 && ring)];
})()"""


def test_skip_link_goes_to_the_text(tab, root):
    tab.goto(root + "book/glossary.html")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/*#main-content")  # 按下之后才换地址


def test_colour_mode_is_kept(tab, root):
    tab.goto(root + "book/index.html")
    first = tab.evaluate("document.documentElement.dataset.theme")
    for _ in range(3):
        tab.locator(".theme-switch-button").first.click()
        if tab.evaluate("document.documentElement.dataset.theme") != first:
            break
    changed = tab.evaluate("document.documentElement.dataset.theme")
    assert changed != first
    tab.goto(root + "book/glossary.html")
    assert tab.evaluate("document.documentElement.dataset.theme") == changed


def test_framework_choice_is_kept(tab, root):
    """选了 PaddlePaddle，别的页也跟着换。"""
    pages = []
    for path in PAGES:
        tab.goto(root + path)
        if tab.locator("label.sd-tab-label[data-sync-id=paddle]").count():
            pages.append(path)
        if len(pages) == 2:
            break
    tab.goto(root + pages[0])
    tab.locator("label.sd-tab-label[data-sync-id=paddle]").first.click()
    tab.goto(root + pages[1])
    chosen = tab.locator(".sd-tab-set input:checked + label").first
    assert chosen.get_attribute("data-sync-id") == "paddle"


def test_code_can_be_copied(tab, root):
    tab.goto(root + next(path for path in PAGES if "notebooks/" in path))
    button = tab.locator("button.copybtn").first
    assert button.get_attribute("title") == "复制"


@pytest.mark.parametrize("path", [p for p in PAGES if p.startswith("notebooks/")])
def test_every_notebook_can_be_downloaded(book, path):
    page = book / path
    link = parser.parse(str(page)).xpath("//a[@download][contains(@href, '.ipynb')]")
    notebook = page.parent / link[0].get("href")
    assert json.loads(notebook.read_text("utf8"))["nbformat"] == 4


@pytest.mark.parametrize("prefix", ["/", SUBPATH])
def test_missing_page_helps(browser, book, prefix):
    with serving(book, prefix) as url, opened(browser) as page:
        answer = page.goto(url + "no/such/page.html")
        assert answer.status == 404
        assert page.get_by_role("heading", name="这一页不存在").is_visible()
        page.wait_for_function(
            "root => document.querySelector('form').action === root + 'search.html'",
            arg=url,
        )
        page.get_by_role("searchbox").fill("池化")
        page.keyboard.press("Enter")
        page.locator("#search-results .hit").first.wait_for()
        page.go_back()
        page.locator("nav a").first.click()
        page.locator("article h1").wait_for()


def test_home_is_the_root(tab, root):
    """根网址就是首页，不是一张跳转的空页。"""
    tab.goto(root)
    assert tab.locator("article h1").is_visible()
    assert tab.url == root
    tab.locator("article a.reference.internal").locator("visible=true").first.click()
    tab.locator("article h1").wait_for()
    assert tab.seen["missing"] == []


def test_pages_speak_chinese(book):
    for path in toc_pages():
        html = (book / path).read_text("utf8")
        assert '<html lang="zh-CN"' in html, path
        assert html.count('<meta name="description"') == 1, path
        assert html.count('<meta name="viewport"') == 1, path
