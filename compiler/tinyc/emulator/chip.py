"""What a chip adds to the core: its peripherals, its special memory, its interrupt controller's size."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tinyc.board_parts import Memory
from tinyc.boards import Board
from tinyc.emulator.flash import FlashArray
from tinyc.emulator.peripheral import Peripheral, Reset, System
from tinyc.errors import TinycError


@dataclass(frozen=True, slots=True)
class FlashRules:
    """How exact the flash controller is.

    `strict`: a fault for what the data sheet forbids and the chip takes in silence. `timed`: writes
    and erases halt the core for as long as the data sheet says.
    """

    strict: bool = False
    timed: bool = False


LENIENT = FlashRules()


class FlashSystem(System, Protocol):
    """What the parts of a chip may use on top."""

    board: Board
    flash_array: FlashArray
    flash_rules: FlashRules

    @property
    def memory(self) -> Memory:
        """The board's memory map."""

    def read_memory(self, address: int, size: int) -> bytes:
        """Bytes of flash or RAM."""

    def stall(self, cycles: int) -> None:
        """Halt the core for that long."""

    def reset(self, cause: Reset) -> None:
        """Start again."""

    def request_reset(self) -> None:
        """Start again, as the firmware asks, after the instruction that is being executed."""

    def show_flash(self, readable: bool) -> None:
        """Whether flash can be read by its address."""


class ControlPort(Protocol):
    """The maker's own port beside the one to the memory; a debugger reaches it on a locked chip too."""

    locked: bool  # the debugger may not touch memory and core

    def latch(self) -> None:
        """The chip starts: look whether it is locked."""

    def read(self, offset: int) -> int:
        """The register at `offset`."""

    def write(self, offset: int, value: int) -> None:
        """Write the register at `offset`."""


@dataclass(frozen=True, slots=True)
class DebugParts:
    """What a debugger finds: the maker's port, and part and designer (JEP106) of the ROM table."""

    control_port: ControlPort
    designer: int
    part: int


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a boot ROM leaves the core: stack pointer and next instruction, a Thumb address on Arm."""

    stack: int
    pc: int


# Answers a store of the core to flash: (address, size in bytes, value).
FlashWrite = Callable[[int, int, int], None]


@dataclass(frozen=True, slots=True)
class Parts:
    """A chip's peripherals, who answers stores to flash (None: they fault), what a debugger finds.

    `boot` does what the ROM of the chip does at each start; None: the core starts at its vector table.
    """

    peripherals: tuple[Peripheral, ...]
    write_flash: FlashWrite | None = None
    debug: DebugParts | None = None
    boot: Callable[[], Entry] | None = None


@dataclass(frozen=True, slots=True)
class Chip:
    """A chip; `build` makes its peripherals.

    `interrupts` and `priority_bits` are those of a Cortex-M's controller. `extra_ram` is (origin, size) of
    memory beyond the board's map, `flash_aliases` other addresses of the flash. With `split_buses` flash is
    executed at its own address and read at its aliases, and RAM is not executed. `timed_line` says that
    its UART knows its rate.
    """

    name: str
    build: Callable[[FlashSystem], Parts]
    interrupts: int = 0
    priority_bits: int = 0
    extra_ram: tuple[tuple[int, int], ...] = ()
    flash_aliases: tuple[int, ...] = ()
    split_buses: bool = False
    timed_line: bool = False


def load_chip(soc: str) -> Chip:
    """The chip of `emulator/chips/<soc>.py`. Raises TinycError for one that is not modelled."""
    try:
        module = importlib.import_module(f"tinyc.emulator.chips.{soc}")
    except ModuleNotFoundError:
        from tinyc.emulator.chips import NAMES

        raise TinycError(f"no emulated chip for `{soc}`", allowed=", ".join(NAMES)) from None
    chip = module.CHIP
    assert isinstance(chip, Chip)
    return chip
