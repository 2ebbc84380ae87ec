"""What the peripherals of Nordic's nRF52 series have in common, and those that several chips share.

Tasks start at offset 0x000, events at 0x100, SHORTS is 0x200, INTENSET 0x304, INTENCLR 0x308; an
event that is enabled in INTEN holds the peripheral's interrupt line high. Written from Nordic's
nRF52840 Product Specification.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from tinyc.emulator.peripheral import Peripheral, on_read, on_write
from tinyc.emulator.scheduler import Event

_SHORTS = 0x200


class NordicPeripheral(Peripheral):
    """Tasks, events and interrupts."""

    def reset(self) -> None:
        super().reset()
        self.enabled_interrupts = 0
        self._update()

    def happen(self, event: int) -> None:
        """Raise the event at offset `event`."""
        self[event] = 1
        self._update()

    def _update(self) -> None:
        if self.interrupt is None:
            return
        level = any(self.enabled_interrupts >> i & 1 and self[0x100 + 4 * i] for i in range(32))
        self.system.set_interrupt_line(self.interrupt, level)

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


class Uart(NordicPeripheral):
    """UART and UARTE at one address: ENABLE chooses between bytes and EasyDMA."""

    RXDRDY, ENDRX, TXDRDY, ENDTX, RXTO = 0x108, 0x110, 0x11C, 0x120, 0x144
    RXSTARTED, TXSTARTED, TXSTOPPED = 0x14C, 0x150, 0x158
    ENABLE, RXD = 0x500, 0x518
    RX_POINTER, RX_COUNT, RX_AMOUNT = 0x534, 0x538, 0x53C
    TX_POINTER, TX_COUNT, TX_AMOUNT = 0x544, 0x548, 0x54C
    resets: ClassVar = {0x50C: 0xFFFFFFFF, 0x514: 0xFFFFFFFF, 0x524: 0x04000000}

    def reset(self) -> None:
        super().reset()
        self._receiving = self._sending = self._full = False
        self._received = self._target = self._room = 0
        self.system.line.receivers.append(self._receive)

    @property
    def _dma(self) -> bool:
        return self[self.ENABLE] & 0xF == 8

    def _receive(self) -> None:
        """Take what the line has, as far as there is room."""
        line = self.system.line
        if self._dma:
            while self._receiving and (byte := line.take()) is not None:
                self.system.write_ram(self._target + self._received, bytes([byte]), "EasyDMA")
                self._received += 1
                self.happen(self.RXDRDY)
                if self._received == self._room:
                    self._end_receive()
        elif self._receiving and not self._full and (byte := line.take()) is not None:
            self[self.RXD] = byte
            self._full = True
            self.happen(self.RXDRDY)

    def _end_receive(self) -> None:
        self._receiving = False
        self[self.RX_AMOUNT] = self._received
        self.happen(self.ENDRX)
        if self[_SHORTS] & 1 << 5:
            self._start_receive(1)
        elif self[_SHORTS] & 1 << 6:
            self._stop_receive(1)

    @on_write(0x000)
    def _start_receive(self, _value: int) -> None:
        if not self[self.ENABLE] & 0xF:
            return
        self._receiving = True
        if self._dma:
            self._target, self._room = self[self.RX_POINTER], self[self.RX_COUNT]
            self._received = 0
            self.happen(self.RXSTARTED)
            if not self._room:
                self._end_receive()
                return
        self._receive()

    @on_write(0x004)
    def _stop_receive(self, _value: int) -> None:
        if self._dma and self._receiving:
            self._end_receive()
        self._receiving = False
        self.happen(self.RXTO)

    @on_write(0x008)
    def _start_send(self, _value: int) -> None:
        if not self[self.ENABLE] & 0xF:
            return
        self._sending = True
        if self._dma:
            size = self[self.TX_COUNT]
            data = self.system.read_ram(self[self.TX_POINTER], size, "EasyDMA") if size else b""
            self[self.TX_AMOUNT] = size
            self.happen(self.TXSTARTED)
            self.system.line.send(data)
            if size:
                self.happen(self.TXDRDY)
            self.happen(self.ENDTX)

    @on_write(0x00C)
    def _stop_send(self, _value: int) -> None:
        self._sending = False
        self.happen(self.TXSTOPPED)

    @on_write(0x02C)
    def _flush(self, _value: int) -> None:
        if self._dma:
            self[self.RX_AMOUNT] = 0
            self.happen(self.ENDRX)

    @on_read(RXDRDY)
    def _read_ready(self) -> int:
        return self._polled(self.RXDRDY)

    @on_read(ENDRX)
    def _read_end(self) -> int:
        return self._polled(self.ENDRX)

    def _polled(self, event: int) -> int:
        if not self[event] and not self.system.line.to_device:
            self.system.line.polled()
        return self[event]

    @on_read(RXD)
    def _read_byte(self) -> int:
        byte = self[self.RXD]
        self.system.line.touched()
        self._full = False
        self._receive()
        return byte

    @on_write(0x51C)
    def _write_byte(self, value: int) -> int:
        if self._sending and not self._dma and self[self.ENABLE] & 0xF == 4:
            self.system.line.send(bytes([value & 0xFF]))
            self.happen(self.TXDRDY)
        return value


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
        return (self.system.now - self._origin) * ticks // cycles % (1 << self.width)

    def set_running(self, running: bool) -> None:
        count = self.count()
        self._running = running
        self.set_count(count)

    def set_count(self, count: int) -> None:
        cycles, ticks = self.ratio()
        self._held = count
        self._origin = self.system.now - -(-count * cycles // ticks)
        self.reschedule()

    def reschedule(self) -> None:
        for event in self._events:
            event.cancel()
        self._events = [self._at(channel) for channel in range(self.channels) if self._running]

    def _at(self, channel: int) -> Event:
        cycles, ticks = self.ratio()
        modulus = 1 << self.width
        elapsed = (self.system.now - self._origin) * ticks // cycles
        away = (self[self.COMPARE + 4 * channel] - elapsed) % modulus or modulus
        time = self._origin - (-(elapsed + away) * cycles // ticks)
        return self.system.scheduler.at(time, lambda: self._match(channel))

    def _match(self, channel: int) -> None:
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
