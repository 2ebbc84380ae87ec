"""What a normalizer and a pre-tokenizer make of each code point.

Normalizing works on one code point at a time, so a tokenizer needs no more than the image of each: nothing,
a space, a word of its own, or letters of a word. Only the canonical order of marks looks further; see
`orders_of_marks`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np

from tinyc.text.characters import CODE_POINTS, HANGUL, Flags, characters
from tinyc.text.description import Normalization, PreTokenizer


class Kind(Enum):
    DROPPED = 0
    SPACE = 1
    LETTERS = 2
    # A word of its own: punctuation, or an ideograph.
    ISOLATED = 3
    # Signs that make words among themselves, apart from letters.
    SIGNS = 4
    # Letters and signs.
    MIXED = 5


@dataclass(frozen=True, slots=True)
class Image:
    """`text` is what a word gets; empty for spaces and what is dropped."""

    kind: Kind
    text: str = ""


class Images:
    """Images of code points under one tokenizer's normalization and pre-tokenizer."""

    def __init__(self, normalization: Normalization, pre_tokenizer: PreTokenizer) -> None:
        self._steps = normalization
        self._table = characters()
        self._marks = self._table.combining if normalization.combining else self._table.mark
        self._punctuates = pre_tokenizer is PreTokenizer.BERT
        self._expression = pre_tokenizer is PreTokenizer.WHITESPACE

    @property
    def decomposes(self) -> bool:
        """Whether Hangul syllables become their letters, by arithmetic."""
        return self._steps.strip_accents

    def changing(self) -> Iterator[int]:
        """Code points that may become others, Hangul syllables aside."""
        codes = set(self._table.lower) if self._steps.lowercase else set()
        if self._steps.strip_accents:
            codes |= set(np.flatnonzero(self._table.decomposed).tolist()) - set(HANGUL)
        return iter(sorted(codes))

    def dropped(self) -> Flags:
        """Code points of which nothing stays, for those that do not change into others."""
        found = np.zeros(CODE_POINTS, np.bool_)
        if self._steps.clean:
            found |= self._table.control
        if self._steps.strip_accents:
            found |= self._marks
        return found

    def isolated(self) -> Flags:
        """Code points that are words of their own where they do not change into others."""
        found = np.zeros(CODE_POINTS, np.bool_)
        if self._steps.chinese:
            found |= self._table.chinese
        if self._punctuates:
            found |= self._table.punctuation
        return found

    def signs(self) -> Flags:
        """Code points that are signs where they do not change into others; ideographs among them too."""
        return ~self._table.word if self._expression else np.zeros(CODE_POINTS, np.bool_)

    def spaces(self) -> Flags:
        """White space, without what is dropped first."""
        return self._table.whitespace & ~self.dropped()

    def of(self, code: int) -> Image:
        """The image of one code point. Raises ValueError for one that becomes several words."""
        steps, table = self._steps, self._table
        if steps.clean and table.control[code]:
            return Image(Kind.DROPPED)
        if table.whitespace[code]:
            return Image(Kind.SPACE)
        text = chr(code)
        if steps.strip_accents:
            text = "".join(c for c in table.decomposition(code) if not self._marks[ord(c)])
        if steps.lowercase:
            text = "".join(table.lower.get(ord(c), c) for c in text)
        if not text:
            return Image(Kind.DROPPED)
        apart = [self._punctuates and bool(table.punctuation[ord(c)]) for c in text]
        if any(table.whitespace[ord(c)] for c in text) or (any(apart) and len(text) > 1):
            raise ValueError(f"U+{code:04X} becomes {text!r}, which is more than one word")
        signs = {self._expression and not table.word[ord(c)] for c in text}
        if apart[0] or (steps.chinese and table.chinese[code]):
            return Image(Kind.ISOLATED, text)
        if len(signs) > 1:
            return Image(Kind.MIXED, text)
        return Image(Kind.SIGNS if True in signs else Kind.LETTERS, text)


def orders_of_marks(letters: Iterable[str]) -> set[int]:
    """Combining classes other than 0. Where there are two or more, decomposing also sorts."""
    return {unicodedata.combining(letter) for letter in letters} - {0}
