"""Parts of several STM32: ports, clock gates, oscillators that take their time, the newer USART."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

from tinyc.board_parts import Pin
from tinyc.emulator.chip import FlashSystem
from tinyc.emulator.peripheral import Peripheral, System, on_read, on_write

Gate = Callable[[], bool]
_LOCK_MICROSECONDS = 40
_RATE_TOLERANCE = 0.01  # of the 3 % that a receiver bears, what oscillators leave to the dividers


class Shared(Peripheral):
    """A page that several peripherals share, by their offset in it; the rest is plain memory."""

    def __init__(self, chip: System, base: int, parts: dict[int, Peripheral], length: int = 0x400) -> None:
        self._parts, self._length = parts, length
        super().__init__(chip, base)

    def reset(self) -> None:
        super().reset()
        for part in self._parts.values():
            part.reset()

    def load(self, offset: int) -> int:
        part = self._parts.get(offset - offset % self._length)
        return super().load(offset) if part is None else part.load(offset % self._length)

    def store(self, offset: int, value: int) -> None:
        part = self._parts.get(offset - offset % self._length)
        if part is None:
            super().store(offset, value)
        else:
            part.store(offset % self._length, value)


class Gated(Peripheral):
    """Registers that read 0 and keep nothing while `clock_on` says that their clock is off."""

    def __init__(self, system: System, base: int, clock_on: Gate, interrupt: int | None = None) -> None:
        self.clock_on = clock_on
        super().__init__(system, base, interrupt)

    def load(self, offset: int) -> int:
        return super().load(offset) if self.clock_on() else 0

    def store(self, offset: int, value: int) -> None:
        if self.clock_on():
            super().store(offset, value)


class Followed(Peripheral):
    """Registers whose every write something else has to know about."""

    on_change: Callable[[], None] | None = None

    def store(self, offset: int, value: int) -> None:
        super().store(offset, value)
        if self.on_change is not None:
            self.on_change()


class Gpio(Peripheral):
    """One GPIO port; inputs read what the outputs drive."""

    _MODER, _IDR, _ODR, _AFR = 0x00, 0x10, 0x14, 0x20

    @on_write(_ODR)
    def _write_out(self, value: int) -> int:
        self[self._IDR] = value & 0xFFFF
        return value & 0xFFFF

    @on_write(0x18)
    def _set_reset(self, value: int) -> None:
        self[self._ODR] = self[self._ODR] & ~(value >> 16) | value & 0xFFFF
        self[self._IDR] = self[self._ODR]

    def function(self, pin: int) -> int | None:
        """The alternate function that `pin` has, None where it has another mode."""
        if self[self._MODER] >> 2 * pin & 3 != 2:
            return None
        return self[self._AFR + 4 * (pin // 8)] >> 4 * (pin % 8) & 0xF


class GatedGpio(Gated, Gpio):
    """A port behind a clock, whose pins are analog after reset; `powered` says whether its supply is on."""

    resets: ClassVar = {0x00: 0xFFFFFFFF}

    def __init__(self, system: System, base: int, clock_on: Gate, powered: Gate = lambda: True) -> None:
        self._powered = powered
        super().__init__(system, base, clock_on)

    def function(self, pin: int) -> int | None:
        return super().function(pin) if self._powered() else None


def port_pages(system: System, ports: Mapping[int, Gpio]) -> Iterator[Shared]:
    """The pages of four ports each."""
    for first in range(0, len(ports), 4):
        parts = {0x400 * i: ports[first + i] for i in range(4) if first + i in ports}
        yield Shared(system, ports[first].base, dict(parts))


class ClockControl(Peripheral, ABC):
    """RCC: an oscillator is ready a while after it is switched on, the clock switch then follows.

    `READY` tells the ready bit in CR of each enable bit, `SOURCES` the enable bit by position of the
    switch, whose field in `SWITCH` is that many bits wide; its position is shown right above it.
    """

    CR: ClassVar = 0x00
    SWITCH: ClassVar[int]
    WIDTH: ClassVar[int]
    READY: ClassVar[Mapping[int, int]]
    SOURCES: ClassVar[tuple[int, ...]]
    RUNNING: ClassVar[frozenset[int]]  # enable bits of what runs from reset on

    def reset(self) -> None:
        super().reset()
        self._ready_at = dict.fromkeys(self.RUNNING, 0)
        self._position = 0

    def ready(self, enable: int) -> bool:
        """Whether the oscillator with that enable bit runs and is stable."""
        return enable in self._ready_at and self.system.now >= self._ready_at[enable]

    def position(self) -> int:
        """Which source the switch is at: the one asked for, once that is ready."""
        wanted = self[self.SWITCH] & (1 << self.WIDTH) - 1
        if wanted != self._position and wanted < len(self.SOURCES) and self.ready(self.SOURCES[wanted]):
            self._position = wanted
            self.check()
        return self._position

    @abstractmethod
    def core_hz(self) -> int:
        """What the core runs at."""

    @abstractmethod
    def peripheral_hz(self) -> int:
        """What the serial port of the board's debugger runs at."""

    @abstractmethod
    def check(self) -> None:
        """Something changed that decides how fast the core runs: a fault where it must not."""

    def enabled(self, register: int, bit: int) -> Gate:
        """Whether that clock gate is open."""
        return lambda: bool(self[register] >> bit & 1)

    def load(self, offset: int) -> int:
        value = super().load(offset)
        if offset == self.CR:
            for enable, ready in self.READY.items():
                value = value & ~(1 << ready) | self.ready(enable) << ready
        elif offset == self.SWITCH:
            shown = (1 << self.WIDTH) - 1 << self.WIDTH
            value = value & ~shown | self.position() << self.WIDTH
        return value

    def store(self, offset: int, value: int) -> None:
        if offset == self.CR:
            lock = self.system.clock_hz * _LOCK_MICROSECONDS // 1_000_000
            for enable in self.READY:
                if not value >> enable & 1:
                    self._ready_at.pop(enable, None)
                else:
                    self._ready_at.setdefault(enable, self.system.now + lock)
        super().store(offset, value)
        self.position()
        self.check()


