"""The alphabet and the entries that a WordPiece tokenizer can reach, and its map of code points.

A word with a letter that is in no entry is unknown as a whole, so all such letters are one. What is left is
the alphabet of the vocabulary: letters, the most frequent first, then the characters that are words of their
own. Entries that no text leads to, such as `[unused7]`, are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.errors import TinycError
from tinyc.text.characters import CODE_POINTS, HANGUL
from tinyc.text.code_points import Values
from tinyc.text.description import Tokenizer
from tinyc.text.images import Image, Images, Kind, orders_of_marks

# Letters that fit into the first byte of an edge of the trie.
SHORT_SYMBOLS = 31

# Values of the map of code points. Symbols follow, then sequences of symbols.
DROPPED, SPACE, UNKNOWN, UNKNOWN_SIGN, UNKNOWN_ISOLATED, SYLLABLE, FIRST_SYMBOL = range(7)


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
    has_signs: bool

    @property
    def first_sign(self) -> int:
        return FIRST_SYMBOL + len(self.letters)

    @property
    def first_isolated(self) -> int:
        return self.first_sign + (len(self.letters) if self.has_signs else 0)

    @property
    def first_sequence(self) -> int:
        return self.first_isolated + len(self.isolated)


def lexicon(tokenizer: Tokenizer) -> Lexicon:
    """What the C of a WordPiece tokenizer holds.

    Raises TinycError for a vocabulary with marks that decomposition would have to sort.
    """
    images = Images(tokenizer.normalization, tokenizer.pre_tokenizer)
    changed = {code: images.of(code) for code in images.changing()}
    initial, continuing, alone = _entries(tokenizer, images, changed)
    letters, isolated = _letters(initial, continuing), tuple(sorted(alone))
    if tokenizer.normalization.strip_accents and len(orders_of_marks(letters)) > 1:
        raise TinycError(
            "has marks of several combining classes, which would have to be sorted",
            where="tokenizer: vocabulary",
            allowed="marks of one combining class, or a normalizer that keeps accents",
        )
    sequences: dict[str, int] = {}
    values = _values(images, changed, letters, isolated, sequences)
    ids = tuple(alone[c] for c in isolated)
    has_signs = bool(images.signs().any())
    return Lexicon(letters, isolated, ids, initial, continuing, tuple(sequences), values, has_signs)


def _entries(
    tokenizer: Tokenizer, images: Images, changed: Mapping[int, Image]
) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Entries that begin a word, those inside one without their prefix, and words of one character
    of their own; only those that normalized text can lead to."""
    isolated, signs = images.isolated(), images.signs()
    stays = ~(images.dropped() | images.spaces())
    stays[list(changed)] = False
    if tokenizer.normalization.strip_accents:
        stays[HANGUL.start : HANGUL.stop] = False
    becomes = {c for image in changed.values() for c in image.text}

    def reachable(text: str) -> bool:
        known = all(bool(stays[ord(c)]) or c in becomes or _is_jamo(c) for c in text)
        return known and 0 < len(text) <= tokenizer.max_word_characters

    def in_one_word(text: str) -> bool:
        one_kind = len({bool(signs[ord(c)]) for c in text}) == 1
        return reachable(text) and one_kind and not any(isolated[ord(c)] for c in text)

    prefix = tokenizer.continuing_prefix
    vocabulary = tokenizer.vocabulary
    inside = {entry: entry.removeprefix(prefix) for entry in vocabulary if entry.startswith(prefix)}
    return (
        {entry: number for entry, number in vocabulary.items() if in_one_word(entry)},
        {text: vocabulary[entry] for entry, text in inside.items() if in_one_word(text)},
        {
            entry: number
            for entry, number in vocabulary.items()
            if len(entry) == 1 and reachable(entry) and isolated[ord(entry)]
        },
    )


def _values(
    images: Images,
    changed: Mapping[int, Image],
    letters: Sequence[str],
    isolated: Sequence[str],
    sequences: dict[str, int],
) -> Values:
    """Value of every code point. Adds the texts of several letters that some become to `sequences`."""
    signs = images.signs()
    # Signs have values of their own, so that the end of a word can be told from them.
    symbols = {
        c: FIRST_SYMBOL + index + (len(letters) if signs[ord(c)] else 0) for index, c in enumerate(letters)
    }
    first_isolated = FIRST_SYMBOL + (2 if signs.any() else 1) * len(letters)
    symbols.update({c: first_isolated + index for index, c in enumerate(isolated)})
    values = np.full(CODE_POINTS, UNKNOWN, np.uint16)
    values[images.signs()] = UNKNOWN_SIGN
    values[images.isolated()] = UNKNOWN_ISOLATED
    for c, symbol in symbols.items():
        values[ord(c)] = symbol
    values[images.dropped()] = DROPPED
    values[images.spaces()] = SPACE
    if images.decomposes:
        known = any(map(_is_jamo, letters))
        values[HANGUL.start : HANGUL.stop] = SYLLABLE if known else UNKNOWN
    unknown = {Kind.LETTERS: UNKNOWN, Kind.SIGNS: UNKNOWN_SIGN, Kind.ISOLATED: UNKNOWN_ISOLATED}
    for code, image in changed.items():
        if image.kind is Kind.DROPPED:
            value = DROPPED
        elif image.kind is Kind.SPACE:
            value = SPACE
        elif image.kind is not Kind.MIXED and not all(c in symbols for c in image.text):
            value = unknown[image.kind]
        elif len(image.text) == 1:
            value = symbols[image.text]
        else:
            number = sequences.setdefault(image.text, len(sequences))
            value = first_isolated + len(isolated) + number
        values[code] = value
    return values


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
