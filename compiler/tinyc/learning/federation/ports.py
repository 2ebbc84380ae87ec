"""Boards on serial ports as clients of a run."""

from __future__ import annotations

from tinyc.device.transport import BAUD, SerialTransport
from tinyc.errors import TinycError
from tinyc.learning.federation.board import BoardClient
from tinyc.learning.federation.client import ClientError, Task


class PortClient(BoardClient):
    """The board at `port`, a device path or a pySerial URL, flashed with `tinyc federate firmware`.

    No other program can use the port meanwhile. A port that goes away is opened again for the next round.
    """

    def __init__(self, name: str, port: str, task: Task, *, baud: int = BAUD, timeout: float = 2.0) -> None:
        """Raises ClientError when the port cannot be opened, nobody answers, or it is another firmware."""
        try:
            line = SerialTransport(port, baud)
        except TinycError as error:
            raise ClientError(
                error.what, where=error.where, allowed=error.allowed, hint=error.hint
            ) from error
        try:
            super().__init__(name, line, task, timeout)
        except ClientError:
            line.close()
            raise
