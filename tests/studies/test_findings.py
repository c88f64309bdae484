"""取数的窗口与逐句的判法：数与记录一致，写错的臂有一句话，四种结论各有其时。"""

import functools
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from vision_attention import statistics, studies, wording
from vision_attention.studies.claims import (
    Claim,
    claim_tables,
    decision_tables,
    decisions,
    judging,
)
from vision_attention.studies.claims.decisions import Question
from vision_attention.studies.results.cost import cost
from vision_attention.studies.results.forest import Forest
from vision_attention.studies.results.judgement import Judgement, told

BOOK = Path(__file__).parents[2] / "book"
PLACE = {"size": "narrow", "images": "many"}
LABELS = {"none": "不装", "cbam": "CBAM"}


@pytest.fixture(scope="module")
def capacity():
    return studies.findings("capacity")


def recorded(arm, metric, framework="torch"):
    """直接从记录里数，不经过 Findings。"""
    runs = {run.key: run for run in studies.open_study("capacity").runs}
    asked = {**PLACE, "arm": arm, "framework": framework}
    return {
        record["run"]["seed"]: record["results"][metric]
        for record in studies.records_of("capacity")
        if runs[record["key"]].levels == asked
    }


@pytest.mark.parametrize("metric", ["test_accuracy", "train_accuracy", "parameters"])
@pytest.mark.parametrize("framework", ["torch", "paddle"])
def test_values_are_those_of_the_records(capacity, metric, framework):
    found = capacity.values(metric, arm="cbam", framework=framework, **PLACE)
    assert found == recorded("cbam", metric, framework)
    assert found


def test_difference_is_paired_by_seed(capacity):
    ours, theirs = (recorded(arm, "test_accuracy") for arm in ("cbam", "none"))
    by_hand = [ours[seed] - theirs[seed] for seed in ours]
    found = capacity.difference({**PLACE, "arm": "cbam"}, {**PLACE, "arm": "none"})
    np.testing.assert_allclose(found.mean, np.mean(by_hand), rtol=1e-12)
    drawn = capacity.versus(LABELS, **PLACE).drawn
    np.testing.assert_allclose(sorted(drawn["differences"][0]), sorted(by_hand))
    assert drawn["names"] == ["CBAM"]
    # 这一格的区间是 −0.099 … −0.001，少一粒种子就含 0
    assert drawn["verdicts"] == ["降低（少一粒种子就变）"]


def test_a_forest_says_what_the_judge_says(capacity):
    few = {**PLACE, "images": "few"}
    asked = {
        "少图": ({**few, "arm": "cbam"}, {**few, "arm": "none"}),
        "宽些": ({**PLACE, "size": "normal", "arm": "none"}, {**PLACE, "arm": "none"}),
        "两处": ({**PLACE, "arm": "cbam"}, {**PLACE, "arm": "none"}, {"images": "few"}),
    }
    found = capacity.forest(asked)
    assert list(found) == ["少图", "宽些", "两处"]
    assert found["少图"] == capacity.judged(*asked["少图"])
    assert found["两处"] == capacity.judged(
        *asked["两处"][:2], beyond={"images": "few"}
    )
    assert found.words == {"少图": "提高", "宽些": "提高", "两处": "降低"}
    assert found.those("提高") == ["少图", "宽些"]
    assert found.counted() == "提高 2 个，降低 1 个，相差不到 δ 0 个，说不准 0 个"
    assert list(found.picked({"宽些": "宽"})) == ["宽"]
    with pytest.raises(ValueError, match="重复"):
        Forest.joined([found, found])


def test_the_dots_of_two_places_are_differences_of_differences(capacity):
    arms = ("cbam", "none")
    here, there = (
        {arm: capacity.values(size="narrow", images=images, arm=arm) for arm in arms}
        for images in ("many", "few")
    )
    by_hand = [
        here["cbam"][s] - here["none"][s] - there["cbam"][s] + there["none"][s]
        for s in sorted(here["cbam"])
    ]
    pair = [{**PLACE, "arm": arm} for arm in arms]
    drawn = capacity.forest({"": (*pair, {"images": "few"})}).drawn
    np.testing.assert_allclose(drawn["differences"][0], by_hand)


