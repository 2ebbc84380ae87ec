"""How much fits into one message of the serial protocol. All sizes are bytes.

A device has one buffer for messages, whose size depends on its RAM. Length and CRC of a packet share
it with the message: see `docs/reference/protocol.md`. The compiler asks this module what a firmware
will accept, so it imports nothing that is slow to load.
"""

from __future__ import annotations

from tinyc.errors import TinycError

PROTOCOL = 2
"""The version of the protocol."""

HEADER = 8
SMALL_BUFFER, LARGE_BUFFER = 512, 2048
# Devices with less RAM than this have the small buffer.
LARGE_BUFFER_RAM = 32 * 1024
# What a client takes from a device that claims other numbers.
SMALLEST_BUFFER, LARGEST_BUFFER = 64, 8192
LARGEST_PROFILE = 64
"""Layers in one PROFILE request."""

LONGEST_NAME = 64
"""UTF-8 bytes of the model's name in the answer to HELLO; longer names are cut."""

_PACKET = 4  # length and CRC
# CBOR heads: one byte for a short string or a small number, three from 256 on, five from 65536 on.
_SHORT, _HALF, _FULL = 1, 3, 5


def buffer_bytes(ram: int) -> int:
    """The message buffer of a device with `ram` bytes of RAM; OS parameters call it `buf_size`."""
    return SMALL_BUFFER if ram < LARGE_BUFFER_RAM else LARGE_BUFFER


def largest_message(buffer: int) -> int:
    """The longest message, header and map, for a buffer of `buffer` bytes."""
    return buffer - _PACKET


def largest_data(buffer: int) -> int:
    """The longest `data` beside `off`, in requests (input, arena) and in answers (output, arena)."""
    head = _SHORT + _SHORT + len("off") + _FULL + _SHORT + len("data") + _HALF
    return largest_message(buffer) - HEADER - head


def largest_values(buffer: int) -> int:
    """The longest `values` beside `seen`, in a TEACH request."""
    head = _SHORT + _SHORT + len("seen") + _FULL + _SHORT + len("values") + _HALF
    return largest_message(buffer) - HEADER - head


def largest_text(buffer: int) -> int:
    """The longest text (UTF-8) of a TEXT request."""
    return largest_message(buffer) - HEADER - (_SHORT + _SHORT + len("text") + _HALF)


def largest_samples(buffer: int) -> int:
    """How many int16 samples an AUDIO request holds at most."""
    return (largest_message(buffer) - HEADER - (_SHORT + _SHORT + len("data") + _HALF)) // 2


def check_text(text: bytes, buffer: int) -> None:
    """Raise TinycError for a text that is longer than the message that carries it."""
    longest = largest_text(buffer)
    if len(text) > longest:
        raise TinycError(
            f"the text has {len(text)} bytes",
            where=text[:40].decode("utf-8", errors="replace") + "...",
            allowed=f"at most {longest} bytes of UTF-8, one message of the serial protocol",
        )
