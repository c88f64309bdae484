"""批改：写对的没有一份误判，写错的没有一份判成对；认出的名字是对的。"""

import importlib
import json
import random
import re
import time
from pathlib import Path

import numpy as np
import pytest
from commands import call

from tools.proof import graded
from vision_attention.grading import BANK, TASKS, grade
from vision_attention.grading.comparisons import SAYABLE
from vision_attention.grading.known import CBAMS, alike
from vision_attention.grading.paired import INTERVAL
from vision_attention.grading.properties import PROPERTIES
from vision_attention.grading.report import FAULT, Report
from vision_attention.grading.steps import FUNCTIONS
from vision_attention.wings import load_wing

ROOT = Path(__file__).resolve().parents[2]
# 交来的代码自己会惹出框架的警告，与批改无关
pytestmark = pytest.mark.filterwarnings("ignore")
FRAMEWORKS = ("torch", "paddle")
RIGHT = [(f, h) for f in FRAMEWORKS for h in graded.right(f)]
WRONG = [(f, h) for f in FRAMEWORKS for h in graded.wrong(f)]


def called(pairs):
    """每一份叫什么；次序在前，改法里的怪字符不进名字。"""
    return [f"{f}-{k}-{hand.name.split(':')[0]}" for k, (f, hand) in enumerate(pairs)]


@pytest.fixture(scope="module", autouse=True)
def warm():
    """框架第一次造优化器时载入的东西，不算批改的。"""
    for framework in FRAMEWORKS:
        hand = next(h for h in graded.right(framework) if h.task == "training_step")
        grade(hand.subject, hand.task, framework=framework)


def timed(framework, hand):
    """批改一份，连同用了处理器几秒。"""
    start = time.process_time()
    report = grade(hand.subject, hand.task, framework=framework)
    return report, time.process_time() - start


@pytest.mark.parametrize(("framework", "hand"), RIGHT, ids=called(RIGHT))
def test_right_is_never_called_wrong(framework, hand):
    report, seconds = timed(framework, hand)
    assert report.right, str(report)
    due = {name for name, (_, tasks) in PROPERTIES.items() if hand.task in tasks}
    assert due <= {check.name for check in report.checks}
    assert seconds <= 3


@pytest.mark.parametrize(("framework", "hand"), WRONG, ids=called(WRONG))
def test_wrong_is_never_called_right_and_named_rightly(framework, hand):
    report, seconds = timed(framework, hand)
    assert not report.right
    assert seconds <= 3
    if hand.expected:
        assert sorted(report.names) == sorted(hand.expected), str(report)


def test_the_figures_in_the_book_are_these_sets():
    written = json.loads(graded.TABLE.read_text("utf8"))
    for framework, told in written.items():
        assert told["right"] == len(graded.right(framework))
        assert told["wrong"] == len(graded.wrong(framework))
        assert told["false_alarms"] == told["called_right"] == 0
        least = sum(bool(h.expected) for h in graded.wrong(framework))
        assert told["named"] >= least
        assert told["from_text"] == len(graded.from_text(framework)) >= 20
        assert told["right"] >= 40
        assert told["wrong"] >= 60


# 具名的性质 → 该红的一份：哪一份里改出来的，或该认出的名字
RED = [
    ("不看别的样本", "mean(0, "),
    ("训练与评估", "x.abs()"),
    ("训练与评估", "F.dropout"),
    ("换位置", "cumsum"),
    ("换位置", "分头时用 view 代替换轴"),
    ("行的和", "沿查询归一化"),
    ("行的和", "沿头归一化"),
    ("行的和", "softmax 写成了 σ"),
    ("权重看输入", "0 * q"),
    ("门看输入", "0 * "),
    ("由 F′ 算", "空间门由 F 算，不由 F′ 算"),
    ("门的范围", "通道门用了 tanh"),
    ("门的范围", "relu(self.mlp"),
]


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize(("property_", "broken"), RED)
def test_each_property_turns_red(framework, property_, broken):
    hands = [
        h for h in graded.wrong(framework) if broken in h.name or broken in h.expected
    ]
    tasks = PROPERTIES[property_][1]
    hand = next(h for h in hands if h.task in tasks)
    report = grade(hand.subject, hand.task, framework=framework)
    failed = {check.name for check in report.checks if not check.passed}
    assert property_ in failed, str(report)


def test_every_property_has_a_red_example():
    assert set(PROPERTIES) == {name for name, _ in RED}


