"""Reading a tokenizer's file, its tables, and ids that can be told by hand."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinyc.errors import TinycError
from tinyc.text import code_points, merges, trie
from tinyc.text.characters import CODE_POINTS
from tinyc.text.description import ModelKind
from tinyc.text.emit import render_tokenizer
from tinyc.text.lexicon import SHORT_SYMBOLS, lexicon
from tinyc.text.reference import encode
from tinyc.text.tokenizer import Tokenizer, load
from tinyc.text.varint import read_varint, varint

pytestmark = pytest.mark.unit

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "play",
    "##ing",
    "##s",
    "a",
    "p",
    "##l",
    "!",
    "日",
    "é",
    "ab",
    "##b",
]
SPECIAL = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
WORDPIECE: dict[str, Any] = {
    "added_tokens": [{"id": WORDS.index(word), "content": word, **SPECIAL} for word in WORDS[:4]],
    "normalizer": {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": True,
        "strip_accents": None,
        "lowercase": True,
    },
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
    "model": {
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
        "vocab": {word: number for number, word in enumerate(WORDS)},
    },
}
_LETTERS = merges.byte_letters()
_BPE_TOKENS = [*_LETTERS, "Ġa", "bc", "Ġabc"]
BPE: dict[str, Any] = {
    "added_tokens": [],
    "normalizer": None,
    "pre_tokenizer": {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": True,
    },
    "post_processor": {"type": "ByteLevel", "trim_offsets": False},
    "model": {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "vocab": {token: number for number, token in enumerate(_BPE_TOKENS)},
        "merges": ["Ġ a", ["b", "c"], ["Ġa", "bc"]],
    },
}


@pytest.fixture
def file(tmp_path: Path) -> Callable[[Any], Path]:
    def write(values: Any) -> Path:
        path = tmp_path / "tokenizer.json"
        path.write_text(json.dumps(values), encoding="utf-8")
        return path

    return write


@pytest.fixture
def wordpiece(file: Callable[[Any], Path]) -> Tokenizer:
    return load(file(WORDPIECE))


@pytest.fixture
def bpe(file: Callable[[Any], Path]) -> Tokenizer:
    return load(file(BPE))


def test_wordpiece_is_read(wordpiece: Tokenizer) -> None:
    assert wordpiece.kind is ModelKind.WORDPIECE
    assert (wordpiece.size, wordpiece.unknown, wordpiece.padding) == (15, 1, 0)
    assert (wordpiece.prefix, wordpiece.suffix) == ((2,), (3,))
    assert wordpiece.normalization.strip_accents
    assert [token.id for token in wordpiece.added] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", []),
        ("playing", [4, 5]),
        ("PLAYS a!", [4, 6, 7, 10]),
        ("plan", [1]),
        ("pls", [8, 9, 6]),
        ("a日a", [7, 11, 7]),
        ("a[SEP]a[SEP", [7, 3, 7, 1, 1]),
        ("\x00\u200ba\t", [7]),
        # é loses its accent, so the entry for it is out of reach.
        ("é", [1]),
        ("Ább", [13, 14]),
        (b"a\xffa \xe6\x97", [1]),
    ],
)
def test_wordpiece_ids(wordpiece: Tokenizer, text: str | bytes, ids: list[int]) -> None:
    assert encode(wordpiece, text, 64) == [2, *ids, 3]


def test_the_first_ids_are_kept(wordpiece: Tokenizer) -> None:
    assert encode(wordpiece, "a ! a ! a", 4) == [2, 7, 10, 3]
    assert encode(wordpiece, "plays plan", 3) == [2, 4, 3]
    with pytest.raises(TinycError, match="2 of them around the text"):
        encode(wordpiece, "a", 2)
    with pytest.raises(TinycError, match="a length of 3 or more"):
        render_tokenizer(wordpiece, 2)


def test_long_words_are_unknown(file: Callable[[Any], Path]) -> None:
    values = copy.deepcopy(WORDPIECE)
    values["model"]["max_input_chars_per_word"] = 3
    tokenizer = load(file(values))
    assert encode(tokenizer, "pls plss abb play", 64) == [2, 8, 9, 6, 1, 13, 14, 1, 3]
    assert "play" not in lexicon(tokenizer).initial


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", []),
        ("abc", [*map(_BPE_TOKENS.index, ["a", "bc"])]),
        (" abc", [_BPE_TOKENS.index("Ġabc")]),
        ("  abc", [*map(_BPE_TOKENS.index, ["Ġ", "Ġabc"])]),
        (" a bc", [*map(_BPE_TOKENS.index, ["Ġa", "Ġ", "bc"])]),
        ("é", [*map(_BPE_TOKENS.index, ["Ã", "©"])]),
        (b"\xc3", [*map(_BPE_TOKENS.index, [_LETTERS[0xEF], _LETTERS[0xBF], _LETTERS[0xBD]])]),
    ],
)
def test_byte_level_ids(bpe: Tokenizer, text: str | bytes, ids: list[int]) -> None:
    assert encode(bpe, text, 64) == ids


def _put(path: str, value: object) -> Callable[[Any], None]:
    def change(values: Any) -> None:
        *parents, last = path.split(".")
        for name in parents:
            values = values[int(name)] if isinstance(values, list) else values[name]
        values[int(last) if isinstance(values, list) else last] = value

    return change


@pytest.mark.parametrize(
    ("base", "path", "value", "message"),
    [
        (WORDPIECE, "model", None, "tokenizer.json: model: is missing"),
        (WORDPIECE, "model", 7, "tokenizer.json: model: is 7"),
        (WORDPIECE, "model.type", "Unigram", "model.type: is 'Unigram'\nallowed: WordPiece or BPE"),
        (WORDPIECE, "model.vocab", {}, "model.vocab: is empty"),
        (WORDPIECE, "model.vocab", {"[UNK]": "1"}, "model.vocab.[UNK]: is '1'"),
        (WORDPIECE, "model.vocab", {"[UNK]": True}, "model.vocab.[UNK]: is true"),
        (WORDPIECE, "model.vocab", {"a": 1, "b": 1}, "gives one id to several tokens"),
        (WORDPIECE, "model.vocab", {"a": 40_000}, "has ids from 40000 to 40000\nallowed: 0 to 32767"),
        (WORDPIECE, "model.vocab", {"a": -1}, "has ids from -1 to -1"),
        (WORDPIECE, "model.unk_token", "[NO]", "model.unk_token: is '[NO]'"),
        (WORDPIECE, "model.unk_token", None, "model.unk_token: is missing"),
        (WORDPIECE, "model.max_input_chars_per_word", 1000, "is 1000\nallowed: 1 to 255"),
        (WORDPIECE, "model.continuing_subword_prefix", None, "model.continuing_subword_prefix: is null"),
        (WORDPIECE, "normalizer.type", "NFKC", "normalizer.type: is 'NFKC'"),
        (
            WORDPIECE,
            "normalizer",
            {"type": "Sequence", "normalizers": [{"type": "NFD"}]},
            "normalizers: is NFD",
        ),
        (WORDPIECE, "normalizer.lowercase", 1, "normalizer.lowercase: is 1"),
        (WORDPIECE, "pre_tokenizer", None, "pre_tokenizer: is missing"),
        (WORDPIECE, "pre_tokenizer.type", "ByteLevel", "BertPreTokenizer, Whitespace, WhitespaceSplit for"),
        (WORDPIECE, "added_tokens.0.id", 9, "added_tokens[0].id: is 9 for '[PAD]'\nallowed: 0"),
        (WORDPIECE, "added_tokens.0.lstrip", True, "added_tokens[0].lstrip: is true\nallowed: false"),
        (WORDPIECE, "added_tokens.0.normalized", True, "are looked for in normalized text"),
        (WORDPIECE, "added_tokens.0.content", "\ufffd", "text without U+FFFD"),
        (WORDPIECE, "added_tokens.0", [], "added_tokens[0]: is []"),
        (WORDPIECE, "post_processor.type", "Other", "post_processor.type: is 'Other'"),
        (WORDPIECE, "post_processor.sep", ["[SEP]"], "post_processor.sep: is ['[SEP]']"),
        (WORDPIECE, "post_processor", {"type": "TemplateProcessing", "single": []}, "has the text 0 times"),
        (WORDPIECE, "truncation", {"direction": "Left"}, "truncation.direction: is 'Left'"),
        (WORDPIECE, "padding", {"direction": "Left"}, "padding.direction: is 'Left'"),
        (WORDPIECE, "padding", {"pad_id": -1}, "padding.pad_id: is -1"),
        (BPE, "normalizer", {"type": "NFC"}, "normalizer.type: is 'NFC'\nallowed: null"),
        (BPE, "pre_tokenizer.type", "Metaspace", "ByteLevel for a BPE model"),
        (BPE, "pre_tokenizer.use_regex", False, "pre_tokenizer.use_regex: is false"),
        (BPE, "model.dropout", 0.1, "model.dropout: is 0.1"),
        (BPE, "model.byte_fallback", True, "model.byte_fallback: is true"),
        (BPE, "model.end_of_word_suffix", "</w>", "model.end_of_word_suffix: is '</w>'"),
        (BPE, "model.merges", [["a"]], "merges[0]: is ['a']"),
        (BPE, "model.merges", [["a", "z"]], "merges[0]: needs 'az', which is no token"),
        (BPE, "model.merges", ["b c", "b c"], "merges[1]: is 'b' with 'c' again"),
    ],
)
def test_what_the_device_does_not_have_is_refused(
    file: Callable[[Any], Path], base: Any, path: str, value: object, message: str
) -> None:
    values = copy.deepcopy(base)
    _put(path, value)(values)
    with pytest.raises(TinycError, match=re.escape(message)):
        load(file(values))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_files_that_are_no_tokenizer(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(TinycError):
        load(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TinycError, match="cannot be read"):
        load(tmp_path / "none.json")


def test_marks_that_would_be_sorted_are_refused(file: Callable[[Any], Path]) -> None:
    values = copy.deepcopy(WORDPIECE)
    values["model"]["vocab"].update({"\u1b44": 15, "\u302e": 16})
    with pytest.raises(TinycError, match="several combining classes"):
        render_tokenizer(load(file(values)), 64)


def test_the_map_of_code_points() -> None:
    rng = np.random.default_rng(3)
    values = np.repeat(rng.integers(0, 300, CODE_POINTS // 64), 64).astype(np.uint16)
    values[300:900] = np.arange(600)
    values[-1] = 65_535 // 2
    found = code_points.encode(values)
    for code in (*range(2_000), *range(0x10FF00, 0x110000), *rng.integers(0, 0x110000, 2_000).tolist()):
        assert found[code] == values[code]


@pytest.mark.parametrize("number", [0, 1, 127, 128, 16_383, 16_384, 0x110000, 2**32 - 1])
def test_varints(number: int) -> None:
    raw = np.frombuffer(b"\xff" + varint(number), np.uint8)
    assert read_varint(raw, 1) == (number, len(raw))


def _entries(stream: Any, at: int, before: str, letters: list[str]) -> dict[str, int]:
    """All entries from an edge on, by reading every byte in order."""
    found: dict[str, int] = {}
    # Open levels: what the text before their edges is.
    levels = [before]
    while levels:
        edge = int(stream[at])
        at += 1
        symbol = edge >> 3
        if symbol == SHORT_SYMBOLS:
            more, at = read_varint(stream, at)
            symbol += more
        text = levels[-1] + letters[symbol]
        if edge & trie.LAST:
            levels.pop()
        if edge & trie.ENDS:
            found[text] = int(stream[at]) | int(stream[at + 1]) << 8
            at += 2
        if edge & trie.CHILDREN:
            if not edge & trie.LAST:
                _, at = read_varint(stream, at)
            levels.append(text)
    return found


def test_the_trie_holds_every_entry() -> None:
    letters = [chr(0x61 + n) for n in range(200)]
    rng = np.random.default_rng(5)
    texts = {"".join(rng.choice(letters, rng.integers(1, 9))): n for n in range(3_000)}
    texts["ab" * 127] = 65_534
    made = trie.build([texts, {}], letters)
    found: dict[str, int] = {}
    for offset in made.roots[0]:
        if offset:
            found.update(_entries(made.stream, int(offset), "", letters))
    assert found == texts
    assert not made.roots[1].any()


def test_ids_of_merges_follow_their_ranks_where_they_can(bpe: Tokenizer, file: Callable[[Any], Path]) -> None:
    tables = merges.merge_tables(bpe)
    assert tables.ids is None
    assert tables.first_id == 256
    values = copy.deepcopy(BPE)
    values["model"]["merges"].reverse()
    reversed_ids = merges.merge_tables(load(file(values))).ids
    assert reversed_ids is not None
    assert reversed_ids.tolist() == [258, 257, 256]


def test_the_text_is_the_same_each_time(
    wordpiece: Tokenizer, bpe: Tokenizer, file: Callable[[Any], Path]
) -> None:
    assert render_tokenizer(wordpiece, 16) == render_tokenizer(load(file(WORDPIECE)), 16)
    header = render_tokenizer(bpe, 16)["tokenizer.h"]
    assert "#define TINYC_TOKENIZER_MAX_LENGTH 16\n" in header
    assert "PADDING_ID" not in header
