"""pydantic 挑出的错，说成一句中文；study.yaml 与记录说同样的话。

内容: complaint。
"""

from __future__ import annotations

from typing import Any

from vision_attention.checks import shown

WRONG = {
    "int_type": "应为整数",
    "float_type": "应为数",
    "string_type": "应为文字",
    "bool_type": "应为 true 或 false",
    "list_type": "应为列表",
    "dict_type": "应为「键: 值」",
    "model_type": "应为「键: 值」",
    "too_short": "不能为空",
    "too_long": "太多",
    "string_too_short": "太短了",
    "finite_number": "应为有限的数",
    "string_pattern_mismatch": "样子不对",
}
LIMITS = {
    "greater_than": ("gt", "太小，应大于"),
    "greater_than_equal": ("ge", "太小，应不小于"),
    "less_than_equal": ("le", "太大，应不大于"),
}


def complaint(item: dict[str, Any], name: str) -> str:
    """一条错误 → 哪个键、收到什么、应为什么。

    参数: item 为 ValidationError.errors() 的一项；name 为键的名字，如 budget.minutes
    """
    kind, given = item["type"], shown(item.get("input"))
    if kind == "missing":
        return f"缺少必填的键 {name!r}"
    if kind == "extra_forbidden":
        return f"不认识的键 {name!r}"
    if kind == "literal_error":
        return f"{name}={given} 不认识；可用的取值：{item['ctx']['expected']}"
    if kind in LIMITS:
        bound, word = LIMITS[kind]
        return f"{name}={given} {word} {item['ctx'][bound]:g}"
    if kind == "value_error":
        return f"{name}：{item['ctx']['error']}"
    return f"{name}={given} 不对：{WRONG.get(kind, item['msg'])}"