def test_the_other_way_round_is_the_same_verdict(capacity):
    ours, theirs = {**PLACE, "arm": "cbam"}, {**PLACE, "arm": "none"}
    one, other = capacity.judged(ours, theirs), capacity.judged(theirs, ours)
    assert (one.verdict, other.verdict) == ("降低", "提高")
    assert other.difference.mean == -one.difference.mean
    assert other.difference.low == -one.difference.high
    assert (other.p, other.family, other.size) == (one.p, one.family, one.size)
    assert other.mirrored == one


def test_columns_of_a_forest(capacity):
    found = capacity.versus(LABELS, **PLACE)
    columns = {"臂": "name", "装": "ours", "差": "difference", "处": {"CBAM": "窄"}}
    head, rule, line = found.table(columns | {"结论": "told"}, left=["处"]).splitlines()
    assert head == "| 臂 | 装 | 差 | 处 | 结论 |"
    assert rule == "| :-- | --: | --: | :-- | :-- |"
    ours, theirs = (
        np.mean(list(recorded(arm, "test_accuracy").values()))
        for arm in ("cbam", "none")
    )
    assert f"| {ours:.3f} | −{theirs - ours:.3f} | 窄 | 降低（少一粒" in line


def test_means_arrays_records_and_models(capacity):
    ours = recorded("cbam", "parameters")
    table = capacity.means(
        "臂", {"CBAM": {"arm": "cbam"}}, {"参数": {"metric": "parameters"}}, **PLACE
    )
    assert table.splitlines()[-1] == f"| CBAM | {ours[0]:,.0f} |"
    found = capacity.array([{"arm": "none"}, {"arm": "cbam"}], **PLACE)
    both = [recorded(arm, "test_accuracy") for arm in ("none", "cbam")]
    np.testing.assert_array_equal(found, [[one[s] for one in both] for s in range(10)])
    records = capacity.records(arm="cbam", **PLACE)
    curves = capacity.curves(arm="cbam", **PLACE)
    assert [one.test_accuracy for one in curves] == [
        record["curves"]["test_accuracy"] for record in records.values()
    ]
    assert capacity.model(arm="cbam", **PLACE) == records[0]["run"]["model"]


def test_table_has_a_row_for_each_arm_and_the_numbers(capacity):
    table = capacity.table(LABELS, extra={"parameters": "参数"}, **PLACE)
    head, _, plain, gate = table.splitlines()
    assert head.endswith("| 参数 | 结论 | 族 |")
    assert plain.startswith("| 不装 | 10 |")
    assert plain.endswith("| 1,384 | （参照） |  |")
    assert gate.endswith("| size = narrow，1,297 张图片（1 个） |")
    mean = np.mean(list(recorded("cbam", "test_accuracy").values()))
    assert f"| {mean:.3f} |" in gate


def test_one_seed_gives_no_interval(capacity):
    gate = capacity.table(LABELS, framework="paddle", **PLACE).splitlines()[-1]
    assert "| — | 次数不够 |" in gate


def test_source_counts_the_runs_and_gives_the_command(capacity):
    text = capacity.source()
    assert f"共 {capacity['n_runs']} 次运行" in text
    assert "`vision-attention study run capacity`" in text


