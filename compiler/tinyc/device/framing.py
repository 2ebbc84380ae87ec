"""SMP's serial console framing: messages as lines of base64 between lines of log text.

A packet is `length:u16 message crc:u16`, big endian, where length counts message and CRC. The CRC is
CRC-16/XMODEM (polynomial 0x1021, start value 0) over the message. The packet goes over the line in
base64, cut into lines of at most 127 bytes: `06 09` begins the first, `04 14` the others, a line feed
ends each. Source: Zephyr's SMP transport specification, "UART/serial and console". The prose of this
file is `docs/reference/protocol.md`.
"""

from __future__ import annotations

import binascii
import re
from collections import deque

from smp import packet

from tinyc.device.limits import HEADER, LARGEST_BUFFER

START, CONTINUE, END = b"\x06\x09", b"\x04\x14", b"\n"
LINE = 127
"""Bytes of the longest line, its marker and line feed included."""

_CHARACTERS = LINE - len(START) - len(END)
# smp takes one byte more than marker and line feed off this.
_SMP_LINE = LINE + 1
_LENGTH = CRC = 2
_MARKERS = re.compile(b"(\x06\x09|\x04\x14)")
_QUADS = re.compile(rb"(?:[A-Za-z0-9+/]{2}(?:==|[A-Za-z0-9+/](?:=|[A-Za-z0-9+/])))*")
_PADDED = re.compile(rb"[^=]+=*")
_PIECE = 1024
_TEXT_LINE, _TEXT_LINES = 256, 256


def encode(message: bytes) -> bytes:
    """The bytes of a message on the wire. Raises ValueError for one that is no SMP message."""
    if not _is_message(message):
        raise ValueError(f"no SMP message: {message[:HEADER].hex()}")
    return b"".join(packet.encode(message, _SMP_LINE))


def is_answer(request: bytes, message: bytes) -> bool:
    """Whether `message` answers `request`: the op that belongs to it, same group, sequence and id."""
    return message[0] & 7 == request[0] & 7 | 1 and message[4:HEADER] == request[4:HEADER]


