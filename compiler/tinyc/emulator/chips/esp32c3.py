"""Espressif ESP32-C3, from its Technical Reference Manual: boot by the ROM, watchdogs, clock, UART0, pins.

Stricter than the chip: a firmware that polls its UART while a watchdog of the ROM runs is refused at once,
and so is a core at another speed than the board's file says. Loads through the instruction bus fault whatever
their size, where the chip allows those of whole words; but those from a page of 4 kB whose code has just run
the engine lets pass. Neither the PLL nor the interrupt matrix is modelled.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from tinyc.board_parts import MARKS, Pin
from tinyc.boards import DEFAULT_BAUD
from tinyc.emulator.chip import Chip, Entry, FlashSystem, Parts
from tinyc.emulator.chips.stm32 import Shared
from tinyc.emulator.peripheral import Constants, Peripheral, on_read, on_write

DEVICE_ID = bytes.fromhex("c6a2041885340000")  # the emulated part's MAC address as the fuses have it

_MARK, _IMAGE = 0xAEDB041D, 0xE9
_CRYSTAL_HZ, _RC_FAST_HZ = 40_000_000, 17_500_000
_TOLERANCE = 0.03
_SIGNAL_UART0, _BY_MATRIX, _GPIO_FUNCTION = 6, 1 << 6, 1


@dataclass(frozen=True, slots=True)
class Watchdog:
    """One that the ROM leaves on: the registers of its setting and of its key; `runs` reads the setting."""

    name: str
    config: int
    protect: int
    key: int
    runs: Callable[[int], bool]


class Guarded(Peripheral):
    """Registers with watchdogs, whose settings are only written after their key."""

    WATCHDOGS: ClassVar[tuple[Watchdog, ...]]

    def store(self, offset: int, value: int) -> None:
        if all(offset != dog.config or self[dog.protect] == dog.key for dog in self.WATCHDOGS):
            super().store(offset, value)

    def running(self) -> tuple[str, ...]:
        """Names of those that are going to reset the chip."""
        return tuple(dog.name for dog in self.WATCHDOGS if dog.runs(self[dog.config]))


class RtcControl(Guarded):
    """RTC_CNTL: the reset, the watchdog of the RTC and the super watchdog."""

    OPTIONS0 = 0x00
    resets: ClassVar = {0x90: 1 << 12}
    WATCHDOGS = (
        Watchdog("the RTC watchdog", 0x90, 0xA8, 0x50D83AA1, lambda value: bool(value & (1 << 31 | 1 << 12))),
        Watchdog("the super watchdog", 0xAC, 0xB0, 0x8F1D312A, lambda value: not value & (1 << 31 | 1 << 30)),
    )

    def __init__(self, chip: FlashSystem, base: int) -> None:
        self._chip = chip
        super().__init__(chip, base)

    @on_write(OPTIONS0)
    def _write_options(self, value: int) -> int:
        if value >> 31:
            self._chip.request_reset()
        return value & 0x7FFFFFFF


class TimerGroup(Guarded):
    """TIMG0, of which there is the watchdog."""

    CONFIG, _UPDATE = 0x48, 1 << 22
    resets: ClassVar = {CONFIG: 1 << 14}
    WATCHDOGS = (
        Watchdog(
            "the watchdog of TIMG0", CONFIG, 0x64, 0x50D83AA1, lambda value: bool(value & (1 << 31 | 1 << 14))
        ),
    )

    @on_write(CONFIG)
    def _write_config(self, value: int) -> int | None:
        """Nothing of it has an effect without the bit that says so."""
        return value & ~self._UPDATE if value & self._UPDATE else None


class SystemRegisters(Peripheral):
    """SYSTEM: the core's clock, clocks and resets of peripherals. The ROM leaves half the crystal's rate."""

    CLOCKS, RESETS, SYSCLK = 0x10, 0x18, 0x58
    UART, UART_MEMORY = 1 << 2, 1 << 24
    resets: ClassVar = {CLOCKS: UART | UART_MEMORY, SYSCLK: 1}

    @property
    def core_hz(self) -> int:
        """The rate of the core, and of the bus while no PLL is used."""
        source = _RC_FAST_HZ if self[self.SYSCLK] >> 10 & 3 else _CRYSTAL_HZ
        return source // ((self[self.SYSCLK] & 0x3FF) + 1)

    @on_write(SYSCLK)
    def _write_clock(self, value: int) -> int:
        if value >> 10 & 3 == 1:
            raise self.system.fault(
                "the core is switched to the PLL, which is not modelled", self.base + self.SYSCLK
            )
        return value & 0xFFF

    def runs_uart(self) -> bool:
        """Whether UART0 and its memory have clocks and are not held in reset."""
        on = self.UART | self.UART_MEMORY
        return self[self.CLOCKS] & on == on and not self[self.RESETS] & on


class Pins:
    """Which pins UART0 has, by IO_MUX and the matrix of GPIO; its own are 21 (sends) and 20."""

    def __init__(self, gpio: Peripheral, io_mux: Peripheral) -> None:
        self._gpio, self._io_mux = gpio, io_mux

    def _function(self, pin: int) -> int:
        return self._io_mux[4 + 4 * pin] >> 12 & 7

    def send(self, pin: int) -> bool:
        """Whether the pin is UART0's output."""
        if self._function(pin) == _GPIO_FUNCTION:
            return self._gpio[0x554 + 4 * pin] & 0x1FF == _SIGNAL_UART0
        return pin == 21 and self._function(pin) == 0

    def receive(self, pin: int) -> bool:
        """Whether the pin is UART0's input and on."""
        chosen = self._gpio[0x154 + 4 * _SIGNAL_UART0]
        if not self._io_mux[4 + 4 * pin] >> 9 & 1:
            return False
        if chosen & _BY_MATRIX:
            return self._function(pin) == _GPIO_FUNCTION and chosen & 0x3F == pin
        return pin == 20 and self._function(pin) == 0


