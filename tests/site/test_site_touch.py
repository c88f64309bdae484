"""摸得到：三种宽度上，一按就开、再按就关；复制的、选过的、放大的，都与看见的一样。"""

import pytest
from conftest import opened

PAGE = "book/cbam/channel.html"
WIDTHS = (390, 768, 1440)
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
        pytest.skip("宽屏上是一栏，不是抽屉")
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
