"""Reads `tokenizer.json`, the file of the library `tokenizers`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from tinyc.errors import TinycError
from tinyc.text.description import AddedToken, ModelKind, Normalization, PreTokenizer, Tokenizer
from tinyc.text.fields import Fields

MAX_FILE_BYTES = 64 * 1024 * 1024
# The ids have to fit the model's int16 input, and 0xFFFF stays free in the tables.
MAX_ID = 32_767
MAX_MERGES = 65_534
MAX_WORD_CHARACTERS = 255
MAX_ADDED_TOKENS = 64
_PADDINGS = ("[PAD]", "<pad>", "<|padding|>")


def read(path: Path) -> Tokenizer:
    """The tokenizer in a file. Raises TinycError that names the component that is not supported."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise TinycError("is too large", where=str(path), allowed=f"up to {MAX_FILE_BYTES} bytes")
        file = path.read_bytes()
    except OSError as error:
        raise TinycError(f"cannot be read: {error.strerror}", where=str(path)) from error
    return replace(_Reader(Fields(path.name, "", _parse(file, path))).tokenizer(), file=file)


def _parse(file: bytes, path: Path) -> dict[str, Any]:
    try:
        values = json.loads(file)
    except (ValueError, RecursionError) as error:
        raise TinycError(f"is not JSON: {error}", where=str(path), hint="save it with the library") from error
    if not isinstance(values, dict):
        raise TinycError("holds no tokenizer", where=str(path), allowed="the file `tokenizer.json`")
    return values


def _refuse(fields: Fields, name: str, what: str, allowed: str = "", hint: str = "") -> NoReturn:
    fields.refuse(name, what, allowed, hint)
    raise AssertionError


