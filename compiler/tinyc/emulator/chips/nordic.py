"""What the peripherals of Nordic's nRF52 series have in common, and those that several chips share.

Tasks start at offset 0x000, events at 0x100, SHORTS is 0x200, INTENSET 0x304, INTENCLR 0x308; an
event that is enabled in INTEN holds the peripheral's interrupt line high. Written from Nordic's
nRF52840 Product Specification.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from tinyc.emulator.peripheral import Peripheral, on_read, on_write
from tinyc.emulator.scheduler import Event

_SHORTS = 0x200


class NordicPeripheral(Peripheral):
    """Tasks, events and interrupts."""

    publish: Callable[[int], None] | None = None
    """Told the address of every event that happens, where there is a PPI."""

    def reset(self) -> None:
        super().reset()
        self.enabled_interrupts = 0
        self._update()

    @property
    def moment(self) -> int:
        """Now, and inside an event of the scheduler the time that it was due."""
        due = self.system.scheduler.moment
        return self.system.now if due is None else due

    def happen(self, event: int) -> None:
        """Raise the event at offset `event`."""
        self[event] = 1
        self._update()
        if self.publish is not None:
            self.publish(self.base + event)

    def _update(self) -> None:
        if self.interrupt is None:
            return
        self.system.set_interrupt_line(self.interrupt, self._wants_interrupt())

    def _wants_interrupt(self) -> bool:
        """Whether an event has happened whose interrupt is enabled. Called at every byte of a serial line."""
        left = self.enabled_interrupts
        while left:
            number = left.bit_length() - 1
            if self[0x100 + 4 * number]:
                return True
            left ^= 1 << number
        return False

    def store(self, offset: int, value: int) -> None:
        super().store(offset, value)
        if 0x100 <= offset < 0x180:
            self._update()

    @on_read(0x300)
    @on_read(0x304)
    @on_read(0x308)
    def _read_enabled(self) -> int:
        return self.enabled_interrupts

    @on_write(0x300)
    def _write_enabled(self, value: int) -> None:
        self.enabled_interrupts = value
        self._update()

    @on_write(0x304)
    def _set_enabled(self, value: int) -> None:
        self.enabled_interrupts |= value
        self._update()

    @on_write(0x308)
    def _clear_enabled(self, value: int) -> None:
        self.enabled_interrupts &= ~value
        self._update()


class Clock(NordicPeripheral):
    """CLOCK and POWER: every oscillator starts at once."""

    resets: ClassVar = {0x40C: 0, 0x418: 0, 0x640: 0x3, 0x938: 0x3}

    @on_write(0x000)
    def _start_hfxo(self, _value: int) -> None:
        self[0x408], self[0x40C] = 1, 0x10001
        self.happen(0x100)

    @on_write(0x004)
    def _stop_hfxo(self, _value: int) -> None:
        self[0x408], self[0x40C] = 0, 0

    @on_write(0x008)
    def _start_lfclk(self, _value: int) -> None:
        self[0x414], self[0x418], self[0x41C] = 1, 0x10000 | self[0x518] & 3, self[0x518] & 3
        self.happen(0x104)

    @on_write(0x00C)
    def _stop_lfclk(self, _value: int) -> None:
        self[0x414], self[0x418] = 0, 0

    @on_write(0x010)
    def _calibrate(self, _value: int) -> None:
        self.happen(0x10C)


class RandomNumbers(NordicPeripheral):
    """RNG: a fixed sequence, so that runs repeat. One byte takes 120 us of the chip's time."""

    def reset(self) -> None:
        super().reset()
        self._state = 0x2545F491
        self._next: Event | None = None

    def _ready(self) -> None:
        for _ in range(8):  # xorshift32, 8 steps a byte
            self._state ^= self._state << 13 & 0xFFFFFFFF
            self._state ^= self._state >> 17
            self._state ^= self._state << 5 & 0xFFFFFFFF
        self[0x508] = self._state & 0xFF
        self.happen(0x100)
        if self[_SHORTS] & 1:
            self._stop(1)
        else:
            self._start(1)

    @on_write(0x000)
    def _start(self, _value: int) -> None:
        self._stop(1)
        delay = self.system.clock_hz * 120 // 1_000_000
        self._next = self.system.scheduler.at(self.system.now + delay, self._ready)

    @on_write(0x004)
    def _stop(self, _value: int) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None


