"""一个比较，一个结论：处处相同，族由研究定；期望的数由 SciPy 从记录另算。"""

import json
from itertools import product

import numpy as np
import pytest
from scipy import stats

from vision_attention import statistics, studies
from vision_attention.studies import StudyError, claims
from vision_attention.studies.claims import decisions, errata
from vision_attention.studies.results import tables
from vision_attention.studies.store.library import names, open_study
from vision_attention.studies.store.study_file import parse

RECORDED = [name for name in names() if studies.records_of(name)]


def measured(study, metric, **levels):
    """直接从记录里数：种子 → 指标，不经过 Findings。"""
    store = studies.open_study(study)
    asked = {"framework": "torch", **levels}
    keys = {run.key: run.seed for run in store.runs if run.levels == asked}
    lines = store.path.read_text("utf8").splitlines()
    found = map(json.loads, lines)
    return {keys[r["key"]]: r["results"][metric] for r in found if r["key"] in keys}


def gaps(study, metric, factor, ours, theirs, **place):
    """按种子配对的差。"""
    a, b = (measured(study, metric, **place, **{factor: arm}) for arm in (ours, theirs))
    return np.array([a[seed] - b[seed] for seed in sorted(a.keys() & b.keys())])


def p_of(study, factor, ours, theirs, **place):
    """一个比较单独的 p，测试准确率。"""
    given = gaps(study, "test_accuracy", factor, ours, theirs, **place)
    return stats.ttest_1samp(given, 0).pvalue


def holm(p_values):
    """另写一遍：第 k 小的 p 乘上还剩几个，后面的不小于前面的。"""
    order = np.argsort(p_values)
    left = len(p_values) - np.arange(len(p_values))
    raised = np.minimum(1, np.maximum.accumulate(np.sort(p_values) * left))
    return raised[np.argsort(order)]


# 处处同一个结论


def comparisons():
    """句子与决策图用到的比较：比较、其余因素的取值。"""
    every = [one for claim in claims.claims().values() for one in claim.comparisons]
    for question in decisions.questions().values():
        every += [arrow for branch in question.branches for arrow in branch.arrows]
    for one in every:
        for picked in product(*one.at.values()):
            yield one, dict(zip(one.at, picked, strict=True))


def test_sentences_arrows_and_reports_give_one_verdict():
    tables_of = {name: studies.findings(name) for name in RECORDED}
    compared = 0
    for one, levels in comparisons():
        found = tables_of[one.study]
        [judged] = claims.measure(
            [
                one.model_copy(
                    update={"at": {name: [level] for name, level in levels.items()}}
                )
            ]
        )
        same = found.compare.model_dump() == {
            "factor": one.factor,
            "reference": one.reference,
        }
        if not same or one.beyond or one.metric not in (None, found["metric"]):
            continue
        cell = found.cell(**levels, **{one.factor: one.ours})
        compared += 1
        assert judged.found.verdict == cell["verdict"], (one, levels)
        assert (judged.found.p, judged.found.family) == (cell["p_holm"], cell["family"])
    assert compared > 100


def test_every_shipped_study_says_how_it_is_judged():
    unsaid = [
        name
        for name in names()
        if (study := open_study(name).study).compare and study.judge is None
    ]
    assert not unsaid


# 族：读者的一种情况；对照在外


MODULES = ["se", "eca", "bam", "cbam", "coordinate", "simam", "self_attention"]


def test_a_family_is_the_choices_of_one_case():
    found = studies.findings("which_module")
    place = {"backbone": "resnet"}
    p = holm([p_of("which_module", "module", arm, "none", **place) for arm in MODULES])
    for arm, adjusted in zip(MODULES, p, strict=True):
        cell = found.cell(backbone="resnet", module=arm)
        np.testing.assert_allclose(cell["p_holm"], adjusted, rtol=1e-6)
        assert (cell["family_size"], cell["family"]) == (7, "backbone = resnet")
        assert cell["holds"] == (adjusted < 0.05)


