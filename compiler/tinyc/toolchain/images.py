"""What flashing tools want instead of ELF: Intel HEX, plain binary and UF2."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping, Sequence

from intelhex import IntelHex

from tinyc.errors import TinycError
from tinyc.toolchain.elf import Segment

# UF2 format specification: 512-byte blocks, little endian.
UF2_MAGIC = (0x0A324655, 0x9E5D5157)
UF2_END = 0x0AB16F30
UF2_FAMILY_PRESENT = 0x00002000
UF2_PAYLOAD = 256

# A gap that large between two segments means a load address in RAM, not padding.
_LARGEST_IMAGE = 64 << 20


def to_binary(segments: Sequence[Segment]) -> tuple[int, bytes]:
    """(load address, bytes) of the whole image; gaps are 0xFF like erased flash.

    Raises TinycError for an image without bytes or with segments absurdly far apart.
    """
    if not segments:
        raise TinycError("the firmware is empty")
    start = min(segment.load_address for segment in segments)
    end = max(segment.load_address + len(segment.data) for segment in segments)
    if end - start > _LARGEST_IMAGE:
        raise TinycError(f"the firmware spans {end - start} bytes: a segment loads outside flash")
    image = bytearray(b"\xff" * (end - start))
    for segment in segments:
        at = segment.load_address - start
        image[at : at + len(segment.data)] = segment.data
    return start, bytes(image)


def to_hex(segments: Sequence[Segment]) -> str:
    """The image as Intel HEX text."""
    start, data = to_binary(segments)
    return hex_of({start: data})


def hex_of(parts: Mapping[int, bytes]) -> str:
    """Intel HEX text of bytes by address; what lies between the parts is not in it."""
    image = IntelHex()
    for address, data in sorted(parts.items()):
        image.puts(address, data)
    text = io.StringIO()
    image.write_hex_file(text)
    return text.getvalue().replace("\r\n", "\n")


def to_uf2(segments: Sequence[Segment], family: int) -> bytes:
    """The image as UF2 blocks of 256 bytes for the chip family `family`; the end is padded with 0xFF."""
    start, data = to_binary(segments)
    # Bootloaders write whole pages, so blocks begin on payload boundaries.
    lead = start % UF2_PAYLOAD
    data = b"\xff" * lead + data
    start -= lead
    count = -(-len(data) // UF2_PAYLOAD)
    blocks = []
    for index in range(count):
        payload = data[index * UF2_PAYLOAD : (index + 1) * UF2_PAYLOAD].ljust(UF2_PAYLOAD, b"\xff")
        address = start + index * UF2_PAYLOAD
        head = struct.pack("<8I", *UF2_MAGIC, UF2_FAMILY_PRESENT, address, UF2_PAYLOAD, index, count, family)
        blocks.append(head + payload.ljust(476, b"\0") + struct.pack("<I", UF2_END))
    return b"".join(blocks)
