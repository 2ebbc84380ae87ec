"""A map of all code points as a byte stream of runs.

Each run is two varints: how many code points, and twice its value, plus one where the value rises by one
from code point to code point. Every `GROUP` runs the index says which code point comes next and where in
the stream, so that a lookup is a binary search and a short walk. The first `DIRECT` code points are a plain
array, because most text is ASCII.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyc.text.narrow import Unsigned, narrow
from tinyc.text.varint import read_varint, varint

DIRECT = 128
GROUP = 24

Values = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class CodePointMap:
    """`direct`: values of the first code points. `firsts` and `offsets`: the index. `stream`: the runs."""

    direct: Unsigned
    firsts: npt.NDArray[np.uint32]
    offsets: Unsigned
    stream: npt.NDArray[np.uint8]

    @property
    def bytes(self) -> int:
        return sum(array.nbytes for array in (self.direct, self.firsts, self.offsets, self.stream))

    def __getitem__(self, code: int) -> int:
        """The value of a code point, found as the generated C finds it."""
        if code < DIRECT:
            return int(self.direct[code])
        group = int(np.searchsorted(self.firsts, code, side="right")) - 1
        first, at = int(self.firsts[group]), int(self.offsets[group])
        while True:
            count, at = read_varint(self.stream, at)
            value, at = read_varint(self.stream, at)
            if code < first + count:
                return (value >> 1) + (code - first) * (value & 1)
            first += count


def encode(values: Values) -> CodePointMap:
    """The map of an array that has a value for every code point."""
    firsts, offsets = [], []
    stream = bytearray()
    for index, (first, count, value, rising) in enumerate(_runs(values)):
        if index % GROUP == 0:
            firsts.append(first)
            offsets.append(len(stream))
        stream += varint(count) + varint(2 * value + rising)
    return CodePointMap(
        narrow(values[:DIRECT]),
        np.array(firsts, np.uint32),
        narrow(offsets),
        np.frombuffer(bytes(stream), np.uint8),
    )


def _runs(values: Values) -> list[tuple[int, int, int, int]]:
    """(first code point, count, value, rising), from `DIRECT` on: the longer of both kinds each time."""
    steps = np.diff(values.astype(np.int32))
    breaks = [np.flatnonzero(steps != step) for step in (0, 1)]
    found = []
    at = DIRECT
    while at < len(values):
        ends = []
        for where in breaks:
            next_break = int(np.searchsorted(where, at))
            ends.append(int(where[next_break]) + 1 if next_break < len(where) else len(values))
        rising = int(ends[1] > ends[0])
        found.append((at, ends[rising] - at, int(values[at]), rising))
        at = ends[rising]
    return found
