"""Captures of IEEE 802.15.4 frames: files of libpcap with the link types 195, 230 and 283.

195 carries the check sum behind each frame, 230 does not, 283 puts fields in front of it (TAP). Files of
either byte order, in microseconds or nanoseconds, are read. What a record says of its length is believed
only within the file and up to `LONGEST`; the snapshot length of the file's header is not used, since real
files hold nonsense there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from tinyc.errors import TinycError
from tinyc.files import write_together
from tinyc.sixlowpan.frames import check_sum, with_check_sum

# Bytes of a record that are believed: the longest frame of any 802.15.4 radio, and TAP's fields.
LONGEST = 4096
LARGEST_FILE = 1 << 30

_MAGIC = 0xA1B2C3D4
_MAGIC_NANOSECONDS = 0xA1B23C4D
_PCAPNG = b"\x0a\x0d\x0d\x0a"
_FILE_BYTES = 24
_RECORD_BYTES = 16
_FCS_BYTES = 2
# Of TAP: how the check sum is carried, the signal strength in dBm (float), the link quality.
_TAP_FCS, _TAP_RSS, _TAP_LQI = 0, 1, 10
_TAP_FCS_BYTES = (0, 2, 4)


class LinkType(IntEnum):
    """What a file holds."""

    WITH_FCS = 195
    NO_FCS = 230
    TAP = 283


@dataclass(frozen=True, slots=True)
class Captured:
    """A frame without its check sum. `time_ns`: since the epoch. `sound`: whether the check sum was right,
    None if there was none. `cut`: the file holds less of it than was on the air, and no check sum.
    `rssi` in dBm and `lqi`, where the file says them."""

    time_ns: int
    data: bytes
    sound: bool | None = None
    cut: bool = False
    rssi: float | None = None
    lqi: int | None = None


@dataclass(frozen=True, slots=True)
class Capture:
    """The frames of a file. `unfinished`: the last record is not whole, as when a recorder was stopped."""

    link_type: LinkType
    frames: tuple[Captured, ...]
    unfinished: bool = False


def read(path: Path) -> Capture:
    """The frames of a capture file. Raises TinycError for what is not one, and OSError."""
    with path.open("rb") as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise TinycError(
            "the capture is larger than 1 GiB", where=str(path), hint="split it with `editcap -c`"
        )
    return parse(content, str(path))


def parse(content: bytes, where: str = "") -> Capture:
    """The frames in the bytes of a capture file. Raises TinycError."""
    order, nanoseconds, link_type = _file_header(content, where)
    record = struct.Struct(order + "IIII")
    frames: list[Captured] = []
    at = _FILE_BYTES
    while at + _RECORD_BYTES <= len(content):
        seconds, fraction, here, was = record.unpack_from(content, at)
        if here > LONGEST:
            raise TinycError(
                f"record {len(frames) + 1} says that it has {here} bytes",
                where=f"{where}, byte {at}" if where else f"byte {at}",
                allowed=f"at most {LONGEST}",
                hint="the file is damaged from there on",
            )
        at += _RECORD_BYTES
        if here > len(content) - at:
            return Capture(link_type, tuple(frames), True)
        time = seconds * 1_000_000_000 + fraction * (1 if nanoseconds else 1000)
        frame = _captured(link_type, time, content[at : at + here], here < was)
        if frame is None:
            raise TinycError(
                f"record {len(frames) + 1} has fields that do not fit into it",
                where=f"{where}, byte {at}" if where else f"byte {at}",
                hint="the file is damaged there, or not of link type 283",
            )
        frames.append(frame)
        at += here
    return Capture(link_type, tuple(frames), at < len(content))


def _file_header(content: bytes, where: str) -> tuple[str, bool, LinkType]:
    """The byte order, whether times are in nanoseconds, and what the frames look like."""
    if content[:4] == _PCAPNG:
        raise TinycError(
            "this is a pcapng file", where=where, allowed="pcap", hint="convert it: `editcap -F pcap IN OUT`"
        )
    if len(content) >= _FILE_BYTES:
        for order in "<>":
            magic, major = struct.unpack_from(order + "IH", content)
            if magic in (_MAGIC, _MAGIC_NANOSECONDS) and major == 2:
                # The upper bits tell the length of the check sum, and a class of link types.
                number = struct.unpack_from(order + "I", content, 20)[0] & 0xFFFF
                known = ", ".join(str(int(kind)) for kind in LinkType)
                if number not in set(LinkType):
                    raise TinycError(
                        f"its frames have the link type {number}", where=where, allowed=f"802.15.4: {known}"
                    )
                return order, magic == _MAGIC_NANOSECONDS, LinkType(number)
    raise TinycError("this is not a capture file", where=where, allowed="pcap, version 2")


def _captured(link_type: LinkType, time_ns: int, data: bytes, cut: bool) -> Captured | None:
    """A frame from the bytes of its record, None if TAP's fields do not fit into them."""
    fcs = _FCS_BYTES if link_type is LinkType.WITH_FCS else 0
    rssi: float | None = None
    lqi: int | None = None
    if link_type is LinkType.TAP:
        fields = _tap(data)
        if fields is None:
            return None
        data, fcs, rssi, lqi = fields
    if cut or not fcs:
        return Captured(time_ns, data, None, cut, rssi, lqi)
    if len(data) < fcs:
        return Captured(time_ns, b"", False, False, rssi, lqi)
    frame = data[:-fcs]
    # The longer check sum is of radios that we do not have: not judged.
    sound = check_sum(frame) == data[-fcs:] if fcs == _FCS_BYTES else None
    return Captured(time_ns, frame, sound, False, rssi, lqi)


