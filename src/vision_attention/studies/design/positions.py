"""YAML 里每个键在第几行，以及带行号的错误。

内容: StudyError、read_yaml、read_value、locate。
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import yaml

from vision_attention.checks import shown

Lines = dict[tuple, int]
TAG = "tag:yaml.org,2002:"
MERGE = f"{TAG}merge"
# 研究只用得到这几样；日期、集合、二进制写不进记录
KINDS = ("null", "bool", "int", "float", "str", "seq", "map")
KNOWN = [f"{TAG}{kind}" for kind in KINDS]
# 真的研究不到 4,000 字、6 层、500 个键；锚点可以把几行展开成几十亿个
LONGEST, DEEPEST, MOST = 32_000, 20, 10_000
DEEP = f"套得太深，或者自己套着自己，最多 {DEEPEST} 层"


class Loader(yaml.SafeLoader):
    """SafeLoader 里只留 KINDS，但 1e-3 也是数：YAML 1.1 要写成 1.0e-3，人人都会忘。"""

    depth = 0

    def compose_node(self, parent: yaml.Node, index: Any) -> yaml.Node:
        """读一个节点；太深的不读，免得栈溢出。"""
        self.depth += 1
        if self.depth > DEEPEST:
            raise _error(DEEP, self.peek_event().start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """节点 → 值；写着 !!int 的不是整数时，说出在哪里。"""
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, LookupError, ValueError):
            kind = node.tag.removeprefix(TAG)
            raise _error(f"{shown(node.value)} 不是 {kind}", node.start_mark) from None

    def whole(self, node: yaml.Node) -> int:
        """整数；64 位放不下的不收。"""
        if abs(value := self.construct_yaml_int(node)) >= 2**63:
            raise ValueError(value)
        return value

    def finite(self, node: yaml.Node) -> float:
        """有限的数。"""
        if not math.isfinite(value := self.construct_yaml_float(node)):
            raise ValueError(value)
        return value

    def unknown(self, node: yaml.Node) -> None:
        """不认识的标签。"""
        tag = shown(node.tag.replace(TAG, "!!"))
        raise _error(f"标签 {tag} 不认识", node.start_mark)


Loader.yaml_constructors = {
    tag: make for tag, make in Loader.yaml_constructors.items() if tag in KNOWN
}
# 没有认出来的就是文字：2026-01-01 也是
Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] in (*KNOWN, MERGE)]
    for first, pairs in Loader.yaml_implicit_resolvers.items()
}
Loader.add_constructor(f"{TAG}int", Loader.whole)
Loader.add_constructor(f"{TAG}float", Loader.finite)
Loader.add_constructor(None, Loader.unknown)
Loader.add_implicit_resolver(
    f"{TAG}float",
    re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def _error(problem: str, mark: yaml.Mark) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def read_value(text: str) -> Any:
    """一小段 YAML 的值，例如 3、true、1e-3、[1, 2]。"""
    return _read(text)[0]


class StudyError(ValueError):
    """study.yaml 写错了；信息里逐条列出行号与改法。"""

    def __init__(self, source: str, problems: Sequence[tuple[int, str]]) -> None:
        self.problems = sorted(set(problems))
        listed = "\n".join(f"  第 {line} 行：{text}" for line, text in self.problems)
        super().__init__(f"{source} 有 {len(self.problems)} 处不对：\n{listed}")


def read_yaml(text: str, source: str) -> tuple[dict[str, Any], Lines]:
    """读 YAML，同时记下每个键的行号。

    返回: (内容, {路径元组: 行号})
    错误: 不是合法的 YAML、顶层不是「键: 值」、同一个键写了两次、太长、太深、展开太大时
        抛出 StudyError
    """
    if len(text) > LONGEST:
        raise StudyError(source, [(1, f"有 {len(text)} 个字，最多 {LONGEST} 个")])
    try:
        content, places = _read(text)
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
    if places.repeated:
        raise StudyError(source, places.repeated)
    return content, places.lines


def _read(text: str) -> tuple[Any, _Places]:
    """内容，与每个键在第几行；锚点展开多大，造出内容之前就知道。"""
    loader = Loader(text)
    node, places = loader.get_single_node(), _Places(loader)
    if node is None:
        return None, places
    places.visit(node, ())
    return loader.construct_document(node), places


class _Places:
    """走遍一份 YAML，锚点照展开以后的走：每个键的行号，写了两次的键。"""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader
        self.lines: Lines = {(): 1}
        self.repeated: list[tuple[int, str]] = []
        self.steps = 0
        self.top: yaml.Mark | None = None

    def visit(self, node: yaml.Node, path: tuple) -> None:
        """一个节点之下的。"""
        if isinstance(node, yaml.MappingNode):
            self._keys(node, path, 0)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self._enter(value, (*path, index), value)

    def _keys(self, node: yaml.MappingNode, path: tuple, merges: int) -> None:
        """自己的键，再是 << 并进来的：自己写了的不并。merges 为并了几层。"""
        self._spend(node, merges)
        for key, value in node.value:
            if key.tag == MERGE:
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise _error("键应为一个词或一个数", key.start_mark)
            name = self.loader.construct_object(key)
            if (*path, name) not in self.lines:
                self._enter(key, (*path, name), value)
            elif not merges:
                line = key.start_mark.line + 1
                self.repeated.append((line, f"键 {name!r} 写了两次，只留一个"))
        for value in [value for key, value in node.value if key.tag == MERGE]:
            listed = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for inner in listed:
                if isinstance(inner, yaml.MappingNode):
                    self._keys(inner, path, merges + 1)

    def _enter(self, at: yaml.Node, path: tuple, value: yaml.Node) -> None:
        """记下 path 在 at 那一行，再往里走。"""
        self.top = at.start_mark if len(path) == 1 else self.top
        self._spend(at, len(path))
        self.lines[path] = at.start_mark.line + 1
        self.visit(value, path)

    def _spend(self, node: yaml.Node, depth: int) -> None:
        """走一步；太深、太多就停，指着最外层的那个键：锚点自己的行号是别处的。"""
        self.steps += 1
        mark = self.top or node.start_mark
        if depth > DEEPEST:
            raise _error(DEEP, mark)
        if self.steps > MOST:
            raise _error(f"展开以后太大，最多 {MOST} 个键与值", mark)


def locate(lines: Lines, path: Sequence) -> int:
    """一个 path 所在的行；找不到时取最近的上一级。"""
    place = tuple(path)
    while place not in lines:
        place = place[:-1]
    return lines[place]
