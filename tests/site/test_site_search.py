"""搜索：考题见 queries.yml；在主题的搜索框与搜索页里用，错误的输入也要有话说。"""

import json
import re
import statistics

import lxml.html
import pytest
import yaml
from conftest import SUBPATH, opened

from tools.build import toc
from tools.build.workplace import ROOT
from tools.site.ext.book_site import search

EXAM = yaml.safe_load((ROOT / "tests" / "site" / "queries.yml").read_text("utf8"))
FOUND = [(row["q"], row["page"]) for row in EXAM["found"]]
FIRST = [(row["q"], row["page"]) for row in EXAM["found"] if row.get("first")]
HEADINGS = [row["q"] for row in EXAM["found"] if row.get("heading")]
ABSENT = EXAM["absent"]
ASK = """query => bookSearch.ready().then(() => {
  const start = performance.now();
  const result = bookSearch.search(query);
  return { time: performance.now() - start, missing: result.missing,
           words: result.terms.flat(),
           pages: result.pages.map(p => p.page.url),
           heading: result.pages.slice(0, 1).map(p => p.hits[0].section.title) };
})"""
DIALOG = "#pst-search-dialog"


@pytest.fixture(scope="module")
def ask(browser, root):
    """在页面里问一句。"""
    with opened(browser) as page:
        page.goto(root + "index.html")
        yield lambda query: page.evaluate(ASK, query)
        assert page.seen["errors"] == []


def test_the_exam_is_big_enough():
    assert len(FOUND) >= 40
    assert len(ABSENT) >= 5
    assert len(FIRST) >= 10


def indexed(book):
    """搜索的索引。"""
    text = (book / "search-index.js").read_text("utf8")
    return json.loads(text.split("receive(")[1][:-3])


@pytest.mark.parametrize(("query", "page"), FOUND)
def test_query_finds_its_page(ask, query, page):
    assert any(re.search(page, url) for url in ask(query)["pages"][:5])


@pytest.mark.parametrize(("query", "page"), FIRST)
def test_best_page_comes_first(ask, query, page):
    assert re.search(page, ask(query)["pages"][0])


@pytest.mark.parametrize("query", HEADINGS)
def test_heading_hits_come_first(ask, query):
    assert query.lower() in ask(query)["heading"][0].lower()


@pytest.mark.parametrize("query", ABSENT)
def test_absent_word_finds_nothing(ask, query):
    assert ask(query)["pages"] == []


def test_search_is_quick(ask):
    times = {query: ask(query)["time"] for query, _ in FOUND}
    assert statistics.median(times.values()) < 50
    # 最慢的一条可能只是机器忙：再问几次，看它最快的一次
    slowest = max(times, key=times.get)
    assert min(ask(slowest)["time"] for _ in range(3)) < 300


def test_every_page_of_the_book_is_in_the_index(book, ask):
    assert {url.removesuffix(".html") for url, _ in indexed(book)["pages"]} == {
        *toc.names()
    }


def test_every_glossary_alias_finds_the_glossary(book, ask):
    index = json.loads(
        (book / "search-index.js").read_text("utf8").split("receive(")[1][:-3]
    )
    assert len(index["alias"]) > 10
    lost = [
        name
        for group in index["alias"]
        for name in group
        if not any("glossary" in url for url in ask(name)["pages"])
    ]
    assert lost == []


def test_every_word_a_reader_may_use_finds_a_page(ask):
    """同义词表的每一行：书里有第一个词，每种说法都找得到东西。"""
    words = yaml.safe_load(search.WORDS.read_text("utf8"))
    assert len(words) >= 30
    asked = {name: ask(str(name)) for group in words for name in group}
    assert [name for name, found in asked.items() if not found["pages"]] == []
    lost = [g[0] for g in words if g[0].lower() not in asked[g[0]]["words"]]
    assert lost == []


def test_a_word_stands_in_one_row_only():
    words = [
        str(n).lower()
        for g in yaml.safe_load(search.WORDS.read_text("utf8"))
        for n in g
    ]
    assert sorted(set(words)) == sorted(words)


def headings(book):
    """书里只出现一次、够长的标题：标题 → 网址。"""
    text = (book / "search-index.js").read_text("utf8")
    index = json.loads(text.split("receive(")[1][:-3])
    seen = {}
    for page, _, title, level, *_ in index["sections"]:
        seen.setdefault(re.sub(r"^[\d.]+\s+", "", title), []).append((page, level))
    return {
        title: index["pages"][places[0][0]][0]
        for title, places in seen.items()
        if len(places) == 1 and places[0][1] < 3 and 6 <= len(title) < 40
    }


