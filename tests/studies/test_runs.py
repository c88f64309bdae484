"""训练好的模型：文件夹自己就够用，换一个框架答案相同，坏了的说得出怎么坏。"""

import dataclasses
import errno
import importlib
import json
import shutil
from types import SimpleNamespace

import numpy as np
import onnxruntime
import paddle
import pytest
from commands import call
from pictures import photographs
from PIL import Image

import vision_attention.paddle
import vision_attention.torch
from vision_attention import attention_maps, data, interop, specs
from vision_attention.training import saved_run

WINGS = {"torch": vision_attention.torch, "paddle": vision_attention.paddle}
CBAM = {"attention": "cbam", "attention_options": {"min_hidden": 2}}
SQUEEZE = {"attention": "se", "attention_options": {"reduction_ratio": 2}}
QUICK = ["--steps", "4", "--eval-every", "4", "--batch-size", "8", "--quiet"]


@pytest.fixture(scope="module", params=WINGS)
def trained(request, tmp_path_factory):
    """在一个框架里训练好的：（框架，文件夹，数据）；照片随后就搬走了。"""
    root = tmp_path_factory.mktemp(request.param)
    photos = photographs(root / "photos")
    dataset = data.load(f"folder:{photos}")
    words = ["--data", f"folder:{photos}", "--framework", request.param]
    words += ["--model", "resnet_narrow", "--out", root, "--name", "it"]
    for path, value in (("attention", "cbam"), ("attention_options.min_hidden", 2)):
        words += ["--set", f"model.{path}={value}"]
    assert call("train", *words, *QUICK)[0] == 0
    photos.rename(root / "moved")
    return request.param, root / "it", dataset


def saved(folder, name="small_cnn", **changes):
    """一个没有训练过、可是样样齐全的文件夹。"""
    shape = {"image_size": 8, "in_channels": 3, "num_classes": 2}
    spec = specs.named(name, **(shape | changes))
    folder.mkdir()
    WINGS["torch"].init.seed(1)
    interop.save(WINGS["torch"].build(spec), folder / "model.safetensors")
    record = {
        "format": 1,
        "run": {"model": {"name": name}},
        "model": {f.name: getattr(spec, f.name) for f in dataclasses.fields(spec)},
        "framework": {"name": "torch"},
        "input": {
            "class_names": ["甲", "乙"],
            "mean": [0.4] * spec.in_channels,
            "std": [0.2] * spec.in_channels,
            "bits": 16,
        },
    }
    (folder / "record.json").write_text(json.dumps(record), "utf8")
    return folder


def changed(folder, **changes):
    """改记录里的几项；None 表示去掉。"""
    path = folder / "record.json"
    record = json.loads(path.read_text("utf8")) | changes
    kept = {key: value for key, value in record.items() if value is not None}
    path.write_text(json.dumps(kept), "utf8")


@pytest.mark.parametrize("reader", WINGS)
def test_folder_alone_gives_the_loss_of_the_record(trained, reader):
    """类名、归一化、权重都对，才算得出训练时的那个测试损失；换一个框架也是。"""
    _, folder, dataset = trained
    run = WINGS[reader].load_run(folder)
    assert run.run.class_names == ("daisy", "tulip")
    odds = run.probabilities(dataset.test_images)
    np.testing.assert_allclose(odds.sum(1), 1, atol=1e-6)
    right = odds[np.arange(len(odds)), dataset.test_labels]
    results = json.loads((folder / "record.json").read_text("utf8"))["results"]
    assert -np.log(right).mean() == pytest.approx(results["test_loss"], abs=1e-4)


