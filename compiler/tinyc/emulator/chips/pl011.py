"""Arm's PrimeCell UART (PL011, ARM DDI 0183) as the RP2040 and the RP2350 have it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import ClassVar

from tinyc.boards import DEFAULT_BAUD
from tinyc.emulator.chip import FlashSystem
from tinyc.emulator.chips.rp2 import Block, Pins, Resets
from tinyc.emulator.peripheral import on_read, on_write

_TOLERANCE = 0.03


class Uart(Block):
    """UART0 on the pins 0 (sends) and 1; `hz` is its clock. Sending takes no time, so it is never busy."""

    DR, FR, IBRD, FBRD, LCR_H, CR = 0x00, 0x18, 0x24, 0x28, 0x2C, 0x30
    resets: ClassVar = {CR: 0x300}
    _TXFE, _RXFF, _RXFE = 0x80, 0x40, 0x10
    _FIFO = 32

    def __init__(
        self, system: FlashSystem, base: int, resets: Resets, pins: Pins, hz: Callable[[], int]
    ) -> None:
        self._pins, self._hz = pins, hz
        self._received: deque[int] = deque()
        super().__init__(system, base, resets, "UART0")

    def reset(self) -> None:
        super().reset()
        self._received.clear()
        self.system.line.receivers.append(self._receive)

    def _on(self, direction: int) -> bool:
        return self[self.CR] & (1 | direction) == 1 | direction

    def _require_rate(self) -> None:
        """Raise unless format and rate are those of the other side."""
        divisor = (self[self.IBRD] & 0xFFFF) + (self[self.FBRD] & 0x3F) / 64
        rate = self._hz() / (16 * divisor) if divisor else 0
        if abs(rate - DEFAULT_BAUD) > _TOLERANCE * DEFAULT_BAUD:
            what = f"UART0 runs at {rate:,.0f} bits per second, the other side at {DEFAULT_BAUD:,}"
            raise self.system.fault(what, self.base + self.CR)
        if self[self.LCR_H] & 0xEF != 0x60:
            raise self.system.fault("UART0 is not set to eight bits, no parity, one stop bit", self.base)

    def _receive(self) -> None:
        room = self._FIFO if self[self.LCR_H] & 0x10 else 1
        while self._on(0x200) and self._pins.receives(1) and len(self._received) < room:
            byte = self.system.line.take()
            if byte is None:
                return
            self._received.append(byte)

    @on_write(CR)
    def _write_control(self, value: int) -> None:
        self[self.CR] = value
        if value & 1:
            self._require_rate()

    @on_read(FR)
    def _read_flags(self) -> int:
        self._receive()
        if not self._received and self._on(0x200):
            self.system.line.polled()
        full = len(self._received) >= (self._FIFO if self[self.LCR_H] & 0x10 else 1)
        return self._TXFE | (self._RXFF if full else 0) | (0 if self._received else self._RXFE)

    @on_read(DR)
    def _read_data(self) -> int:
        self.system.line.touched()
        byte = self._received.popleft() if self._received else 0
        self._receive()
        return byte

    @on_write(DR)
    def _write_data(self, value: int) -> None:
        if not self._on(0x100):
            return
        self._require_rate()
        if not self._pins.sends(0):
            raise self.system.fault("UART0 sends, and its pin is not connected to it", self.base)
        self.system.line.send(bytes([value & 0xFF]))
