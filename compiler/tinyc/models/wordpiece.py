"""The WordPiece tokenizer: how it is trained, and how training sees words cut in other ways."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import WordPieceTrainer

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[MASK]", "[SEP]")
PAD, UNKNOWN, CLASS, MASK, SEPARATOR = range(5)
CONTINUED = "##"


def train_tokenizer(sentences: Iterable[str], vocabulary: int, min_frequency: int = 1) -> Any:
    """A lower-case WordPiece tokenizer that frames a sentence as `[CLS] sentence [SEP]`."""
    tokenizer = Tokenizer(WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    trainer = WordPieceTrainer(
        vocab_size=vocabulary, min_frequency=min_frequency, special_tokens=list(SPECIALS), show_progress=False
    )
    tokenizer.train_from_iterator(sentences, trainer)
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", CLASS), ("[SEP]", SEPARATOR)]
    )
    return tokenizer


def load_tokenizer(path: Path) -> Any:
    """The tokenizer in a `tokenizer.json`."""
    return Tokenizer.from_file(str(path))


class Cutter:
    """Pieces of single words: the tokenizer's own, or, for training, another cut of the same word."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.vocabulary: dict[str, int] = tokenizer.get_vocab()
        self.known: dict[str, list[int]] = {}

    def pieces(self, word: str) -> list[int]:
        """The ids that the tokenizer gives the word."""
        if word not in self.known:
            self.known[word] = self.tokenizer.encode(word, add_special_tokens=False).ids
        return self.known[word]

    def other(self, word: str, rng: np.random.Generator, skip: float = 0.5) -> list[int]:
        """Ids of the word cut at random: each longest match is passed over with probability `skip`."""
        word = self.tokenizer.normalizer.normalize_str(word)
        ids: list[int] = []
        start = 0
        while start < len(word):
            prefix = CONTINUED if start else ""
            found = None
            for end in range(len(word), start, -1):
                piece = self.vocabulary.get(prefix + word[start:end])
                if piece is not None:
                    found = (piece, end)
                    if rng.random() >= skip:
                        break
            if found is None:
                return self.pieces(word)
            ids.append(found[0])
            start = found[1]
        return ids
