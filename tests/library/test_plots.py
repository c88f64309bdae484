"""画图：中文不缺字，文字是真文字，两种页面上都读得出，画两遍一字不差。"""

import functools
import io
import itertools
import re
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ElementTree
from base64 import b64decode
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from fontTools.ttLib import TTFont
from matplotlib import font_manager
from matplotlib.textpath import TextPath

from vision_attention import plots
from vision_attention.plots import font

SVG = "{http://www.w3.org/2000/svg}"
PAGES = {"浅色": "#ffffff", "深色": "#121212", "主题的深色": "#14181e"}


def history(seed, top=0.7):
    rng = np.random.default_rng(seed)
    step = list(range(0, 110, 10))
    rising = np.linspace(0.1, top, len(step)) + rng.normal(0, 0.01, len(step))
    return SimpleNamespace(
        step=step,
        train_accuracy=list(np.linspace(0.1, 1, len(step))),
        test_accuracy=list(rising),
        train_loss=list(np.linspace(2.3, 0, len(step))),
        test_loss=list(np.linspace(2.3, 1.2, len(step))),
    )


def rows(n, seed=0):
    weights = np.random.default_rng(seed).random((n, n))
    return weights / weights.sum(1, keepdims=True)


IMAGES = np.random.default_rng(0).random((5, 7, 13))
SAMPLES = {
    "学习曲线": lambda: plots.learning_curves(
        {"ViT": [history(0), history(1)], "小型 CNN": [history(2, 0.95)]}
    ),
    "损失": lambda: plots.learning_curves({"ViT": history(0)}, metric="loss"),
    "数据量": lambda: plots.accuracy_by_data_size(
        {"ViT": {50: [0.5, 0.6, 0.55], 1297: [0.9, 0.91, 0.93]}, "CNN": {50: [0.8]}}
    ),
    "横条": lambda: plots.bar_with_values(
        ["SE", "注意力"], [1234, 56], xlabel="参数量"
    ),
    "成对差值": lambda: plots.paired_differences(
        ["CBAM", "随机门控"],
        [[0.01, 0.02, 0.03], [-0.02, 0.01, -0.03]],
        verdicts=["成立", "看不出差别"],
    ),
    "两种量法": lambda: plots.matched(
        {"准确率": ([0.01, -0.02], [0.012, -0.018]), "时间": ([1.1, 2.5], [1.2, 2.9])},
        xlabel="PyTorch",
        ylabel="PaddlePaddle",
    ),
    "成排图像": lambda: plots.image_grid(IMAGES, list("一二三四五")),
    "热力图": lambda: plots.heatmap(IMAGES[None, :1], title="空间注意力"),
    "宽热力图": lambda: plots.heatmap(np.random.default_rng(1).random((10, 64))),
    "叠加": lambda: plots.overlay(IMAGES[0], IMAGES[1, :4, :4]),
    "几条曲线": lambda: plots.lines(
        {
            "少": {
                "甲": ([1, 2, 4], [3, 2, 1]),
                "乙": ([1, 2, 4], [[1, 2, 3], [2, 3, 4]]),
            }
        },
        xlabel="步数",
        ylabel="损失",
        log="x",
        ticks=[1, 2, 4],
        levels=[2],
    ),
    "带子": lambda: plots.lines(
        {"": {"甲": ([1, 2], [[0, 1], [1, 2], [2, 3]])}},
        xlabel="宽",
        ylabel="分数",
        bands=True,
    ),
    "成排的点": lambda: plots.dots(
        {
            "没有训练": {"SE": [0.1, 0.2]},
            "训练之后": {"SE": {"前": [0.1], "后": [0.3]}},
        },
        levels=[0.5],
    ),
    "接起来的横条": lambda: plots.stacked(
        {"少": {"SE": [0.1, 0.2]}, "多": {"SE": [0.3, 0.0]}},
        ["没学会", "没带过去"],
        xlabel="错误率",
    ),
    "注意力矩阵": lambda: plots.attention_matrix(
        rows(3), list("猫坐垫"), list("猫坐垫")
    ),
}


