"""两翼是镜像：同名文件、同名公开对象、同样的签名与文档；词换过去之后，代码逐句相同。"""

from __future__ import annotations

import ast
import inspect
import json
import re
from pathlib import Path

import pytest

import vision_attention
import vision_attention.paddle
import vision_attention.torch

ROOT = Path(vision_attention.__file__).parent
NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"

# 两个框架的用词，一张闭表：换过去之后两边的代码应当一样
WORDS = {
    r"\btorch\b": "paddle",
    r"\bnn\.Module\b": "nn.Layer",
    r"\bnn\.(Conv1|Conv2|BatchNorm2|MaxPool2)d\b": r"nn.\1D",
    r"\bbias=": "bias_attr=",
}
BOOKS = sorted(path.name for path in NOTEBOOKS.glob("torch/*.ipynb"))
# 笔记本里还多这几个词
NOTEBOOK_WORDS = WORDS | {r"\bpaddle\.(as_tensor|from_numpy)\b": "paddle.to_tensor"}
# 两个框架做法真的不同的地方，一处一处写明；别的逐句相同。
# 名字是函数、类（不含方法）、类.方法，或赋值的变量；「头」是文件开头的说明与导入
DIFFERENT = {
    "__init__.py": "头",
    "checkpoint.py": "头 rest Checkpoint.__init__ Checkpoint.restore"
    " Checkpoint._tensors forget_gradients _frozen",
    "counting.py": "头 MACS count_macs _outputs _parameters _zeros",
    "device.py": "find_device has_bfloat16 device_of tensor array arrange reseed"
    " own_randomness autocast",
    "export.py": "头 FORMAT NEEDS export",
    "hooks.py": "头 gradients recorded _layers thawed",
    "init.py": "头 seed parameter buffer Fixed.fix Fixed._apply _after_loading"
    " zero_scale batch_norm uses_batch_statistics QuietBatchNorm2D"
    " QuietBatchNorm2D.forward LayerNorm LayerNorm.forward _draw _write",
    "inspect.py": "头 effective_receptive_field grad_cam _leaf _gradient",
    "kernels.py": "头 fused_attention cut_patches split_last swapped",
    "layers.py": "头 untouched triples narrow part patch_convolution"
    " _watched_everywhere PatchConv2D PatchConv2D.forward",
    "losses.py": "头 CUT total_cross_entropy log_softmax below_top",
    "modes.py": "头 eager functional imagined",
    "pooling.py": "头 global_mean global_max channel_max _ChannelMax"
    " _ChannelMax.forward _ChannelMax.backward needs_gradient",
    "precision.py": "match overflowed",
    "specimen/comparing.py": "variant variant_slopes",
    "specimen/drilling.py": "头 two_layers walk known_step assess",
    "specimen/reading.py": "STATISTICS NORMS DROPS parts write random_layers settle"
    " array_of _parts_of _slots",
    "specimen/running.py": "头 forward slopes overheard draw seed_random LISTENED"
    " _Ear _Ear.__init__ _Ear.__torch_function__ _ear _noting _given",
    "slots.py": "BUFFER_NAMES slots _slot",
    "training.py": "头 train_step build_optimizer set_lr",
}
# 笔记本里两翼本来就不同的格：安装与链接由工具写；其余是框架各说各话的地方
OWN_CELLS = re.compile(r"-(links|setup)$")
DIFFERENT_CELLS = set(
    # 写数组进参数的那几个小函数：set_value 对 data，全连接要不要转置
    "cbam-03 two-machines-03 vit-overfitting-03 vit-weakness-03 settings-41"
    " self-attention-16 self-attention-71"
    # 优化器、冻结、载入、移动平均的名字
    " receptive-field-39 remedies-19 remedies-81 remedies-82"
    # 各读各框架的记录
    " diagnosis-15"
    # 清梯度的名字
    " exercise-training-07"
    # 原笔记的模块：PyTorch 原样，Paddle 译过来，报错也各说各的
    " self-attention-15 self-attention-25 self-attention-26 self-attention-27"
    " self-attention-28 self-attention-78".split()
)


def files(wing: str) -> dict[str, Path]:
    """一翼里的全部文件，键为相对路径。"""
    return {str(p.relative_to(ROOT / wing)): p for p in (ROOT / wing).rglob("*.py")}


def translated(text: str, words: dict[str, str] = WORDS) -> str:
    """把左翼的代码换成右翼的用词。"""
    for word, other in words.items():
        text = re.sub(word, other, text)
    return text


def pieces(text: str) -> dict[str, str]:
    """一个文件拆成一件一件：函数、类、方法、赋值；排版与注释不算。"""
    found = {"头": ""}
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef):
            methods = [n for n in node.body if isinstance(n, ast.FunctionDef)]
            found |= {f"{node.name}.{n.name}": ast.unparse(n) for n in methods}
            node.body = [n for n in node.body if n not in methods] or [ast.Pass()]
        if isinstance(node, ast.Assign):
            name = ast.unparse(node.targets[0])
        else:
            name = getattr(node, "name", "头")
        found[name] = found.get(name, "") + ast.unparse(node) + "\n"
    return found


def different(left: str, right: str) -> set[str]:
    """两份代码里不同的那几件；只有一边有的也算。"""
    ours, theirs = pieces(left), pieces(right)
    return {key for key in ours | theirs if ours.get(key) != theirs.get(key)}


def public(module) -> dict[str, object]:
    """一个模块里自己定义的公开类与函数。"""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and getattr(value, "__module__", "") == module.__name__
    }


