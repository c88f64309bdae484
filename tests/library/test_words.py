"""文档字符串的用字：标签用半角冒号，中文里用全角分号，「错误」一项不漏参数。"""

import importlib
import inspect
import re
from pathlib import Path

import pytest
from cases import KINDS

import vision_attention

ROOT = Path(vision_attention.__file__).parent
LABEL = re.compile(r"^\s*(形状|参数|返回|单位|错误|出处|内容|用法)：", re.M)
# 底层的检查与尺寸，以及两翼里的模型；训练、检查点与读数另有一套写法（形状里有分号）
GROUND = [
    "checks",
    "specs.py",
    "training/config.py",
    "geometry.py",
    "training/schedules.py",
    "initial.py",
]
READINGS = {"training.py", "checkpoint.py", "inspect.py", "hooks.py", "counting.py"}


def sources():
    """要看的文件。"""
    paths = [ROOT / name for name in (*GROUND, "torch", "paddle")]
    files = [q for p in paths for q in ([p] if p.is_file() else p.rglob("*.py"))]
    return sorted(path for path in files if path.name not in READINGS)


def label_faults(text):
    """写成全角冒号的标签。"""
    return [hit[1] for hit in LABEL.finditer(text)]


def semicolon_faults(text):
    """有半角分号的行：代码里从不用它，所以都是中文里的。"""
    return [line.strip() for line in text.splitlines() if ";" in line]


@pytest.mark.parametrize("law", [label_faults, semicolon_faults])
@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_punctuation_of_docstrings(path, law):
    assert not law(path.read_text("utf8"))


@pytest.mark.parametrize(
    ("law", "sample"),
    [(label_faults, "    返回：甲\n"), (semicolon_faults, "C 即通道;stride 为步长")],
)
def test_the_laws_have_teeth(law, sample):
    assert law(sample)


# 构造时要检查的参数：「错误」一项说到它，才查得到为什么被拒绝；门的由 KINDS 来
REFUSED = {"gamma", "mask", "mlp_ratio", "drop_path_rate", "qkv_bias", "scale", "fused"}
REFUSED |= {name for kind in KINDS for bad in kind.bad.values() for name in bad}
REFUSED -= {"in_channels"}


def classes(wing):
    """一翼公开的类：门、注意力与块。"""
    names = [n for n in wing.__all__ if inspect.isclass(getattr(wing, n))]
    return {name: getattr(wing, name) for name in names}


def errors_of(found, name):
    """一个类的「错误」一项；「同某某」的，接着看那一个。"""
    text = inspect.getdoc(found[name])
    match = re.search(r"^错误: (.*?)(?=^\S+: |\Z)", text, re.M | re.S)
    said = match[1] if match else ""
    same = re.search(r"同 ?(\w+)", said)
    return said + (errors_of(found, same[1]) if same else "")


@pytest.mark.parametrize("wing", ["torch", "paddle"])
def test_every_refused_argument_is_named_in_the_docstring(wing):
    found = classes(importlib.import_module(f"vision_attention.{wing}"))
    missing = {
        (name, argument)
        for name, kind in found.items()
        if name != "CBAM"  # 它说的是「任何一项」
        for argument in REFUSED & set(inspect.signature(kind).parameters)
        if argument not in errors_of(found, name)
    }
    assert not missing
