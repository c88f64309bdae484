"""书页里写死的话：每一句都照记录再问一遍；记录变了，话不对了，这里就红。

一页一个测试，名字就是那一页；页上由记录生成的数与句子不在这里。
"""

import functools

import numpy as np
import pytest
import torch
from scipy import stats

from vision_attention import data, geometry, plots, specs, studies
from vision_attention.data import augment
from vision_attention.data.splits import PATCHES, permutation
from vision_attention.statistics import answer, holm, mean_interval
from vision_attention.studies.claims import claims, compared, judge
from vision_attention.torch import (
    CBAM,
    ShiftedPatchEmbedding,
    build,
    init,
    inspect,
)
from vision_attention.torch.counting import count_parameters
from vision_attention.training.diagnosis import OVERFIT, UNDERFIT
from vision_attention.training.schedules import warmup_cosine

found = functools.cache(studies.findings)
WINGS = ("torch", "paddle")


def verdicts(study, factor, arms, reference, **levels):
    """各臂减参照的结论：臂 → 结论。"""
    rest = {arm: levels | {factor: arm} for arm in arms}
    base = levels | {factor: reference}
    return {
        arm: found(study).judged(place, base).verdict for arm, place in rest.items()
    }


@pytest.mark.parametrize(
    "name",
    (
        "which_module",
        "vit_globality",
        "recipe",
        "vit_patch",
        "capacity",
        "settings",
        "settings_attention",
        "distant_marks",
    ),
)
def test_the_studies_of_the_pages_are_complete(name):
    assert not found(name)["missing"]


def test_which_measured():
    study, modules = found("which_module"), [*claims_modules()]
    size = {
        (b, m): study.mean("parameters", backbone=b, module=m)
        for b in ("resnet", "mobile")
        for m in ("none", *modules, "scalar", f"wider_{b}", f"widest_{b}")
    }
    assert 0.25 < size["mobile", "none"] / size["resnet", "none"] < 0.4
    assert size["resnet", "scalar"] - size["resnet", "none"] == 3
    light, word = ("se", "eca", "cbam", "simam"), {}
    for b in ("resnet", "mobile"):
        for m in modules:
            assert size[b, m] <= size[b, f"{'wider' if m in light else 'widest'}_{b}"]
            assert m in light or size[b, m] > size[b, f"wider_{b}"]
        assert max(modules, key=lambda m: study.mean(backbone=b, module=m)) == "cbam"
        for wing in WINGS:
            place = {"backbone": b, "framework": wing}
            arms = (*modules, "scalar", "constant")
            told = verdicts("which_module", "module", arms, "none", **place)
            word |= {(b, wing, arm): verdict for arm, verdict in told.items()}
            against = {"scalar": "constant", "cbam": "scalar"}
            for ours, theirs in against.items():
                pair = [place | {"module": m} for m in (ours, theirs)]
                word[b, wing, ours, theirs] = study.judged(*pair).verdict
            pair = [place | {"module": m} for m in ("cbam", f"wider_{b}")]
            word[b, wing, "cbam", "wider"] = study.judged(*pair).verdict
    for wing in WINGS:
        for b in ("resnet", "mobile"):
            seen = {word[b, wing, m] for m in modules}
            assert not seen & {"提高", "相差不到 δ"}
            assert word[b, wing, "self_attention"] == "降低"
            assert word[b, wing, "constant"] == "降低"
            assert word[b, wing, "scalar", "constant"] == "提高"
        assert word["mobile", wing, "bam"] == "降低"
        assert word["resnet", wing, "scalar"] == "提高"
        assert word["mobile", wing, "scalar"] == "说不准"
        assert word["resnet", wing, "cbam", "scalar"] == "说不准"
        assert word["mobile", wing, "cbam", "scalar"] == "提高"
        assert word["mobile", wing, "cbam", "wider"] == "说不准"
        place = {"backbone": "resnet", "framework": wing}
        assert study.against(module="cbam", **place).difference.low > 0
    for b in ("resnet", "mobile"):
        assert not study.against(module="self_attention", backbone=b).survives
    times = {
        m: found("complexity").mean("latency_64_ratio", gate=m, stages="all")
        for m in modules
    }
    assert max(times, key=times.get) == "self_attention"
    assert min(times.values()) > 1.05


def claims_modules():
    """比过的七种模块，照书里的次序。"""
    return ("se", "eca", "bam", "cbam", "coordinate", "simam", "self_attention")


def ranks(values):
    return stats.rankdata(-np.asarray(values), axis=-1)


def rank_correlation(first, second):
    return float(np.corrcoef(ranks(first), ranks(second))[0, 1])


