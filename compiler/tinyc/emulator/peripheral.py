"""Peripherals as tables of registers.

A register that nobody describes is plain memory. Behaviour is added by a method per register:

    class Watchdog(Peripheral):
        resets = {0x504: 0xFFFFFFFF}

        @on_write(0x000)
        def start(self, value: int) -> int | None: ...

A write method returns what the register keeps, or None to leave it as it was. A read method
returns what is read. Offsets are in bytes; `count` and `stride` describe arrays of registers, whose
methods take the index first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any, ClassVar, Protocol, TypeVar

from tinyc.emulator.air import Antenna
from tinyc.emulator.scheduler import Scheduler
from tinyc.emulator.serial_line import SerialLine

WORD = 0xFFFFFFFF
_Method = TypeVar("_Method", bound=Callable[..., Any])


class Reset(Enum):
    """Why the chip starts."""

    POWER_ON = auto()
    PIN = auto()
    SOFTWARE = auto()  # SYSRESETREQ


class System(Protocol):
    """What a peripheral may use of the chip around it."""

    reset_cause: Reset

    clock_hz: int
    scheduler: Scheduler
    line: SerialLine
    antenna: Antenna

    pins: dict[tuple[int, int], int]
    """Levels that something outside drives, by port and pin."""

    @property
    def now(self) -> int:
        """Time in core clock cycles since power on, sleep included."""

    @property
    def executed(self) -> int:
        """Estimated cycles executed since power on, sleep excluded."""

    def set_interrupt_line(self, number: int, level: bool) -> None:
        """Drive the interrupt line `number`."""

    def read_ram(self, address: int, size: int, who: str) -> bytes:
        """DMA read. Faults outside RAM."""

    def write_ram(self, address: int, data: bytes, who: str) -> None:
        """DMA write. Faults outside RAM."""

    def fault(self, what: str, address: int | None = None, hint: str = "") -> Exception:
        """An EmulatedFault to raise."""

    def recheck(self) -> None:
        """Something changed that may let an interrupt through: look before the next block."""


def on_read(offset: int, *, count: int = 1, stride: int = 4) -> Callable[[_Method], _Method]:
    """Mark a method as the read side of the register at `offset`."""
    return _mark("_reads", offset, count, stride)


def on_write(offset: int, *, count: int = 1, stride: int = 4) -> Callable[[_Method], _Method]:
    """Mark a method as the write side of the register at `offset`."""
    return _mark("_writes", offset, count, stride)


def _mark(kind: str, offset: int, count: int, stride: int) -> Callable[[_Method], _Method]:
    def mark(method: _Method) -> _Method:
        entries = getattr(method, kind, ())
        index = (lambda i: (i,)) if count > 1 else (lambda _i: ())
        entries += tuple((offset + i * stride, index(i)) for i in range(count))
        setattr(method, kind, entries)
        return method

    return mark


class Peripheral:
    """A block of registers at `base`. `interrupt` is the number of its line, if it has one."""

    size: ClassVar[int] = 0x1000
    resets: ClassVar[Mapping[int, int]] = {}
    empty: ClassVar[int] = 0  # what a register that nobody describes holds at reset

    def __init__(self, system: System, base: int, interrupt: int | None = None) -> None:
        self.system, self.base, self.interrupt = system, base, interrupt
        self.registers: dict[int, int] = {}
        self._read_methods: dict[int, tuple[Callable[..., int], tuple[int, ...]]] = {}
        self._write_methods: dict[int, tuple[Callable[..., int | None], tuple[int, ...]]] = {}
        for name in dir(type(self)):
            member = getattr(type(self), name)
            for offset, index in getattr(member, "_reads", ()):
                self._read_methods[offset] = (getattr(self, name), index)
            for offset, index in getattr(member, "_writes", ()):
                self._write_methods[offset] = (getattr(self, name), index)
        self.reset()

    def reset(self) -> None:
        """Registers as after a reset; `system.reset_cause` says which."""
        self.registers = dict(self.resets)

    def __getitem__(self, offset: int) -> int:
        return self.registers.get(offset, self.empty)

    def __setitem__(self, offset: int, value: int) -> None:
        self.registers[offset] = value & WORD

    def load(self, offset: int) -> int:
        """The word at `offset` as the core reads it."""
        method = self._read_methods.get(offset)
        return method[0](*method[1]) & WORD if method else self.registers.get(offset, self.empty)

    def store(self, offset: int, value: int) -> None:
        """Write the word at `offset` as the core does."""
        method = self._write_methods.get(offset)
        kept = method[0](*method[1], value) if method else value
        if kept is not None:
            self[offset] = kept

    def read(self, offset: int, size: int) -> int:
        """Read 1, 2 or 4 bytes."""
        if size == 4 and not offset & 3:
            return self.load(offset)
        value = self.load(offset & ~3) >> 8 * (offset & 3)
        return value & ((1 << 8 * size) - 1)

    def write(self, offset: int, size: int, value: int) -> None:
        """Write 1, 2 or 4 bytes."""
        if size < 4:
            shift, mask = 8 * (offset & 3), (1 << 8 * size) - 1
            value = (self[offset & ~3] & ~(mask << shift)) | (value & mask) << shift
        self.store(offset & ~3, value)


class Constants(Peripheral):
    """Read-only words, such as factory information; `words` by offset."""

    empty = WORD

    def __init__(self, system: System, base: int, words: Mapping[int, int]) -> None:
        self._words = words
        super().__init__(system, base)

    def reset(self) -> None:
        self.registers = dict(self._words)

    def store(self, offset: int, value: int) -> None:
        raise self.system.fault("write to read-only memory", self.base + offset)
