"""摸得到：三种宽度上，一按就开、再按就关；复制的、选过的、放大的，都与看见的一样。"""

import re
from io import BytesIO
from operator import mul
from posixpath import dirname, join, normpath

import pytest
from conftest import opened, sampled, toc_pages
from lxml import html as parser
from PIL import Image
from probes import OVERFLOW, PHONE

BOOK = [page for page in toc_pages() if page.startswith(("book/", "notebooks/"))]
PAGE = "book/cbam/channel.html"
WIDTHS = (390, 768, 1440)
# 打印着看的：有图、有长代码、有长表、有会答话的图
PRINTED = (
    PAGE,
    "index.html",
    "book/self_attention/microscope.html",
    "book/self_attention/reach.html",
    "book/vit/build.html",
    "book/which/measured.html",
)
IN_VIEW = """node => {
  const box = node.getBoundingClientRect();
  return node.checkVisibility() && box.width > 100 && box.height > 100
    && box.left >= 0 && box.right <= innerWidth;
}"""


@pytest.fixture(params=WIDTHS)
def screen(request, browser, root):
    """这个宽度的一页；窄的两种是摸的屏。"""
    touch = request.param < 1000
    with opened(browser, width=request.param, has_touch=touch) as page:
        page.press = page.tap if touch else page.click
        page.goto(root + PAGE)
        yield page
        assert page.seen["errors"] == []


def shown(page, drawer):
    """这一栏此刻是不是整个露在屏幕里。"""
    return page.eval_on_selector(drawer, IN_VIEW)


def test_contents_open_and_close(screen):
    drawer, button = "#pst-primary-sidebar", ".primary-toggle"
    assert screen.locator(button).count() == 1
    first = shown(screen, drawer)
    assert first == (screen.viewport_size["width"] >= 960)
    screen.press(button)
    assert shown(screen, drawer) != first
    if first:
        screen.press(button)
        assert shown(screen, drawer)
    screen.press(f"{drawer} a[href$='glossary.html']")
    screen.wait_for_url("**/glossary.html")


def test_escape_closes_the_contents(screen):
    drawer = "#pst-primary-sidebar"
    if shown(screen, drawer):
        return  # 宽屏上是一栏，不是抽屉
    screen.press(".primary-toggle")
    screen.keyboard.press("Escape")
    assert not shown(screen, drawer)


def test_list_of_the_page_opens_and_leads_to_a_section(screen):
    drawer, button = "#pst-secondary-sidebar", ".secondary-toggle"
    if not shown(screen, drawer):
        screen.press(button)
    assert shown(screen, drawer)
    screen.press(f"{drawer} a >> nth=2")
    place = screen.evaluate("decodeURIComponent(location.hash.slice(1))")
    top = f"document.getElementById('{place}').getBoundingClientRect().top"
    assert -5 <= screen.evaluate(top) <= 150
    assert shown(screen, drawer) == (screen.viewport_size["width"] >= 1200)


def test_section_being_read_is_marked(browser, root):
    with opened(browser, width=1440) as page:
        page.goto(root + PAGE)
        link = page.locator("#pst-page-toc-nav a").nth(3)
        link.click()
        page.wait_for_function(
            "a => a.ariaCurrent === 'true'", arg=link.element_handle()
        )
        assert page.locator("#pst-page-toc-nav [aria-current]").count() == 1


def test_contents_open_without_javascript_on_a_phone(browser, root):
    with opened(browser, width=390, has_touch=True, java_script_enabled=False) as page:
        page.goto(root + PAGE)
        page.tap(".primary-toggle")
        assert page.locator("#pst-primary-sidebar a").first.is_visible()


def test_copy_button_is_seen_on_a_touch_screen_and_copies_commands_only(browser, root):
    with opened(browser, width=390, has_touch=True, is_mobile=True) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.goto(root + "book/appendix/records.html")
        block = page.locator("div.highlight-console").first
        button = block.locator("button.copybtn")
        assert button.evaluate("b => getComputedStyle(b).opacity") == "1"
        assert "$" in block.inner_text()
        button.tap()
        page.wait_for_function("b => b.title === '已复制'", arg=button.element_handle())
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.startswith("vision-attention study ")
        assert "$" not in copied


def test_menu_of_downloads_opens_without_javascript(browser, root):
    with opened(browser, java_script_enabled=False) as page:
        page.goto(root + PAGE)
        page.click("details.dropdown > summary")
        assert page.locator("details.dropdown a[href$='channel.md']").is_visible()


