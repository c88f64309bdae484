"""目录里的每一页：不向别处请求、不出错、轻、不跳版、不撑宽，读得全，没有无障碍问题。

页来自 _toc.yml：以后加的章节不用改这里。每一页开一次，看各页不同的东西；样板另外看
得仔细：明暗两色、每一种宽度、字色、截图（在 _build/screens/）。其余各页的这一半由
make matrix 看。
"""

import re
import time
from itertools import pairwise
from urllib.parse import urlsplit

import pytest
from conftest import (
    SAMPLE,
    SCREENS,
    SUBPATH,
    nothing_seen,
    opened,
    sampled,
    toc_pages,
)
from probes import (
    AXE,
    BROKEN,
    CONTRAST,
    CUT_OFF,
    FORMULAS,
    ORPHANS,
    OVERFLOW,
    PHONE,
    RAW,
)

from tools.site.server import Handler, serving

PAGES = toc_pages()
WIDTHS = (360, 1280, 2560)
TEXT_BUDGET = 350 * 1024  # 第一次来访，连同样式、脚本、字体、第一屏的图
REQUESTS = 25
# axe 为每个元素算一遍层叠，一本笔记本的几千个代码记号要算半分钟：
# 记号的颜色由 contrast.js 逐个看，看完换成同样的文字，别的照旧交给 axe
PLAIN_CODE = """document.querySelectorAll('.highlight pre')
  .forEach(pre => { pre.textContent = pre.textContent; })"""
SETTLE = 250  # 毫秒：让迟到的脚本与跳版都发生
# 字色最费时，又只由样式决定：只在仔细看的那几次里算
RULES = """colours => axe.run(document, {
  resultTypes: ['violations'], rules: {'color-contrast': {enabled: colours}} })"""
visits = {}


def visited():
    """每一页浅浅地看一次；样板在明暗两色里仔细看，其余的页由 make matrix 仔细看。"""
    quick = [(path, "light", False) for path in PAGES if path not in SAMPLE]
    careful = [
        pytest.param((*page.values, mode, True), marks=page.marks)
        for page in sampled(PAGES)
        for mode in ("light", "dark")
    ]
    return quick + careful


def called(visit):
    """一次来访的名字。"""
    path, mode, careful = visit
    return f"{path}-{mode}-{'careful' if careful else 'quick'}"


@pytest.fixture(scope="module")
def desk(browser):
    """浅浅地看时，一页接一页用同一个标签页；取过的样式与脚本照样记着。"""
    with opened(browser) as page:
        yield page


@pytest.fixture(params=visited(), scope="module", ids=called)
def visit(request, browser, root, desk):
    """打开一页，把该看的都看一遍；同样的一次只开一回。"""
    _, mode, careful = request.param
    if request.param not in visits and careful:
        with opened(browser, mode) as page:
            visits[request.param] = look(page, root, *request.param)
    elif request.param not in visits:
        visits[request.param] = look(desk, root, *request.param)
    return visits[request.param]


def look(page, root, path, mode, careful):
    """一次来访看到的一切。"""
    page.seen = nothing_seen()
    page.goto(root + path, wait_until="load")
    page.wait_for_timeout(SETTLE)
    # 第一屏取来的到此为止；后面还会取下面的图
    found = dict(page.seen, mode=mode, fetched=len(page.seen["requests"]))
    found["shifts"] = page.evaluate("window.shifts")
    found["theme"] = page.evaluate("document.documentElement.dataset.theme")
    found["overflow"], found["cut off"] = {}, {}
    for width in WIDTHS if careful else WIDTHS[:2]:
        page.set_viewport_size({"width": width, "height": 900})
        if careful:
            screenshot(page, path, f"{width}-{mode}")
        found["overflow"][width] = page.evaluate(OVERFLOW)
        found["cut off"][width] = page.evaluate(CUT_OFF)
        if width < 400:
            found |= read_on_a_phone(page, path)
    images = "[...document.querySelectorAll('article img')].map(i => i.outerHTML)"
    found["images"] = page.evaluate(images)
    found["broken"] = page.evaluate(BROKEN)
    page.set_viewport_size({"width": 1280, "height": 900})
    return found | {"faint": page.evaluate(CONTRAST), "axe": accessible(page, careful)}


def accessible(page, colours):
    """axe 找到的问题；看完这一页的代码就没有颜色了。"""
    page.evaluate(PLAIN_CODE)
    page.evaluate(AXE)
    return [brief(found) for found in page.evaluate(RULES, colours)["violations"]]


def read_on_a_phone(page, path):
    """手机的宽度上，正文里出毛病的地方；封面、搜索页、索引页不是正文。"""
    if not path.startswith(("book/", "notebooks/")):
        return {"faults": {}}
    page.evaluate("document.fonts.ready.then(() => 0)")
    return {
        "faults": page.evaluate(PHONE),
        "orphans": page.evaluate(ORPHANS),
        "formulas": page.evaluate(FORMULAS),
        "raw": page.evaluate(RAW),
    }