OLD = "matplotlib|pyparsing"


@pytest.fixture(autouse=True)
def style():
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("error")
        # 最低的 Matplotlib 配最新的 pyparsing：它自己用着要淘汰的名字
        warnings.filterwarnings("ignore", "", DeprecationWarning, OLD)
        plots.use_style()
        yield


def draw(figure, file_format="svg"):
    drawn = io.BytesIO()
    figure.savefig(drawn, format=file_format, bbox_inches="tight")
    return drawn.getvalue()


@functools.cache
def sample(name):
    return draw(SAMPLES[name]())


def written(svg):
    root = ElementTree.fromstring(svg)
    return ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("file_format", ["svg", "png"])
def test_no_glyph_is_missing(name, file_format):
    assert draw(SAMPLES[name](), file_format)


def test_missing_glyph_would_be_an_error():
    figure = plots.bar_with_values(["\u1234"], [1], xlabel="")
    with pytest.raises(UserWarning, match="missing from font"):
        draw(figure)


@pytest.mark.parametrize("name", SAMPLES)
def test_same_figure_same_bytes(name):
    assert sample(name) == draw(SAMPLES[name]())


@pytest.mark.parametrize("name", SAMPLES)
def test_svg_is_small_and_undated(name):
    svg = sample(name).decode()
    assert len(svg) < 80_000
    assert "dc:date" not in svg


def test_text_is_text():
    labels = written(sample("成对差值"))
    assert {"随机门控", "看不出差别", "测试准确率之差"} <= set(labels)


def test_minus_sign_is_a_minus_sign():
    labels = written(sample("成对差值"))
    assert any(label.startswith("\N{MINUS SIGN}0.0") for label in labels)


@pytest.mark.parametrize("name", SAMPLES)
def test_svg_carries_every_glyph_it_uses(name):
    svg = sample(name).decode()
    data = re.search(r"data:font/woff;base64,([^)]*)\)", svg)
    carried = TTFont(io.BytesIO(b64decode(data[1]))).getBestCmap()
    used = {ord(character) for character in "".join(written(svg))}
    assert used - {ord("\n")} <= set(carried)


def test_svg_without_text_stays_as_it_is():
    assert font.embed("<svg></svg>") == "<svg></svg>"


def test_escaped_characters_are_carried_too():
    svg = font.embed("<svg><text>a &lt; b</text></svg>")
    data = re.search(r"base64,([^)]*)\)", svg)
    assert ord("<") in TTFont(io.BytesIO(b64decode(data[1]))).getBestCmap()


def test_background_is_transparent():
    # Jupyter 显示图时不经过 savefig，底色取自图本身
    figure, drawn = SAMPLES["横条"](), io.BytesIO()
    figure.canvas.print_figure(
        drawn, format="svg", facecolor=figure.get_facecolor(), bbox_inches="tight"
    )
    assert "fill: #ffffff" not in drawn.getvalue().decode()