def test_which_ranking():
    rng = np.random.default_rng(0)
    shuffled = [rank_correlation(np.arange(8), rng.permutation(8)) for _ in range(4000)]
    limit = float(np.quantile(np.abs(shuffled), 0.95))
    assert abs(np.std(shuffled) - 1 / np.sqrt(7)) < 0.02
    assert 0.65 < limit < 0.8
    modules = [{"module": m} for m in ("none", *claims_modules())]
    board = {
        (b, w): found("which_module").array(modules, backbone=b, framework=w).mean(0)
        for b in ("resnet", "mobile")
        for w in WINGS
    }
    for first, second in (
        (("resnet", "torch"), ("resnet", "paddle")),
        (("mobile", "torch"), ("mobile", "paddle")),
        (("resnet", "torch"), ("mobile", "torch")),
        (("resnet", "paddle"), ("mobile", "paddle")),
    ):
        assert rank_correlation(board[first], board[second]) > limit


def test_which_ranking_by_hand():
    assert np.isclose(rank_correlation([4, 3, 2, 1], [3, 4, 1, 2]), 0.6)
    assert np.isclose(1 - 6 * 4 / (4 * 15), 0.6)
    assert np.isclose(rank_correlation([5, 4, 3, 2, 1], [1, 4, 3, 2, 5]), -0.6)
    tied = [0.9, 0.91, 0.9, 0.95], [0.8, 0.85, 0.81, 0.81]
    assert np.isclose(rank_correlation(*tied), stats.spearmanr(*tied).statistic)
    assert round(1 / np.sqrt(7), 2) == 0.38


def test_holm_by_hand():
    """「七种模块」一节手算的三族。"""
    assert np.allclose(holm([0.01, 0.02, 0.04]), [0.03, 0.04, 0.04])
    assert np.allclose(holm([0.02, 0.03, 0.04]), [0.06, 0.06, 0.06])
    assert np.allclose(holm([0.001, 0.013, 0.02, 0.6]), [0.004, 0.039, 0.04, 0.6])


GLOBAL = ("global", "locality", "window", "shifted", "conv", "cnn")


def test_weakness_shuffled():
    study = found("vit_globality")
    pair = {m: [{"model": m, "images": i} for i in ("shuffled", "few")] for m in GLOBAL}
    drop = {m: study.judged(*one).verdict for m, one in pair.items()}
    assert [m for m in GLOBAL if drop[m] == "降低"] == ["window", "conv"]
    assert list(drop.values()).count("说不准") == 4
    few = {
        m: [{"model": one, "images": "few"} for one in (m, "global")] for m in GLOBAL
    }
    lost = {m: study.judged(*few[m], beyond={"images": "shuffled"}) for m in GLOBAL[1:]}
    seen = {m: one.verdict for m, one in lost.items()}
    assert [m for m in seen if seen[m] == "提高"] == ["locality", "window", "conv"]
    assert [m for m in seen if seen[m] == "说不准"] == ["shifted", "cnn"]
    now = verdicts("vit_globality", "model", GLOBAL[1:], "global", images="shuffled")
    assert [m for m in now if now[m] == "说不准"] == ["locality", "window"]
    adjusted = holm([one.difference.p for one in lost.values()])
    assert dict(zip(lost, adjusted, strict=True))["locality"] < 0.05
    kept = {
        m: study.against(model=m, images="shuffled").difference.mean
        / study.against(model=m, images="few").difference.mean
        for m in ("conv", "shifted")
    }
    assert 0.4 < kept["conv"] < 0.6
    assert kept["shifted"] > 0.9


def test_weakness_shuffled_order_of_the_blocks():
    order = (permutation(16, PATCHES) + 1).tolist()
    assert order == [9, 13, 14, 11, 12, 3, 1, 8, 6, 16, 7, 10, 4, 15, 5, 2]


def test_weakness_global():
    study = found("vit_globality")
    few = study.against(model="window", images="few")
    assert (few.verdict, few.survives) == ("提高", True)
    for images in ("many", "shuffled"):
        assert study.against(model="window", images=images).verdict == "说不准"
    pair = [{"model": "window", "images": i} for i in ("shuffled", "few")]
    assert study.judged(*pair).verdict == "降低"
    told = claims()["too_global"]
    others = tuple(one for one in told.comparisons if one.ours != "locality")
    assert len(others) == len(told.comparisons) - 1
    without = told.model_copy(update={"comparisons": others})
    assert judge(told) == judge(without) == "有条件成立"
    means = [
        study.against(model=m, images="few").difference.mean
        for m in ("window", "shifted", "conv", "cnn")
    ]
    assert means == sorted(means)


def test_weakness_with_tuned_rates():
    """太全局、参数太多两页，勘误与决策图：各用自己挑的学习率，还剩什么。"""
    study = found("digits_tuned")
    assert not study["missing"]
    few = {m: study.against(model=m, images="few") for m in GLOBAL[1:]}
    verdict = {m: one.verdict for m, one in few.items()}
    assert verdict.pop("locality") == "相差不到 δ"
    assert few["locality"].within == 0.01
    assert verdict == {"window": "说不准", "shifted": "说不准"} | dict.fromkeys(
        ("conv", "cnn"), "提高"
    )
    assert few["conv"].survives
    assert few["cnn"].survives
    sizes = {m: study.against(model=m, images="few") for m in ("smaller", "larger")}
    assert {m: (one.verdict, one.survives) for m, one in sizes.items()} == {
        "smaller": ("降低", True),
        "larger": ("提高", True),
    }
    assert few["cnn"].difference.mean > abs(sizes["smaller"].difference.mean)
    rates = {
        (one["levels"]["model"], one["levels"]["images"]): one["chosen"]
        for one in study["tuning"]
    }
    assert rates["global", "few"] == "lr=0.0005"
    old = found("vit_globality").against(model="conv", images="few").difference.mean
    assert 0.4 < few["conv"].difference.mean / old < 0.5
    share = few["conv"].difference.mean / few["cnn"].difference.mean
    assert 0.6 < share < 0.73