def test_clicking_a_picture_stays_in_the_book(tab, root):
    tab.goto(root + PAGE)
    tab.locator("article figure img").first.click()
    assert tab.url == root + PAGE


def test_finger_scrolls_past_the_picture_of_the_cover(browser, root):
    with opened(browser, width=390, has_touch=True, is_mobile=True) as page:
        page.goto(root)
        style = "getComputedStyle(document.querySelector('.hero svg')).touchAction"
        assert page.evaluate(style) == "pan-y"


def test_framework_is_chosen_once(screen, root):
    """一按，选项卡、下一页、目录都换；笔记本的按钮去它的另一本；选了就记得。"""
    assert screen.locator(".wing-switch").inner_text() == "PyTorch"
    screen.press(".wing-switch")
    assert screen.locator(".wing-switch").inner_text() == "Paddle"
    chosen = screen.locator(".sd-tab-set input:checked + label")
    ids = chosen.evaluate_all("all => all.map(label => label.dataset.syncId)")
    assert set(ids) == {"paddle"}
    screen.goto(root + BOOK[BOOK.index("notebooks/torch/cbam.html") - 1])
    screen.press(".right-next:visible")
    screen.wait_for_url("**/notebooks/paddle/cbam.html")
    if not shown(screen, "#pst-primary-sidebar"):
        screen.press(".primary-toggle")
    links = screen.locator("#pst-primary-sidebar a:visible")
    listed = links.evaluate_all("all => all.map(a => a.getAttribute('href'))")
    assert not [link for link in listed if "/torch/" in link]
    screen.keyboard.press("Escape")
    screen.press(".wing-switch")
    screen.wait_for_url("**/notebooks/torch/cbam.html")
    screen.press("nav.launch p a")
    screen.wait_for_url("**/notebooks/paddle/cbam.html")


@pytest.mark.parametrize("wing", ["torch", "paddle"])
def test_next_page_reads_the_whole_book_of_one_wing(book, wing):
    other = "paddle" if wing == "torch" else "torch"
    path, read = "book/index.html", []
    while path:
        read.append(path)
        links = parser.parse(str(book / path)).xpath("//a[@class='right-next']")
        mine = [link for link in links if link.get("data-of") != other]
        assert len(mine) <= 1
        path = normpath(join(dirname(path), mine[0].get("href"))) if mine else ""
    assert read == [page for page in BOOK if f"/{other}/" not in page]


WHITE = (255, 255, 255)


def contrast(one, other):
    """两种颜色的对比度（WCAG 2.2）。"""
    lights = []
    for colour in (one, other):
        parts = [value / 255 for value in colour[:3]]
        parts = [
            p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
        ]
        lights.append(0.05 + sum(map(mul, (0.2126, 0.7152, 0.0722), parts)))
    return max(lights) / min(lights)


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("system", ["light", "dark"])
def test_grey_of_the_figures_follows_the_page(browser, root, mode, system):
    """图里的字在哪种底色上都看得清，哪怕系统的明暗与页面的相反。"""
    with opened(browser, system, width=1440) as page:
        page.add_init_script(f"localStorage.setItem('mode', '{mode}')")
        page.goto(root + PAGE)
        picture = Image.open(BytesIO(page.locator("figure img").first.screenshot()))
    corner = picture.convert("RGB").crop((10, 25, 110, 50))  # “输入特征图 F”
    colours = {colour for _, colour in corner.getcolors(4000)}
    paper = picture.convert("RGB").getpixel((2, 2))
    assert contrast(paper, WHITE) < 1.1 or mode == "dark"
    assert max(contrast(colour, paper) for colour in colours) >= 4.5


@pytest.fixture(scope="module")
def phone(browser):
    """390 像素宽的手机。"""
    with opened(browser, width=390, has_touch=True, is_mobile=True) as page:
        yield page


@pytest.mark.parametrize("path", sampled(BOOK))
def test_page_is_whole_on_a_phone(phone, root, path):
    phone.goto(root + path)
    phone.evaluate("document.fonts.ready.then(() => 0)")
    found = phone.evaluate(PHONE)
    assert {fault: where for fault, where in found.items() if where} == {}


@pytest.mark.parametrize("width", [768, 1440])
@pytest.mark.parametrize("path", sampled([*BOOK, "book/which/measured.html"]))
def test_page_is_whole_on_a_desk(browser, root, path, width):
    """平板与宽屏上也一样：结论都在框里，还有一截的都有记号，整页不撑宽。"""
    with opened(browser, width=width) as page:
        page.goto(root + path)
        page.evaluate("document.fonts.ready.then(() => 0)")
        found = page.evaluate(PHONE)
        assert {fault: where for fault, where in found.items() if where} == {}
        assert page.evaluate(OVERFLOW) == 0


