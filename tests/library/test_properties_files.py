"""随手弄乱的文件：读得对，或者一句我们自己的话；不挂，不执行，不写到外面。

图片文件夹、pickle、压缩包、权重、检查点、train 存下的记录、归一化的 config.json。
"""

from __future__ import annotations

import importlib
import io
import json
import os
import pickle
import shutil
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import pytest
from frameworks import FRAMEWORKS
from hostility import finite, outcome
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from test_properties import bounded

from vision_attention import data, interop
from vision_attention.data import pickles
from vision_attention.storage import pretrained
from vision_attention.training import saved_run, snapshots

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="管道要 Unix")


@pytest.fixture(scope="module")
def room():
    """一个临时文件夹，逐例清空。"""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder).resolve()


def emptied(room):
    for path in room.iterdir():
        shutil.rmtree(
            path
        ) if path.is_dir() and not path.is_symlink() else path.unlink()
    return room


# 图片文件夹 --------------------------------------------------------------------

PICTURE = io.BytesIO()
Image.new("RGB", (5, 4), "red").save(PICTURE, "png")
GOOD = PICTURE.getvalue()
NAMES = st.one_of(
    st.sampled_from(
        ["a", "A", "猫", "e\u0301", "\u00e9", "train", "val", "test", ".x"]
    ),
    st.text(
        st.characters(exclude_characters="/\0", codec="utf8"), min_size=1, max_size=9
    ),
    st.sampled_from(["\udcff", "x" * 250, " ", "-", "a\nb", "__MACOSX", "Thumbs.db"]),
)
ENTRIES = ["good"] * 9 + ["cut", "text", "empty", "pipe", "lost", "loop", "device"]
ENTRIES += ["folder", "huge"]
HUGE = io.BytesIO()
Image.new("1", (14_000, 14_000)).save(HUGE, "png")


def put(place, kind):
    """放一样东西；放不下的（名字太长之类）不放。"""
    contents = {"good": GOOD, "cut": GOOD[:30], "text": b"x", "empty": b""}
    links = {"lost": "nowhere", "loop": place.name, "device": "/dev/zero"}
    try:
        if kind in links:
            place.symlink_to(links[kind])
        elif kind == "pipe":
            os.mkfifo(place)
        elif kind == "folder":
            place.mkdir()
        else:
            place.write_bytes(contents.get(kind, HUGE.getvalue()))
    except OSError:
        return False
    return True


@bounded(0.1)
@given(
    tree=st.dictionaries(
        NAMES,
        st.lists(st.tuples(NAMES, st.sampled_from(ENTRIES)), min_size=1, max_size=5),
        min_size=1,
        max_size=4,
    ),
    odd=st.lists(st.tuples(NAMES, st.sampled_from(ENTRIES)), max_size=1),
    size=st.sampled_from([8, 1, 0, 33]),
)
def test_every_folder_of_pictures(room, tree, odd, size):
    root, put_in = emptied(room) / "photos", 0
    root.mkdir()
    for name, entries in tree.items():
        try:
            (root / name).mkdir()
        except OSError:
            continue
        for number, (word, kind) in enumerate(entries):
            put_in += put(root / name / f"{number}{word[:200]}.png", kind)
    for name, kind in odd:
        put(root / name, kind)
    found = outcome(lambda: data.load(f"folder:{root}", image_size=size), room)
    if found is not None:
        assert found.train_images.shape[1:] == (3, size, size)
        assert 2 <= len(found.train_images) + len(found.test_images) <= put_in
        finite(found.normalize(found.test_images))


# pickle 与压缩包 ---------------------------------------------------------------

BATCH = {b"data": np.zeros((2, 3072), np.uint8), b"labels": [0, 1]}
PICKLES = [pickle.dumps(BATCH, protocol) for protocol in range(5)]
HARMFUL = [
    b"cos\nsystem\n(S'touch harm'\ntR.",
    b"c__builtin__\neval\n(S'1'\ntR.",
    b"cnumpy\nndarray\n((I10000000000\nttR.",
    b"\x80\x05\x96" + (10**11).to_bytes(8, "little") + b".",
    b"]r\xff\xff\xff\x7f.",
    b"(" + b"NN00" * 9000 + b"l.",
]
PIECES = [*HARMFUL, b"(", b"t", b"R", b"l", b".", b"0", b"2", b"g0\n", b"p9\n", b"c"]


