"""调参与判法：各臂在留出的图片上挑设置，族、对照、几粒种子，都照研究自己写的办。"""

import io
import json

import numpy as np
import pytest
from rich.console import Console
from stand_ins import stand_in
from typer.testing import CliRunner

from vision_attention import statistics
from vision_attention.cli import app
from vision_attention.storage import records
from vision_attention.studies import StudyError
from vision_attention.studies.design.tuning import candidates, tuning_study
from vision_attention.studies.results import power, report, tables
from vision_attention.studies.running.session import Options, run_session
from vision_attention.studies.store.library import open_study, store_of
from vision_attention.studies.store.study_file import parse

YAML = """\
question: 门有没有用？
data: {name: digits, n_train: 40, reserve: 50}
model: {name: resnet_narrow}
train: {steps: 6, warmup_steps: 1, batch_size: 16, eval_every: 6}
grid:
  gate:
    plain: {model.attention: none}
    cbam: {model.attention: cbam, model.attention_options.reduction_ratio: 4}
    constant: {model.attention: constant}
  train.augment: [none, weak]
compare: {factor: gate, reference: plain}
tune:
  values: {train.lr: [0.001, 0.01, 0.1]}
  seeds: [7, 8]
judge: {margin: 0.01, family: [augment], controls: [constant]}
seeds: 4
budget: {minutes: 1}
"""
BEST = {"none": 0.01, "cbam": 0.1, "constant": 0.001}


def edited(*changes):
    text = YAML
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def tune_all(store, score):
    """调参的记录，指标由 score(设置) 给出。"""
    store.folder.mkdir(exist_ok=True)
    for run in store.tuning.runs:
        records.append(store.tuning.path, stand_in(run, score(run)))
    return store.reopened()


def peaked(run):
    """各臂的最好的学习率不同。"""
    return 0.9 - abs(np.log10(run.train["lr"] / BEST[run.model["attention"]])) / 10


@pytest.fixture
def store(tmp_path):
    return store_of("小研究", parse(YAML), tmp_path / "records")


def test_before_tuning_no_run_is_known(store):
    assert (len(store.runs), store.waiting) == (0, 24)
    assert len(store.tuning.runs) == 3 * 2 * 3 * 2


def test_tuning_scores_the_reserved_images_with_its_own_seeds(store):
    for run in store.tuning.runs:
        assert run.data == {
            "name": "digits",
            "n_train": 40,
            "reserve": 50,
            "score": "reserve",
        }
        assert run.seed in (7, 8)


def test_each_arm_runs_at_its_own_best_rate(store):
    tuned = tune_all(store, peaked)
    assert tuned.waiting == 0
    for run in tuned.runs:
        assert run.train["lr"] == BEST[run.model["attention"]]
        assert "score" not in run.data
        assert run.seed in range(4)
    assert [choice.at_end for choice in tuned.choices] == [
        arm != "plain"
        for arm in ("plain", "plain", "cbam", "cbam", "constant", "constant")
    ]


def test_half_a_tuning_chooses_nothing_for_the_arms_that_lack_it(store):
    store.folder.mkdir()
    for run in store.tuning.runs:
        if run.model["attention"] == "none":
            records.append(store.tuning.path, stand_in(run, peaked(run)))
    half = store.reopened()
    assert {run.model["attention"] for run in half.runs} == {"none"}
    assert half.waiting == 16


def test_ties_go_to_the_first_and_what_was_not_measured_comes_last(store):
    tied = tune_all(store, lambda run: 0.5 if run.train["lr"] < 0.1 else None)
    assert {choice.chosen for choice in tied.choices} == {"lr=0.001"}


def test_smallest_wins_when_the_goal_is_min(tmp_path):
    text = edited(("seeds: [7, 8]", "seeds: [7, 8]\n  goal: min"))
    worst = tune_all(store_of("小研究", parse(text), tmp_path), peaked)
    assert worst.choices[0].chosen == "lr=0.001"
    assert worst.choices[2].chosen == "lr=0.001"