class FrameDecoder:
    """Finds messages in a stream of bytes that may hold anything.

    A damaged packet is dropped and counted, a start marker always begins a new one. Text before,
    between and behind packets is kept for `take_text`. Memory is bounded: one packet of at most
    `largest` bytes, one line, and the last few lines of text.
    """

    def __init__(self, largest: int = LARGEST_BUFFER) -> None:
        self._largest = largest
        self._line = bytearray()
        self._packet: bytearray | None = None
        self._text: deque[bytes] = deque(maxlen=_TEXT_LINES)
        self.dropped = 0
        """Packets that were begun, but damaged or cut off."""
        self.skipped = 0
        """Bytes that belonged to no line of a packet, line feeds left out."""

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that these bytes complete, in order."""
        messages: list[bytes] = []
        for at in range(0, len(data), _PIECE):
            self._line += data[at : at + _PIECE]
            *lines, rest = self._line.split(END)
            # A marker ends the line before it, should the line feed be lost.
            begun = max(rest.rfind(START), rest.rfind(CONTINUE))
            if begun > 0:
                lines.append(rest[:begun])
                del rest[:begun]
            elif begun == 0 and len(rest) > LINE:
                lines.append(rest)
                rest = bytearray()
            elif begun < 0 and len(rest) > _TEXT_LINE:
                # The last byte may be the first half of a marker.
                lines.append(rest[:-1])
                del rest[:-1]
            self._line = rest
            for line in lines:
                messages += self._whole(bytes(line))
        return messages

    def take_text(self) -> list[bytes]:
        """The lines of text since the last call, the newest 256, each cut at 256 bytes."""
        lines = list(self._text)
        self._text.clear()
        return lines

    def abandon(self) -> None:
        """Give up a packet that was begun: nobody waits for the rest of it."""
        if self.in_packet:
            self.dropped += 1
        self._packet = None
        if self._line.startswith(START):
            # What still comes of this line is no text.
            self._line[: len(START)] = CONTINUE

    @property
    def in_packet(self) -> bool:
        """True when a packet was begun and is not complete."""
        return self._packet is not None or self._line.startswith(START)

    @property
    def missing(self) -> int:
        """Bytes that must at least arrive before the packet begun is complete; at least 1.

        Without one, those of the shortest packet. When bytes of the packet are lost this may ask for
        more than will ever come: read with a time limit and feed what came.
        """
        line, before = bytes(self._line), self._packet
        if line.startswith(START):
            before = bytearray()
        body = line[len(START) :].rstrip(b"\r") if line.startswith((START, CONTINUE)) else b""
        if before is None:
            return _wire_bytes(_LENGTH + HEADER + CRC) - (line[-1:] == START[:1])
        head = bytes(before[:_LENGTH])
        if len(head) < _LENGTH:
            head = _decoded(body[:4]) or b""
        length = int.from_bytes(head[:_LENGTH], "big") if len(head) >= _LENGTH else HEADER + CRC
        left = min(_LENGTH + length, self._largest) - len(before)
        have = len(body) + len(START) if body or line.startswith((START, CONTINUE)) else 0
        have += not have and line[-1:] == CONTINUE[:1]
        return max(1, _wire_bytes(left) - have)

    def _whole(self, line: bytes) -> list[bytes]:
        """Take a complete line; the messages that it completes."""
        text, *parts = _MARKERS.split(line)
        self._keep_text(text)
        found = (
            self._fragment(marker == START, body)
            for marker, body in zip(parts[::2], parts[1::2], strict=True)
        )
        return [message for message in found if message is not None]

    def _keep_text(self, text: bytes) -> None:
        if text:
            self.skipped += len(text)
            self._text.append(text.removesuffix(b"\r")[:_TEXT_LINE])

    def _fragment(self, start: bool, body: bytes) -> bytes | None:
        if start:
            if self._packet is not None:
                self.dropped += 1
            self._packet = bytearray()
        if self._packet is None:
            # The rest of a packet whose beginning was lost or dropped.
            self.skipped += len(CONTINUE) + len(body)
            return None
        part = _decoded(body.removesuffix(b"\r"))
        if part is None:
            self._drop()
            return None
        self._packet += part
        if len(self._packet) < _LENGTH:
            return None
        end = _LENGTH + int.from_bytes(self._packet[:_LENGTH], "big")
        if not _LENGTH + HEADER + CRC <= end <= self._largest or len(self._packet) > end:
            self._drop()
            return None
        if len(self._packet) < end:
            return None
        message, crc = bytes(self._packet[_LENGTH:-CRC]), self._packet[-CRC:]
        if binascii.crc_hqx(message, 0) != int.from_bytes(crc, "big") or not _is_message(message):
            self._drop()
            return None
        self._packet = None
        return message

    def _drop(self) -> None:
        self.dropped += 1
        self._packet = None


def _is_message(message: bytes) -> bool:
    """Whether the header's length is that of the map behind it."""
    return len(message) >= HEADER and int.from_bytes(message[2:4], "big") == len(message) - HEADER


def _wire_bytes(count: int) -> int:
    """Bytes on the wire for `count` bytes of a packet from the beginning of a line on."""
    characters = (count + 2) // 3 * 4
    return characters + -(-characters // _CHARACTERS) * (LINE - _CHARACTERS)


def _decoded(body: bytes) -> bytes | None:
    """The bytes of one line's base64; None when it is damaged.

    Some senders encode in pieces, so padding may stand inside.
    """
    if len(body) > _CHARACTERS or len(body) % 4 or not _QUADS.fullmatch(body):
        return None
    return b"".join(binascii.a2b_base64(piece) for piece in _PADDED.findall(body))
