"""目录里的每一页：不向别处请求、不出错、轻、不跳版、不撑宽，明暗两色都没有无障碍问题。

页来自 _toc.yml：以后加的章节不用改这里。截图在 _build/screens/。
"""

import re
import time
from pathlib import Path
from urllib.parse import urlsplit

import axe_playwright_python
import pytest
from conftest import SCREENS, SUBPATH, opened, toc_pages
from site_server import Handler, serving

PAGES = toc_pages()
WIDTHS = (360, 1280, 2560)
TEXT_BUDGET = 350 * 1024  # 第一次来访，连同样式、脚本、字体、第一屏的图
REQUESTS = 25
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf8")
CONTRAST = (Path(__file__).parent / "contrast.js").read_text("utf8")
# axe 为每个元素算一遍层叠，一本笔记本的几千个代码记号要算半分钟：
# 记号的颜色由 contrast.js 逐个看，看完换成同样的文字，别的照旧交给 axe
PLAIN_CODE = """document.querySelectorAll('.highlight pre')
  .forEach(pre => { pre.textContent = pre.textContent; })"""
SETTLE = 250  # 毫秒：让迟到的脚本与跳版都发生
RULES = "axe.run(document, {resultTypes: ['violations']})"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# 行内的代码伸出屏幕：整页不会撑宽，但读者看不到后半截
CUT_OFF = """[...document.querySelectorAll('article code.literal')]
  .filter(c => c.getClientRects().length
    && !c.closest('pre, .pst-scrollable-table-container, .wide')
    && c.getBoundingClientRect().right > innerWidth)
  .map(c => c.textContent)"""
visits = {}


@pytest.fixture(params=["light", "dark"], scope="module")
def mode(request):
    """亮色与暗色。"""
    return request.param


@pytest.fixture(params=PAGES, scope="module")
def visit(request, mode, browser, root):
    """打开一页，把该看的都看一遍；同一页同一种颜色只开一次。"""
    key = request.param, mode
    if key not in visits:
        visits[key] = look(browser, root, *key)
    return visits[key]


def look(browser, root, path, mode):
    """一次来访看到的一切。"""
    with opened(browser, mode) as page:
        page.goto(root + path, wait_until="load")
        page.wait_for_timeout(SETTLE)
        found = dict(page.seen)
        found["shifts"] = page.evaluate("window.shifts")
        found["theme"] = page.evaluate("document.documentElement.dataset.theme")
        found["overflow"], found["cut off"] = {}, {}
        for width in WIDTHS:
            found["overflow"][width] = overflow(page, width, path, mode)
            found["cut off"][width] = page.evaluate(CUT_OFF)
        found["images"] = page.evaluate(
            "[...document.querySelectorAll('article img')].map(i => i.outerHTML)"
        )
        page.set_viewport_size({"width": 1280, "height": 900})
        found["faint"] = page.evaluate(CONTRAST)
        page.evaluate(PLAIN_CODE)
        page.evaluate(AXE)
        found["axe"] = [brief(v) for v in page.evaluate(RULES)["violations"]]
        return found


def brief(violation):
    """一条无障碍问题：规则与前三处。"""
    places = [node["html"][:120] for node in violation["nodes"][:3]]
    return violation["id"], places


def overflow(page, width, path, mode):
    """这个宽度下整页撑宽了多少像素；顺手截一张图。"""
    page.set_viewport_size({"width": width, "height": 900})
    SCREENS.mkdir(parents=True, exist_ok=True)
    name = path.removesuffix(".html").replace("/", "_")
    page.screenshot(path=SCREENS / f"{name}-{width}-{mode}.png")
    return page.evaluate(OVERFLOW)


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
    assert len(visit["requests"]) <= REQUESTS


def test_layout_does_not_shift(visit):
    assert visit["shifts"] < 0.02


class Slow(Handler):
    """网页分两次到：正文先到，过一会儿右边的目录与其余才到。"""

    def answer(self, status, path):
        if path.suffix != ".html":
            return super().answer(status, path)
        body = path.read_bytes()
        cut = body.find(b'class="bd-sidebar-secondary')
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])
        self.wfile.flush()
        time.sleep(0.6)
        self.wfile.write(body[cut:])


@pytest.fixture(scope="module")
def slow(book):
    """慢网络上的网站。"""
    with serving(book, SUBPATH, Slow) as url:
        yield url


@pytest.mark.parametrize("path", PAGES)
def test_layout_does_not_shift_on_a_slow_line(slow, browser, path):
    with opened(browser) as page:
        page.goto(slow + path, wait_until="load")
        page.wait_for_timeout(SETTLE)
        assert page.evaluate("window.shifts") < 0.02


def test_first_visit_follows_the_system_colour(visit, mode):
    assert visit["theme"] == mode


def test_page_fits_every_width(visit):
    assert visit["overflow"] == dict.fromkeys(WIDTHS, 0)


def test_inline_code_stays_on_the_screen(visit):
    assert visit["cut off"] == {width: [] for width in WIDTHS}


def test_no_accessibility_violations(visit):
    assert visit["axe"] == []


def test_every_colour_of_the_code_is_readable(visit):
    assert visit["faint"] == {}


def test_figures_are_sized_and_lazy(visit):
    for i, tag in enumerate(visit["images"]):
        assert re.search(r'\bwidth="|\bwidth:', tag), tag
        assert i == 0 or 'loading="lazy"' in tag, tag
