"""NVMC, ACL and UICR of the nRF52840: how its flash is written, erased and protected.

From the nRF52840 Product Specification 1.7, chapters "NVMC", "ACL" and "UICR".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tinyc.emulator.chip import FlashSystem
from tinyc.emulator.flash import WORD
from tinyc.emulator.peripheral import Peripheral, on_write

PAGE = 4096
WRITES_PER_WORD = 2  # nWRITE, between two erases


@dataclass(frozen=True, slots=True)
class FlashTimes:
    """How long operations take, in microseconds."""

    write: int
    erase_page: int
    erase_all: int


# tWRITE, tERASEPAGE and tERASEALL of "NVMC, Electrical specification", with the crystal running.
TIMES = FlashTimes(write=41, erase_page=85_000, erase_all=169_000)

_READ_ONLY, _WRITE, _ERASE = 0, 1, 2  # CONFIG.WEN


class UserInformation(Peripheral):
    """UICR: words of flash beside the code, written by the same rules and erased only as a whole."""

    empty = WORD

    def __init__(self, system: FlashSystem, base: int) -> None:
        self._controller: FlashController | None = None
        super().__init__(system, base)

    def belongs_to(self, controller: FlashController) -> None:
        self._controller = controller

    def reset(self) -> None:
        """It is flash: every reset leaves it."""

    def erase(self) -> None:
        """Set every bit."""
        self.registers.clear()

    def write(self, offset: int, size: int, value: int) -> None:
        controller = self._controller
        assert controller is not None
        if controller.powered:
            controller.check_write(self.base + offset, size)
            self[offset] &= value
            controller.take(TIMES.write)


class FlashController(Peripheral):
    """NVMC, and ACL in the same page. READY is always set: the core is halted while flash is busy.

    A core that runs from RAM would go on meanwhile on the chip, but here it is halted too.
    """

    READY, READY_NEXT, CONFIG, PARTIAL_DURATION = 0x400, 0x408, 0x504, 0x51C
    _REGIONS, _FIRST, _STRIDE = 8, 0x800, 0x10
    _ADDRESS, _SIZE, _PERMISSION = 0, 4, 8
    resets: ClassVar = {READY: 1, READY_NEXT: 1, PARTIAL_DURATION: 10}

    def __init__(self, system: FlashSystem, base: int, user_information: UserInformation) -> None:
        self._chip, self._user_information = system, user_information
        self._partial: dict[int, int] = {}  # page → ms of partial erases so far
        super().__init__(system, base)
        user_information.belongs_to(self)

    def reset(self) -> None:
        super().reset()
        self._locked: set[int] = set()  # registers of the ACL that were written
        self._regions: set[int] = set()  # those they belong to

    @property
    def powered(self) -> bool:
        """Whether flash can still change; the rest of a block runs on after the power was cut."""
        return not self._chip.flash_array.dead

    # Writing.

    def check_write(self, address: int, size: int) -> None:
        """Fault where the chip would not take a write."""
        if self[self.CONFIG] & 3 != _WRITE:
            hint = "enable writing in NVMC.CONFIG first"
            raise self.system.fault("write to flash while writing is off", address, hint)
        if size != 4 or address % 4:
            raise self.system.fault(f"write of {size} bytes to flash, which takes whole words", address)

    def write_flash(self, address: int, size: int, value: int) -> None:
        """A store of the core to flash."""
        array = self._chip.flash_array
        if not self.powered:
            raise self.system.fault("the power is off", address)  # ends the run at once
        self.check_write(address, size)
        self._check_access(address, size)
        if self._chip.flash_rules.strict and array.writes(address) >= WRITES_PER_WORD:
            what = f"write number {array.writes(address) + 1} of a word since its erase"
            raise self.system.fault(what, address, f"a word takes {WRITES_PER_WORD} (nWRITE)")
        array.write(address, value)
        self.take(TIMES.write)

    def take(self, microseconds: int) -> None:
        """Halt the core for the time of an operation, where times are wanted."""
        self._chip.line.touched()
        if self._chip.flash_rules.timed:
            self._chip.stall(self._chip.clock_hz * microseconds // 1_000_000)

    # Erasing.

    def _may_erase(self, address: int) -> bool:
        if not self.powered:
            return False
        enabled = self[self.CONFIG] & 3 == _ERASE
        if not enabled and self._chip.flash_rules.strict:
            hint = "enable erasing in NVMC.CONFIG first"
            raise self.system.fault("erase of flash while erasing is off", address, hint)
        return enabled

    def _page_at(self, address: int) -> int:
        memory = self._chip.memory
        if not memory.flash_origin <= address < memory.flash_origin + memory.flash:
            raise self.system.fault("erase of a page outside flash", address)
        return address - address % PAGE

    @on_write(0x508)  # ERASEPAGE, ERASEPCR1
    @on_write(0x510)  # ERASEPCR0
    def _erase_page(self, address: int) -> None:
        page = self._page_at(address)
        if self._may_erase(page):
            self._erase(page, PAGE, TIMES.erase_page)

    def _erase(self, address: int, size: int, microseconds: int) -> None:
        self._check_access(address, size)
        self._chip.flash_array.erase(address, size)
        for page in [page for page in self._partial if address <= page < address + size]:
            del self._partial[page]
        self.take(microseconds)

    @on_write(0x50C)
    def _erase_all(self, value: int) -> None:
        memory = self._chip.memory
        if value & 1 and self._may_erase(memory.flash_origin):
            self._erase(memory.flash_origin, memory.flash, TIMES.erase_all)
            if self.powered:
                self._user_information.erase()

    @on_write(0x514)
    def _erase_user_information(self, value: int) -> None:
        if value & 1 and self._may_erase(self._user_information.base):
            self._user_information.erase()
            self.take(TIMES.erase_page)

    @on_write(0x518)
    def _erase_page_partially(self, address: int) -> None:
        """The page is erased when its parts add up; what it holds until then is not modelled."""
        page = self._page_at(address)
        if not self._may_erase(page):
            return
        duration = 1000 * (self[self.PARTIAL_DURATION] & 0x7F)
        self._partial[page] = self._partial.get(page, 0) + duration
        if self._partial[page] >= TIMES.erase_page:
            self._erase(page, PAGE, duration)
        else:
            self._check_access(page, PAGE)
            self.take(duration)

    # Access control: regions that nothing can write or erase until the next reset.

    @on_write(_FIRST + _ADDRESS, count=_REGIONS, stride=_STRIDE)
    def _write_address(self, region: int, value: int) -> int | None:
        return self._once(self._ADDRESS, region, value)

    @on_write(_FIRST + _SIZE, count=_REGIONS, stride=_STRIDE)
    def _write_size(self, region: int, value: int) -> int | None:
        return self._once(self._SIZE, region, value)

    @on_write(_FIRST + _PERMISSION, count=_REGIONS, stride=_STRIDE)
    def _write_permission(self, region: int, value: int) -> int | None:
        return self._once(self._PERMISSION, region, value)

    def _once(self, register: int, region: int, value: int) -> int | None:
        offset = self._FIRST + region * self._STRIDE + register
        if offset in self._locked:
            return None
        self._locked.add(offset)
        self._regions.add(region)
        return value

    def _check_access(self, address: int, size: int) -> None:
        """The chip blocks the access and raises a bus fault (chapter "ACL", permission schemes)."""
        for region in sorted(self._regions) if self._regions else ():
            at = self._FIRST + region * self._STRIDE
            start, length, permission = (self[at + register] for register in (0, 4, 8))
            if permission & 2 and start % PAGE == 0 and start < address + size and address < start + length:
                what = f"BusFault: write or erase of flash that ACL region {region} protects"
                raise self.system.fault(what, address, "only a reset opens it again")
