"""Renders a tokenizer as `tokenizer.c` and `tokenizer.h`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tinyc.emit.arrays import c_type, initializer
from tinyc.emit.environment import render
from tinyc.ir.tensor import Array
from tinyc.text import code_points, lexicon, merges, reference, trie
from tinyc.text.description import AddedToken, ModelKind, Tokenizer
from tinyc.text.lexicon import Lexicon
from tinyc.text.trie import Trie


@dataclass(frozen=True, slots=True)
class TableView:
    what: str
    name: str
    c_type: str
    size: int
    values: str
    bytes: int


@dataclass(frozen=True, slots=True)
class ConstantView:
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class AddedView:
    """An added token: its id, and where its bytes lie in `added_text`."""

    id: int
    at: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ModelView:
    """What one kind of model brings; `ram_bytes` is its working memory. Unused fields stay empty."""

    template: str
    constants: tuple[ConstantView, ...]
    tables: tuple[TableView, ...]
    ram_bytes: int
    letter_type: str = ""
    offset_type: str = ""
    syllables: bool = False
    sequences: bool = False
    signs: bool = False
    merge_ids: bool = False


@dataclass(frozen=True, slots=True)
class TokenizerView:
    """Everything that the templates print."""

    summary: str
    vocabulary: int
    max_length: int
    surrounding: int
    unknown: int | None
    padding: int | None
    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    added: tuple[AddedView, ...]
    add_prefix_space: bool
    model: ModelView
    tables: tuple[TableView, ...]
    table_bytes: int


def render_tokenizer(tokenizer: Tokenizer, max_length: int) -> dict[str, str]:
    """`tokenizer.c` and `tokenizer.h` as texts. `max_length`: ids that the model takes.

    Raises TinycError where `max_length` leaves no room for the text, or the vocabulary needs more than
    the device does.
    """
    view = _view(tokenizer, max_length)
    return {
        "tokenizer.c": render("text/tokenizer.c.j2", text=view),
        "tokenizer.h": render("text/tokenizer.h.j2", text=view),
    }


def _view(tokenizer: Tokenizer, max_length: int) -> TokenizerView:
    reference.check_length(tokenizer, max_length)
    model = model_view(tokenizer)
    added, added_text = _added(tokenizer.added)
    tables = (*model.tables, *added_text)
    pre_tokenizer = tokenizer.pre_tokenizer.value
    return TokenizerView(
        summary=f"{tokenizer.kind.value} after {pre_tokenizer}, {tokenizer.size} tokens.",
        vocabulary=tokenizer.size,
        max_length=max_length,
        surrounding=tokenizer.surrounding,
        unknown=tokenizer.unknown,
        padding=tokenizer.padding,
        prefix=tokenizer.prefix,
        suffix=tokenizer.suffix,
        added=added,
        add_prefix_space=tokenizer.add_prefix_space,
        model=model,
        tables=tables,
        table_bytes=table_bytes(tokenizer),
    )


@lru_cache(maxsize=4)
def model_view(tokenizer: Tokenizer) -> ModelView:
    """Tables and constants of the tokenizer's model, which a large vocabulary takes a second to make."""
    return _wordpiece(tokenizer) if tokenizer.kind is ModelKind.WORDPIECE else _byte_level(tokenizer)


def table_bytes(tokenizer: Tokenizer) -> int:
    """Bytes of all constant tables: TINYC_TOKENIZER_TABLE_BYTES."""
    added = sum(len(token.text.encode()) for token in tokenizer.added)
    # Added tokens are three 16-bit numbers each.
    return sum(table.bytes for table in model_view(tokenizer).tables) + added + 6 * len(tokenizer.added)


def _added(tokens: tuple[AddedToken, ...]) -> tuple[tuple[AddedView, ...], tuple[TableView, ...]]:
    if not tokens:
        return (), ()
    views = []
    text = b""
    for token in sorted(tokens, key=lambda token: (-len(token.text.encode()), token.text)):
        views.append(AddedView(token.id, len(text), len(token.text.encode())))
        text += token.text.encode()
    table = _table("Their bytes.", "added_text", np.frombuffer(text, np.uint8))
    return tuple(views), (table,)