def test_source_of_my_own_study_is_a_command_that_works(tmp_path, capacity):
    """读者自己的文件：重做的命令带着路径与 --out，照样能交给命令行。"""
    mine, out = tmp_path / "我的 研究.yaml", tmp_path / "记录"
    given = studies.open_study("capacity").path.with_name("study.yaml")
    mine.write_text(given.read_text("utf8"), "utf8")
    text = studies.findings(str(mine), out).source()
    command = text.partition("重做：`")[2].rstrip("`")
    words = ["vision-attention", "study", "run", str(mine), "--out", str(out)]
    assert shlex.split(command) == words
    assert capacity.source().endswith("重做：`vision-attention study run capacity`")


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        ({"siz": "narrow"}, "'size'"),
        ({**PLACE, "arm": "cban"}, "'cbam'"),
        ({"arm": "cbam"}, "少写了因素"),
        ({"size": "normal", "images": "few_mislabelled", "arm": "cbam"}, "exclude"),
    ],
)
def test_wrong_arms_are_refused_with_the_nearest_name(capacity, levels, said):
    for ask in (capacity.values, capacity.cell, capacity.estimate):
        with pytest.raises(ValueError, match=said):
            ask(**levels)


def test_numbers_are_written_for_reading():
    assert wording.number(12345.678, 1) == "12,345.7"
    assert wording.signed(-0.0004) == "+0.000"
    assert wording.signed(-0.0006) == "−0.001"
    assert wording.number(None) == wording.signed(None) == "—"
    assert wording.span(-0.1, 0.25, 2) == "−0.10&nbsp;…&nbsp;+0.25"
    assert wording.span(None, None) == "—"
    assert [wording.p_value(p) for p in (None, 0.0004, 0.25)] == [
        "—",
        "<0.001",
        "0.250",
    ]
    table = wording.rows(["臂", "n", "结论"], [["甲", "1", "无"]], left="结论")
    assert table.splitlines()[1] == "| :-- | --: | :-- |"
    table = wording.rows(["臂", "右", "另一 结论"], [], left=["另一 结论"])
    assert table.splitlines()[1] == "| :-- | --: | :-- |"


# 判一句话


def claim(*groups):
    """一句话：每组是（期望，是不是对照）。"""
    return Claim(
        id="x",
        quote="y",
        page="z",
        untested="w",
        comparisons=[
            {
                "study": "capacity",
                "factor": "arm",
                "ours": f"arm{k}",
                "reference": "none",
                "expect": expect,
                "control": control,
            }
            for k, (expect, control) in enumerate(groups)
        ],
    )


UP = statistics.mean_interval([0.02, 0.03, 0.025, 0.02])
DOWN = statistics.mean_interval([-0.02, -0.03, -0.025, -0.02])
FLAT = statistics.mean_interval([0.02, -0.03, 0.01, 0.0])
ONCE = statistics.mean_interval([0.3])
CLOSE = statistics.mean_interval([0.001, -0.002, 0.001, 0.0])


def judged(difference, size=1):
    """一个比较的结论；族里有 size 个同样的比较时，Holm 法最小的 p 乘 size。"""
    adjusted = difference.p and min(1.0, difference.p * size)
    word = statistics.answer(difference, 0.01, adjusted)
    return Judgement(difference, word, adjusted, "甲", size, "选择", "均值")


@pytest.mark.parametrize(
    ("groups", "measured", "expected"),
    [
        ([("提高", False)], [UP], "成立"),
        ([("降低", False)], [DOWN], "成立"),
        ([("提高", False)], [DOWN], "不成立"),
        ([("提高", False)], [FLAT], "看不出差别"),
        ([("提高", False)], [ONCE], "没有测"),
        # 对照还没有记录，就不能说成立
        ([("提高", False), ("提高", True)], [UP, ONCE], "有条件成立"),
        ([("提高", False), ("提高", False)], [UP, UP], "成立"),
        ([("提高", False), ("提高", False)], [UP, FLAT], "有条件成立"),
        ([("提高", False), ("提高", False)], [UP, DOWN], "有条件成立"),
        ([("提高", False), ("提高", False)], [FLAT, DOWN], "不成立"),
        ([("提高", False), ("提高", True)], [UP, UP], "成立"),
        ([("提高", False), ("提高", True)], [UP, FLAT], "有条件成立"),
        ([("提高", False), ("提高", True)], [FLAT, UP], "看不出差别"),
    ],
)
def test_four_verdicts_each_have_their_time(monkeypatch, groups, measured, expected):
    results = {f"arm{k}": judged(found) for k, found in enumerate(measured)}
    monkeypatch.setattr(judging, "_judgement", lambda one, levels: results[one.ours])
    assert judging.judge(claim(*groups)) == expected


