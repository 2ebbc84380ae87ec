"""A SPARQL 1.1 update request taken apart into its operations, and written anew without what is ambiguous.

A scanner and a parser can disagree where an IRI begins: `?a<5#b>` compares, or names something. The text that
is written anew has no comments. To be certain that a parser takes it for the same, it is parsed once with
escapes for what could begin a comment or a string inside of an IRI: where the parser sees no IRI, that is an
error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyoxigraph

from tinyc.errors import TinycError
from tinyc.registry.store.syntax import Token, place, tokens

_UNSAFE = re.compile(r"[#']")
_BLANK = frozenset("[(<~|")
"""Signs in a template that make blank nodes, with `_:`."""
_GRAPHS = frozenset({"DEFAULT", "NAMED", "ALL"})
_ONE = ("CLEAR", "DROP", "CREATE")
_TWO = ("ADD", "COPY", "MOVE")


class NotTaken(TinycError):  # noqa: N818
    """An update that the check cannot follow, so that it is not run."""


@dataclass(frozen=True, slots=True)
class Modify:
    """`[WITH graph] DELETE … INSERT … USING … WHERE …`. Templates and patterns have their braces; a template
    that is not there is empty. `using` are the graphs, each with NAMED before it or without.

    `prologue` are all declarations that hold, `own` those of them that the operation begins with.

    `variables` are those of the templates, without their sign, `blank` whether solutions make blank nodes,
    `words` the bare words of the pattern in capitals.
    """

    prologue: str
    own: str
    graph: str
    delete: str
    insert: str
    using: tuple[str, ...]
    where: str
    variables: tuple[str, ...]
    blank: bool
    words: frozenset[str]

    @property
    def text(self) -> str:
        return self.with_pattern(self.where, self.using)

    def with_pattern(self, where: str, using: Sequence[str] = ()) -> str:
        """The same with another pattern."""
        parts = [self.own] if self.own else []
        parts += [f"WITH {self.graph}"] if self.graph else []
        parts += [f"DELETE {self.delete}"] if self.delete else []
        parts += [f"INSERT {self.insert}"] if self.insert else []
        parts += [f"USING {each}" for each in using]
        return " ".join([*parts, f"WHERE {where}"])


@dataclass(frozen=True, slots=True)
class Data:
    """`INSERT DATA` or `DELETE DATA`; `quads` have their braces."""

    prologue: str
    own: str
    verb: str
    quads: str

    @property
    def text(self) -> str:
        return f"{self.own} {self.verb} DATA {self.quads}".lstrip()


@dataclass(frozen=True, slots=True)
class Manage:
    """What is done with whole graphs. A graph is an IRI or prefixed name, or DEFAULT, NAMED or ALL."""

    prologue: str
    own: str
    verb: str
    source: str
    target: str
    body: str

    @property
    def text(self) -> str:
        return f"{self.own} {self.body}".lstrip()


Operation = Modify | Data | Manage


def operations(text: str, prefixes: Mapping[str, str] | None = None) -> tuple[Operation, ...]:
    """The operations of a request that is valid SPARQL without LOAD. Raises NotTaken for one that is not
    understood."""
    found = _Reader(text).all()
    try:
        pyoxigraph.Store().update(_text(list(tokens(text)), escape=True), prefixes=dict(prefixes or {}))
    except SyntaxError:
        raise unclear() from None
    except (OSError, RuntimeError, ValueError):
        # It was understood, and is about graphs that are not in an empty store.
        pass
    return found


@dataclass(frozen=True, slots=True)
class _Group:
    """Something in braces; the default is one that is not there."""

    text: str = ""
    tokens: tuple[Token, ...] = ()


def unclear(where: str = "") -> NotTaken:
    """The error for a text that may be read in two ways."""
    return NotTaken(
        "the check cannot take this update apart",
        where=where,
        hint="escapes belong into strings, and a space goes on both sides of a `<` that compares",
    )


class _Reader:
    def __init__(self, text: str) -> None:
        self._whole = text
        self._tokens = list(tokens(text))
        self._at = 0
        self._prologue: list[str] = []
        self._own: list[str] = []

    def all(self) -> tuple[Operation, ...]:
        found: list[Operation] = []
        while True:
            self._declarations()
            if self._word() == "":
                break
            found.append(self._operation())
            if self._at == len(self._tokens):
                break
            self._expect(";")
        if self._at != len(self._tokens):
            raise self._lost()
        return tuple(found)

    def _declarations(self) -> None:
        self._own = []
        while self._word() in ("PREFIX", "BASE"):
            self._own.append(self._take(3 if self._word() == "PREFIX" else 2))
        self._prologue += self._own

    def _operation(self) -> Operation:
        start, word = self._at, self._next()
        both = " ".join(self._prologue), " ".join(self._own)
        if word in _ONE:
            self._skip("SILENT")
            return self._manage(both, word, self._graph(), "", start)
        if word in _TWO:
            self._skip("SILENT")
            source = self._graph()
            self._expect("TO")
            return self._manage(both, word, source, self._graph(), start)
        if word in ("INSERT", "DELETE") and self._skip("DATA"):
            return Data(*both, word, self._group().text)
        if word == "DELETE" and self._skip("WHERE"):
            pattern = self._group()
            return _modify(both, "", pattern, _Group(), (), pattern)
        graph = ""
        if word == "WITH":
            graph, word = self._take(1), self._next()
        delete = insert = _Group()
        if word == "DELETE":
            delete = self._group()
            word = self._next() if self._word() == "INSERT" else ""
        if word == "INSERT":
            insert = self._group()
        using = []
        while self._skip("USING"):
            named = "NAMED " if self._skip("NAMED") else ""
            using.append(named + self._take(1))
        if not (delete.text or insert.text):
            raise self._lost()
        self._skip("WHERE")
        return _modify(both, graph, delete, insert, tuple(using), self._group())

    def _manage(self, both: tuple[str, str], verb: str, source: str, target: str, start: int) -> Manage:
        return Manage(*both, verb, source, target, self._text(start, self._at))

    def _graph(self) -> str:
        if self._word() in _GRAPHS:
            return self._next()
        self._skip("GRAPH")
        return self._take(1)

    def _group(self) -> _Group:
        start, depth = self._at, 0
        if start == len(self._tokens) or self._tokens[start].text != "{":
            raise self._lost()
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            if token.kind == "sign":
                depth += {"{": 1, "}": -1}.get(token.text, 0)
                if token.text == "\\":
                    raise self._lost(token)
            if depth == 0:
                break
        if depth:
            raise self._lost(self._tokens[start])
        return _Group(self._text(start, self._at), tuple(self._tokens[start : self._at]))

    def _word(self) -> str:
        """The next token if it is a word, in capitals."""
        token = self._tokens[self._at] if self._at < len(self._tokens) else None
        return token.text.upper() if token is not None and token.kind == "word" else ""

    def _next(self) -> str:
        word = self._word()
        if not word:
            raise self._lost()
        self._at += 1
        return word

    def _skip(self, word: str) -> bool:
        there = self._word() == word
        self._at += there
        return there

    def _expect(self, text: str) -> None:
        if self._at >= len(self._tokens) or self._tokens[self._at].text.upper() != text:
            raise self._lost()
        self._at += 1

    def _take(self, count: int) -> str:
        if self._at + count > len(self._tokens):
            raise self._lost()
        if any(token.kind == "sign" for token in self._tokens[self._at : self._at + count]):
            raise self._lost()
        self._at += count
        return self._text(self._at - count, self._at)

    def _text(self, start: int, end: int) -> str:
        return _text(self._tokens[start:end])

    def _lost(self, token: Token | None = None) -> NotTaken:
        if token is None and self._at < len(self._tokens):
            token = self._tokens[self._at]
        line, column = place(self._whole, token.start if token else len(self._whole))
        return unclear(f"line {line}, column {column}")


def _modify(
    both: tuple[str, str], graph: str, delete: _Group, insert: _Group, using: tuple[str, ...], where: _Group
) -> Modify:
    named = [token.text[1:] for token in (*delete.tokens, *insert.tokens) if token.kind == "variable"]
    blank = any(
        token.kind == "blank" or (token.kind == "sign" and token.text in _BLANK) for token in insert.tokens
    )
    words = frozenset(token.text.upper() for token in where.tokens if token.kind == "word")
    variables = tuple(dict.fromkeys(named))
    return Modify(*both, graph, delete.text, insert.text, using, where.text, variables, blank, words)


def _text(some: Sequence[Token], *, escape: bool = False) -> str:
    """Tokens as text: what touches still touches, and what was between others is one space."""
    parts: list[str] = []
    before = some[0].start if some else 0
    for token in some:
        if token.start != before:
            parts.append(" ")
        parts.append(_UNSAFE.sub(_escaped, token.text) if escape and token.kind == "iri" else token.text)
        before = token.end
    return "".join(parts)


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match.group()):04X}"