class Uart(Peripheral):
    """UART0. Sending takes no time. CLKDIV and CONF0 count after REG_UPDATE, or at once by UPDATE_CTRL."""

    FIFO, CLKDIV, STATUS, CONF0, CLK_CONF, ID = 0x00, 0x14, 0x1C, 0x20, 0x78, 0x80
    resets: ClassVar = {CLKDIV: 0x2B6, CONF0: 0x1000001C, CLK_CONF: 0x03701000, ID: 0x40000500}
    _UPDATE, _AT_ONCE = 1 << 31, 1 << 30
    _ROOM = 128

    def __init__(
        self, chip: FlashSystem, base: int, system: SystemRegisters, pins: Pins, guarded: tuple[Guarded, ...]
    ) -> None:
        self._clock, self._pins, self._guarded = system, pins, guarded
        self._sends = chip.board.uart_tx or Pin(0, 21)
        self._receives = chip.board.uart_rx or Pin(0, 20)
        self._received: deque[int] = deque()
        super().__init__(chip, base)

    def reset(self) -> None:
        super().reset()
        self._received.clear()
        self._update()
        self.system.line.receivers.append(self._receive)

    def load(self, offset: int) -> int:
        return super().load(offset) if self._clock.runs_uart() else 0

    def store(self, offset: int, value: int) -> None:
        if self._clock.runs_uart():
            super().store(offset, value)
            if self[self.ID] & self._AT_ONCE:
                self._update()

    def _update(self) -> None:
        self._divider, self._frame = self[self.CLKDIV], self[self.CONF0]

    @on_write(ID)
    def _write_id(self, value: int) -> int:
        if value & self._UPDATE:
            self._update()
        return value & ~self._UPDATE

    def _on(self, direction: int) -> bool:
        """Whether the core of the UART has its clock, and that of one direction, and is not in reset."""
        control = self[self.CLK_CONF]
        return bool(control >> 22 & 1 and control >> direction & 1 and not control >> 23 & 1)

    def _require_rate(self) -> None:
        """Raise unless the core has its speed, and format and rate are those of the other side."""
        if self._clock.core_hz != self.system.clock_hz:
            what = (
                f"the core runs at {self._clock.core_hz} Hz, the board's file says {self.system.clock_hz} Hz"
            )
            raise self.system.fault(what)
        control = self[self.CLK_CONF]
        source = (0, self._clock.core_hz, _RC_FAST_HZ, _CRYSTAL_HZ)[control >> 20 & 3]
        divisor = (self._divider & 0xFFF) + (self._divider >> 20 & 15) / 16
        rate = source / ((control >> 12 & 0xFF) + 1) / divisor if divisor else 0
        if abs(rate - DEFAULT_BAUD) > _TOLERANCE * DEFAULT_BAUD:
            what = f"UART0 runs at {rate:,.0f} baud, the other side at {DEFAULT_BAUD:,}"
            raise self.system.fault(what, self.base + self.CLKDIV)
        if self._frame & 0x3F != 0x1C:
            raise self.system.fault("UART0 is not set to eight bits, no parity, one stop bit", self.base)

    def _receive(self) -> None:
        while self._on(25) and self._pins.receive(self._receives.number) and len(self._received) < self._ROOM:
            byte = self.system.line.take()
            if byte is None:
                return
            self._received.append(byte)

    @on_read(STATUS)
    def _read_status(self) -> int:
        self._receive()
        if not self._received:
            for name in (name for each in self._guarded for name in each.running()):
                raise self.system.fault(f"the firmware polls UART0 while {name} runs, which resets the chip")
            self.system.line.polled()
        return len(self._received)

    @on_read(FIFO)
    def _read_data(self) -> int:
        self.system.line.touched()
        byte = self._received.popleft() if self._received else 0
        self._receive()
        return byte

    @on_write(FIFO)
    def _write_data(self, value: int) -> None:
        if not self._on(24):
            return
        self._require_rate()
        if not self._pins.send(self._sends.number):
            raise self.system.fault("UART0 sends, and its pin is not connected to it", self.base)
        self.system.line.send(bytes([value & 0xFF]))


