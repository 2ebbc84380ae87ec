"""What a tokenizer does, as its file says and as the generated C does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class ModelKind(Enum):
    """The names that the library gives the models."""

    WORDPIECE = "WordPiece"
    BYTE_LEVEL_BPE = "BPE"


class PreTokenizer(Enum):
    """The names that the library gives the ways to split text into words."""

    BERT = "BertPreTokenizer"
    WHITESPACE = "Whitespace"
    WHITESPACE_SPLIT = "WhitespaceSplit"
    BYTE_LEVEL = "ByteLevel"


@dataclass(frozen=True, slots=True)
class Normalization:
    """Steps in the order of a BertNormalizer. All off: text stays as it is.

    `clean` removes control characters and makes every white space a space, `chinese` puts spaces
    around ideographs, `strip_accents` decomposes and removes nonspacing marks. With `combining` it
    removes all that combine, as the normalizer StripAccents does.
    """

    clean: bool = False
    chinese: bool = False
    strip_accents: bool = False
    lowercase: bool = False
    combining: bool = False


@dataclass(frozen=True, slots=True)
class AddedToken:
    """A token that is found in the raw text, before anything else happens to it."""

    text: str
    id: int


@dataclass(frozen=True, slots=True, eq=False)
class Tokenizer:
    """One tokenizer. Token ids fit into int16.

    `vocabulary`: token → id, in byte-level BPE with the library's letters for bytes. `merges`: pairs of
    tokens, the most urgent first; WordPiece has none. `unknown`: id of what the vocabulary cannot spell,
    which only byte-level BPE may lack. `prefix` and `suffix`: ids around every text, such as [CLS] and
    [SEP]. `padding`: id of the padding token, None where there is none. `file`: what it was read from.
    """

    kind: ModelKind
    vocabulary: Mapping[str, int]
    merges: tuple[tuple[str, str], ...]
    unknown: int | None
    normalization: Normalization
    pre_tokenizer: PreTokenizer
    add_prefix_space: bool
    added: tuple[AddedToken, ...]
    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    padding: int | None
    continuing_prefix: str = "##"
    max_word_characters: int = 100
    file: bytes = b""

    @property
    def surrounding(self) -> int:
        """How many ids `prefix` and `suffix` add to a text."""
        return len(self.prefix) + len(self.suffix)

    @property
    def size(self) -> int:
        """One more than the highest id: the rows that an embedding needs."""
        added = [token.id for token in self.added]
        return 1 + max([*self.vocabulary.values(), *added, *self.prefix, *self.suffix, self.padding or 0])
