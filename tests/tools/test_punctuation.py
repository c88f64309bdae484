"""标点工具:该改的改,代码、公式与英文不动。"""

import pytest

from tools.lint.punctuation import markdown, python, widen

WIDE = {
    "好,": "好\uff0c",
    "好, 再": "好\uff0c再",
    "PyTorch,两翼": "PyTorch\uff0c两翼",
    "甲(乙)": "甲\uff08乙\uff09",
    "甲(channel)": "甲\uff08channel\uff09",
    "`x`,`y` 都好": "`x`\uff0c`y` 都好",
    "见:": "见\uff1a",
}
KEPT = ["f(a, b)", "1,297 张", "形状: x (B, C, H, W)", "https://a.b/c?d", "a, b: c"]


@pytest.mark.parametrize(("text", "better"), WIDE.items())
def test_half_width_next_to_chinese_becomes_full_width(text, better):
    assert widen(text) == better


@pytest.mark.parametrize("text", [*KEPT, *WIDE.values()])
def test_the_rest_is_left_alone(text):
    assert widen(text) == text


def test_python_changes_only_strings_and_comments():
    source = 'f("甲,乙", x)  # 丙:丁\n'
    assert python(source) == 'f("甲\uff0c乙", x)  # 丙\uff1a丁\n'


@pytest.mark.parametrize(
    "text", ["`甲,乙`", "$\\text{甲,乙}$", "```python\n# 甲,乙\n```", "[x](a,b.md)"]
)
def test_markdown_keeps_code_and_formulas(text):
    assert markdown(text) == text


def test_markdown_changes_directives_and_prose():
    text = "```{note}\n甲,乙 `x`,丙\n```"
    assert markdown(text) == "```{note}\n甲\uff0c乙 `x`\uff0c丙\n```"
