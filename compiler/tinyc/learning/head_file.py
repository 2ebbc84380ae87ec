"""A learned head as a file: what a device has learned, with all that tells where it may be loaded.

The file is JSON, so that it can be read and compared by eye; the state itself is in base64. Two SHA-256
are in it: `sha256` is over the whole file, and `head` names what was learned, wherever it lies.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tinyc.errors import TinycError
from tinyc.files import write_if_changed

FORMAT = "tinyc learned head"
VERSION = 1
BODY_BYTES = 8
# A file that asks for more is damaged, or none of ours.
LARGEST_FILE = 8 << 20
LARGEST_STATE = 4 << 20
LONGEST_TEXT = 256
MOST_CLASSES = 1024
MOST_COUNTERS = 64
_LARGEST_NUMBER = 0xFFFFFFFF

Number = int | float


@dataclass(frozen=True, slots=True)
class HeadFile:
    """A head that a device has learned. Texts have at most 256 characters, numbers are those of uint32."""

    kind: str
    """Of the head: `slda`, `sgd`, ..."""
    body: bytes
    """8 bytes that name the network in front of the head, the tap, and the head's layout."""
    model: str
    version: str
    digest: str
    """Of the model, hexadecimal."""
    board: str
    chip: str
    tinyc: str
    sequence: int
    """How often the device had written a head before, itself included."""
    latent: int
    capacity: int
    factory_classes: int
    """The first of the classes, which the firmware came with."""
    classes: tuple[str, ...]
    """Names, empty for a place that has none."""
    counters: Mapping[str, Number]
    state: bytes
    """`struct learn_head` as the device has it, little endian."""

    @property
    def head(self) -> str:
        """SHA-256, hexadecimal, of what was learned: the same on every device that has it."""
        return head_digest(self.kind, self.body, self.state, self.classes[self.factory_classes :])


def head_digest(kind: str, body: bytes, state: bytes, learned: Sequence[str]) -> str:
    """SHA-256, hexadecimal, of a head and the names of the classes it learned."""
    found = hashlib.sha256()
    for part in (kind.encode(), body, state, *(name.encode() for name in learned)):
        found.update(len(part).to_bytes(4, "little") + part)
    return found.hexdigest()


_TEXTS = ("kind", "model", "version", "digest", "board", "chip", "tinyc")
_NUMBERS = ("sequence", "latent", "capacity", "factory_classes")
_KEYS = {"format", "format_version", "head", "sha256", *(field.name for field in fields(HeadFile))}


def dump(head: HeadFile) -> bytes:
    """The bytes of the file; the same head gives the same bytes."""
    told: dict[str, Any] = {
        "format": FORMAT,
        "format_version": VERSION,
        **{name: getattr(head, name) for name in _TEXTS},
        "body": head.body.hex(),
        **{name: getattr(head, name) for name in _NUMBERS},
        "classes": list(head.classes),
        "counters": dict(sorted(head.counters.items())),
        "head": head.head,
        "state": base64.b64encode(head.state).decode(),
    }
    told["sha256"] = _sum(told)
    return (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode()


def save(path: Path, head: HeadFile) -> None:
    """Write the file, whole or not at all. Raises TinycError when it cannot be written."""
    try:
        write_if_changed(path, dump(head))
    except OSError as error:
        raise TinycError(f"cannot write: {error.strerror}", where=str(path)) from error


def read(path: Path) -> HeadFile:
    """The head in a file. Raises TinycError for one that is missing, too large, damaged, or no head."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise TinycError(f"cannot be read: {error.strerror}", where=str(path)) from error
    return load(data, str(path))


def load(data: bytes, where: str = "head file") -> HeadFile:
    """The head in these bytes. Raises TinycError for anything that `dump` did not write."""
    if len(data) > LARGEST_FILE:
        raise _bad(f"has more than {LARGEST_FILE} bytes", where)
    try:
        told = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _bad("is not JSON", where) from error
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise _bad("is no learned head", where)
    if told.get("format_version") != VERSION:
        raise TinycError(
            f"has format version {told.get('format_version')!r}"[:80],
            where=where,
            allowed=f"version {VERSION}",
            hint="export the head again with this tinyc",
        )
    if set(told) != _KEYS:
        raise _bad(f"lacks or has too many keys: {', '.join(sorted(_KEYS ^ set(told)))[:80]}", where)
    head = _head(told, where)
    if told["sha256"] != _sum(told) or told["head"] != head.head:
        raise _bad("is damaged: its SHA-256 differs", where)
    return head


def _head(told: Mapping[str, Any], where: str) -> HeadFile:
    body, state = _bytes_of_hex(told["body"]), _bytes_of_base64(told["state"])
    if body is None or len(body) != BODY_BYTES:
        raise _bad("`body` is not 8 bytes", where)
    if state is None or not 0 < len(state) <= LARGEST_STATE:
        raise _bad("`state` is not the bytes of a head", where)
    for name in _TEXTS:
        if not _is_text(told[name]):
            raise _bad(f"`{name}` is no short text", where)
    for name in _NUMBERS:
        if type(told[name]) is not int or not 0 <= told[name] <= _LARGEST_NUMBER:
            raise _bad(f"`{name}` is no number of 32 bits", where)
    classes, counters = told["classes"], told["counters"]
    if not isinstance(classes, list) or len(classes) > MOST_CLASSES or not all(map(_is_text, classes)):
        raise _bad("`classes` are no short texts", where)
    if not isinstance(counters, dict) or len(counters) > MOST_COUNTERS:
        raise _bad("`counters` are no numbers", where)
    for name, value in counters.items():
        if not _is_text(name) or not _is_number(value):
            raise _bad("`counters` are no numbers", where)
    return HeadFile(
        **{name: told[name] for name in (*_TEXTS, *_NUMBERS)},
        body=body,
        state=state,
        classes=tuple(classes),
        counters=MappingProxyType(dict(sorted(counters.items()))),
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_TEXT and _encodes(value)


def _encodes(value: str) -> bool:
    """False for the lone surrogates that JSON's escapes can give."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_number(value: object) -> bool:
    if type(value) is int:
        return 0 <= value <= _LARGEST_NUMBER
    return type(value) is float and math.isfinite(value)


def _bytes_of_hex(text: object) -> bytes | None:
    try:
        return bytes.fromhex(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _bytes_of_base64(text: object) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except (binascii.Error, ValueError):
        return None


def _sum(told: Mapping[str, Any]) -> str:
    """SHA-256 over everything else, as JSON without blanks and with sorted keys."""
    rest = {key: value for key, value in told.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _bad(what: str, where: str) -> TinycError:
    return TinycError(what, where=where, allowed="a file that `tinyc learn export` wrote")