def test_at_shares_the_choice_of_one_level(tmp_path):
    text = edited(("seeds: [7, 8]", "seeds: [7, 8]\n  at: {augment: weak}"))
    store = store_of("小研究", parse(text), tmp_path)
    assert {run.train["augment"] for run in store.tuning.runs} == {"weak"}
    tuned = tune_all(store, peaked)
    assert {run.train["augment"] for run in tuned.runs} == {"none", "weak"}
    assert tuned.waiting == 0


def test_several_settings_are_tried_in_every_combination():
    text = edited(
        ("[0.001, 0.01, 0.1]}", "[0.001, 0.1], train.weight_decay: [0.0, 0.1]}")
    )
    found = candidates(parse(text).tune)
    assert found["lr=0.1，weight_decay=0.0"] == {
        "train.lr": 0.1,
        "train.weight_decay": 0.0,
    }
    assert len(found) == 4


def test_a_limited_test_set_does_not_limit_the_tuning():
    text = edited(("reserve: 50}", "reserve: 50, max_test: 100}"))
    run = tuning_study(parse(text))
    assert run.factors["candidate"]["lr=0.1"]["data.max_test"] is None


WRONG = [
    (("train.lr:", "train.rl:"), 13, "'lr'"),
    (("train.lr:", "model.width:"), 13, "只能调 train"),
    (("[0.001, 0.01, 0.1]", "[0.001]"), 13, "两个以上"),
    (("[0.001, 0.01, 0.1]", "[0.1, 0.1]"), 13, "互不相同"),
    (("seeds: [7, 8]", "seeds: [3, 8]"), 12, "重合的 [3]"),
    ((", reserve: 50", ""), 12, "reserve"),
    (("seeds: [7, 8]", "seeds: [7]\n  metric: test_acuracy"), 12, "'test_accuracy'"),
    (("seeds: [7, 8]", "seeds: [7]\n  goal: best"), 15, "'max'"),
    (("seeds: [7, 8]", "seeds: [7]\n  at: {augmnt: weak}"), 15, "'augment'"),
    (("seeds: [7, 8]", "seeds: [7]\n  at: {augment: week}"), 15, "'weak'"),
    (("family: [augment]", "family: [gate]"), 15, "可用的取值：augment"),
    (("controls: [constant]", "controls: [constnt]"), 15, "'constant'"),
    (("controls: [constant]", "controls: [plain]"), 15, "不能又是对照"),
    (("controls: [constant]", "positive: cbma"), 15, "'cbam'"),
    (("margin: 0.01", "margin: 0"), 15, "大于 0"),
]


@pytest.mark.parametrize(("change", "line", "said"), WRONG)
def test_what_does_not_make_sense_is_named_with_its_line(change, line, said):
    with pytest.raises(StudyError) as caught:
        parse(edited(change))
    assert f"第 {line} 行" in str(caught.value)
    assert said in str(caught.value)


EFFECT = {"none": 0.0, "cbam": 0.05, "constant": -0.05}


@pytest.fixture
def finished(store):
    """四粒种子，噪声各臂相同；cbam 多 0.05，constant 少 0.05，另有一点配对的起伏。"""
    tuned = tune_all(store, peaked)
    for run in tuned.runs:
        gate = run.model["attention"]
        wobble = {"none": 0.0, "cbam": 0.002, "constant": 0.003}[gate] * run.seed
        records.append(
            tuned.path, stand_in(run, 0.7 + EFFECT[gate] + wobble + run.seed / 100)
        )
    return tuned.reopened()


def test_a_family_is_one_case_of_the_reader_and_controls_stand_outside(finished):
    cells = report.summarize(finished)["cells"]
    for cell in cells:
        gate = cell["levels"]["gate"]
        if gate == "plain":
            continue
        assert cell["role"] == {"cbam": "选择", "constant": "对照"}[gate]
        # 一种增强里只有 cbam 一个选择，所以校正不改它的 p；对照也不校正
        assert cell["p_holm"] == cell["difference"]["p"]
        assert cell["survives"] is True
        assert cell["mixed"] == 0


