"""Tokenizers made by the library, texts for them, and the generated C run on this machine."""

from __future__ import annotations

import gzip
import random
import struct
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.paths import ROOT
from tinyc.text.characters import CODE_POINTS, characters
from tinyc.text.emit import render_tokenizer
from tinyc.text.tokenizer import Tokenizer
from tinyc.toolchain.host_compiler import WARNINGS, HostCompiler, compile_cached

_MAIN = Path(__file__).parent.parent / "host" / "tokenizer_main.c"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# Ids enough for every text of the tests.
ROOM = 100_000
_LARGE_CLASS = 10_000  # code points of one property


class TokenizerExecutable:
    """`tokenizer.c` compiled on its own, under sanitizers where asked for."""

    def __init__(self, tokenizer: Tokenizer, compiler: HostCompiler, sanitized: bool = True) -> None:
        texts = render_tokenizer(tokenizer, 64)
        texts["tokenizer_main.c"] = _MAIN.read_text(encoding="utf-8")
        sanitizers = compiler.sanitizer_flags() if sanitized else ()
        flags = (*WARNINGS, "-O1", *sanitizers)
        self._path = compile_cached(compiler, texts, flags, "tokenizer_main")

    def encode(self, texts: Iterable[str | bytes], capacity: int = ROOM) -> list[list[int]]:
        """Ids of each text."""
        parts = []
        for text in texts:
            raw = text.encode() if isinstance(text, str) else text
            parts += [struct.pack("=Ii", len(raw), capacity), raw]
        done = subprocess.run(
            [str(self._path)],
            input=b"".join(parts),
            capture_output=True,
            check=False,
            env={"ASAN_OPTIONS": "detect_leaks=0"},
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        found = []
        at = 0
        while at < len(done.stdout):
            (count,) = struct.unpack_from("=i", done.stdout, at)
            found.append(np.frombuffer(done.stdout, np.int16, count, at + 4).tolist())
            at += 4 + 2 * count
        return found


def library() -> Any:
    """The package `tokenizers`; the test is skipped where it is not installed."""
    return pytest.importorskip("tokenizers", reason="the extra tinyc[text] is not installed")


def wordpiece(texts: Sequence[str], size: int, **normalizer: Any) -> Any:
    """A WordPiece tokenizer of the library, trained as BERT's, with [CLS] and [SEP]."""
    hf = library()
    made = hf.Tokenizer(hf.models.WordPiece(unk_token="[UNK]"))
    made.normalizer = hf.normalizers.BertNormalizer(**normalizer)
    made.pre_tokenizer = hf.pre_tokenizers.BertPreTokenizer()
    trainer = hf.trainers.WordPieceTrainer(vocab_size=size, special_tokens=SPECIAL, show_progress=False)
    made.train_from_iterator(texts, trainer)
    return with_template(made)


def with_template(made: Any) -> Any:
    """[CLS] before and [SEP] behind every text."""
    special = [(name, made.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    made.post_processor = library().processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=special
    )
    return made


def byte_level(texts: Sequence[str], size: int, add_prefix_space: bool = False) -> Any:
    """A byte-level BPE tokenizer of the library, trained as GPT-2's."""
    hf = library()
    made = hf.Tokenizer(hf.models.BPE())
    made.pre_tokenizer = hf.pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    alphabet = hf.pre_tokenizers.ByteLevel.alphabet()
    trainer = hf.trainers.BpeTrainer(
        vocab_size=size, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(texts, trainer)
    return made


def bert_base(shared: Path) -> Any:
    """WordPiece with the vocabulary of bert-base-uncased."""
    hf = library()
    path = shared / "data" / "vocab" / "bert-base-uncased-vocab.txt"
    if not path.is_file():
        pytest.skip("the vocabulary of bert-base-uncased is not here")
    tokens = [_repaired(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    made = hf.Tokenizer(hf.models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    made.normalizer = hf.normalizers.BertNormalizer()
    made.pre_tokenizer = hf.pre_tokenizers.BertPreTokenizer()
    made.add_special_tokens(SPECIAL)
    return with_template(made)


def _repaired(token: str) -> str:
    """The copy of the file took UTF-8 for Windows-1252, and no-break spaces for spaces."""
    raw = bytearray()
    for character in token.replace(" ", "\xa0"):
        try:
            raw += character.encode("cp1252")
        except UnicodeEncodeError:
            raw += character.encode("latin-1")
    return raw.decode("utf-8")


def small_text() -> list[str]:
    """Lines of text that is always here: the documentation of this project."""
    paths = sorted((ROOT / "docs").rglob("*.md"))
    lines = [line for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    # So that ideographs, other alphabets and all letters of Hangul are in the vocabulary too.
    syllables = "".join(chr(0xAC00 + n % 19 * 588 + n % 21 * 28 + n) for n in range(28))
    others = f"日本語 漢字 Привет καλημέρα שלום {syllables} ½ ① İstanbul straße é e\u0301"
    return [*lines, *([others] * 9)]


@cache
def training_text(shared: Path) -> tuple[str, ...]:
    """13,084 sentences that people say to an assistant."""
    return tuple(_lines(shared / "data" / "snips" / "train" / "seq.in"))


@cache
def real_sentences(shared: Path) -> tuple[str, ...]:
    """About 19,000 sentences from four sets, the last 500 film reviews of a few hundred words."""
    data = shared / "data"
    found = list(training_text(shared))
    for name in ("snips/test", "snips/valid", "hwu64/test", "hwu64/valid"):
        found += _lines(data / name / "seq.in")
    found += [line.split(";")[0] for line in _lines(data / "emotion" / "test.txt")]
    reviews = data / "imdb" / "test.tsv.gz"
    if not reviews.is_file():
        pytest.skip("the film reviews are not here")
    with gzip.open(reviews, "rt", encoding="utf-8") as lines:
        found += [line.split("\t")[-1] for _, line in zip(range(500), lines, strict=False)]
    return tuple(found)


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        pytest.skip(f"{path.parent.parent.name} is not here")
    return path.read_text(encoding="utf-8").splitlines()


_POOL = (
    *(
        "[CLS]",
        "[SEP]",
        "[cls]",
        "[SEP",
        "<|endoftext|>",
        "##",
        "a",
        "play",
        "the",
        "don't",
        "ΟΔΟΣ",
        " 's",
        "'ll",
        "'",
    ),
    *(" ", "  ", "\t", "\n", "\r\n", "\x00", "\x0b", "\x85", "\xa0", "\u2028", "\u3000", "\u200b", "\u200d"),
    *(
        "é",
        "e\u0301",
        "\u0300",
        "\u0345",
        "\u034f",
        "\u302e",
        "\u1b44",
        "İ",
        "ſ",
        "ß",
        "ẞ",
        "Å",
        "\u212b",
        "≠",
    ),
    *(
        "👩\u200d👩\u200d👧",
        "🇪🇺",
        "שלום",
        "\u202eمرحبا\u202c",
        "日本",
        "漢",
        "\uf900",
        "한국",
        "\u1112\u1161\u11ab",
    ),
    *(
        "1",
        "½",
        "Ⅷ",
        "１",
        "٣",
        "!",
        "?",
        "…",
        "¿",
        "\u037e",
        "ａ",
        "𝐀",
        "\u1734",
        "\ufeff",
        "\ufffd",
        "\U000e0041",
    ),
    *("x" * 99, "y" * 100, "z" * 101),
)


def hostile_texts(count: int = 1500) -> list[bytes]:
    """Random bytes, damaged and ill-formed UTF-8, and texts made to trip a tokenizer; words that
    byte-level BPE cuts are not among them."""
    rng = random.Random(20)
    found = [bytes(rng.randrange(256) for _ in range(rng.randrange(60))) for _ in range(count)]
    for _ in range(2 * count):
        found.append("".join(rng.choice(_POOL) for _ in range(rng.randrange(9))).encode())
    for _ in range(count):
        codes = [rng.choice([rng.randrange(limit) for limit in (0x80, 0x800, 0xD800)]) for _ in range(16)]
        codes += [rng.randrange(0xE000, 0x110000) for _ in range(4)]
        raw = bytearray("".join(map(chr, rng.sample(codes, len(codes)))).encode())
        for _ in range(rng.randrange(4)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        found.append(bytes(raw[: rng.randrange(len(raw))]))
    sequences = ["é", "日", "👧", "\U0010ffff"]
    found += [
        text.encode()[:cut] + end for text in sequences for cut in range(1, 4) for end in (b"", b"a", b"\xc3")
    ]
    found += [
        *(
            b"",
            b" ",
            b"\n",
            b" " * 200,
            b"\xc0\x80",
            b"\xc1\xbf",
            b"\xe0\x80\x80",
            b"\xe0\x9f\xbf",
            b"\xf0\x8f\xbf\xbf",
        ),
        *(
            b"\xed\xa0\x80\xed\xb0\x80",
            b"\xed\x9f\xbf",
            b"\xf4\x90\x80\x80",
            b"\xf5\x80\x80\x80",
            b"\xff\xfe",
            b"\x80" * 9,
        ),
        *(b"a" * 250, b"it's they'll I'd 'tis 's'S'RE'", b"[[SEP]]", b"[SEP][SEP", b"a\xe6[SEP]\x97\xa5"),
    ]
    return found


def code_points(one_in: int = 1, first: int = 0, per_text: int = 64) -> list[str]:
    """Code points inside a word and on their own.

    Of the large classes, that without any property among them, one in so many from `first` on and both ends
    of every range; of the small ones all.
    """
    table = characters()
    chosen = np.zeros(CODE_POINTS, np.bool_)
    chosen[first::one_in] = True
    chosen[list(table.lower)] = True
    for property_of in fields(table):
        flags = getattr(table, property_of.name)
        if property_of.name != "lower":
            edges = np.flatnonzero(flags[1:] != flags[:-1])
            chosen[[*edges, *(edges + 1)]] = True
            if flags.sum() < _LARGE_CLASS:
                chosen |= flags
    chosen[0xD800:0xE000] = False
    parts = [f"a{chr(code)}b {chr(code)} " for code in np.flatnonzero(chosen)]
    return ["".join(parts[at : at + per_text]) for at in range(0, len(parts), per_text)]
