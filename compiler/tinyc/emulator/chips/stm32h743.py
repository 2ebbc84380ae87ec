"""ST STM32H743, from reference manual RM0433: supply and voltage, clocks, flash wait states, USART3.

What the manual forbids on the way to 400 MHz is a fault: more speed than the voltage or the wait states
allow, on any bus, and a PLL outside its ranges. The voltage stays until the supply is configured.
"""

from __future__ import annotations

from typing import ClassVar

from tinyc.emulator.chip import Chip, FlashSystem, Parts
from tinyc.emulator.chips.stm32 import ClockControl, Followed, GatedGpio, Shared, Usart, port_pages
from tinyc.emulator.peripheral import Constants, Peripheral, on_read, on_write

UNIQUE_ID = (0x00250041, 0x31365112, 0x34373234)  # the emulated part's own number

_MHZ = 1_000_000
_HSI = 64 * _MHZ
# By the voltage scale: what the core, the memory buses and the peripheral buses bear, and how fast the
# memory bus may be with 0, 1, ... wait states of flash.
_CORE = {1: 400 * _MHZ, 2: 300 * _MHZ, 3: 200 * _MHZ}
_WAIT_STATES = {
    1: (70 * _MHZ, 140 * _MHZ, 210 * _MHZ, 225 * _MHZ),
    2: (55 * _MHZ, 110 * _MHZ, 165 * _MHZ, 225 * _MHZ),
    3: (45 * _MHZ, 90 * _MHZ, 135 * _MHZ, 180 * _MHZ, 225 * _MHZ),
}
_PLL_INPUTS = ((1, 2), (2, 4), (4, 8), (8, 16))  # MHz, by PLL1RGE


class Power(Followed):
    """PWR: the voltage can be changed once CR3 was written; it is there at once."""

    CSR1, CR3, D3CR = 0x04, 0x0C, 0x18
    resets: ClassVar = {CR3: 0x6, D3CR: 1 << 14}
    _READY, _UPDATE = 1 << 13, 4

    @property
    def scale(self) -> int:
        """1 to 3; 1 is the highest voltage."""
        return 4 - max(1, self[self.D3CR] >> 14 & 3)

    def _configured(self) -> bool:
        return not self[self.CR3] & self._UPDATE

    @on_write(CR3)
    def _write_supply(self, value: int) -> int | None:
        return None if self._configured() else value & ~self._UPDATE

    @on_read(CSR1)
    def _read_status(self) -> int:
        return self._configured() * (self._READY | self[self.D3CR] & 3 << 14)

    @on_write(D3CR)
    def _write_voltage(self, value: int) -> int | None:
        return value & 3 << 14 if self._configured() else None

    @on_read(D3CR)
    def _read_voltage(self) -> int:
        return self[self.D3CR] | self._configured() * self._READY


class FlashInterface(Followed):
    """FLASH: wait states, and both banks locked."""

    ACR = 0x00
    resets: ClassVar = {ACR: 0x37, 0x0C: 0x31, 0x10C: 0x31}