class Short(bytes):
    """印出来不太长的字节。"""

    def __repr__(self):
        return (
            f"{self[:400]!s}…（{len(self)} 字节）"
            if len(self) > 400
            else bytes.__repr__(self)
        )


@st.composite
def torn(draw, originals):
    """一串好的字节，换掉、插进、删去几段。"""
    content = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        new = draw(st.one_of(st.binary(max_size=6), st.sampled_from(PIECES)))
        content[start : start + draw(st.integers(0, 40))] = new
    return Short(content)


@bounded(0.1)
@given(torn([*PICKLES, *HARMFUL]))
def test_every_pickle(room, content):
    def job():
        try:
            return pickles.loads(content)
        except pickle.UnpicklingError as error:
            raise ValueError(f"读不了：{error}") from error  # 调用的一方这样说

    outcome(job, emptied(room))


def packed(members):
    """一个 tar.gz。"""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, kind, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(content)
            info.linkname = "/etc/passwd"
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


MEMBERS = [f"cifar-10-batches-py/data_batch_{k}" for k in range(1, 6)]
MEMBERS += ["cifar-10-batches-py/test_batch", "cifar-10-batches-py/batches.meta"]
META = pickle.dumps({b"label_names": [b"a", b"b"]}, 2)
WHOLE = [(n, tarfile.REGTYPE, META if "meta" in n else PICKLES[2]) for n in MEMBERS]
KINDS = [tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE]
KINDS += [tarfile.FIFOTYPE, tarfile.DIRTYPE]
PLACES = [*MEMBERS, "../harm", "/tmp/harm", "C:\\harm", "./", "a/../../harm"]
EXTRA = st.tuples(
    st.sampled_from(PLACES), st.sampled_from(KINDS), torn([META, *PICKLES[:3]])
)


@bounded(0.05)
@given(
    extra=st.lists(EXTRA, max_size=2),
    left=st.integers(0, len(WHOLE)),
    damage=st.one_of(st.none(), st.tuples(st.integers(0, 400), st.binary(max_size=3))),
)
def test_every_archive(room, monkeypatch_module, extra, left, damage):
    members = [*WHOLE[:left], *extra, *WHOLE[left:]]
    content = bytearray(packed(members))
    if damage:
        content[damage[0] : damage[0] + 2] = damage[1]
    path = emptied(room) / "cifar-10-python.tar.gz"
    path.write_bytes(content)
    found = outcome(lambda: data.load("cifar10", root=path), room)
    if found is not None:
        assert found.test_images.shape[1:] == (3, 32, 32)


@pytest.fixture(scope="module")
def monkeypatch_module(room):
    """解开的副本也放在临时文件夹里。"""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VISION_ATTENTION_CACHE", str(room / "cache"))
        yield patch


# 权重 --------------------------------------------------------------------------

TYPES = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "I64": 8,
    "U8": 1,
    "BOOL": 1,
    "C64": 8,
}
TYPES |= {"F8_E4M3": 1, "F7": 1}
SHAPES = {"weight": [3, 2], "bias": [3]}
NUMBERS = st.sampled_from([0.0, 1.5, -2.0, 65504.0, 1e39, float("nan"), float("inf")])


@st.composite
def weight_files(draw):
    """全连接的两项权重：换类型、换形状、换名字、写两次、文件头乱改。"""
    header, body, values = [], b"", {}
    for name, shape in SHAPES.items():
        kind = draw(st.sampled_from(["F32"] * 5 + sorted(TYPES)))
        size = int(np.prod(shape))
        if kind in ("F64", "F32", "F16"):
            number = draw(NUMBERS)
            with np.errstate(over="ignore"):
                array = np.full(size, number).astype(f"<f{TYPES[kind]}")
            content, values[name] = array.tobytes(), array
        else:
            content = draw(
                st.binary(min_size=size * TYPES[kind], max_size=size * TYPES[kind])
            )
        place = [len(body), len(body) + len(content)]
        other = st.sampled_from([shape] * 5 + [[size], [1, *shape], [1] * 70, [-1]])
        entry = {"dtype": kind, "shape": draw(other), "data_offsets": place}
        word = draw(st.sampled_from([name] * 9 + ["module." + name, "x", "", "\u0000"]))
        header.append(f"{json.dumps(word)}: {json.dumps(entry)}")
        body += content
    header += draw(st.lists(st.sampled_from(header), max_size=1))
    text = ("{" + ", ".join(header) + "}").encode()
    if draw(st.integers(0, 4)) == 0:
        text = draw(torn([text]))
    return len(text).to_bytes(8, "little") + text + body, values