@pytest.mark.parametrize("arm", ["scalar", "constant", "wider_resnet", "widest_resnet"])
def test_a_control_stands_alone(arm):
    cell = studies.findings("which_module").cell(backbone="resnet", module=arm)
    alone = p_of("which_module", "module", arm, "none", backbone="resnet")
    np.testing.assert_allclose(cell["p_holm"], alone, rtol=1e-6)
    assert (cell["family"], cell["family_size"]) == ("对照", 1)


def test_groups_of_arms_are_families_of_their_own():
    where = studies.findings("where")
    arms = ["cbam_branch_all", "cbam_output_all", "cbam_identity_all"]
    p = holm([p_of("where", "where", arm, "none") for arm in arms])
    cells = [where.cell(where=arm) for arm in arms]
    np.testing.assert_allclose([cell["p_holm"] for cell in cells], p, rtol=1e-6)
    assert {cell["family"] for cell in cells} == {"CBAM 加在哪一处"}


def test_another_metric_and_another_reference_keep_the_family():
    found = studies.findings("vit_globality")
    few = {"images": "few"}
    conv, plain = ({**few, "model": arm} for arm in ("conv", "global"))
    one = found.judged(conv, plain, "test_loss")
    assert (one.family, one.size) == ("100 张图片", 4)
    # 与对照比、两处的差相减：都是对照
    one = found.judged(conv, {**few, "model": "smaller"})
    assert (one.family, one.size) == ("对照", 1)
    one = found.judged(conv, plain, beyond={"images": "shuffled"})
    assert (one.family, one.size) == ("对照", 1)


def test_two_arms_that_differ_in_two_factors_are_refused():
    found = studies.findings("capacity")
    with pytest.raises(ValueError, match="恰好差一个因素，现在差 2 个"):
        found.judged(
            {"size": "narrow", "images": "many", "arm": "cbam"},
            {"size": "normal", "images": "many", "arm": "none"},
        )


YAML = """\
question: 门有没有用？
data: {name: digits, n_train: 40}
model: {name: resnet_narrow}
train: {steps: 6, warmup_steps: 1, batch_size: 16, eval_every: 6}
grid:
  gate:
    plain: {model.attention: none}
    cbam: {model.attention: cbam, model.attention_options.reduction_ratio: 4}
    se: {model.attention: se, model.attention_options.reduction_ratio: 4}
    constant: {model.attention: constant}
compare: {factor: gate, reference: plain}
judge: {margin: 0.01, controls: [constant], groups: GROUPS}
seeds: 4
budget: {minutes: 1}
"""


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ("{甲: [cbam]}", "'se' 应恰好出现一次"),
        ("{甲: [cbam, se], 乙: [se]}", "'se' 应恰好出现一次"),
        ("{甲: [cbam, se, constant]}", "'constant' 是参照或对照"),
        ("{甲: [cban, se]}", "'cbam'"),
    ],
)
def test_groups_that_do_not_fit_are_refused_with_the_line(groups, said):
    parse(YAML.replace("GROUPS", "{甲: [cbam], 乙: [se]}"))
    with pytest.raises(StudyError, match=said) as told:
        parse(YAML.replace("GROUPS", groups))
    assert {line for line, _ in told.value.problems} == {12}


def test_groups_of_a_factor_that_is_missing_are_told():
    """compare 写错了因素，分组也就无从核对：说因素，不出原始的错误。"""
    text = YAML.replace("GROUPS", "{甲: [cbam], 乙: [se]}")
    with pytest.raises(StudyError, match="没有因素 'gat'"):
        parse(text.replace("factor: gate", "factor: gat"))


# 四种回答，与把握