def test_weakness_with_tuned_rates_and_shuffled_blocks():
    study = found("digits_tuned")
    pair = [{"model": m, "images": "few"} for m in ("conv", "global")]
    lost = study.judged(*pair, beyond={"images": "shuffled"})
    assert lost.verdict == "提高"
    kept = lost.difference.mean / study.judged(*pair).difference.mean
    assert 0.4 < kept < 0.6
    mixed, plain = (
        study.against(model="cnn", images=i).difference.mean
        for i in ("shuffled", "few")
    )
    assert mixed / plain > 0.9
    assert judge(claims()["too_global"]) == "有条件成立"
    assert judge(claims()["many_parameters"]) == "不成立"


def test_weakness_memory_with_tuned_rates():
    """记忆一页：各用自己最快的学习率，ViT 的每一粒种子都比卷积网络的每一粒慢。"""
    study = found("digits_random_labels")
    assert not study["missing"]
    for share in (0.0, 1.0):
        place = {"label_noise": share}
        assert study.against(model="vit", **place).verdict == "提高"
        steps = study.values(model="vit", **place)
        slowest = max(study.values(model="cnn", **place).values())
        assert min(steps.values()) > 2 * slowest
        others = [study.records(model=m, **place) for m in ("cnn", "mlp")]
        assert [len(one) for one in others] == [20, 20]
    rates = {
        (one["levels"]["model"], one["levels"]["label_noise"]): one
        for one in study["tuning"]
    }
    assert {rates["cnn", share]["chosen"] for share in (0.0, 1.0)} == {"lr=0.008"}
    assert judge(claims()["memory"]) == "不成立"


def even_distance(mask, grid):
    even = mask / mask.sum(1, keepdims=True)
    return float(inspect.mean_attention_distance(even[None, None], grid)[0])


def test_weakness_global_distances():
    window, away = geometry.window_mask(3, 3), geometry.token_distance(3)
    near = (window * away).sum(1) / window.sum(1)
    hand = [1.635, 1.367, 1.073, 1.453, 0.930, 0.854, 0.971, 1.073]
    everyone = even_distance(np.ones((9, 9)), 3)
    places = [0, 1, 4]
    told = [*away.mean(1)[places], everyone, even_distance(window, 3), *near[places]]
    np.testing.assert_allclose(told, hand, atol=6e-4)
    even = 2 * even_distance(np.ones((16, 16)), 4)
    early, later = (
        np.array(
            [
                run.distance[:3]
                for run in found("vit_globality").curves(model="global", images=i)
            ]
        ).mean(1)
        for i in ("few", "many")
    )
    for change in (early - even, later - early):
        assert answer(mean_interval(list(change)), 0.1) == "相差不到 δ"


def test_weakness_global_starts_alike():
    study, nets = found("vit_globality"), {}
    for arm in GLOBAL:
        init.seed(0)
        nets[arm] = build(specs.named(**study.model(model=arm, images="few")))
        size = count_parameters(nets[arm])
        assert size == study.mean("parameters", model=arm, images="few")
        assert abs(size / count_parameters(nets["global"]) - 1) < 0.01
    kept = [dict(nets[arm].named_parameters()) for arm in ("window", "locality")]
    for name, value in nets["global"].named_parameters():
        assert torch.equal(value, kept[0][name])
        assert torch.equal(value, kept[1][name])
    scales = [v.ndim for n, v in kept[1].items() if n.endswith("attn.scale")]
    assert scales == [2] * 4


def test_weakness_global_shifts():
    image = data.load("digits").test_images[:1] / np.float32(255)
    five = ShiftedPatchEmbedding(8, 2, 1, 64).shift(torch.from_numpy(image))[0].numpy()
    small = image[0, 0]
    assert np.array_equal(five[1][:-1, :-1], small[1:, 1:])
    assert np.array_equal(five[4][1:, 1:], small[:-1, :-1])
    assert not five[1][-1].any()
    assert not five[4][0].any()


RECIPES = {"no_augment": "去掉增强", "no_warmup": "去掉升温", "no_decay": "去掉衰减"}
RECIPES |= {"no_smoothing": "去掉平滑", "no_clipping": "去掉裁剪"}
RECIPES |= {"sgd": "换成 SGD", "bare": "五味全去掉"}


