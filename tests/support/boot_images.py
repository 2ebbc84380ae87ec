"""Images for the bootloader's tests, as imgtool writes them, and the headers that its C includes."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from support import ed25519

MAGIC, HEADER = 0x96F3B83D, 512
PROTECTED, UNPROTECTED = 0x6908, 0x6907
KEY_HASH, SHA256, ED25519, SIGNATURE_PURE, COUNTER = 0x01, 0x10, 0x24, 0x25, 0x50
BOARD_NAME, MAP, FIRMWARE, MODEL, MODEL_NAME, MODEL_VERSION = range(0xA0, 0xA6)
NON_BOOTABLE, ROM_FIXED = 0x10, 0x100
# What comes before the 32 bytes of an Ed25519 key in DER.
DER = bytes.fromhex("302a300506032b6570032100")

Tlv = tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class Map:
    """A slot map: pages and where the slots begin."""

    page: int
    pages: int
    primary: int
    secondary: int
    journal: int
    model_pages: int = 0
    models: tuple[int, int] = (0, 0)
    name: str = "nrf52840"
    number: int = 0x12345678
    flash: int = 0x4000

    def header(self) -> str:
        """The text of slots.h."""
        values = {
            "PAGE_BYTES": self.page,
            "HEADER_BYTES": HEADER,
            "BOOTLOADER": 0,
            "BOOTLOADER_BYTES": self.primary,
            "PRIMARY": self.primary,
            "SECONDARY": self.secondary,
            "IMAGE_PAGES": self.pages,
            "JOURNAL": self.journal,
            "MODEL_PAGES": self.model_pages,
            "MODEL_0": self.models[0],
            "MODEL_1": self.models[1],
            "MAP": self.number,
            "RETAINED": 0x2003FFC0,
        }
        lines = [f"#define SLOT_{name} 0x{value:08x}u" for name, value in values.items()]
        return "\n".join([*lines, f'#define SLOT_BOARD "{self.name}"', ""])


SMALL = Map(512, 4, 0x1000, 0x1A00, 0x2600, 3, (0x2A00, 0x3000))
DK = Map(4096, 118, 0x6000, 0x7D000, 0xFE000, flash=0x100000)
SPLIT = Map(4096, 47, 0x6000, 0x36000, 0xFE000, 71, (0x67000, 0xAE000), flash=0x100000)


def key_header(secret: bytes | None) -> str:
    """The text of boot_key.h."""
    if secret is None:
        return "#define BOOT_KEY_PRESENT 0\n"
    key = ed25519.public_key(secret)
    lines = ["#include <stdint.h>", "#define BOOT_KEY_PRESENT 1"]
    for name, data in (("boot_public_key", key), ("boot_key_hash", key_hash(secret))):
        lines.append(f"static const uint8_t {name}[32] = {{{', '.join(map(str, data))}}};")
    return "\n".join([*lines, ""])


def key_hash(secret: bytes) -> bytes:
    return hashlib.sha256(DER + ed25519.public_key(secret)).digest()


def tlvs(area: int, entries: Sequence[Tlv]) -> bytes:
    body = b"".join(struct.pack("<HH", kind, len(data)) + data for kind, data in entries)
    return struct.pack("<HH", area, len(body) + 4) + body


def header(body: int, covered: int, version: tuple[int, int, int, int], flags: int, load: int) -> bytes:
    start = struct.pack("<IIHHII", MAGIC, load, HEADER, covered, body, flags)
    return (start + struct.pack("<BBHI", *version) + bytes(4)).ljust(HEADER, b"\xff")


def finish(start: bytes, secret: bytes | None, extra: Sequence[Tlv] = ()) -> bytes:
    """Header, body and protected TLVs with their hash, and a signature where there is a key."""
    digest = hashlib.sha256(start).digest()
    entries: list[Tlv] = [(SHA256, digest)]
    if secret is not None:
        entries += [(KEY_HASH, key_hash(secret)), (ED25519, ed25519.sign(secret, digest))]
    return start + tlvs(UNPROTECTED, [*entries, *extra])


def described(map_: Map, counter: int) -> list[Tlv]:
    """The protected TLVs of every image."""
    return [
        (COUNTER, struct.pack("<I", counter)),
        (BOARD_NAME, map_.name.encode()),
        (MAP, struct.pack("<I", map_.number)),
    ]


def image(
    map_: Map,
    body: bytes,
    counter: int = 0,
    secret: bytes | None = None,
    version: tuple[int, int, int, int] = (1, 0, 0, 0),
    flags: int = 0,
    load: int = 0,
    entries: Sequence[Tlv] | None = None,
) -> bytes:
    covered = tlvs(PROTECTED, described(map_, counter) if entries is None else entries)
    return finish(header(len(body), len(covered), version, flags, load) + body + covered, secret)


def program(map_: Map, size: int, seed: int) -> bytes:
    """A body of so many bytes that would start: a stack, a reset vector, and anything behind."""
    start = map_.primary + HEADER + 9
    stream = hashlib.shake_128(seed.to_bytes(4, "little")).digest(size)
    # Stretches of blank words, as images have them.
    blank = b"\xff" * 64
    return (struct.pack("<II", 0x20010000, start) + stream[8 : size // 2] + blank + stream[size // 2 :])[
        :size
    ]
