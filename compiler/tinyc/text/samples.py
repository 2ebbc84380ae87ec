"""Texts that try a tokenizer: of its own tokens, and hostile ones."""

from __future__ import annotations

import random

from tinyc.text.description import Tokenizer

_HOSTILE = (
    b"",
    b" \t\r\n",
    "\u00c9t\u00e9 na\u00efve \u4f60\u597d \ud55c\uad6d\uc5b4 \U0001f3b7 \u0130 \u00df \u00bd".encode(),
    b"\xff\xc3\xe2\x82 \xed\xa0\x80 a\x00b \xf4\x90\x80\x80",
)


def sample_texts(tokenizer: Tokenizer, count: int, longest: int, seed: int) -> list[bytes]:
    """`count` random texts of the vocabulary's tokens, then hostile ones; at most `longest` bytes each."""
    rng = random.Random(seed)
    tokens = sorted(tokenizer.vocabulary)
    texts = []
    for _ in range(count):
        words = rng.choices(tokens, k=rng.randint(1, 24))
        joined = "".join(word + rng.choice((" ", " ", "", ", ")) for word in words)
        texts.append(joined.encode("utf-8", errors="replace")[:longest])
    endless = b"".join(token.encode("utf-8", errors="replace") for token in rng.choices(tokens, k=longest))
    return [*texts, *_HOSTILE, endless[:longest]]