def test_two_choices_of_one_case_are_corrected_together(tmp_path):
    text = edited((", controls: [constant]", ""))
    store = tune_all(store_of("小研究", parse(text), tmp_path), peaked)
    for run in store.runs:
        gate = run.model["attention"]
        noise = {"none": 0, "cbam": 0.01, "constant": 0.02}[gate] * (-1) ** run.seed
        records.append(store.path, stand_in(run, 0.7 + EFFECT[gate] + noise))
    cells = {
        tuple(cell["levels"].values()): cell
        for cell in report.summarize(store)["cells"]
    }
    one, two = (cells[gate, "none", "torch"] for gate in ("cbam", "constant"))
    assert one["difference"]["p"] < two["difference"]["p"]
    np.testing.assert_allclose(one["p_holm"], 2 * one["difference"]["p"], rtol=1e-12)


def arms(folder, score, *changes):
    """小研究的一格（不增强）：臂 → 结论；score 由（门，种子）给出指标。"""
    store = tune_all(store_of("小研究", parse(edited(*changes)), folder), peaked)
    for run in store.runs:
        records.append(
            store.path, stand_in(run, score(run.model["attention"], run.seed))
        )
    cells = report.summarize(store.reopened())["cells"]
    return {c["levels"]["gate"]: c for c in cells if c["levels"]["augment"] == "none"}


def test_a_score_on_the_line_is_not_solved(tmp_path):
    """过了 0.9 才算做对：四粒种子里 0.9、0.91 各两粒，做对两粒。"""
    found = arms(
        tmp_path,
        lambda gate, seed: 0.9 + 0.01 * (seed % 2) if gate == "cbam" else 0.8,
        ("margin: 0.01", "margin: 0.01, solved: 0.9"),
    )["cbam"]
    assert (found["solved"]["hits"], found["solved"]["n"]) == (2, 4)
    assert found["hits"] == (2, 0)


@pytest.mark.parametrize(("seeds", "survives"), [(2, None), (3, True)])
def test_three_seeds_are_enough_to_leave_one_out(tmp_path, seeds, survives):
    found = arms(
        tmp_path,
        lambda gate, seed: 0.7 + EFFECT[gate] + 0.0001 * seed * (gate == "cbam"),
        ("seeds: 4", f"seeds: {seeds}"),
    )["cbam"]
    assert found["survives"] is survives


@pytest.mark.parametrize(("margin", "within"), [(0.004, 0.004), (0.02, 0.005)])
def test_close_is_told_by_the_smaller_of_margin_and_half_a_point(
    tmp_path, margin, within
):
    """差在 ±0.001 之内：δ 不到半个点的，照 δ 说。"""
    found = arms(
        tmp_path,
        lambda gate, seed: 0.7 + 0.001 * (-1) ** seed * (gate == "cbam"),
        ("margin: 0.01", f"margin: {margin}"),
    )["cbam"]
    assert (found["verdict"], found["within"]) == ("相差不到 δ", within)


def test_a_blind_study_says_so(tmp_path):
    text = edited(("controls: [constant]", "positive: constant"))
    store = tune_all(store_of("小研究", parse(text), tmp_path), peaked)
    for run in store.runs:
        records.append(store.path, stand_in(run, 0.7 + run.seed / 100))
    found = report.summarize(store)
    assert [levels["augment"] for levels in found["blind"]] == ["none", "weak"]
    assert "看不见" in tables.markdown(found)


def test_mixed_code_is_shown(finished):
    lines = [json.loads(line) for line in finished.path.read_text("utf8").splitlines()]
    for record in lines:
        plain = record["run"]["model"]["attention"] == "none"
        record["code"]["task"] = 1 if plain else 2
    finished.path.write_text(
        "".join(json.dumps(record) + "\n" for record in lines), "utf8"
    )
    found = report.summarize(finished.reopened())
    assert sum(cell.get("mixed", 0) for cell in found["cells"]) == 16
    assert "16 对比较的两边出自不同版本的代码" in tables.markdown(found)


