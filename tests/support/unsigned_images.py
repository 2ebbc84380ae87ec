"""Images as MCUboot's tools write them, made by hand: header, body, TLVs."""

from __future__ import annotations

import hashlib
import random
import struct

HEADER, MAGIC = 512, 0x96F3B83D
NON_BOOTABLE, ROM_FIXED = 0x10, 0x100
PROTECTED, UNPROTECTED = 0x6908, 0x6907
SHA256, COUNTER, BOARD, MAP = 0x10, 0x50, 0xA0, 0xA1
TRAILER_MAGIC = bytes.fromhex("77c295f360d2ef7f3552500f2cb67980")


def tlvs(area: int, entries: list[tuple[int, bytes]]) -> bytes:
    body = b"".join(struct.pack("<HH", kind, len(value)) + value for kind, value in entries)
    return struct.pack("<HH", area, 4 + len(body)) + body if entries else b""


def program(origin: int, size: int, seed: int) -> bytes:
    """A body that looks like a program in the slot at `origin`: the head of a vector table, then noise."""
    vectors = struct.pack("<II", 0x20001000, origin + HEADER + 9)
    return vectors + random.Random(seed).randbytes(size - len(vectors))


def image(
    body: bytes,
    *,
    version: tuple[int, int, int, int] = (1, 2, 3, 0),
    flags: int = 0,
    board: str = "nrf52840",
    slot_map: int = 0x12345678,
    load_address: int = 0,
) -> bytes:
    """An unsigned image for a board and a slot map."""
    covered = tlvs(
        PROTECTED,
        [(COUNTER, bytes(4)), (BOARD, board.encode()), (MAP, struct.pack("<I", slot_map))],
    )
    header = struct.pack(
        "<IIHHII BBHI I", MAGIC, load_address, HEADER, len(covered), len(body), flags, *version, 0
    )
    hashed = header.ljust(HEADER, b"\xff") + body + covered
    return hashed + tlvs(UNPROTECTED, [(SHA256, hashlib.sha256(hashed).digest())])


def image_hash(data: bytes) -> bytes:
    """What names an image: the value of its last TLV."""
    return data[-32:]
