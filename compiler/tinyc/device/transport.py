"""How bytes get to a device and back. The emulated chip brings its own transport."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

from tinyc.device.errors import LineLost
from tinyc.device.port_owner import port_owner
from tinyc.errors import TinycError

BAUD = 115_200

_TERMIOS: tuple[type[Exception], ...] = ()
if sys.platform != "win32":
    import termios

    _TERMIOS = (termios.error,)


@runtime_checkable
class Transport(Protocol):
    """A byte stream. `read` gives fewer bytes than asked for only when `timeout` seconds are over."""

    def write(self, data: bytes) -> None: ...

    def read(self, size: int, timeout: float) -> bytes: ...

    def close(self) -> None: ...


def list_ports() -> tuple[tuple[str, str], ...]:
    """(port, description) of every serial port of this machine, sorted."""
    from serial.tools import list_ports as ports

    return tuple(sorted((str(port.device), str(port.description)) for port in ports.comports()))


def _is_taken(error: Exception) -> bool:
    """Whether a port could not be opened because somebody else has it.

    pySerial gives the number of the system's error where it opens and where it locks. On Windows,
    where every open is exclusive, it gives only the text of the system's PermissionError.
    """
    if getattr(error, "errno", None) in (errno.EAGAIN, errno.EBUSY):
        return True
    return sys.platform == "win32" and "PermissionError" in str(error)


def _reason(error: Exception) -> str:
    """Why a port did not open: the system's words without pyserial's around them."""
    number = getattr(error, "errno", None)
    return str(error) if number is None else os.strerror(number)


class SerialTransport:
    """A serial port at 115200 baud, 8N1, for as long as the object is open; a context manager.

    No other program that asks for the port alone, tinyc among them, can open it meanwhile.
    """

    def __init__(self, port: str, baud: int = BAUD) -> None:
        """Open `port`, a device path or a pySerial URL.

        Raises TinycError when that fails, also because another program has the port.
        """
        self.port = port
        self._baud = baud
        self._serial: Any = self._open()

    def _open(self) -> Any:
        import serial

        # A port that is gone may also show in the settings of its line.
        self._failures = (serial.SerialException, OSError, *_TERMIOS)
        try:
            # What a URL names is no file that could be locked.
            exclusive = None if "://" in self.port else True
            opened = serial.serial_for_url(
                self.port, baudrate=self._baud, timeout=0, write_timeout=5, exclusive=exclusive
            )
            opened.reset_input_buffer()
        except (*self._failures, ValueError) as error:
            if _is_taken(error):
                owner = port_owner(self.port)
                raise TinycError(
                    "another program has the port open" + (f": {owner}" if owner else ""),
                    where=self.port,
                    hint="close it: a serial monitor, a terminal or another tinyc",
                ) from error
            raise TinycError(
                f"cannot open the serial port: {_reason(error)}",
                where=self.port,
                allowed=", ".join(name for name, _ in list_ports()) or "there is no serial port here",
            ) from error
        return opened

    def reopen(self) -> None:
        """Open the port again after it was lost. Raises TinycError as long as that fails."""
        self.close()
        self._serial = self._open()

    def write(self, data: bytes) -> None:
        """Send all of `data`. Raises LineLost when the port is gone."""
        try:
            self._serial.write(data)
            self._serial.flush()
        except self._failures as error:
            raise LineLost(f"the serial port failed: {error}", where=self.port) from error

    def read(self, size: int, timeout: float) -> bytes:
        """Up to `size` bytes, waiting at most `timeout` seconds. Raises LineLost when the port is gone."""
        try:
            self._serial.timeout = timeout
            return bytes(self._serial.read(size))
        except self._failures as error:
            raise LineLost(f"the serial port failed: {error}", where=self.port) from error

    def close(self) -> None:
        with contextlib.suppress(*self._failures):  # a port that is gone is closed
            self._serial.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
