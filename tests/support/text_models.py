"""A tiny model that takes text: a WordPiece tokenizer and a transformer with random weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from support.transformers import bert, sentences
from tinyc import passes
from tinyc.ir.graph import Graph
from tinyc.quantize.options import QuantizeOptions
from tinyc.quantize.transformer.post_training import quantize_transformer

TOKENS = 12
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_WORDS = ("play", "some", "jazz", "book", "a", "table", "what", "is", "the", "weather", "?", "!", "##s")


def tokenizer_json(without: Sequence[str] = (), **change: Any) -> dict[str, Any]:
    """The file of a WordPiece tokenizer as the library saves it; `change` replaces top-level fields.

    The tokens `without` are left out, and the words come before the special tokens then.
    """
    tokens = [*_WORDS, *_SPECIAL] if without else [*_SPECIAL, *_WORDS]
    vocabulary = {token: n for n, token in enumerate(token for token in tokens if token not in without)}
    special = {name: {"id": name, "ids": [vocabulary[name]], "tokens": [name]} for name in ("[CLS]", "[SEP]")}
    pieces = [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    pieces.append({"SpecialToken": {"id": "[SEP]", "type_id": 0}})
    found: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": vocabulary[name],
                "content": name,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for name in _SPECIAL
            if name not in without
        ],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": pieces,
            "pair": pieces,
            "special_tokens": special,
        },
        "decoder": None,
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": vocabulary,
        },
    }
    return found | change


def write_tokenizer(
    folder: Path, name: str = "tokenizer.json", *, without: Sequence[str] = (), **change: Any
) -> Path:
    path = folder / name
    path.write_text(json.dumps(tokenizer_json(without, **change)), encoding="utf-8")
    return path


@cache
def text_graph(vocabulary: int = len(_SPECIAL) + len(_WORDS), tokens: int = TOKENS) -> Graph:
    """A quantized encoder of one block for sentences of `tokens` ids."""
    made = bert(tokens=tokens, vocabulary=vocabulary, width=16, blocks=1, heads=2, classes=3)
    samples = sentences(16, tokens, vocabulary)
    quantized = quantize_transformer(passes.run(made), samples, QuantizeOptions(), None, None)
    return passes.legalize(passes.run(quantized.graph))