@pytest.mark.parametrize("wing", FRAMEWORKS)
@bounded(0.1)
@given(weight_files())
def test_every_weight_file(room, wing, file):
    content, values = file
    path = emptied(room) / "x.safetensors"
    path.write_bytes(content)
    framework = importlib.import_module(wing)
    model = framework.nn.Linear(2, 3)
    before = interop.state(model)
    done = outcome(lambda: interop.load(model, path) or True, room)
    after = interop.state(model)
    if done is None:
        assert all((before[name] == after[name]).all() for name in before)
        return
    for name, array in after.items():
        finite(array)
        if name in values:
            np.testing.assert_array_equal(array.ravel(), values[name].astype("f4"))


# 检查点、记录、归一化 ------------------------------------------------------------

JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-2, 99),
        st.sampled_from([10**400, 1e39, float("nan"), "", "x", "float32", "torch"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(max_size=3), inner, max_size=3),
    ),
    max_leaves=5,
)


@st.composite
def changed(draw, good):
    """好的一份 JSON，换掉几处，或者动几个字节。"""
    content = json.loads(json.dumps(good))
    for _ in range(draw(st.integers(0, 3))):
        inside = content
        while True:
            keys = (
                list(inside) if isinstance(inside, dict) else list(range(len(inside)))
            )
            key = draw(st.sampled_from(keys))
            deeper = isinstance(inside[key], dict | list) and inside[key]
            if not deeper or draw(st.booleans()):
                break
            inside = inside[key]
        inside[key] = draw(JSON)
        if not content:
            break
    text = json.dumps(content).encode()
    return draw(torn([text])) if draw(st.integers(0, 3)) == 0 else text


RECORD = {
    "format": 1,
    "run": {"model": {"name": "small_cnn"}},
    "model": {"width": 2, "in_channels": 1, "num_classes": 2, "image_size": 8},
    "framework": {"name": "torch"},
    "input": {
        "class_names": ["a", "b"],
        "mean": [0.5],
        "std": [0.25],
        "bits": 16,
        "square": "crop",
    },
}


@bounded(0.05)
@given(changed(RECORD))
def test_every_saved_run(room, content):
    (emptied(room) / "record.json").write_bytes(content)
    run = outcome(lambda: saved_run.read(room), room)
    if run is not None:
        side = run.spec.image_size
        shape = (1, run.spec.in_channels, side, side)
        if np.prod(shape) < 10**6:
            finite(run.normalize(np.zeros(shape, np.uint8)))


@bounded(0.05)
@given(changed({"pretrained_cfg": {"mean": [0.5, 0.4], "std": [0.25, 0.5]}}))
def test_every_recipe(room, content):
    (emptied(room) / "config.json").write_bytes(content)
    recipe = outcome(lambda: pretrained.recipe(room / "x.safetensors"), room)
    if recipe is not None:
        finite(recipe.mean)
        finite(recipe.std)


HISTORY = {"step": [0, 1], "lr": [0.1, 0.1], "train_loss": [2.0, 1.0]}
HISTORY |= {"train_accuracy": [0.1, 0.2], "test_loss": [2.0, 1.0]}
HISTORY |= {"test_accuracy": [0.1, 0.2], "seconds": 1.0}


@bounded(0.05)
@given(changed(HISTORY), changed({"model": "x", "model.norm": 1.0}))
def test_every_checkpoint(room, history, identity):
    from safetensors.numpy import save

    words = {"history": history, "identity": identity}
    header = {name: text.decode("latin1") for name, text in words.items()}
    path = emptied(room) / "run.safetensors"
    path.write_bytes(save({"model.x": np.zeros(2, "f4")}, header))
    saved = outcome(lambda: snapshots.read(path), room)
    if saved is not None:
        outcome(lambda: saved.check({}, {}), room)