def modules() -> list[str]:
    """两翼共有的模块名，例如 gates.cbam。"""
    names = [name.removesuffix(".py").replace("/", ".") for name in files("torch")]
    return sorted(n for n in names if not n.endswith("__init__"))


def both(name: str):
    """同名的两个模块。"""
    return tuple(
        __import__(f"vision_attention.{wing}.{name}", fromlist=["_"])
        for wing in ("torch", "paddle")
    )


def signature(function) -> list[tuple]:
    """签名：名字、种类与默认值；类型里框架的名字不比。"""
    parameters = inspect.signature(function).parameters.values()
    return [(p.name, p.kind, str(p.default)) for p in parameters]


def test_same_files():
    assert files("torch").keys() == files("paddle").keys()


def test_same_public_names():
    ours, theirs = vision_attention.torch.__all__, vision_attention.paddle.__all__
    assert ours == theirs
    for name in ours:
        assert hasattr(vision_attention.torch, name)
        assert hasattr(vision_attention.paddle, name)


@pytest.mark.parametrize("name", sorted(files("torch")))
def test_same_text_after_translation(name):
    """名单之外逐句相同；名单里的确实不同，改得相同了就从名单里去掉。"""
    ours, theirs = (files(wing)[name].read_text("utf8") for wing in ("torch", "paddle"))
    assert different(translated(ours), theirs) == set(DIFFERENT.get(name, "").split())


def test_every_piece_is_compared():
    """改一个字，只有那一件红；少一件也红。"""
    left = (
        "import a\n\nX = 1\n\nclass A:\n    y = 1\n\n    def f(self):\n        pass\n"
    )
    assert different(left, left + "# 注释\n") == set()
    assert different(left, left.replace("X = 1", "X = 2")) == {"X"}
    assert different(left, left.replace("y = 1", "y = 2")) == {"A"}
    assert different(left, left.replace("pass", "return")) == {"A.f"}
    assert different(left, left.replace("import a", "import b")) == {"头"}
    assert different(left, left + "def g(): pass") == {"g"}


@pytest.mark.parametrize("name", modules())
def test_same_signatures(name):
    left, right = both(name)
    ours, theirs = public(left), public(right)
    shared = ours.keys() & theirs.keys()
    assert shared, "两翼没有一个同名的公开对象"
    for key in shared:
        assert signature(ours[key]) == signature(theirs[key]), key


@pytest.mark.parametrize("name", modules())
def test_same_docstrings(name):
    left, right = both(name)
    ours, theirs = public(left), public(right)
    for key in ours.keys() & theirs.keys():
        words = {r"\btorch\b": "paddle", r"\bPyTorch\b": "PaddlePaddle"}
        texts = [inspect.getdoc(ours[key]), inspect.getdoc(theirs[key])]
        for word, other in words.items():
            texts = [re.sub(word, other, text or "") for text in texts]
        assert texts[0] == texts[1], key


def cells(wing: str, name: str) -> dict[str, tuple[str, str]]:
    """一本笔记本：每格的编号 → 种类与内容。"""
    path = NOTEBOOKS / wing / name
    found = json.loads(path.read_text("utf8"))["cells"]
    return {c["id"]: (c["cell_type"], "".join(c["source"])) for c in found}


def prose(text: str) -> str:
    """正文里两个框架的名字换成同一个词。"""
    text = re.sub(r"\bPyTorch\b|\bPaddle(Paddle)?\b", "框架", text)
    return re.sub(r"\btorch\b|\bpaddle\b", "翼", text)


def code(text: str) -> tuple[list[str], str]:
    """一格代码：导入（排了序：翼的名字不同，次序也不同）与其余。"""
    body = ast.parse(text).body
    late = [node for node in body if not isinstance(node, ast.Import | ast.ImportFrom)]
    early = sorted(ast.unparse(node) for node in body if node not in late)
    return early, "\n".join(map(ast.unparse, late))


def unlike(left: dict, right: dict) -> set[str]:
    """两本笔记本里不同的格。"""
    found = set()
    for key in left.keys() & right.keys():
        (kind, ours), (other, theirs) = left[key], right[key]
        if kind == "code":
            same = code(translated(ours, NOTEBOOK_WORDS)) == code(theirs)
        else:
            same = prose(ours) == prose(theirs)
        if kind != other or not same:
            found.add(key)
    return found


@pytest.mark.parametrize(
    "name", sorted(p.name for p in NOTEBOOKS.glob("torch/*.ipynb"))
)
def test_notebook_twins_are_equal_cell_by_cell(name):
    """格的编号、次序、种类相同；换过用词之后内容相同，名单里的格除外。"""
    ours, theirs = cells("torch", name), cells("paddle", name)
    assert list(ours) == list(theirs)
    found = {key for key in unlike(ours, theirs) if not OWN_CELLS.search(key)}
    assert found == DIFFERENT_CELLS & ours.keys()


def test_a_changed_cell_is_found():
    left = {
        "a": ("code", "import torch\nx = torch.as_tensor(1)"),
        "b": ("markdown", "PyTorch"),
    }
    right = {
        "a": ("code", "import paddle\nx = paddle.to_tensor(1)"),
        "b": ("markdown", "Paddle"),
    }
    assert unlike(left, right) == set()
    assert unlike(left, right | {"a": ("code", "import paddle\nx = 1")}) == {"a"}
    assert unlike(left, right | {"b": ("markdown", "Paddle。")}) == {"b"}
    assert unlike(left, right | {"b": ("code", "Paddle")}) == {"b"}
