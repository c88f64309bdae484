"""一份 study.yaml 的文本 → 一项研究；写错的地方逐条说出行号与改法。

内容: parse。
"""

from __future__ import annotations

from pydantic import ValidationError

from vision_attention.checks import nearest
from vision_attention.studies.design.positions import StudyError, locate, read_yaml
from vision_attention.studies.design.schema import PARTS, Study
from vision_attention.studies.store.audit import audit
from vision_attention.studies.store.complaints import complaint


def parse(text: str, source: str = "study.yaml") -> Study:
    """把 YAML 文本读成一项研究，先查写法，再查是否自相矛盾。

    参数: text 为 YAML；source 用在错误信息里
    错误: 写错、矛盾时抛出 StudyError，每处一行：行号、哪里不对、最近的正确写法
    """
    content, lines = read_yaml(text, source)
    try:
        study = Study.model_validate(content)
    except ValidationError as error:
        problems = [_explain(item, lines) for item in error.errors()]
        raise StudyError(source, problems) from None
    problems = audit(study, lines)
    if problems:
        raise StudyError(source, problems)
    return study


def _explain(item: dict, lines: dict) -> tuple[int, str]:
    """一条 pydantic 错误 → (行号, 中文)。"""
    # 联合类型会在位置里插进自己的名字，例如 list[any]
    place = [part for part in item["loc"] if "[" not in str(part)]
    name = ".".join(str(part) for part in place)
    line = locate(lines, place)
    if item["type"] == "extra_forbidden":
        part = Study if len(place) == 1 else PARTS[place[0]]
        return line, f"不认识的键 {name!r}。{nearest(place[-1], part.model_fields)}"
    return line, complaint(item, name)