def test_a_judgement_turned_round_keeps_its_weight():
    """反过来：做对的两个数对调；半宽是区间的一半；没有看见的，不说少一粒就变。"""
    found = replace(judged(FLAT), hits=(9, 2), survives=False)
    assert found.mirrored.hits == (2, 9)
    spread = statistics.Estimate(4, 0.01, 0.1, -0.25, 0.75, 0.5)
    unsure = replace(found, difference=spread)
    assert unsure.half_width == 0.5
    assert told(unsure, "test_accuracy") == "说不准 ±0.500"
    close = replace(found, verdict="相差不到 δ", within=0.01)
    assert told(close, "test_accuracy") == "相差不到 1 点"
    seen = replace(found, verdict="提高")
    assert told(seen, "test_accuracy") == "提高（少一粒种子就变）"


def test_only_a_choice_tells_the_size_of_its_family(capacity):
    few = {**PLACE, "images": "few"}
    pair = [{**few, "arm": arm} for arm in ("cbam", "none")]
    found = capacity.forest({"选": pair, "照": [*pair, {"images": "many"}]})
    assert found.column("family") == {
        "选": "size = narrow，100 张图片（1 个）",
        "照": "对照",
    }


def test_the_correction_of_the_family_decides_what_is_seen(monkeypatch):
    # 单看一个 p 约 0.03 是「看见」，一族里比了六次就不算
    weak = statistics.mean_interval([0.01, 0.05, 0.02, 0.06, 0.01])
    assert 0.01 < weak.p < 0.05
    sentence = claim(("提高", False))
    for size, expected in ((1, "成立"), (6, "看不出差别")):
        found = judged(weak, size)
        monkeypatch.setattr(judging, "_judgement", lambda one, levels, it=found: it)
        assert judging.judge(sentence) == expected


def test_what_was_not_measured_is_not_an_unseen_difference(monkeypatch):
    results = {"arm0": judged(UP), "arm1": judged(ONCE)}
    monkeypatch.setattr(judging, "_judgement", lambda one, levels: results[one.ours])
    sentence = claim(("提高", False), ("提高", True))
    told = claim_tables.basis(sentence)
    assert "1 个比较，如所说 1 个，相反 0 个，相差不到 δ 0 个，说不准 0 个" in told
    assert "还有 1 个没有记录。" in told
    monkeypatch.setattr(claim_tables, "claims", lambda: {"x": sentence})
    assert "| 没有测 |" in claim_tables.full("x").splitlines()[-1]
    results["arm1"] = judged(FLAT)
    assert "没有记录" not in claim_tables.basis(sentence)
    assert "相差不到 δ 0 个，说不准 1 个" in claim_tables.basis(sentence)
    assert "| 说不准 |" in claim_tables.full("x").splitlines()[-1]
    results["arm1"] = replace(judged(CLOSE), within=0.005)
    assert "相差不到 δ 1 个，说不准 0 个" in claim_tables.basis(sentence)
    assert "| 相差不到 0.5 点 |" in claim_tables.full("x").splitlines()[-1]


