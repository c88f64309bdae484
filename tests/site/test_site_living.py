"""会答话的图：浏览器里算的与两个框架、与记录相等；键盘、手机、坏输入都试过。"""

import base64
import importlib
import io
import json
import re
import struct
import zlib
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import SUBPATH, opened
from PIL import Image
from probes import AXE, OVERFLOW
from safetensors import safe_open

from tools.build.workplace import ROOT, SITE
from tools.site import living, weights
from tools.site.server import Handler, serving
from vision_attention import data, interop, specs, studies
from vision_attention.attention_maps import mean_attention_distance
from vision_attention.storage.weights import read as read_weights
from vision_attention.training.diagnosis import diagnose
from vision_attention.wings import load_wing
from vision_attention.wording import signed

RULES = "axe.run('figure.living', {resultTypes: ['violations']})"
PAGES = {
    "gate": "book/cbam/index.html",
    "microscope": "book/self_attention/microscope.html",
    "deal": "index.html",
    "diagnosis": "book/vit/diagnosis.html",
    "reach": "book/self_attention/reach.html",
}
# 每张图该在的页：它教什么，就在讲那件事的页上
PROMISED = {
    "gate": ["book/cbam/index", "book/which/modules"],
    "microscope": ["book/self_attention/microscope", "book/vit/build"],
    "deal": ["index", "book/preface", "book/which/measured"],
    "diagnosis": ["book/vit/diagnosis"],
    "reach": ["book/self_attention/reach", "book/what/compare"],
}
# 这一张没有静止的一幅：不运行脚本时，下面的列表就是它
LIVE = PAGES | {"map": "book/answers/decisions.html"}
PHOTOS = "photos"  # 显微镜换成照片
SHOWN = (*LIVE, PHOTOS)
RECORD = json.loads(weights.RECORD.read_text("utf8"))
COUNT = 50  # 每个网络比这么多张图
# 载入一个网络，算完给它的每一张图
RUN = """async ([root, name, images, ...knobs]) => {
  const engine = `${root}_static/living/engine/`;
  const { load } = await import(`${engine}safetensors.js`);
  const kind = name.startsWith("gate") ? "resnet" : "vit";
  const build = (await import(`${engine}${kind}.js`))[kind];
  const run = build(await load(`${root}_static/living/weights/${name}.safetensors`));
  return images.map(image => {
    const { logits, attention = [] } = run(Float32Array.from(image), ...knobs);
    return [[...logits], attention.flatMap(l => l.flatMap(h => [...h.data]))];
  });
}"""


@pytest.fixture(scope="module")
def engine_page(browser, root):
    """一张空的页，用来叫浏览器里的那台小机器。"""
    with opened(browser) as page:
        page.goto(root + "404.html")
        yield page


@pytest.fixture(scope="module")
def engine(engine_page, root):
    """浏览器里的那台小机器：(名字, 图) → 打分与注意力。"""

    known = {}  # 两翼比的是同一次

    def run(name, images, *knobs):
        asked = name, images.tobytes(), str(knobs)
        if asked not in known:
            given = (images / 255).reshape(len(images), -1).tolist()
            found = engine_page.evaluate(RUN, [root, name, given, *knobs])
            known[asked] = [np.array(part) for part in zip(*found, strict=True)]
        return known[asked]

    return run


def same_model(name, framework):
    """同一份权重放进一翼的模型；几张图，归一化之前与之后。"""
    path = weights.FOLDER / f"{name}.safetensors"
    with safe_open(path, "numpy") as file:
        facts = json.loads(file.metadata()["facts"])
    kind = "resnet_narrow" if name.startswith("gate") else "vit_tiny"
    wing = load_wing(framework)
    model = wing.module("models").build(specs.named(kind, **facts["spec"]))
    interop.load_state(model, weights.model_part(path))
    images, labels = pictures(name)
    mean, std = (np.reshape(facts["normalize"][k], (-1, 1, 1)) for k in ("mean", "std"))
    ready = ((images / 255 - mean) / std).astype(np.float32)
    return wing, model.eval() or model, (images, ready, labels)


