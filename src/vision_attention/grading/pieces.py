"""读者的每件参数写成位置要的样子：大矩阵拆成几段，几个小矩阵拼成一个，换一种读法。

内容: Piece、expansions。
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations, product

import numpy as np

from vision_attention.grading.tasks import Slots
from vision_attention.parts import Part

Arrays = Mapping[str, np.ndarray]
Read = Callable[[Arrays], np.ndarray]

HAND_WRITTEN = (1e-5, 1e-6)  # 手写的归一化看不出 ε，常见的就这两个


@dataclass(frozen=True)
class Piece:
    """可以放进一个位置的一件：种类、形状，怎样从读者的参数里取；chunk 为真时是一段。"""

    kind: str
    shape: tuple[int, ...]
    weight: Read
    bias: Read | None
    part: Part
    name: str = ""
    chunk: bool = False


def expansions(
    parts: Sequence[Part], values: Arrays, slots: Slots, heads: int
) -> Iterator[list[Piece]]:
    """把每件东西写成位置要的样子：一个大矩阵拆成三段，几个小矩阵拼成一个。"""
    for read in _readings(parts, values, slots):
        yield from _expanded([_whole(part, values) for part in read], slots, heads)


def _readings(
    parts: Sequence[Part], values: Arrays, slots: Slots
) -> Iterator[Sequence[Part]]:
    """直接挂着的向量有几种读法：前一个矩阵的偏置，单独的一个，手写的归一化的两半。"""
    yield parts
    apart = [one for part in parts for one in _unpaired(part)]
    if len(apart) > len(parts):
        yield apart
    norms = {shape for kind, shape in slots.values() if kind == "norm"}
    loose = [p for p in parts if p.kind == "raw" and values[p.weight].shape in norms]
    if loose and len(loose) % 2 == 0:
        rest = [part for part in parts if part not in loose]
        halves = list(zip(loose[::2], loose[1::2], strict=True))
        for eps in HAND_WRITTEN:
            yield rest + [
                replace(scale, kind="norm", bias=shift.weight, eps=eps)
                for scale, shift in halves
            ]


def _unpaired(part: Part) -> list[Part]:
    """猜作偏置的向量拆出来，自成一件。"""
    if part.kind != "raw" or part.bias is None:
        return [part]
    return [replace(part, bias=None), replace(part, weight=part.bias, bias=None)]


def _expanded(pieces: list[Piece], slots: Slots, heads: int) -> Iterator[list[Piece]]:
    for joined in _joined(pieces, slots):
        ways = [_ways(piece, slots, heads) for piece in joined]
        # 形状相同的几件用同一种拆法
        kinds = [(p.kind, p.part.kind, p.shape) for p in joined]
        groups = list(dict.fromkeys(kinds))
        counts = {
            g: min(len(w) for w, k in zip(ways, kinds, strict=True) if k == g)
            for g in groups
        }
        for picked in product(*(range(counts[g]) for g in groups)):
            index = dict(zip(groups, picked, strict=True))
            yield [p for w, k in zip(ways, kinds, strict=True) for p in w[index[k]]]


def _whole(part: Part, values: Arrays) -> Piece:
    """一件东西原来的样子；全连接与 1×1 卷积写成（输出，输入）。"""
    shape = values[part.weight].shape

    def weight(arrays: Arrays) -> np.ndarray:
        array = arrays[part.weight]
        if part.transposed:
            array = array.T
        return array.reshape((array.shape[0], -1)) if part.kind == "dense" else array

    bias = None if part.bias is None else (lambda arrays: arrays[part.bias])
    if part.kind == "dense":
        shape = weight(values).shape
    return Piece(part.kind, shape, weight, bias, part, f"{part.owner}.{part.weight}")


def _joined(pieces: list[Piece], slots: Slots) -> Iterator[list[Piece]]:
    """每个头各一份小矩阵的，拼成一个；两种排法。"""
    yield pieces
    wanted = {shape for kind, shape in slots.values() if kind == "dense"}
    narrow = [
        p
        for p in pieces
        if p.kind == "dense"
        and p.shape not in wanted
        and any(p.shape[1] == i and o % p.shape[0] == 0 for o, i in wanted)
    ]
    if len(narrow) < 3 or len(narrow) % 3 or len({p.shape for p in narrow}) > 1:
        return
    rest = [p for p in pieces if p not in narrow]
    count = len(narrow) // 3
    yield [_stack(narrow[k::3]) for k in range(3)] + rest
    yield [_stack(narrow[k * count : (k + 1) * count]) for k in range(3)] + rest


def _stack(pieces: list[Piece]) -> Piece:
    first = pieces[0]
    biased = all(p.bias is not None for p in pieces)

    def weight(arrays: Arrays) -> np.ndarray:
        return np.concatenate([p.weight(arrays) for p in pieces])

    def bias(arrays: Arrays) -> np.ndarray:
        return np.concatenate([p.bias(arrays) for p in pieces])

    shape = (sum(p.shape[0] for p in pieces), first.shape[1])
    return Piece(
        "dense", shape, weight, bias if biased else None, first.part, first.name
    )


def _ways(piece: Piece, slots: Slots, heads: int) -> list[list[Piece]]:
    """一件东西的几种样子，每一种是一件或几件。"""
    fitting = [(k, s) for k, s in slots.values()]
    if (piece.kind, piece.shape) in fitting and piece.kind != "raw":
        return [[piece]]
    ways = [[p] for p in _reshaped(piece, fitting)]
    for whole in [piece, *_matrices(piece)]:
        ways += _chunks(whole, fitting, heads)
    return ways or [[piece]]


def _reshaped(piece: Piece, fitting: list[tuple[str, tuple[int, ...]]]) -> list[Piece]:
    """大小相同、只是样子不同：直接挂着的参数，核是 1 的卷积。"""
    size = int(np.prod(piece.shape))
    found = []
    for kind, shape in dict.fromkeys(fitting):
        if int(np.prod(shape)) != size or piece.kind == "norm":
            continue
        if kind == "raw" and piece.kind == "raw":
            found.append(replace(piece, shape=shape))
        elif kind == "conv" and piece.kind == "dense" and piece.shape[0] == shape[0]:
            found += _as_kernels(piece, shape)
        elif kind == "dense" and piece.kind == "raw":
            found += [m for m in _matrices(piece) if m.shape == shape]
        elif kind == "conv" and piece.kind == "raw":
            found.append(replace(piece, kind="conv", shape=shape))
    return found


def _as_kernels(piece: Piece, shape: tuple[int, ...]) -> list[Piece]:
    """全连接当卷积用：展开的一块里，通道在前（C, k, k），或在后（k, k, C）。"""
    out, c, *kernel = shape

    def last(arrays: Arrays) -> np.ndarray:
        return np.moveaxis(piece.weight(arrays).reshape((out, *kernel, c)), 3, 1)

    same = replace(piece, kind="conv", shape=shape)
    return [same] if kernel == [1, 1] else [same, replace(same, weight=last)]


def _matrices(piece: Piece) -> list[Piece]:
    """直接挂着的参数当成矩阵的几种读法：轴的次序，输出占前几个轴。"""
    found, shape = [], piece.shape
    if piece.kind != "raw" or not 2 <= len(shape) <= 3:
        return []
    for order in sorted(permutations(range(len(shape))), key=_natural):
        for cut in range(1, len(shape)):
            out = int(np.prod([shape[k] for k in order[:cut]]))

            def weight(
                arrays: Arrays, order: tuple[int, ...] = order, out: int = out
            ) -> np.ndarray:
                return arrays[piece.part.weight].transpose(order).reshape((out, -1))

            whole = (out, int(np.prod(shape)) // out)
            found.append(
                Piece("dense", whole, weight, piece.bias, piece.part, piece.name)
            )
    return found


def _natural(order: tuple[int, ...]) -> tuple[int, ...]:
    """先试（输入，输出）：自己写矩阵的人多半写 x @ W。"""
    return (order[-1], *order)


def _chunks(
    piece: Piece, fitting: list[tuple[str, tuple[int, ...]]], heads: int
) -> list[list[Piece]]:
    """一个大矩阵拆成两三段：一段接一段，或者每个头里一段接一段。"""
    found: list[list[Piece]] = []
    if piece.kind != "dense":
        return found
    for shape in dict.fromkeys(s for k, s in fitting if k == "dense"):
        out, given = piece.shape
        count = out // shape[0]
        if given != shape[1] or out != count * shape[0] or count not in (2, 3):
            continue
        if fitting.count(("dense", shape)) >= count:
            layouts = dict.fromkeys((1, heads, shape[0]))
            found += [
                [_chunk(piece, k, count, a) for k in range(count)] for a in layouts
            ]
    return found


def _chunk(piece: Piece, k: int, count: int, heads: int) -> Piece:
    """第 k 段；heads 为 1 时一段接一段，否则每个头里各取一段。"""
    out, given = piece.shape

    def weight(arrays: Arrays) -> np.ndarray:
        array = piece.weight(arrays).reshape((heads, count, -1, given))
        return array[:, k].reshape((-1, given))

    def bias(arrays: Arrays) -> np.ndarray:
        return piece.bias(arrays).reshape((heads, count, -1))[:, k].reshape(-1)

    whole = (out // count, given)
    kept = bias if piece.bias is not None else None
    return Piece("dense", whole, weight, kept, piece.part, chunk=True)
