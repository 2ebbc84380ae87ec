"""Frames of IEEE 802.15.4-2006 without link-layer security: the twin of `mac.c`.

A frame here has no check sum; `with_check_sum` adds what the radio adds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

LARGEST = 125  # bytes of a frame without its check sum
BROADCAST = 0xFFFF
_CONTROL_BYTES = 3
_SECURED, _PENDING, _ACK_REQUEST, _ONE_PAN = 1 << 3, 1 << 4, 1 << 5, 1 << 6
_DESTINATION, _VERSION, _SOURCE = 10, 12, 14
_NONE, _RESERVED = 0, 1
_BYTES = (0, 0, 2, 8)  # of an address, by its mode
_MODES = {size: mode for mode, size in enumerate(_BYTES) if size}


class MacType(IntEnum):
    """Types of frames; a reserved one is a plain number."""

    BEACON = 0
    DATA = 1
    ACK = 2
    COMMAND = 3


class MacVerdict(IntEnum):
    """What reading a frame ended with: `enum mac_verdict`."""

    OK = 0
    TRUNCATED = 1
    UNSUPPORTED = 2
    SECURED = 3
    BAD_ADDRESS = 4


@dataclass(frozen=True, slots=True)
class Address:
    """A link-layer address of 0 (absent), 2 (short) or 8 bytes, the most significant one first."""

    value: bytes = b""

    def __post_init__(self) -> None:
        if len(self.value) not in (0, 2, 8):
            raise ValueError(f"an address has 0, 2 or 8 bytes, not {len(self.value)}")

    @property
    def kind(self) -> int:
        """How many bytes it has."""
        return len(self.value)

    def packed(self) -> bytes:
        """`struct lpc_address`."""
        return self.value.ljust(8, b"\0") + bytes([self.kind])

    @classmethod
    def short(cls, number: int) -> Address:
        """A short address by its number."""
        return cls(number.to_bytes(2, "big"))

    @classmethod
    def extended(cls, number: int) -> Address:
        """An extended address by its number."""
        return cls(number.to_bytes(8, "big"))


@dataclass(frozen=True, slots=True)
class MacFrame:
    """A frame's header, and where its payload is: `struct mac_frame`."""

    type: int = MacType.BEACON
    ack_request: bool = False
    pending: bool = False
    sequence: int = 0
    destination_pan: int = 0
    source_pan: int = 0
    destination: Address = Address()
    source: Address = Address()
    payload: int = 0
    payload_length: int = 0


def parse(data: bytes) -> tuple[MacVerdict, MacFrame]:
    """Read a frame without its check sum."""
    if not _CONTROL_BYTES <= len(data) <= LARGEST:
        return MacVerdict.TRUNCATED, MacFrame()
    control = int.from_bytes(data[:2], "little")
    destination, source = control >> _DESTINATION & 3, control >> _SOURCE & 3
    flags = (bool(control & _ACK_REQUEST), bool(control & _PENDING), data[2])
    header = MacFrame(control & 7, *flags)
    if control >> _VERSION & 3 > 1 or header.type > MacType.COMMAND:
        return MacVerdict.UNSUPPORTED, header
    one_pan = bool(control & _ONE_PAN)
    if _RESERVED in (destination, source) or (one_pan and _NONE in (destination, source)):
        return MacVerdict.BAD_ADDRESS, header
    if header.type == MacType.DATA and destination == source == _NONE:
        return MacVerdict.BAD_ADDRESS, header
    to, origin = _BYTES[destination], _BYTES[source]
    sizes = (2 if to else 0, to, 2 if origin and not one_pan else 0, origin)
    at, parts = _CONTROL_BYTES, []
    for size in sizes:
        parts.append(data[at : at + size][::-1])
        at += size
    if at > len(data):
        return MacVerdict.TRUNCATED, header
    destination_pan = int.from_bytes(parts[0], "big")
    source_pan = int.from_bytes(parts[2], "big") if sizes[2] else destination_pan if origin else 0
    secured = bool(control & _SECURED)
    frame = MacFrame(
        header.type,
        *flags,
        destination_pan,
        source_pan,
        Address(parts[1]),
        Address(parts[3]),
        at,
        0 if secured else len(data) - at,
    )
    return (MacVerdict.SECURED if secured else MacVerdict.OK), frame


def is_for(frame: MacFrame, pan: int, short: Address, extended: Address) -> bool:
    """Whether a data frame is for the node with these addresses."""
    if frame.type != MacType.DATA or frame.destination_pan not in (pan, BROADCAST):
        return False
    if frame.destination.kind == 2:
        return frame.destination in (short, Address.short(BROADCAST))
    return frame.destination.kind == 8 and frame.destination == extended


def header(frame: MacFrame) -> bytes:
    """The header of a data frame with both addresses; b"" when one is missing."""
    if not frame.destination.kind or not frame.source.kind:
        return b""
    one_pan = frame.destination_pan == frame.source_pan
    control = MacType.DATA | frame.pending * _PENDING | frame.ack_request * _ACK_REQUEST | one_pan * _ONE_PAN
    control |= _MODES[frame.destination.kind] << _DESTINATION | _MODES[frame.source.kind] << _SOURCE
    data = control.to_bytes(2, "little") + bytes([frame.sequence])
    data += frame.destination_pan.to_bytes(2, "little") + frame.destination.value[::-1]
    return data + (b"" if one_pan else frame.source_pan.to_bytes(2, "little")) + frame.source.value[::-1]


def acknowledgement(sequence: int) -> bytes:
    """The frame that acknowledges `sequence`."""
    return bytes([MacType.ACK, 0, sequence])


def acknowledges(data: bytes, sequence: int) -> bool:
    """Whether a frame acknowledges `sequence`."""
    return len(data) == 3 and data[0] & 0xF == MacType.ACK and not data[1] & 0x20 and data[2] == sequence


def check_sum(frame: bytes) -> bytes:
    """The two bytes behind a frame: the standard's FCS field (ITU-T CRC, reflected, from 0)."""
    crc = 0
    for byte in frame:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    return crc.to_bytes(2, "little")


def with_check_sum(frame: bytes) -> bytes:
    """The frame as it is on the air."""
    return frame + check_sum(frame)
