"""A serial line where bytes take their time and can be lost, and one that damages them.

Ten bits a byte at the rate of the UART's BAUDRATE, in the chip's own time. What comes while the FIFO
is full is lost. The bytes of the host wait as long as no receiver is on.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tinyc.emulator.peripheral import System
from tinyc.emulator.scheduler import Event
from tinyc.emulator.serial_line import SerialLine


class TimedLine(SerialLine):
    """`to_device` is the FIFO of the receiver; `waiting` what the host sent and has not arrived."""

    patient = False

    def __init__(self, system: System) -> None:
        super().__init__()
        self.waiting: deque[int] = deque()
        self._system = system
        self._arrival: Event | None = None
        self._byte_cycles = self._room = self._sent_at = self._leaving = 0
        self._on_overrun: Callable[[], None] = lambda: None

    def write(self, data: bytes) -> None:
        self.touched()
        self.waiting.extend(data)
        self._expect()

    def _expect(self) -> None:
        if self._arrival is None and self._byte_cycles and self.waiting:
            self._arrival = self._system.scheduler.at(self._next(self._system.now), self._arrive)

    def _next(self, start: int) -> int:
        return start + self._byte_cycles

    def _arrive(self) -> None:
        assert self._arrival is not None
        at, self._arrival = self._arrival.time, None
        byte = self.waiting.popleft()
        if self.waiting:  # the sender does not wait for a chip that was busy
            self._arrival = self._system.scheduler.at(self._next(at), self._arrive)
        if len(self.to_device) >= self._room:
            self._on_overrun()
            return
        self.to_device.append(byte)
        self.touched()
        for receiver in self.receivers:
            receiver()

    def listen(self, byte_cycles: int, room: int, on_overrun: Callable[[], None]) -> None:
        self._byte_cycles, self._room, self._on_overrun = byte_cycles, room, on_overrun
        if not byte_cycles and self._arrival is not None:
            self._arrival.cancel()
            self._arrival = None
        self._expect()

    def transmit(self, data: bytes, byte_cycles: int, done: Callable[[], None]) -> None:
        def out() -> None:
            self._leaving -= 1
            self.send(data)
            done()

        self._leaving += 1
        self._sent_at = max(self._system.now, self._sent_at) + len(data) * byte_cycles
        self._system.scheduler.at(self._sent_at, out)

    def polled(self) -> None:
        if not self._leaving:  # else the firmware waits for its own bytes to go
            super().polled()

    def restart(self) -> None:
        self._arrival = None
        self._byte_cycles = self._leaving = 0
        self.to_device.clear()


@dataclass(frozen=True, slots=True)
class LinkFaults:
    """How often, of a byte, it is dropped, one of its bits is flipped, or it comes twice."""

    seed: int
    drop: float = 0.0
    flip: float = 0.0
    duplicate: float = 0.0


class FaultyLink:
    """Damages what goes through it: the same bytes in the same order are always damaged alike."""

    def __init__(self, faults: LinkFaults) -> None:
        self._faults, self._chance = faults, random.Random(f"link {faults.seed}")

    def damage(self, data: bytes) -> bytes:
        """What arrives of `data`."""
        arrived = bytearray()
        for byte in data:
            drop, flip, duplicate = (self._chance.random() for _ in range(3))
            bit = 1 << self._chance.randrange(8)
            if drop >= self._faults.drop:
                damaged = byte ^ bit if flip < self._faults.flip else byte
                arrived += bytes([damaged]) * (2 if duplicate < self._faults.duplicate else 1)
        return bytes(arrived)