def test_a_whole_heading_comes_first(book, ask):
    """照着标题打字，那一页排第一（笔记本除外：先讲解，后动手）。"""
    asked = {t: url for t, url in headings(book).items() if "notebooks/" not in url}
    assert len(asked) > 100
    late = [t for t, url in asked.items() if ask(t)["pages"][:1] != [url]]
    assert late == []


def test_words_that_never_meet_still_find_their_pages(book, tab, root):
    """没有一页同时含有的两个词：各自的页都给出来，并且说清楚。"""
    text = (book / "search-index.js").read_text("utf8")
    index = json.loads(text.split("receive(")[1][:-3])
    own = {}
    for page, _, title, _, body, names in index["sections"]:
        for word in re.findall(r"[a-z]{9,}", f"{title} {body} {names}"):
            own.setdefault(word, set()).add(page)
    rare = [word for word, pages in own.items() if len(pages) == 1]
    first = rare[0]
    other = next(word for word in rare if own[word] != own[first])
    tab.goto(f"{root}search.html?q={first} {other}")
    tab.get_by_text("没有一页同时含有这几个词").wait_for()
    hrefs = tab.locator("#search-results .hit-page").evaluate_all(
        "links => links.map(a => a.getAttribute('href'))"
    )
    for page in own[first] | own[other]:
        assert any(index["pages"][page][0] in href for href in hrefs)


def test_hidden_code_and_flat_formulas_are_not_indexed(book):
    """收起来的代码不进索引，摆出来的进；分数与下标拍平了就读不通，也不进。"""
    text = "\n".join(section[4] for section in indexed(book)["sections"])
    folded, shown = [], []
    for page in [*book.glob("book/**/*.html"), *book.glob("notebooks/**/*.html")]:
        for cell in lxml.html.parse(page).iterfind(".//article//pre"):
            hidden = cell.xpath("ancestor::details[contains(@class, 'above-input')]")
            (folded if hidden else shown).extend(cell.text_content().splitlines())
    folded, shown = ([" ".join(x.split()) for x in some] for some in (folded, shown))
    seen = " ".join(shown)
    only = {line for line in folded if len(line) > 60 and line not in seen}
    assert len(only) > 500
    assert {line for line in only if line in text} == set()
    assert sum(line in text for line in shown if len(line) > 60) > 500  # 找得到的找得到
    assert "ChannelAttention" in text
    assert "∑mPn,m" not in text.replace(" ", "")
    assert "√K" in text


@pytest.mark.parametrize("where", ["search.html", "index.html"])
def test_examples_can_be_clicked(tab, root, where):
    """输入框下的例子点一下就出结果；键盘也走得到。"""
    tab.goto(root + where)
    if where == "index.html":
        tab.keyboard.press("Control+k")
        tab.keyboard.press("ArrowDown")
        assert tab.evaluate("document.activeElement.tagName") == "BUTTON"
    place = "#search-results" if where == "search.html" else DIALOG
    examples = tab.locator(f"{place} .hit-example button")
    examples.first.wait_for()
    for k in range(examples.count()):
        words = examples.nth(k).inner_text()
        examples.nth(k).click()
        tab.locator(f"{place} .hit").first.wait_for()
        box = tab.locator(
            f"{DIALOG} input"
            if place == DIALOG
            else ".bd-search-container input[name=q]"
        )
        assert box.input_value() == words
        box.fill("")
        examples.first.wait_for()
    assert tab.seen["errors"] == []


def typed(page, query):
    """用键盘打开搜索框，打字，等结果；返回从最后一个字到结果的毫秒数。"""
    page.keyboard.press("Control+k")
    box = page.locator(f"{DIALOG} input")
    box.wait_for(state="visible")
    page.evaluate("bookSearch.ready()")  # 量的是打字到结果，不是下载
    page.wait_for_function("document.querySelector('.hit-status').textContent !== ''")
    page.evaluate(
        """() => {
          const status = document.querySelector('#pst-search-dialog .hit-status');
          const box = document.querySelector('#pst-search-dialog input');
          box.addEventListener('input', () => { window.began = performance.now(); });
          new MutationObserver(() => { window.ended = performance.now(); })
            .observe(status, { childList: true, characterData: true, subtree: true });
        }"""
    )
    box.fill(query)
    page.wait_for_function("window.ended > window.began")
    return page.evaluate("window.ended - window.began")