# 不守规矩的 → 那一句话，怎样不守
MANNERS = {
    "印字": ("往屏幕上印字（走到这里", lambda lab, x, y: print("走到这里") or y),
    "种子": ("设了全局的随机种子", lambda lab, x, y: lab.seed_random(3) or y),
    "元组": ("返回了元组", lambda lab, x, y: (y, y)),
    "非数": ("有 NaN", lambda lab, x, y: y * float("nan")),
    "类型": ("不要在途中换类型", lambda lab, x, y: y.astype("float64")),
    "数组": ("是 NumPy 数组，不是张量", lambda lab, x, y: y.detach().numpy()),
    "没有": ("是 NoneType，不是张量", lambda lab, x, y: None),
    "输入": ("前向改了输入", lambda lab, x, y: x.zero_() is None or y),
}
IN_TORCH = {"类型": lambda lab, x, y: y.double()}


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("manner", MANNERS)
def test_each_bad_manner_gets_its_sentence(framework, manner):
    wing = load_wing(framework)
    lab, cbam = wing.module("specimen"), wing.module("gates").CBAM
    sentence, act = MANNERS[manner]
    act = IN_TORCH.get(manner, act) if framework == "torch" else act

    class Ill(cbam):
        def forward(self, x):
            return act(lab, x, super().forward(x))

    report = grade(Ill, "cbam")
    assert sentence in str(report)
    assert report.right == (manner == "印字")


# 哪一处 → 两翼的哪张表；不在表里的由代码里的如果决定
TABLES = {
    "score": "gates.SCORES", "squash": "gates.SQUASHES", "look": "gates.LOOKS",
    "spatial_squash": "gates.SQUASHES", "order": "gates.ORDERS",
    "place": "gates.PLACES", "scale": "attention.SCALES", "axis": "attention.AXES",
    "split": "attention.SPLITS", "merge": "attention.MERGES",
    "mask": "attention.MASKS", "activation": "block.ACTIVATIONS",
    "token": "block.TOKENS", "loss": "steps.LOSSES", "labels": "steps.LABELS",
}  # fmt: skip


def keys_of(framework, place):
    """一翼的一张表里的全部键。"""
    room, table = place.split(".")
    return set(getattr(load_wing(framework).module(f"variants.{room}"), table))


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("aspect", TABLES)
def test_code_and_words_list_the_same_variants(framework, aspect):
    told = {key for a, key in BANK if a == aspect}
    code = keys_of(framework, TABLES[aspect])
    assert told <= code
    if "squash" not in aspect:  # 两道门共用一张压缩的表
        # 多出来的一种就是参照自己；门那里还有“只交门”
        assert len(code - told - {"gate"}) == 1


def test_every_page_of_the_bank_exists():
    for variant in BANK.values():
        assert (ROOT / "book" / f"{variant.page}.md").exists(), variant


def test_every_row_of_the_bank_can_be_found():
    aspects = {v.aspect for t in TASKS.values() for vs in t.others.values() for v in vs}
    aspects |= {"clear", "loss", "labels", "mode", "update", "whole", *FUNCTIONS}
    aspects |= {*INTERVAL, *SAYABLE, "answers"}  # 有没有用，看 test_comparing
    assert {aspect for aspect, _ in BANK} <= aspects


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_grading_changes_nothing_outside(framework):
    wing = load_wing(framework)
    lab, module = wing.module("specimen"), wing.module("gates").CBAM(64)
    before = lab.values(module)

    def drawn(action):
        np.random.seed(3)
        random.seed(3)
        lab.seed_random(3)
        action()
        return np.random.random(), random.random(), lab.draw()

    assert drawn(lambda: grade(module, "cbam")) == drawn(lambda: None)
    after = lab.values(module)
    assert all(np.array_equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({}, ()),
        ({"mlp": "concat", "spatial": "multiscale"}, ("concat", "multiscale")),
        ({"mlp": "separate"}, ("separate",)),
        ({"order": "spatial-channel"}, ("spatial_channel",)),
        ({"order": "parallel"}, ("from_input",)),
        ({"spatial_norm": True}, ("batch",)),
    ],
)
def test_the_switches_of_the_library_are_recognised(framework, options, found):
    cbam = load_wing(framework).module("gates").CBAM
    report = grade(cbam(32, 4, **options), "cbam", reduction_ratio=4)
    assert tuple(sorted(v.key for v in report.found)) == found
    assert report.right == (not found)