def test_remedies_recipe():
    study = found("recipe")
    lost = {model: study.versus(RECIPES, model=model) for model in ("vit", "cnn")}
    vit, cnn = lost.values()
    assert vit.those("提高") == ["去掉增强"]
    assert vit.those("降低") == ["去掉升温", "换成 SGD"]
    assert not vit.those("相差不到 δ")
    assert cnn.those("降低") == ["去掉增强", "去掉平滑", "五味全去掉"]
    assert cnn.those("相差不到 δ") == ["去掉升温", "去掉衰减", "去掉裁剪"]
    assert cnn.those("提高") == ["换成 SGD"]
    pairs = {
        arm: [{"model": "vit", "recipe": r} for r in (arm, "full")] for arm in RECIPES
    }
    gaps = study.forest(
        {RECIPES[arm]: (*pair, {"model": "cnn"}) for arm, pair in pairs.items()}
    )
    assert gaps.those("提高") == ["去掉增强", "五味全去掉"]
    assert gaps.those("降低") == ["去掉升温", "换成 SGD"]


def test_remedies_recipe_learning():
    study = found("recipe")
    fit = {
        (model, arm): study.mean("train_accuracy", model=model, recipe=arm)
        for model in ("vit", "cnn")
        for arm in ("full", *RECIPES)
    }
    assert min(fit["cnn", arm] for arm in ("full", *RECIPES)) > 0.98
    assert fit["vit", "full"] < 0.9
    assert fit["vit", "no_augment"] > 0.98
    assert fit["vit", "bare"] > 0.99
    assert fit["vit", "sgd"] < 0.5
    assert fit["vit", "no_warmup"] < fit["vit", "full"]
    for metric in ("train_loss", "test_loss"):
        arms = [{"recipe": "full"}, {"recipe": "no_clipping"}]
        assert np.ptp(study.array(arms, metric, model="cnn"), axis=1).max() == 0


def test_remedies_recipe_by_hand():
    rate = [warmup_cosine(t, 400, 20, 0.001) for t in range(400)]
    ahead = [rate[t] - warmup_cosine(t, 400, 0, 0.001) for t in range(20, 400)]
    floor = [-0.91 * np.log(0.91), -0.09 * np.log(0.01)]
    assert np.allclose(floor, [0.086, 0.414], atol=5e-4)
    assert min(ahead) >= 0
    assert 3e-5 < max(ahead) < 5e-5
    image = data.load("digits", n_train=100).test_images[:1]
    drawn = augment.weak(np.repeat(image, 200, 0), np.random.default_rng(0), flip=False)
    assert len({one.tobytes() for one in drawn}) == 9


def test_self_attention_scale():
    p = 1 / (1 + np.exp(-np.array([1, 2, 4, 8])))
    hand = [[0.731, 0.881, 0.982, 0.9997], [0.197, 0.105, 0.018, 0.0003]]
    np.testing.assert_allclose([p, p * (1 - p)], hand, atol=6e-4)
    draws = {w: np.random.default_rng(w).standard_normal for w in (1, 1024)}
    scaled = {w: d((400, w)) @ d((w, 64)) / w**0.5 for w, d in draws.items()}
    first, last = (np.diff(np.quantile(one, [0.25, 0.75])) for one in scaled.values())
    assert first < 0.6 * last


IDLE = ("idle_steps", "idle_batch_63", "idle_batch_65")


def test_self_attention_settings():
    """「除以 √K」与「头数」两节：相差不到 δ 的，与空臂比。"""
    study = found("settings_attention")
    others = ("no_attention", "no_scale", "no_gamma", "heads_2", "heads_4", "heads_8")
    one = {arm: study.against(setting=arm) for arm in (*IDLE, *others)}
    seen = {arm: found.verdict for arm, found in one.items()}
    assert [arm for arm in seen if seen[arm] == "降低"] == ["no_gamma"]
    assert [seen[arm] for arm in seen if arm != "no_gamma"] == ["相差不到 δ"] * 8
    size = {arm: abs(found.difference.mean) for arm, found in one.items()}
    idle = max(size[arm] for arm in IDLE)
    assert (
        max(size[arm] for arm in ("no_scale", "heads_2", "heads_4", "heads_8")) < idle
    )
    heads = ("default", "heads_2", "heads_4", "heads_8")
    assert len({study.mean("parameters", setting=arm) for arm in heads}) == 1


def test_settings_yardstick():
    empty = {
        (name, arm): found(name).against(setting=arm).difference
        for name in ("settings", "settings_attention")
        for arm in IDLE
    }
    assert {one.n for one in empty.values()} == {10}
    arms = [c["levels"]["setting"] for c in found("settings")["cells"][5:22]]
    spread = [found("settings").against(setting=arm).difference.sd for arm in arms]
    idle = [empty["settings", arm].sd for arm in IDLE]
    assert np.median(spread) > 1.3 * np.median(idle)
    for name in ("settings", "settings_attention"):
        without = found(name).against(setting="no_attention").verdict
        assert without not in ("提高", "降低")