def test_the_report_prints_what_was_tried(finished):
    text = tables.markdown(report.summarize(finished))
    assert "lr=0.01 → 0.9000" in text
    assert "lr=0.1（到了候选的头尾）" in text
    assert "| lr=0.01 |" in text  # 中间的一个，不说


def test_the_report_says_how_firm_each_verdict_is(finished):
    text = tables.markdown(report.summarize(finished))
    assert "| 不变 |" in text
    assert "| 会变 |" not in text
    assert "步数用完" not in text  # 准确率没有到不了的


# 统计：期望的数由别处算出


def test_sign_flips_by_hand():
    # 3 个同号的差：8 种翻法里只有全正与全负到得了那么远
    assert statistics.sign_flip_p([1.0, 2.0, 3.0]) == 2 / 8
    # 1 + 2 − 3 = 0：每种翻法的和都不比它近
    assert statistics.sign_flip_p([1.0, 2.0, -3.0]) == 1.0
    assert statistics.sign_flip_p([0.5]) is None


def test_many_differences_are_sampled_and_agree_with_counting():
    sample = list(np.random.default_rng(3).normal(0.4, 1, 20))
    counted = statistics.sign_flip_p(sample)
    sampled = statistics.sign_flip_p([*sample, 0.0])
    # 添一个 0 不改变和的分布；抽样 20 万次，三个标准误之内
    assert abs(sampled - counted) < 3 * np.sqrt(counted / 200_000)


def test_one_lucky_seed_is_found_out():
    assert statistics.survives([1.0, 1.1, 0.9, 1.0]) is True
    steady = [0.30, 0.31, 0.29, 0.30, 0.15]
    assert statistics.verdict(statistics.mean_interval(steady)) == "提高"
    assert statistics.survives(steady) is True
    lucky = [0.02, 0.05, 0.01, 0.02, 0.06]
    assert statistics.verdict(statistics.mean_interval(lucky)) == "提高"
    assert statistics.survives(lucky) is False
    assert statistics.survives([1.0, 2.0]) is None


def test_rounding_hides_no_flip_that_reaches_as_far():
    """十个同号的差：1024 种翻法里，全正与全负两种到得了那么远，舍入不算数。"""
    rng = np.random.default_rng(0)
    for sample in rng.random((200, 10)):
        assert statistics.sign_flip_p(sample) == 2 / 1024


@pytest.mark.parametrize(
    ("low", "high", "inside"),
    [(-0.009, 0.009, True), (-0.01, 0.009, False), (-0.009, 0.01, False)],
)
def test_an_interval_that_touches_the_margin_is_not_within(low, high, inside):
    found = statistics.Estimate(5, 0.0, 0.01, low, high, 0.9)
    assert statistics.within(found, 0.01) is inside


def test_three_seeds_are_the_fewest():
    # 差是起伏的一百倍，两粒也看得见；可是两粒去掉一粒就没有区间
    assert statistics.needed(1.0, 100.0) == 3


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([0.002, -0.002, 0.001, -0.001], "相差不到 δ"),
        ([0.02, -0.02, 0.01, -0.01], "说不准"),
        ([0.002, 0.002, 0.0021], "提高"),
        ([-0.2, -0.21, -0.19], "降低"),
        ([0.1], "次数不够"),
    ],
)
def test_four_answers(values, said):
    assert statistics.answer(statistics.mean_interval(values), 0.01) == said


@pytest.mark.parametrize(("p", "said"), [(0.05, "说不准"), (0.0499, "提高")])
def test_a_p_of_exactly_five_percent_is_not_below_it(p, said):
    """1 − 0.95 在二进制里比 0.05 大一点：恰好 0.05 的会被说成提高。"""
    found = statistics.mean_interval([0.02, 0.03, 0.025, 0.02])
    assert statistics.answer(found, 0.01, p) == said


