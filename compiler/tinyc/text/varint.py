"""Numbers of seven bits a byte, the low ones first; every byte but the last has its top bit set."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def read_varint(stream: npt.NDArray[np.uint8], at: int) -> tuple[int, int]:
    """The number at an offset, and the offset behind it."""
    number = shift = 0
    while True:
        byte = int(stream[at])
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, at