def test_search_box_answers_while_typing(tab, root):
    tab.goto(root + "index.html")
    assert typed(tab, "通道注意力") < 300
    first = tab.locator(f"{DIALOG} .hit-page").first
    assert "通道注意力" in tab.locator(f"{DIALOG} .hit").first.inner_text()
    assert tab.locator(f"{DIALOG} mark").count() > 0
    first.click()
    tab.locator("article h1").wait_for()
    assert SUBPATH in tab.url
    assert tab.seen["errors"] == []


def test_search_box_is_worked_by_keyboard(tab, root):
    tab.goto(root + "index.html")
    typed(tab, "通道注意力")
    tab.keyboard.press("ArrowDown")
    goal = tab.evaluate("document.activeElement.href")
    tab.keyboard.press("Enter")
    tab.wait_for_url(goal)
    assert tab.locator("article h1").count() == 1


def test_enter_goes_to_the_search_page(tab, root):
    tab.goto(root + "index.html")
    typed(tab, "自注意力")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/search.html?q=*")
    tab.locator("#search-results .hit").first.wait_for()
    assert tab.locator("#search-results mark").count() > 3


def test_search_works_from_a_file(tab, book):
    tab.goto((book / "search.html").as_uri() + "?q=通道注意力")
    tab.locator("#search-results .hit").first.wait_for()
    tab.locator("#search-results .hit-page").first.click()
    tab.locator("article h1").wait_for()
    assert tab.seen["errors"] == []


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("", "打几个字试试"),
        ("   ", "打几个字试试"),
        ("，。！？《》…—", "没有可以搜的字"),
        ("?!.,;:'\"()[]{}", "没有可以搜的字"),
        ("<script>alert(1)</script>", "全书没有「"),
        ("注意力" * 3334, "只看了前"),
        ("量子纠缠的菜谱", "全书没有「量子纠缠的菜谱」"),
    ],
)
def test_bad_query_gets_an_answer(tab, root, query, answer):
    tab.on("dialog", lambda dialog: pytest.fail("查询里的代码被执行了"))
    tab.goto(root + "search.html")
    tab.locator("#search-results .hit-status").wait_for()
    box = tab.locator(".bd-search-container input[name=q]")
    box.fill("池化")
    tab.locator("#search-results .hit").first.wait_for()
    box.fill(query)
    tab.wait_for_function(
        "text => document.querySelector('#search-results .hit-status')"
        ".textContent.includes(text)",
        arg=answer,
    )
    assert tab.locator("#search-results script").count() == 0
    assert tab.seen["errors"] == []


def test_missing_index_is_reported(tab, root):
    tab.route("**/search-index.js", lambda route: route.abort())
    tab.goto(root + "search.html?q=注意力")
    tab.get_by_text("索引没有载入").first.wait_for()


def test_index_is_fetched_only_when_asked(tab, root):
    tab.goto(root + "search.html")
    tab.get_by_text("打几个字试试").wait_for()
    index = f"{root}search-index.js"
    assert index not in tab.seen["requests"]
    tab.locator(".bd-search-container input[name=q]").fill("池化")
    tab.locator("#search-results .hit").first.wait_for()
    assert index in tab.seen["requests"]


def test_emptied_query_is_not_answered(tab, root):
    """索引还在路上，读者已经把字删了：迟到的结果不再出现。"""
    held = []

    def hold(route):
        held.append(route)

    tab.route("**/search-index.js", hold)
    tab.goto(root + "search.html?q=池化", wait_until="domcontentloaded")
    tab.get_by_text("正在载入索引").wait_for()
    tab.locator(".bd-search-container input[name=q]").fill("")
    tab.get_by_text("打几个字试试").wait_for()
    held[0].continue_()
    tab.wait_for_function("bookSearch.loaded()")
    assert tab.locator("#search-results .hit").count() == 0


def test_search_needs_no_webassembly(tab, root):
    tab.add_init_script("delete window.WebAssembly")
    tab.goto(root + "search.html?q=注意力")
    tab.locator("#search-results .hit").first.wait_for()


def test_search_page_without_javascript_says_what_to_do(browser, root):
    with opened(browser, java_script_enabled=False) as page:
        page.goto(root + "search.html?q=注意力")
        advice = page.locator(".bd-search-container noscript")
        assert "搜索要用到浏览器的脚本" in advice.inner_text()
        assert advice.locator("a").is_visible()
