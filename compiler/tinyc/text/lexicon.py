"""The alphabet and the entries that a WordPiece tokenizer can reach, and its map of code points.

A word with a letter that is in no entry is unknown as a whole, so all such letters are one. What is left is
the alphabet of the vocabulary: letters, the most frequent first, then the characters that are words of their
own. Entries that no text leads to, such as `[unused7]`, are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tinyc.errors import TinycError
from tinyc.text.characters import CODE_POINTS, HANGUL, characters
from tinyc.text.code_points import Values
from tinyc.text.description import Tokenizer
from tinyc.text.images import Images, Kind, orders_of_marks

# Letters that fit into the first byte of an edge of the trie.
SHORT_SYMBOLS = 31

# Values of the map of code points. Symbols follow, then sequences of symbols.
DROPPED, SPACE, UNKNOWN, UNKNOWN_ISOLATED, SYLLABLE, FIRST_SYMBOL = range(6)


@dataclass(frozen=True, slots=True, eq=False)
class Lexicon:
    """`letters`, then `isolated`, number the symbols. `initial` and `continuing`: entries, without
    prefix, → ids. `sequences`: texts of two letters or more. `values`: the map of code points."""

    letters: tuple[str, ...]
    isolated: tuple[str, ...]
    isolated_ids: tuple[int, ...]
    initial: Mapping[str, int]
    continuing: Mapping[str, int]
    sequences: tuple[str, ...]
    values: Values

    @property
    def first_sequence(self) -> int:
        return FIRST_SYMBOL + len(self.letters) + len(self.isolated)


def lexicon(tokenizer: Tokenizer) -> Lexicon:
    """What the C of a WordPiece tokenizer holds.

    Raises TinycError for a vocabulary with marks that decomposition would have to sort.
    """
    images = Images(tokenizer.normalization, tokenizer.pre_tokenizer)
    changed = {code: images.of(code) for code in images.changing()}
    isolated_flags = images.isolated()
    # Characters that normalized text can hold: what stays itself, and what others become.
    stays = ~(images.dropped() | images.spaces())
    stays[list(changed)] = False
    if tokenizer.normalization.strip_accents:
        stays[HANGUL.start : HANGUL.stop] = False
    becomes = {c for image in changed.values() for c in image.text}
    isolated_becomes = {i.text for i in changed.values() if i.kind is Kind.ISOLATED}

    def occurs(text: str) -> bool:
        return all(bool(stays[ord(c)]) or c in becomes or _is_jamo(c) for c in text)

    def is_isolated(c: str) -> bool:
        return bool(isolated_flags[ord(c)]) or c in isolated_becomes

    prefix = tokenizer.continuing_prefix
    initial, continuing, alone = {}, {}, {}
    for entry, number in tokenizer.vocabulary.items():
        text = entry.removeprefix(prefix)
        reachable = 0 < len(entry) <= tokenizer.max_word_characters and occurs(entry)
        if reachable and not any(map(is_isolated, entry)):
            initial[entry] = number
        elif reachable and len(entry) == 1:
            alone[entry] = number
        inside = entry.startswith(prefix) and 0 < len(text) < tokenizer.max_word_characters
        if inside and occurs(text) and not any(map(is_isolated, text)):
            continuing[text] = number
    letters = _letters(initial, continuing)
    if tokenizer.normalization.strip_accents and len(orders_of_marks(letters)) > 1:
        raise TinycError(
            "has marks of several combining classes, which would have to be sorted",
            where="tokenizer: vocabulary",
            allowed="marks of one combining class, or a normalizer that keeps accents",
        )
    isolated = tuple(sorted(alone))
    symbols = {c: FIRST_SYMBOL + index for index, c in enumerate((*letters, *isolated))}

    values = np.full(CODE_POINTS, UNKNOWN, np.uint16)
    values[isolated_flags] = UNKNOWN_ISOLATED
    for c, symbol in symbols.items():
        values[ord(c)] = symbol
    values[images.dropped()] = DROPPED
    if tokenizer.normalization.strip_accents and any(map(_is_jamo, letters)):
        values[HANGUL.start : HANGUL.stop] = SYLLABLE
    elif tokenizer.normalization.strip_accents:
        values[HANGUL.start : HANGUL.stop] = UNKNOWN
    sequences: dict[str, int] = {}
    first_sequence = FIRST_SYMBOL + len(symbols)
    for code, image in changed.items():
        known = all(c in symbols for c in image.text)
        if image.kind is Kind.DROPPED:
            value = DROPPED
        elif not known:
            value = UNKNOWN_ISOLATED if image.kind is Kind.ISOLATED else UNKNOWN
        elif len(image.text) == 1:
            value = symbols[image.text]
        else:
            value = first_sequence + sequences.setdefault(image.text, len(sequences))
        values[code] = value
    values[images.spaces()] = SPACE
    if tokenizer.normalization.clean:
        values[characters().control] = DROPPED
    return Lexicon(
        letters,
        isolated,
        tuple(alone[c] for c in isolated),
        initial,
        continuing,
        tuple(sequences),
        values,
    )


def _is_jamo(character: str) -> bool:
    """One of the letters that Hangul syllables decompose into."""
    code = ord(character)
    return 0x1100 <= code <= 0x1112 or 0x1161 <= code <= 0x1175 or 0x11A8 <= code <= 0x11C2


def _letters(*entries: Mapping[str, int]) -> tuple[str, ...]:
    """The letters of all entries: those of the most edges first, both groups by code point."""
    edges: set[tuple[int, str]] = set()
    for number, texts in enumerate(entries):
        for text in texts:
            edges.update((number, text[: end + 1]) for end in range(len(text)))
    counts = Counter(text[-1] for _, text in edges)
    ranked = sorted(counts, key=lambda letter: (-counts[letter], letter))
    return (*sorted(ranked[:SHORT_SYMBOLS]), *sorted(ranked[SHORT_SYMBOLS:]))
