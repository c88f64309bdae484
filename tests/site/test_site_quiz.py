"""诊断的题：答案由记录与规则算出；键盘、读屏、手机、暗色、没有脚本，都答得了。"""

import re
from types import SimpleNamespace

import pytest
from conftest import opened
from lxml import html as parser
from probes import AXE, OVERFLOW

from vision_attention import studies
from vision_attention.training.diagnosis import BROKEN, OVERFIT, UNDERFIT, diagnose

PAGE = "book/vit/diagnosis.html"
KINDS = [UNDERFIT, OVERFIT, BROKEN]
RULES = "axe.run('.quiz', {resultTypes: ['violations']})"
# 按钮与答语的字色、与它背后第一个不透明的底色
CONTRAST = """[...document.querySelectorAll('.quiz-choice, .quiz-said')].map(e => {
  const parse = c => c.match(/[\\d.]+/g).map(Number);
  let back = e;
  while (back && parse(getComputedStyle(back).backgroundColor)[3] === 0)
    back = back.parentElement;
  const light = c => parse(c).slice(0, 3).map(v => v / 255)
    .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const pair = [getComputedStyle(e).color, getComputedStyle(back).backgroundColor]
    .map(light).sort((a, b) => b - a);
  return (pair[0] + .05) / (pair[1] + .05);
})"""


@pytest.fixture(scope="module")
def questions(book):
    """造好的一页里的题。"""
    tree = parser.fromstring((book / PAGE).read_text("utf8"))
    return tree.xpath("//li[contains(@class, 'quiz-item')]")


@pytest.fixture
def quiz(browser, root):
    """打开了的一页：手机的宽，暗色。"""
    with opened(browser, "dark", width=390) as page:
        page.goto(root + PAGE)
        yield page


def text(question, part):
    """一题里某一部分的字。"""
    return question.xpath(f"string(.//*[@class='quiz-{part}'])")


def buttons(page, number):
    """第几题的三个按钮：诊断 → 按钮。"""
    group = page.get_by_role("group", name=f"第 {number} 题的诊断")
    return {kind: group.get_by_role("button", name=kind) for kind in KINDS}


def test_there_are_enough_questions_of_every_kind(questions):
    answers = [question.get("data-answer") for question in questions]
    assert len(answers) >= 8
    assert set(answers) == set(KINDS)
    assert min(map(answers.count, KINDS)) >= 2


def test_answers_follow_from_the_records(questions):
    """照记录重算一遍：答案与页里的一样，理由里的数也一样。"""
    sources = [question.get("data-record").partition(":") for question in questions]
    records = {
        record["key"]: record
        for study in {study for study, _, _ in sources if study}
        for record in studies.records_of(study)
    }
    pairs = zip(questions, sources, strict=True)
    recorded = [(question, key) for question, (_, _, key) in pairs if key]
    assert len(recorded) >= 6
    for question, key in recorded:
        curves = SimpleNamespace(**records[key]["curves"])
        found = diagnose(curves, test_size=records[key]["data"]["n_test"])
        assert question.get("data-answer") == found.name
        assert text(question, "why") == found.why
        ends = f"训练准确率 {curves.train_accuracy[-1]:.2f}，测试 "
        assert ends in text(question, "facts")


def test_computed_questions_are_the_faulty_ones(questions):
    computed = [q for q in questions if not q.get("data-record")]
    assert {question.get("data-answer") for question in computed} == {BROKEN}


def test_questions_do_not_give_themselves_away(questions):
    """题面、读屏的话里没有答案；数够用：终点的两个准确率与体检。"""
    for question in questions:
        shown = question.xpath("string(.//svg/@aria-label)") + text(question, "facts")
        assert not [kind for kind in KINDS if kind in shown]
        assert len(re.findall(r"\d\.\d\d", shown)) >= 8
        assert text(question, "why").endswith("。")


def test_a_right_and_a_wrong_answer_are_told_at_once(quiz, questions):
    for number, question in enumerate(questions[:2], 1):
        answer = question.get("data-answer")
        chosen = answer if number == 1 else next(k for k in KINDS if k != answer)
        buttons(quiz, number)[chosen].click()
        said = quiz.locator(".quiz-said").nth(number - 1).inner_text()
        assert said.startswith("对" if number == 1 else f"不是{chosen}")
        assert answer in said
        assert text(question, "why") in said
    score = quiz.locator(".quiz-score").inner_text()
    assert score == f"答了 2 题，对 1 题，共 {len(questions)} 题。"


def test_an_answer_stands_until_started_again(quiz, questions):
    answer = questions[0].get("data-answer")
    other = next(kind for kind in KINDS if kind != answer)
    first = buttons(quiz, 1)
    first[other].click()
    first[answer].click(force=True)
    assert first[other].get_attribute("aria-pressed") == "true"
    assert first[answer].get_attribute("aria-pressed") == "false"
    quiz.get_by_role("button", name="重新来过").click()
    assert quiz.locator(".quiz-said").first.inner_text() == ""
    first[answer].click()
    assert quiz.locator(".quiz-said").first.inner_text().startswith("对")


def test_keyboard_answers_every_question(quiz, questions):
    buttons(quiz, 1)[UNDERFIT].focus()
    for question in questions:
        for kind in KINDS:
            name = quiz.evaluate("document.activeElement.textContent")
            assert name == kind
            ring = "getComputedStyle(document.activeElement).outlineStyle"
            assert quiz.evaluate(ring) != "none"
            if kind == question.get("data-answer"):
                quiz.keyboard.press("Enter" if kind == OVERFIT else "Space")
            quiz.keyboard.press("Tab")
    count = len(questions)
    score = quiz.locator(".quiz-score").inner_text()
    assert score == f"答了 {count} 题，对 {count} 题，共 {count} 题。"


def test_screen_readers_hear_the_answer(quiz):
    told = quiz.locator(".quiz-item [role=status]")
    assert told.count() == quiz.locator(".quiz-item").count()
    assert quiz.locator(".quiz-item svg[role=img]").count() == told.count()
    assert set(told.all_inner_texts()) == {""}


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_quiz_fits_and_is_legible(browser, root, questions, mode, width):
    with opened(browser, mode, width=width) as page:
        page.goto(root + PAGE)
        for number in range(1, len(questions) + 1):
            buttons(page, number)[KINDS[number % 3]].click()
        assert page.evaluate(OVERFLOW) == 0
        assert min(page.evaluate(CONTRAST)) >= 4.5
        page.evaluate(AXE)
        assert page.evaluate(RULES)["violations"] == []
        assert page.seen["errors"] == page.seen["missing"] == []
        here = root.split("/REPO/")[0]
        assert [u for u in page.seen["requests"] if not u.startswith(here)] == []


def test_without_javascript_the_answers_are_folded(browser, root, questions):
    with opened(browser, java_script_enabled=False) as page:
        page.goto(root + PAGE)
        assert page.locator(".quiz button").count() == 0
        for question, fold in zip(
            questions, page.locator(".quiz details").all(), strict=True
        ):
            why = fold.locator(".quiz-why")
            assert not why.is_visible()
            fold.locator("summary").click()
            assert why.inner_text() == text(question, "why")
            assert question.get("data-answer") in fold.inner_text()