class Usart(Gated):
    """USART or LPUART with ISR, RDR and TDR. Sending takes no time.

    It reaches the serial line by the board's pins alone. Using it at another rate than the line's is a
    fault, and while the core has another speed than time is reckoned with. BRR divides `scale` times
    its clock: 256 times in an LPUART.
    """

    CR1, BRR, ISR, ICR, RDR, TDR = 0x00, 0x0C, 0x1C, 0x20, 0x24, 0x28
    resets: ClassVar = {ISR: 0xC0}
    _RXNE, _ENABLE, _RECEIVE, _TRANSMIT = 0x20, 1, 4, 8

    def __init__(
        self,
        chip: FlashSystem,
        base: int,
        clock_on: Gate,
        *,
        clocks: ClockControl,
        ports: Mapping[int, Gpio],
        function: int,
        scale: int = 1,
    ) -> None:
        self._board, self._clocks, self._ports = chip.board, clocks, ports
        self._function, self._scale = function, scale
        super().__init__(chip, base, clock_on)

    def reset(self) -> None:
        super().reset()
        self.system.line.receivers.append(self._receive)

    def _on(self, direction: int, pin: Pin | None) -> bool:
        """Whether it runs in that direction, and the pin of the board is its own."""
        wanted = self._ENABLE | direction
        if self[self.CR1] & wanted != wanted or pin is None or not self.clock_on():
            return False
        return self._ports[pin.port].function(pin.number) == self._function

    def _check_rate(self) -> None:
        if self._clocks.core_hz() != self._board.clock_hz:
            raise self.system.fault(f"the core runs at {self._clocks.core_hz()} Hz, unlike its board")
        rate, wanted = (
            self._clocks.peripheral_hz() * self._scale / max(1, self[self.BRR]),
            self._board.uart_baud,
        )
        if abs(rate / wanted - 1) > _RATE_TOLERANCE:
            raise self.system.fault(f"the serial port runs at {rate:.0f} baud, its line at {wanted}")

    def _receive(self) -> None:
        if self._on(self._RECEIVE, self._board.uart_rx) and not self[self.ISR] & self._RXNE:
            byte = self.system.line.take()
            if byte is not None:
                self._check_rate()
                self[self.RDR] = byte
                self[self.ISR] |= self._RXNE

    @on_read(ISR)
    def _read_status(self) -> int:
        self._receive()
        if not self[self.ISR] & self._RXNE and self[self.CR1] & self._RECEIVE:
            self.system.line.polled()
        return self[self.ISR]

    @on_write(ISR)
    def _read_only(self, _value: int) -> None:
        return None

    @on_write(BRR)
    def _write_rate(self, value: int) -> int | None:
        return None if self[self.CR1] & self._ENABLE else value

    @on_read(RDR)
    def _read_data(self) -> int:
        byte = self[self.RDR]
        self.system.line.touched()
        self[self.ISR] &= ~self._RXNE
        return byte

    @on_write(TDR)
    def _write_data(self, value: int) -> None:
        if self._on(self._TRANSMIT, self._board.uart_tx):
            self._check_rate()
            self.system.line.send(bytes([value & 0xFF]))
