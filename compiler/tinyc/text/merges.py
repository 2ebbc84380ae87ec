"""Byte-level BPE as tables: ids of the bytes, and the merges sorted by their left token.

Where left tokens have few merges each, a count per token and a sum every `GROUP` tokens find them; then a
binary search finds the right token. Mostly a merge's token has the id that follows that of the merge before,
so that the rank tells the id and no table of ids is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyc.text.description import Tokenizer
from tinyc.text.narrow import Unsigned, narrow

GROUP = 16
# Stands for "no token" and "no merge".
NONE = 0xFFFF

Short = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class MergeTables:
    """`byte_ids`: id of each byte. `counts`: merges of each left token, `starts`: their sum before every
    `GROUP`th. `rights` and `ranks`: one per merge. `ids`: token of each rank, None where it is
    `rank + first_id`."""

    byte_ids: Short
    counts: Unsigned
    starts: Short
    rights: Short
    ranks: Short
    ids: Short | None
    first_id: int

    @property
    def bytes(self) -> int:
        arrays = [self.byte_ids, self.counts, self.starts, self.rights, self.ranks]
        return sum(array.nbytes for array in arrays) + (0 if self.ids is None else self.ids.nbytes)


def byte_letters() -> tuple[str, ...]:
    """The letter that stands for each byte: itself where it is visible in Latin-1, else from U+0100 on."""
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return tuple(chr(byte if byte in visible else next(others)) for byte in range(256))


def byte_ids(tokenizer: Tokenizer) -> tuple[int, ...]:
    """Id of each byte: that of the unknown token, or `NONE`, for one that is no token."""
    missing = NONE if tokenizer.unknown is None else tokenizer.unknown
    return tuple(tokenizer.vocabulary.get(letter, missing) for letter in byte_letters())


def merge_tables(tokenizer: Tokenizer) -> MergeTables:
    """The tables of a byte-level BPE tokenizer."""
    vocabulary = tokenizer.vocabulary
    ids = np.array([vocabulary[left + right] for left, right in tokenizer.merges], np.uint16)
    pairs = sorted(
        (vocabulary[left], vocabulary[right], rank) for rank, (left, right) in enumerate(tokenizer.merges)
    )
    lefts = np.array([left for left, _, _ in pairs], np.int64)
    # A multiple of the group, and one group at least, so that the C needs no special case.
    size = (int(lefts[-1]) if len(lefts) else 0) // GROUP * GROUP + GROUP
    counts = np.bincount(lefts, minlength=size)
    sums = np.concatenate([[0], np.cumsum(counts)])
    first_id = int(ids[0]) if len(ids) else 0
    in_order = bool(np.array_equal(ids, first_id + np.arange(len(ids))))
    # C has no empty arrays.
    padded = pairs or [(0, NONE, NONE)]
    return MergeTables(
        byte_ids=np.array(byte_ids(tokenizer), np.uint16),
        counts=narrow(counts),
        starts=sums[:-1:GROUP].astype(np.uint16),
        rights=np.array([right for _, right, _ in padded], np.uint16),
        ranks=np.array([rank for _, _, rank in padded], np.uint16),
        ids=None if in_order else ids,
        first_id=first_id,
    )