def test_pictures_are_answered_line_by_line(trained):
    framework, folder, _ = trained
    photos = folder.parent / "moved"
    alone = photos / "tulip" / "3.png"
    code, text = call("predict", folder, photos / "daisy", alone)
    run = WINGS[framework].load_run(folder)
    lines = [line.split("\t") for line in text.splitlines() if "\t" in line]
    assert (code, len(lines)) == (0, 7)
    assert "7 张，每秒" in text
    name, odds = run.predict(alone)[0]
    assert lines[-1] == [str(alone), name, f"{odds:.3f}"]
    assert lines[0][0] == str(photos / "daisy" / "0.png")


@pytest.mark.parametrize("framework", WINGS)
def test_what_cannot_be_read_does_not_stop_the_rest(tmp_path, framework):
    folder = saved(tmp_path / "run")
    good, text = tmp_path / "good.png", tmp_path / "text.jpg"
    Image.new("RGB", (9, 9), "red").save(good)
    text.write_text("不是图")
    gif, large = tmp_path / "x.gif", tmp_path / "large.png"
    Image.new("L", (5, 5)).save(gif)
    Image.new("L", (7100, 7100)).save(large, compress_level=1)  # 五千万像素
    given = [text, good, gif, large, tmp_path / "无.png"]
    code, said = call("predict", folder, *given, "--framework", framework)
    assert code == 2
    assert [line.split("\t")[0] for line in said.splitlines() if "\t" in line] == [
        str(good),
        str(large),
    ]
    assert f"读不了 {text}：损坏或格式不符" in said
    assert f"读不了 {gif}：不是 .png" in said
    assert "无.png：没有这个文件" in said
    with pytest.raises(ValueError, match=r"有 1 个文件读不了：.*text\.jpg"):
        WINGS[framework].load_run(folder).predict(good, text)


def test_no_picture_at_all_is_said(tmp_path):
    (tmp_path / "empty").mkdir()
    code, text = call("predict", saved(tmp_path / "run"), tmp_path / "empty")
    assert (code, "一张图片也没有" in text) == (2, True)
    assert WINGS["torch"].load_run(tmp_path / "run").predict() == []


def test_gray_models_see_the_gray_of_pillow(tmp_path):
    photos = photographs(tmp_path / "photos", 1, (8, 8))
    run = saved_run.read(saved(tmp_path / "run", in_channels=1))
    file = photos / "tulip" / "0.png"
    images, kept, broken = saved_run.read_pictures(run, [file])
    expected = np.asarray(Image.open(file).convert("L"), int)
    assert (images.shape, kept, broken) == ((1, 1, 8, 8), [0], {})
    assert abs(images[0, 0].astype(int) - expected).max() <= 1


def test_new_dark_picture_is_read_like_the_old_bright_ones(tmp_path):
    """训练用的是 12 位的图；一张没有那么亮的新图，仍按 12 位读。"""
    for name, value in (("a", 4000), ("b", 2000)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for n in range(2):
            pixels = np.full((8, 8), value + n, np.uint16)
            pixels[0] = 0
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{n}.png")
    dataset = data.load(f"folder:{tmp_path / 'photos'}", image_size=8)
    assert saved_run.input_of(dataset)["bits"] == 12
    folder = saved(tmp_path / "run")
    changed(folder, input=saved_run.input_of(dataset))
    Image.fromarray(np.full((8, 8), 1600, np.uint16)).save(tmp_path / "new.png")
    images, _, _ = saved_run.read_pictures(
        saved_run.read(folder), [tmp_path / "new.png"]
    )
    assert images.min() == images.max() == 1600 >> 4


@pytest.mark.parametrize("wing", WINGS)
@pytest.mark.parametrize(
    ("name", "options", "kind", "shape"),
    [
        ("resnet_narrow", CBAM, "门的开度", (2, 2, 2)),
        ("resnet_narrow", SQUEEZE, "Grad-CAM", (2, 2, 2)),
        ("small_cnn", {}, "Grad-CAM", (2, 2, 2)),
        ("small_cnn", {"attention": "self_attention"}, "注意力", (2, 2, 2)),
        ("vit_tiny", {}, "注意力", (2, 4, 4)),
        ("vit_tiny", {"pool": "mean"}, "注意力", (2, 4, 4)),
    ],
)
def test_every_backbone_shows_where_it_looked(
    tmp_path, wing, name, options, kind, shape
):
    run = WINGS[wing].load_run(saved(tmp_path / "run", name, **options))
    pictures = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 8)).astype(np.uint8)
    told, maps = run.maps(pictures)
    assert (told, maps.shape) == (kind, shape)
    assert np.isfinite(maps).all()


