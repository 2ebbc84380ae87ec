"""The bootloader in an STM32F4's ROM on a serial line (ST's AN3155)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from operator import xor

from support.flash_board import FlashBoard

SYNC, ACK, NAK = 0x7F, 0x79, 0x1F
GET, GET_ID, READ, GO, WRITE, ERASE = 0x00, 0x02, 0x11, 0x21, 0x31, 0x44
CHIP = 0x413  # STM32F405
VERSION = 0x31
OK, BAD = bytes([ACK]), bytes([NAK])


@dataclass
class Stm32Rom:
    """The ROM. `refuse` is a command that is answered with NAK.

    `damage` changes what a write stores at that offset; `vanish` never starts the application.
    """

    refuse: int | None = None
    damage: dict[int, int] = field(default_factory=dict)
    vanish: bool = False
    commands: list[int] = field(default_factory=list)
    start: int | None = None

    def __call__(self, board: FlashBoard) -> bool:
        line = board.line
        while line.read(1)[0] != SYNC:
            pass
        line.write(bytes([ACK]))
        while self.start is None:
            command, inverse = line.read(2)
            known = self._commands().get(command)
            self.commands.append(command)
            if command ^ inverse != 0xFF or known is None or command == self.refuse:
                line.write(bytes([NAK]))
                continue
            line.write(bytes([ACK]))
            line.write(known(board))
        return not self.vanish

    def _commands(self) -> dict[int, Callable[[FlashBoard], bytes]]:
        """Command → what does it and returns the last bytes to send."""
        return {
            GET: self._get,
            GET_ID: self._get_id,
            READ: self._read,
            GO: self._go,
            WRITE: self._write,
            ERASE: self._erase,
        }

    def _get(self, board: FlashBoard) -> bytes:
        supported = bytes(self._commands())
        return bytes([len(supported), VERSION]) + supported + OK

    def _get_id(self, board: FlashBoard) -> bytes:
        return bytes([1]) + CHIP.to_bytes(2, "big") + OK

    def _address(self, board: FlashBoard) -> int | None:
        data = board.line.read(5)
        memory, address = board.board.memory, int.from_bytes(data[:4], "big")
        inside = memory.flash_origin <= address < memory.flash_origin + memory.flash
        return address if inside and reduce(xor, data) == 0 else None

    def _read(self, board: FlashBoard) -> bytes:
        address = self._address(board)
        if address is None:
            return BAD
        board.line.write(OK)
        count, inverse = board.line.read(2)
        return OK + board.read(address, count + 1) if count ^ inverse == 0xFF else BAD

    def _go(self, board: FlashBoard) -> bytes:
        self.start = self._address(board)
        return OK if self.start == board.board.memory.flash_origin else BAD

    def _write(self, board: FlashBoard) -> bytes:
        address = self._address(board)
        if address is None:
            return BAD
        board.line.write(OK)
        count = board.line.read(1)
        data = board.line.read(count[0] + 1)
        if reduce(xor, count + data + board.line.read(1)) != 0 or len(data) % 4:
            return BAD
        stored, origin = bytearray(data), board.board.memory.flash_origin
        for offset, value in self.damage.items():
            if 0 <= offset + origin - address < len(stored):
                stored[offset + origin - address] = value
        board.write(address, bytes(stored))
        return OK

    def _erase(self, board: FlashBoard) -> bytes:
        count = board.line.read(2)
        if count != b"\xff\xff" or reduce(xor, count + board.line.read(1)) != 0:
            return BAD
        board.erase(board.board.memory.flash_origin, board.board.memory.flash)
        return OK
