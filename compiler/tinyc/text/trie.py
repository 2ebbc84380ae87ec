"""Tries of token strings as one byte stream, walked without knowing its size.

An edge is a header byte, symbol << 3 | last << 2 | children << 1 | ends; a varint of symbol - 31 where the
symbol in the header is 31; the token id, two bytes, low one first, where an entry ends there; and where
it has children and is not the last of its siblings, a varint of the bytes that its children take. The
children follow at once, in the order of their symbols. The edges of the roots are found by table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tinyc.text.lexicon import SHORT_SYMBOLS
from tinyc.text.narrow import Unsigned, narrow
from tinyc.text.varint import varint

LAST, CHILDREN, ENDS = 4, 2, 1


@dataclass(frozen=True, slots=True)
class Trie:
    """`roots`: a row for each set of entries, which holds for each symbol the offset of its edge, 0
    where there is none."""

    roots: Unsigned
    stream: npt.NDArray[np.uint8]

    @property
    def bytes(self) -> int:
        return self.stream.nbytes + self.roots.nbytes


@dataclass(slots=True)
class _Node:
    id: int | None = None
    children: dict[int, _Node] = field(default_factory=dict)


def build(entries: Sequence[Mapping[str, int]], letters: Sequence[str]) -> Trie:
    """One stream for several sets of entries: texts of `letters` → ids below 2^16."""
    symbols = {letter: number for number, letter in enumerate(letters)}
    # Offset 0 stands for "no edge", so nothing begins there.
    stream = bytearray(1)
    roots = []
    for texts in entries:
        root = _Node()
        for text, number in texts.items():
            node = root
            for letter in text:
                node = node.children.setdefault(symbols[letter], _Node())
            node.id = number
        offsets = [0] * len(letters)
        for symbol, node in sorted(root.children.items()):
            offsets[symbol] = len(stream)
            stream += _edge(symbol, node, True)
        roots.append(offsets)
    return Trie(narrow(roots), np.frombuffer(bytes(stream), np.uint8))


def _edge(symbol: int, node: _Node, last: bool) -> bytes:
    children = sorted(node.children.items())
    below = b"".join(
        _edge(child, each, index == len(children) - 1) for index, (child, each) in enumerate(children)
    )
    flags = LAST * last | CHILDREN * bool(children) | ENDS * (node.id is not None)
    edge = bytes([min(symbol, SHORT_SYMBOLS) << 3 | flags])
    if symbol >= SHORT_SYMBOLS:
        edge += varint(symbol - SHORT_SYMBOLS)
    if node.id is not None:
        edge += node.id.to_bytes(2, "little")
    if children and not last:
        edge += varint(len(below))
    return edge + below
