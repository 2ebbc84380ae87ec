"""CTRL-AP of Nordic's nRF52840: reset, erase of everything, and whether the chip is locked.

From the nRF52840 Product Specification 1.7, chapter "Debug and trace", sections "CTRL-AP" and
"Access port protection". The FICR of this chip names an early revision, which UICR.APPROTECT locks
with 0x00 and leaves open with 0xFF; later ones are open with 0x5A only.
"""

from __future__ import annotations

from tinyc.emulator.chip import FlashSystem
from tinyc.emulator.chips.nordic_flash import UserInformation
from tinyc.emulator.peripheral import Reset

RESET, ERASEALL, ERASEALLSTATUS, APPROTECTSTATUS, IDR = 0x000, 0x004, 0x008, 0x00C, 0x0FC
APPROTECT = 0x208  # in UICR
DESIGNER, ROM_TABLE_PART = 0x244, 0x008  # Nordic's JEP106 code


class NordicControlPort:
    """Erasing takes no time here; the lock is looked at when the chip starts."""

    def __init__(self, chip: FlashSystem, user_information: UserInformation) -> None:
        self._chip, self._user_information = chip, user_information
        self._reset = False
        self.latch()

    def latch(self) -> None:
        """The chip starts."""
        self.locked = self._user_information[APPROTECT] & 0xFF == 0

    def read(self, offset: int) -> int:
        """The register at `offset`."""
        values = {RESET: int(self._reset), APPROTECTSTATUS: int(not self.locked), IDR: 0x02880000}
        return values.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Write the register at `offset`."""
        if offset == RESET:
            starts = bool(value & 1) and not self._reset
            self._reset = bool(value & 1)
            if starts:
                self._chip.reset(Reset.SOFTWARE)
        elif offset == ERASEALL and value & 1:
            memory = self._chip.memory
            self._chip.flash_array.erase(memory.flash_origin, memory.flash)
            if not self._chip.flash_array.dead:
                self._user_information.erase()
