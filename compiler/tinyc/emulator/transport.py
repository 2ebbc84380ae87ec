"""The serial line of an emulated board as the device client uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinyc.emulator.air import Air
    from tinyc.emulator.machine import Machine

_STEP_US = 1_000


class InProcessTransport:
    """The serial line as the device client uses it; reading runs the chip."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def write(self, data: bytes) -> None:
        """Send bytes to the firmware, which sees them when it runs next."""
        self._machine.line.write(data)

    def read(self, size: int, timeout: float) -> bytes:
        """Run until `size` bytes have come; fewer when the firmware idles before.

        `timeout` is in seconds of the chip's own time, so that the result does not depend on the
        speed of this machine. Raises EmulatedFault.
        """
        line = self._machine.line
        if len(line.from_device) < size:
            self._machine.run(max(1, round(timeout * self._machine.clock_hz)), output=size)
        data = bytes(line.from_device[:size])
        del line.from_device[:size]
        return data

    def close(self) -> None:
        """Nothing to close; the machine goes on."""


class AirTransport:
    """The serial line of a board on an air; reading lets time go by for all boards there."""

    def __init__(self, machine: Machine, air: Air) -> None:
        self._machine, self._air = machine, air

    def write(self, data: bytes) -> None:
        """Send bytes to the firmware, which sees them when it runs next."""
        self._machine.line.write(data)

    def read(self, size: int, timeout: float) -> bytes:
        """Run all boards until `size` bytes have come, or `timeout` seconds of theirs are over.

        Raises EmulatedFault.
        """
        line, end = self._machine.line, self._air.now + round(timeout * self._machine.clock_hz)
        while len(line.from_device) < size and self._air.now < end:
            self._air.run(_STEP_US)
        data = bytes(line.from_device[:size])
        del line.from_device[:size]
        return data

    def close(self) -> None:
        """Nothing to close; the boards go on."""