def test_close_is_told_from_unsure():
    found = studies.findings("settings_attention")
    given = gaps("settings_attention", "test_accuracy", "setting", "heads_8", "default")
    low, high = stats.t.interval(0.95, len(given) - 1, given.mean(), stats.sem(given))
    assert -0.005 < low < high < 0.005
    cell = found.cell(setting="heads_8")
    assert (cell["verdict"], cell["within"]) == ("相差不到 δ", 0.005)
    assert "| 相差不到 0.5 点 |" in tables.markdown(found.summary)
    wide = studies.findings("settings").cell(setting="no_attention")
    assert (wide["verdict"], wide["within"]) == ("说不准", None)
    assert wide["difference"]["low"] < -0.01


def test_leaving_out_a_seed_judges_the_whole_family_again():
    """去掉一粒，三个比较都重算、重新校正；结论只要变一次，就是经不住。"""
    arms = ["cbam_branch_all", "cbam_output_all", "cbam_identity_all"]
    every = np.array([gaps("where", "test_accuracy", "where", a, "none") for a in arms])
    kept = [
        holm(stats.ttest_1samp(np.delete(every, seed, 1), 0, axis=1).pvalue) < 0.05
        for seed in range(10)
    ]
    where = studies.findings("where")
    for arm, held in zip(arms[1:], np.array(kept).T[1:], strict=True):
        cell = where.cell(where=arm)
        assert cell["verdict"] == "降低"
        assert cell["survives"] is bool(held.all())
    assert not np.array(kept)[:, 1].all()
    assert np.array(kept)[:, 2].all()


def test_sign_test_against_scipy():
    for up, down, zero in [(10, 0, 0), (7, 2, 1), (0, 3, 4), (5, 5, 0)]:
        given = [1.0] * up + [-2.0] * down + [0.0] * zero
        expected = stats.binomtest(up, up + down).pvalue
        np.testing.assert_allclose(statistics.sign_test_p(given), expected, rtol=1e-12)
    assert statistics.sign_test_p([0.0, 0.0]) == 1.0
    assert statistics.sign_test_p([1.0]) is None


# 份额：没有区间越过 1


def test_solved_seeds_are_counted_with_exact_intervals():
    found = studies.findings("distant_marks")
    for arm, hits in [("se", 9), ("cbam", 10), ("coordinate", 3), ("plain", 0)]:
        values = measured("distant_marks", "test_accuracy", attention=arm, distance=12)
        assert sum(value > 0.9 for value in values.values()) == hits
        cell = found.cell(attention=arm, distance=12)
        exact = stats.binomtest(hits, 10).proportion_ci(method="exact")
        assert cell["solved"]["hits"] == hits
        np.testing.assert_allclose(
            (cell["solved"]["low"], cell["solved"]["high"]), exact, rtol=1e-9
        )
        assert cell["estimate"]["high"] is None
    cells = [cell for cell in found["cells"] if "difference" in cell]
    ends = [cell["difference"][end] for cell in cells for end in ("low", "high")]
    assert all(-1 <= end <= 1 for end in ends if end is not None)
    table = found.table({"plain": "普通", "se": "SE"}, distance=12)
    assert "| 做对的种子 |" in table
    assert "| 9/10 |" in table
    assert "| +0.90 |" in table  # 份额的差两位小数


def test_solved_shares_are_compared_by_the_exact_mcnemar_test():
    cell = studies.findings("distant_marks").cell(attention="se", distance=12)
    alone = stats.binomtest(9, 9).pvalue  # 九粒 SE 做对而普通没有，反过来的一粒没有
    assert cell["family_size"] == 5
    # 五个里 CBAM 的 p 更小，SE 排第二，乘 4
    np.testing.assert_allclose(cell["p_holm"], 4 * alone, rtol=1e-9)
    assert cell["hits"] == (9, 0)
    # 两臂各自 97.5 % 的精确区间相减
    low = stats.beta.ppf(0.0125, 9, 2) - stats.beta.ppf(0.9875, 1, 10)
    np.testing.assert_allclose(cell["difference"]["low"], low, rtol=1e-9)


# 到了步数还没有记下的，不丢掉