def test_known_codes_are_told_apart():
    seen = set()
    for code in CBAMS:
        facts = {
            "changed": sorted(code.changed),
            "without_bias": sorted(code.without_bias),
            "kernel_size": code.kernel_size,
        }
        near = alike(Report("CBAM", "variant", facts=facts))
        assert all(not differences for _, differences in near)
        assert code.name in [other.name for other, _ in near]
        seen.add(tuple(other.name for other, _ in near))
    # 论文的式子与原笔记的代码是同一份
    assert len(seen) == len(CBAMS) - 1


def test_nothing_is_alike_when_nothing_was_recognised():
    assert alike(Report("CBAM", FAULT)) == []


FOUND = """
import time
import torch
from torch import nn
print("文件里的话")

class Block(nn.Module):
    def __init__(self, channels, rd_ratio=16):
        super().__init__()
        h = channels // rd_ratio
        self.fc1 = nn.Conv2d(channels, h, 1, bias=False)
        self.fc2 = nn.Conv2d(h, channels, 1, bias=False)
        self.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        self.bn = nn.BatchNorm2d(1)

    def forward(self, x):
        pools = x.mean((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
        x = x * sum(self.fc2(self.fc1(p).relu()) for p in pools).sigmoid()
        maps = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return x * self.bn(self.conv(maps)).sigmoid()

class Endless(Block):
    def forward(self, x):
        while True:
            pass

class Asleep(Block):
    def forward(self, x):
        time.sleep(1e6)
"""


@pytest.fixture
def handed(tmp_path):
    path = tmp_path / "found.py"
    path.write_text(FOUND, "utf8")
    return path


def test_the_command_names_what_was_found(handed):
    code, text = call("identify", f"{handed}:Block")
    assert code == 0
    assert "像 timm" in text
    assert "一样" in text.splitlines()[-1]
    assert call("grade", f"{handed}:Block", "--as", "cbam")[0] == 1


@pytest.mark.parametrize("name", ["Endless", "Asleep"])
def test_the_command_stops_what_never_ends(handed, name):
    words = ["grade", f"{handed}:{name}", "--as", "cbam", "--seconds", "3"]
    code, text = call(*words)
    assert code == 1
    assert "没有结束" in text


@pytest.mark.parametrize(
    ("place", "extra", "told"),
    [
        ("{}:Blokc", (), "是不是 'Block'"),
        ("{}", (), "没有这个文件"),
        ("Block", (), "文件.py:名字"),
        ("{}:Block", ("--set", "in_channels"), "尺寸=数"),
        ("{}:Block", ("--set", "width=3"), "没有 width 这个尺寸"),
    ],
)
def test_what_the_command_cannot_read_is_said_in_a_sentence(handed, place, extra, told):
    handed = handed if "Blo" in place else f"{handed}x:Block"
    code, text = call("grade", place.format(handed), "--as", "cbam", *extra)
    assert code == 2
    assert told in text


def test_an_unknown_task_names_the_nearest():
    with pytest.raises(ValueError, match="cbam"):
        grade(object(), "cbma", framework="torch")


def test_report_survives_the_way_through_json():
    hand = next(h for f, h in WRONG if f == "torch" and h.expected)
    report = grade(hand.subject, hand.task)
    again = Report.from_plain(json.loads(json.dumps(report.plain())))
    assert str(again) == str(report)
    assert again.found == report.found


def test_every_sentence_is_chinese_and_ends_without_a_stop():
    for variant in BANK.values():
        assert re.search("[一-鿿]", variant.sentence)
        assert not variant.sentence.endswith("。")


@pytest.mark.parametrize("framework", ["torch", "paddle"])
def test_every_batch_norm_and_dropout_may_differ_between_the_modes(framework):
    """一维的批归一化、另外几种随机失活也是：照评估时的算，两种模式就一样。"""
    wing = load_wing(framework)
    nn = importlib.import_module(framework).nn
    lab = wing.module("specimen")
    norm = nn.BatchNorm1d if framework == "torch" else nn.BatchNorm1D
    module = nn.Sequential(nn.Linear(6, 6), norm(6), nn.AlphaDropout(0.5))
    assert lab.random_layers(module)
    inputs = [np.random.default_rng(0).standard_normal((5, 6)).astype("f4")]
    evaluated, _ = lab.forward(module, inputs)
    trained, _ = lab.forward(module, inputs, True, still=True)
    np.testing.assert_array_equal(trained, evaluated)
