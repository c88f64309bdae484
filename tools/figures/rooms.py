"""房子里有哪些房间、谁导入谁、各在第几层；都读自程序库的源文件，不载入任何框架。

test_house 由它判对错，「架构」一页的图由它画：图里的与检查的是同一份。
内容: `sources` 每个文件的语法树；`imports` 一个文件的全部导入；`modules` 文件之间的
    箭头；`arrows` 房间之间的箭头；`floors` 房间在第几层；
    `nearest_only` 画得清楚的那几支箭头；`circle` 找一个圈。
"""

from __future__ import annotations

import ast
import functools
import graphlib
from collections.abc import Iterable, Mapping
from pathlib import Path

PACKAGE = "vision_attention"
LIBRARY = Path(__file__).resolve().parents[2] / "src" / PACKAGE
WINGS = ("torch", "paddle")
ROOF = ("studies", "interop", "wings", "grading", "cli")
# 一翼之内：零件不导入模型；training 收到模型，也不导入
PARTS = ("init", "gates", "self_attention")
MODELS = ("vit", "resnet", "mobile", "small_cnn", "small_mlp", "models")
Graph = dict[str, set[str]]


@functools.cache
def sources() -> dict[str, ast.Module]:
    """程序库的每个文件：从 vision_attention 算起的名字 → 语法树。"""
    return {
        path.relative_to(LIBRARY).as_posix(): ast.parse(path.read_text("utf8"))
        for path in sorted(LIBRARY.rglob("*.py"))
    }


def imports(name: str, tree: ast.Module) -> list[str]:
    """一个文件的全部导入，写成绝对的点分名字；写在函数里的、只给类型检查看的都算。"""
    package = [PACKAGE, *name.split("/")[:-1]]
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            found += [f"{stem}.{alias.name}" for alias in node.names]
    return found


def module(name: str) -> str:
    """文件名换成模块名。"""
    parts = [PACKAGE, *name.removesuffix(".py").split("/")]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules(trees: Mapping[str, ast.Module] | None = None) -> Graph:
    """文件之间的箭头：模块 → 它导入的模块。

    参数: trees 为文件名 → 语法树，缺省为程序库的全部
    """
    trees = sources() if trees is None else trees
    known = {module(name) for name in trees}
    edges: Graph = {}
    for name, tree in trees.items():
        own = module(name)
        targets: set[str] = set()
        for item in imports(name, tree):
            target = item if item in known else item.rpartition(".")[0]
            targets |= {target} & known - {own}
        edges[own] = targets
    return edges


def room(name: str) -> str:
    """一个模块在哪个房间：翼、屋顶上的一间，或底层的一个文件夹或文件；研究逐间分开。"""
    parts = name.removeprefix(f"{PACKAGE}.").split(".")
    return "/".join(parts[: 2 if parts[0] == "studies" else 1])


def arrows(trees: Mapping[str, ast.Module] | None = None) -> Graph:
    """房间之间的箭头；包的门面（vision_attention 自己）不是房间。"""
    found: Graph = {}
    for own, targets in modules(trees).items():
        if own != PACKAGE:
            here = found.setdefault(room(own), set())
            here |= {room(t) for t in targets if t != PACKAGE} - {room(own)}
    return found


def floors(graph: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """每个房间在第几层：不导入别人的在 0 层，其余比它导入的最高的一间高一层。

    参数: graph 为没有圈的箭头
    """

    @functools.cache
    def floor(name: str) -> int:
        return max((floor(target) + 1 for target in graph.get(name, ())), default=0)

    return {name: floor(name) for name in graph}


def nearest_only(graph: Mapping[str, Iterable[str]]) -> Graph:
    """去掉绕一步也走得到的箭头，剩下的画得清楚；谁能走到谁不变。

    参数: graph 为没有圈的箭头
    """

    @functools.cache
    def reach(name: str) -> frozenset[str]:
        steps = set(graph.get(name, ()))
        return frozenset(steps.union(*map(reach, steps)))

    return {
        name: {t for t in targets if not any(t in reach(o) for o in targets)}
        for name, targets in graph.items()
    }


def circle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """箭头里的一个圈，从一间走回同一间；没有圈就是空表。"""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as found:
        return found.args[1][::-1]
    return []