def test_flat_model_has_no_place_to_show(tmp_path):
    run = WINGS["torch"].load_run(saved(tmp_path / "run", "mlp_small"))
    with pytest.raises(ValueError, match="不分位置"):
        run.maps(np.zeros((1, 3, 8, 8), np.uint8))


def test_looked_at_takes_the_row_of_the_class_token():
    """一层、一个头：rollout 是权重与单位阵各一半。"""
    weights = np.zeros((1, 1, 5, 5))
    weights[0, 0] = np.eye(5)
    weights[0, 0, 0] = [0, 0.4, 0.3, 0.2, 0.1]
    seen = attention_maps.looked_at([weights])
    np.testing.assert_allclose(seen, [[[0.2, 0.15], [0.1, 0.05]]])
    # 没有分类 token：各行平均；各层大小不同，只看最后一种
    weights = np.zeros((1, 1, 4, 4))
    weights[..., 2] = 1
    seen = attention_maps.looked_at([np.ones((1, 1, 9, 9)) / 9, weights])
    np.testing.assert_allclose(seen, [[[0.125, 0.125], [0.625, 0.125]]])


def test_opened_is_the_last_gate_with_places():
    gates = [np.ones((1, 2, 2, 2)), np.zeros((1, 2, 3, 3)), np.ones((1, 2, 1, 1))]
    gates[1][0, 0] = 1
    np.testing.assert_allclose(attention_maps.opened(gates), np.full((1, 3, 3), 0.5))
    assert attention_maps.opened(gates[2:]) is None


def test_show_draws_every_picture_and_covers_nothing(tmp_path):
    folder, photos = saved(tmp_path / "run"), photographs(tmp_path / "photos", 1)
    words = ["predict", folder, photos / "daisy", photos / "tulip"]
    assert call(*words, "--show", tmp_path / "shown")[0] == 0
    drawn = sorted(path.name for path in (tmp_path / "shown").iterdir())
    assert drawn == ["0001-0.svg", "0002-0.svg"]
    assert "Grad-CAM" in (tmp_path / "shown" / drawn[0]).read_text("utf8")
    code, text = call(*words, "--show", tmp_path / "shown")
    assert (code, "已经有东西" in text) == (2, True)


def input_named(**changes):
    wanted = {"class_names": ["甲", "乙"], "mean": [0.4] * 3, "std": [0.2] * 3}
    return {"input": wanted | {"bits": 16} | changes}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"format": 2}, "由更新的版本写成（格式 2"),
        ({"format": None}, "由旧的版本写成"),
        ({"format": "3"}, "format='3' 不合适"),
        ({"input": None}, "缺少 'input'"),
        ({"model": {"width": 3}}, "mean、std 应各有 3 个数"),
        ({"model": {"widht": 3}}, "损坏"),
        ({"run": {"model": {"name": "没有"}}}, "损坏"),
        (input_named(class_names=["甲"]), "1 个类名，模型分 2 类"),
        (input_named(std=[0.2, 0.0, 0.2]), "std=0.0 不合适；应为大于 0 的数"),
        (input_named(mean="x"), "损坏"),
        (input_named(mean=[0.1, 1e39, 0.2]), "mean=1e+39 不合适"),
        (input_named(mean=[0.1, "0.1", 0.2]), "mean='0.1' 不合适"),
        (input_named(class_names="甲乙"), "class_names='甲乙' 应为一组数"),
        (input_named(bits=9), "bits=9 不认识"),
        (input_named(bits=-8), "bits=-8 不认识"),
        ({"framework": {"name": "jax"}}, "framework='jax' 不认识"),
        ({"framework": 3}, "损坏"),
    ],
)
def test_damaged_record_is_one_plain_sentence(tmp_path, changes, told):
    folder = saved(tmp_path / "run")
    if changes.get("model") == {"width": 3}:
        changes = {"model": {"width": 3, "in_channels": 1, "num_classes": 2}}
        told = "mean、std 应各有 1 个数"
    changed(folder, **changes)
    code, text = call("predict", folder, tmp_path)
    assert (code, text.startswith("错误：")) == (2, True)
    assert told in text


