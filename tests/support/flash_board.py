"""A board on a pseudo-terminal whose bootloader is played in Python and whose application is emulated.

What the bootloader writes is the content of the chip's flash; the chip then boots from exactly that, on
the same terminal.
"""

from __future__ import annotations

import contextlib
import os
import select
import struct
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from unittest import mock

from tinyc.boards import Board
from tinyc.emulator import Machine
from tinyc.emulator.pseudo_terminal import PseudoTerminal
from tinyc.toolchain.elf import read_elf

ERASED = 0xFF
_VTOR = 0xE000ED08


class Line:
    """The device's end of a pseudo-terminal. Reading ends with EOFError when the board is taken down."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)
        self.down = threading.Event()

    @property
    def baud(self) -> int:
        """The code of the rate that the last program set."""
        return int(termios.tcgetattr(self.slave)[5])

    def wait_for_touch(self) -> None:
        while self.baud != termios.B1200:
            if self.down.wait(0.005):
                raise EOFError

    def read(self, size: int, seconds: float = 20.0) -> bytes:
        """Exactly so many bytes. Raises EOFError."""
        data, end = b"", time.monotonic() + seconds
        while len(data) < size:
            if self.down.is_set() or time.monotonic() > end:
                raise EOFError
            if select.select([self.master], [], [], 0.02)[0]:
                data += os.read(self.master, size - len(data))
        return data

    def write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.master, data) :]

    def close(self) -> None:
        os.close(self.master)
        os.close(self.slave)


class FlashBoard:
    """The chip: its flash, its serial line, and what runs on it.

    `bootloader` is called in a thread with the board; when it returns True the application starts.
    """

    def __init__(self, board: Board, bootloader: Callable[[FlashBoard], bool] | None = None) -> None:
        self.board, self.line = board, Line()
        self.flash = bytearray([ERASED]) * board.memory.flash
        self.failures: list[BaseException] = []
        self.booted = threading.Event()
        self._machine: Machine | None = None
        self._terminal: PseudoTerminal | None = None
        self._bootloader = bootloader
        self._thread = threading.Thread(target=self._run, name="bootloader", daemon=True)

    @property
    def path(self) -> str:
        return self.line.path

    def install(self, elf: Path) -> None:
        """Put an application into the flash, as somebody did before."""
        for segment in read_elf(elf).segments:
            self.write(segment.load_address, segment.data)

    def write(self, address: int, data: bytes) -> None:
        """Program flash: bits go from 1 to 0."""
        at = address - self.board.memory.flash_origin
        assert 0 <= at <= len(self.flash) - len(data), hex(address)
        for offset, value in enumerate(data):
            self.flash[at + offset] &= value

    def erase(self, address: int, size: int) -> None:
        at = address - self.board.memory.flash_origin
        self.flash[at : at + size] = bytes([ERASED]) * size

    def read(self, address: int, size: int) -> bytes:
        at = address - self.board.memory.flash_origin
        return bytes(self.flash[at : at + size])

    def boot(self) -> None:
        """Start the chip from its flash, on the same line."""
        content = bytearray(self.flash)
        if self.board.memory.application_offset:
            start = first_instructions(self.board)
            content[: len(start)] = start
        termios.tcflush(self.line.slave, termios.TCOFLUSH)  # what nobody has read
        self._machine = Machine(bytes(content), self.board)
        self._terminal = PseudoTerminal(self._machine, (self.line.master, self.line.slave))
        self.booted.set()

    def halt(self) -> None:
        """Stop the application."""
        if self._terminal is not None:
            self._terminal.close()
            self._terminal = None

    def _run(self) -> None:
        try:
            if self._bootloader is not None and self._bootloader(self):
                self.boot()
        except EOFError:
            pass
        except BaseException as error:  # told by `__exit__`
            self.failures.append(error)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.line.down.set()
        self._thread.join(timeout=30)
        self.halt()
        self.line.close()
        if kind is None and self.failures:
            raise self.failures[0]


def first_instructions(board: Board) -> bytes:
    """What lies at the start of a Cortex-M's flash below an application: it starts that one.

    r0 = the application's vectors; VTOR = r0; MSP = [r0]; jump to [r0 + 4].
    """
    origin = board.memory.flash_origin
    code = (0x4803, 0x4904, 0x6008, 0x6801, 0xF381, 0x8808, 0x6841, 0x4708)
    stack = board.memory.ram_origin + board.memory.ram
    words = (board.memory.application_origin, _VTOR)
    return struct.pack("<2I8H2I", stack, origin + 9, *code, *words)


@dataclass
class Usb:
    """What pySerial tells of a port."""

    device: str
    vid: int | None = None
    pid: int | None = None
    serial_number: str | None = None
    description: str = "n/a"


@contextlib.contextmanager
def plugged(ports: list[Any]) -> Iterator[None]:
    """The machine has exactly these ports; the list may change meanwhile."""
    with mock.patch("serial.tools.list_ports.comports", side_effect=lambda: list(ports)):
        yield
