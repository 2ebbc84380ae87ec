"""Flash and RAM of an emulated chip in the engine's address space."""

from __future__ import annotations

import ctypes
import random

from unicorn import Uc
from unicorn import unicorn_const as const

from tinyc.board_parts import Memory
from tinyc.emulator.chip import Chip
from tinyc.emulator.flash import FlashArray, FlashImage

_PAGE = 0x1000
_UNWRITTEN = 0xA5
_CODE, _DATA = const.UC_PROT_EXEC, const.UC_PROT_READ


class ChipMemory:
    """`flash_areas` and `ram_areas` are (origin, size), the board's own first."""

    def __init__(self, memory: Memory, chip: Chip) -> None:
        self._memory = memory
        origins = (memory.flash_origin, *chip.flash_aliases)
        self.flash_areas = tuple((origin, memory.flash) for origin in origins)
        self.ram_areas = ((memory.ram_origin, memory.ram), *chip.extra_ram)
        aliases = dict.fromkeys(chip.flash_aliases, _DATA if chip.split_buses else _CODE | _DATA)
        self._flash_rights = {memory.flash_origin: _CODE if chip.split_buses else _CODE | _DATA} | aliases
        self._ram_rights = _DATA | const.UC_PROT_WRITE if chip.split_buses else const.UC_PROT_ALL

    def in_ram(self, address: int, size: int) -> bool:
        """Whether all of it is RAM."""
        return any(origin <= address <= origin + length - size for origin, length in self.ram_areas)

    def in_flash(self, address: int, size: int) -> bool:
        """Whether all of it is flash."""
        return any(origin <= address <= origin + length - size for origin, length in self.flash_areas)

    def map_into(self, engine: Uc, content: FlashImage) -> FlashArray:
        """Give the engine this memory; the flash is the array's."""
        size = -(-self._memory.flash // _PAGE) * _PAGE
        self._cells = ctypes.create_string_buffer(size)
        for origin, rights in self._flash_rights.items():
            engine.mem_map_ptr(origin, size, rights, ctypes.addressof(self._cells))
            # Once more: the engine forgets what was said about writing when it is given the bytes.
            engine.mem_protect(origin, size, rights)
        for origin, bytes_ in self.ram_areas:
            whole = -(-bytes_ // _PAGE) * _PAGE
            engine.mem_map(origin, whole, self._ram_rights)
            # RAM holds anything at power on: firmware that counts on zeros must not get them.
            engine.mem_write(origin, bytes([_UNWRITTEN]) * whole)
        cells = memoryview(self._cells).cast("B")[: self._memory.flash]
        return FlashArray(self._memory.flash_origin, cells, content)

    def show_flash(self, engine: Uc, readable: bool) -> None:
        """Let flash be read and executed, or not."""
        for origin, bytes_ in self.flash_areas:
            rights = self._flash_rights[origin] if readable else const.UC_PROT_NONE
            engine.mem_protect(origin, -(-bytes_ // _PAGE) * _PAGE, rights)

    def forget_ram(self, engine: Uc, boot: int) -> None:
        """Power was off: RAM holds noise that each boot number has its own of."""
        noise = random.Random(f"RAM of boot {boot}")
        for origin, size in self.ram_areas:
            engine.mem_write(origin, noise.randbytes(size))
            engine.ctl_remove_cache(origin, origin + size)
        self.remember_ram(engine)

    def remember_ram(self, engine: Uc) -> None:
        """What the board's RAM holds now is what it held at power on."""
        self._at_power_on = bytes(engine.mem_read(self._memory.ram_origin, self._memory.ram))

    def changed_below(self, engine: Uc, top: int, most: int) -> int:
        """How many bytes below `top`, `most` at most, reach down to the first that changed since power on."""
        size = min(most, top - self._memory.ram_origin)
        start = top - size - self._memory.ram_origin
        now, before = engine.mem_read(top - size, size), self._at_power_on[start : start + size]
        return next((size - at for at in range(size) if now[at] != before[at]), 0)
