"""判法与记录的先后：写在 timing.yaml 里的，由 Git 的历史重算，一条不差。"""

import pytest

from tools.lint import rules
from tools.site.chrome import in_ci
from vision_attention.studies import claims
from vision_attention.studies.claims import decisions, timing
from vision_attention.studies.store.library import names

REMEDY = (
    "判法与记录的先后变了：补了记录，或者改了判法。"
    "请运行 python -m tools.lint.rules --write，连同 timing.yaml 一起提交"
)


@pytest.fixture(scope="module")
def history():
    if not rules.complete():
        if in_ci():
            pytest.fail("持续集成里要取完整的历史（fetch-depth: 0）")
        pytest.skip("没有完整的 Git 历史")
    return rules.times()


def test_what_is_written_is_what_the_history_says(history):
    assert timing.written() == history, REMEDY


def test_every_rule_says_when_it_was_made():
    written = timing.written()
    assert set(written["claims"]) == set(claims.claims())
    asked = decisions.questions().values()
    branches = {timing.branch_name(q.id, b.when) for q in asked for b in q.branches}
    assert set(written["branches"]) == branches
    assert set(written["families"]) == set(names())


def test_known_cases(history):
    # capacity 的判法在记录之后才写；“太全局”的判法在看记录之前定下
    assert history["claims"]["capacity"] == timing.AFTER
    assert history["claims"]["too_global"] == timing.BEFORE
    assert history["claims"]["concat"] == timing.SETTLED


def test_a_rule_that_changed_today_is_late(history):
    changed = {"id": "capacity", "settled": None, "compared": ["改过"]}
    when = rules.first(
        "claims.yaml", changed, lambda old: [*map(rules.claim_rule, old)]
    )
    assert rules.told(when, ["capacity"]) == timing.AFTER
    assert rules.told(when, []) == timing.NONE


def test_the_moment_of_the_rule_is_compared_with_the_runs(monkeypatch):
    records = {"甲": (5, "2026-01-02T00:00:00+00:00")}
    monkeypatch.setattr(rules, "recorded", records.get)
    # 东八区的早上八点就是零点：晚一秒就是运行途中
    for moment, word in [
        ("2026-01-02T07:59:59+08:00", timing.BEFORE),
        ("2026-01-02T08:00:01+08:00", timing.DURING),
    ]:
        assert rules.told((4, moment), ["甲"]) == word
    assert rules.told((5, "2026-01-01T00:00:00+00:00"), ["甲"]) == timing.AFTER
    assert rules.told((4, "2026-01-01T00:00:00+00:00"), ["乙"]) == timing.NONE


def test_what_is_said_does_not_change_the_rule_and_what_is_compared_does():
    arrow = {"do": "甲", "study": "s", "factor": "f", "ours": "a", "reference": "b"}
    same = arrow | {"do": "乙", "expect": "提高", "control": False, "at": {}}
    assert rules.plain(arrow) == rules.plain(same)
    assert rules.plain(arrow) != rules.plain(arrow | {"expect": "降低"})


def test_a_late_family_is_told_beside_the_rule():
    late, early = (claims.claims()[name] for name in ("receptive_field", "too_global"))
    assert timing.of_claim(late) == f"{timing.BEFORE}；{timing.LATE}"
    assert timing.of_claim(early) == timing.BEFORE
    assert timing.of_claim(claims.claims()["concat"]) == timing.SETTLED
