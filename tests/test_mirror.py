"""两翼是镜像：同名文件、同名公开对象、同样的签名与文档；词换过去之后，代码逐句相同。"""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

import vision_attention
import vision_attention.paddle
import vision_attention.torch

ROOT = Path(vision_attention.__file__).parent

# 两个框架的用词，一张闭表：换过去之后两边的代码应当一样
WORDS = {
    r"\btorch\b": "paddle",
    r"\bnn\.Module\b": "nn.Layer",
    r"\bnn\.(Conv1|Conv2|BatchNorm2|MaxPool2)d\b": r"nn.\1D",
    r"\bbias=": "bias_attr=",
}
# 这几间房里两个框架做法不同，只比较公开的名字、签名与文档
DIFFERENT = {
    "init.py",
    "kernels.py",
    "layers.py",
    "losses.py",
    "modes.py",
    "pooling.py",
    "precision.py",
    "training.py",
    "checkpoint.py",
    "device.py",
}
DIFFERENT |= {
    f"specimen/{n}.py" for n in ("reading", "running", "comparing", "drilling")
}
DIFFERENT |= {"inspect.py", "counting.py", "hooks.py", "sanity.py", "__init__.py"}


def files(wing: str) -> dict[str, Path]:
    """一翼里的全部文件，键为相对路径。"""
    return {str(p.relative_to(ROOT / wing)): p for p in (ROOT / wing).rglob("*.py")}


def translated(text: str) -> str:
    """把左翼的代码换成右翼的用词，再去掉排版与注释。"""
    for word, other in WORDS.items():
        text = re.sub(word, other, text)
    return ast.unparse(ast.parse(text))


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


@pytest.mark.parametrize("name", sorted(set(files("torch")) - DIFFERENT))
def test_same_text_after_translation(name):
    ours, theirs = files("torch")[name], files("paddle")[name]
    left = translated(ours.read_text(encoding="utf-8"))
    right = ast.unparse(ast.parse(theirs.read_text(encoding="utf-8")))
    assert left == right


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
