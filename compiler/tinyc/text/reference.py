"""Text to token ids in Python: the definition that the generated C equals bit for bit.

Where the library `tokenizers` gives ids for the same text, these are the same. Two rules are added: bytes
that are not UTF-8 are read as `bytes.decode("utf-8", errors="replace")` reads them, and a word of byte-level
BPE of more than `MAX_PRETOKEN_BYTES` is cut after that many bytes and each part merged on its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

import numpy as np

from tinyc.errors import TinycError
from tinyc.text.characters import CODE_POINTS, HANGUL, characters
from tinyc.text.code_points import Values
from tinyc.text.description import ModelKind, Tokenizer
from tinyc.text.lexicon import (
    DROPPED,
    FIRST_SYMBOL,
    SPACE,
    SYLLABLE,
    UNKNOWN,
    UNKNOWN_ISOLATED,
    UNKNOWN_SIGN,
    lexicon,
)
from tinyc.text.merges import NONE, byte_ids

MAX_PRETOKEN_BYTES = 256

# Classes of the byte-level split.
OTHER, LETTER, NUMBER, WHITESPACE = range(4)
_CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")


def encode(tokenizer: Tokenizer, text: str | bytes, max_length: int) -> list[int]:
    """The ids of a text, at most `max_length` with those around it; the first ones are kept.

    Raises TinycError when the ids around the text alone are more.
    """
    room = check_length(tokenizer, max_length)
    if isinstance(text, str):
        text = text.encode("utf-8", errors="surrogatepass")
    found: list[int] = []
    model = _model(tokenizer)
    for piece, special in _pieces(tokenizer, text.decode("utf-8", errors="replace")):
        if len(found) >= room:
            break
        found += model.ids(piece)
        if special is not None:
            found.append(special)
    return [*tokenizer.prefix, *found[:room], *tokenizer.suffix]


def check_length(tokenizer: Tokenizer, max_length: int) -> int:
    """Ids that `max_length` leaves for the text itself. Raises TinycError where that is none."""
    room = max_length - tokenizer.surrounding
    if room < 1:
        raise TinycError(
            f"cannot give {max_length} tokens, {tokenizer.surrounding} of them around the text",
            where="tokenizer",
            allowed=f"a length of {tokenizer.surrounding + 1} or more",
        )
    return room


def _pieces(tokenizer: Tokenizer, text: str) -> Iterator[tuple[str, int | None]]:
    """(text, id of the added token behind it), the last piece without one."""
    at = 0
    if tokenizer.added:
        ids = {token.text: token.id for token in tokenizer.added}
        longest_first = sorted(ids, key=len, reverse=True)
        for match in re.finditer("|".join(map(re.escape, longest_first)), text):
            yield text[at : match.start()], ids[match.group()]
            at = match.end()
    yield text[at:], None


@lru_cache(maxsize=8)
def _model(tokenizer: Tokenizer) -> _WordPiece | _ByteLevel:
    return _WordPiece(tokenizer) if tokenizer.kind is ModelKind.WORDPIECE else _ByteLevel(tokenizer)


class _WordPiece:
    """Longest match first (Devlin et al., BERT, 2018), over the symbols of the lexicon."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        assert tokenizer.unknown is not None
        self._unknown = tokenizer.unknown
        self._longest = tokenizer.max_word_characters
        self._lexicon = lexicon(tokenizer)
        self._values = self._lexicon.values.data
        self._signs, self._isolated = self._lexicon.first_sign, self._lexicon.first_isolated
        self._lengths = [
            max(map(len, entries), default=0) for entries in (self._lexicon.initial, self._lexicon.continuing)
        ]

    def ids(self, text: str) -> list[int]:
        found: list[int] = []
        # Letters of the word so far, None once it has one that no entry has.
        word: str | None = ""
        signs = False
        for character in text:
            for value in self._symbols(ord(character)):
                if value in (SPACE, UNKNOWN_ISOLATED) or self._isolated <= value:
                    found += self._word(word)
                    word = ""
                    if value != SPACE:
                        found.append(self._isolated_id(value))
                elif value != DROPPED:
                    sign = value == UNKNOWN_SIGN or value >= self._signs
                    if sign != signs:
                        found += self._word(word)
                        word, signs = "", sign
                    if value in (UNKNOWN, UNKNOWN_SIGN):
                        word = None
                    elif word is not None:
                        word += self._lexicon.letters[value - (self._signs if sign else FIRST_SYMBOL)]
        return found + self._word(word)

    def _symbols(self, code: int) -> list[int]:
        value: int = self._values[code]
        if value == SYLLABLE:
            index = code - HANGUL.start
            parts = [0x1100 + index // 588, 0x1161 + index % 588 // 28]
            if index % 28:
                parts.append(0x11A7 + index % 28)
            return [self._values[part] for part in parts]
        sequence = value - self._lexicon.first_sequence
        if sequence >= 0:
            return [self._values[ord(c)] for c in self._lexicon.sequences[sequence]]
        return [value]

    def _isolated_id(self, value: int) -> int:
        if value == UNKNOWN_ISOLATED:
            return self._unknown
        return self._lexicon.isolated_ids[value - self._isolated]

    def _word(self, word: str | None) -> list[int]:
        if word == "":
            return []
        if word is None or len(word) > self._longest:
            return [self._unknown]
        found: list[int] = []
        at = 0
        while at < len(word):
            entries = self._lexicon.continuing if at else self._lexicon.initial
            for end in range(min(len(word), at + self._lengths[at > 0]), at, -1):
                number = entries.get(word[at:end])
                if number is not None:
                    found.append(number)
                    at = end
                    break
            else:
                return [self._unknown]
        return found


class _ByteLevel:
    """Byte pair encoding of words (Sennrich et al., 2016) of bytes (Radford et al., GPT-2, 2019)."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        vocabulary = tokenizer.vocabulary
        self._add_prefix_space = tokenizer.add_prefix_space
        self._byte_ids = byte_ids(tokenizer)
        self._merges = {
            (vocabulary[left], vocabulary[right]): (rank, vocabulary[left + right])
            for rank, (left, right) in enumerate(tokenizer.merges)
        }
        self._classes = split_classes().data
        # Text repeats its words.
        self._merged = lru_cache(maxsize=1 << 16)(self._merge)

    def ids(self, text: str) -> list[int]:
        found: list[int] = []
        if text and self._add_prefix_space and not text.startswith(" "):
            text = " " + text
        kinds = [self._classes[ord(character)] for character in text]
        at = 0
        while at < len(text):
            end = _word_end(text, kinds, at)
            word = text[at:end].encode("utf-8")
            for start in range(0, len(word), MAX_PRETOKEN_BYTES):
                found += self._merged(word[start : start + MAX_PRETOKEN_BYTES])
            at = end
        return found

    def _merge(self, word: bytes) -> tuple[int, ...]:
        """The most urgent pair first, the leftmost of equals, one at a time."""
        ids = [number for number in (self._byte_ids[byte] for byte in word) if number != NONE]
        while True:
            ranked = [
                (self._merges[pair][0], index)
                for index, pair in enumerate(pairwise(ids))
                if pair in self._merges
            ]
            if not ranked:
                return tuple(ids)
            _, index = min(ranked)
            ids[index : index + 2] = [self._merges[ids[index], ids[index + 1]][1]]


def _word_end(text: str, kinds: list[int], at: int) -> int:
    """A contraction; a run of one class, maybe behind a space; or white space, of which the last is
    left to what follows."""
    if text[at] == "'":
        for contraction in _CONTRACTIONS:
            if text.startswith(contraction, at):
                return at + len(contraction)
    first = at
    if text[at] == " " and at + 1 < len(text) and kinds[at + 1] != WHITESPACE:
        first += 1
    end = first + 1
    while end < len(text) and kinds[end] == kinds[first]:
        end += 1
    if kinds[first] == WHITESPACE and end < len(text) and end - at > 1:
        end -= 1
    return end


def split_classes() -> Values:
    """Class of every code point in the split of byte-level BPE."""
    table = characters()
    found = np.full(CODE_POINTS, OTHER, np.uint16)
    found[table.letter] = LETTER
    found[table.number] = NUMBER
    found[table.whitespace] = WHITESPACE
    return found
