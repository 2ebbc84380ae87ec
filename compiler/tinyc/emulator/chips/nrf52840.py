"""Nordic nRF52840, from its Product Specification v1.x: the peripherals our firmware touches."""

from __future__ import annotations

from typing import ClassVar

from tinyc.emulator.chip import Chip, DebugParts, FlashSystem, Parts
from tinyc.emulator.chips.nordic import RandomNumbers, RealTimeCounter, Timer, WideTimer
from tinyc.emulator.chips.nordic_debug import DESIGNER, ROM_TABLE_PART, NordicControlPort
from tinyc.emulator.chips.nordic_flash import PAGE, FlashController, UserInformation
from tinyc.emulator.chips.nordic_power import Power
from tinyc.emulator.chips.nordic_ppi import Ppi
from tinyc.emulator.chips.nordic_radio import Radio
from tinyc.emulator.chips.nordic_uart import Uart
from tinyc.emulator.peripheral import Constants, Peripheral, on_read, on_write

DEVICE_ID = (0x7C1A51F0, 0x0E5EED01)  # the emulated part's own number

_FICR = {
    0x010: PAGE,  # CODEPAGESIZE
    0x014: 256,  # CODESIZE in pages
    0x060: DEVICE_ID[0],
    0x064: DEVICE_ID[1],
    0x0A0: 0xFFFFFFFF,  # DEVICEADDRTYPE: random
    0x0A4: 0x1F2E3D4C,
    0x0A8: 0x0000C5D6,
    0x100: 0x52840,  # INFO.PART
    0x104: 0x41414430,  # INFO.VARIANT "AAD0"
    0x108: 0x2004,  # INFO.PACKAGE
    0x10C: 256,  # INFO.RAM in kB
    0x110: 1024,  # INFO.FLASH in kB
    0x130: 8,  # the part and its silicon revision, as Nordic's start-up code reads them
    0x134: 3,
}


class Gpio(Peripheral):
    """P0 at +0x500 and P1 at +0x800 of one page.

    A pin reads what it drives itself, else what `System.pins` says, else what its pull resistor does.
    """

    _OUT, _SET, _CLEAR, _IN, _DIR, _CNF = 0x504, 0x508, 0x50C, 0x510, 0x514, 0x700
    _DISCONNECTED, _PULL, _UP = 2, 0xC, 0xC
    resets: ClassVar = {0x700 + 0x300 * port + 4 * pin: 2 for port in range(2) for pin in range(32)}

    @on_read(_IN, count=2, stride=0x300)
    def _read_in(self, port: int) -> int:
        return sum(self._level(port, pin) << pin for pin in range(32))

    def _level(self, port: int, pin: int) -> int:
        if self[self._DIR + 0x300 * port] >> pin & 1:
            return self[self._OUT + 0x300 * port] >> pin & 1
        setting = self[self._CNF + 0x300 * port + 4 * pin]
        if setting & self._DISCONNECTED:
            return 0
        return self.system.pins.get((port, pin), int(setting & self._PULL == self._UP))

    @on_write(_OUT, count=2, stride=0x300)
    def _write_out(self, port: int, value: int) -> int:
        return self._drive(port, value)

    @on_write(_SET, count=2, stride=0x300)
    def _set_out(self, port: int, value: int) -> int:
        return self._drive(port, self[self._OUT + 0x300 * port] | value)

    @on_write(_CLEAR, count=2, stride=0x300)
    def _clear_out(self, port: int, value: int) -> int:
        return self._drive(port, self[self._OUT + 0x300 * port] & ~value)

    @on_write(0x518, count=2, stride=0x300)
    def _set_direction(self, port: int, value: int) -> int:
        return self._direct(port, self[0x514 + 0x300 * port] | value)

    @on_write(0x51C, count=2, stride=0x300)
    def _clear_direction(self, port: int, value: int) -> int:
        return self._direct(port, self[0x514 + 0x300 * port] & ~value)

    def _drive(self, port: int, value: int) -> int:
        for register in (self._OUT, self._SET, self._CLEAR):
            self[register + 0x300 * port] = value
        return value

    def _direct(self, port: int, value: int) -> int:
        for register in (0x514, 0x518, 0x51C):
            self[register + 0x300 * port] = value
        return value


# Plain registers: serial boxes, GPIOTE, SAADC, TEMP, ECB, CCM, WDT, QDEC, COMP, SWI, PWM, PDM,
# MWU and so on. They keep what is written and do nothing.
_PLAIN = (
    *(0x3, 0x4, 0x5, 0x6, 0x7, 0xC, 0xE, 0xF, 0x10, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19),
    *(0x1C, 0x1D, 0x20, 0x21, 0x22, 0x23, 0x25, 0x26, 0x27, 0x29, 0x2D, 0x2F),
)


def _build(chip: FlashSystem) -> Parts:
    user_information = UserInformation(chip, 0x10001000)
    flash = FlashController(chip, 0x4001E000, user_information)
    peripherals: tuple[Peripheral, ...] = (
        Constants(chip, 0x10000000, _FICR),
        user_information,
        Power(chip, 0x40000000, 0),
        Radio(chip, 0x40001000, 1),
        Uart(chip, 0x40002000, 2),
        *(Timer(chip, 0x40008000 + 0x1000 * i, 8 + i) for i in range(3)),
        RealTimeCounter(chip, 0x4000B000, 11),
        RandomNumbers(chip, 0x4000D000, 13),
        RealTimeCounter(chip, 0x40011000, 17),
        *(WideTimer(chip, 0x4001A000 + 0x1000 * i, 26 + i) for i in range(2)),
        flash,
        RealTimeCounter(chip, 0x40024000, 36),
        Uart(chip, 0x40028000, 40),
        Gpio(chip, 0x50000000),
        *(Peripheral(chip, 0x40000000 + 0x1000 * number) for number in _PLAIN),
    )
    peripherals += (Ppi(chip, 0x4001F000, peripherals),)
    debug = DebugParts(NordicControlPort(chip, user_information), DESIGNER, ROM_TABLE_PART)
    return Parts(peripherals, flash.write_flash, debug)


CHIP = Chip("nrf52840", interrupts=48, priority_bits=3, build=_build, timed_line=True)
