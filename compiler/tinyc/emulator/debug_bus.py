"""The chip's memory as a debugger reaches it: RAM, flash, peripherals, core debug, identification.

Flash and peripherals answer as they answer the core. Identification registers and the ROM table
are read by debuggers only and lie in no peripheral here. Their values are those of the CoreSight
components of a Cortex-M4 r0p1, from its Technical Reference Manual.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from unicorn import Uc

from tinyc.emulator.chip import Parts
from tinyc.emulator.chip_memory import ChipMemory
from tinyc.emulator.core_debug import CoreDebug
from tinyc.emulator.faults import EmulatedFault
from tinyc.emulator.peripheral import Peripheral

ROM_TABLE = 0xE00FF000
_PAGE = 0x1000
_ARM = 0x43B
_GENERIC, _CORESIGHT, _TABLE = 0xE, 0x9, 0x1  # classes of components
# (address, class, part, revision, DEVTYPE, DEVID)
_COMPONENTS = (
    (0xE000E000, _GENERIC, 0x00C, 0, 0, 0),  # system control space
    (0xE0001000, _GENERIC, 0x002, 3, 0, 0),  # DWT
    (0xE0002000, _GENERIC, 0x003, 2, 0, 0),  # FPB
    (0xE0000000, _GENERIC, 0x001, 3, 0, 0),  # ITM
    (0xE0040000, _CORESIGHT, 0x9A1, 0, 0x11, 0xCA1),  # TPIU
    (0xE0041000, _CORESIGHT, 0x925, 0, 0x13, 0),  # ETM
)


class BusFault(Exception):  # noqa: N818 - the bus's own word
    """Nothing answers there, or it refuses."""


def identification(class_: int, part: int, designer: int, revision: int) -> dict[int, int]:
    """PIDR and CIDR by offset; `designer` is the JEP106 code with its number of continuations above."""
    code = designer & 0x7F
    words = (
        *(designer >> 8, 0, 0, 0),  # PIDR4 to PIDR7
        *(part & 0xFF, part >> 8 | (code & 0xF) << 4, revision << 4 | 8 | code >> 4, 0),
        *(0x0D, class_ << 4, 0x05, 0xB1),
    )
    return {0xFD0 + 4 * i: word for i, word in enumerate(words)}


def _identity(designer: int, part: int) -> dict[int, int]:
    """Every word that only debuggers find, by address."""
    found: dict[int, int] = {}
    for number, (base, class_, its_part, revision, kind, abilities) in enumerate(_COMPONENTS):
        words = identification(class_, its_part, _ARM, revision)
        if class_ == _CORESIGHT:
            words |= {0xFC8: abilities, 0xFCC: kind}
        found |= {base + offset: word for offset, word in words.items()}
        found[ROM_TABLE + 4 * number] = (base - ROM_TABLE) & 0xFFFFF000 | 3
    words = identification(_TABLE, part, designer, 0) | {0xFCC: 1}
    return found | {ROM_TABLE + offset: word for offset, word in words.items()}


class DebugBus:
    """Reads and writes of 1, 2 or 4 aligned bytes. Raises BusFault."""

    def __init__(
        self,
        engine: Uc,
        memory: ChipMemory,
        peripherals: Iterable[Peripheral],
        parts: Parts,
        debug: CoreDebug,
    ) -> None:
        assert parts.debug is not None
        self._engine, self._memory, self._debug = engine, memory, debug
        self._write_flash = parts.write_flash
        self._identity = _identity(parts.debug.designer, parts.debug.part)
        self._pages = {
            page: peripheral
            for peripheral in peripherals
            for page in range(peripheral.base, peripheral.base + peripheral.size, _PAGE)
        }

    def read(self, address: int, size: int) -> int:
        """The value at `address`."""
        self._need_power(address)
        if self._memory.in_ram(address, size) or self._memory.in_flash(address, size):
            return int.from_bytes(self._engine.mem_read(address, size), "little")
        word = self._debug.read(address) if size == 4 else None
        if word is None:
            word = self._identity.get(address & ~3)
        if word is not None:
            return word >> 8 * (address & 3) & ((1 << 8 * size) - 1)
        page = address & ~(_PAGE - 1)
        peripheral = self._pages.get(page)
        if peripheral is not None:
            try:
                return peripheral.read(address - peripheral.base, size)
            except EmulatedFault as fault:
                raise BusFault(str(fault)) from fault
        if page in (ROM_TABLE, _COMPONENTS[-1][0]):
            return 0
        raise BusFault(f"nothing to read at 0x{address:08x}")

    def write(self, address: int, size: int, value: int) -> None:
        """Store `value` at `address`."""
        self._need_power(address)
        if self._memory.in_ram(address, size):
            self._engine.mem_write(address, value.to_bytes(size, "little"))
            self._engine.ctl_remove_cache(address, address + size)
            return
        if size == 4 and self._debug.write(address, value):
            return
        peripheral = self._pages.get(address & ~(_PAGE - 1))
        try:
            if peripheral is not None:
                peripheral.write(address - peripheral.base, size, value)
            elif self._write_flash is not None and self._memory.in_flash(address, size):
                self._write_flash(address, size, value)
            elif address & ~(_PAGE - 1) != _COMPONENTS[-1][0]:
                raise BusFault(f"nothing to write at 0x{address:08x}")
        except EmulatedFault as fault:
            raise BusFault(str(fault)) from fault

    def read_words(self, address: int, count: int) -> list[int]:
        """Words one after the other."""
        if self._memory.in_ram(address, 4 * count) or self._memory.in_flash(address, 4 * count):
            self._need_power(address)
            return list(struct.unpack(f"<{count}I", self._engine.mem_read(address, 4 * count)))
        return [self.read(address + 4 * i, 4) for i in range(count)]

    def write_words(self, address: int, values: list[int]) -> None:
        """Store words one after the other."""
        if self._memory.in_ram(address, 4 * len(values)):
            self._need_power(address)
            self._engine.mem_write(address, struct.pack(f"<{len(values)}I", *values))
            self._engine.ctl_remove_cache(address, address + 4 * len(values))
            return
        for i, value in enumerate(values):
            self.write(address + 4 * i, 4, value)

    def _need_power(self, address: int) -> None:
        if not self._debug.powered:
            raise BusFault(f"the power is off: 0x{address:08x}")
