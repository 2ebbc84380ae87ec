"""Flash that the vocabulary of a WordPiece tokenizer takes, as tinyc stores it and in other ways.

    python benchmarks/tokenizer_sizes.py tokenizer.json

Every way holds the same entries, those that a text can lead to, with 16-bit ids. The others are counted
without their search code; the double array as if it had no holes, the hash at three bits an entry.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from tinyc.cli import output
from tinyc.text import code_points, trie
from tinyc.text.lexicon import Lexicon, lexicon
from tinyc.text.tokenizer import load

_ID = 2
_BLOCK = 16


def hashed(entries: Mapping[str, int]) -> int:
    """A minimal perfect hash: function, ids, where each string begins, and the strings to compare with."""
    strings = sum(len(text.encode()) for text in entries)
    offset = 2 if strings < 1 << 16 else 3
    return len(entries) * 3 // 8 + len(entries) * (_ID + offset) + strings


def front_coded(entries: Mapping[str, int]) -> int:
    """Sorted strings in blocks of 16, each but the first as (shared, more, bytes), ids, block offsets."""
    strings = sorted(text.encode() for text in entries)
    total = 0
    for index, text in enumerate(strings):
        shared = 0
        if index % _BLOCK:
            before = strings[index - 1]
            while shared < min(len(before), len(text)) and before[shared] == text[shared]:
                shared += 1
        total += 1 + (index % _BLOCK > 0) + len(text) - shared
    return total + _ID * len(strings) + (2 if total < 1 << 16 else 3) * -(-len(strings) // _BLOCK)


def double_array(entries: Mapping[str, int]) -> int:
    """Base and check for every node of a trie of bytes, ids in leaves of their own."""
    nodes = {text.encode()[:end] for text in entries for end in range(1, len(text.encode()) + 1)}
    cells = len(nodes) + len(entries)
    return cells * 2 * (2 if cells < 1 << 16 else 4)


def stored(words: Lexicon) -> int:
    return trie.build([words.initial, words.continuing], words.letters).bytes + _ID * len(words.isolated)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("tokenizer", type=Path)
    words = lexicon(load(parser.parse_args().tokenizer))
    continuing = {f"#{text}": number for text, number in words.continuing.items()}
    alone = dict(zip(words.isolated, words.isolated_ids, strict=True))
    entries = {**words.initial, **continuing, **alone}
    rows = [
        ("minimal perfect hash and strings", f"{hashed(entries):,}"),
        ("front-coded sorted strings", f"{front_coded(entries):,}"),
        ("double array", f"{double_array(entries):,}"),
        ("trie of tinyc", f"{stored(words):,}"),
        ("map of code points, beside each of them", f"{code_points.encode(words.values).bytes:,}"),
    ]
    output.table(f"{len(entries):,} entries", ("stored as", "bytes>"), rows)


if __name__ == "__main__":
    main()
