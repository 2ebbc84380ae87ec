"""Nordic nRF5340, from its Product Specification: what our firmware on the application core touches.

Everything is at its secure address, as the core starts in the secure state.
The core runs at 64 MHz until HFCLKCTRL says otherwise, and more needs the factory's trim values first.
"""

from __future__ import annotations

from typing import ClassVar

from tinyc.emulator.chip import Chip, FlashSystem, Parts
from tinyc.emulator.chips.nordic import RealTimeCounter, Timer
from tinyc.emulator.chips.nordic_power import Power
from tinyc.emulator.chips.nordic_uart import Uart
from tinyc.emulator.chips.nrf51822 import Erased
from tinyc.emulator.chips.nrf52840 import Gpio
from tinyc.emulator.peripheral import Constants, Peripheral, on_write

DEVICE_ID = (0x53400A5E, 0x0C0FFEE5)  # the emulated part's own number

_TRIMS = ((0x50004A08, 0x0000001C), (0x50004910, 0x00000113))  # of the emulated part: address, value
_FICR = {
    0x130: 7,  # the part and its silicon revision, as Nordic's start-up code reads them
    0x134: 5,
    0x204: DEVICE_ID[0],
    0x208: DEVICE_ID[1],
    0x20C: 0x5340,  # INFO.PART
    0x218: 512,  # INFO.RAM in kB
    0x21C: 1024,  # INFO.FLASH in kB
} | {0x300 + 8 * i + 4 * j: word for i, trim in enumerate(_TRIMS) for j, word in enumerate(trim)}


class Clock(Power):
    """CLOCK, POWER and RESET: HFCLKCTRL divides 128 MHz by 1 or 2."""

    HFCLKCTRL, HFCLKRUN = 0x558, 0x408
    resets: ClassVar = {**Power.resets, HFCLKCTRL: 1}

    def __init__(self, system: FlashSystem, base: int, interrupt: int, trimmed: Peripheral) -> None:
        self._trimmed = trimmed
        super().__init__(system, base, interrupt)

    def core_hz(self) -> int:
        return 128_000_000 >> (self[self.HFCLKCTRL] & 1)

    @property
    def crystal(self) -> bool:
        """Whether the crystal runs."""
        return bool(self[self.HFCLKRUN])

    @on_write(HFCLKCTRL)
    def _divide(self, value: int) -> int:
        base = self._trimmed.base
        if not value & 1 and any(self._trimmed[address - base] != word for address, word in _TRIMS):
            raise self.system.fault("128 MHz without the trim values that FICR has for this chip")
        return value & 1


class Console(Uart):
    """UARTE0 on the board's line: its pins, its rate, and a clock that is neither vague nor another one."""

    TXD_PIN, RXD_PIN = 0x50C, 0x514

    def __init__(self, chip: FlashSystem, base: int, interrupt: int, clock: Clock) -> None:
        self._board, self._clock = chip.board, clock
        super().__init__(chip, base, interrupt)

    @on_write(0x000)
    def _start_receive(self, value: int) -> None:
        self._check()
        super()._start_receive(value)

    @on_write(0x008)
    def _start_send(self, value: int) -> None:
        self._check()
        super()._start_send(value)

    def _check(self) -> None:
        board, hz = self._board, self._clock.core_hz()
        if hz != board.clock_hz:
            raise self.system.fault(f"the core runs at {hz} Hz, unlike its board")
        if not self._clock.crystal:
            raise self.system.fault("the serial port runs on the oscillator inside, which is no clock for it")
        rate = self[self.BAUDRATE] * 16_000_000 / (1 << 32)
        if abs(rate / board.uart_baud - 1) > 0.01:
            raise self.system.fault(f"the serial port runs at {rate:.0f} baud, its line at {board.uart_baud}")
        for register, pin in ((self.TXD_PIN, board.uart_tx), (self.RXD_PIN, board.uart_rx)):
            if pin is not None and self[register] != pin.port << 5 | pin.number:
                raise self.system.fault(f"the serial port is at pin {self[register]:#x}, its line is not")


# Plain registers: DCNF, CACHE, SPU, CTRLAP, serial boxes and so on. They keep what is written and do nothing.
_PLAIN = (0x0, 0x1, 0x3, 0x6, 0x9, 0xA, 0xB, 0xC, 0xD, 0x18, 0x19, 0x1A, 0x1B, 0x2A, 0x30, 0x39)


def _build(chip: FlashSystem) -> Parts:
    regulators = Peripheral(chip, 0x50004000)  # and oscillators
    clock = Clock(chip, 0x50005000, 5, regulators)
    peripherals = (
        Constants(chip, 0x00FF0000, _FICR),
        Erased(chip, 0x00FF8000),
        regulators,
        clock,
        Console(chip, 0x50008000, 8, clock),
        *(Timer(chip, 0x5000F000 + 0x1000 * i, 15 + i) for i in range(3)),
        *(RealTimeCounter(chip, 0x50014000 + 0x1000 * i, 20 + i) for i in range(2)),
        Gpio(chip, 0x50842000),
        *(Peripheral(chip, 0x50000000 + 0x1000 * number) for number in _PLAIN),
    )
    return Parts(peripherals)


CHIP = Chip("nrf5340", interrupts=69, priority_bits=3, build=_build, timed_line=True)
