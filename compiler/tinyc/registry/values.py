"""Texts of a user as terms of a query, by the type of the parameter."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from pyoxigraph import Literal, NamedNode

from tinyc.registry import names
from tinyc.registry.vocabulary import XSD

ANY = "*"
_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)")
_SCHEME = re.compile(r"(urn|https?|file|tag|did):", re.IGNORECASE)


class Wrong(ValueError):  # noqa: N818
    """A text that is no value of its type; `allowed` says what would be."""

    def __init__(self, what: str, allowed: str) -> None:
        super().__init__(what)
        self.allowed = allowed


def iri(text: str) -> NamedNode:
    """Raises Wrong for what is no absolute IRI."""
    try:
        return NamedNode(text)
    except ValueError as error:
        raise Wrong(f"is no IRI: {text!r}", "an absolute IRI, as in urn:tinyc:board:nrf52840") from error


def is_iri(text: str) -> bool:
    """Whether a text means an IRI where a name may stand, too."""
    return _SCHEME.match(text) is not None


def _named(make: Callable[[str], NamedNode]) -> Callable[[str], str]:
    return lambda text: str(iri(text) if is_iri(text) else make(text))


def _device(text: str) -> str:
    if is_iri(text):
        return str(iri(text))
    board, colon, chip = text.partition(":")
    if not (board and colon and chip):
        raise Wrong(f"is no device: {text!r}", "BOARD:CHIP, or the IRI of a device")
    return str(names.device(board, chip))


def _integer(text: str) -> str:
    if not _INTEGER.fullmatch(text):
        raise Wrong(f"is no whole number: {text!r}", "digits")
    return str(int(text))


def _count(text: str) -> str:
    if not text.isascii() or not text.isdigit():
        raise Wrong(f"is no count: {text!r}", "0 or more")
    return str(int(text))


def _decimal(text: str) -> str:
    if not _DECIMAL.fullmatch(text):
        raise Wrong(f"is no decimal number: {text!r}", "a number as in 0.95")
    return str(Literal(text, datatype=XSD.decimal))


def _boolean(text: str) -> str:
    word = text.lower()
    if word not in ("true", "false", "yes", "no"):
        raise Wrong(f"is no boolean: {text!r}", "true, false")
    return "true" if word in ("true", "yes") else "false"


def moment(text: str) -> datetime:
    """A time with its offset; without one it is in UTC. Raises Wrong."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise Wrong(f"is no time: {text!r}", "as in 2026-10-01 or 2026-10-01T09:00:00+02:00") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _time(text: str) -> str:
    return str(Literal(moment(text).isoformat(), datatype=XSD.dateTime))


def _model(text: str) -> str:
    return str(iri(text)) if is_iri(text) else str(Literal(text))


TYPES: dict[str, Callable[[str], str]] = {
    "board": _named(names.board),
    "site": _named(names.site),
    "firmware": _named(names.firmware),
    "device": _device,
    "model": _model,
    "version": lambda text: str(Literal(text)),
    "text": lambda text: str(Literal(text)),
    "integer": _integer,
    "count": _count,
    "decimal": _decimal,
    "dateTime": _time,
    "boolean": _boolean,
    "iri": lambda text: str(iri(text)),
}


def term(kind: str, text: str, *, any_: bool = False) -> str:
    """The N-Triples form of `text` as a value of type `kind`; `*` stays itself where `any_`. Raises Wrong."""
    if any_ and text == ANY:
        return str(Literal(ANY))
    if text == ANY and kind in ("board", "site", "firmware", "device", "model", "version"):
        raise Wrong("must be one", f"one {kind}, not any")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Wrong(f"is no text: {text!r}", "Unicode") from error
    return TYPES[kind](text)
