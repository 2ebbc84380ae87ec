"""The debug port of a chip: SW-DP, the AHB-AP to its memory, and the maker's control port.

From Arm's Debug Interface Architecture Specification ADIv5.2 and the Cortex-M4 Technical Reference
Manual. Accesses take none of the chip's time. A failed access sets STICKYERR, and every access
through a port faults until a write to ABORT clears it.
"""

from __future__ import annotations

from tinyc.emulator.chip import ControlPort
from tinyc.emulator.core_debug import CoreDebug
from tinyc.emulator.debug_bus import ROM_TABLE, BusFault, DebugBus
from tinyc.emulator.peripheral import WORD

DPIDR, ABORT, CTRL_STAT, SELECT, RDBUFF = 0x0, 0x0, 0x4, 0x8, 0xC
CSW, TAR, DRW, BD0, CFG, BASE, IDR = 0x00, 0x04, 0x0C, 0x10, 0xF4, 0xF8, 0xFC
MEMORY_PORT, CONTROL_PORT = 0, 1  # APSEL

_SW_DP = 0x2BA01477
_AHB_AP = 0x24770011
_CSW_RESET, _CSW_WRITABLE, _DEVICE_ENABLED = 0x23000000, 0x3F000037, 1 << 6
_POWER_REQUESTS = 1 << 30 | 1 << 28
_CTRL_WRITABLE = _POWER_REQUESTS | 0xF0D
_STICKY = 1 << 5
_CLEARS_STICKY = 1 << 2
_WRAP = 0x1000  # the automatic increment stays in this range


class TransferFault(Exception):  # noqa: N818 - the protocol's own word
    """The FAULT response."""


class MemoryPort:
    """AHB-AP: memory and peripherals by address."""

    def __init__(self, bus: DebugBus, control_port: ControlPort) -> None:
        self._bus, self._control_port = bus, control_port
        self._csw, self._tar = _CSW_RESET | 2, 0

    def read(self, offset: int) -> int:
        """The register at `offset`."""
        if offset == CSW:
            return self._csw | (0 if self._control_port.locked else _DEVICE_ENABLED)
        if offset == TAR:
            return self._tar
        if offset == DRW:
            return self._transfer(None)
        if BD0 <= offset < BD0 + 16:
            return self._open().read(self._banked(offset), 4)
        return {BASE: ROM_TABLE | 3, IDR: _AHB_AP}.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Write the register at `offset`."""
        if offset == CSW:
            size = value & 7 if value & 7 <= 2 else 2
            self._csw = value & _CSW_WRITABLE & ~7 | size
        elif offset == TAR:
            self._tar = value
        elif offset == DRW:
            self._transfer(value)
        elif BD0 <= offset < BD0 + 16:
            self._open().write(self._banked(offset), 4, value)

    def read_all(self, count: int) -> list[int]:
        """DRW `count` times."""
        if not self._whole_words(count):
            return [self._transfer(None) for _ in range(count)]
        words = self._open().read_words(self._tar, count)
        self._advance(4 * count)
        return words

    def write_all(self, values: list[int]) -> None:
        """All of them into DRW."""
        if not self._whole_words(len(values)):
            for value in values:
                self._transfer(value)
            return
        self._open().write_words(self._tar, values)
        self._advance(4 * len(values))

    def _open(self) -> DebugBus:
        if self._control_port.locked:
            raise BusFault("the chip is locked")
        return self._bus

    def _banked(self, offset: int) -> int:
        return self._tar & ~0xF | offset & 0xC

    def _whole_words(self, count: int) -> bool:
        """Whether `count` accesses are plain words one after the other."""
        return self._csw & 0x37 == 0x12 and not self._tar & 3 and self._tar % _WRAP + 4 * count <= _WRAP

    def _advance(self, size: int) -> None:
        self._tar = self._tar & ~(_WRAP - 1) | (self._tar + size) % _WRAP

    def _transfer(self, value: int | None) -> int:
        """One access to DRW: data lie in the byte lanes of their address."""
        bus, size, increment = self._open(), 1 << (self._csw & 7), self._csw >> 4 & 3
        found = 0
        for _ in range(4 // size if increment == 2 else 1):
            if self._tar % size:
                raise BusFault(f"address 0x{self._tar:08x} is no multiple of {size}")
            shift = 8 * (self._tar & 3)
            if value is None:
                found |= bus.read(self._tar, size) << shift
            else:
                bus.write(self._tar, size, value >> shift & ((1 << 8 * size) - 1))
            if increment:
                self._advance(size)
        return found


class DebugPort:
    """SW-DP. Reads of a port answer at once; the probe's protocol hides that the wire's are posted."""

    def __init__(self, bus: DebugBus, debug: CoreDebug, control_port: ControlPort) -> None:
        self.debug = debug
        self._memory = MemoryPort(bus, control_port)
        self._ports: dict[int, MemoryPort | ControlPort] = {
            MEMORY_PORT: self._memory,
            CONTROL_PORT: control_port,
        }
        self._control = self._select = self._buffer = 0
        self._sticky = False

    # The port itself.

    def read_dp(self, address: int) -> int:
        """The register at `address`."""
        address &= 0xC
        if address == DPIDR:
            return _SW_DP
        if address == CTRL_STAT:
            if self._select & 0xF:
                return 0
            acknowledged = (self._control & _POWER_REQUESTS) << 1
            return self._control | acknowledged | (_STICKY if self._sticky else 0)
        return self._buffer

    def write_dp(self, address: int, value: int) -> None:
        """Write the register at `address`."""
        address &= 0xC
        if address == ABORT:
            self._sticky = self._sticky and not value & _CLEARS_STICKY
        elif address == CTRL_STAT and not self._select & 0xF:
            self._control = value & _CTRL_WRITABLE
        elif address == SELECT:
            self._select = value

    # The access ports. `address` gives bits 2 and 3 of the register, SELECT the others.

    def read_ap(self, address: int) -> int:
        """The selected port's register. Raises TransferFault."""
        return self.read_ap_multiple(address, 1)[0]

    def read_ap_multiple(self, address: int, count: int) -> list[int]:
        """The same register, `count` times. Raises TransferFault."""
        port, offset = self._selected(address)
        try:
            if port is self._memory and offset == DRW and count > 1:
                values = self._memory.read_all(count)
            else:
                values = [port.read(offset) & WORD if port else 0 for _ in range(count)]
        except BusFault as fault:
            raise self._failed(fault) from fault
        self._buffer = values[-1] if values else self._buffer
        return values

    def write_ap(self, address: int, value: int) -> None:
        """Write the selected port's register. Raises TransferFault."""
        self.write_ap_multiple(address, [value])

    def write_ap_multiple(self, address: int, values: list[int]) -> None:
        """Write the same register with each of `values`. Raises TransferFault."""
        port, offset = self._selected(address)
        try:
            if port is self._memory and offset == DRW and len(values) > 1:
                self._memory.write_all(values)
            elif port:
                for value in values:
                    port.write(offset, value)
        except BusFault as fault:
            raise self._failed(fault) from fault
        finally:
            self.debug.settle()

    def _selected(self, address: int) -> tuple[MemoryPort | ControlPort | None, int]:
        if self._sticky:
            raise TransferFault("an earlier access failed; clear STICKYERR in ABORT")
        if not self._control & 1 << 28:
            raise TransferFault("debug power is off; set CDBGPWRUPREQ in CTRL/STAT")
        return self._ports.get(self._select >> 24), self._select & 0xF0 | address & 0xC

    def _failed(self, fault: BusFault) -> TransferFault:
        self._sticky = True
        return TransferFault(str(fault).splitlines()[0])