class _Reader:
    """Reads component after component; the vocabulary first, as the others name its tokens."""

    def __init__(self, file: Fields) -> None:
        self._file = file
        model = file.section("model")
        if model is None:
            _refuse(file, "model", "is missing", "a WordPiece or BPE model")
        self._model = model
        self._kind = self._model_kind()
        self._vocabulary = self._ids()
        self._normalization = self._normalizer()
        self._added = self._added_tokens()

    def tokenizer(self) -> Tokenizer:
        prefix, suffix = self._surrounding()
        wordpiece = self._kind is ModelKind.WORDPIECE
        pre_tokenizer, add_prefix_space = self._pre_tokenizer()
        self._truncation()
        return Tokenizer(
            kind=self._kind,
            vocabulary=self._vocabulary,
            merges=() if wordpiece else self._merges(),
            unknown=self._unknown(),
            normalization=self._normalization,
            pre_tokenizer=pre_tokenizer,
            add_prefix_space=add_prefix_space,
            added=self._added,
            prefix=prefix,
            suffix=suffix,
            padding=self._padding(),
            continuing_prefix=self._model.get("continuing_subword_prefix", str) if wordpiece else "",
            max_word_characters=self._max_word_characters() if wordpiece else 0,
        )

    def _model_kind(self) -> ModelKind:
        name = self._model.optional("type", str)
        if name is None:
            name = "BPE" if "merges" in self._model.names() else "WordPiece"
        try:
            return ModelKind(name)
        except ValueError:
            _refuse(self._model, "type", f"is {name!r}", "WordPiece or BPE")

    def _ids(self) -> dict[str, int]:
        vocab = self._model.section("vocab")
        if vocab is None:
            _refuse(self._model, "vocab", "is missing", "token → id")
        found: dict[str, int] = {}
        for token in vocab.names():
            found[token] = vocab.get(token, int)
        if not found:
            _refuse(self._model, "vocab", "is empty")
        if len(set(found.values())) != len(found):
            _refuse(self._model, "vocab", "gives one id to several tokens")
        if min(found.values()) < 0 or max(found.values()) > MAX_ID:
            _refuse(
                self._model,
                "vocab",
                f"has ids from {min(found.values())} to {max(found.values())}",
                f"0 to {MAX_ID}, because ids are int16 on the device",
                "train a smaller vocabulary",
            )
        return found

    def _merges(self) -> tuple[tuple[str, str], ...]:
        for name in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"):
            self._model.require(name, "", 0)
        for name in ("byte_fallback", "ignore_merges", "fuse_unk"):
            self._model.require(name, False)
        found: dict[tuple[str, str], None] = {}
        for index, value in enumerate(self._model.get("merges", list)):
            pair = value.split(" ") if isinstance(value, str) else value
            if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(p, str) for p in pair):
                _refuse(self._model, f"merges[{index}]", f"is {value!r}", "two tokens")
            left, right = pair
            for token in (left, right, left + right):
                if token not in self._vocabulary:
                    _refuse(self._model, f"merges[{index}]", f"needs {token!r}, which is no token")
            if (left, right) in found:
                _refuse(self._model, f"merges[{index}]", f"is {left!r} with {right!r} again")
            found[left, right] = None
        if len(found) > MAX_MERGES:
            _refuse(self._model, "merges", f"has {len(found)} pairs", f"up to {MAX_MERGES}")
        return tuple(found)

    def _unknown(self) -> int | None:
        token = self._model.optional("unk_token", str)
        if token is None:
            if self._kind is ModelKind.WORDPIECE:
                _refuse(self._model, "unk_token", "is missing", "a token of the vocabulary")
            return None
        if token not in self._vocabulary:
            _refuse(self._model, "unk_token", f"is {token!r}, which is no token of the vocabulary")
        return self._vocabulary[token]

    def _max_word_characters(self) -> int:
        number = self._model.get("max_input_chars_per_word", int)
        if not 1 <= number <= MAX_WORD_CHARACTERS:
            _refuse(self._model, "max_input_chars_per_word", f"is {number}", f"1 to {MAX_WORD_CHARACTERS}")
        return number

    def _normalizer(self) -> Normalization:
        fields = self._file.section("normalizer")
        if fields is None:
            return Normalization()
        name = fields.get("type", str)
        if self._kind is ModelKind.BYTE_LEVEL_BPE:
            _refuse(fields, "type", f"is {name!r}", "null for byte-level BPE", "train without a normalizer")
        if name == "Lowercase":
            return Normalization(lowercase=True)
        if name == "Sequence":
            return self._sequence(fields)
        if name != "BertNormalizer":
            allowed = "BertNormalizer, Lowercase, a Sequence of NFD, Lowercase and StripAccents, or null"
            _refuse(fields, "type", f"is {name!r}", allowed)
        lowercase = fields.get("lowercase", bool)
        strip = fields.optional("strip_accents", bool)
        return Normalization(
            clean=fields.get("clean_text", bool),
            chinese=fields.get("handle_chinese_chars", bool),
            strip_accents=lowercase if strip is None else strip,
            lowercase=lowercase,
        )

    def _sequence(self, fields: Fields) -> Normalization:
        """Lower case before or after decomposing is the same for every code point."""
        names = [part.get("type", str) for part in fields.sections("normalizers")]
        if [name for name in names if name != "Lowercase"] != ["NFD", "StripAccents"]:
            allowed = "NFD and then StripAccents, Lowercase anywhere"
            _refuse(fields, "normalizers", f"is {', '.join(names)}", allowed)
        return Normalization(strip_accents=True, lowercase="Lowercase" in names, combining=True)

    def _pre_tokenizer(self) -> tuple[PreTokenizer, bool]:
        fields = self._file.section("pre_tokenizer")
        if self._kind is ModelKind.BYTE_LEVEL_BPE:
            allowed = [PreTokenizer.BYTE_LEVEL]
        else:
            allowed = [PreTokenizer.BERT, PreTokenizer.WHITESPACE, PreTokenizer.WHITESPACE_SPLIT]
        names = ", ".join(kind.value for kind in allowed)
        if fields is None:
            _refuse(self._file, "pre_tokenizer", "is missing", names)
        name = fields.get("type", str)
        kind = next((kind for kind in allowed if kind.value == name), None)
        if kind is None:
            _refuse(fields, "type", f"is {name!r}", f"{names} for a {self._kind.value} model")
        if kind is not PreTokenizer.BYTE_LEVEL:
            return kind, False
        fields.require("use_regex", True)
        return kind, fields.get("add_prefix_space", bool)

    def _added_tokens(self) -> tuple[AddedToken, ...]:
        """As the library finds them: in the raw text, the leftmost and of those the longest first."""
        found: dict[str, int] = {}
        normalized = set()
        tokens = self._file.sections("added_tokens") if self._file.optional("added_tokens", list) else []
        for fields in tokens:
            text = fields.get("content", str)
            if not text or text in found:
                continue
            for name in ("single_word", "lstrip", "rstrip"):
                fields.require(name, False)
            normalized.add(fields.get("normalized", bool))
            if "\ufffd" in text or any(0xD800 <= ord(c) < 0xE000 for c in text):
                _refuse(fields, "content", f"is {text!r}", "text without U+FFFD")
            found[text] = self._added_id(fields, text, found)
        if normalized == {True, False} or (True in normalized and self._normalization != Normalization()):
            _refuse(
                self._file,
                "added_tokens",
                "has tokens that are looked for in normalized text",
                '"normalized": false for every token',
                "add them as AddedToken(..., normalized=False)",
            )
        if len(found) > MAX_ADDED_TOKENS:
            _refuse(self._file, "added_tokens", f"has {len(found)} tokens", f"up to {MAX_ADDED_TOKENS}")
        return tuple(AddedToken(text, number) for text, number in found.items())

    def _added_id(self, fields: Fields, text: str, found: dict[str, int]) -> int:
        """The library goes by the vocabulary or counts on, whatever id the file states."""
        expected = self._vocabulary.get(text)
        if expected is None:
            expected = max(len(self._vocabulary), max(found.values(), default=-1) + 1)
        stated = fields.get("id", int)
        if stated != expected or expected > MAX_ID:
            _refuse(fields, "id", f"is {stated} for {text!r}", f"{expected}, up to {MAX_ID}")
        return expected

    def _surrounding(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        fields = self._file.section("post_processor")
        return ((), ()) if fields is None else self._processor(fields)

    def _processor(self, fields: Fields) -> tuple[tuple[int, ...], tuple[int, ...]]:
        name = fields.get("type", str)
        if name == "ByteLevel":
            # Trims offsets, which the device does not have.
            return (), ()
        if name in ("BertProcessing", "RobertaProcessing"):
            return (self._pair(fields, "cls"),), (self._pair(fields, "sep"),)
        if name == "TemplateProcessing":
            return self._template(fields)
        if name == "Sequence":
            prefix: tuple[int, ...] = ()
            suffix: tuple[int, ...] = ()
            for part in fields.sections("processors"):
                before, after = self._processor(part)
                prefix, suffix = before + prefix, suffix + after
            return prefix, suffix
        _refuse(
            fields,
            "type",
            f"is {name!r}",
            "TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel, a Sequence of them, or null",
        )

    def _pair(self, fields: Fields, name: str) -> int:
        pair = fields.get(name, list)
        if len(pair) != 2 or not isinstance(pair[1], int) or not 0 <= pair[1] <= MAX_ID:
            _refuse(fields, name, f"is {pair!r}", "a token and its id")
        return pair[1]

    def _template(self, fields: Fields) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Ids before and after `$A` of the template for one text."""
        special = fields.section("special_tokens")
        sides: list[list[int]] = [[]]
        for piece in fields.sections("single"):
            if piece.section("Sequence") is not None:
                sides.append([])
                continue
            token = piece.section("SpecialToken")
            entry = None if token is None or special is None else special.section(token.get("id", str))
            if entry is None:
                _refuse(piece, "SpecialToken", "is not among the special tokens of the template")
            for number in entry.get("ids", list):
                if not isinstance(number, int) or not 0 <= number <= MAX_ID:
                    _refuse(entry, "ids", f"has {number!r}", f"0 to {MAX_ID}")
                sides[-1].append(number)
        if len(sides) != 2:
            _refuse(fields, "single", f"has the text {len(sides) - 1} times", "once")
        return tuple(sides[0]), tuple(sides[1])

    def _truncation(self) -> None:
        fields = self._file.section("truncation")
        if fields is not None:
            fields.require("direction", "Right")

    def _padding(self) -> int | None:
        fields = self._file.section("padding")
        if fields is not None:
            fields.require("direction", "Right")
            number = fields.get("pad_id", int)
            if not 0 <= number <= MAX_ID:
                _refuse(fields, "pad_id", f"is {number}", f"0 to {MAX_ID}")
            return number
        ids = {**self._vocabulary, **{token.text: token.id for token in self._added}}
        return next((ids[name] for name in _PADDINGS if name in ids), None)
