"""Library, Python twin and generated C give the same ids, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from support.tokenizers import (
    ROOM,
    SPECIAL,
    TokenizerExecutable,
    bert_base,
    byte_level,
    code_points,
    hostile_texts,
    library,
    real_sentences,
    small_text,
    training_text,
    with_template,
    wordpiece,
)
from tinyc.text.reference import MAX_PRETOKEN_BYTES, encode
from tinyc.text.tokenizer import Tokenizer, load
from tinyc.toolchain.host_compiler import compiler_called, find_compiler

pytestmark = pytest.mark.host

SAMPLED = 16  # code points of a class of many: one in so many


def _split(texts: Sequence[str], size: int, splitter: str, **normalizer: Any) -> Any:
    made = library().Tokenizer(library().models.WordPiece(unk_token="[UNK]"))
    made.normalizer = library().normalizers.BertNormalizer(**normalizer)
    made.pre_tokenizer = getattr(library().pre_tokenizers, splitter)()
    trainer = library().trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=SPECIAL, show_progress=False
    )
    made.train_from_iterator(texts, trainer)
    return with_template(made)


def _sequence(texts: Sequence[str], size: int) -> Any:
    """As the guide of the library makes one."""
    made = _split(texts, size, "Whitespace", strip_accents=False)
    steps = library().normalizers
    made.normalizer = steps.Sequence([steps.NFD(), steps.Lowercase(), steps.StripAccents()])
    return made


def _bare(texts: Sequence[str], size: int) -> Any:
    """No normalizer, and entries that begin with the prefix where a word begins."""
    made = wordpiece([*texts, *(["##a ##ab x##a"] * 9)], size)
    made.normalizer = None
    made.pre_tokenizer = library().pre_tokenizers.WhitespaceSplit()
    return made


def _plain(texts: Sequence[str], size: int) -> Any:
    """Neither [CLS] nor tokens that are looked for in the text."""
    hf = library()
    trained = wordpiece(texts, size)
    made = hf.Tokenizer(hf.models.WordPiece(trained.get_vocab(), unk_token="[UNK]"))
    made.normalizer = hf.normalizers.Lowercase()
    made.pre_tokenizer = hf.pre_tokenizers.BertPreTokenizer()
    return made


def _missing_bytes(texts: Sequence[str], size: int, unknown: str | None) -> Any:
    """Byte-level BPE that only has tokens for the bytes of its training text, and few merges."""
    hf = library()
    made = hf.Tokenizer(hf.models.BPE(unk_token=unknown))
    made.pre_tokenizer = hf.pre_tokenizers.ByteLevel(add_prefix_space=True)
    special = [] if unknown is None else [unknown]
    made.train_from_iterator(
        texts[:20], hf.trainers.BpeTrainer(vocab_size=size, special_tokens=special, show_progress=False)
    )
    return made


def _twice(texts: Sequence[str], size: int) -> Any:
    """Merges that make a token that there is, so that ranks do not tell ids."""
    hf = library()
    words = ["a", "b", "c", "Ġ", "ab", "bc", "abc", "Ġa", "Ġab", "Ġabc", "ca", "bca", "aa"]
    merges = [("b", "c"), ("a", "b"), ("a", "bc"), ("Ġ", "a"), ("ab", "c"), ("Ġa", "b"), ("Ġa", "bc")]
    merges += [("Ġab", "c"), ("a", "a"), ("c", "a"), ("bc", "a"), ("b", "ca"), ("Ġ", "ab")]
    made = hf.Tokenizer(hf.models.BPE({word: 2 * n for n, word in enumerate(words)}, merges))
    made.pre_tokenizer = hf.pre_tokenizers.ByteLevel(add_prefix_space=False)
    return made


# Tokenizers that differ in one thing each, from text that is always here.
KINDS: dict[str, Callable[[], Any]] = {
    "wordpiece": lambda: wordpiece(small_text(), 1000),
    "cased": lambda: wordpiece(small_text(), 1000, lowercase=False),
    "accents": lambda: wordpiece(small_text(), 1000, strip_accents=False),
    "stripped": lambda: wordpiece(small_text(), 1000, lowercase=False, strip_accents=True),
    "unclean": lambda: wordpiece(small_text(), 1000, clean_text=False, handle_chinese_chars=False),
    "split": lambda: _split(small_text(), 1000, "WhitespaceSplit"),
    "whitespace": lambda: _split(small_text(), 1000, "Whitespace"),
    "whitespace_cased": lambda: _split(
        small_text(), 1000, "Whitespace", lowercase=False, handle_chinese_chars=False
    ),
    "sequence": lambda: _sequence(small_text(), 1000),
    "bare": lambda: _bare(small_text(), 1000),
    "plain": lambda: _plain(small_text(), 1000),
    "byte_level": lambda: byte_level(small_text(), 2000),
    "prefix_space": lambda: byte_level(small_text(), 1000, add_prefix_space=True),
    "missing_bytes": lambda: _missing_bytes(small_text(), 100, None),
    "unknown_bytes": lambda: _missing_bytes(small_text(), 100, "<unk>"),
    "twice": lambda: _twice(small_text(), 0),
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Any], Tokenizer]:
    """What tinyc reads of the file that the library writes."""
    folder = tmp_path_factory.mktemp("tokenizers")

    @cache
    def read(made: Any) -> Tokenizer:
        path = folder / f"{id(made)}.json"
        made.save(str(path))
        return load(path)

    return read


@cache
def small(name: str) -> Any:
    return KINDS[name]()


def assert_same(
    made: Any, tokenizer: Tokenizer, c: TokenizerExecutable, texts: Sequence[str | bytes]
) -> None:
    plain = [text if isinstance(text, str) else text.decode("utf-8", errors="replace") for text in texts]
    expected = [encoding.ids for encoding in made.encode_batch(plain)]
    compiled = c.encode(texts)
    assert len(compiled) == len(texts)
    for text, ids, from_c in zip(texts, expected, compiled, strict=True):
        assert encode(tokenizer, text, ROOM) == ids, repr(text)
        assert from_c == ids, repr(text)


@pytest.mark.parametrize("name", KINDS)
def test_hostile_text(name: str, loaded: Callable[[Any], Tokenizer]) -> None:
    tokenizer = loaded(small(name))
    c = TokenizerExecutable(tokenizer, find_compiler())
    assert_same(small(name), tokenizer, c, hostile_texts())
    assert_same(
        small(name), tokenizer, c, [line for line in small_text() if len(line.encode()) < MAX_PRETOKEN_BYTES]
    )


@pytest.mark.parametrize("name", ["wordpiece", "unclean", "whitespace", "sequence", "byte_level"])
def test_code_points(name: str, long: bool, loaded: Callable[[Any], Tokenizer]) -> None:
    """`test_characters.py` compares the properties of every code point with the library's."""
    tokenizer = loaded(small(name))
    texts = code_points() if long else code_points(SAMPLED, first=crc32(name.encode()) % SAMPLED)
    assert_same(small(name), tokenizer, TokenizerExecutable(tokenizer, find_compiler(), False), texts)


