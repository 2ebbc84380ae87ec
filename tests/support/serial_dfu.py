"""The device's side of the serial DFU of Nordic's SDK 11, as Adafruit's bootloader speaks it.

Packets in SLIP (RFC 1055) with a header of four bytes (BlueCore's HCI three-wire transport) and a
CRC-16 with start value 0xFFFF; every packet is acknowledged by number.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from support.flash_board import FlashBoard

START, INIT, DATA, STOP = 3, 1, 4, 5
PAGE = 4096
LARGEST_DATA = 512
APPLICATION = 4
DEVICE_TYPE = 0x0052
_END, _ESCAPE = 0xC0, 0xDB
_ESCAPED = {0xDC: _END, 0xDD: _ESCAPE}
_HCI_DATA = 14


class Refused(Exception):  # noqa: N818
    """What the bootloader does not accept; it stays silent then."""


def crc16(data: bytes) -> int:
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8 | crc << 8) & 0xFFFF
        crc ^= byte
        crc ^= (crc & 0xFF) >> 4
        crc ^= crc << 12 & 0xFFFF
        crc ^= (crc & 0xFF) << 5
    return crc


@dataclass
class SerialDfu:
    """The bootloader. `silent_at` is the kind of packet from which on nothing is acknowledged.

    `damage` changes a byte of the finished application at that offset; `vanish` never starts it.
    """

    touch_first: bool = False
    silent_at: int | None = None
    damage: dict[int, int] = field(default_factory=dict)
    vanish: bool = False
    packets: list[int] = field(default_factory=list)
    """Kinds of all packets that were accepted."""
    touched: bool = False
    refusal: str | None = None
    _image: bytearray = field(default_factory=bytearray)
    _size: int = 0
    _init: bytes = b""

    def __call__(self, board: FlashBoard) -> bool:
        if self.touch_first:
            board.line.wait_for_touch()
            self.touched = True
        try:
            while not self._packet(board):
                pass
        except Refused as refusal:
            self.refusal = str(refusal)
            return False
        for offset, value in self.damage.items():
            at = board.board.memory.application_origin - board.board.memory.flash_origin + offset
            board.flash[at] = value
        return not self.vanish

    def _packet(self, board: FlashBoard) -> bool:
        """Take one packet. True after the last one."""
        payload, number = self._read(board)
        kind, body = struct.unpack("<I", payload[:4])[0], payload[4:]
        if kind == self.silent_at:
            raise Refused(f"silent at {kind}")
        self._take(board, kind, body)
        self.packets.append(kind)
        self._acknowledge(board, number)
        return kind == STOP

    def _take(self, board: FlashBoard, kind: int, body: bytes) -> None:
        memory = board.board.memory
        if kind == START:
            mode, softdevice, bootloader, self._size = struct.unpack("<4I", body)
            if (mode, softdevice, bootloader) != (APPLICATION, 0, 0) or self._size > memory.application_flash:
                raise Refused(f"start of {body.hex()}")
            pages = -(-self._size // PAGE)
            board.erase(memory.application_origin, pages * PAGE)
        elif kind == INIT:
            device_type, _revision, _version, count = struct.unpack("<HHIH", body[:10])
            if device_type != DEVICE_TYPE or len(body) != 10 + 2 * count + 2 + 2:
                raise Refused(f"init packet {body.hex()}")
            self._init = body[:-2]
        elif kind == DATA:
            if not self._init or len(body) > LARGEST_DATA or len(self._image) + len(body) > self._size:
                raise Refused("data out of turn")
            board.write(memory.application_origin + len(self._image), body)
            self._image += body
        elif kind == STOP:
            (wanted,) = struct.unpack("<H", self._init[-2:])
            if len(self._image) != self._size or crc16(bytes(self._image)) != wanted:
                raise Refused("checksum of the application")
        else:
            raise Refused(f"packet {kind}")

    @staticmethod
    def _read(board: FlashBoard) -> tuple[bytes, int]:
        """Payload and sequence number of the next packet."""
        while board.line.read(1)[0] != _END:
            pass
        data = bytearray()
        while (byte := board.line.read(1)[0]) != _END or not data:
            if byte != _END:
                data.append(_ESCAPED[board.line.read(1)[0]] if byte == _ESCAPE else byte)
        first, second, third, _ = data[:4]
        size = second >> 4 | third << 4
        whole = len(data) == size + 6 and sum(data[:4]) & 0xFF == 0
        if not whole or first >> 6 != 3 or second & 15 != _HCI_DATA:
            raise Refused(f"header {data[:4].hex()}")
        if crc16(bytes(data[:-2])) != int.from_bytes(data[-2:], "little"):
            raise Refused("checksum of a packet")
        return bytes(data[4:-2]), first & 7

    @staticmethod
    def _acknowledge(board: FlashBoard, number: int) -> None:
        header = [(number + 1) % 8 << 3, 0, 0]
        header.append(-sum(header) & 0xFF)
        board.line.write(bytes([_END, *header, _END]))
