"""The image format of MCUboot: numbers that its writer and its reader share. Little endian."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from enum import IntEnum

from tinyc.errors import TinycError

MAGIC = 0x96F3B83D
# Magic, load address, header size, size of the protected TLVs, body size, flags, version, padding.
HEADER = struct.Struct("<IIHHIIBBHII")
PROTECTED_MAGIC = 0x6908
UNPROTECTED_MAGIC = 0x6907
TLV = struct.Struct("<HH")
DIGEST_BYTES = 32

NON_BOOTABLE = 0x10
ROM_FIXED = 0x100
ENCRYPTED = 0x4 | 0x8

# The longest text of a TLV, in bytes of UTF-8.
LONGEST_TEXT = 128
MOST_COUNTER = 0xFFFFFFFF

_NUMBER = "(0|[1-9][0-9]{0,9})"
_VERSION = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:\+{_NUMBER})?", re.ASCII)
_MOST = (0xFF, 0xFF, 0xFFFF, 0xFFFFFFFF)


class Tag(IntEnum):
    """Types of the TLVs. Those from 0xA0 are tinyc's own."""

    KEY_HASH = 0x01
    SHA256 = 0x10
    ED25519 = 0x24
    PURE = 0x25
    COUNTER = 0x50
    BOARD = 0xA0
    SLOT_MAP = 0xA1
    FIRMWARE = 0xA2
    MODEL = 0xA3
    MODEL_NAME = 0xA4
    MODEL_VERSION = 0xA5


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """The version of an image."""

    major: int
    minor: int
    revision: int
    build: int = 0

    @classmethod
    def parse(cls, text: str) -> Version:
        """From `1.2.3` or `1.2.3+4`. Raises TinycError for anything else, and for numbers out of range."""
        found = _VERSION.fullmatch(text)
        numbers = [int(number or 0) for number in found.groups()] if found else []
        if not found or any(number > most for number, most in zip(numbers, _MOST, strict=True)):
            raise TinycError(
                f"{text!r} is no version of an image",
                allowed='three or four numbers as in "1.2.3" or "1.2.3+4", at most 255.255.65535+4294967295',
            )
        return cls(*numbers)

    def __str__(self) -> str:
        text = f"{self.major}.{self.minor}.{self.revision}"
        return f"{text}+{self.build}" if self.build else text