def pictures(name):
    """给网络的图：数字是测试集；照片是页里的十张，连同翻转、反色、平移、暗一半的。"""
    if not name.startswith("photo"):
        found = data.load("digits")
        return found.test_images, found.test_labels
    shown = read_weights(weights.FOLDER / "photos.safetensors")["photos"]
    others = (shown[..., ::-1], 255 - shown, np.roll(shown, 5, 3), shown // 2)
    return np.concatenate([shown, *others]), np.tile(np.arange(10), 5)


@pytest.mark.parametrize("framework", ["torch", "paddle"])
@pytest.mark.parametrize("name", weights.MODELS)
def test_browser_equals_the_framework(engine, name, framework):
    wing, model, (images, ready, _) = same_model(name, framework)
    images, ready = images[:COUNT], ready[:COUNT]
    assert len(images) == COUNT
    x = wing.module("device").tensor(ready, "cpu")
    logits, attention = engine(name, images)
    np.testing.assert_allclose(logits, model(x).detach().numpy(), atol=1e-3)
    if not name.startswith("gate"):
        seen = wing.module("inspect").attention(model, x)
        expected = np.stack(list(seen.values()), 1).reshape(COUNT, -1)
        np.testing.assert_allclose(attention, expected, atol=1e-3)


# 每一处的输出对每一个像素的梯度：一行一个像素
SLOPES = """async ([root, image, names]) => {
  const from = (name) => import(`${root}_static/living/engine/${name}.js`);
  const [tensor, weights, reach] = await Promise.all(
    ['tensor', 'safetensors', 'slopes'].map(from));
  const { tensors } = await weights.load(
    `${root}_static/living/weights/reach.safetensors`);
  const side = Math.sqrt(image.length), stem = tensors['stem.weight'];
  const first = { data: Float32Array.from(image), shape: [1, side, side] };
  let x = tensor.conv2d(first, stem);
  const pushes = names.map((name, i) => {
    const { value, push } = reach.layer(name, i, x, tensors);
    x = value;
    return push;
  });
  return image.map((_, place) => [...reach.slopes(pushes.reduce(
    (t, push) => push(t), reach.touched(stem, side, place)))]);
}"""
STACKS = [
    ["conv", "stride", "stride"],
    ["se"],
    ["stride", "cbam", "conv"],
    ["stride", "se", "stride", "attention"],
    ["cbam", "stride", "attention", "conv"],
]


@pytest.fixture(scope="module", params=STACKS, ids="-".join)
def pushed(request, engine_page, root):
    """几层的名字、一张图、浏览器推出来的梯度；两翼比的是同一次。"""
    image = np.kron(data.load("digits").test_images[0, 0] / 255, np.ones((2, 2)))
    given = [root, image.ravel().tolist(), request.param]
    return request.param, image, np.array(engine_page.evaluate(SLOPES, given))


@pytest.mark.parametrize("framework", ["torch", "paddle"])
def test_measured_gradient_is_the_librarys(pushed, framework):
    """浏览器推出来的梯度，与程序库的有效感受野处处相等：正中、一角、一边。"""
    names, image, slopes = pushed
    wing, model = stacked(framework, names)
    device, inspect = wing.module("device"), wing.module("inspect")
    x = device.tensor(image[None, None].astype(np.float32), "cpu")
    side = int(slopes.shape[1] ** 0.5)
    for row, column in ((side // 2, side // 2), (0, 0), (side - 1, side // 2)):
        mine = slopes[:, row * side + column].reshape(16, 16)
        library = inspect.effective_receptive_field(model, x, (row, column))
        np.testing.assert_allclose(mine / mine.max(), library, atol=1e-4)
        assert ((mine == 0) == (library == 0)).mean() > 0.99


def stacked(framework, names):
    """同样的几层，用一翼的模块搭起来，装上同一份权重。"""
    wing, width = load_wing(framework), weights.CHANNELS
    home = importlib.import_module(f"vision_attention.{framework}")
    nn = importlib.import_module(framework).nn
    conv, bias = (
        (nn.Conv2d, "bias") if framework == "torch" else (nn.Conv2D, "bias_attr")
    )
    build = {
        "conv": lambda: conv(width, width, 3, padding=1),
        "stride": lambda: conv(width, width, 3, stride=2, padding=1),
        "se": lambda: home.SqueezeExcitation(width, 2),
        "cbam": lambda: home.CBAM(width, 2),
        "attention": lambda: home.SelfAttention2d(width, gamma=1.0),
    }
    known = read_weights(weights.FOLDER / "reach.safetensors")
    stem = conv(1, width, 1, **{bias: False})
    interop.load_state(stem, {"weight": known["stem.weight"]})
    layers = [stem]
    for i, name in enumerate(names):
        start = f"{'conv' if name == 'stride' else name}.{i}."
        layer = build[name]()
        own = {k.removeprefix(start): known[k] for k in known if k.startswith(start)}
        interop.load_state(layer, own)
        layers += [layer, nn.ReLU()] if start.startswith("conv") else [layer]
    return wing, nn.Sequential(*layers)


@pytest.mark.parametrize("mode", ["mean", "off"])
@pytest.mark.parametrize("name", ["se", "eca", "cbam", "simam"])
def test_a_closed_gate_scores_what_the_record_says(engine, name, mode):
    images, _, labels = same_model(f"gate-{name}", "torch")[2]
    logits, _ = engine(f"gate-{name}", images, [mode] * 3)
    hits = (logits.argmax(1) == labels).mean()
    known = RECORD[f"gate-{name}"][f"test_accuracy_{mode}"]
    assert hits == pytest.approx(known, abs=0.002)


def test_weights_are_those_of_the_studies():
    """走到最后一步的，准确率就是研究的记录里那一次的；处理器不同，差不过两张图。"""
    for name, (study, levels, steps) in weights.MODELS.items():
        path = weights.FOLDER / f"{name}.safetensors"
        assert path.stat().st_size == RECORD[name]["bytes"] <= weights.LARGEST
        key = weights.run_of(study, levels).key
        if study is None:
            continue
        curves = next(r["curves"] for r in studies.records_of(study) if r["key"] == key)
        then = curves["test_accuracy"][curves["step"].index(steps)]
        known = RECORD[name]
        assert known["key"] == key
        assert known["test_accuracy"] == pytest.approx(then, abs=0.004)
        assert known["test_accuracy_16"] == pytest.approx(then, abs=0.004)


def test_photographs_are_of_one_recorded_run():
    """三个时刻出自写明的同一次训练，越练越准；存成 16 位，差不过千分之二。"""
    moments = [n for n, (study, *_) in weights.MODELS.items() if study is None]
    found = [RECORD[name] for name in moments]
    assert [one["steps"] for one in found] == [weights.MODELS[n][2] for n in moments]
    assert [one["run"] for one in found] == [weights.PHOTO.settings()] * 3
    assert [one["key"] for one in found] == [weights.PHOTO.key] * 3
    before, after = (
        [one[f"test_accuracy{end}"] for one in found] for end in ("", "_16")
    )
    np.testing.assert_allclose(before, after, atol=0.002)
    assert before[0] < 0.2 < before[1] < before[2]
    for name, one in zip(moments, found, strict=True):
        with safe_open(weights.FOLDER / f"{name}.safetensors", "numpy") as file:
            facts = json.loads(file.metadata()["facts"])
        assert facts["run"]["key"] == one["key"]
        assert facts["run"]["steps"] == one["steps"]


def test_distances_on_the_page_are_the_librarys():
    """“换成照片”一条里的四个数，由程序库在那十张照片上重算。"""
    found = {}
    for name in ("photo-untrained", "photo-late"):
        wing, model, (_, ready, _) = same_model(name, "torch")
        x = wing.module("device").tensor(ready[:10], "cpu")
        seen = wing.module("inspect").attention(model, x).values()
        found[name] = [mean_attention_distance(one, model.spec.grid) for one in seen]
    first, far = found["photo-late"][0], np.max(found["photo-late"])
    text = (ROOT / "book" / "self_attention" / "microscope.md").read_text("utf8")
    assert f"平均看 {first.min():.1f} 到 {first.max():.1f} 块远" in text
    assert f"没训练的是 {np.mean(found['photo-untrained']):.1f}" in text
    assert np.argmax(np.max(found["photo-late"], 1)) == 1
    assert f"第 2 层有一个头反而看得更远，{far:.1f} 块" in text


def test_interval_holm_and_verdict_are_the_books(browser, root):
    """发完十粒，每一行的差、区间、结论与书里的表同一个；不校正时只看自己的 p。"""
    found = studies.findings("which_module")
    with opened(browser) as page:
        live(page, root, "deal")
        page.get_by_role("button", name="发完").click()
        for key in living.CONTROLS:
            control = living.ARMS[key]
            page.get_by_role("button", name=control, exact=True).click()
            rows = dict(page.evaluate(ROWS))
            assert rows.keys() == set(living.ARMS.values()) - {control}
            for arm, name in living.ARMS.items():
                if arm != key:
                    place = living.PLACE
                    judged = found.judged(
                        {"module": arm, **place}, {"module": key, **place}
                    )
                    assert rows[name] == row(judged)


ROWS = """[...document.querySelectorAll('.living-arm')].map(line =>
  [line.querySelector('b').textContent,
   line.querySelector('.living-verdict').textContent])"""


def row(judged):
    """一行该写的字：差、区间、结论。"""
    found, word = judged.difference, judged.verdict.replace("δ", "0.01")
    mean, low, high = map(signed, (found.mean, found.low, found.high))
    return f"{mean}（{low}…{high}） {word}"


def test_holm_changes_a_verdict(browser, root):
    """CBAM：十粒发完，不校正是提高，校正是说不准。"""
    with opened(browser, width=390) as page:
        live(page, root, "deal")
        page.get_by_role("button", name="发完").click()
        assert dict(page.evaluate(ROWS))["CBAM"].endswith("说不准")
        page.get_by_role("button", name="Holm 校正").click()
        assert dict(page.evaluate(ROWS))["CBAM"].endswith("提高")
        assert "结论不同的是 CBAM。" in page.locator(".living-say").inner_text()


def test_diagnosis_says_what_the_records_say(browser, root):
    """照记录重算：终点的两个准确率、诊断、十粒里各几粒；一步步退回去也是。"""
    store = studies.open_study("vit_data_size")
    levels = {"model": "vit_tiny", "n_train": 1297, "augment": "weak"}
    runs = [r for r in store.runs if r.levels == {**levels, "framework": "torch"}]
    found = {run.seed: store.done()[run.key] for run in runs}
    told = Counter(diagnosed(record, 9).name for record in found.values())
    with opened(browser, width=390) as page:
        figure = live(page, root, "diagnosis")
        for name in ("弱增强", "1,297 张", "7"):
            figure.get_by_role("button", name=name, exact=True).click()
        curves = found[7]["curves"]
        for end in (9, 3):
            figure.get_by_role("slider").fill(str(end - 1))
            words = said(figure)
            one = diagnosed(found[7], end)
            train, test = (curves[f"{s}_accuracy"][end - 1] for s in ("train", "test"))
            assert f"第 {curves['step'][end - 1]} 步" in words
            assert f"训练 {train:.2f}，测试 {test:.2f}" in words
            assert f"：{one.name}。" in words
            if end == 9:
                assert all(f"{kind} {n} 粒" in words for kind, n in told.items())


def diagnosed(record, end):
    """只看到第 end 个评估点的诊断。"""
    lines = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
    curves = {name: record["curves"][name][:end] for name in lines}
    return diagnose(SimpleNamespace(**curves), test_size=record["data"]["n_test"])


def live(page, root, name):
    """打开一页，等图醒来。"""
    name, photos = ("microscope", True) if name == PHOTOS else (name, False)
    page.goto(root + LIVE[name])
    page.locator(f"[data-picture={name}]").scroll_into_view_if_needed()
    for button in page.locator(".living-ask").all():
        button.click()
    page.locator(f"[data-picture={name}][data-state=live]").wait_for()
    figure = page.locator(f"[data-picture={name}]")
    if photos:
        figure.get_by_role("button", name="照片").click()
        figure.get_by_role("group", name="现成的照片").wait_for()
    return figure


SKELETON = re.compile(r"-?\d+(?:\.\d+)?")


@pytest.mark.parametrize("name", PROMISED)
def test_each_picture_stands_where_it_teaches(name):
    for page in PROMISED[name]:
        text = (SITE / f"{page}.html").read_text("utf8")
        assert f'data-picture="{name}"' in text, page


@pytest.mark.parametrize("name", PAGES)
def test_still_picture_is_what_the_browser_draws(browser, name):
    """盘上的那一幅与此刻画的同字同形；数只许差末位。"""
    target = living.TEMPLATES / f"living_{name}.html"
    old = target.read_text("utf8")
    new = living.figure(name, living.still(browser, name))
    assert SKELETON.sub("#", old) == SKELETON.sub("#", new)
    pairs = [[float(n) for n in SKELETON.findall(text)] for text in (old, new)]
    np.testing.assert_allclose(*pairs, atol=0.11)


# 每张图窄的暗、宽的亮各一次；反过来的两样，make matrix 才看
LOOKS = [
    pytest.param(390, "dark"),
    pytest.param(1440, "light"),
    pytest.param(390, "light", marks=pytest.mark.matrix),
    pytest.param(1440, "dark", marks=pytest.mark.matrix),
]


@pytest.mark.parametrize(("width", "mode"), LOOKS)
@pytest.mark.parametrize("name", SHOWN)
def test_picture_fits_is_silent_and_accessible(browser, root, name, width, mode):
    with opened(browser, mode, width=width) as page:
        live(page, root, name)
        assert page.evaluate(OVERFLOW) == 0
        page.evaluate(AXE)
        assert page.evaluate(RULES)["violations"] == []
        assert page.seen["errors"] == page.seen["missing"] == []
        assert all(url.startswith(root) for url in page.seen["requests"])
        assert page.evaluate("window.shifts") < 0.02


# 慢手机：Chromium 节流到四分之一，一次更新至多 50 毫秒。机器忙的时候钟不准，所以数
# 这一页自己用掉的处理器时间，与同一页上的乘加相比。安静的时候（AMD EPYC，负载 0.5）
# 一百万次乘加 0.85 毫秒，几次 0.85–0.87，忙的时候也是；节流之后四倍，50 毫秒就是 14.7
# 百万次。静的时候量到：照片 11.1–12.0，也就是 41 毫秒；谁看得见这个像素 8.3–9.3，别的
# 不到 8.2
MILLION, QUICK = 4 * 0.85, 50
# 图 → 先按什么（挑最重的一种），再量哪几下；Arrow 开头的是键
UPDATES = {
    "gate": (["CBAM", "去掉"], ["7", "3"]),
    "microscope": ([], ["7", "3"]),
    "photos": ([], ["马", "猫"]),
    "deal": (["发完"], ["加宽", "不装", "Holm 校正"]),
    "diagnosis": (["1,297 张"], ["7", "3", "弱增强"]),
    "map": ([], ["照片", "用哪种", "都想问"]),
    "reach": (
        [*["去掉最后一层"] * 3, "＋ 自注意力", *["＋ CBAM"] * 6],
        ["ArrowLeft", "ArrowRight"],
    ),
}
ACT = """([name, acts, times]) => {
  const picture = name === 'photos' ? 'microscope' : name;
  const figure = document.querySelector(`[data-picture=${picture}]`);
  const press = (words) => /^Arrow/.test(words)
    ? figure.querySelector('.living-pad').dispatchEvent(
      new KeyboardEvent('keydown', { key: words, bubbles: true }))
    : [...figure.querySelectorAll('button')]
      .find(b => (b.textContent.trim() || b.firstChild?.alt) === words).click();
  for (let n = 0; n < times; n += 1) {
    for (const words of acts) {
      press(words);
      figure.getBoundingClientRect(); // 连同排版
    }
  }
}"""
SUMS = """(millions) => {
  const [x, y] = [1, 2].map(k => Float32Array.from({ length: 1000 }, (_, i) => k * i));
  let sum = 0;
  for (let n = 0; n < 1000 * millions; n += 1)
    for (let i = 0; i < 1000; i += 1) sum += x[i] * y[i];
  return sum;
}"""


def busy(phone, work):
    """做这件事，这一页用掉多少处理器时间。"""
    key = "TaskDuration"
    times = []
    for act in (lambda: None, work):
        act()
        found = phone.send("Performance.getMetrics")["metrics"]
        times.append(next(one["value"] for one in found if one["name"] == key))
    return times[1] - times[0]


@pytest.mark.parametrize("name", SHOWN)
def test_an_update_is_quick_on_a_slow_phone(browser, root, name):
    with opened(browser, width=390) as page:
        live(page, root, name)
        phone = page.context.new_cdp_session(page)
        phone.send("Performance.enable", {"timeDomain": "threadTicks"})
        first, acts = UPDATES[name]
        page.evaluate(ACT, [name, first, 1])
        page.evaluate(ACT, [name, acts, 3])  # 热身：浏览器编译好了再量
        page.evaluate(SUMS, 3)
        updates, sums = [], []
        for _ in range(8):  # 别的程序只会让它们变大：各取最小的一次，再比
            updates.append(busy(phone, lambda: page.evaluate(ACT, [name, acts, 5])))
            sums.append(busy(phone, lambda: page.evaluate(SUMS, 20)))
        update, million = min(updates) / len(acts) / 5, min(sums) / 20
        assert update / million * MILLION <= QUICK


@pytest.mark.parametrize("name", PAGES)
def test_without_scripts_the_still_picture_stands(browser, root, name):
    with opened(browser, java_script_enabled=False, width=390) as page:
        page.goto(root + PAGES[name])
        figure = page.locator(f"[data-picture={name}]")
        assert figure.locator("svg path, svg rect, svg circle").count() >= 20
        assert figure.locator(".living-say").inner_text()
        assert not figure.locator("button:visible, input:visible").count()


def said(figure):
    """念给读屏的那句话。"""
    return figure.locator(".living-say[role=status]").inner_text()


def test_gate_answers_keyboard_and_switches(browser, root):
    with opened(browser, width=390) as page:
        figure = live(page, root, "gate")
        before = said(figure)
        figure.get_by_role("button", name="SE", exact=True).click()
        page.wait_for_function(
            "document.querySelector('.living-say').textContent.startsWith('SE')"
        )
        figure.get_by_role("group", name="第 1 道门").get_by_text("去掉").click()
        assert "照常时是" in said(figure) != before
        pad = figure.get_by_role("application")
        figure.get_by_role("button", name="擦净").click()
        blank = said(figure)
        pad.focus()
        for key in ("ArrowUp", "ArrowRight", "Space"):
            page.keyboard.press(key)
        assert said(figure) != blank
        assert page.evaluate(TOUCH) == "pan-y"


TOUCH = "getComputedStyle(document.querySelector('.living-pad')).touchAction"


def test_finger_draws_only_when_asked(browser, root):
    with opened(browser, width=390, has_touch=True, is_mobile=True) as page:
        figure = live(page, root, "gate")
        assert page.evaluate(TOUCH) == "pan-y"
        pad = figure.locator(".living-pad")
        before = pad.inner_html()
        # 落下又被浏览器拿去滚页面：不留一点墨；点一下才有
        pad.dispatch_event("pointerdown", {"pointerType": "touch", "pointerId": 7})
        pad.dispatch_event("pointercancel", {"pointerType": "touch", "pointerId": 7})
        assert pad.inner_html() == before
        pad.tap(position={"x": 8, "y": 100})
        assert pad.inner_html() != before
        figure.get_by_role("button", name="用手指画").click()
        assert page.evaluate(TOUCH) == "none"


def test_microscope_answers(browser, root):
    with opened(browser, width=1440) as page:
        figure = live(page, root, "microscope")
        told = [said(figure)]
        figure.locator(".living-pad").click(position={"x": 5, "y": 5})
        told.append(said(figure))
        assert "第 1 行第 1 列那一块" in told[-1]
        figure.get_by_role("slider").fill("4")
        told.append(said(figure))
        assert "动了旋钮" in told[-1]
        figure.get_by_role("button", name="只看自己").click()
        told.append(said(figure))
        assert "平均 0.0 块" in told[-1]
        figure.get_by_role("button", name="打乱位置").click()
        figure.get_by_role("button", name="看分类 token 的一行").click()
        told.append(said(figure))
        assert "分类 token：最看重" in told[-1]
        assert len(set(told)) == len(told)


def press(figure, *names):
    """依次按几个按钮。"""
    for name in names:
        figure.get_by_role("button", name=name, exact=True).click()


def test_field_is_the_one_worked_out_on_the_page(browser, root):
    """图说的 9×9、0.316、25×25、四分之一，就是正文手算的、运行出来的那几个数。"""
    with opened(browser, width=390) as page:
        figure = live(page, root, "reach")
        text = page.locator("article").inner_text()
        sums = page.locator("annotation").all_text_contents()
        assert all(any(re.search(rf"= {n}\b", one) for one in sums) for n in (9, 25))
        assert "9×9 个像素，占全图的 0.316。" in said(figure)
        assert "占全图的 0.316；" in text
        figure.get_by_role("application").focus()
        for _ in range(8):
            page.keyboard.press("ArrowUp")
            page.keyboard.press("ArrowLeft")
        assert "第 1 行第 1 列" in said(figure)
        share = re.search(r"有 \d+ 处，占 (\d\.\d+)；", said(figure))[1]
        assert f"只有 {share} 的位置察觉左上角变了" in text
        press(figure, "窄 ResNet 那样的七层")
        assert "25×25，已经盖住全图" in said(figure)
        press(figure, "一层卷积")
        figure.get_by_role("application").press("ArrowRight")
        figure.get_by_role("application").press("ArrowDown")
        changed = dict(re.findall(r"(\S+)：变了 (\d+) 处", text))  # 被改的一处不算
        assert f"梯度不是 0 的有 {int(changed['卷积']) + 1} 处" in said(figure)
        press(figure, "一层自注意力")
        assert "梯度不是 0 的有 256 处" in said(figure)
        assert int(changed["自注意力"]) + 1 == 1024


@pytest.mark.parametrize("width", [390, 1440])
def test_layers_are_added_and_taken_away(browser, root, width):
    """比一比那一页上的同一张图：一道 SE 听不见空白；至多七层，自注意力至多一层。"""
    blank = (np.kron(data.load("digits").test_images[0, 0], np.ones((2, 2))) == 0).sum()
    with opened(browser, width=width, has_touch=True) as page:
        page.goto(root + "book/what/compare.html")
        figure = page.locator("[data-picture=reach]")
        figure.scroll_into_view_if_needed()
        page.locator("[data-picture=reach][data-state=live]").wait_for()
        press(figure, "一道 SE")
        board = figure.get_by_role("application")
        assert board.evaluate("b => getComputedStyle(b).touchAction") == "pan-y"
        side = board.bounding_box()["width"]
        board.tap(position={"x": 0.28 * side, "y": 0.53 * side})
        assert "第 9 行第 5 列" in said(figure)
        assert f"另外 {blank} 处是空白" in said(figure)
        press(figure, "＋ 自注意力")
        assert figure.get_by_role("button", name="＋ 自注意力").is_disabled()
        press(figure, *["＋ 3×3，步长 2", "＋ CBAM", "＋ 3×3 卷积", "＋ SE", "＋ CBAM"])
        assert figure.locator(".living-sheet").count() == 7
        assert figure.get_by_role("button", name="＋ SE").is_disabled()
        assert said(figure).startswith("7 层，正中的一处至多看得见全图。")
        press(figure, *["去掉最后一层"] * 7)
        assert said(figure).startswith("还没有层")
        assert page.evaluate(OVERFLOW) == 0


def kilobytes(*names):
    """这几份权重一共多少 KB，四舍五入。"""
    paths = (weights.FOLDER / f"{name}.safetensors" for name in names)
    return round(sum(path.stat().st_size for path in paths) / 1024)


def fetched(page):
    """取过哪几份权重。"""
    urls = [u for u in page.seen["requests"] if "/weights/" in u]
    return [re.search(r"weights/(.+)\.safetensors", url)[1] for url in urls]


def test_photographs_are_asked_for(browser, root):
    """说了多大，按了才取，至多 1 MB；别的时刻再按再取；回到数字，数字还是原来的。"""
    size = kilobytes("photo-late", "photos")
    with opened(browser, width=390) as page:
        figure = live(page, root, "microscope")
        before = said(figure)
        assert fetched(page) == ["vit-late"]
        figure.get_by_role("button", name=f"照片（再取 {size} KB）").click()
        figure.get_by_role("group", name="现成的照片").wait_for()
        assert sorted(fetched(page)) == ["photo-late", "photos", "vit-late"]
        assert size <= 1024
        assert f"一份 {kilobytes('photo-early')} KB" in figure.inner_text()
        assert page.evaluate("document.activeElement.textContent").startswith("照片")
        known = RECORD["photo-late"]["test_accuracy_16"]
        told = f"10,000 张测试照片上对 {known:.3f}"
        assert told in said(figure)
        assert (
            told
            in page.locator("article section", has_text="没有看到的").last.inner_text()
        )
        figure.get_by_role("button", name="第 500 步").click()
        figure.get_by_text("第 500 步的网络说是").wait_for()
        assert fetched(page)[3:] == ["photo-early"]
        figure.get_by_role("button", name="手写数字").click()
        assert said(figure) == before


def test_photograph_answers(browser, root):
    with opened(browser, width=390, has_touch=True) as page:
        figure = live(page, root, PHOTOS)
        told = [said(figure)]
        assert "第 4 行第 4 列那一块" in told[0]
        assert "标签是“猫”" in told[0]
        board = figure.get_by_role("application")
        assert page.evaluate(TOUCH) == "pan-y"
        board.focus()
        for key in ("ArrowUp", "ArrowRight", "ArrowRight"):
            page.keyboard.press(key)
        told.append(said(figure))
        assert "第 3 行第 6 列那一块" in told[-1]
        board.tap(position={"x": 3, "y": 3})
        assert "第 1 行第 1 列那一块" in said(figure)
        press(figure, "马")
        told.append(said(figure))
        assert "标签是“马”" in told[-1]
        press(figure, "只看自己")
        assert "平均 0.0 块" in said(figure)
        press(figure, "打乱位置", "看分类 token 的一行")
        told.append(said(figure))
        assert "分类 token：最看重" in told[-1]
        assert "动了旋钮" in told[-1]
        assert len(set(told)) == len(told)


BITMAP = "document.querySelector('image.living-photo').getAttribute('href')"


def test_own_photograph_is_cropped_and_stays(browser, root):
    """取正中的方块，缩到 32×32；不发一个请求。"""
    rows, columns = np.mgrid[:160, :400]
    mine = np.stack([columns % 251, rows, 255 - rows], -1).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(mine).save(stream, "PNG")
    square = mine[:, 120:280].reshape(32, 5, 32, 5, 3).mean((1, 3))
    with opened(browser) as page:
        figure = live(page, root, PHOTOS)
        asked, before = len(page.seen["requests"]), page.evaluate(BITMAP)
        given = {"name": "a.png", "mimeType": "image/png", "buffer": stream.getvalue()}
        figure.locator("input[type=file]").set_input_files(given)
        page.wait_for_function(f"before => {BITMAP} !== before", arg=before)
        drawn = base64.b64decode(page.evaluate(BITMAP).split(",")[1])
        found = np.asarray(Image.open(io.BytesIO(drawn)), float)
        assert np.abs(found - square)[1:-1, 1:-1].max() <= 6
        assert "标签是" not in said(figure)
        sent = page.seen["requests"][asked:]
        assert all(url.startswith(("data:", "blob:")) for url in sent)


@pytest.mark.parametrize(
    ("lost", "how"),
    [
        ("photo-late", "missing"),
        ("photos", "torn"),
        pytest.param("photo-late", "torn", marks=pytest.mark.matrix),
        pytest.param("photos", "missing", marks=pytest.mark.matrix),
    ],
)
def test_photographs_that_do_not_come_leave_the_digits(browser, root, lost, how):
    whole = (weights.FOLDER / f"{lost}.safetensors").read_bytes()
    bad = {"missing": {"status": 404, "body": ""}, "torn": {"body": whole[:9999]}}
    with opened(browser, width=390) as page:
        figure = live(page, root, "microscope")
        before = said(figure)
        page.route(f"**/{lost}.safetensors", lambda r: r.fulfill(**bad[how]))
        figure.get_by_role("button", name="照片").click()
        figure.get_by_text("可以再按一次").wait_for()
        assert "权重" in figure.locator(".living-trouble", has_text="再按").inner_text()
        assert said(figure) == before
        press(figure, "7")
        assert said(figure) != before
        page.unroute(f"**/{lost}.safetensors")
        figure.get_by_role("button", name="照片").click()
        figure.get_by_role("group", name="现成的照片").wait_for()
        assert not figure.get_by_text("可以再按一次").count()


DROP = """(node, [name, text]) => {
  const given = new DataTransfer();
  if (name) given.items.add(new File([text], name));
  return ['dragover', 'drop'].every(kind => !node.dispatchEvent(
    new DragEvent(kind, { dataTransfer: given, bubbles: true, cancelable: true })));
}"""


@pytest.mark.parametrize("name", ["microscope", "gate", PHOTOS])
def test_what_is_dropped_on_a_picture_gets_a_sentence(browser, root, name):
    with opened(browser, width=390) as page:
        figure = live(page, root, name)
        before = said(figure)
        board = figure.locator(".living-board")
        for given, words in ((["a.txt", "字"], "不是图片"), (["", ""], "不是文件")):
            board.evaluate(DROP, given)
            figure.get_by_text(words).wait_for()
        assert said(figure) == before
        figure.locator(".living-board button").nth(1).click()
        assert page.seen["errors"] == []
        # 没有拖准画板：浏览器也不离开这一页
        assert figure.locator("figcaption").evaluate(DROP, ["a.txt", "字"])
        figure.get_by_text("不是图片").wait_for()


def png(width, height):
    """一张 PNG 的开头：写着这么宽、这么高，后面是空的。"""
    body = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    head = struct.pack(">I", 13) + b"IHDR" + body
    return b"\x89PNG\r\n\x1a\n" + head + struct.pack(">I", zlib.crc32(b"IHDR" + body))


def bmp(width, height):
    """一张写着这么宽、这么高的 BMP：压缩过，全是底色，只有 64 字节。"""
    head = struct.pack("<2sIHHI", b"BM", 64, 0, 0, 62)
    how = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, 2, 0, 0, 2, 0)
    return head + how + bytes(8) + b"\0\1"


BAD = {
    "text": ("notes.txt", b"not a picture", "不是图片"),
    "huge": ("huge.png", png(10_000, 5_000), "50 百万像素"),
    "other": ("huge.bmp", bmp(10_000, 5_000), "50 百万像素"),
    "torn": ("torn.png", png(8, 8), "不是图片"),
}


@pytest.mark.parametrize(
    ("kind", "where"),
    [
        *[(kind, "gate") for kind in BAD],
        ("torn", PHOTOS),
        *[pytest.param(k, PHOTOS, marks=pytest.mark.matrix) for k in ("text", "huge")],
    ],
)
def test_a_bad_picture_gets_a_sentence(browser, root, kind, where):
    name, body, words = BAD[kind]
    with opened(browser) as page:
        figure = live(page, root, where)
        given = {"name": name, "mimeType": "image/png", "buffer": body}
        figure.locator("input[type=file]").set_input_files(given)
        figure.get_by_text(words).wait_for()
        press(figure, "7" if where == "gate" else "马")
        assert "网络说是" in said(figure)
        assert page.seen["errors"] == []


# 选好了，先不告诉图
LATE = """addEventListener('change',
  event => { if (window.late) event.stopPropagation(); }, true)"""


@pytest.mark.parametrize("where", ["gate", PHOTOS])
def test_a_file_that_is_gone_gets_a_sentence(browser, root, tmp_path, where):
    """选好之后挪走了：浏览器的话是英文，图说中文；同一个文件再选一次也算。"""
    path = tmp_path / "gone.png"
    Image.new("RGB", (40, 40), "red").save(path)
    with opened(browser) as page:
        figure = live(page, root, where)
        chosen = figure.locator("input[type=file]")
        page.evaluate(LATE)
        page.evaluate("window.late = true")
        chosen.set_input_files(path)
        path.unlink()
        page.evaluate("window.late = false")
        chosen.dispatch_event("change")
        figure.get_by_text("这个文件读不到").wait_for()
        assert chosen.evaluate("input => input.files.length") == 0
        press(figure, "7" if where == "gate" else "马")
        assert "网络说是" in said(figure)


@pytest.mark.parametrize("where", ["gate", PHOTOS])
def test_forbidden_canvas_gets_a_sentence(browser, root, where):
    with opened(browser) as page:
        page.add_init_script(
            "HTMLCanvasElement.prototype.getContext = () => null;"
            "Object.defineProperty(window, 'localStorage',"
            " { get() { throw new Error('no'); } });"
        )
        figure = live(page, root, where)
        picture = living.STATIC / "screenshot.png"
        figure.locator("input[type=file]").set_input_files(picture)
        figure.get_by_text("浏览器不许").wait_for()
        assert "网络说是" in said(figure)


def test_own_picture_is_read(browser, root):
    with opened(browser) as page:
        figure = live(page, root, "gate")
        before = said(figure)
        picture = living.STATIC / "screenshot.png"
        figure.locator("input[type=file]").set_input_files(picture)
        page.wait_for_function(
            "before => document.querySelector('.living-say').textContent !== before",
            arg=before,
        )
        assert figure.locator(".living-trouble").inner_text() == ""


@pytest.mark.parametrize("how", ["missing", "torn", "page", "offline"])
def test_weights_that_do_not_come_get_a_sentence(browser, root, how):
    whole = (weights.FOLDER / "gate-se.safetensors").read_bytes()
    answers = {
        "missing": {"status": 404, "body": ""},
        "torn": {"body": whole[: len(whole) // 2]},
        "page": {"body": b"<html>" + b"x" * 99},
    }
    with opened(browser) as page:
        figure = live(page, root, "gate")
        page.route(
            "**/gate-se.safetensors",
            lambda route: (
                route.fulfill(**answers[how]) if how in answers else route.abort()
            ),
        )
        figure.get_by_role("button", name="SE", exact=True).click()
        trouble = figure.locator(".living-trouble")
        trouble.get_by_text("可以再按一次").wait_for()
        assert "权重" in trouble.inner_text()
        assert said(figure).startswith("CBAM")
        page.unroute("**/gate-se.safetensors")
        figure.get_by_role("button", name="SE", exact=True).click()
        page.wait_for_function(
            "document.querySelector('.living-say').textContent.startsWith('SE')"
        )
        assert trouble.inner_text() == ""


class Cut(Handler):
    """网断在半路：说好了多大，只到了一半。"""

    def answer(self, status, path):
        if path.name != "gate-se.safetensors":
            return super().answer(status, path)
        body = path.read_bytes()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])
        self.close_connection = True


def test_weights_cut_halfway_get_a_sentence(browser, book):
    with serving(book, SUBPATH, Cut) as root, opened(browser) as page:
        figure = live(page, root, "gate")
        figure.get_by_role("button", name="SE", exact=True).click()
        trouble = figure.locator(".living-trouble")
        trouble.get_by_text("可以再按一次").wait_for()
        assert trouble.inner_text().startswith("权重没有取到")
        assert said(figure).startswith("CBAM")


# 每道门画着的：逐通道的条（高 40 是 1）、逐位置的格（最浅 0.06）
DRAWN = """[...document.querySelectorAll('.living-gate')].map(gate => {
  const read = (part, value) => [...gate.querySelectorAll(`${part} rect`)].map(value);
  return [read('.living-bars', bar => bar.getAttribute('height') / 40),
    read('.living-heat', cell => (cell.getAttribute('fill-opacity') - 0.06) / 0.94)];
})"""
BUTTONS = {name: name.upper() for name in ("se", "eca", "cbam")}
BUTTONS |= {"simam": "SimAM", "constant": "常数"}
BEGINS = "word => document.querySelector('.living-say').textContent.startsWith(word)"


@pytest.mark.parametrize("framework", ["torch", "paddle"])
@pytest.mark.parametrize("name", BUTTONS)
def test_gate_is_drawn_as_the_library_opens_it(browser, root, name, framework):
    """条与格相乘就是程序库的门；SimAM 与常数不分通道与位置，条与格各是它的平均。"""
    with opened(browser) as page:
        figure = live(page, root, "gate")
        press(figure, BUTTONS[name])
        page.wait_for_function(BEGINS, arg=BUTTONS[name])
        drawn = page.evaluate(DRAWN)
    for pair, gate in zip(drawn, opening(name, framework), strict=True):
        bars, cells = map(np.array, pair)
        side = round(len(cells) ** 0.5)
        whole = np.broadcast_to(gate, (len(bars), side, side))
        if name in ("simam", "constant"):
            np.testing.assert_allclose(bars, whole.mean((1, 2)), atol=0.0013)
            np.testing.assert_allclose(cells, whole.mean(0).ravel(), atol=0.0054)
        else:
            seen = np.multiply.outer(bars, cells).reshape(whole.shape)
            np.testing.assert_allclose(seen, whole, atol=0.0067)


def opening(name, framework):
    """程序库说三道门各开多少，给它的是图一打开时的“3”。"""
    wing, model, (_, ready, labels) = same_model(f"gate-{name}", framework)
    first = int(np.argmax(labels == 3))
    x = wing.module("device").tensor(ready[first : first + 1], "cpu")
    return [gate[0] for gate in wing.module("inspect").gates(model, x).values()]


def test_the_last_press_wins(browser, root):
    """先按的那份权重晚到：图还是后按的那种门。"""
    with opened(browser) as page:
        figure = live(page, root, "gate")
        late = {}
        page.route("**/gate-se.safetensors", lambda route: late.update(se=route))
        for name in ("SE", "ECA"):
            figure.get_by_role("button", name=name, exact=True).click()
        told = "document.querySelector('.living-say').textContent"
        page.wait_for_function(f"{told}.startsWith('ECA')")
        with page.expect_response("**/gate-se.safetensors"):
            late["se"].continue_()
        figure.get_by_role("button", name="7", exact=True).click()
        assert said(figure).startswith("ECA")


def test_a_large_network_is_asked_for(browser, root):
    """没有按之前不取网络；取不到可以再按；取来之后键盘还在图里。"""
    with opened(browser) as page:
        page.route("**/vit-late.safetensors", lambda route: route.abort())
        page.goto(root + PAGES["microscope"])
        figure = page.locator("[data-picture=microscope]")
        figure.scroll_into_view_if_needed()
        assert not [u for u in page.seen["requests"] if "living/" in u]
        figure.get_by_role("button", name="取 271 KB").click()
        figure.get_by_text("权重没有取到").wait_for()
        page.unroute("**/vit-late.safetensors")
        figure.get_by_role("button", name="取 271 KB").click()
        page.locator("[data-picture=microscope][data-state=live]").wait_for()
        assert figure.locator(".living-lost").count() == 0
        inside = "document.activeElement.closest('.living-stage') !== null"
        assert page.evaluate(inside)


@pytest.mark.parametrize("lost", ["gate.js", "weights/gate-cbam.safetensors"])
def test_what_does_not_come_leaves_the_still_picture(browser, root, lost):
    with opened(browser) as page:
        page.route(f"**/living/{lost}", lambda route: route.abort())
        page.goto(root + PAGES["gate"])
        figure = page.locator("[data-picture=gate]")
        figure.scroll_into_view_if_needed()
        figure.get_by_text("先看静止的一幅").wait_for()
        assert figure.locator("svg").first.is_visible()


def chosen(figure, group, name):
    """在一组里按一个。"""
    figure.get_by_role("group", name=group).get_by_role("button", name=name).click()


def test_the_map_lists_what_was_measured_in_my_case(browser, root):
    """移动端、五百张、问用哪种：列出的做法恰是那一个条件的箭头，与下面的列表同数。"""
    with opened(browser, width=390) as page:
        figure = live(page, root, "map")
        chosen(figure, "想问", "用哪种")
        chosen(figure, "你的网络", "移动端的")
        chosen(figure, "训练用几张", "五百张上下")
        assert said(figure).startswith("你的处境测过。")
        found = figure.locator(".living-advice li > b").all_text_contents()
        box = page.locator(".decision > li", has_text="移动端骨架")
        arrows = box.locator(":scope > ul > li")
        assert len(found) == arrows.count() == 11
        for told in found:
            mark, do = told.split("\u3000")
            line = arrows.filter(has_text=re.compile(f"^{re.escape(do)}\\s")).first
            assert mark in line.text_content()
        first = figure.get_by_role("link", name="讲它的一页").first
        assert first.get_attribute("href").endswith("book/which/measured.html")


def test_the_map_says_where_it_is_blind(browser, root):
    with opened(browser) as page:
        figure = live(page, root, "map")
        chosen(figure, "你的图", "照片")
        assert said(figure).startswith(
            "你的处境没有测过。最近的一处：图是字、图标那样的小图"
        )
        figure.get_by_role("group", name="训练用几张").get_by_text("五千张以上").focus()
        page.keyboard.press("Enter")
        assert re.search(r"200 张图|100 张图|500 张图|1,297 张图", said(figure))
        assert figure.locator(".living-advice li").count() > 0
