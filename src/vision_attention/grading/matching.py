"""读者的权重照形状与角色对到参照的权重上；几种对法都说得通时，全都给出来。

内容: Match、matches。
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vision_attention.grading.pieces import Arrays, Piece, expansions
from vision_attention.grading.tasks import Slots
from vision_attention.parts import Part

ROLES = {
    "query": re.compile(r"(^|[^a-z])(w?q|to_?q|quer(y|ies))([^a-z]|$)"),
    "key": re.compile(r"(^|[^a-z])(w?k|to_?k|keys?)([^a-z]|$)"),
    "value": re.compile(r"(^|[^a-z])(w?v|to_?v|val|values?)([^a-z]|$)"),
}


@dataclass(frozen=True)
class Match:
    """一种对法：每个位置放哪一件。"""

    pieces: Mapping[str, Piece]

    def weights(self, values: Arrays, slots: Slots) -> dict[str, np.ndarray]:
        """参照的权重，数取自读者的参数；没有偏置的是 0。"""
        found = {}
        for slot, (kind, shape) in slots.items():
            piece = self.pieces[slot]
            found[slot] = piece.weight(values).reshape(shape)
            if kind != "raw":
                found[f"{slot}.bias"] = np.zeros(shape[0], found[slot].dtype)
                if piece.bias is not None:
                    found[f"{slot}.bias"] = piece.bias(values).reshape(-1)
            if kind == "norm":
                found |= _statistics(slot, piece.part, values)
        return {name: array.astype(np.float32) for name, array in found.items()}

    def gradients(self, grads: Arrays) -> dict[str, np.ndarray]:
        """读者的梯度，名字换成参照的。"""
        found = {slot: piece.weight(grads) for slot, piece in self.pieces.items()}
        biases = {
            f"{slot}.bias": piece.bias(grads)
            for slot, piece in self.pieces.items()
            if piece.bias is not None
        }
        return found | biases

    def without_bias(self) -> list[str]:
        """没有偏置的位置。"""
        return [s for s, p in self.pieces.items() if p.bias is None and p.kind != "raw"]


def _statistics(slot: str, part: Part, values: Arrays) -> dict[str, np.ndarray]:
    names = dict(zip(("mean", "variance"), part.statistics, strict=False))
    found = {f"{slot}.{short}": values[name] for short, name in names.items()}
    return found | {f"{slot}.eps": np.array([part.eps])}


def matches(
    parts: Sequence[Part], values: Arrays, slots: Slots, heads: int = 1
) -> Iterator[Match]:
    """全部说得通的对法，最像的在前：依建立的次序；名字说明了角色的，照名字。"""
    for pieces in expansions(parts, values, slots, heads):
        if len(pieces) == len(slots):
            hints = _hints(pieces) or _output_hint(pieces)
            for chosen in _fill(list(slots.items()), pieces, hints):
                yield Match(chosen)


def _fill(
    slots: list[tuple[str, tuple[str, tuple[int, ...]]]],
    pieces: list[Piece],
    hints: Mapping[str, int],
) -> Iterator[dict[str, Piece]]:
    """逐个位置放一件，每件恰好用一次。"""
    if not slots:
        yield {}
        return
    (slot, (kind, shape)), *rest = slots
    for k, piece in enumerate(pieces):
        fits = piece.kind == kind and piece.shape == shape
        if fits and hints.get(slot, id(piece)) == id(piece):
            left = pieces[:k] + pieces[k + 1 :]
            for found in _fill(rest, left, hints):
                yield {slot: piece, **found}


def _hints(pieces: Sequence[Piece]) -> dict[str, int]:
    """三个投影的名字都认得出来，就照名字；认不全的不算。"""
    found = {
        role: [id(p) for p in pieces if pattern.search(p.name.lower())]
        for role, pattern in ROLES.items()
    }
    clear = all(len(ids) == 1 for ids in found.values())
    return {role: ids[0] for role, ids in found.items()} if clear else {}


def _output_hint(pieces: Sequence[Piece]) -> dict[str, int]:
    """查询、键、值是一个大矩阵里的三段，旁边同样大小的那一个就是输出的投影。"""
    chunks = [p for p in pieces if p.chunk]
    rest = [p for p in pieces if not p.chunk and chunks and p.shape == chunks[0].shape]
    return {"proj": id(rest[0])} if len(chunks) == 3 and len(rest) == 1 else {}
