"""首页的图：没有脚本时是造书前算好的一幅，有脚本时接着算，两边算得一样。"""

import re
from collections import Counter

import pytest
from conftest import opened

from tools.site import hero
from vision_attention.studies import claims

ARCS = "[...document.querySelectorAll('.hero-arcs path')].map(p => p.getAttribute('d'))"


def numbers(paths):
    """每道弧的坐标。"""
    return sorted(tuple(map(float, re.findall(r"-?[\d.]+", path))) for path in paths)


def test_picture_on_disk_is_what_the_tool_writes():
    assert hero.TARGET.read_text("utf8") == hero.fragment()


def test_attention_weights_are_a_distribution():
    for image in hero.digits():
        weights = hero.weights(image, hero.QUERY, hero.SHARPNESS)
        assert weights.sum() == pytest.approx(1)
        assert (weights > 0).all()


@pytest.fixture(scope="module")
def home(browser, root):
    """不喜欢动画的读者看到的首页。"""
    with opened(browser, reduced_motion="reduce") as page:
        page.goto(root)
        page.locator(".hero").wait_for()
        yield page


def test_browser_computes_the_same_picture(home):
    point(home, hero.QUERY)  # 这一页几个测试共用，别的测试指到过别处
    drawn = home.evaluate(ARCS)
    home.locator(".hero svg").focus()
    home.keyboard.press("ArrowRight")
    moved = home.evaluate(ARCS)
    home.keyboard.press("ArrowLeft")
    again = home.evaluate(ARCS)
    assert len(drawn) == hero.ARCS
    assert numbers(moved) != numbers(drawn)
    for old, new in zip(numbers(drawn), numbers(again), strict=True):
        assert old == pytest.approx(new, abs=0.5)


def test_pointing_changes_the_picture(home):
    point(home, hero.QUERY)
    before = home.evaluate(ARCS)
    home.locator(".hero svg").hover(position={"x": 30, "y": 30})
    assert home.evaluate(ARCS) != before


def point(home, index):
    """指着第几个像素。"""
    row, column = divmod(index, hero.SIDE)
    box = home.locator(".hero svg").bounding_box()
    cell = box["width"] / hero.SIDE
    place = {"x": (column + 0.5) * cell, "y": (row + 0.5) * cell}
    home.locator(".hero svg").hover(position=place)


def test_blank_corner_says_why_nothing_weighs_more(home):
    point(home, 0)
    assert home.evaluate(ARCS) == []
    assert "q 是 0" in home.locator(".hero-say").inner_text()


def test_convolution_sees_neighbours_only(home):
    point(home, hero.QUERY)
    home.get_by_role("button", name="卷积").click()
    assert "邻居" in home.locator(".hero-say").inner_text()
    assert len(home.evaluate(ARCS)) <= 8
    home.get_by_role("button", name="自注意力").click()
    assert len(home.evaluate(ARCS)) == hero.ARCS


def test_without_sharpness_nothing_weighs_more(home):
    point(home, hero.QUERY)
    slider = home.locator(".hero input[type=range]")
    before = slider.input_value()
    slider.fill("0")
    assert home.evaluate(ARCS) == []
    assert "没有谁更重" in home.locator(".hero-say").inner_text()
    slider.fill(before)
    assert "没有谁更重" not in home.locator(".hero-say").inner_text()


@pytest.mark.parametrize(("width", "height"), [(390, 664), (1440, 800)])
def test_first_button_is_on_the_first_screen(browser, root, width, height):
    with opened(browser, width=width) as page:
        page.set_viewport_size({"width": width, "height": height})
        page.goto(root)
        box = page.locator("article a.sd-btn").first.bounding_box()
        assert 0 < box["y"] < box["y"] + box["height"] < height


def test_home_tells_how_many_sentences_got_which_verdict(home):
    """封面上的句数与逐句核对那一页的一样。"""
    told = home.locator("ul.tally li").all_inner_texts()
    count = Counter(map(claims.judge, claims.claims().values()))
    assert sorted(told) == sorted(f"{n} 句{kind}" for kind, n in count.items())


def test_home_has_three_questions_and_two_buttons(home):
    for question in ("在哪里加？", "用哪种？", "参数怎么设？"):
        assert home.get_by_text(question).first.is_visible()
    assert home.locator("article a.sd-btn").count() == 2


def test_picture_moves_by_itself(browser, root):
    with opened(browser) as page:
        page.goto(root)
        before = page.evaluate(ARCS)
        page.wait_for_function(
            f"before => ({ARCS}).join() !== before.join()", arg=before
        )