def test_a_gray_model_sees_the_nearest_brightness(tmp_path):
    """蓝色 5：亮度 0.114 × 5 = 0.57，取最近的 1，不是丢掉零头的 0。"""
    path = tmp_path / "blue.png"
    Image.new("RGB", (8, 8), (0, 0, 5)).save(path)
    spec = specs.named("small_cnn", in_channels=1)
    run = SimpleNamespace(spec=spec, bits=16, square="crop")
    pixels, kept, broken = saved_run.read_pictures(run, [path])
    assert (pixels.shape, kept, broken) == ((1, 1, 8, 8), [0], {})
    assert (pixels == 1).all()


def test_folder_that_is_no_run_is_refused(tmp_path):
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "settings.json").write_text("{}")
    torn = saved(tmp_path / "torn")
    (torn / "record.json").write_text('{"format": 1', "utf8")
    deep, infinite = saved(tmp_path / "deep"), saved(tmp_path / "infinite")
    (deep / "record.json").write_text("[" * 99_999, "utf8")
    changed(infinite, input={"mean": [float("nan")]})
    told = {
        tmp_path / "none": "没有文件夹",
        tmp_path: "不是 train 存下的文件夹",
        tmp_path / "half": "train --resume",
        torn: "不是完整的 JSON",
        deep: "不是完整的 JSON",
        infinite: "不是完整的 JSON",
    }
    for folder, words in told.items():
        code, text = call("export", folder, "--to", "onnx")
        assert (code, words in text) == (2, True)


def test_weights_that_do_not_fit_are_refused(tmp_path):
    folder = saved(tmp_path / "run")
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:-9])
    told = call("predict", folder, tmp_path)[1]
    assert "不是完好的" in told
    # safetensors 的英文原话不到读者那里
    assert " header" not in told
    other = saved(tmp_path / "other", width=5)
    shutil.copy(other / "model.safetensors", folder)
    assert "权重与模型对不上" in call("predict", folder, tmp_path)[1]
    # 换成了另一种模型的：说是哪个文件，几百个名字不全印
    vit = saved(tmp_path / "vit", "vit_tiny")
    shutil.copy(vit / "model.safetensors", folder)
    for command in (["predict", folder, tmp_path], ["export", folder, "--to", "onnx"]):
        told = call(*command)[1]
        assert f"{folder / 'model.safetensors'} 不是 record.json 里写的模型" in told
        assert "……另有" in told
        assert len(told.splitlines()) < 20
    (folder / "model.safetensors").unlink()
    assert "没有这个文件" in call("predict", folder, tmp_path)[1]


@pytest.mark.parametrize("wing", WINGS)
def test_wrong_arrays_are_refused(tmp_path, wing):
    run = WINGS[wing].load_run(saved(tmp_path / "run"))
    for images in (np.zeros((1, 3, 8, 8)), np.zeros((1, 1, 8, 8), np.uint8), "x"):
        with pytest.raises(ValueError, match="images"):
            run.probabilities(images)
    with pytest.raises(ValueError, match="device"):
        WINGS[wing].load_run(tmp_path / "run", "tpu")