def _tap(data: bytes) -> tuple[bytes, int, float | None, int | None] | None:
    """The frame, the bytes of its check sum, RSS and LQI; None if lengths contradict."""
    if len(data) < 4:
        return None
    version, _, length = struct.unpack_from("<BBH", data)
    if version != 0 or length < 4 or length > len(data) or length % 4:
        return None
    fcs = 0
    rssi: float | None = None
    lqi: int | None = None
    at = 4
    while at < length:
        kind, size = struct.unpack_from("<HH", data, at)
        value = data[at + 4 : at + 4 + size]
        at += 4 + size + -size % 4
        if at > length:
            return None
        if kind == _TAP_FCS and size == 1:
            if value[0] >= len(_TAP_FCS_BYTES):
                return None
            fcs = _TAP_FCS_BYTES[value[0]]
        elif kind == _TAP_RSS and size == 4:
            rssi = struct.unpack("<f", value)[0]
        elif kind == _TAP_LQI and size == 1:
            lqi = value[0]
    return data[length:], fcs, rssi, lqi


def render(frames: Iterable[Captured], link_type: LinkType = LinkType.NO_FCS) -> bytes:
    """The bytes of a capture file, little endian, in nanoseconds.

    A check sum is written right unless the frame is said not to be sound. Frames that were cut have none,
    so they cannot be written with one: raises ValueError, as for a frame longer than LONGEST allows.
    """
    parts = [struct.pack("<IHHiIII", _MAGIC_NANOSECONDS, 2, 4, 0, 0, LONGEST, link_type)]
    for frame in frames:
        data = _record(frame, link_type)
        if len(data) > LONGEST:
            raise ValueError(f"a frame of {len(frame.data)} bytes")
        seconds, fraction = divmod(frame.time_ns, 1_000_000_000)
        parts.append(struct.pack("<IIII", seconds & 0xFFFFFFFF, fraction, len(data), len(data) + frame.cut))
        parts.append(data)
    return b"".join(parts)


def _record(frame: Captured, link_type: LinkType) -> bytes:
    if link_type is LinkType.NO_FCS:
        return frame.data
    if frame.cut and link_type is LinkType.WITH_FCS:
        raise ValueError("a frame that was cut has no check sum")
    data = with_check_sum(frame.data)
    if frame.sound is False:
        data = data[:-1] + bytes([data[-1] ^ 0xFF])
    if link_type is LinkType.WITH_FCS:
        return data
    carries = frame.sound is not None and not frame.cut
    fields = _field(_TAP_FCS, bytes([1 if carries else 0]))
    if frame.rssi is not None:
        fields += _field(_TAP_RSS, struct.pack("<f", frame.rssi))
    if frame.lqi is not None:
        fields += _field(_TAP_LQI, bytes([frame.lqi]))
    return struct.pack("<BBH", 0, 0, 4 + len(fields)) + fields + (data if carries else frame.data)


def _field(kind: int, value: bytes) -> bytes:
    return struct.pack("<HH", kind, len(value)) + value + bytes(-len(value) % 4)


def write(path: Path, frames: Sequence[Captured], link_type: LinkType = LinkType.NO_FCS) -> None:
    """Write a capture file. Raises ValueError as `render`, and OSError."""
    write_together({path: render(frames, link_type)})
