"""The serial line of an emulated board as the device client uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinyc.emulator.machine import Machine


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