NUMBERS = """[...document.querySelectorAll('article div.math > .eqno')].map(number => {
  const formula = number.parentElement.querySelector('.math-scroll');
  const [a, b] = [number, formula].map(node => node.getBoundingClientRect());
  return [a.top >= b.bottom - 2, a.left >= b.right - 2];
})"""


@pytest.mark.parametrize(("width", "place"), [(390, 0), (1440, 1)])
def test_number_of_an_equation_is_below_on_a_phone(browser, root, width, place):
    """手机上编号在公式下面，公式占满一行；宽屏上在右边。"""
    with opened(browser, width=width) as page:
        page.goto(root + "book/self_attention/reach.html")
        found = page.evaluate(NUMBERS)
        assert len(found) >= 3
        assert all(where[place] for where in found)


LINES = """[...document.querySelectorAll('article .math-scroll .katex-html')].map(
  line => [...line.querySelectorAll(':scope > .katex-base')]
    .map(part => part.getBoundingClientRect())
    .filter((box, i, all) => !i || box.top > all[i - 1].bottom - 4).length)"""


def test_long_equation_breaks_at_an_operator_on_a_phone(browser, root):
    with opened(browser, width=390) as page:
        page.goto(root + "book/self_attention/four_steps.html")
        narrow = page.evaluate(LINES)
        page.set_viewport_size({"width": 1440, "height": 900})
        wide = page.evaluate(LINES)
        assert max(narrow) > 1 == max(wide)


@pytest.mark.parametrize("width", [390, 1440])
def test_first_picture_weighs_some_more_than_others(browser, root, width):
    """封面的图一打开就有轻有重，不是九道一样粗的弧。"""
    with opened(browser, width=width, reduced_motion="reduce") as page:
        page.goto(root)
        arcs = page.locator(".hero-arcs path")
        bold = arcs.evaluate_all("all => all.map(p => p.getAttribute('stroke-width'))")
        assert len(set(bold)) >= 4


@pytest.mark.parametrize("width", [390, 1440])
def test_folded_code_is_printed(browser, root, width):
    """打印之前折着的代码都打开，字看得见；打印完照旧折着。"""
    with opened(browser, width=width) as page:
        page.goto(root + PAGE)
        folded = page.locator("article details:not([open]) pre").count()
        assert folded > 0
        page.evaluate(AT_PRINT)
        page.pdf()
        sizes = page.evaluate("window.printed")
        assert len(sizes) >= folded
        assert min(sizes) > 10
        assert page.locator("article details:not([open]) pre").count() == folded


PAPERS = """[...document.querySelectorAll('article .cell_output .text_html')]
  .map(box => getComputedStyle(box).backgroundColor)"""


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("path", ["index.html", "book/vit/diagnosis.html"])
def test_words_laid_out_by_code_have_no_paper_of_their_own(browser, root, path, width):
    """暗处，代码排出来的字与正文同一个底色。"""
    with opened(browser, "dark", width=width) as page:
        page.goto(root + path)
        found = page.evaluate(PAPERS)
        assert found
        assert set(found) == {"rgba(0, 0, 0, 0)"}


# 打印的第一刻：折着的代码此时有多浓，连同外面的每一层
INK = """() => {
  const folded = [...document.querySelectorAll('article details:not([open]) pre')];
  dispatchEvent(new Event('beforeprint'));
  return folded.map(pre => {
    let ink = 1;
    for (let node = pre; node; node = node.parentElement)
      ink *= getComputedStyle(node).opacity;
    return ink;
  });
}"""


def test_folded_code_has_ink_on_paper(browser, root):
    """打开时渐显，印的是第一刻：不停掉渐显，纸上就只有空框。"""
    with opened(browser, width=1440) as page:
        page.goto(root + PAGE)
        page.emulate_media(media="print")
        found = page.evaluate(INK)
        assert found
        assert set(found) == {1}


# A4 去掉页边（上下 18、左右 16 毫米），每毫米 96 / 25.4 像素
PAPER = {"width": 673, "height": 986}
UNBROKEN = """() => {
  document.querySelectorAll('article details').forEach(fold => { fold.open = true; });
  return [...document.querySelectorAll('article *')]
    .filter(node => getComputedStyle(node).breakInside !== 'auto')
    .map(node => [node.className || node.tagName, node.getBoundingClientRect().height]);
}"""