def brief(violation):
    """一条无障碍问题：规则与前三处。"""
    places = [node["html"][:120] for node in violation["nodes"][:3]]
    return violation["id"], places


def screenshot(page, path, how):
    """照一张，给人看。"""
    SCREENS.mkdir(parents=True, exist_ok=True)
    name = path.removesuffix(".html").replace("/", "_")
    page.screenshot(path=SCREENS / f"{name}-{how}.png")


def test_every_sample_is_a_page():
    assert set(SAMPLE) <= set(PAGES)


def test_nothing_comes_from_another_host(visit, root):
    host = urlsplit(root).netloc
    hosts = {urlsplit(url).netloc for url in visit["requests"]}
    assert hosts - {"", host} == set()


def test_everything_stays_below_the_subpath(visit):
    local = [u for u in visit["requests"] if u.startswith("http")]
    assert [u for u in local if not urlsplit(u).path.startswith(SUBPATH)] == []


def test_nothing_is_missing(visit):
    assert visit["missing"] == []


def test_console_is_silent(visit):
    assert visit["errors"] == []


def test_page_is_light(visit):
    assert visit["bytes"] <= TEXT_BUDGET
    assert visit["fetched"] <= REQUESTS


def test_layout_does_not_shift(visit):
    assert visit["shifts"] < 0.02


TABLE = re.compile(rb'<table class="[^"]*\bcards\b')


def parts(body):
    """一页分几次到：头一张大表的第一行，其余的正文，右边的目录与它后面的。"""
    found = TABLE.search(body)
    head = body.find(b"</tr>", body.find(b"<tbody", found.start())) if found else 0
    places = {0, head, body.find(b'class="bd-sidebar-secondary'), len(body)} - {-1}
    return [body[a:b] for a, b in pairwise(sorted(places))]


class Slow(Handler):
    """网页分几次到，一次隔一会儿。"""

    def answer(self, status, path):
        if path.suffix != ".html":
            return super().answer(status, path)
        body = path.read_bytes()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for part in parts(body):
            self.wfile.write(part)
            self.wfile.flush()
            time.sleep(0.6)


@pytest.fixture(scope="module")
def slow(book):
    """慢网络上的网站。"""
    with serving(book, SUBPATH, Slow) as url:
        yield url


@pytest.mark.parametrize("path", sampled(PAGES))
def test_layout_does_not_shift_on_a_slow_line(slow, browser, path):
    with opened(browser) as page:
        page.goto(slow + path, wait_until="load")
        page.wait_for_timeout(SETTLE)
        assert page.evaluate("window.shifts") < 0.02


def test_a_table_is_painted_when_it_is_whole(slow, browser):
    with opened(browser) as page:
        page.goto(slow + "book/notation.html", wait_until="load")
        page.wait_for_timeout(SETTLE)
        assert page.evaluate("window.shifts") < 0.01
        shown = page.locator("table.cards").evaluate_all(
            "tables => tables.map(table => getComputedStyle(table).visibility)"
        )
        assert shown == ["visible"] * len(shown) != []


def test_first_visit_follows_the_system_colour(visit):
    assert visit["theme"] == visit["mode"]


def test_page_fits_every_width(visit):
    assert len(visit["overflow"]) >= 2
    assert set(visit["overflow"].values()) == {0}


def test_inline_code_stays_on_the_screen(visit):
    assert {width: cut for width, cut in visit["cut off"].items() if cut} == {}


def test_page_is_whole_on_a_phone(visit):
    assert {fault: where for fault, where in visit["faults"].items() if where} == {}


def test_text_formulas_and_pictures_are_all_there(visit):
    for name in ("orphans", "formulas", "broken"):
        assert visit.get(name, []) == []
    assert not visit.get("raw")


@pytest.mark.parametrize("name", ["start/data", "start/trouble", "appendix/frameworks"])
def test_no_width_leaves_punctuation_at_a_line_start(desk, root, name):
    """别的字体会在别处折行：宽度一点一点地变，总有一个碰得上。"""
    desk.goto(f"{root}book/{name}.html", wait_until="load")
    desk.evaluate("document.fonts.ready.then(() => 0)")
    found = {}
    for width in range(320, 440, 2):
        desk.set_viewport_size({"width": width, "height": 900})
        found[width] = desk.evaluate(ORPHANS)
    desk.set_viewport_size({"width": 1280, "height": 900})
    assert {width: marks for width, marks in found.items() if marks} == {}


def test_no_accessibility_violations(visit):
    assert visit["axe"] == []


def test_every_colour_of_the_code_is_readable(visit):
    assert visit["faint"] == {}


def test_figures_are_sized_and_lazy(visit):
    for i, tag in enumerate(visit["images"]):
        assert re.search(r'\bwidth="|\bwidth:', tag), tag
        assert i == 0 or 'loading="lazy"' in tag, tag