def test_a_comparison_beyond_a_place_subtracts_its_difference(capacity, monkeypatch):
    def gaps(images):
        place = PLACE | {"images": images}
        return [
            capacity.values(arm=arm, **place)[seed]
            for arm in ("cbam", "none")
            for seed in range(10)
        ]

    here, there = (np.reshape(gaps(images), (2, 10)) for images in ("many", "few"))
    by_hand = (here[0] - here[1]) - (there[0] - there[1])
    asked = (
        claim(("提高", True))
        .comparisons[0]
        .model_copy(
            update={
                "ours": "cbam",
                "at": {"size": ["narrow"], "images": ["many"]},
                "beyond": {"images": "few"},
            }
        )
    )
    sentence = claim(("提高", True)).model_copy(update={"comparisons": (asked,)})
    (found,) = judging.compared(sentence)
    np.testing.assert_allclose(found.difference.mean, by_hand.mean(), atol=1e-12)
    np.testing.assert_allclose(found.difference.sd, by_hand.std(ddof=1), rtol=1e-9)
    assert found.difference.n == 10
    monkeypatch.setattr(claim_tables, "claims", lambda: {"x": sentence})
    line = claim_tables.full("x", {"few": "少"}).splitlines()[-1]
    assert "减去少的同一个差" in line
    plain = asked.model_copy(update={"beyond": {}})
    sentence = sentence.model_copy(update={"comparisons": (plain,)})
    (found,) = judging.compared(sentence)
    np.testing.assert_allclose(found.difference.mean, (here[0] - here[1]).mean())


ONE = {"study": "capacity", "factor": "arm", "ours": "cbam", "reference": "none"}
ONE |= {"expect": "提高"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "至少写一样"),
        ({"settled": "成立"}, "because"),
        ({"settled": "大概", "because": "某处"}, "settled"),
        ({"settled": "成立", "because": "某处", "page_": "x"}, "page_"),
        ({"comparisons": [ONE], "untested": ""}, "untested"),
    ],
)
def test_a_claim_written_wrongly_is_refused(change, said):
    with pytest.raises(ValidationError, match=said):
        Claim(**{"id": "x", "quote": "y", "page": "z", "untested": "w", **change})


def test_what_the_definition_settles_no_measurement_overturns(monkeypatch):
    monkeypatch.setattr(judging, "_judgement", lambda one, levels: judged(UP))
    measured = claim(("提高", False))
    settled = measured.model_copy(update={"settled": "不成立", "because": "依据"})
    assert judging.judge(measured) == "成立"
    assert judging.judge(settled) == "不成立"
    assert "依据。照着做，" in claim_tables.basis(settled)
    assert "提高 1 个，降低 0 个，相差不到 δ 0 个，说不准 0 个" in claim_tables.basis(
        settled
    )


def test_a_name_is_given_once():
    listed = [item["id"] for item in yaml.safe_load(judging.PATH.read_text("utf8"))]
    assert len(listed) == len(set(listed)) == len(judging.claims())


@pytest.mark.parametrize("name", sorted(judging.claims()))
def test_every_claim_can_be_judged_and_printed(name):
    found = judging.claims()[name]
    assert judging.judge(found) in claim_tables.short(name)
    if found.comparisons:
        rows = claim_tables.full(name).splitlines()
        assert len(rows) == 2 + len(judging.compared(found))


# 决策图


def question(*results):
    arrows = [
        {"do": f"做法 {k}", "study": "capacity", "factor": "arm"}
        | {"ours": f"arm{k}", "reference": "none", **extra}
        for k, (_, extra) in enumerate(results)
    ]
    case = {"pictures": "digits", "network": "conv", "images": 100}
    branch = {
        "when": "甲",
        "against": "乙",
        "page": "p",
        "arrows": arrows,
        "case": case,
    }
    return Question(id="q", ask="问", page="p", branches=[branch])