def _wordpiece(tokenizer: Tokenizer) -> ModelView:
    words = lexicon.lexicon(tokenizer)
    tries = trie.build([words.initial, words.continuing], words.letters or ("",))
    letter = np.dtype(np.uint8 if len(words.letters) <= 256 else np.uint16)
    return ModelView(
        template="text/wordpiece.c.j2",
        constants=_constants(
            DROPPED=lexicon.DROPPED,
            SPACE=lexicon.SPACE,
            UNKNOWN=lexicon.UNKNOWN,
            UNKNOWN_SIGN=lexicon.UNKNOWN_SIGN,
            UNKNOWN_ISOLATED=lexicon.UNKNOWN_ISOLATED,
            SYLLABLE=lexicon.SYLLABLE,
            FIRST_SYMBOL=lexicon.FIRST_SYMBOL,
            FIRST_SIGN=words.first_sign,
            FIRST_ISOLATED=words.first_isolated,
            FIRST_SEQUENCE=words.first_sequence,
            SHORT_SYMBOLS=lexicon.SHORT_SYMBOLS,
            LAST=trie.LAST,
            CHILDREN=trie.CHILDREN,
            ENDS=trie.ENDS,
            MAX_WORD_LETTERS=tokenizer.max_word_characters,
        )
        + _map_constants(words.values),
        tables=(*_map_tables(words.values), *_word_tables(words, tries)),
        ram_bytes=tokenizer.max_word_characters * letter.itemsize + (12 if words.has_signs else 8),
        letter_type=f"{letter.name}_t",
        offset_type=c_type(tries.roots),
        syllables=bool((words.values == lexicon.SYLLABLE).any()),
        sequences=bool(words.sequences),
        signs=words.has_signs,
    )


def _word_tables(words: Lexicon, tries: Trie) -> tuple[TableView, ...]:
    """The tries, the words of one character, and the code points that become several letters."""
    initial, continuing = tries.roots
    found = [
        _table("Where the entries that begin with each letter lie in the trie.", "initial_roots", initial),
        _table("The same of the entries inside a word.", "continuing_roots", continuing),
        _table("Edges: see tinyc/text/trie.py.", "trie", tries.stream),
        _table(
            "Ids of the characters that are words of their own.",
            "isolated_ids",
            np.array(words.isolated_ids or (0,), np.uint16),
        ),
    ]
    if words.sequences:
        ends = np.cumsum([0, *map(len, words.sequences)])
        letters = [int(words.values[ord(c)]) for text in words.sequences for c in text]
        found += [
            _table("Where each sequence of letters ends.", "sequence_ends", ends.astype(np.uint16)),
            _table("Letters of the sequences.", "sequence_values", np.array(letters, np.uint16)),
        ]
    return tuple(found)


def _byte_level(tokenizer: Tokenizer) -> ModelView:
    classes = reference.split_classes()
    tables = merges.merge_tables(tokenizer)
    ids = () if tables.ids is None else (_table("Token of each rank.", "merge_ids", tables.ids),)
    return ModelView(
        template="text/byte_level_bpe.c.j2",
        constants=_constants(
            WHITESPACE=reference.WHITESPACE,
            MAX_WORD_BYTES=reference.MAX_PRETOKEN_BYTES,
            MERGE_GROUP=merges.GROUP,
            MERGE_LEFTS=len(tables.counts),
            FIRST_MERGE_ID=tables.first_id,
        )
        + _map_constants(classes),
        tables=(
            *_map_tables(classes),
            _table("Token of each byte.", "byte_ids", tables.byte_ids),
            _table("Merges of each left token.", "merge_counts", tables.counts),
            _table("Merges before every group of left tokens.", "merge_starts", tables.starts),
            _table("Right tokens, by left token.", "merge_rights", tables.rights),
            _table("Ranks of the merges, in the same order.", "merge_ranks", tables.ranks),
            *ids,
        ),
        ram_bytes=4 * reference.MAX_PRETOKEN_BYTES,
        merge_ids=tables.ids is not None,
    )


def _map_constants(values: code_points.Values) -> tuple[ConstantView, ...]:
    return _constants(MAP_GROUPS=len(code_points.encode(values).firsts), NONE=merges.NONE)


def _map_tables(values: code_points.Values) -> tuple[TableView, ...]:
    found = code_points.encode(values)
    return (
        _table("Values of the first code points.", "map_direct", found.direct),
        _table("First code point of each group of runs.", "map_firsts", found.firsts),
        _table("Where the groups lie in the stream.", "map_offsets", found.offsets),
        _table("Runs of code points: see tinyc/text/code_points.py.", "map_stream", found.stream),
    )


def _constants(**values: int) -> tuple[ConstantView, ...]:
    return tuple(ConstantView(name, f"{value}u") for name, value in values.items())


def _table(what: str, name: str, values: Array) -> TableView:
    return TableView(what, name, c_type(values), values.size, initializer(values), values.nbytes)
