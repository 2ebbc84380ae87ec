"""Signed images for tests: keys from known secrets, contents, and images forged byte by byte."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from support.ed25519_vectors import VECTORS
from tinyc.signing.image import ImageContent
from tinyc.signing.keys import PublicKey, SigningKey

BOARD = "nrf52840"
SLOT_MAP = 0x12345678
ROOM = 118 * 4096


def signing_key(number: int = 0) -> SigningKey:
    """A key pair of RFC 8032."""
    vector = VECTORS[number]
    return SigningKey(Ed25519PrivateKey.from_private_bytes(vector.secret), PublicKey(vector.key))


def content(**changes: Any) -> ImageContent:
    """A small content; every byte of its binary is another one than its neighbour."""
    whole = ImageContent(
        binary=bytes(number * 37 % 251 for number in range(50)),
        version="1.2.3+4",
        counter=7,
        board=BOARD,
        slot_map=SLOT_MAP,
        firmware_digest=hashlib.sha256(b"firmware").digest(),
        model_digest=hashlib.sha256(b"model").digest(),
        model_name="keyword spotting",
        model_version="0.9.0",
        slot_bytes=ROOM,
    )
    return replace(whole, **changes)


Entries = Sequence[tuple[int, bytes]]


def area(magic: int, entries: Entries, total: int | None = None) -> bytes:
    """A list of TLVs with its head; `total` replaces the true length in it."""
    body = b"".join(struct.pack("<HH", tag, len(value)) + value for tag, value in entries)
    return struct.pack("<HH", magic, len(body) + 4 if total is None else total) + body


OURS: Entries = (
    (0x50, struct.pack("<I", 7)),
    (0xA0, BOARD.encode()),
    (0xA1, struct.pack("<I", SLOT_MAP)),
)


def forged(
    *,
    protected: Entries = OURS,
    plain: Entries | None = None,
    body: bytes = b"body",
    header: Mapping[str, int] | None = None,
    protected_total: int | None = None,
    plain_total: int | None = None,
) -> bytes:
    """An image with any field as wanted; its hash is right unless `plain` gives the entries behind it."""
    listed = area(0x6908, protected, protected_total) if protected else b""
    fields = {
        "magic": 0x96F3B83D,
        "load_address": 0,
        "header": 0x200,
        "protected": len(listed),
        "body": len(body),
        "flags": 0,
    } | dict(header or {})
    head = struct.pack("<IIHHII", *fields.values()) + struct.pack("<BBHII", 1, 2, 3, 4, 0)
    hashed = head.ljust(0x200, b"\xff") + body + listed
    if plain is None:
        plain = ((0x10, hashlib.sha256(hashed).digest()),)
    return hashed + area(0x6907, plain, plain_total)