def exported_logits(place, x):
    """不用本书的程序库，在导出的图里算一遍。"""
    if place.name == "onnx":
        session = onnxruntime.InferenceSession(
            place / "model.onnx", providers=["CPUExecutionProvider"]
        )
        return session.run(None, {"input": x})[0]
    return paddle.jit.load(str(place / "model"))(paddle.to_tensor(x)).numpy()


@pytest.mark.parametrize("to", ["onnx", "paddle"])
def test_exported_graph_gives_the_same_answers(trained, to):
    """批次大小与导出时不同；输入照 input.json 备。"""
    framework, folder, dataset = trained
    code, text = call("export", folder, "--to", to)
    assert (code, "input.json" in text) == (0, True)
    wanted = json.loads((folder / to / "input.json").read_text("utf8"))
    assert wanted["class_names"] == ["daisy", "tulip"]
    images = dataset.train_images[:3]
    mean, std = (np.reshape(wanted[key], (3, 1, 1)) for key in ("mean", "std"))
    x = ((images / 255 - mean) / std).astype(np.float32)
    odds = np.exp(exported_logits(folder / to, x))
    expected = WINGS[framework].load_run(folder).probabilities(images)
    np.testing.assert_allclose(odds / odds.sum(1, keepdims=True), expected, atol=1e-4)
    code, text = call("export", folder, "--to", to)
    assert (code, "已经存在" in text) == (2, True)


def test_export_refuses_what_it_cannot_do(tmp_path, monkeypatch):
    folder = saved(tmp_path / "run")
    assert "onnx" in call("export", folder, "--to", "onxx")[1]
    (tmp_path / "file").write_text("")
    code, text = call("export", folder, "--to", "onnx", "--out", tmp_path / "file/x")
    assert (code, "--out" in text) == (2, True)
    needy = SimpleNamespace(NEEDS=("没有这个包",))
    wing = SimpleNamespace(module=lambda name: needy)
    command = importlib.import_module("vision_attention.cli.export")
    monkeypatch.setattr(command, "load_wing", lambda name: wing)
    code, text = call("export", folder, "--to", "onnx")
    assert (code, "pip install 没有这个包" in text) == (2, True)
    assert sorted(p.name for p in folder.iterdir()) == [
        "model.safetensors",
        "record.json",
    ]


def test_pictures_one_folder_down_are_pointed_at(tmp_path):
    """给的是按类分好的那个文件夹：说下一层怎样写。"""
    folder = saved(tmp_path / "run")
    photos = photographs(tmp_path / "photos")
    code, text = call("predict", folder, photos)
    first = sorted(photos.iterdir())[0]
    assert (code, f"一张图片也没有；下一层的不看，请写 {first}" in text) == (2, True)
    (tmp_path / "empty").mkdir()
    code, text = call("predict", folder, tmp_path / "empty")
    assert (code, text.strip()) == (2, "错误：一张图片也没有")


def test_disk_full_leaves_no_half_a_map(tmp_path, monkeypatch):
    folder = saved(tmp_path / "run")
    photos = photographs(tmp_path / "photos")

    def full(self, place, **options):
        place.write_text("<svg", "utf8")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    shown = tmp_path / "shown"
    first = sorted(photos.iterdir())[0]
    code, text = call("predict", folder, first, "--show", shown)
    assert (code, "磁盘满了" in text, "用 --show 换一个" in text) == (2, True, True)
    assert list(shown.iterdir()) == []


@pytest.mark.parametrize("framework", WINGS)
def test_huge_scores_are_still_probabilities(framework):
    """得分上千，指数会溢出；先减去最大的。"""
    wing = WINGS[framework]
    wing.init.seed(0)
    model = wing.build(specs.named("mlp_small", num_classes=3))
    images = np.random.default_rng(0).standard_normal((4, 1, 8, 8)).astype("f4")
    odds = wing.runs.odds(model, 1e4 * images)
    assert np.isfinite(odds).all()
    np.testing.assert_allclose(odds.sum(1), 1, atol=1e-6)
