"""A reader of the part of CBOR that signed things are written in: one meaning has one writing.

No floats, no indefinite lengths, the shortest heads, keys in order and each once (RFC 8949, 4.2.1).
The bytes are not trusted: memory and time are bounded by their length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST_DEPTH = 16
_WIDTHS = {24: 1, 25: 2, 26: 4, 27: 8}
_SIMPLE = {20: False, 21: True, 22: None}


@dataclass(frozen=True, slots=True)
class Tagged:
    """A value under a tag."""

    tag: int
    value: Any


def decode(data: bytes) -> Any:
    """The one item that `data` is: numbers, bytes, texts, tuples, maps, truth, None and `Tagged`.

    Raises ValueError for anything else.
    """
    value, end = _item(data, 0, 0)
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes follow the end")
    return value


def _item(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    if depth > MOST_DEPTH:
        raise ValueError(f"is nested deeper than {MOST_DEPTH}")
    kind, number, at = _head(data, at)
    if kind == 0:
        return number, at
    if kind == 1:
        return -1 - number, at
    if kind in (2, 3):
        raw = data[at : at + number]
        if len(raw) != number:
            raise ValueError("is cut off")
        # UnicodeDecodeError is a ValueError.
        return (raw if kind == 2 else raw.decode("utf-8")), at + number
    if kind == 4:
        return _array(data, at, number, depth)
    if kind == 5:
        return _map(data, at, number, depth)
    if kind == 6:
        value, at = _item(data, at, depth + 1)
        return Tagged(number, value), at
    if number not in _SIMPLE:
        raise ValueError("has a float or a simple value of another kind")
    return _SIMPLE[number], at


def _head(data: bytes, at: int) -> tuple[int, int, int]:
    """(major type, number, where the content begins)."""
    if at >= len(data):
        raise ValueError("is cut off")
    kind, small = data[at] >> 5, data[at] & 31
    at += 1
    if small < 24:
        return kind, small, at
    width = _WIDTHS.get(small)
    if width is None or kind == 7:
        raise ValueError("has an indefinite length or a float")
    if at + width > len(data):
        raise ValueError("is cut off")
    number = int.from_bytes(data[at : at + width], "big")
    if number < (24 if width == 1 else 1 << 4 * width):
        raise ValueError("writes a number longer than needed")
    return kind, number, at + width


def _array(data: bytes, at: int, count: int, depth: int) -> tuple[tuple[Any, ...], int]:
    # Each item has at least a byte, so a count that is too large fails when the bytes end.
    found = []
    for _ in range(count):
        value, at = _item(data, at, depth + 1)
        found.append(value)
    return tuple(found), at


def _map(data: bytes, at: int, count: int, depth: int) -> tuple[Mapping[Any, Any], int]:
    found: dict[Any, Any] = {}
    before = b""
    for _ in range(count):
        start = at
        key, at = _item(data, at, depth + 1)
        written = data[start:at]
        if written <= before:
            raise ValueError("has keys that are not in order, or twice")
        before = written
        value, at = _item(data, at, depth + 1)
        # Python takes True for 1.
        if isinstance(key, bool) or not isinstance(key, int | str | bytes | tuple):
            raise ValueError("has a key of a kind that is not read")
        try:
            found[key] = value
        except TypeError as error:
            raise ValueError("has a map in a key") from error
    return found, at