def test_exact_interval_of_a_share():
    # 规则三：20 次里一次也没有，上限 1 − 0.025^(1/20)
    low, high = statistics.share_interval(0, 20)
    assert low == 0
    np.testing.assert_allclose(high, 1 - 0.025 ** (1 / 20), rtol=1e-12)
    np.testing.assert_allclose(
        statistics.share_interval(20, 20), (0.025 ** (1 / 20), 1.0), rtol=1e-12
    )
    # Clopper 与 Pearson 的表：10 次里 3 次，0.067 到 0.652
    np.testing.assert_allclose(
        statistics.share_interval(3, 10), (0.0667, 0.6525), atol=5e-5
    )


def test_power_against_the_printed_tables():
    # Cohen 1988 的表：配对 t 检验，d = 0.5、0.8、1，八成把握要 34、15、10 个
    for d, n in ((0.5, 34), (0.8, 15), (1.0, 10)):
        assert statistics.needed(1.0, d) == n
    # 反过来：10 个看得见的，就是 0.996 个标准差
    np.testing.assert_allclose(statistics.detectable(2.0, 10), 1.992, rtol=1e-3)
    # t 分布表：自由度 9，0.975 分位 2.262
    np.testing.assert_allclose(
        statistics.half_width(1.0, 10), 2.262157 / np.sqrt(10), rtol=1e-6
    )
    # 没有差时，看错的机会就是 0.05，两边各一半
    np.testing.assert_allclose(statistics.power_of(0.0, 1.0, 10), 0.05, rtol=1e-6)


# 几粒种子


def test_plan_reads_the_first_seeds(finished):
    found = power.plan(finished, effect=0.01, first=4)
    arms = {(a["levels"]["gate"], a["levels"]["augment"]): a for a in found["arms"]}
    # cbam 的差是 0.05 + 0.002·种子，种子 0…3 的标准差 0.002·1.29099
    np.testing.assert_allclose(arms["cbam", "none"]["sd"], 0.00258199, rtol=1e-5)
    assert found["seeds"] == max(a["needed"] for a in found["arms"])


def test_plan_measures_the_first_and_reckons_with_all(finished):
    """头三粒的差 0.05、0.052、0.054，标准差 0.002；四粒：3.182446 × 0.002 / √4。"""
    found = power.plan(finished, effect=0.01, first=3)
    arms = {(a["levels"]["gate"], a["levels"]["augment"]): a for a in found["arms"]}
    one = arms["cbam", "none"]
    assert (one["n"], found["planned"]) == (3, 4)
    np.testing.assert_allclose(one["sd"], 0.002, rtol=1e-6)
    np.testing.assert_allclose(one["half_width"], 3.182446 * 0.001, rtol=1e-6)


def test_plan_is_written_once(finished):
    found = power.plan(finished, effect=0.01)
    power.write_plan(finished, found)
    assert power.read_plan(finished)["seeds"] == found["seeds"]
    with pytest.raises(ValueError, match="只定一次"):
        power.write_plan(finished, found)


@pytest.mark.parametrize(("effect", "said"), [(0.0, "effect=0"), (0.01, "还没有做完")])
def test_no_plan_without_what_it_needs(store, effect, said):
    with pytest.raises(ValueError, match=said):
        power.plan(store, effect)


# 真的走一遍


def test_a_session_tunes_first_and_then_compares(tmp_path):
    text = edited(
        ("[0.001, 0.01, 0.1]", "[0.001, 0.01]"),
        ("seeds: [7, 8]", "seeds: [7]"),
        ("[none, weak]", "[none]"),
        ("seeds: 4", "seeds: 2"),
    )
    (tmp_path / "study.yaml").write_text(text, "utf8")
    asked = str(tmp_path / "study.yaml")
    options = Options(workers=1, threads=1)
    assert run_session(open_study(asked), options, Console(file=io.StringIO())) == 0
    done = open_study(asked)
    assert len(done.done()) == len(done.runs) == 6
    assert len(done.tuning.done()) == 6
    shown = CliRunner().invoke(app, ["study", "status", asked]).output
    assert "调参：完成 6，还缺 0" in shown
    assert "挑中" in CliRunner().invoke(app, ["study", "report", asked]).output