def test_runs_that_never_got_there_are_kept():
    place = {"label_noise": 1.0}
    values = measured("random_labels", "steps_to_fit", model="vit", **place)
    assert sum(value is None for value in values.values()) == 3
    cell = studies.findings("random_labels").cell(model="vit", **place)
    assert cell["difference"]["n"] == cell["estimate"]["n"] == 10
    filled = [510 if value is None else value for value in values.values()]
    np.testing.assert_allclose(cell["estimate"]["mean"], np.mean(filled))
    # 十粒都比卷积网络慢；同一族两个比较，它的 p 最小，乘 2
    np.testing.assert_allclose(cell["p_holm"], 2 * stats.binomtest(10, 10).pvalue)
    assert cell["verdict"] == "提高"
    # 有三粒没有到：平均至少这么多
    table = studies.findings("random_labels").table({"vit": "ViT"}, **place)
    assert f"| ≥ {np.mean(filled):.0f} |" in table
    text = tables.markdown(studies.summary("random_labels"))
    assert "（3 粒没有到）" in text
    assert "不丢掉" in text


# 数出来的，不作检验


@pytest.mark.parametrize("metric", ["parameters_ratio", "macs_ratio"])
def test_what_is_counted_has_no_p(metric):
    found = studies.findings("complexity")
    place = {"stages": "all"}
    for gate, said in [("cbam", "提高"), ("simam", None)]:
        ours, theirs = ({**place, "gate": arm} for arm in (gate, "none"))
        one = found.judged(ours, theirs, metric)
        assert (one.p, one.p_sign, one.kind) == (None, None, "数出来的")
        if said:
            assert one.verdict == said
    simam = found.judged(
        {**place, "gate": "simam"}, {**place, "gate": "none"}, "parameters_ratio"
    )
    assert simam.verdict == "一样"


def test_every_overturned_arrow_is_on_the_map_and_really_changed():
    """改判的都是决策图上的箭头；结论若变回去，那一行就该删。"""
    arrows = {
        (arrow.study, arrow.factor, arrow.ours, arrow.reference, str(arrow.at)): branch
        for question in decisions.questions().values()
        for branch in question.branches
        for arrow in branch.arrows
    }
    found = errata.overturned()
    assert len(found) == 12
    for erratum, step in found:
        key = (erratum.study, erratum.factor, erratum.ours, erratum.reference)
        assert arrows[(*key, str(erratum.at))].when == erratum.when
        assert step.outcome != erratum.said
        assert {step.outcome, erratum.said} - {"看不出差别", "说不准", "相差不到 δ"}


def test_what_the_pages_say_of_the_tuned_gates_holds():
    """「欠拟合才有用？」与勘误写着的话：CBAM 说不准，比每块一个数差；一个数提高。"""
    found = studies.findings("digits_gates")

    def told(arm, images="few", reference="none"):
        ours, theirs = ({"arm": a, "images": images} for a in (arm, reference))
        return found.judged(ours, theirs)

    better = {"cbam_1", "scalar", "scalar_1", "wide"}
    assert {told(arm).verdict for arm in better} == {"提高"}
    unsure = {told(arm).verdict for arm in ("cbam", "constant", "wider")}
    assert unsure == {"说不准"}
    beside = told("cbam", reference="scalar")
    assert beside.verdict == "降低"
    assert beside.survives
    for images in ("few", "some"):
        assert told("cbam_1", images, "scalar_1").verdict == "相差不到 δ"
    assert told("cbam_1", reference="scalar_1").within == 0.005
    assert told("constant", "some").verdict == "降低"
    gates = ("cbam", "cbam_1", "scalar", "scalar_1", "wider")
    assert not {told(arm, "some").verdict for arm in gates} & {"提高", "降低"}
    assert told("wide", "some").verdict == "提高"
    rates = {
        (choice["levels"]["arm"], choice["levels"]["images"]): choice["chosen"]
        for choice in found["tuning"]
    }
    assert rates["none", "few"] == "lr=0.01"
    assert rates["cbam", "few"] == rates["constant", "few"] == "lr=0.03"
    assert not found["missing"]