class Counting(NordicPeripheral, ABC):
    """A counter that runs on a fraction of the core clock, compared with `channels` values."""

    channels = 4
    COMPARE_EVENTS, COMPARE = 0x140, 0x540

    def reset(self) -> None:
        super().reset()
        self._running = False
        self._origin = self._held = 0  # time at count 0, or the count while stopped
        self._events: list[Event] = []

    @property
    @abstractmethod
    def width(self) -> int:
        """Bits of the counter."""

    @abstractmethod
    def ratio(self) -> tuple[int, int]:
        """Core cycles per tick, as a fraction."""

    def count(self) -> int:
        if not self._running:
            return self._held
        cycles, ticks = self.ratio()
        return (self.moment - self._origin) * ticks // cycles % (1 << self.width)

    def set_running(self, running: bool) -> None:
        count = self.count()
        self._running = running
        self.set_count(count)

    def set_count(self, count: int) -> None:
        cycles, ticks = self.ratio()
        self._held = count
        self._origin = self.moment - -(-count * cycles // ticks)
        self.reschedule()

    def reschedule(self) -> None:
        # The core may write in the very cycle of a match, before it was fired: it is not lost.
        due = [i for i, it in enumerate(self._events) if not it.cancelled and it.time <= self.moment]
        for event in self._events:
            event.cancel()
        self._events = [self._at(channel) for channel in range(self.channels) if self._running]
        for channel in due:
            self._match(channel)

    def _at(self, channel: int) -> Event:
        cycles, ticks = self.ratio()
        modulus = 1 << self.width
        elapsed = (self.moment - self._origin) * ticks // cycles
        away = (self[self.COMPARE + 4 * channel] - elapsed) % modulus or modulus
        time = self._origin - (-(elapsed + away) * cycles // ticks)
        return self.system.scheduler.at(time, lambda: self._match(channel))

    def _match(self, channel: int) -> None:
        if self._running:
            self._events[channel].cancel()  # it is not due any more, whatever follows from it
        self.happen(self.COMPARE_EVENTS + 4 * channel)
        self.on_match(channel)
        if self._running:
            self._events[channel].cancel()
            self._events[channel] = self._at(channel)

    def on_match(self, channel: int) -> None:
        """More that a match does."""

    def store(self, offset: int, value: int) -> None:
        super().store(offset, value)
        if self.COMPARE <= offset < self.COMPARE + 4 * self.channels:
            self.reschedule()

    @on_write(0x000)
    def _start(self, _value: int) -> None:
        if not self._running:
            self.set_running(True)

    @on_write(0x004)
    def _stop(self, _value: int) -> None:
        if self._running:
            self.set_running(False)


class Timer(Counting):
    """TIMER: 16 MHz divided by a power of two, with capture and shortcuts."""

    COUNT_TASK, CAPTURE_TASK, MODE, BITMODE, PRESCALER = 0x008, 0x040, 0x504, 0x508, 0x510
    resets: ClassVar = {PRESCALER: 4}

    @property
    def width(self) -> int:
        return (16, 8, 24, 32)[self[self.BITMODE] & 3]

    def ratio(self) -> tuple[int, int]:
        return self.system.clock_hz << (self[self.PRESCALER] & 0xF), 16_000_000

    def reschedule(self) -> None:
        if not self[self.MODE] & 3:
            super().reschedule()

    def count(self) -> int:
        return self._held if self[self.MODE] & 3 else super().count()

    def on_match(self, channel: int) -> None:
        if self[_SHORTS] >> channel & 1:
            self.set_count(0)
        if self[_SHORTS] >> 8 + channel & 1:
            self.set_running(False)

    @on_write(COUNT_TASK)
    def _step(self, _value: int) -> None:
        if self._running and self[self.MODE] & 3:
            self._held = (self._held + 1) % (1 << self.width)
            for channel in range(self.channels):
                if self[self.COMPARE + 4 * channel] == self._held:
                    self.happen(self.COMPARE_EVENTS + 4 * channel)
                    self.on_match(channel)

    @on_write(0x00C)
    def _clear(self, _value: int) -> None:
        self.set_count(0)

    @on_write(CAPTURE_TASK, count=6)
    def _capture(self, channel: int, _value: int) -> None:
        self[self.COMPARE + 4 * channel] = self.count()


class WideTimer(Timer):
    """TIMER3 and TIMER4 have six channels."""

    channels = 6


class RealTimeCounter(Counting):
    """RTC: 24 bits on 32768 Hz divided by PRESCALER + 1. TICK and OVRFLW are not modelled."""

    COUNTER, PRESCALER = 0x504, 0x508
    width = 24

    def ratio(self) -> tuple[int, int]:
        return self.system.clock_hz * (self[self.PRESCALER] & 0xFFF) + self.system.clock_hz, 32768

    @on_read(COUNTER)
    def _read_counter(self) -> int:
        return self.count()

    @on_write(COUNTER)
    def _write_counter(self, _value: int) -> None:
        return None

    @on_write(0x008)
    def _clear(self, _value: int) -> None:
        self.set_count(0)

    @on_write(0x00C)
    def _trigger_overflow(self, _value: int) -> None:
        self.set_count(0xFFFFF0)
