"""A serial line that damages what passes, between the client and an emulated board, on the chip's clock."""

from __future__ import annotations

import pytest

from tinyc.emulator import Machine
from tinyc.emulator.peripheral import Reset
from tinyc.emulator.timed_line import FaultyLink, LinkFaults


class Clock:
    """Stands in for `time`: goes on when somebody waits in vain, and the chip runs meanwhile."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Line:
    """The line to the machine, with faults in both directions while there are some."""

    def __init__(self, machine: Machine, clock: Clock) -> None:
        self._machine, self._clock = machine, clock
        self._there = self._back = FaultyLink(LinkFaults(0))
        self._pending = bytearray()
        self.delivered = bytearray()
        """All that arrived at the device since it started."""
        self.reset_at: int | None = None
        """The device is reset in front of this byte of both directions together."""
        self.passed = 0

    def faults(self, seed: int, **rates: float) -> None:
        """How often bytes are damaged from now on."""
        self._there = FaultyLink(LinkFaults(2 * seed, **rates))
        self._back = FaultyLink(LinkFaults(2 * seed + 1, **rates))

    def write(self, data: bytes) -> None:
        self.inject(self._there.damage(data))

    def inject(self, data: bytes) -> None:
        """Exactly these bytes arrive."""
        at = self._reset_within(len(data))
        if at is not None:
            self._deliver(data[:at])
            self._machine.run(self._machine.clock_hz // 100)
            self.restart()
            data = data[at:]
        self._deliver(data)

    def _deliver(self, data: bytes) -> None:
        self.delivered += data
        self._machine.transport.write(data)

    def read(self, size: int, timeout: float) -> bytes:
        while len(self._pending) < size:
            wanted = size - len(self._pending)
            data = self._machine.transport.read(wanted, timeout)
            at = self._reset_within(len(data))
            if at is not None:
                # What had not left the chip is lost.
                data = data[:at]
                del self._machine.line.from_device[:]
                self.restart()
            self._pending += self._back.damage(data)
            if len(data) < wanted:
                self._clock.now += timeout
                break
        data = bytes(self._pending[:size])
        del self._pending[:size]
        return data

    def _reset_within(self, size: int) -> int | None:
        before, self.passed = self.passed, self.passed + size
        if self.reset_at is None or not before <= self.reset_at < self.passed:
            return None
        at, self.reset_at = self.reset_at - before, None
        return at

    def restart(self) -> None:
        """Press the reset button."""
        self._machine.reset(Reset.PIN)
        self._machine.line.to_device.clear()
        self.delivered.clear()

    def close(self) -> None: ...


def own_time(patch: pytest.MonkeyPatch, clock: Clock) -> None:
    """The client's waits take the chip's time."""
    for module in ("exchange", "invocation", "restart"):
        patch.setattr(f"tinyc.device.{module}.time", clock)
