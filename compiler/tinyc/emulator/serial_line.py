"""The serial line between the host and whichever UART the firmware enables.

Bytes take no time on this line and never get lost: a byte is handed to the receiver when it has
taken the one before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

_PATIENCE = 64
_PATIENCE_WITH_TIMERS = 20_000


class SerialLine:
    """Two queues of bytes. The machine sets `on_output` and `on_idle`."""

    patient = True
    """A receiver that could take more may leave it until the firmware has seen what came."""

    def __init__(self) -> None:
        self.to_device: deque[int] = deque()
        self.from_device = bytearray()
        self.receivers: list[Callable[[], None]] = []
        self.on_output: Callable[[], None] = lambda: None
        self.on_idle: Callable[[], None] = lambda: None
        self.timers_running: Callable[[], bool] = lambda: False
        self.powered = True  # off: the device sends nothing
        self._polls = 0

    def write(self, data: bytes) -> None:
        """Bytes from the host."""
        self.to_device.extend(data)
        self.touched()
        for receiver in self.receivers:
            receiver()

    def send(self, data: bytes) -> None:
        """Bytes from the device."""
        if not self.powered:
            return
        self.touched()
        self.from_device += data
        self.on_output()

    def transmit(self, data: bytes, byte_cycles: int, done: Callable[[], None]) -> None:
        """Send at a rate, where the line has one; `done` when the last byte is out."""
        self.send(data)
        done()

    def listen(self, byte_cycles: int, room: int, on_overrun: Callable[[], None]) -> None:
        """The device receives at a rate into a FIFO of `room` bytes; 0 cycles: it stops."""

    def restart(self) -> None:
        """The chip was reset."""

    def take(self) -> int | None:
        """The next byte for the device, None when there is none."""
        return self.to_device.popleft() if self.to_device else None

    def touched(self) -> None:
        """The firmware does something else than asking for input."""
        self._polls = 0

    def polled(self) -> None:
        """The firmware asked for input and there is none; after many such calls it counts as idle."""
        self._polls += 1
        if self._polls < _PATIENCE:
            return
        if self._polls >= _PATIENCE_WITH_TIMERS or not self.timers_running():
            self._polls = 0
            self.on_idle()
