"""会答话的图：写出各页引用的 HTML，里面静止的一幅就是浏览器画的那一幅。

用法：python -m tools.site.living [名字……]，重写 book/_templates/living_*.html。
静止的图由真的 Chromium 运行 book/_static/living/ 里的程序画出、抄下，所以没有脚本的
读者、打印与 PDF 看到的，与有脚本的读者第一眼看到的相同。权重由 tools/site/weights.py
写出。
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from playwright.sync_api import Browser

from tools.site import chrome, weights
from tools.site.hero import encoded
from tools.site.server import serving
from vision_attention import data, studies
from vision_attention.training.diagnosis import (
    BROKEN,
    FINE,
    OVERFIT,
    UNDERFIT,
    chance_bound,
    diagnose,
)

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "book" / "_static"
TEMPLATES = ROOT / "book" / "_templates"
RECORD = ROOT / "book" / "_data" / "living.json"
ASKED = {"microscope": "vit-late"}  # 一份权重就占去整页的预算
PHOTOS = ("photo-late", "photos")  # 照片：练完的网络与现成的几张，又按了一次才取
CONTROL = re.compile(r"<(button|input)\b")


def digits() -> str:
    """十个数字各一张，取测试集里每一类的第一张；一格一个字，灰度 0–16。"""
    found = data.load("digits")
    images = [found.test_images[found.test_labels == k][0, 0] for k in range(10)]
    levels = np.rint(np.stack(images) / 255 * 16).astype(int)
    return encoded(levels)


def facts(prefix: str, *also: str) -> dict[str, dict[str, float]]:
    """权重的来历里，图要说的几个数：名字去掉前缀 → 测试准确率，与 also 里的几项。"""
    known = json.loads(RECORD.read_text("utf8"))
    return {
        name.removeprefix(prefix): {
            key: value
            for key, value in one.items()
            if key.startswith("test_accuracy") or key in also
        }
        for name, one in known.items()
        if name.startswith(prefix)
    }


def size(*names: str) -> str:
    """这几份权重一共多大，写成读者看的样子。"""
    folder = STATIC / "living" / "weights"
    total = sum((folder / f"{name}.safetensors").stat().st_size for name in names)
    return f"{round(total / 1024)} KB"


def gate() -> tuple[dict[str, str], str]:
    """画一个数字，看门怎么开。"""
    note = (
        "六个窄 ResNet，就是研究“四种门与对照”里 PyTorch、种子 0 的那几次，"
        "200 张图训练，没有为这张图另挑。“换成平均”把一道门换成它在训练图上的平均，"
        "不再看输入；“去掉”是不乘它。条是逐通道的开度，方块是逐位置的开度，"
        "SimAM 逐个数开，两样都画平均。你的图不离开这一页。"
    )
    return {"digits": digits(), "facts": json.dumps(facts("gate-"))}, note


def microscope() -> tuple[dict[str, str], str]:
    """注意力显微镜。"""
    moments = {
        kind: facts(prefix, "steps")
        for kind, prefix in (("digits", "vit-"), ("photos", "photo-"))
    }
    photos = weights.PHOTO.train
    early = moments["photos"]["early"]["steps"]
    note = (
        "数字：三份权重是研究“图像从少到多”里同一次运行（PyTorch、种子 0、"
        "1,297 张图）的第 0、100、400 步。照片：CIFAR-10 的 JPEG 副本，50,000 张，"
        f"弱增强，同一次训练的第 0、{early:,}、{photos['steps']:,} 步，一粒种子，"
        f"不出自哪项研究；一份 {size('photo-late')}，换一个再取一份。"
        "每张小图是这一块在那一头的一行权重，"
        "一半深是一视同仁（数字 1/17，照片 1/65），每多一倍再深四分之一，4 倍到顶；"
        "下面第一个数是平均看多远（单位：块，数字 2×2 像素，照片 4×4），"
        "第二个数是给分类 token 的一份。你的图不离开这一页。"
    )
    given = {"digits": digits(), "facts": json.dumps(moments), "size": size(*PHOTOS)}
    return given, note


ARMS = {
    "none": "不装",
    "constant": "常数 0.25",
    "scalar": "可学的标量",
    "wider_resnet": "加宽",
    "se": "SE",
    "eca": "ECA",
    "bam": "BAM",
    "cbam": "CBAM",
    "coordinate": "坐标注意力",
    "simam": "SimAM",
    "self_attention": "自注意力",
}
CONTROLS = ("none", "constant", "scalar", "wider_resnet")
PLACE = {"backbone": "resnet", "framework": "torch"}


def deal() -> tuple[dict[str, str], str]:
    """一个种子，一个头条。"""
    found = studies.findings("which_module")
    arms = []
    for key, name in ARMS.items():
        values = found.values(module=key, **PLACE)
        listed = [values[seed] for seed in sorted(values)]
        control = key in CONTROLS
        arms.append({"key": key, "name": name, "control": control, "values": listed})
    margin = studies.open_study("which_module").study.judge.margin
    records = {"arms": arms, "seeds": len(listed), "margin": margin}
    note = (
        "每个点是一粒种子：装了减去对照，测试准确率之差；横线是 95 % 区间，"
        f"灰带是 ±{margin:g}。数是研究“七种写法与对照”的记录："
        "窄 ResNet，PyTorch，500 张数字。与不装比的七种模块是一族，一起校正；"
        "对照各自单独。"
    )
    return {"records": json.dumps(records, ensure_ascii=False)}, note


LETTERS = {UNDERFIT: "u", OVERFIT: "o", BROKEN: "b", FINE: "f"}
BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
CURVES = ("train_accuracy", "test_accuracy", "train_loss", "test_loss")


def thousandths(value: float) -> str:
    """准确率写成千分之几，两位三十六进制：50、500 张图的准确率一位不差。"""
    return "".join(BASE36[digit] for digit in divmod(round(1000 * value), 36))


def course(record: dict) -> str:
    """一次运行：每个评估点的训练、测试准确率，与只看到那里时的诊断。"""
    curves = {name: record["curves"][name] for name in CURVES}
    size, told = record["data"]["n_test"], ""
    for end in range(1, len(curves["train_loss"]) + 1):
        seen = SimpleNamespace(**{name: line[:end] for name, line in curves.items()})
        name = diagnose(seen, test_size=size).name
        ends = seen.train_accuracy[-1], seen.test_accuracy[-1]
        told += "".join(map(thousandths, ends)) + LETTERS[name]
    return told


def diagnosis() -> tuple[dict[str, str], str]:
    """哪一种病。"""
    store = studies.open_study("vit_data_size")
    done, arms = store.done(), {}
    for run in sorted(store.runs, key=lambda run: run.seed):
        if run.framework == "torch":
            names = (run.levels[key] for key in ("model", "n_train", "augment"))
            arms.setdefault(" ".join(map(str, names)), []).append(done[run.key])
    records = {
        "runs": {arm: [*map(course, found)] for arm, found in arms.items()},
        "sizes": [*store.study.factors["n_train"]],
        "steps": next(iter(done.values()))["curves"]["step"],
        "chance": chance_bound(10, 500),
    }
    note = (
        "研究“图像从少到多”的记录，PyTorch，每一种十粒种子，400 步。"
        "左边实线是训练、虚线是测试；右边是诊断的平面，一个点一粒种子，细线是选中的"
        "那一粒走过的路。诊断由程序库的 <code>diagnose</code> 给出，只看到那一步为止。"
    )
    return {"records": json.dumps(records, ensure_ascii=False)}, note


def reach() -> tuple[dict[str, str], str]:
    """谁看得见这个像素。"""
    note = (
        "点一个像素，看每一层里谁看得见它。框是结构上可能看得见的；深浅是实测的梯度，"
        "各通道之和的绝对值，颜色按对数分八档，最浅的是最大的十万分之一，没有颜色的"
        "恰好是 0。图是测试集里的第一个“0”，放大到 16×16；网络 8 个通道，没有训练，"
        "权重由种子 0 定下。"
    )
    return {"digits": digits().partition(",")[0]}, note


PICTURES: dict[str, Callable[[], tuple[dict[str, str], str]]] = {
    "gate": gate,
    "microscope": microscope,
    "deal": deal,
    "diagnosis": diagnosis,
    "reach": reach,
}


def ask(name: str) -> str:
    """网络大的，先说多大，读者按了才取。"""
    if name not in ASKED:
        return ""
    return (
        '<p class="living-tools"><button type="button" class="living-ask">'
        f"让它动起来：取 {size(ASKED[name])} 的网络</button></p>\n"
    )


def figure(name: str, stage: str = "") -> str:
    """一张图的 HTML；stage 为静止的一幅。"""
    given, note = PICTURES[name]()
    told = "".join(f' data-{key}="{escape(value)}"' for key, value in given.items())
    return (
        "<!-- 由 tools/site/living.py 写出，不要手改 -->\n"
        f'<figure class="living" data-picture="{name}"{told}>\n'
        f'{ask(name)}<div class="living-stage">{stage}</div>\n'
        f"<figcaption>{note}</figcaption>\n</figure>\n"
    )


PAGE = """<!doctype html><html lang="zh"><meta charset="utf-8">
<link rel="icon" href="data:,"><body>{figure}
<script src="_static/living.js"></script></body></html>"""


def still(browser: Browser, name: str) -> str:
    """浏览器第一眼画出来的；里面的按钮还按不动。"""
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder)
        shutil.copytree(STATIC / "living", site / "_static" / "living")
        shutil.copy(STATIC / "living.js", site / "_static")
        (site / "index.html").write_text(PAGE.format(figure=figure(name)), "utf8")
        with serving(site) as root, browser.new_page() as page:
            page.goto(root)
            for button in page.locator(".living-ask").all():
                button.click()
            page.locator("figure.living[data-state=live]").wait_for()
            drawn = page.locator(".living-stage").inner_html()
    return CONTROL.sub(r"<\1 disabled", drawn.replace(' disabled=""', ""))


def main(names: Iterable[str]) -> None:
    """重写这几张图；没有点名的都写。"""
    with chrome.launched() as browser:
        for name in names or PICTURES:
            target = TEMPLATES / f"living_{name}.html"
            target.write_text(figure(name, still(browser, name)), "utf8")


if __name__ == "__main__":
    main(sys.argv[1:])