@pytest.mark.parametrize("name", ["bert_base", "wordpiece", "byte_level"])
def test_real_sentences(name: str, shared: Path, loaded: Callable[[Any], Tokenizer]) -> None:
    made = {
        "bert_base": lambda: bert_base(shared),
        "wordpiece": lambda: wordpiece(training_text(shared), 8192),
        "byte_level": lambda: byte_level(training_text(shared), 8192),
    }[name]()
    tokenizer = loaded(made)
    texts = real_sentences(shared)
    assert len(texts) > 10_000
    c = TokenizerExecutable(tokenizer, find_compiler())
    assert_same(made, tokenizer, c, texts)
    assert_same(made, tokenizer, c, hostile_texts(500))


@pytest.mark.parametrize("name", ["wordpiece", "plain", "byte_level"])
def test_truncation_is_that_of_the_library(name: str, loaded: Callable[[Any], Tokenizer]) -> None:
    made, tokenizer = small(name), loaded(small(name))
    c = TokenizerExecutable(tokenizer, find_compiler())
    texts = [
        *small_text()[:200],
        "",
        "日本 zzzzqqqq 日本",
        "[SEP] [SEP] [SEP] <|endoftext|><|endoftext|>",
        "1\u00a02\u00a03 4",
    ]
    for length in (tokenizer.surrounding + 1, 5, 8, 64):
        made.enable_truncation(length)
        expected = [encoding.ids for encoding in made.encode_batch(texts)]
        made.no_truncation()
        assert [encode(tokenizer, text, length) for text in texts] == expected
        assert c.encode(texts, length) == expected
    around = [*tokenizer.prefix, *tokenizer.suffix]
    assert c.encode(["text"], len(around)) == [around]
    assert c.encode(["text"], len(around) - 1) == [[]]


@pytest.mark.parametrize("name", ["byte_level", "prefix_space", "missing_bytes"])
def test_words_beyond_the_limit_are_cut(name: str, loaded: Callable[[Any], Tokenizer]) -> None:
    made, tokenizer = small(name), loaded(small(name))
    c = TokenizerExecutable(tokenizer, find_compiler())
    space = 1 if tokenizer.add_prefix_space else 0
    for text in ("ab" * 128, "é" * 128, "日" * 85, " " + "x" * 255):
        assert_same(made, tokenizer, c, [text[: len(text) - space]])
    texts = ["ab" * 129, "é" * 700, "日" * 86, " " * 1000 + "a", "!" * 257, "\u00a0" * 300, "q" * 20_000]
    assert c.encode(texts) == [encode(tokenizer, text, ROOM) for text in texts]
    halves = made.encode("ab" * 128).ids + made.encode("ab" * 128).ids
    assert tokenizer.add_prefix_space or encode(tokenizer, "ab" * 256, ROOM) == halves


def test_clang_agrees_without_warnings(loaded: Callable[[Any], Tokenizer]) -> None:
    compiler = compiler_called("clang")
    if compiler is None:
        pytest.skip("clang is not installed")
    for name in ("wordpiece", "prefix_space"):
        tokenizer = loaded(small(name))
        c = TokenizerExecutable(tokenizer, compiler, sanitized=False)
        assert_same(small(name), tokenizer, c, hostile_texts(100))
