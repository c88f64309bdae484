"""YAML 里每个键在第几行，以及带行号的错误。

内容: StudyError、read_yaml、read_value、locate。
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml

Lines = dict[tuple, int]


class Loader(yaml.SafeLoader):
    """与 SafeLoader 相同，但 1e-3 也是数：YAML 1.1 要写成 1.0e-3 才算，人人都会忘。"""


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def read_value(text: str) -> Any:
    """一小段 YAML 的值，例如 3、true、1e-3、[1, 2]。"""
    return yaml.load(text, Loader)


class StudyError(ValueError):
    """study.yaml 写错了；信息里逐条列出行号与改法。"""

    def __init__(self, source: str, problems: Sequence[tuple[int, str]]) -> None:
        self.problems = sorted(set(problems))
        listed = "\n".join(f"  第 {line} 行：{text}" for line, text in self.problems)
        super().__init__(f"{source} 有 {len(self.problems)} 处不对：\n{listed}")


def read_yaml(text: str, source: str) -> tuple[dict[str, Any], Lines]:
    """读 YAML，同时记下每个键的行号。

    返回: (内容, {路径元组: 行号})
    错误: 不是合法的 YAML、顶层不是「键: 值」、同一个键写了两次时抛出 StudyError
    """
    try:
        node = yaml.compose(text, Loader)
        content = read_value(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = f"不是合法的 YAML（{error.problem}）；请检查缩进、冒号后的空格与引号"
        raise StudyError(source, [(mark.line + 1, problem)]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"有 YAML 不收的字符 {chr(error.character)!r}；请删去它"
        raise StudyError(source, [(line, problem)]) from None
    if not isinstance(content, dict):
        raise StudyError(source, [(1, "应为「键: 值」，至少要有 question 与 grid")])
    lines: Lines = {(): 1}
    repeated = _walk(node, (), lines)
    if repeated:
        raise StudyError(source, repeated)
    return content, lines


def _walk(node: yaml.Node, path: tuple, lines: Lines) -> list[tuple[int, str]]:
    """记下 node 之下每个键的行号；返回写了两次的键。"""
    repeated = []
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = read_value(yaml.serialize(key))
            line = key.start_mark.line + 1
            if (*path, name) in lines:
                repeated.append((line, f"键 {name!r} 写了两次，只留一个"))
            lines[(*path, name)] = line
            repeated += _walk(value, (*path, name), lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*path, index)] = value.start_mark.line + 1
            repeated += _walk(value, (*path, index), lines)
    return repeated


def locate(lines: Lines, path: Sequence) -> int:
    """一个 path 所在的行；找不到时取最近的上一级。"""
    place = tuple(path)
    while place not in lines:
        place = place[:-1]
    return lines[place]
