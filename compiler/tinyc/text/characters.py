"""Properties of code points as the library `tokenizers` has them.

They lie in `characters.toml`, which `benchmarks/measure_characters.py` probes from the library: its
components follow different Unicode versions, so no single version of `unicodedata` has all of them.
Canonical decompositions never change once a character has one, so only which code points decompose is
stored, and Python's own tables say into what.
"""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

TABLE = Path(__file__).with_name("characters.toml")
CODE_POINTS = 0x110000
HANGUL = range(0xAC00, 0xD7A4)

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Characters:
    """One flag per code point and property, and the lower case of those that have another one.

    `control`: what cleaning removes. `chinese`: what gets spaces around it. `mark` and `combining`:
    what a BertNormalizer and a StripAccents remove. `word`: what the expression `\\w` matches.
    `letter` and `number`: classes of the byte-level split.
    """

    control: Flags
    chinese: Flags
    mark: Flags
    combining: Flags
    decomposed: Flags
    whitespace: Flags
    punctuation: Flags
    word: Flags
    letter: Flags
    number: Flags
    lower: Mapping[int, str]

    def decomposition(self, code: int) -> str:
        """Canonical decomposition in full of one code point, itself where it has none."""
        character = chr(code)
        return unicodedata.normalize("NFD", character) if self.decomposed[code] else character


@cache
def characters() -> Characters:
    """The table of `characters.toml`."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    names = (
        "control",
        "chinese",
        "mark",
        "combining",
        "decomposed",
        "whitespace",
        "punctuation",
        "word",
        "letter",
        "number",
    )
    lower = _lower(table["lower"])
    for code, word in table["lower_sequences"].items():
        lower[int(code, 16)] = "".join(chr(int(part, 16)) for part in word.split())
    return Characters(**{name: _flags(table[name]) for name in names}, lower=lower)


def _flags(words: Iterable[str]) -> Flags:
    flags = np.zeros(CODE_POINTS, np.bool_)
    for word in words:
        first, _, last = word.partition("-")
        flags[int(first, 16) : int(last or first, 16) + 1] = True
    flags.setflags(write=False)
    return flags


def _lower(words: Iterable[str]) -> dict[int, str]:
    """Of `first-last/step+delta`, the bounds hexadecimal, the rest decimal."""
    found = {}
    for word in words:
        bounds, _, rule = word.partition("/")
        first, last = (int(bound, 16) for bound in bounds.split("-"))
        step, delta = int(rule[0]), int(rule[1:])
        found.update({code: chr(code + delta) for code in range(first, last + 1, step)})
    return found
