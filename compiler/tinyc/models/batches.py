"""Batches of sentences of similar length, padded no further than needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int32]
# Padded lengths: few enough that a graph can be traced for each.
LENGTHS = (8, 12, 16, 20, 24, 32, 48, 64, 96, 128, 192, 256)
# Batches whose sentences are sorted by length together.
SORTED_TOGETHER = 32


def padded(rows: Sequence[Sequence[int]], length: int | None = None, fill: int = 0) -> Ids:
    """The rows as int32 [len(rows), length], cut or filled up; without a length, the least of `LENGTHS`."""
    longest = max(map(len, rows), default=0)
    if length is None:
        length = next((bound for bound in LENGTHS if bound >= longest), longest)
    result = np.full((len(rows), length), fill, dtype=np.int32)
    for target, row in zip(result, rows, strict=True):
        cut = row[:length]
        target[: len(cut)] = cut
    return result


def similar_batches(lengths: Sequence[int], size: int, rng: np.random.Generator | None) -> Iterator[Ids]:
    """Indices of batches whose sentences have similar lengths.

    With `rng`, one pass in random order in which every batch has `size` rows, so up to `size - 1` rows
    are left out; without, all rows from the shortest to the longest.
    """
    order = np.argsort(np.asarray(lengths), kind="stable").astype(np.int32)
    if rng is None:
        for start in range(0, len(order), size):
            yield order[start : start + size]
        return
    order = rng.permutation(len(lengths)).astype(np.int32)
    order = order[: len(order) // size * size]
    sizes = np.asarray(lengths)
    batches: list[Ids] = []
    for start in range(0, len(order), size * SORTED_TOGETHER):
        part = order[start : start + size * SORTED_TOGETHER]
        part = part[np.argsort(sizes[part], kind="stable")]
        batches += [part[first : first + size] for first in range(0, len(part), size)]
    for index in rng.permutation(len(batches)):
        yield batches[index]
