"""Binary, Intel HEX and UF2 hold the bytes of the segments at their addresses."""

from __future__ import annotations

import io
import struct

import pytest
from intelhex import IntelHex

from tinyc.errors import TinycError
from tinyc.toolchain.elf import Segment
from tinyc.toolchain.images import to_binary, to_hex, to_uf2

pytestmark = pytest.mark.unit

SEGMENTS = (Segment(0x27000, bytes(range(200))), Segment(0x27000 + 300, b"\xaa" * 333))
FAMILY = 0xADA52840


def test_binary_fills_gaps_like_erased_flash() -> None:
    start, data = to_binary(SEGMENTS)
    assert start == 0x27000
    assert data == bytes(range(200)) + b"\xff" * 100 + b"\xaa" * 333


def test_hex_reads_back() -> None:
    image = IntelHex()
    image.loadhex(io.StringIO(to_hex(SEGMENTS)))
    assert image.minaddr() == 0x27000
    assert image.tobinstr() == to_binary(SEGMENTS)[1]


@pytest.mark.parametrize("start", [0x27000, 0x27010, 0x270FF])
def test_uf2_blocks(start: int) -> None:
    data = bytes(index * 7 & 0xFF for index in range(700))
    image = to_uf2([Segment(start, data)], FAMILY)
    assert len(image) % 512 == 0
    count = len(image) // 512
    memory = {}
    for index in range(count):
        block = image[index * 512 : (index + 1) * 512]
        first, second, flags, address, size, number, total, family = struct.unpack_from("<8I", block)
        assert (first, second) == (0x0A324655, 0x9E5D5157)
        assert block[508:] == struct.pack("<I", 0x0AB16F30)
        assert (flags, size, number, total, family) == (0x2000, 256, index, count, FAMILY)
        assert address % 256 == 0
        assert block[32 + size : 508] == bytes(476 - size)
        memory |= dict(enumerate(block[32 : 32 + size], address))
    assert bytes(memory[start + at] for at in range(len(data))) == data
    assert all(memory[at] == 0xFF for at in memory if not start <= at < start + len(data))


def test_no_bytes() -> None:
    with pytest.raises(TinycError, match="empty"):
        to_binary([])


def test_a_segment_far_away_is_no_firmware() -> None:
    with pytest.raises(TinycError, match="outside flash"):
        to_binary([Segment(0, b"a"), Segment(0x20000000, b"b")])