def test_notebook_shows_svg_with_its_glyphs():
    code = (
        "from IPython.core.interactiveshell import InteractiveShell as Shell;"
        "shell = Shell.instance(); from vision_attention import plots;"
        "plots.use_style(); figure = plots.bar_with_values(['注意力'], [1], xlabel='');"
        "shown = shell.display_formatter.format(figure)[0];"
        "assert set(shown) == {'image/svg+xml', 'text/plain'};"
        "assert '@font-face' in shown['image/svg+xml']"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def luminance(color):
    value = np.array(matplotlib.colors.to_rgb(color))
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(first, second):
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("color", plots.COLORS)
def test_lines_stand_out_on_both_pages(page, color):
    assert contrast(color, PAGES[page]) >= 3


@pytest.mark.parametrize("page", PAGES)
def test_words_are_readable_on_both_pages(page):
    assert contrast(plots.INK, PAGES[page]) >= 4


# Machado、Oliveira 与 Fernandes 2009，完全色觉缺失的矩阵（线性 RGB）
BLINDNESS = {
    "红色盲": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "绿色盲": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "蓝色盲": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


PAIRS = list(itertools.combinations(plots.COLORS, 2))


def lab(linear):
    to_xyz = [
        [0.4124, 0.3576, 0.1805],
        [0.2126, 0.7152, 0.0722],
        [0.0193, 0.1192, 0.9505],
    ]
    xyz = np.array(to_xyz) @ np.clip(linear, 0, 1) / [0.9505, 1, 1.089]
    x, y, z = np.cbrt(xyz)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("kind", BLINDNESS)
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_colors_differ_for_colour_blind_readers(kind, pair):
    seen = []
    for color in pair:
        value = np.array(matplotlib.colors.to_rgb(color))
        linear = np.where(
            value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4
        )
        seen.append(lab(np.array(BLINDNESS[kind]) @ linear))
    assert np.linalg.norm(seen[0] - seen[1]) >= 12


def test_interval_matches_a_hand_worked_example():
    # 1、2、3：平均 2，标准误 1/√3，自由度 2 的 t 分位数 4.302653
    mean, low, high = plots.interval([1, 2, 3])
    np.testing.assert_allclose([mean, low, high], [2, -0.484138, 4.484138], rtol=1e-5)


def test_one_run_has_no_interval():
    assert np.isnan(plots.interval([0.5])[1:]).all()


def test_single_run_is_never_coloured_as_decided():
    svg = draw(plots.paired_differences(["CBAM"], [[0.5]])).decode()
    assert plots.COLORS[1] not in svg


def test_equal_values_lie_on_the_diagonal_of_every_panel():
    panels = {"甲": ([0.1, 0.4], [0.1, 0.4]), "乙": ([-3], [-3])}
    *drawn, empty = plots.matched(panels, xlabel="", ylabel="").axes
    assert not empty.get_visible()
    for axis, (values, _) in zip(drawn, panels.values(), strict=True):
        assert axis.get_xlim() == axis.get_ylim()
        assert axis.get_xlim()[0] < min(values) <= max(values) < axis.get_xlim()[1]
        line, points = axis.lines[0].get_xydata(), axis.collections[0].get_offsets()
        assert (line[:, 0] == line[:, 1]).all()
        np.testing.assert_allclose(points[:, 0], points[:, 1])


def test_use_style_twice_registers_the_font_once():
    plots.use_style()
    paths = [entry.fname for entry in font_manager.fontManager.ttflist]
    assert paths.count(str(font.font_path())) == 1


def test_shared_limits_keep_images_comparable():
    pictures = np.stack([np.full((7, 13), 0.2), np.full((7, 13), 0.8)])
    figure = plots.image_grid(pictures, limits=(0, 1))
    assert [axis.images[0].get_clim() for axis in figure.axes] == [(0, 1), (0, 1)]


def test_wide_map_has_its_scale_below():
    figure = plots.heatmap(np.arange(70).reshape(7, 10).repeat(3, 1))
    drawn, scale = figure.axes
    figure.draw_without_rendering()
    assert scale.get_position().y1 < drawn.get_position().y0


def test_import_changes_nothing():
    code = (
        # 指定后端：否则读 rcParams 本身就会载入 pyplot
        "import os, sys; os.environ['MPLBACKEND'] = 'agg';"
        "import matplotlib; before = dict(matplotlib.rcParams);"
        "import vision_attention.plots;"
        "assert dict(matplotlib.rcParams) == before;"
        "unwanted = {'zhplot', 'torch', 'paddle', 'matplotlib.pyplot'};"
        "assert not unwanted & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_style_does_not_load_the_font_package():
    code = (
        "import sys; from vision_attention import plots; plots.use_style();"
        "assert not {'zhplot', 'matplotlib.pyplot'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


WRONG = {
    "metric": (
        lambda: plots.learning_curves({"a": history(0)}, metric="acc"),
        "metric",
    ),
    "titles": (lambda: plots.image_grid(IMAGES, ["一"]), "titles 有 1 个"),
    "picture": (lambda: plots.image_grid(np.zeros((2, 5, 7, 13))), "通道在前"),
    "values": (lambda: plots.heatmap(np.zeros((2, 3, 4))), r"values\[0, 0\]"),
    "labels": (lambda: plots.attention_matrix(rows(3), "ab", "abc"), "2 行"),
    "bars": (lambda: plots.bar_with_values(["a"], [1, 2], xlabel=""), "values 有 2 个"),
    "paired": (lambda: plots.paired_differences(["a"], [[1], [2]]), "differences"),
    "matched": (
        lambda: plots.matched({"甲": ([1], [1, 2])}, xlabel="", ylabel=""),
        "甲：两种量法各有 1、2 个数",
    ),
    "no panels": (lambda: plots.matched({}, xlabel="", ylabel=""), "panels 是空的"),
    "no images": (lambda: plots.image_grid([]), "images 是空的"),
    "no columns": (lambda: plots.image_grid(IMAGES, columns=0), "columns=0"),
    "no runs": (lambda: plots.learning_curves({"a": []}), "'a' 是空的"),
    "no lines": (lambda: plots.lines({}, xlabel="", ylabel=""), "panels 是空的"),
    "uneven line": (
        lambda: plots.lines({"": {"甲": ([1, 2], [1, 2, 3])}}, xlabel="", ylabel=""),
        "甲：横坐标",
    ),
    "other rows": (
        lambda: plots.dots({"一": {"甲": [1]}, "二": {"乙": [1]}}),
        "各格应有同样的臂",
    ),
    "other parts": (
        lambda: plots.stacked({"": {"甲": [0.1]}}, ["一", "二"], xlabel=""),
        "每一条应有 2 份",
    ),
    "no values": (lambda: plots.paired_differences(["a"], [[]]), "没有一次运行"),
}


def test_lines_draw_every_run_and_their_mean():
    runs = [[1.0, 2.0], [3.0, 6.0]]
    axis = plots.lines({"": {"甲": ([10, 20], runs)}}, xlabel="步", ylabel="损失").axes[
        0
    ]
    found = [list(line.get_ydata()) for line in axis.lines]
    assert found == [[1, 2], [3, 6], [2, 4]]
    assert not axis.figure.legends


def test_bands_put_the_middle_quantile_on_the_line():
    three = [[0.0, 1.0], [5.0, 6.0], [7.0, 9.0]]
    axis = plots.lines(
        {"": {"甲": ([1, 2], three)}}, xlabel="宽", ylabel="分数", bands=True
    ).axes[0]
    assert [list(line.get_ydata()) for line in axis.lines] == [[5, 6]]
    [band] = axis.collections
    corners = {tuple(point) for point in band.get_paths()[0].vertices}
    assert {(1.0, 0.0), (1.0, 7.0), (2.0, 1.0), (2.0, 9.0)} <= corners


def test_dots_stand_in_the_row_of_their_arm():
    figure = plots.dots({"": {"甲": [0.1, 0.2], "乙": {"前": [0.3], "后": [0.4]}}})
    found = [points.get_offsets() for points in figure.axes[0].collections]
    np.testing.assert_allclose(found[0], [[0.1, 0], [0.2, 0]])
    np.testing.assert_allclose(found[1:], [[[0.3, 0.82]], [[0.4, 1.18]]])


def test_stacked_parts_begin_where_the_last_one_ended():
    figure = plots.stacked({"": {"甲": [0.2, 0.3]}}, ["一", "二"], xlabel="份额")
    bars = [(bar.get_x(), bar.get_width()) for bar in figure.axes[0].patches]
    assert bars == [(0, 0.2), (0.2, 0.3)]


def test_small_curves_are_svg_and_say_their_ends():
    run = history(0)
    text = plots.curves_svg(vars(run), "第 1 题的曲线。", 10)
    tree = ElementTree.fromstring(text)
    assert f"测试升到 {run.test_accuracy[-1]:.2f}" in tree.get("aria-label")
    assert len(tree.findall("polyline")) == 4
    assert tree.findall("polyline")[0].get("points").startswith("26.0,86.2")


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_refused_in_words(case):
    call, words = WRONG[case]
    with pytest.raises(ValueError, match=words):
        call()


def test_different_steps_are_refused():
    short = history(1)
    short.step = short.step[:-1]
    with pytest.raises(ValueError, match="eval_every"):
        plots.learning_curves({"ViT": [history(0), short]})


HERE = Path(__file__).parents[2]
DIAGRAMS = sorted((HERE / "book" / "_static" / "figures").glob("*.svg"))


@pytest.fixture(scope="module")
def redrawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    words = [sys.executable, "-m", "tools.figures.draw", folder]
    subprocess.run(words, cwd=HERE, check=True, capture_output=True)
    return folder


def without_font(path):
    # 字形的压缩随 fontTools 与 zlib 的版本略有不同，画的东西不变
    return re.sub(r"base64,[^)]*", "", path.read_text(encoding="utf-8"))


def test_every_diagram_is_there(redrawn):
    assert len(DIAGRAMS) == 8
    assert [path.name for path in DIAGRAMS] == sorted(
        path.name for path in redrawn.iterdir()
    )


@pytest.mark.parametrize("path", DIAGRAMS, ids=lambda path: path.stem)
def test_diagram_is_what_the_script_draws(path, redrawn):
    assert without_font(path) == without_font(redrawn / path.name)


@pytest.mark.parametrize("path", DIAGRAMS, ids=lambda path: path.stem)
def test_diagram_has_real_text_and_its_glyphs(path):
    svg = path.read_text(encoding="utf-8")
    root = ElementTree.fromstring(svg)
    assert root.find(f"{SVG}title").text
    data = re.search(r"base64,([^)]*)\)", svg)
    carried = TTFont(io.BytesIO(b64decode(data[1]))).getBestCmap()
    used = {ord(character) for character in "".join(written(svg))}
    assert used - {0x200B} <= set(carried)


@pytest.mark.parametrize("path", DIAGRAMS, ids=lambda path: path.stem)
def test_diagram_text_stays_inside(path):
    svg = path.read_text(encoding="utf-8")
    root = ElementTree.fromstring(svg)
    width, height = map(float, root.get("viewBox").split()[2:])
    for text in root.iter(f"{SVG}text"):
        size, x, y = (float(text.get(key)) for key in ("font-size", "x", "y"))
        words = "".join(text.itertext()).replace("\u200b", "")
        face = font_manager.FontProperties(fname=str(font.font_path()), size=size)
        long = TextPath((0, 0), words, prop=face).get_extents().width
        start = x - long / 2 if text.get("text-anchor") == "middle" else x
        assert start >= 0
        assert start + long <= width
        assert size <= y <= height - 3
        assert size >= 11


def test_log_axes_find_every_font(tmp_path, caplog):
    # 对数刻度用到数学字体的各种字形；找不到时 matplotlib 往日志里写一句
    plots.use_style()
    figure, axes = plots.new_figure()
    axes[0, 0].plot([1, 1000], [1, 1000])
    axes[0, 0].set(xscale="log", yscale="log")
    figure.savefig(tmp_path / "log.svg")
    assert not caplog.records


def test_bars_below_zero_are_shown_with_a_true_minus():
    axis = plots.bar_with_values(
        ["升", "降"], [0.02, -0.01], xlabel="差", digits=2
    ).axes[0]
    low, high = axis.get_xlim()
    assert low < -0.01 < 0.02 < high
    assert [text.get_text() for text in axis.texts] == ["0.02", "−0.01"]
    assert [line.get_xdata() for line in axis.lines] == [[0, 0]]
    axis = plots.bar_with_values(["多"], [3], xlabel="个").axes[0]
    assert axis.get_xlim()[0] == 0
    assert not axis.lines