@pytest.mark.parametrize(
    ("found", "extra", "outcome"),
    [
        (UP, {}, "更好"),
        (DOWN, {}, "更差"),
        (UP, {"expect": "降低"}, "更差"),
        (DOWN, {"expect": "降低"}, "更好"),
        (FLAT, {}, "说不准"),
        (CLOSE, {}, "相差不到 δ"),
        (ONCE, {}, "没有测"),
    ],
)
def test_an_arrow_says_what_was_measured(monkeypatch, found, extra, outcome):
    monkeypatch.setattr(judging, "_judgement", lambda one, levels: judged(found))
    [(_, [step])] = decisions.weighed(question((found, extra)))
    assert (step.outcome, step.difference) == (outcome, found)


def test_an_arrow_is_one_comparison(monkeypatch):
    monkeypatch.setattr(judging, "_judgement", lambda one, levels: judged(UP))
    wrong = question((UP, {"at": {"size": ["narrow", "wide"], "images": ["many"]}}))
    with pytest.raises(ValueError, match="一支箭头只能是一个比较"):
        decisions.weighed(wrong)


ARROWS = [
    arrow
    for asked in decisions.questions().values()
    for branch in asked.branches
    for arrow in branch.arrows
]


@pytest.mark.parametrize(
    ("study", "factor"),
    [
        ("settings", "setting"),
        ("settings_attention", "setting"),
        ("which_module", "module"),
    ],
)
def test_every_arm_has_its_arrow(study, factor):
    """试过的臂都在图上；没有用的也不许漏掉。"""
    store = studies.open_study(study).study
    listed = {arrow.ours for arrow in ARROWS if arrow.study == study}
    assert listed == set(store.factors[factor]) - {store.compare.reference}


def test_every_claim_and_arrow_leads_to_a_page_of_the_book():
    asked = decisions.questions().values()
    pages = {found.page for found in judging.claims().values()}
    pages |= {branch.page for found in asked for branch in found.branches}
    missing = [page for page in sorted(pages) if not (BOOK / f"{page}.md").exists()]
    assert not missing


SPENT = {
    ("parameters", "cbam"): {0: 110, 1: 110, 2: 110, 3: 110},
    ("parameters", "none"): {0: 100, 1: 100, 2: 100},
    ("cpu_seconds", "cbam"): {0: 3.0, 1: 2.4, 2: 9.0, 3: 100.0},
    ("cpu_seconds", "none"): {0: 2.0, 1: 2.0, 2: 3.0},
}


class Spent:
    """两臂的参数与处理器秒数；种子 3 只有一臂有。"""

    def values(self, metric, arm):
        return SPENT.get((metric, arm), {})


def test_cost_is_paired_by_seed_and_takes_the_median():
    found = cost(Spent(), {"arm": "cbam"}, {"arm": "none"})
    assert (found.parameters, found.share, found.time) == (10, 0.1, 1.5)
    with pytest.raises(ValueError, match="没有共同的种子"):
        cost(Spent(), {"arm": "cbam"}, {"arm": "lost"})


def test_case_of_every_branch_is_that_of_its_records():
    """条件写的张数，就是箭头用的那些运行的张数；digits 全给是 1,297 张。"""
    for asked in decisions.questions().values():
        for branch in asked.branches:
            found = {images for arrow in branch.arrows for images in pictures_of(arrow)}
            # “是看了输入，还是只多一个可学的数”并排列着两种张数
            assert branch.case.images in found, branch.when


opened = functools.cache(studies.open_study)


def pictures_of(arrow):
    """一支箭头的运行各用几张图。"""
    fixed = {name: value for name, [value] in arrow.at.items()}
    for run in opened(arrow.study).runs:
        if run.levels.items() >= {**fixed, arrow.factor: arrow.ours}.items():
            yield dict(run.data)["n_train"] or 1297


def test_the_atlas_has_the_numbers_of_the_list():
    asked = decisions.questions()
    printed = {name: decision_tables.tree(one) for name, one in asked.items()}
    for place in decision_tables.atlas():
        for arrow in place["arrows"]:
            for part in (arrow["do"], arrow["mark"], arrow["size"], arrow["cost"]):
                assert part in printed[place["question"]]