VITS = ("patch_1", "patch_2", "patch_4")
PLACES = [
    {"n_train": n, "augment": word} for n in (100, 1297) for word in ("none", "weak")
]


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_vit_patch(place):
    study = found("vit_patch")
    told = verdicts("vit_patch", "model", VITS, "small_cnn", **place)
    assert set(told.values()) == {"降低"}
    for fine, coarse in (("patch_2", "patch_4"), ("patch_1", "patch_2")):
        pair = [place | {"model": m} for m in (fine, coarse)]
        assert study.judged(*pair).verdict == "降低"
    tested = [study.mean(model=arm, **place) for arm in VITS]
    trained = [study.mean("train_accuracy", model=arm, **place) for arm in VITS]
    assert tested == sorted(tested)
    if place == PLACES[0]:
        assert min(trained) == trained[0]
        assert min(trained[1:]) > 0.999
        for arm in (*VITS, "small_cnn"):
            names = [one.name for one in study.diagnosed(model=arm, **place)]
            assert max(set(names), key=names.count) == OVERFIT
    else:
        assert trained == sorted(trained)


def test_vit_patch_sizes():
    nets = {
        f"patch_{p}": build(
            specs.named("vit_tiny", depth=2, embed_dim=32, patch_size=p)
        )
        for p in (1, 2, 4)
    } | {"small_cnn": build(specs.named("small_cnn", width=25))}
    size = {arm: count_parameters(net) for arm, net in nets.items()}
    assert max(size.values()) / min(size.values()) < 1.11
    assert size["patch_2"] == size["patch_4"] == 18_218
    layer = [8 * n * 32**2 + 2 * n**2 * 32 for n in (5, 17, 65)]
    assert layer == [42_560, 157_760, 802_880]
    assert round(layer[2] / layer[0]) == 19
    parts = {p: [p * p * 32 + 32, 32 + (64 // p**2 + 1) * 32] for p in (4, 2, 1)}
    assert parts == {4: [544, 192], 2: [160, 576], 1: [64, 2112]}
    for p, both in parts.items():
        assert sum(both) + 17_088 + 394 == size[f"patch_{p}"]


def test_vit_photos_with_enough_steps():
    """照片上，步数将近四倍：每粒种子，ViT 的训练、测试与差距都更低；学习率已经平了。"""
    study, pilot = found("cifar_vit"), found("vit_data_size_cifar10")
    for metric in ("test_accuracy", "train_accuracy", "accuracy_gap"):
        vit, cnn = (
            study.values(metric, model=model, case="weak_5000")
            for model in ("vit", "resnet20")
        )
        assert vit.keys() == cnn.keys() == {0, 1, 2, 3, 4}
        assert all(vit[seed] < cnn[seed] for seed in vit)
    vit, cnn = (
        next(c["tried"] for c in study["tuning"] if c["levels"]["model"] == model)
        for model in ("vit", "resnet20")
    )
    assert max(vit, key=vit.get) == "lr=0.00025"
    assert max(cnn, key=cnn.get) == "lr=0.008"
    assert round(vit["lr=0.00025"] - vit["lr=0.0005"], 3) == 0.004
    assert round(cnn["lr=0.008"] - cnn["lr=0.004"], 3) == 0.006
    steps = [
        one.curves(**place)[0].step[-1]
        for one, place in (
            (study, {"model": "vit", "case": "weak_5000"}),
            (pilot, {"model": "vit_cifar", "n_train": 5000}),
        )
    ]
    assert steps == [2344, 600]


def test_vit_diagnosis():
    study = found("vit_data_size")
    vit, weak = ({"model": "vit_tiny", "augment": a} for a in ("none", "weak"))
    shares = {}
    for name, arm in (("none", vit), ("weak", weak)):
        for n in (50, 200, 1297):
            told = study.diagnosed(n_train=n, **arm)
            sick = OVERFIT if name == "none" or n == 50 else UNDERFIT
            if (name, n) != ("none", 1297):
                assert {one.name for one in told} == {sick}
            shares[name, n] = np.mean([[d.unlearned, d.gap] for d in told], 0)
    unlearned = [shares["weak", n][0] for n in (50, 200, 1297)]
    assert unlearned == sorted(unlearned)
    for n in (50, 200, 1297):  # 增强压低第二份，抬高第一份
        assert shares["weak", n][0] > shares["none", n][0]
        assert shares["weak", n][1] < shares["none", n][1]
    mixed = {one.name for one in study.diagnosed(n_train=100, **weak)}
    assert mixed == {OVERFIT, UNDERFIT}
    assert round(np.sqrt(0.1 * 0.9 / 500), 4) == 0.0134


def test_vit_diagnosis_points():
    """练习里的五个点各是哪种诊断。"""
    at = plots.diagnoses.at_point
    told = {(1.0, 0.81): "过拟合", (0.84, 0.72): "欠拟合", (0.61, 0.6): "欠拟合"}
    told |= {(0.95, 0.67): "过拟合", (1.0, 0.06): "有毛病"}
    assert {point: at(*point) for point in told} == told


SIZES, IMAGES = ("narrow", "normal", "wide"), ("many", "few", "few_mislabelled")


def capacity(size, images, arm="cbam"):
    place = {"size": size, "images": images}
    return found("capacity").judged(place | {"arm": arm}, place | {"arm": "none"})


def test_cbam_capacity():
    study = found("capacity")
    places = [(s, i) for i in IMAGES for s in SIZES if (s, i) != ("normal", IMAGES[2])]
    fit = {
        (s, i): study.mean("train_accuracy", arm="none", size=s, images=i)
        for s, i in places
    }
    small, rest = fit.pop(("narrow", "many")), fit
    assert small < 0.85
    assert min(rest.values()) > 0.95
    unlearned = [place for place, value in rest.items() if value <= 0.9995]
    assert unlearned == [("narrow", "few_mislabelled")]
    gain = {place: capacity(*place).difference.mean for place in places}
    assert gain.pop(("narrow", "many")) < 0 < min(gain.values())
    one, wide = capacity("narrow", "many"), capacity("narrow", "many", "wider_narrow")
    assert (one.verdict, one.survives, wide.verdict) == ("降低", False, "说不准")
    assert wide.difference.mean > 0
    assert {capacity(s, "few").verdict for s in SIZES} == {"提高"}
    assert [s for s in SIZES if capacity(s, "few").survives] == ["narrow", "normal"]
    noisy = [capacity("narrow", IMAGES[2], arm) for arm in ("cbam", "wider_narrow")]
    assert {one.verdict for one in noisy} == {"提高"}
    many = {capacity(s, "many").verdict for s in ("normal", "wide")}
    assert not many & {"提高", "降低"}
    for size in SIZES:
        place = {"size": size, "images": "few"}
        pair = [place | {"arm": arm} for arm in ("cbam", f"wider_{size}")]
        assert study.judged(*pair).verdict == "说不准"


def test_cbam_capacity_grows():
    study = found("capacity")
    tested = {}
    for images in IMAGES:
        sizes = [s for s in SIZES if (s, images) != ("normal", IMAGES[2])]
        line = [study.mean(arm="none", size=s, images=images) for s in sizes]
        assert line == sorted(line)
        tested[images] = line[0]
    assert tested["few"] < 0.5
    bigger = {}
    for large, images in (("normal", "many"), ("normal", "few"), ("wide", IMAGES[2])):
        place = {"arm": "none", "images": images}
        pair = [place | {"size": size} for size in (large, "narrow")]
        bigger[images] = study.judged(*pair)
    assert {one.verdict for one in bigger.values()} == {"提高"}
    assert bigger["few"].difference.mean > bigger["many"].difference.mean
    pair = [{"size": "narrow", "images": "many", "arm": a} for a in ("cbam", "none")]
    assert study.judged(*pair, beyond={"images": "few"}).verdict == "降低"
    small, few = (
        {"size": "narrow", "images": "few"},
        {"size": "normal", "images": "few"},
    )
    learned = [study.mean("train_accuracy", arm=a, **small) for a in ("cbam", "none")]
    assert learned == sorted(learned)
    assert study.mean(arm="cbam", **few) < 0.8
    assert {row["difference"]["n"] for row in study["agreement"]} == {1}


def test_cbam_capacity_claim():
    one = claims()["capacity"]
    met = {(c.comparison.ours, c.comparison.metric) for c in compared(one) if c.met}
    assert judge(one) == "有条件成立"
    assert not any(c.met for c in compared(one) if c.comparison.control)
    assert met == {
        ("normal", None),
        ("normal", "train_accuracy"),
        ("wider_narrow", "train_accuracy"),
    }


def test_cbam_capacity_by_hand():
    gates = [count_parameters(CBAM(c, reduction_ratio=2)) for c in (2, 4, 8)]
    assert gates == [106, 121, 175]
    assert sum(gates) == 402
    study, place = found("capacity"), {"images": "many", "size": "narrow"}
    own = {
        a: study.mean("parameters", arm=a, **place)
        for a in ("none", "cbam", "wider_narrow")
    }
    assert own == {"none": 1384, "cbam": 1384 + 402, "wider_narrow": 1790}
    assert round(402 / 1384, 2) == 0.29
    normal = study.mean("parameters", arm="none", images="many", size="normal")
    assert 14 < normal / 1384 < 14.5
    mean, low, high = plots.interval([-0.09, -0.04, -0.11])
    assert (round(mean, 2), round(low, 2), round(high, 2)) == (-0.08, -0.17, 0.01)
    assert round(float(np.std([-0.09, -0.04, -0.11], ddof=1)), 3) == 0.036
    assert sum(2 * c * (c // 2) + c // 2 + c for c in (2, 4, 8)) == 105
    assert 0.24 < 105 / 402 < 0.28
    with pytest.raises(ValueError, match="min_hidden"):
        CBAM(2)


def shrunk(side, padding):
    """三次 5×5 的卷积之后剩下的边长。"""
    for _ in range(3):
        side = side + 2 * padding - 5 + 1
    return side


def test_cbam_names():
    assert [shrunk(side, 1) for side in (7, 8, 14)] == [1, 2, 8]
    assert [shrunk(side, 2) for side in (7, 8, 14)] == [7, 8, 14]
    assert [2 * kernel**2 for kernel in (3, 7, 49)] == [18, 98, 4802]
    assert count_parameters(CBAM(64)) == 679
    assert count_parameters(CBAM(64, spatial_norm=True)) == 680
    assert count_parameters(CBAM(64, 8)) != count_parameters(CBAM(64, 16))


MODULES = ("se", "cbam", "coordinate", "self_attention", "open_self_attention")
ARMS = ("plain", "wider", "widest", *MODULES)


def marks(arm, distance, metric=None):
    """两个记号：各种子的数。"""
    place = {"attention": arm, "distance": distance}
    return np.array(list(found("distant_marks").values(metric, **place).values()))


def test_self_attention_marks():
    far = {arm: marks(arm, 12) for arm in ARMS}
    learned = {arm: int((one > 0.9).sum()) for arm, one in far.items()}
    assert {len(marks(arm, d)) for arm in ARMS for d in (4, 12)} == {10}
    assert [arm for arm in MODULES if learned[arm] == 10] == ["cbam"]
    assert learned["se"] == 9
    assert min(learned[arm] for arm in MODULES) > 0
    assert max(far[arm].max() for arm in ("plain", "wider", "widest")) < 0.6
    plain = marks("plain", 4)
    assert (plain > 0.75).all()
    assert (plain > 0.9).sum() > 5
    assert all((marks(arm, 4) > 0.9).all() for arm in MODULES)
    halfway = {a for a in MODULES if ((far[a] > 0.75) & (far[a] <= 0.9)).any()}
    assert halfway == {"coordinate", "self_attention"}
    assert not any(((one >= 0.6) & (one <= 0.8)).any() for one in far.values())
    for arm in MODULES:
        nothing = far[arm] <= 0.75
        assert (far[arm][nothing] < 0.6).all()
        assert (marks(arm, 12, "train_accuracy")[nothing] > 0.8).all()


def test_self_attention_marks_compared():
    study = found("distant_marks")
    size = {
        arm: study.mean("parameters", attention=arm, distance=12)
        for arm in ("plain", "se", "cbam")
    }
    assert max(size["se"], size["cbam"]) - size["plain"] < 700
    told = compared(claims()["global_context"])
    beaten = [one.comparison for one in told if one.seen == "提高"]
    assert [c.ours for c in beaten if c.reference != "plain"] == ["se", "cbam"]
    own, opened = "self_attention", "open_self_attention"
    for pair in (("cbam", own), ("se", own), (own, opened)):
        ours, theirs = ({"attention": arm, "distance": 12} for arm in pair)
        assert study.judged(ours, theirs).verdict == "说不准"


NINE = ("plain", "eca", *MODULES, "resnet", "vit")


def reach(arm, metric, state="trained"):
    place = {"model": arm, "state": state}
    return np.array(list(found("receptive_field").values(metric, **place).values()))


def test_self_attention_marks_and_reach():
    scored = {arm: reach(arm, "test_accuracy") for arm in NINE}
    learned = {arm: int((one > 0.9).sum()) for arm, one in scored.items()}
    related = {arm: int((one > 0.75).sum()) for arm, one in scored.items()}
    assert learned["cbam"] == 10
    assert learned["plain"] == related["plain"] == related["vit"] == 0
    assert learned["resnet"] < 5
    assert (marks("se", 12) > 0.9).sum() > 2 * learned["se"]
    seen = {arm: reach(arm, "noticed_last") for arm in NINE}
    wide = np.concatenate([scored[arm][seen[arm] > 0.95] for arm in NINE])
    assert (wide > 0.75).sum() < 0.25 * len(wide)
    assert seen["resnet"].mean() > 0.95
    assert seen["cbam"].mean() < 0.9
    assert set(seen["plain"]) == {0.25}
    share = {arm: reach(arm, "reach_share").mean() for arm in NINE}
    assert share["cbam"] < 0.4
    assert max(share, key=share.get) == "resnet"
    study = found("receptive_field")
    cbam = study.against("reach_share", model="cbam", state="trained")
    assert cbam.verdict == "说不准"


def test_self_attention_marks_drawn():
    images = data.load("two_marks", distance=12)
    bright, labels = images.test_images[:, 0] == 255, images.test_labels
    across = (bright[:, :, :-1] & bright[:, :, 1:]).sum((1, 2))
    assert (labels == (across != 1)).all()
    assert set(bright.sum((1, 2)).tolist()) == {4}
    shares = [(across == h).mean() for h in (0, 1, 2)]
    np.testing.assert_allclose(shares, [0.25, 0.5, 0.25], atol=0.03)
    best = max(((across > cut) == labels).mean() for cut in (0.5, 1.5))
    other = max(((across < cut) == labels).mean() for cut in (0.5, 1.5))
    assert 0.72 < max(best, other) < 0.78


@pytest.mark.parametrize(("distance", "fits"), [(4, True), (12, False)])
def test_self_attention_marks_fit_in_the_window(distance, fits):
    """相距 4 的两个记号装得进一个 9×9，相距 12 的装不进。"""
    for image in data.load("two_marks", distance=distance).test_images[:, 0]:
        lines, columns = np.nonzero(image == 255)
        tall, wide = np.ptp(lines), np.ptp(columns)
        assert (max(tall, wide) < 9) == fits
        if fits:
            row, column = (min(least.min() // 4 * 4, 8) for least in (lines, columns))
            assert lines.max() < row + 9
            assert columns.max() < column + 9


def test_self_attention_reach():
    told = compared(claims()["receptive_field"])
    word = {
        (
            c.comparison.reference,
            c.comparison.ours,
            c.levels["state"],
            c.comparison.metric,
        ): c.found.verdict
        for c in told
    }
    rises = [
        ours
        for (reference, ours, state, metric), verdict in word.items()
        if (reference, state, metric) == ("plain", "trained", "noticed_last")
        and verdict == "提高"
    ]
    assert sorted(rises) == sorted(("eca", *MODULES))
    control = {k: v for k, v in word.items() if k[0] == "resnet"}
    assert "提高" not in control.values()
    start = [
        v for (*_, s, m), v in control.items() if s == "untrained" and m[:5] == "reach"
    ]
    assert set(start) == {"降低"}
    shares = [v for (r, *_, m), v in word.items() if (r, m) == ("plain", "reach_share")]
    assert "降低" not in shares
    study = found("receptive_field")
    fewer = {
        arm: study.judged(
            *({"model": arm, "state": s} for s in ("trained", "untrained")),
            "noticed_last",
        )
        for arm in NINE
    }
    assert [arm for arm in NINE if fewer[arm].verdict == "降低"] == ["cbam"]
    assert fewer["cbam"].difference.mean < -0.1
    for state in ("untrained", "trained"):
        assert set(reach("plain", "noticed_last", state)) == {0.25}
    start = reach("self_attention", "noticed_last", "untrained")
    assert (start == 0.25).all()
    assert reach("self_attention", "noticed_last").mean() > start.mean() + 0.3


def test_remedies_pretraining():
    study, sizes = found("pretraining"), (10, 25, 100)
    word = {
        (model, mode, n): study.against(mode=mode, model=model, n_train=n)
        for model in ("vit", "cnn")
        for mode in ("finetune", "linear_probe")
        for n in sizes
    }
    told = {
        (model, mode): [word[model, mode, n].verdict for n in sizes]
        for model, mode, _ in word
    }
    assert told["vit", "finetune"] == ["提高"] * 3
    assert told["vit", "linear_probe"] == ["说不准", "降低", "降低"]
    assert told["cnn", "linear_probe"] == ["降低"] * 3
    assert told["cnn", "finetune"] == ["说不准"] * 3
    assert not any(word["vit", "finetune", n].survives for n in sizes)
    gaps = {}
    for mode in ("finetune", "linear_probe"):
        for n in sizes:
            place = {"model": "vit", "n_train": n}
            pair = [place | {"mode": m} for m in (mode, "scratch")]
            gaps[mode, n] = study.judged(*pair, beyond={"model": "cnn"}).verdict
    assert [k for k in gaps if gaps[k] == "提高"] == [
        ("finetune", 10),
        ("finetune", 25),
    ]
    assert "降低" not in gaps.values()
    for n in sizes:
        ours = {"model": "vit", "mode": "finetune", "n_train": n}
        theirs = {"model": "cnn", "mode": "scratch", "n_train": n}
        assert study.difference(ours, theirs).high < 0
    fit = [
        study.mean("train_accuracy", model="vit", mode=m, n_train=100)
        for m in ("linear_probe", "finetune")
    ]
    assert fit[0] < 0.9
    assert fit[1] > 0.98
    for model in ("vit", "cnn"):
        for n in sizes:  # 同一次预训练
            arms = [{"mode": "finetune"}, {"mode": "linear_probe"}]
            place = {"model": model, "n_train": n}
            same = study.array(arms, "source_accuracy", **place)
            assert np.ptp(same, axis=1).max() == 0


def test_remedies_pretraining_errors_cut():
    study, less = found("pretraining"), {}
    for mode in ("finetune", "linear_probe"):
        for n in (10, 25, 100):
            cut = {}
            for model in ("vit", "cnn"):
                arms = [{"mode": mode}, {"mode": "scratch"}]
                ours, theirs = study.array(arms, model=model, n_train=n).T
                cut[model] = (ours - theirs) / (1 - theirs)
            less[mode, n] = answer(mean_interval(cut["vit"] - cut["cnn"]), None)
    assert {k for k, word in less.items() if word == "提高"} == {
        ("linear_probe", 10),
        ("finetune", 25),
        ("linear_probe", 25),
    }