@pytest.mark.parametrize("path", PRINTED)
def test_no_block_leaves_half_a_sheet_empty(browser, root, path):
    """不许断开的一块放不下，前面就空着那么高；至多六成，矮的几块才跟得上。"""
    with opened(browser) as page:
        page.set_viewport_size(PAPER)
        page.emulate_media(media="print")
        page.goto(root + path)
        found = page.evaluate(UNBROKEN)
        assert found
        high = 0.6 * PAPER["height"]
        assert {name: height for name, height in found if height > high} == {}


INKS = """addEventListener('beforeprint', () => {
  const nodes = document.querySelectorAll(
    'article :is(p, pre, pre span, figcaption, td, .living-small)');
  window.inks = [...new Set([...nodes].filter(node => node.textContent.trim())
    .map(node => getComputedStyle(node).color))];
  window.paper = getComputedStyle(document.documentElement).colorScheme;
})"""


@pytest.mark.parametrize("path", [PAGE, "book/cbam/index.html"])
def test_dark_page_is_printed_as_a_light_one(browser, root, path):
    """纸是白的：暗色的页印出来，字、代码、图里的灰都是亮色的那一种；印完还是暗的。"""
    with opened(browser, "dark", width=1440) as page:
        page.goto(root + path)
        page.evaluate(INKS)
        page.pdf()
        inks = [
            tuple(map(float, re.findall(r"[\d.]+", c))) for c in page.evaluate("inks")
        ]
        assert len(inks) >= 2
        assert {
            ink: contrast(ink, WHITE) for ink in inks if contrast(ink, WHITE) < 4.5
        } == {}
        assert page.evaluate("window.paper") == "light"  # 图照它换深浅
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"


AT_PRINT = """addEventListener('beforeprint', () => {
  window.printed = [...document.querySelectorAll('article details pre')]
    .map(pre => pre.checkVisibility() ? pre.getBoundingClientRect().height : 0);
})"""
# 图里每个字在屏幕上多大：把 SVG 摊进页面，照图此刻的宽
LETTERS = """async () => {
  const least = {};
  for (const image of document.querySelectorAll('article img[src$=".svg"]')) {
    const box = document.createElement('div');
    box.innerHTML = await (await fetch(image.src)).text();
    const svg = box.querySelector('svg');
    document.body.append(box);
    svg.setAttribute('width', image.getBoundingClientRect().width);
    svg.removeAttribute('height');
    const sizes = [...svg.querySelectorAll('text')].filter(t => t.textContent.trim())
      .map(t => parseFloat(getComputedStyle(t).fontSize) * Math.hypot(
        t.getScreenCTM().a, t.getScreenCTM().b));
    if (sizes.length) least[image.alt] = Math.min(...sizes);
    box.remove();
  }
  return least;
}"""


@pytest.mark.parametrize("path", sampled(BOOK))
def test_letters_of_the_figures_are_legible_on_a_phone(phone, root, path):
    phone.goto(root + path)
    found = phone.evaluate(LETTERS)
    assert {alt: size for alt, size in found.items() if size < 7} == {}


@pytest.mark.parametrize("width", [390, 1440])
def test_references_are_named_by_author_and_year(browser, root, width):
    with opened(browser, width=width) as page:
        page.goto(root + PAGE)
        cited = page.locator("article a.reference.internal[href*='references.html#']")
        for words in cited.all_inner_texts():
            assert not words.strip("[]（）").isdigit()
        page.goto(root + "book/references.html")
        first = page.locator("article .citation").all_inner_texts()
        assert len(first) > 20
        assert not [words for words in first if words.lstrip().startswith("[")]


def test_sign_follows_the_finger(phone, root):
    """还有一截在右边，右边淡出；滚到头，换成左边。"""
    phone.goto(root + "notebooks/torch/cbam.html")
    box = phone.locator("pre[data-more]").first
    assert box.get_attribute("data-more") == "right"
    box.evaluate("b => { b.scrollLeft = b.scrollWidth; }")
    phone.wait_for_function("b => b.dataset.more === 'left'", arg=box.element_handle())


def test_a_broken_anchor_breaks_nothing(browser, root):
    """`#%` 解不开；后面的脚本照样跑完，宽的公式照样标出还有多少。"""
    with opened(browser, width=390) as page:
        page.goto(root + "book/cbam/cbam.html#%")
        page.locator("[data-more]").first.wait_for(state="attached")
        assert page.seen["errors"] == []