class Clocks(ClockControl):
    """RCC; it runs from HSI at 64 MHz after reset. Of the PLLs there is the first."""

    CFGR, D1CFGR, D2CFGR, PLLCKSELR, PLLCFGR, PLL1DIVR = 0x10, 0x18, 0x1C, 0x28, 0x2C, 0x30
    AHB4ENR, APB1LENR = 0xE0, 0xE8
    resets: ClassVar = {0x00: 0x83, PLLCKSELR: 0x02020200, PLLCFGR: 0x01FF0000, PLL1DIVR: 0x01010280}
    SWITCH, WIDTH = CFGR, 3
    _HSI, _CSI, _HSE, _PLL = 0, 7, 16, 24
    READY: ClassVar = {_HSI: 2, _CSI: 8, _HSE: 17, _PLL: 25}
    SOURCES = (_HSI, _CSI, _HSE, _PLL)
    RUNNING = frozenset({_HSI, _CSI})

    def __init__(self, chip: FlashSystem, base: int) -> None:
        self.flash = FlashInterface(chip, 0x52002000)
        self.power = Power(chip, 0x58024800)
        self._crystal = chip.board.crystal_hz or 0
        super().__init__(chip, base)
        self.flash.on_change = self.power.on_change = self.check

    def _source_hz(self, position: int) -> int:
        return (_HSI >> (self[self.CR] >> 3 & 3), 4 * _MHZ, self._crystal, 0)[position]

    def _pll_hz(self) -> int:
        """PLL1's output P."""
        setting, factors = self[self.PLLCFGR], self[self.PLL1DIVR]
        divider = self[self.PLLCKSELR] >> 4 & 0x3F
        before = self._source_hz(self[self.PLLCKSELR] & 3) / divider if divider else 0.0
        vco = before * ((factors & 0x1FF) + 1)
        low, high = _PLL_INPUTS[setting >> 2 & 3]
        slowest, fastest = (150, 420) if setting & 2 else (192, 836)
        if not low * _MHZ <= before <= high * _MHZ or not slowest * _MHZ <= vco <= fastest * _MHZ:
            raise self.system.fault(f"the PLL gets {before:.0f} Hz and would run at {vco:.0f} Hz")
        return int(vco) // ((factors >> 9 & 0x7F) + 1) if setting & 1 << 16 else 0

    def core_hz(self) -> int:
        position = self.position()
        hz = self._pll_hz() if self.SOURCES[position] == self._PLL else self._source_hz(position)
        return hz >> self._shift(self[self.D1CFGR] >> 8)

    def bus_hz(self) -> int:
        """HCLK, of AXI and the memories."""
        return self.core_hz() >> self._shift(self[self.D1CFGR])

    def peripheral_hz(self) -> int:
        """PCLK1, which USART3 runs on unless D2CCIP2R says otherwise."""
        prescaler = self[self.D2CFGR] >> 4 & 7
        return self.bus_hz() >> (0 if prescaler < 4 else prescaler - 3)

    @staticmethod
    def _shift(field: int) -> int:
        prescaler = field & 0xF
        return 0 if prescaler < 8 else prescaler - 7 if prescaler < 12 else prescaler - 6

    def check(self) -> None:
        if self.ready(self._PLL):
            self._pll_hz()
        scale, states = self.power.scale, self.flash[FlashInterface.ACR] & 0xF
        core, bus, peripheral = self.core_hz(), self.bus_hz(), self.peripheral_hz()
        for what, hz, most in (
            ("the core", core, _CORE[scale]),
            ("the memory bus", bus, _CORE[scale] // 2),
            ("APB1", peripheral, max(_CORE[scale] // 4, _HSI)),  # as after reset
        ):
            if hz > most:
                raise self.system.fault(f"{what} at {hz} Hz with voltage scale {scale}")
        table = _WAIT_STATES[scale]
        if bus > table[min(states, len(table) - 1)]:
            raise self.system.fault(f"{bus} Hz with {states} wait states of flash")

    @on_write(PLLCKSELR)
    @on_write(PLLCFGR)
    @on_write(PLL1DIVR)
    def _write_pll(self, value: int) -> int | None:
        return None if self[self.CR] & 1 << self._PLL else value


def _build(chip: FlashSystem) -> Parts:
    clocks = Clocks(chip, 0x58024400)
    ports = {
        number: GatedGpio(chip, 0x58020000 + 0x400 * number, clocks.enabled(Clocks.AHB4ENR, number))
        for number in range(11)
    }
    usart = Usart(
        chip,
        0x40004800,
        clocks.enabled(Clocks.APB1LENR, 18),
        clocks=clocks,
        ports=ports,
        function=7,
    )
    peripherals = (
        Shared(chip, 0x40004000, {0x800: usart}),
        Peripheral(chip, 0x51008000),  # what the AXI interconnect does
        clocks.flash,
        *port_pages(chip, ports),
        Shared(chip, 0x58024000, {0x400: clocks, 0x800: clocks.power}),
        Constants(chip, 0x5C001000, {0: 0x20036450}),  # DBGMCU: the chip, revision V
        Constants(chip, 0x1FF1E000, {0x800 + 4 * i: word for i, word in enumerate(UNIQUE_ID)}),
    )
    return Parts(peripherals)


CHIP = Chip(
    "stm32h743",
    interrupts=150,
    priority_bits=4,
    build=_build,
    extra_ram=((0x00000000, 0x10000), (0x20000000, 0x20000)),  # ITCM, DTCM
)