def _boot(chip: FlashSystem) -> Entry:
    """What the ROM of revision v0.3 or later does with flash that holds none of Espressif's images."""
    flash, memory = chip.flash_array.image().content, chip.memory
    if flash[0] == _IMAGE:
        raise chip.fault(
            "flash begins as an image of Espressif's format, which the ROM would load", memory.flash_origin
        )
    if struct.unpack_from("<2I", flash) != (_MARK, _MARK):
        hint = "the ROM waits for a download now"
        raise chip.fault(
            "the first 8 bytes of flash are not the marks of a direct boot", memory.flash_origin, hint
        )
    return Entry(memory.ram_origin + memory.ram, memory.flash_origin + MARKS)


def _build(chip: FlashSystem) -> Parts:
    system = SystemRegisters(chip, 0x600C0000)
    rtc, timers = RtcControl(chip, 0x60008000), TimerGroup(chip, 0x6001F000)
    gpio, io_mux = Peripheral(chip, 0x60004000), Peripheral(chip, 0x60009000)
    fuses = Constants(chip, 0x60008800, dict(zip((0x44, 0x48), struct.unpack("<2I", DEVICE_ID), strict=True)))
    uart = Uart(chip, 0x60000000, system, Pins(gpio, io_mux), (rtc, timers))
    shared = Shared(chip, 0x60008000, {0x000: rtc, 0x800: fuses})
    return Parts((system, shared, timers, gpio, io_mux, uart), boot=lambda: _boot(chip))


CHIP = Chip("esp32c3", build=_build, flash_aliases=(0x3C000000,), split_buses=True)
