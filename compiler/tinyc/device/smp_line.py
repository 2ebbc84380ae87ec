"""smpclient over any of tinyc's transports: a serial port, the emulated chip, QEMU."""

from __future__ import annotations

import asyncio
from collections import deque

from smpclient.transport import SMPTransport

from tinyc.device import limits
from tinyc.device.framing import FrameDecoder, encode, is_answer
from tinyc.device.transport import Transport

# smpclient ends a request by cancelling it, which takes effect between two reads.
_SLICE_SECONDS = 0.05


class LineTransport(SMPTransport):
    """An open line for `smpclient.SMPClient`; the address that the client names is not used.

    Reads block the event loop for at most 50 ms each. Whoever opened the line closes it.
    """

    def __init__(self, line: Transport) -> None:
        self._line = line
        self._decoder = FrameDecoder()
        self._messages: deque[bytes] = deque()

    async def connect(self, address: str, timeout_s: float) -> None:
        """Nothing to do: the line is open."""

    async def disconnect(self) -> None:
        """Nothing to do: the line belongs to the caller."""

    async def send(self, data: bytes) -> None:
        """Send a message. Raises TinycError when the line is gone."""
        self._line.write(encode(data))

    async def receive(self) -> bytes:
        """The next message, whatever it answers. Waits until it is cancelled."""
        while not self._messages:
            self._messages += self._decoder.feed(self._line.read(self._decoder.missing, _SLICE_SECONDS))
            await asyncio.sleep(0)
        return self._messages.popleft()

    async def send_and_receive(self, data: bytes) -> bytes:
        """Send a request and wait for its answer; messages that answer something else are ignored."""
        await self.send(data)
        while not is_answer(data, answer := await self.receive()):
            pass
        return answer

    @property
    def mtu(self) -> int:
        """The device's buffer in bytes; the smallest one of tinyc's devices until it is known."""
        return self._smp_server_transport_buffer_size or limits.SMALL_BUFFER

    @property
    def max_unencoded_size(self) -> int:
        return limits.largest_message(self.mtu)
