"""ST STM32L4R5, from reference manual RM0432: clocks, power, flash wait states, LPUART1.

What the manual forbids on the way to 120 MHz is a fault: too few wait states, more than 80 MHz without
boost mode or in one step, a PLL outside its ranges. Port G is dead until VDDIO2 is declared valid.
"""

from __future__ import annotations

from typing import ClassVar

from tinyc.emulator.chip import Chip, FlashSystem, Parts
from tinyc.emulator.chips.stm32 import ClockControl, Followed, Gated, GatedGpio, Shared, Usart, port_pages
from tinyc.emulator.peripheral import Constants, Peripheral, on_write

UNIQUE_ID = (0x003A0033, 0x31375107, 0x20363358)  # the emulated part's own number

_MHZ = 1_000_000
_BOOST_ABOVE = 80 * _MHZ
# Core clock that 0, 1, ... wait states allow: range 1 of the core's voltage, and range 2.
_RANGE_1 = tuple(20 * _MHZ * (states + 1) for states in range(6))
_RANGE_2 = (8 * _MHZ, 16 * _MHZ, 26 * _MHZ)
_PORT_G = 6


class Power(Followed, Gated):
    """PWR: the regulator follows at once."""

    CR1, CR2, CR5 = 0x00, 0x04, 0x80
    resets: ClassVar = {CR1: 0x200, CR5: 0x100}

    @property
    def range_1(self) -> bool:
        return self[self.CR1] >> 9 & 3 == 1

    @property
    def boost(self) -> bool:
        return not self[self.CR5] & 0x100

    def vddio2(self) -> bool:
        """Whether the firmware has said that port G has its supply."""
        return bool(self[self.CR2] & 1 << 9)


class FlashInterface(Followed):
    """FLASH: wait states, and CR locked."""

    ACR = 0x00
    resets: ClassVar = {ACR: 0x600, 0x14: 0xC0000000}


class Clocks(ClockControl):
    """RCC; it runs from MSI at 4 MHz after reset."""

    CFGR, PLLCFGR, AHB2ENR, APB1ENR1, APB1ENR2 = 0x08, 0x0C, 0x4C, 0x58, 0x5C
    resets: ClassVar = {0x00: 0x63, PLLCFGR: 0x1000}
    SWITCH, WIDTH = CFGR, 2
    _MSI, _HSI, _HSE, _PLL = 0, 8, 16, 24
    READY: ClassVar = {_MSI: 1, _HSI: 10, _HSE: 17, _PLL: 25}
    SOURCES = (_MSI, _HSI, _HSE, _PLL)
    RUNNING = frozenset({_MSI})
    _MSI_HZ = (100_000, 200_000, 400_000, 800_000, *(each * _MHZ for each in (1, 2, 4, 8, 16, 24, 32, 48)))

    def __init__(self, chip: FlashSystem, base: int) -> None:
        self.flash = FlashInterface(chip, 0x40022000)
        self.power = Power(chip, 0x40007000, self.enabled(self.APB1ENR1, 28))
        self._crystal = chip.board.crystal_hz or 0
        super().__init__(chip, base)
        self.flash.on_change = self.power.on_change = self.check

    def reset(self) -> None:
        super().reset()
        self._half_since: int | None = None  # when the source became faster than 80 MHz

    def _source_hz(self, position: int) -> int:
        msi = self._MSI_HZ[min(self[self.CR] >> 4 & 0xF, len(self._MSI_HZ) - 1)]
        return (msi, 16 * _MHZ, self._crystal, 0)[position]

    def _pll_hz(self) -> int:
        setting = self[self.PLLCFGR]
        source = setting & 3
        before = self._source_hz(source - 1) // ((setting >> 4 & 0xF) + 1) if source else 0
        vco = before * (setting >> 8 & 0x7F)
        if not 2.66 * _MHZ <= before <= 8 * _MHZ or not 64 * _MHZ <= vco <= 344 * _MHZ:
            raise self.system.fault(f"the PLL gets {before} Hz and would run at {vco} Hz")
        return vco // (2 * (setting >> 25 & 3) + 2) if setting & 1 << 24 else 0

    def _system_hz(self) -> int:
        """SYSCLK."""
        position = self.position()
        return self._pll_hz() if self.SOURCES[position] == self._PLL else self._source_hz(position)

    def core_hz(self) -> int:
        """HCLK."""
        prescaler = self[self.CFGR] >> 4 & 0xF
        shift = 0 if prescaler < 8 else prescaler - 7 if prescaler < 12 else prescaler - 6
        return self._system_hz() >> shift

    def peripheral_hz(self) -> int:
        """PCLK1, which LPUART1 runs on unless CCIPR says otherwise."""
        prescaler = self[self.CFGR] >> 8 & 7
        return self.core_hz() >> (0 if prescaler < 4 else prescaler - 3)

    def check(self) -> None:
        if self.ready(self._PLL):
            self._pll_hz()
        hz, states = self.core_hz(), self.flash[FlashInterface.ACR] & 0xF
        table = _RANGE_1 if self.power.range_1 else _RANGE_2
        if hz > table[min(states, len(table) - 1)]:
            raise self.system.fault(f"{hz} Hz with {states} wait states of flash")
        if self._system_hz() <= _BOOST_ABOVE:
            self._half_since = None
            return
        if not self.power.boost:
            raise self.system.fault(f"{self._system_hz()} Hz without boost mode")
        if self._half_since is None:
            self._half_since = self.system.now
        if hz > _BOOST_ABOVE and self.system.now - self._half_since < self.system.clock_hz // _MHZ:
            raise self.system.fault(f"from below 80 MHz to {hz} Hz without a microsecond at half the speed")

    @on_write(PLLCFGR)
    def _write_pll(self, value: int) -> int | None:
        return None if self[self.CR] & 1 << self._PLL else value


def _build(chip: FlashSystem) -> Parts:
    clocks = Clocks(chip, 0x40021000)
    power = clocks.power
    ports = {
        number: GatedGpio(
            chip,
            0x48000000 + 0x400 * number,
            clocks.enabled(Clocks.AHB2ENR, number),
            power.vddio2 if number == _PORT_G else lambda: True,
        )
        for number in range(9)
    }
    lpuart = Usart(
        chip,
        0x40008000,
        clocks.enabled(Clocks.APB1ENR2, 0),
        clocks=clocks,
        ports=ports,
        function=8,
        scale=256,
    )
    peripherals = (
        clocks,
        clocks.flash,
        Shared(chip, 0x40007000, {0x000: power}),
        Shared(chip, 0x40008000, {0x000: lpuart}),
        *port_pages(chip, ports),
        Peripheral(chip, 0xE0042000),
        Constants(chip, 0x1FFF7000, {0x590 + 4 * i: word for i, word in enumerate(UNIQUE_ID)}),
    )
    return Parts(peripherals)


CHIP = Chip("stm32l4r5", interrupts=95, priority_bits=4, build=_build, flash_aliases=(0x00000000,))
